-- Jobs, applications, contracts and milestones paid through escrow.

BEGIN;

CREATE SCHEMA market AUTHORIZATION azora_owner;

COMMENT ON SCHEMA market IS 'Jobs and contracts; their money is in ledger';

SET LOCAL ROLE azora_owner;

CREATE TABLE market.job (
    id            uuid        NOT NULL,
    owner         uuid        NOT NULL,
    state         text        NOT NULL DEFAULT 'open',
    title         text        NOT NULL,
    description   text        NOT NULL,
    currency      text        NOT NULL,
    budget_minor  bigint      NOT NULL,
    skills        text[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    closed_at     timestamptz,
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_state CHECK (state IN ('open', 'filled', 'withdrawn')),
    CONSTRAINT job_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT job_description_length
        CHECK (length(description) BETWEEN 1 AND 10000),
    CONSTRAINT job_budget_positive CHECK (budget_minor > 0),
    CONSTRAINT job_skills_count CHECK (cardinality(skills) <= 20),
    CONSTRAINT job_closed CHECK ((state = 'open') = (closed_at IS NULL))
);

CREATE INDEX job_owner ON market.job (owner);
CREATE INDEX job_open ON market.job (id) WHERE state = 'open';

COMMENT ON TABLE market.job IS 'Work that somebody offers';
COMMENT ON COLUMN market.job.id IS 'UUIDv7; newest first is by it';
COMMENT ON COLUMN market.job.owner IS 'Account that offers it';
COMMENT ON COLUMN market.job.state IS 'open, then filled or withdrawn';
COMMENT ON COLUMN market.job.title IS 'Title';
COMMENT ON COLUMN market.job.description IS 'What is to be done';
COMMENT ON COLUMN market.job.currency IS 'Currency of the budget';
COMMENT ON COLUMN market.job.budget_minor IS 'Minor units offered';
COMMENT ON COLUMN market.job.skills IS 'Skills it asks for';
COMMENT ON COLUMN market.job.created_at IS 'When it was posted';
COMMENT ON COLUMN market.job.closed_at IS 'When it stopped being open';

CREATE TABLE market.application (
    id          uuid        NOT NULL,
    job         uuid        NOT NULL,
    applicant   uuid        NOT NULL,
    state       text        NOT NULL DEFAULT 'sent',
    message     text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT application_pkey PRIMARY KEY (id),
    CONSTRAINT application_once UNIQUE (job, applicant),
    CONSTRAINT application_job_fkey
        FOREIGN KEY (job) REFERENCES market.job (id),
    CONSTRAINT application_state
        CHECK (state IN ('sent', 'accepted', 'declined', 'withdrawn')),
    CONSTRAINT application_message_length
        CHECK (length(message) BETWEEN 1 AND 4000)
);

CREATE INDEX application_job ON market.application (job, id);
CREATE INDEX application_applicant ON market.application (applicant);

COMMENT ON TABLE market.application IS 'Somebody asks for a job, once';
COMMENT ON COLUMN market.application.id IS 'UUIDv7';
COMMENT ON COLUMN market.application.job IS 'Job asked for';
COMMENT ON COLUMN market.application.applicant IS 'Account that asks';
COMMENT ON COLUMN market.application.state IS
    'sent, then accepted, declined or withdrawn';
COMMENT ON COLUMN market.application.message IS 'Words to the owner';
COMMENT ON COLUMN market.application.created_at IS 'When it was sent';

CREATE TABLE market.contract (
    id          uuid        NOT NULL,
    employer    uuid        NOT NULL,
    freelancer  uuid        NOT NULL,
    job         uuid,
    state       text        NOT NULL DEFAULT 'draft',
    title       text        NOT NULL,
    currency    text        NOT NULL,
    fee_bps     int         NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    agreed_at   timestamptz,
    ended_at    timestamptz,
    CONSTRAINT contract_pkey PRIMARY KEY (id),
    CONSTRAINT contract_job_fkey
        FOREIGN KEY (job) REFERENCES market.job (id),
    CONSTRAINT contract_two_parties CHECK (employer <> freelancer),
    CONSTRAINT contract_state CHECK (
        state IN ('draft', 'agreed', 'active', 'completed', 'cancelled')),
    CONSTRAINT contract_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT contract_fee_range CHECK (fee_bps BETWEEN 0 AND 10000),
    CONSTRAINT contract_agreed CHECK (
        state IN ('draft', 'cancelled') OR agreed_at IS NOT NULL),
    CONSTRAINT contract_ended CHECK (
        (state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL))
);

CREATE INDEX contract_employer ON market.contract (employer, id);
CREATE INDEX contract_freelancer ON market.contract (freelancer, id);
CREATE INDEX contract_job ON market.contract (job) WHERE job IS NOT NULL;

COMMENT ON TABLE market.contract IS 'Work agreed between two accounts';
COMMENT ON COLUMN market.contract.id IS 'UUIDv7';
COMMENT ON COLUMN market.contract.employer IS 'Account that pays';
COMMENT ON COLUMN market.contract.freelancer IS 'Account that works';
COMMENT ON COLUMN market.contract.job IS 'Job it came from, if any';
COMMENT ON COLUMN market.contract.state IS
    'draft, agreed, active, then completed or cancelled';
COMMENT ON COLUMN market.contract.title IS 'Title';
COMMENT ON COLUMN market.contract.currency IS 'Currency of all milestones';
COMMENT ON COLUMN market.contract.fee_bps IS
    'Marketplace commission in basis points, fixed when offered';
COMMENT ON COLUMN market.contract.created_at IS 'When it was offered';
COMMENT ON COLUMN market.contract.agreed_at IS 'When it was accepted';
COMMENT ON COLUMN market.contract.ended_at IS
    'When it was completed or cancelled';

CREATE TABLE market.milestone (
    id            uuid        NOT NULL,
    contract      uuid        NOT NULL,
    number        int         NOT NULL,
    state         text        NOT NULL DEFAULT 'pending',
    title         text        NOT NULL,
    amount_minor  bigint      NOT NULL,
    released      bigint      NOT NULL DEFAULT 0,
    refunded      bigint      NOT NULL DEFAULT 0,
    fee           bigint      NOT NULL DEFAULT 0,
    funded_at     timestamptz,
    submitted_at  timestamptz,
    review_until  timestamptz,
    ended_at      timestamptz,
    CONSTRAINT milestone_pkey PRIMARY KEY (id),
    CONSTRAINT milestone_number_key UNIQUE (contract, number),
    CONSTRAINT milestone_contract_fkey
        FOREIGN KEY (contract) REFERENCES market.contract (id),
    CONSTRAINT milestone_state CHECK (
        state IN ('pending', 'funded', 'submitted', 'changes_requested',
                  'approved', 'released', 'refund_requested', 'refunded',
                  'disputed', 'mediation', 'arbitration', 'resolved')),
    CONSTRAINT milestone_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT milestone_amount_positive CHECK (amount_minor > 0),
    CONSTRAINT milestone_parts_positive
        CHECK (released >= 0 AND refunded >= 0 AND fee >= 0),
    CONSTRAINT milestone_parts_sum CHECK (
        released + refunded + fee
        = CASE WHEN ended_at IS NULL THEN 0 ELSE amount_minor END),
    CONSTRAINT milestone_ended CHECK (
        (state IN ('released', 'refunded', 'resolved'))
        = (ended_at IS NOT NULL)),
    CONSTRAINT milestone_funded CHECK (
        (state = 'pending') = (funded_at IS NULL))
);

CREATE INDEX milestone_review ON market.milestone (review_until)
    WHERE state = 'submitted';

COMMENT ON TABLE market.milestone IS
    'A part of a contract, paid into escrow before the work begins';
COMMENT ON COLUMN market.milestone.id IS
    'UUIDv7; also names its escrow account in ledger';
COMMENT ON COLUMN market.milestone.contract IS 'Contract it is part of';
COMMENT ON COLUMN market.milestone.number IS 'Place in the contract, from 1';
COMMENT ON COLUMN market.milestone.state IS
    'pending, funded, submitted (changes_requested), approved, released; '
    'or refund_requested, refunded; '
    'or disputed, mediation, arbitration, resolved';
COMMENT ON COLUMN market.milestone.title IS 'Title';
COMMENT ON COLUMN market.milestone.amount_minor IS 'Minor units to fund';
COMMENT ON COLUMN market.milestone.released IS
    'Minor units the freelancer got';
COMMENT ON COLUMN market.milestone.refunded IS
    'Minor units the employer got back';
COMMENT ON COLUMN market.milestone.fee IS 'Minor units of commission';
COMMENT ON COLUMN market.milestone.funded_at IS 'When the escrow was paid';
COMMENT ON COLUMN market.milestone.submitted_at IS
    'When the work was last delivered';
COMMENT ON COLUMN market.milestone.review_until IS
    'When silence counts as approval; NULL while the clock stands still';
COMMENT ON COLUMN market.milestone.ended_at IS 'When its money was given out';

CREATE TABLE market.milestone_event (
    milestone   uuid        NOT NULL,
    number      int         NOT NULL,
    actor       uuid        NOT NULL,
    from_state  text        NOT NULL,
    to_state    text        NOT NULL,
    note        text,
    at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT milestone_event_pkey PRIMARY KEY (milestone, number),
    CONSTRAINT milestone_event_milestone_fkey
        FOREIGN KEY (milestone) REFERENCES market.milestone (id),
    CONSTRAINT milestone_event_note_length CHECK (length(note) <= 4000)
);

COMMENT ON TABLE market.milestone_event IS 'Who moved a milestone, and why';
COMMENT ON COLUMN market.milestone_event.milestone IS 'Milestone';
COMMENT ON COLUMN market.milestone_event.number IS 'Step, from 1';
COMMENT ON COLUMN market.milestone_event.actor IS 'Account that did it';
COMMENT ON COLUMN market.milestone_event.from_state IS 'State before';
COMMENT ON COLUMN market.milestone_event.to_state IS 'State after';
COMMENT ON COLUMN market.milestone_event.note IS 'Words to the other side';
COMMENT ON COLUMN market.milestone_event.at IS 'When';

COMMIT;
