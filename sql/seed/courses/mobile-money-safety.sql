-- Mobile money safety: five lessons and a quiz of six questions.

INSERT INTO learning.course (slug) VALUES ('mobile-money-safety')
ON CONFLICT DO NOTHING;

INSERT INTO learning.course_version AS v
    (course, version, state, title, summary, language, published_at)
VALUES ('mobile-money-safety', 1, 'published', 'Mobile money safety',
        'Keep the money on your phone yours: PINs, false reversals, agents, '
        'lost phones, and what to do in the first ten minutes.',
        'en', now())
ON CONFLICT ON CONSTRAINT course_version_pkey DO UPDATE
SET title = excluded.title, summary = excluded.summary;

INSERT INTO learning.lesson AS l (course, version, number, title, minutes, body)
VALUES
('mobile-money-safety', 1, 1, 'Your PIN is a signature', 5,
$body$A mobile money PIN does what your signature does on a bank form: whoever
has it can act as you. The network cannot tell the difference, and a payment
that was confirmed with the right PIN counts as yours.

**Choose one that cannot be guessed.** Avoid 1234, 0000, your year of birth,
the last digits of your number and the digits of your door. Whoever knows you
tries those first. Take four or five digits that mean nothing, and say them to
yourself until they sit.

**Never say it, never send it.** No operator, bank, police officer or prize
office needs your PIN for anything. The company already has its own access to
its systems. A person who asks for it is, by that question alone, a thief.

**Hide it while you type.** Turn your body, cover the keys with your other
hand, and do not hand the phone to a helper after the PIN is in. If an agent's
place is too crowded for that, step outside and type it there.

**Change it when you doubt.** You typed it while someone looked, you told a
relative during an illness, you used the phone of a friend: change it today.
Changing takes one minute in the menu of your service and costs nothing.
$body$),
('mobile-money-safety', 1, 2, 'The money that came by mistake', 6,
$body$The most common trick needs no technology at all. You get a text message:
"You have received 3,500". Minutes later a stranger calls, polite and close to
tears. The money was for a hospital bill, the number was off by one digit,
would you please send it back?

Look closely before you feel sorry:

1. **Read the sender, not the words.** Real confirmations come from the short
   name or number that all your earlier ones came from. Anybody can write a
   message that reads the same from an ordinary number.
2. **Check your balance in the menu.** Only the balance that the service
   itself shows you counts. In most of these calls it has not moved by a cent.
3. **If money did come, do not send it back yourself.** The thief may have
   paid with a stolen account, or ask the operator for a reversal as well: then
   you pay twice. Say: "Please ask your operator to reverse it." That is the
   regular way, it is free, and an honest caller loses nothing by it.
4. **Hurry is the signal.** A caller who grows angry because you want to check
   is not a person in need. Hang up.

Tell this story at home. The ones who lose money to it are seldom careless;
they are kind, and nobody had told them.
$body$),
('mobile-money-safety', 1, 3, 'At the agent', 5,
$body$An agent turns cash into balance and back. Most are honest and keep a
difficult business running; a few minutes of habit protect you and them.

**Before.** Know the fee for your amount; it is printed on the tariff sheet,
and an agent must show it. Count your cash at home. Save the agent number you
trust in your contacts.

**During.** Type the agent number, the amount and the PIN yourself. The screen
shows the registered name of the business before you confirm: read it aloud and
compare it with the sign at the shop. If it differs, cancel. Do not leave before
your own message has come, and never accept "the network is slow, I shall do it
later" together with your cash.

**After.** Read the confirmation: amount, fee, new balance and a transaction
code. That code is your receipt. Keep the message until the end of the month;
an operator can find any payment by its code.

**Deposits for someone else.** A direct deposit to another person's number
leaves you with no record of your own. Put the money on your phone first and
send it from there: the fee is small and the record is yours.
$body$),
('mobile-money-safety', 1, 4, 'SIM swap and lost phones', 6,
$body$Your number is the name of your account. Who gets your number onto another
SIM card gets your messages, and often your account with them. This is called a
SIM swap. It happens at a shop, with a copy of your papers or with a helper
inside.

**Signs of a swap.** Your phone suddenly shows no service although others
nearby have it. Calls to you ring somewhere else. You get a message that a SIM
replacement was asked for. Do not wait for it to pass: borrow a phone and call
your operator at once.

**Make it hard.** Set a PIN for the SIM card in the phone's settings, so that a
stolen card is useless in another phone. Ask your operator whether a swap can be
limited to a visit in person. Do not post pictures of your identity card, and
cross copies with the purpose they were given for.

**When the phone is gone.** Do these in order, from any phone:

1. Call your operator and have the line and the wallet blocked.
2. Change the passwords of your e-mail and of every account that sends codes to
   the number.
3. Report it to the police if your operator or insurer asks for a report.
4. Get the replacement SIM yourself, with your papers, and set a new PIN.

Write the operator's number on paper today. It is of no use inside the phone
that was stolen.
$body$),
('mobile-money-safety', 1, 5, 'The first ten minutes after a loss', 5,
$body$You noticed that money is gone, or that you have just sent it to a cheat.
What you do in the next ten minutes decides more than all that follows, because
stolen money is drawn out as cash as fast as possible.

**Minute 1: call the operator's fraud line.** Give the transaction code. While
the money still sits in the other wallet it can be frozen; once it is cash it
is seldom found. Say the word "fraud" first, then the code, then the story.

**Minute 3: change the PIN,** or have the wallet blocked if you told anybody
the old one.

**Minute 5: write it down.** Time, numbers, amounts, what was said. Take
pictures of the messages. Delete nothing, even when it shames you.

**Minute 8: warn.** If the cheat used your name or your group, tell the others
now. The same caller works through the same list of numbers.

**Later.** Report to the police with the operator's reference. Complain in
writing when the operator does not answer: most countries have a regulator that
handles such complaints without a fee.

And one rule for afterwards: whoever offers to get lost money back for a fee,
paid in advance, is the second thief. Real recovery never asks for a deposit.
$body$)
ON CONFLICT ON CONSTRAINT lesson_pkey DO UPDATE
SET title = excluded.title, minutes = excluded.minutes, body = excluded.body;

