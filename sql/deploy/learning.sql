-- Courses in versions, lessons, quizzes that are graded here, progress.

BEGIN;

CREATE SCHEMA learning AUTHORIZATION azora_owner;

COMMENT ON SCHEMA learning IS 'Courses, lessons, quizzes, attempts';

SET LOCAL ROLE azora_owner;

CREATE TABLE learning.course (
    slug        text        NOT NULL,
    author      uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT course_pkey PRIMARY KEY (slug),
    CONSTRAINT course_slug_form
        CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64)
);

COMMENT ON TABLE learning.course IS 'A course, whatever its version';
COMMENT ON COLUMN learning.course.slug IS 'Its name in addresses';
COMMENT ON COLUMN learning.course.author IS
    'Account that made it; NULL for the ones that come with Azora';
COMMENT ON COLUMN learning.course.created_at IS 'When it was made';

CREATE TABLE learning.course_version (
    course        text        NOT NULL,
    version       int         NOT NULL,
    state         text        NOT NULL DEFAULT 'draft',
    title         text        NOT NULL,
    summary       text        NOT NULL,
    language      text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    published_at  timestamptz,
    CONSTRAINT course_version_pkey PRIMARY KEY (course, version),
    CONSTRAINT course_version_course_fkey
        FOREIGN KEY (course) REFERENCES learning.course (slug),
    CONSTRAINT course_version_number_positive CHECK (version > 0),
    CONSTRAINT course_version_state
        CHECK (state IN ('draft', 'published', 'archived')),
    CONSTRAINT course_version_title_length
        CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT course_version_summary_length
        CHECK (length(summary) <= 2000),
    CONSTRAINT course_version_language_length
        CHECK (length(language) BETWEEN 2 AND 16),
    CONSTRAINT course_version_published
        CHECK (state = 'draft' OR published_at IS NOT NULL)
);

CREATE UNIQUE INDEX course_version_published_once
    ON learning.course_version (course) WHERE state = 'published';

COMMENT ON TABLE learning.course_version IS
    'What a course says at a time: draft, then published, then archived';
COMMENT ON COLUMN learning.course_version.course IS 'Course';
COMMENT ON COLUMN learning.course_version.version IS 'Number from 1';
COMMENT ON COLUMN learning.course_version.state IS
    'draft, published (one at a time) or archived';
COMMENT ON COLUMN learning.course_version.title IS 'Title';
COMMENT ON COLUMN learning.course_version.summary IS 'What one learns in it';
COMMENT ON COLUMN learning.course_version.language IS 'BCP 47 tag';
COMMENT ON COLUMN learning.course_version.created_at IS 'When it was begun';
COMMENT ON COLUMN learning.course_version.published_at IS
    'When it was first shown';

CREATE TABLE learning.lesson (
    course   text NOT NULL,
    version  int  NOT NULL,
    number   int  NOT NULL,
    title    text NOT NULL,
    body     text NOT NULL,
    minutes  int  NOT NULL,
    bytes    int  NOT NULL GENERATED ALWAYS AS (octet_length(body)) STORED,
    CONSTRAINT lesson_pkey PRIMARY KEY (course, version, number),
    CONSTRAINT lesson_version_fkey FOREIGN KEY (course, version)
        REFERENCES learning.course_version (course, version),
    CONSTRAINT lesson_number_range CHECK (number BETWEEN 1 AND 1000),
    CONSTRAINT lesson_title_length CHECK (length(title) BETWEEN 1 AND 200),
    CONSTRAINT lesson_minutes_range CHECK (minutes BETWEEN 1 AND 600)
);

COMMENT ON TABLE learning.lesson IS 'A lesson of a version of a course';
COMMENT ON COLUMN learning.lesson.course IS 'Course';
COMMENT ON COLUMN learning.lesson.version IS 'Version of the course';
COMMENT ON COLUMN learning.lesson.number IS 'Place in the course, from 1';
COMMENT ON COLUMN learning.lesson.title IS 'Title';
COMMENT ON COLUMN learning.lesson.body IS 'Text in Markdown';
COMMENT ON COLUMN learning.lesson.minutes IS 'Time it takes to read';
COMMENT ON COLUMN learning.lesson.bytes IS
    'Size of the text, shown before it is fetched';

CREATE TABLE learning.quiz (
    id                uuid   NOT NULL,
    course            text   NOT NULL,
    title             text   NOT NULL,
    pass_percent      int    NOT NULL,
    attempts_max      int    NOT NULL DEFAULT 5,
    attempts_hours    int    NOT NULL DEFAULT 24,
    minutes_max       int,
    reward_currency   text,
    reward_minor      bigint,
    CONSTRAINT quiz_pkey PRIMARY KEY (id),
    CONSTRAINT quiz_course_key UNIQUE (course),
    CONSTRAINT quiz_course_fkey
        FOREIGN KEY (course) REFERENCES learning.course (slug),
    CONSTRAINT quiz_pass_percent_range CHECK (pass_percent BETWEEN 1 AND 100),
    CONSTRAINT quiz_attempts_range
        CHECK (attempts_max BETWEEN 1 AND 100 AND attempts_hours > 0),
    CONSTRAINT quiz_minutes_range CHECK (minutes_max > 0),
    CONSTRAINT quiz_reward_whole
        CHECK ((reward_currency IS NULL) = (reward_minor IS NULL)),
    CONSTRAINT quiz_reward_positive CHECK (reward_minor > 0)
);

