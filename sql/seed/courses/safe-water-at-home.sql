-- Safe water at home: three lessons and a quiz of three questions.

INSERT INTO learning.course (slug) VALUES ('safe-water-at-home')
ON CONFLICT DO NOTHING;

INSERT INTO learning.course_version AS v
    (course, version, state, title, summary, language, published_at)
VALUES ('safe-water-at-home', 1, 'published', 'Safe water at home',
        'Three ways to make water safe to drink, with what each needs, and '
        'how to keep it safe until it is drunk.', 'en', now())
ON CONFLICT ON CONSTRAINT course_version_pkey DO UPDATE
SET title = excluded.title, summary = excluded.summary;

INSERT INTO learning.lesson AS l (course, version, number, title, minutes, body)
VALUES
('safe-water-at-home', 1, 1, 'Clear is not the same as clean', 4,
$body$What makes people ill in water is mostly too small to see. A clear
stream below a village can carry more germs than a brown river far from people.
Treat every source that is open, shared with animals, or not known to be tested.

Cloudy water comes first to a rest: let it stand for some hours in a covered
bucket, pour off the upper part, and run it through a folded clean cloth. Germs
hide behind the particles, and both chlorine and sunlight fail in muddy water.

None of the methods in this course removes chemicals such as fluoride, arsenic
or fuel. When a source tastes of salt, metal or petrol, use another source and
ask the water office to test it.
$body$),
('safe-water-at-home', 1, 2, 'Boil, chlorinate, or use the sun', 6,
$body$**Boiling** works for every germ. Bring the water to a rolling boil, with
big bubbles that do not stop when you stir, for one full minute; above 2,000
metres, for three minutes, because water boils cooler there. Let it cool with
the lid on.

**Chlorine** is the cheapest way for larger amounts. Use products made for
water and follow their label. With plain household bleach of 5 to 6 percent,
without perfume or colour, use two drops for each litre of clear water, stir,
and wait 30 minutes. It should then smell faintly of chlorine; if it does not,
repeat once and wait 15 minutes more.

**Sunlight** needs nothing but bottles. Fill clear plastic (PET) bottles of up
to two litres with clear water, lay them on a roof in full sun for six hours;
when more than half of the sky is cloudy, for two days in a row. When it rains
all day, choose another method.
$body$),
('safe-water-at-home', 1, 3, 'Keep it safe', 4,
$body$Treated water is often spoiled on its last metre: by a cup, by a hand, by
a bucket that held something else.

- Store it in a container with a lid and a narrow mouth or a tap. If it has
  neither, pour; do not dip.
- Wash the container with soap when you refill it, and rinse it with treated
  water.
- Wash hands with soap after the toilet, before cooking and before drawing
  water. It prevents about as much diarrhoea as treating the water does.
- Drink boiled and sun-treated water within a day: nothing in it stops germs
  from coming back.

A person with heavy diarrhoea dries out within hours. Give oral rehydration
solution from the first loose stool, in small sips, and go to a clinic when
there is blood, high fever, or when a child is too weak to drink.
$body$)
ON CONFLICT ON CONSTRAINT lesson_pkey DO UPDATE
SET title = excluded.title, minutes = excluded.minutes, body = excluded.body;

INSERT INTO learning.quiz AS q
    (id, course, title, pass_percent, reward_currency, reward_minor)
VALUES ('01990a00-0000-7000-8000-000000000002', 'safe-water-at-home',
        'Is it safe to drink?', 70, 'AZR', 500000000)
ON CONFLICT ON CONSTRAINT quiz_pkey DO UPDATE
SET title = excluded.title, pass_percent = excluded.pass_percent;

INSERT INTO learning.question
    (id, quiz, number, kind, prompt, options, answer, points)
VALUES
('01990a00-0000-7000-8000-000000000201',
 '01990a00-0000-7000-8000-000000000002', 1, 'numeric',
 'You live at 2,400 metres. For how many minutes must the water boil?',
 '[]', '{"value":3}', 100),
('01990a00-0000-7000-8000-000000000202',
 '01990a00-0000-7000-8000-000000000002', 2, 'boolean',
 'Muddy water can be treated with sunlight as it is.',
 '[]', '{"value":false}', 100),
('01990a00-0000-7000-8000-000000000203',
 '01990a00-0000-7000-8000-000000000002', 3, 'multiple',
 'What keeps treated water safe?',
 '[{"id":"a","text":"A container with a lid and a tap"},
   {"id":"b","text":"Dipping with a clean-looking cup"},
   {"id":"c","text":"Washing hands with soap"},
   {"id":"d","text":"Leaving it open in the sun for a week"}]',
 '{"options":["a","c"]}', 100)
ON CONFLICT DO NOTHING;
