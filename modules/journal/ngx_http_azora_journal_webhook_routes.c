
/* Rows of webhooks: addresses that are told of events. */


#include "ngx_http_azora_journal.h"


#define NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID                                     \
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,             \
      .about = "The webhook." }

#define NGX_HTTP_AZORA_JOURNAL_WEBHOOK_TYPES                                  \
    { "types", NGX_AZORA_LIST, 0, 0, 32,                                      \
      .about = "Which types of events, such as payment.completed; none: "     \
               "all." }

#define NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ABOUT                                  \
    { "description", NGX_AZORA_TEXT, 0, 0, 200,                               \
      .about = "The owner's own words." }


static const ngx_azora_field_t  ngx_http_azora_journal_webhook_create[] = {
    { "url", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 8, 2048,
      .about = "Where events are sent to, https://." },
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_TYPES,
    { "everybody", NGX_AZORA_BOOLEAN,
      .about = "Events about anybody instead of oneself, for the role "
               "service." },
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ABOUT,
    { "key", NGX_AZORA_TEXT, NGX_AZORA_MADE, 1, 16,
      .about = "Which key makes its secret." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_change[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID,
    { "url", NGX_AZORA_TEXT, 0, 8, 2048,
      .about = "Where events are sent to, https://." },
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_TYPES,
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ABOUT,
    { "active", NGX_AZORA_BOOLEAN, .about = "Whether anything is sent." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_rotate[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID,
    { "key", NGX_AZORA_TEXT, NGX_AZORA_MADE, 1, 16,
      .about = "Which key makes its secret." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_one[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_page[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_log[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID,
    { "state", NGX_AZORA_ENUM, NGX_AZORA_IN_QUERY,
      .values = "pending|delivered|failed|erased",
      .about = "Only those." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_event[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_ID,
    { "event", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The event." },
    NGX_AZORA_END
};


#define NGX_HTTP_AZORA_JOURNAL_WEBHOOK_REPLY                                  \
    { "id", NGX_AZORA_UUID, .about = "The webhook." },                        \
    { "url", NGX_AZORA_TEXT, .about = "Where events are sent to." },          \
    { "types", NGX_AZORA_LIST, .about = "Which types; empty: all." },         \
    { "everybody", NGX_AZORA_BOOLEAN,                                         \
      .about = "Whether events are about anybody." },                         \
    { "description", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,                      \
      .about = "The owner's own words." },                                    \
    { "active", NGX_AZORA_BOOLEAN, .about = "Whether anything is sent." },    \
    { "reason", NGX_AZORA_ENUM, NGX_AZORA_NULLABLE,                           \
      .values = "paused|gone|overflow",                                       \
      .about = "Why not: the owner, the address (410), or ten thousand "      \
               "events that it did not take." },                              \
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },                 \
    { "old_secret_until", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,                 \
      .about = "Until when the secret before signs too." }

static const ngx_azora_field_t  ngx_http_azora_journal_webhook[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_REPLY,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_shown[] = {
    NGX_HTTP_AZORA_JOURNAL_WEBHOOK_REPLY,
    { "secret", NGX_AZORA_TEXT,
      .about = "whsec_ and Base64; shown here and never again." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_list[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_journal_webhook,
      .about = "Newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_webhook_tested[] = {
    { "event", NGX_AZORA_UUID, .about = "The event that will be sent." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_attempt[] = {
    { "at", NGX_AZORA_TIME, .about = "When it was over." },
    { "outcome", NGX_AZORA_TEXT, .about = "What became of it." },
    { "status", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "The status that was answered." },
    { "took_ms", NGX_AZORA_INTEGER, .about = "Milliseconds." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_delivery[] = {
    { "event", NGX_AZORA_UUID, .about = "The event." },
    { "index", NGX_AZORA_INTEGER, .about = "Its number in the public log." },
    { "type", NGX_AZORA_TEXT, .about = "Its type." },
    { "state", NGX_AZORA_ENUM, .values = "pending|delivered|failed|erased",
      .about = "What became of it." },
    { "attempts", NGX_AZORA_INTEGER, .about = "How often it was sent." },
    { "history", NGX_AZORA_LIST, .items = ngx_http_azora_journal_attempt,
      .about = "The last twenty attempts." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was put on its way." },
    { "delivered_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When the address took it." },
    { "next_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it is tried again." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_deliveries[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_journal_delivery,
      .about = "Newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_journal_webhook_rows[] = {

    { .method = NGX_HTTP_POST,
      .path = "/v1/webhooks",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_create,
      .returns = ngx_http_azora_journal_webhook_shown,
      .function = "journal.create_webhook",
      .summary = "Ask to be told of events",
      .prepare = ngx_http_azora_journal_webhook_prepare,
      .finish = ngx_http_azora_journal_webhook_show },

    { .method = NGX_HTTP_GET,
      .path = "/v1/webhooks",
      .flags = NGX_AZORA_USER,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_webhook_page,
      .returns = ngx_http_azora_journal_webhook_list,
      .function = "journal.list_webhooks",
      .summary = "List my webhooks" },

    { .method = NGX_HTTP_GET,
      .path = "/v1/webhooks/{id}",
      .flags = NGX_AZORA_USER,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_webhook_one,
      .returns = ngx_http_azora_journal_webhook,
      .function = "journal.get_webhook",
      .summary = "Get a webhook" },

    { .method = NGX_HTTP_PATCH,
      .path = "/v1/webhooks/{id}",
      .flags = NGX_AZORA_USER,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_change,
      .returns = ngx_http_azora_journal_webhook,
      .function = "journal.change_webhook",
      .summary = "Change a webhook",
      .prepare = ngx_http_azora_journal_webhook_check },

    { .method = NGX_HTTP_DELETE,
      .path = "/v1/webhooks/{id}",
      .flags = NGX_AZORA_USER,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_one,
      .function = "journal.delete_webhook",
      .summary = "Remove a webhook and what is on its way to it" },

    { .method = NGX_HTTP_POST,
      .path = "/v1/webhooks/{id}/secret",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_rotate,
      .returns = ngx_http_azora_journal_webhook_shown,
      .function = "journal.rotate_webhook",
      .summary = "Give a webhook a new secret",
      .prepare = ngx_http_azora_journal_webhook_prepare,
      .finish = ngx_http_azora_journal_webhook_show },

    { .method = NGX_HTTP_POST,
      .path = "/v1/webhooks/{id}/test",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_one,
      .returns = ngx_http_azora_journal_webhook_tested,
      .function = "journal.test_webhook",
      .summary = "Send an event to a webhook as a test",
      .answers = "202" },

    { .method = NGX_HTTP_GET,
      .path = "/v1/webhooks/{id}/deliveries",
      .flags = NGX_AZORA_USER,
      .scope = "profile:read",
      .fields = ngx_http_azora_journal_webhook_log,
      .returns = ngx_http_azora_journal_deliveries,
      .function = "journal.list_deliveries",
      .summary = "List what was sent to a webhook" },

    { .method = NGX_HTTP_POST,
      .path = "/v1/webhooks/{id}/deliveries/{event}/retry",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY,
      .scope = "profile:write",
      .fields = ngx_http_azora_journal_webhook_event,
      .returns = ngx_http_azora_journal_delivery,
      .function = "journal.retry_delivery",
      .summary = "Send an event to a webhook again",
      .answers = "202" },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_task_t  ngx_http_azora_journal_webhook_tasks[] = {
    { "journal.fan_out_webhooks", "chronicle", 1000, 1000 },
    { "journal.purge_deliveries", NULL, 3600000, 1000 },
    { NULL, NULL, 0, 0 }
};


const ngx_azora_capability_t  ngx_http_azora_journal_webhooks = {
    .abi = NGX_AZORA_ABI,
    .name = "webhooks",
    .rows = ngx_http_azora_journal_webhook_rows,
    .tasks = ngx_http_azora_journal_webhook_tasks,
    .about = "Events sent to an address of one's own, signed as Standard "
             "Webhooks 1.0 says."
};
