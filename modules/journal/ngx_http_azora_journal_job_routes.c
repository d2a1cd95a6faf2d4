
/* Rows for administrators: what was given up. */


#include "ngx_http_azora_journal.h"


static const ngx_azora_field_t  ngx_http_azora_journal_letters_fields[] = {
    { "consumer", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 64,
      .about = "Only those of this consumer of events or kind of job." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_letter_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The letter." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_letter[] = {
    { "id", NGX_AZORA_UUID, .about = "The letter." },
    { "consumer", NGX_AZORA_TEXT,
      .about = "The consumer of the event, or the kind of the job." },
    { "source", NGX_AZORA_ENUM, .values = "event|job",
      .about = "What was given up." },
    { "event", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The event; null for a job." },
    { "type", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Its type." },
    { "failures", NGX_AZORA_INTEGER, .about = "How often it failed." },
    { "error", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What the last failure said." },
    { "died_at", NGX_AZORA_TIME, .about = "When it was given up." },
    { "replayed_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it began anew." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_letters[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_journal_letter,
      .about = "What was given up and not replayed, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_journal_job_rows[] = {

    { .method = NGX_HTTP_GET,
      .path = "/v1/admin/dead-letters",
      .flags = NGX_AZORA_USER,
      .scope = "admin",
      .roles = "admin",
      .fields = ngx_http_azora_journal_letters_fields,
      .returns = ngx_http_azora_journal_letters,
      .function = "journal.list_dead_letters",
      .summary = "List events and jobs that were given up" },

    { .method = NGX_HTTP_POST,
      .path = "/v1/admin/dead-letters/{id}/replay",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY,
      .scope = "admin",
      .roles = "admin",
      .fields = ngx_http_azora_journal_letter_fields,
      .returns = ngx_http_azora_journal_letter,
      .function = "journal.replay_dead_letter",
      .summary = "Begin anew with what was given up" },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_task_t  ngx_http_azora_journal_job_tasks[] = {
    { "journal.purge_jobs", NULL, 3600000, 1000 },
    { NULL, NULL, 0, 0 }
};


const ngx_azora_capability_t  ngx_http_azora_journal_jobs = {
    .abi = NGX_AZORA_ABI,
    .name = "jobs",
    .rows = ngx_http_azora_journal_job_rows,
    .tasks = ngx_http_azora_journal_job_tasks,
    .about = "Work outside of the database, and what was given up."
};
