-- The tables exist with the columns that the functions use.

BEGIN;

SELECT id, owner, state, title, description, currency, budget_minor, skills,
       created_at, closed_at
FROM market.job
WHERE false;

SELECT id, job, applicant, state, message, created_at
FROM market.application
WHERE false;

SELECT id, employer, freelancer, job, state, title, currency, fee_bps,
       created_at, agreed_at, ended_at
FROM market.contract
WHERE false;

SELECT id, contract, number, state, title, amount_minor, released, refunded,
       fee, funded_at, submitted_at, review_until, ended_at
FROM market.milestone
WHERE false;

SELECT milestone, number, actor, from_state, to_state, note, at
FROM market.milestone_event
WHERE false;

ROLLBACK;