COMMENT ON TABLE learning.quiz IS 'The quiz that ends a course';
COMMENT ON COLUMN learning.quiz.id IS 'UUID';
COMMENT ON COLUMN learning.quiz.course IS 'Course it belongs to';
COMMENT ON COLUMN learning.quiz.title IS 'Title';
COMMENT ON COLUMN learning.quiz.pass_percent IS
    'Share of the points that passes';
COMMENT ON COLUMN learning.quiz.attempts_max IS
    'Attempts in any span of attempts_hours';
COMMENT ON COLUMN learning.quiz.attempts_hours IS
    'Hours that attempts_max counts over';
COMMENT ON COLUMN learning.quiz.minutes_max IS
    'Time for an attempt, NULL for no limit';
COMMENT ON COLUMN learning.quiz.reward_currency IS 'Currency of the reward';
COMMENT ON COLUMN learning.quiz.reward_minor IS
    'Minor units minted at the first pass, for learner and fund together';

CREATE TABLE learning.question (
    id          uuid    NOT NULL,
    quiz        uuid    NOT NULL,
    number      int     NOT NULL,
    version     int     NOT NULL DEFAULT 1,
    kind        text    NOT NULL,
    prompt      text    NOT NULL,
    options     jsonb   NOT NULL DEFAULT '[]',
    answer      jsonb   NOT NULL,
    points      int     NOT NULL DEFAULT 100,
    retired_at  timestamptz,
    CONSTRAINT question_pkey PRIMARY KEY (id),
    CONSTRAINT question_version_key UNIQUE (quiz, number, version),
    CONSTRAINT question_quiz_fkey
        FOREIGN KEY (quiz) REFERENCES learning.quiz (id),
    CONSTRAINT question_kind_known CHECK (
        kind IN ('single', 'multiple', 'boolean', 'numeric', 'text')),
    CONSTRAINT question_options_list CHECK (jsonb_typeof(options) = 'array'),
    CONSTRAINT question_options_of_kind CHECK (
        (kind IN ('single', 'multiple')) = (jsonb_array_length(options) > 1)),
    CONSTRAINT question_answer_form CHECK (jsonb_typeof(answer) = 'object'),
    CONSTRAINT question_points_positive CHECK (points BETWEEN 1 AND 100000)
);

CREATE UNIQUE INDEX question_current ON learning.question (quiz, number)
    WHERE retired_at IS NULL;

COMMENT ON TABLE learning.question IS
    'A question; changing one retires the row and adds a version, since '
    'attempts pin the rows they were made of';
COMMENT ON COLUMN learning.question.id IS 'UUID of this version';
COMMENT ON COLUMN learning.question.quiz IS 'Quiz it belongs to';
COMMENT ON COLUMN learning.question.number IS 'Place in the quiz';
COMMENT ON COLUMN learning.question.version IS 'Version, from 1';
COMMENT ON COLUMN learning.question.kind IS
    'single, multiple (partial credit), boolean, numeric, text';
COMMENT ON COLUMN learning.question.prompt IS 'What is asked';
COMMENT ON COLUMN learning.question.options IS '[{"id","text"}] to choose from';
COMMENT ON COLUMN learning.question.answer IS
    'The key, which never leaves this schema: {"option"}, {"options"}, '
    '{"value"}, {"value","tolerance"} or {"accept":[...],"case":bool}';
COMMENT ON COLUMN learning.question.points IS 'Hundredths of a point';
COMMENT ON COLUMN learning.question.retired_at IS
    'When another version took its place';

CREATE TABLE learning.enrolment (
    account       uuid        NOT NULL,
    course        text        NOT NULL,
    enrolled_at   timestamptz NOT NULL DEFAULT now(),
    completed_at  timestamptz,
    CONSTRAINT enrolment_pkey PRIMARY KEY (account, course),
    CONSTRAINT enrolment_course_fkey
        FOREIGN KEY (course) REFERENCES learning.course (slug)
);

CREATE INDEX enrolment_course ON learning.enrolment (course);

COMMENT ON TABLE learning.enrolment IS 'Who takes which course';
COMMENT ON COLUMN learning.enrolment.account IS 'Learner';
COMMENT ON COLUMN learning.enrolment.course IS 'Course';
COMMENT ON COLUMN learning.enrolment.enrolled_at IS 'Since when';
COMMENT ON COLUMN learning.enrolment.completed_at IS
    'When the quiz was first passed';

CREATE TABLE learning.progress (
    account  uuid        NOT NULL,
    course   text        NOT NULL,
    number   int         NOT NULL,
    done_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT progress_pkey PRIMARY KEY (account, course, number),
    CONSTRAINT progress_enrolment_fkey FOREIGN KEY (account, course)
        REFERENCES learning.enrolment (account, course)
);

