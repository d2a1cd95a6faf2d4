-- The constitution: principles, articles, rules, decisions.

BEGIN;

CREATE SCHEMA court AUTHORIZATION azora_owner;

COMMENT ON SCHEMA court IS 'The constitution and what was decided by it';

SET LOCAL ROLE azora_owner;

CREATE TABLE court.principle (
    name    text NOT NULL,
    number  int  NOT NULL,
    title   text NOT NULL,
    text    text NOT NULL,
    CONSTRAINT principle_pkey PRIMARY KEY (name),
    CONSTRAINT principle_number_key UNIQUE (number),
    CONSTRAINT principle_name_form CHECK (name ~ '^[a-z]{1,32}$')
);

COMMENT ON TABLE court.principle IS 'What all articles rest on';
COMMENT ON COLUMN court.principle.name IS 'Name';
COMMENT ON COLUMN court.principle.number IS 'Place in the text';
COMMENT ON COLUMN court.principle.title IS 'Title';
COMMENT ON COLUMN court.principle.text IS 'What it says';

CREATE TABLE court.article (
    number     int  NOT NULL,
    title      text NOT NULL,
    text       text NOT NULL,
    principle  text NOT NULL,
    CONSTRAINT article_pkey PRIMARY KEY (number),
    CONSTRAINT article_number_range CHECK (number BETWEEN 1 AND 999),
    CONSTRAINT article_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT article_principle_fkey
        FOREIGN KEY (principle) REFERENCES court.principle (name)
);

CREATE INDEX article_principle ON court.article (principle);

COMMENT ON TABLE court.article IS 'An article of the constitution';
COMMENT ON COLUMN court.article.number IS 'Number, written in Roman';
COMMENT ON COLUMN court.article.title IS 'Title';
COMMENT ON COLUMN court.article.text IS 'What it says';
COMMENT ON COLUMN court.article.principle IS 'Principle it rests on';

CREATE TABLE court.rule (
    id          text        NOT NULL,
    version     int         NOT NULL DEFAULT 1,
    article     int         NOT NULL,
    state       text        NOT NULL DEFAULT 'proposed',
    shadow      boolean     NOT NULL DEFAULT false,
    effect      text        NOT NULL,
    routes      text[]      NOT NULL,
    pointers    text[]      NOT NULL,
    pattern     text        NOT NULL,
    reason      text        NOT NULL,
    examples    jsonb       NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rule_pkey PRIMARY KEY (id, version),
    CONSTRAINT rule_article_fkey
        FOREIGN KEY (article) REFERENCES court.article (number),
    CONSTRAINT rule_id_form
        CHECK (id ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND length(id) <= 64),
    CONSTRAINT rule_version_positive CHECK (version > 0),
    CONSTRAINT rule_state CHECK (
        state IN ('proposed', 'reviewed', 'voted', 'enacted', 'repealed')),
    CONSTRAINT rule_effect CHECK (effect IN ('deny', 'review', 'flag')),
    CONSTRAINT rule_routes_some CHECK (cardinality(routes) BETWEEN 1 AND 50),
    CONSTRAINT rule_pointers_some
        CHECK (cardinality(pointers) BETWEEN 1 AND 50),
    CONSTRAINT rule_pattern_length CHECK (length(pattern) BETWEEN 1 AND 4000),
    CONSTRAINT rule_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT rule_examples_some CHECK (
        jsonb_array_length(examples -> 'match') > 0
        AND jsonb_array_length(examples -> 'no_match') > 0)
);

CREATE UNIQUE INDEX rule_enacted_once ON court.rule (id)
    WHERE state = 'enacted';
CREATE INDEX rule_article ON court.rule (article);

COMMENT ON TABLE court.rule IS
    'A rule that enforces an article: proposed, reviewed, voted, enacted '
    '(in shadow first), repealed';
COMMENT ON COLUMN court.rule.id IS 'Name of the rule';
COMMENT ON COLUMN court.rule.version IS 'Version, from 1';
COMMENT ON COLUMN court.rule.article IS 'Article it enforces';
COMMENT ON COLUMN court.rule.state IS 'Where it is in its life';
COMMENT ON COLUMN court.rule.shadow IS
    'Decided and recorded, without effect';
COMMENT ON COLUMN court.rule.effect IS
    'deny overrides review overrides flag';
COMMENT ON COLUMN court.rule.routes IS 'Method and path templates it reads';
COMMENT ON COLUMN court.rule.pointers IS
    'JSON pointers of the body fields it reads';
COMMENT ON COLUMN court.rule.pattern IS 'PCRE2 pattern';
COMMENT ON COLUMN court.rule.reason IS 'Sentence for the person refused';
COMMENT ON COLUMN court.rule.examples IS
    '{"match":[...],"no_match":[...]}: a rule set that fails its own '
    'examples is not loaded';
COMMENT ON COLUMN court.rule.changed_at IS 'Last change of state';

CREATE TABLE court.decision (
    id            uuid        NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    subject       uuid,
    route         text,
    request_id    text,
    effect        text        NOT NULL,
    rules         jsonb       NOT NULL,
    article       int,
    constitution  text        NOT NULL,
    excerpt       jsonb,
    CONSTRAINT decision_pkey PRIMARY KEY (id),
    CONSTRAINT decision_article_fkey
        FOREIGN KEY (article) REFERENCES court.article (number),
    CONSTRAINT decision_effect
        CHECK (effect IN ('allow', 'flag', 'review', 'deny')),
    CONSTRAINT decision_rules_list CHECK (jsonb_typeof(rules) = 'array')
);

CREATE INDEX decision_article ON court.decision (article);
CREATE INDEX decision_subject ON court.decision (subject, id);

COMMENT ON TABLE court.decision IS 'What the constitution decided, and why';
COMMENT ON COLUMN court.decision.id IS 'UUIDv7, quoted to the person';
COMMENT ON COLUMN court.decision.at IS 'When';
COMMENT ON COLUMN court.decision.subject IS
    'Account that asked, NULL when anonymous';
COMMENT ON COLUMN court.decision.route IS 'What was asked';
COMMENT ON COLUMN court.decision.request_id IS 'Identifier of the request';
COMMENT ON COLUMN court.decision.effect IS 'allow, flag, review or deny';
COMMENT ON COLUMN court.decision.rules IS 'Names of the rules that matched';
COMMENT ON COLUMN court.decision.article IS 'Article it rests on first';
COMMENT ON COLUMN court.decision.constitution IS
    'Hash of the constitution that was in force';
COMMENT ON COLUMN court.decision.excerpt IS
    'Which fields matched, in at most 40 characters with digits masked';

COMMIT;