INSERT INTO learning.quiz AS q
    (id, course, title, pass_percent, reward_currency, reward_minor)
VALUES ('01990a00-0000-7000-8000-000000000001', 'mobile-money-safety',
        'Would you have paid?', 70, 'AZR', 1000000000)
ON CONFLICT ON CONSTRAINT quiz_pkey DO UPDATE
SET title = excluded.title, pass_percent = excluded.pass_percent;

INSERT INTO learning.question
    (id, quiz, number, kind, prompt, options, answer, points)
VALUES
('01990a00-0000-7000-8000-000000000101',
 '01990a00-0000-7000-8000-000000000001', 1, 'single',
 'A caller from "the operator" asks for your PIN to stop a fraud that is '
 'happening right now. What do you do?',
 '[{"id":"a","text":"Give it, because the matter is urgent"},
   {"id":"b","text":"Give only the first two digits"},
   {"id":"c","text":"Hang up: nobody at the operator needs my PIN"},
   {"id":"d","text":"Ask for the caller''s name and then give it"}]',
 '{"option":"c"}', 100),
('01990a00-0000-7000-8000-000000000102',
 '01990a00-0000-7000-8000-000000000001', 2, 'multiple',
 'A stranger says that money reached you by mistake. Which steps are safe?',
 '[{"id":"a","text":"Check the balance in the menu of the service"},
   {"id":"b","text":"Send it back at once to the number that called"},
   {"id":"c","text":"Ask the caller to have the operator reverse it"},
   {"id":"d","text":"Send half of it to show good will"}]',
 '{"options":["a","c"]}', 200),
('01990a00-0000-7000-8000-000000000103',
 '01990a00-0000-7000-8000-000000000001', 3, 'boolean',
 'At an agent''s you may leave before your own confirmation message has come, '
 'as long as the agent promises to finish later.',
 '[]', '{"value":false}', 100),
('01990a00-0000-7000-8000-000000000104',
 '01990a00-0000-7000-8000-000000000001', 4, 'single',
 'Your phone shows no service while everybody else''s works, and you never '
 'asked for a new SIM card. What is the likely reason?',
 '[{"id":"a","text":"The battery is low"},
   {"id":"b","text":"Somebody had your number moved to another SIM card"},
   {"id":"c","text":"Your balance is used up"}]',
 '{"option":"b"}', 100),
('01990a00-0000-7000-8000-000000000105',
 '01990a00-0000-7000-8000-000000000001', 5, 'text',
 'Which short thing in the confirmation message lets the operator find a '
 'payment? Write the two words.',
 '[]', '{"accept":["transaction code","transaction id",
                    "transaction number"],"case":false}', 100),
('01990a00-0000-7000-8000-000000000106',
 '01990a00-0000-7000-8000-000000000001', 6, 'numeric',
 'You have 2,000 and want to send 1,500. The fee for this amount is 23. How '
 'much is left on your phone afterwards?',
 '[]', '{"value":477}', 100)
ON CONFLICT DO NOTHING;