COMMENT ON TABLE learning.progress IS 'Lessons that were finished';
COMMENT ON COLUMN learning.progress.account IS 'Learner';
COMMENT ON COLUMN learning.progress.course IS 'Course';
COMMENT ON COLUMN learning.progress.number IS 'Lesson';
COMMENT ON COLUMN learning.progress.done_at IS 'When';

CREATE TABLE learning.attempt (
    id            uuid        NOT NULL,
    quiz          uuid        NOT NULL,
    account       uuid        NOT NULL,
    state         text        NOT NULL DEFAULT 'started',
    started_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz,
    submitted_at  timestamptz,
    late          boolean     NOT NULL DEFAULT false,
    score         int,
    passed        boolean,
    CONSTRAINT attempt_pkey PRIMARY KEY (id),
    CONSTRAINT attempt_quiz_fkey
        FOREIGN KEY (quiz) REFERENCES learning.quiz (id),
    CONSTRAINT attempt_state CHECK (state IN ('started', 'submitted')),
    CONSTRAINT attempt_score_range CHECK (score BETWEEN 0 AND 10000),
    CONSTRAINT attempt_result_when_submitted CHECK (
        (state = 'submitted') = (submitted_at IS NOT NULL)
        AND (state = 'submitted') = (score IS NOT NULL)
        AND (state = 'submitted') = (passed IS NOT NULL))
);

CREATE INDEX attempt_quiz ON learning.attempt (quiz);
CREATE INDEX attempt_account_quiz
    ON learning.attempt (account, quiz, started_at);

COMMENT ON TABLE learning.attempt IS 'One try at a quiz';
COMMENT ON COLUMN learning.attempt.id IS 'UUIDv7';
COMMENT ON COLUMN learning.attempt.quiz IS 'Quiz';
COMMENT ON COLUMN learning.attempt.account IS 'Learner';
COMMENT ON COLUMN learning.attempt.state IS 'started, then submitted';
COMMENT ON COLUMN learning.attempt.started_at IS 'When it began';
COMMENT ON COLUMN learning.attempt.expires_at IS
    'When its time is over, NULL for no limit';
COMMENT ON COLUMN learning.attempt.submitted_at IS 'When it was handed in';
COMMENT ON COLUMN learning.attempt.late IS
    'Handed in after its time: accepted, and flagged';
COMMENT ON COLUMN learning.attempt.score IS 'Hundredths of a percent';
COMMENT ON COLUMN learning.attempt.passed IS 'Whether it passed';

CREATE TABLE learning.attempt_question (
    attempt   uuid NOT NULL,
    place     int  NOT NULL,
    question  uuid NOT NULL,
    options   jsonb NOT NULL,
    answer    jsonb,
    score     int,
    CONSTRAINT attempt_question_pkey PRIMARY KEY (attempt, place),
    CONSTRAINT attempt_question_attempt_fkey
        FOREIGN KEY (attempt) REFERENCES learning.attempt (id),
    CONSTRAINT attempt_question_question_fkey
        FOREIGN KEY (question) REFERENCES learning.question (id),
    CONSTRAINT attempt_question_score_positive CHECK (score >= 0)
);

CREATE INDEX attempt_question_question
    ON learning.attempt_question (question);

COMMENT ON TABLE learning.attempt_question IS
    'The questions of an attempt as they were shown, and what was answered';
COMMENT ON COLUMN learning.attempt_question.attempt IS 'Attempt';
COMMENT ON COLUMN learning.attempt_question.place IS
    'Place in this attempt; shuffled';
COMMENT ON COLUMN learning.attempt_question.question IS
    'Version of the question that is pinned';
COMMENT ON COLUMN learning.attempt_question.options IS
    'Its options in the order shown';
COMMENT ON COLUMN learning.attempt_question.answer IS
    'What was answered, NULL when it was left out';
COMMENT ON COLUMN learning.attempt_question.score IS
    'Hundredths of a point it earned';

CREATE TABLE learning.pass (
    account    uuid        NOT NULL,
    quiz       uuid        NOT NULL,
    attempt    uuid        NOT NULL,
    passed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pass_pkey PRIMARY KEY (account, quiz),
    CONSTRAINT pass_quiz_fkey
        FOREIGN KEY (quiz) REFERENCES learning.quiz (id),
    CONSTRAINT pass_attempt_fkey
        FOREIGN KEY (attempt) REFERENCES learning.attempt (id)
);

CREATE INDEX pass_quiz ON learning.pass (quiz);
CREATE INDEX pass_attempt ON learning.pass (attempt);

COMMENT ON TABLE learning.pass IS
    'First pass of a quiz: its key is what makes the reward come once';
COMMENT ON COLUMN learning.pass.account IS 'Learner';
COMMENT ON COLUMN learning.pass.quiz IS 'Quiz';
COMMENT ON COLUMN learning.pass.attempt IS 'Attempt that passed';
COMMENT ON COLUMN learning.pass.passed_at IS 'When';

COMMIT;
