-- The constitution's principles and articles.

INSERT INTO court.principle AS p (name, number, title, text)
VALUES
('truth', 1, 'Truth',
 'What is said here can be checked. What was observed, what is believed and '
 'what is wished for are kept apart and named as what they are.'),
('ubuntu', 2, 'Ubuntu solidarity',
 'A person is a person through other persons. What one of us gains by taking '
 'from a weaker one is a loss to all of us.'),
('sankofa', 3, 'Sankofa wisdom',
 'We go back for what was forgotten. Errors are written down with their '
 'repair, and the experience of those before us is asked before it is '
 'replaced.'),
('accountability', 4, 'Transparent accountability',
 'Whoever decides gives the reason, to the person it concerns and in a '
 'record that cannot be changed afterwards.'),
('evolution', 5, 'Evolutionary adaptation',
 'Rules are tried, measured and improved. What no longer serves is repealed '
 'in the open, by the same way it came in.')
ON CONFLICT ON CONSTRAINT principle_pkey DO UPDATE
SET number = excluded.number, title = excluded.title, text = excluded.text;

INSERT INTO court.article AS a (number, principle, title, text)
VALUES
(1, 'ubuntu', 'Dignity',
 'Nobody is treated as a mere means here, whatever they know, own or earn.'),
(2, 'truth', 'Honest offers',
 'An offer says what is given, what is asked and who is behind it. Nobody is '
 'led into an agreement by leaving out what would have changed their mind.'),
(3, 'ubuntu', 'Learning is open',
 'What is taught here can be read by everybody, on cheap devices and slow '
 'lines. Knowledge that was proved is rewarded, whoever proved it.'),
(4, 'ubuntu', 'Work pays the worker',
 'Nobody pays to be allowed to work. Fees, deposits, bonds and compulsory '
 'purchases asked of applicants or workers are forbidden, under any name and '
 'whether or not a refund is promised.'),
(5, 'ubuntu', 'Papers stay with their people',
 'Passports, identity cards, certificates and other originals are shown and '
 'copied, never kept. Whoever retains them binds a person who cannot leave.'),
(6, 'evolution', 'Infrastructure independence',
 'This place runs on machines its community can own. No company, network or '
 'service may become so necessary that losing it would end the place: what '
 'is stored can be taken out, and what runs can be run elsewhere.'),
(7, 'truth', 'Money is held in trust',
 'Payment for work is put aside before the work begins and moves only as '
 'agreed. Both sides can see where it is at any time.'),
(8, 'ubuntu', 'A tenth for all',
 'Of each reward one part in ten goes to the CitadelFund, which serves '
 'everybody. Its balance and its use are public.'),
(9, 'accountability', 'Private life',
 'What is known about a person is known to that person, used for what it was '
 'given for, and erased when asked. Nobody may ask for another''s secrets: '
 'PINs, passwords, one-time codes or card numbers.'),
(10, 'ubuntu', 'Equal chances',
 'Work and learning are open without regard to gender, origin, faith, health '
 'or age. Where the law demands a condition, the offer names the law.'),
(11, 'accountability', 'The open record',
 'What is decided and what is paid is entered in a record that anybody can '
 'verify and nobody can rewrite.'),
(12, 'accountability', 'Reasons and appeal',
 'Who is refused learns by which article, and can have the decision looked '
 'at by a person.'),
(13, 'ubuntu', 'Children',
 'Children learn here and play here. Nobody offers work to a child, and '
 'guardians see what concerns their own.'),
(14, 'sankofa', 'Repair',
 'An error that harmed somebody is named, undone as far as it can be, and '
 'described so that it need not be made again.'),
(15, 'evolution', 'Amendment',
 'An article changes by proposal, review and vote. A new rule first runs in '
 'the shadow, beside the old one, and its effects are published before it '
 'takes hold.'),
(16, 'truth', 'No mock',
 'Nothing simulated may pass for real: no invented reviews, no forged '
 'papers, no test taken in another''s name, no figure that was not measured. '
 'What is an example is called one.')
ON CONFLICT ON CONSTRAINT article_pkey DO UPDATE
SET principle = excluded.principle, title = excluded.title,
    text = excluded.text;
