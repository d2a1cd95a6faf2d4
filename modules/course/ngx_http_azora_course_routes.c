
/*
 * The rows of the course capability: what each endpoint takes and returns.
 */


#include "ngx_azora.h"


static const ngx_azora_field_t  ngx_http_azora_course_progress[] = {
    { "done", NGX_AZORA_INTEGER, .about = "Lessons finished." },
    { "total", NGX_AZORA_INTEGER, .about = "Lessons of the course." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_course_reward[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "Its currency." },
    { "amount", NGX_AZORA_AMOUNT, .about = "In major units." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_course_earned[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "Its currency." },
    { "amount", NGX_AZORA_AMOUNT, .about = "The learner's nine tenths." },
    { "citadel_fund", NGX_AZORA_AMOUNT, .about = "The CitadelFund's part." },
    NGX_AZORA_END
};


/* GET /v1/courses */

static const ngx_azora_field_t  ngx_http_azora_course_list_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_list_item[] = {
    { "slug", NGX_AZORA_SLUG, .about = "The course's name in addresses." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "summary", NGX_AZORA_TEXT, .about = "A paragraph about it." },
    { "language", NGX_AZORA_TEXT, .about = "A BCP 47 language tag." },
    { "lessons", NGX_AZORA_INTEGER, .about = "How many lessons it has." },
    { "bytes", NGX_AZORA_INTEGER,
      .about = "Size of all its lessons, to plan a download." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_list_returns[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_course_list_item,
      .about = "The published courses, by slug." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


/* GET and POST /v1/courses/{slug}... */

static const ngx_azora_field_t  ngx_http_azora_course_slug_fields[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The course." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_lesson_item[] = {
    { "number", NGX_AZORA_INTEGER, .about = "Its place in the course." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "minutes", NGX_AZORA_INTEGER, .about = "About how long it takes." },
    { "bytes", NGX_AZORA_INTEGER, .about = "Size of its text." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_quiz[] = {
    { "id", NGX_AZORA_UUID, .about = "The quiz." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "pass_percent", NGX_AZORA_INTEGER, .about = "The score that passes." },
    { "minutes", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "Time for an attempt, where it is limited." },
    { "reward", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_course_reward,
      .about = "What the first pass pays." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_get_returns[] = {
    { "slug", NGX_AZORA_SLUG, .about = "The course's name in addresses." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "summary", NGX_AZORA_TEXT, .about = "A paragraph about it." },
    { "language", NGX_AZORA_TEXT, .about = "A BCP 47 language tag." },
    { "lessons", NGX_AZORA_LIST, .items = ngx_http_azora_course_lesson_item,
      .about = "Its lessons in order." },
    { "quiz", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_course_quiz, .about = "Its quiz, if any." },
    NGX_AZORA_END
};


/* a lesson */

static const ngx_azora_field_t  ngx_http_azora_course_lesson_fields[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The course." },
    { "number", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      1, 10000, .about = "The lesson's place in the course." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_lesson_returns[] = {
    { "number", NGX_AZORA_INTEGER, .about = "Its place in the course." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "body", NGX_AZORA_TEXT, .about = "Its text in Markdown." },
    { "minutes", NGX_AZORA_INTEGER, .about = "About how long it takes." },
    NGX_AZORA_END
};


/* enrolment and progress */

static const ngx_azora_field_t  ngx_http_azora_course_enrol_returns[] = {
    { "course", NGX_AZORA_SLUG, .about = "The course." },
    { "enrolled_at", NGX_AZORA_TIME, .about = "Since when." },
    { "progress", NGX_AZORA_OBJECT, .items = ngx_http_azora_course_progress,
      .about = "How far the learner is." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_number[] = {
    { "", NGX_AZORA_INTEGER, .about = "A lesson's place in the course." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_enrolment_returns[] = {
    { "course", NGX_AZORA_SLUG, .about = "The course." },
    { "enrolled_at", NGX_AZORA_TIME, .about = "Since when." },
    { "progress", NGX_AZORA_OBJECT, .items = ngx_http_azora_course_progress,
      .about = "How far the learner is." },
    { "lessons_done", NGX_AZORA_LIST, .items = ngx_http_azora_course_number,
      .about = "Numbers of those finished." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_progress_fields[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The course." },
    { "number", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      1, 10000, .about = "The lesson's place in the course." },
    { "done", NGX_AZORA_BOOLEAN, NGX_AZORA_REQUIRED,
      .about = "Whether the lesson is finished." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_progress_returns[] = {
    { "number", NGX_AZORA_INTEGER, .about = "The lesson." },
    { "done", NGX_AZORA_BOOLEAN, .about = "Whether it is finished." },
    { "progress", NGX_AZORA_OBJECT, .items = ngx_http_azora_course_progress,
      .about = "How far the learner is." },
    NGX_AZORA_END
};


/* quizzes */

static const ngx_azora_field_t  ngx_http_azora_course_quiz_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The quiz." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_attempt_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The attempt." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_option[] = {
    { "id", NGX_AZORA_TEXT, .about = "What an answer names." },
    { "text", NGX_AZORA_TEXT, .about = "What the learner reads." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_question[] = {
    { "id", NGX_AZORA_TEXT, .about = "The key of its answer." },
    { "kind", NGX_AZORA_TEXT, .about = "Decides the answer's JSON type." },
    { "prompt", NGX_AZORA_TEXT, .about = "The question." },
    { "options", NGX_AZORA_LIST, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_course_option,
      .about = "To choose from, where the kind has them." },
    { "points", NGX_AZORA_ANY, .about = "What it counts, a number." },
    { "answer", NGX_AZORA_ANY, NGX_AZORA_NULLABLE,
      .about = "What was answered, once handed in." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_attempt[] = {
    { "id", NGX_AZORA_UUID, .about = "The attempt." },
    { "quiz", NGX_AZORA_UUID, .about = "Its quiz." },
    { "state", NGX_AZORA_ENUM, .values = "started|submitted",
      .about = "Whether it was handed in." },
    { "questions", NGX_AZORA_LIST, .items = ngx_http_azora_course_question,
      .about = "What is asked; never with the key." },
    { "started_at", NGX_AZORA_TIME, .about = "When it began." },
    { "expires_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it must be handed in, if the time is limited." },
    { "submitted_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it was handed in." },
    { "score", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "Percent, once handed in." },
    { "passed", NGX_AZORA_BOOLEAN, NGX_AZORA_NULLABLE,
      .about = "Once handed in." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_submit_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The attempt." },
    { "answers", NGX_AZORA_OBJECT, NGX_AZORA_REQUIRED,
      .about = "Question id to answer: an option's id, a list of them, "
               "true or false, a number, or a text." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_course_submit_returns[] = {
    { "score", NGX_AZORA_INTEGER, .about = "Percent." },
    { "passed", NGX_AZORA_BOOLEAN, .about = "Whether it passed." },
    { "reward", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_course_earned,
      .about = "On the way to the wallet, for the first pass only." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_course_rows[] = {

    { NGX_HTTP_GET, "/v1/courses", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_course_list_fields,
      .returns = ngx_http_azora_course_list_returns,
      .function = "learning.list_courses",
      .summary = "List the published courses",
      .version = "catalogue",
      .cache = 600 },

    { NGX_HTTP_GET, "/v1/courses/{slug}", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_course_slug_fields,
      .returns = ngx_http_azora_course_get_returns,
      .function = "learning.get_course",
      .summary = "Show a course with its lessons and its quiz",
      .version = "catalogue",
      .cache = 600 },

    { NGX_HTTP_GET, "/v1/courses/{slug}/lessons/{number}", NGX_AZORA_USER,
      "course:read",
      .fields = ngx_http_azora_course_lesson_fields,
      .returns = ngx_http_azora_course_lesson_returns,
      .function = "learning.get_lesson",
      .summary = "Read a lesson",
      .version = "catalogue" },

    { NGX_HTTP_POST, "/v1/courses/{slug}/enrolment",
      NGX_AZORA_USER|NGX_AZORA_KEY, "course:study",
      .fields = ngx_http_azora_course_slug_fields,
      .returns = ngx_http_azora_course_enrol_returns,
      .function = "learning.enrol",
      .summary = "Enrol in a course" },

    { NGX_HTTP_GET, "/v1/courses/{slug}/enrolment", NGX_AZORA_USER,
      "course:read",
      .fields = ngx_http_azora_course_slug_fields,
      .returns = ngx_http_azora_course_enrolment_returns,
      .function = "learning.get_enrolment",
      .summary = "Show one's own progress in a course" },

    { NGX_HTTP_PUT, "/v1/courses/{slug}/lessons/{number}/progress",
      NGX_AZORA_USER, "course:study",
      .fields = ngx_http_azora_course_progress_fields,
      .returns = ngx_http_azora_course_progress_returns,
      .function = "learning.set_progress",
      .summary = "Mark a lesson as finished or not" },

    { NGX_HTTP_POST, "/v1/quizzes/{id}/attempts",
      NGX_AZORA_USER|NGX_AZORA_KEY, "course:study",
      .fields = ngx_http_azora_course_quiz_fields,
      .returns = ngx_http_azora_course_attempt,
      .function = "learning.start_attempt",
      .summary = "Begin an attempt at a quiz" },

    { NGX_HTTP_GET, "/v1/attempts/{id}", NGX_AZORA_USER, "course:read",
      .fields = ngx_http_azora_course_attempt_fields,
      .returns = ngx_http_azora_course_attempt,
      .function = "learning.get_attempt",
      .summary = "Show one's own attempt" },

    { NGX_HTTP_POST, "/v1/attempts/{id}/submission",
      NGX_AZORA_USER|NGX_AZORA_KEY, "course:study",
      .fields = ngx_http_azora_course_submit_fields,
      .returns = ngx_http_azora_course_submit_returns,
      .function = "learning.submit_attempt",
      .summary = "Hand in the answers and learn the score" },

    NGX_AZORA_ROWS_END
};
