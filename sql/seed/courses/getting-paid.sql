-- Getting paid for small jobs: three lessons and a quiz of three questions.

INSERT INTO learning.course (slug) VALUES ('getting-paid')
ON CONFLICT DO NOTHING;

INSERT INTO learning.course_version AS v
    (course, version, state, title, summary, language, published_at)
VALUES ('getting-paid', 1, 'published', 'Getting paid for small jobs',
        'Agree on work in writing, split it into milestones, and use escrow '
        'so that neither side has to trust first.', 'en', now())
ON CONFLICT ON CONSTRAINT course_version_pkey DO UPDATE
SET title = excluded.title, summary = excluded.summary;

INSERT INTO learning.lesson AS l (course, version, number, title, minutes, body)
VALUES
('getting-paid', 1, 1, 'Four sentences that save a friendship', 5,
$body$Most quarrels about small jobs are not about bad will. They are about two
people who remember two different agreements. Four written sentences, sent as a
message and answered with "agreed", prevent nearly all of them:

1. **What is delivered.** "Ten photographs of the shop, edited, as files."
   Something you can hold or open, not "help with the shop".
2. **When.** A date, and what happens if a part of it depends on the other
   side: "by Friday, if I can enter the shop on Tuesday."
3. **For how much,** in which currency, and who pays the fees.
4. **How many rounds of changes** are included. "One round of changes within
   three days; more at 5 each." Without this sentence a job never ends.

Write a price for the whole, not for your hours, when you know the work well.
When you do not, agree on a small first part and price the rest after it.
$body$),
('getting-paid', 1, 2, 'Milestones and escrow', 6,
$body$A stranger who pays everything first carries all the risk; a stranger who
works first carries it as well. Escrow ends the question of who trusts first:
the money is put aside before the work begins, out of reach of both, and moves
when the work is accepted.

**Cut the job into milestones.** Each has a thing to deliver and an amount. A
good milestone takes some days, so that neither side ever has much at stake.

**Begin when it is funded.** The contract shows the state of each milestone.
"Pending" means promised, "funded" means that the money is there. Do not work
on a pending one.

**Hand in, and say what you hand in.** Name the files or the place, and what was
agreed. The review time starts with it: two weeks here. A request for changes
stops that clock; it has to say what is missing.

**When it does not work out,** you can give the money of a milestone back in
one step. That costs nothing, and it costs your name far less than silence.
$body$),
('getting-paid', 1, 3, 'Offers to walk away from', 4,
$body$An honest employer pays you. However the story goes, an offer is false
when money or papers are to move from you to them:

- **A fee to apply,** for a form, a training or a uniform that you must buy
  before the first wage.
- **A deposit** "that you get back with your first pay".
- **Your passport or certificates,** to be kept "for safety". Show them, give
  copies, keep the originals.
- **Payment by cheque for more than agreed,** with the wish that you send the
  difference on. The cheque will fail after your money has gone.
- **Leaving the platform before the escrow is funded,** because the fee would
  be saved. What is saved is the proof.

Report such offers. The constitution of this place forbids fees and deposits
for applicants, so the posts are refused when they say so openly, and people
like you are the ones who notice when they say it in a private message.
$body$)
ON CONFLICT ON CONSTRAINT lesson_pkey DO UPDATE
SET title = excluded.title, minutes = excluded.minutes, body = excluded.body;

INSERT INTO learning.quiz AS q
    (id, course, title, pass_percent, reward_currency, reward_minor)
VALUES ('01990a00-0000-7000-8000-000000000003', 'getting-paid',
        'Take the job?', 70, 'AZR', 500000000)
ON CONFLICT ON CONSTRAINT quiz_pkey DO UPDATE
SET title = excluded.title, pass_percent = excluded.pass_percent;

INSERT INTO learning.question
    (id, quiz, number, kind, prompt, options, answer, points)
VALUES
('01990a00-0000-7000-8000-000000000301',
 '01990a00-0000-7000-8000-000000000003', 1, 'single',
 'When do you begin to work on a milestone?',
 '[{"id":"a","text":"When the contract is offered"},
   {"id":"b","text":"When the milestone is funded"},
   {"id":"c","text":"When the employer promises to fund it"}]',
 '{"option":"b"}', 100),
('01990a00-0000-7000-8000-000000000302',
 '01990a00-0000-7000-8000-000000000003', 2, 'multiple',
 'Which of these offers do you walk away from?',
 '[{"id":"a","text":"A deposit that comes back with the first wage"},
   {"id":"b","text":"A small paid trial milestone in escrow"},
   {"id":"c","text":"Your passport is kept at the office"},
   {"id":"d","text":"One round of changes within three days"}]',
 '{"options":["a","c"]}', 200),
('01990a00-0000-7000-8000-000000000303',
 '01990a00-0000-7000-8000-000000000003', 3, 'numeric',
 'A milestone of 200 is released, and the commission is 15 percent. How much '
 'reaches you?',
 '[]', '{"value":170}', 100)
ON CONFLICT DO NOTHING;
