
/* The rows of the journal capability. */


#include "ngx_http_azora_journal.h"


static const ngx_azora_field_t  ngx_http_azora_journal_page[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_entry[] = {
    { "id", NGX_AZORA_UUID, .about = "The entry, for its receipt." },
    { "type", NGX_AZORA_TEXT, .about = "What kind of event it was." },
    { "at", NGX_AZORA_TIME, .about = "When it happened." },
    { "index", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "Its number in the public log; null for a moment." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_activity[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_journal_entry,
      .about = "What was journaled about you, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_receipt_fields[] = {
    { "entry", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The entry." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_receipt_reply[] = {
    { "index", NGX_AZORA_INTEGER, .about = "Number of the entry." },
    { "entry", NGX_AZORA_TEXT, .about = "The entry as the log has it." },
    { "salt", NGX_AZORA_TEXT, .about = "Hexadecimal; opens the hash." },
    { "payload", NGX_AZORA_TEXT,
      .about = "What happened, the very bytes that were hashed." },
    { "checkpoint", NGX_AZORA_TEXT, .about = "Signed note of the log." },
    { "proof", NGX_AZORA_LIST,
      .about = "Base64 hashes from the leaf to the checkpoint's root." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_journal_events_fields[] = {
    { "type", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 3, 519, NULL, NULL,
      "Types of events separated by commas, at most 8: all of them, whoever "
      "they are about. Only for the roles service and auditor." },
    { "last_event_id", NGX_AZORA_INTEGER, NGX_AZORA_IN_QUERY, -1,
      INT64_MAX - 1, NULL, NULL,
      "Number of the last event seen, -1 for all; the header Last-Event-ID "
      "wins." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_journal_rows[] = {

    { .method = NGX_HTTP_GET,
      .path = "/v1/me/activity",
      .flags = NGX_AZORA_USER,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_page,
      .returns = ngx_http_azora_journal_activity,
      .function = "journal.my_activity",
      .summary = "List what was journaled about me" },

    { .method = NGX_HTTP_GET,
      .path = "/v1/me/receipts/{entry}",
      .flags = NGX_AZORA_USER,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_receipt_fields,
      .returns = ngx_http_azora_journal_receipt_reply,
      .function = "journal.my_receipt",
      .summary = "Get a receipt that can be checked without this server",
      .finish = ngx_http_azora_journal_receipt,
      .answers = "200|409" },

    { .method = NGX_HTTP_GET,
      .path = "/v1/events",
      .flags = NGX_AZORA_USER|NGX_AZORA_STREAM,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_events_fields,
      .summary = "Follow events as they happen",
      .handler = ngx_http_azora_journal_events_handler },

    NGX_AZORA_ROWS_END
};
