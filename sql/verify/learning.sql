-- The tables exist with the columns that the functions use.

BEGIN;

SELECT slug, author, created_at
FROM learning.course
WHERE false;

SELECT course, version, state, title, summary, language, created_at,
       published_at
FROM learning.course_version
WHERE false;

SELECT course, version, number, title, body, minutes, bytes
FROM learning.lesson
WHERE false;

SELECT id, course, title, pass_percent, attempts_max, attempts_hours,
       minutes_max, reward_currency, reward_minor
FROM learning.quiz
WHERE false;

SELECT id, quiz, number, version, kind, prompt, options, answer, points,
       retired_at
FROM learning.question
WHERE false;

SELECT account, course, enrolled_at, completed_at
FROM learning.enrolment
WHERE false;

SELECT account, course, number, done_at
FROM learning.progress
WHERE false;

SELECT id, quiz, account, state, started_at, expires_at, submitted_at, late,
       score, passed
FROM learning.attempt
WHERE false;

SELECT attempt, place, question, options, answer, score
FROM learning.attempt_question
WHERE false;

SELECT account, quiz, attempt, passed_at
FROM learning.pass
WHERE false;

ROLLBACK;
