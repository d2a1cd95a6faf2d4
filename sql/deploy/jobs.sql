-- Work that reaches out of the database, and what was given up.

BEGIN;

SET LOCAL ROLE azora_owner;

CREATE TABLE journal.job (
    id            uuid        NOT NULL,
    number        bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    kind          text        NOT NULL,
    lane          uuid,
    subject       uuid,
    payload       json        NOT NULL,
    state         text        NOT NULL DEFAULT 'waiting',
    failures      int         NOT NULL DEFAULT 0,
    failures_max  int         NOT NULL DEFAULT 3,
    not_before    timestamptz NOT NULL DEFAULT now(),
    lease         uuid,
    last_error    text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_kind CHECK (kind ~ '^[a-z][a-z_]{1,31}$'),
    CONSTRAINT job_state CHECK (state IN ('waiting', 'dead')),
    CONSTRAINT job_failures_range
        CHECK (failures BETWEEN 0 AND failures_max AND failures_max <= 20),
    CONSTRAINT job_lease_of_waiting
        CHECK (lease IS NULL OR state = 'waiting')
);

CREATE INDEX job_due ON journal.job (kind, not_before, number)
    WHERE state = 'waiting' AND lane IS NULL;
CREATE INDEX job_due_in_lane ON journal.job (kind, lane, not_before, number)
    WHERE state = 'waiting' AND lane IS NOT NULL;
CREATE INDEX job_leased ON journal.job (kind, lane) WHERE lease IS NOT NULL;
CREATE INDEX job_subject ON journal.job (subject);

COMMENT ON TABLE journal.job IS
    'What NGINX has to do outside; the row goes when it is done';
COMMENT ON COLUMN journal.job.id IS 'UUIDv7';
COMMENT ON COLUMN journal.job.number IS 'Order of jobs of one moment';
COMMENT ON COLUMN journal.job.kind IS 'Which handler does it';
COMMENT ON COLUMN journal.job.lane IS
    'Jobs of one lane are done one after another; NULL: whenever';
COMMENT ON COLUMN journal.job.subject IS 'Account it is about, for erasure';
COMMENT ON COLUMN journal.job.payload IS 'What the handler needs';
COMMENT ON COLUMN journal.job.state IS 'waiting, or dead after all failures';
COMMENT ON COLUMN journal.job.failures IS
    'Failures so far; a worker that dies is none';
COMMENT ON COLUMN journal.job.failures_max IS 'How many are the end';
COMMENT ON COLUMN journal.job.not_before IS
    'Time of the next attempt; with a lease, the end of it';
COMMENT ON COLUMN journal.job.lease IS 'Made by the claim that works on it';
COMMENT ON COLUMN journal.job.last_error IS 'What the last failure said';
COMMENT ON COLUMN journal.job.created_at IS 'Since when it waits';

CREATE TABLE journal.dead_letter (
    id           uuid        NOT NULL,
    number       bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
    consumer     text        NOT NULL,
    entry        uuid,
    job          uuid,
    failures     int         NOT NULL,
    error        text,
    died_at      timestamptz NOT NULL DEFAULT now(),
    replayed_at  timestamptz,
    replayed_by  uuid,
    CONSTRAINT dead_letter_pkey PRIMARY KEY (id),
    CONSTRAINT dead_letter_of_one CHECK (num_nonnulls(entry, job) = 1),
    CONSTRAINT dead_letter_replayed_by_one
        CHECK ((replayed_at IS NULL) = (replayed_by IS NULL)),
    CONSTRAINT dead_letter_entry_fkey
        FOREIGN KEY (entry) REFERENCES journal.entry (id),
    CONSTRAINT dead_letter_job_fkey
        FOREIGN KEY (job) REFERENCES journal.job (id) ON DELETE CASCADE
);

CREATE INDEX dead_letter_entry ON journal.dead_letter (entry);
CREATE INDEX dead_letter_job ON journal.dead_letter (job);
CREATE INDEX dead_letter_open ON journal.dead_letter (id)
    WHERE replayed_at IS NULL;

COMMENT ON TABLE journal.dead_letter IS
    'Events and jobs that failed for good, until somebody replays them';
COMMENT ON COLUMN journal.dead_letter.id IS 'UUIDv7';
COMMENT ON COLUMN journal.dead_letter.number IS 'Counts them, for metrics';
COMMENT ON COLUMN journal.dead_letter.consumer IS
    'Consumer of the event, or kind of the job';
COMMENT ON COLUMN journal.dead_letter.entry IS 'The event, or NULL';
COMMENT ON COLUMN journal.dead_letter.job IS 'The job, or NULL';
COMMENT ON COLUMN journal.dead_letter.failures IS 'Failures until then';
COMMENT ON COLUMN journal.dead_letter.error IS 'What the last one said';
COMMENT ON COLUMN journal.dead_letter.died_at IS 'When it was given up';
COMMENT ON COLUMN journal.dead_letter.replayed_at IS 'When it began anew';
COMMENT ON COLUMN journal.dead_letter.replayed_by IS 'Who wanted that';

INSERT INTO journal.dead_letter (id, consumer, entry, failures, error)
SELECT gen_random_uuid(), d.consumer, d.entry, d.failures, d.last_error
FROM journal.delivery AS d
WHERE d.state = 'dead';

CREATE SEQUENCE journal.job_wake;

COMMENT ON SEQUENCE journal.job_wake IS 'The generation named jobs';

COMMIT;
