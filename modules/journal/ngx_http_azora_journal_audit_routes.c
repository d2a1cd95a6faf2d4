
/* The row for auditors. */


#include "ngx_http_azora_journal.h"


static const ngx_azora_field_t  ngx_http_azora_journal_audit_fields[] = {
    { "subject", NGX_AZORA_UUID, NGX_AZORA_IN_QUERY,
      .about = "Only what is about this account." },
    { "type", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 3, 64,
      .about = "Only this type of event." },
    { "from", NGX_AZORA_TIME, NGX_AZORA_IN_QUERY,
      .about = "Not before then." },
    { "to", NGX_AZORA_TIME, NGX_AZORA_IN_QUERY,
      .about = "Before then." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_audit_entry[] = {
    { "index", NGX_AZORA_INTEGER, .about = "Its number in the public log." },
    { "id", NGX_AZORA_UUID, .about = "The entry." },
    { "type", NGX_AZORA_TEXT, .about = "What kind of event it was." },
    { "at", NGX_AZORA_TIME,
      .about = "When it happened; to the minute when it was erased." },
    { "subject", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "Account it is about." },
    { "erased", NGX_AZORA_BOOLEAN,
      .about = "Whether what it told was erased for good." },
    { "payload", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .about = "What happened." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_journal_audit_reply[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_journal_audit_entry,
      .about = "Entries in the order of the log; there may be a next page "
               "although this one is short or empty." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


/* It writes, because who looked is journaled. */

static const ngx_azora_row_t  ngx_http_azora_journal_audit_rows[] = {

    { .method = NGX_HTTP_GET,
      .path = "/v1/audit",
      .flags = NGX_AZORA_USER|NGX_AZORA_WRITE|NGX_AZORA_SLOW,
      .scope = "audit:read",
      .roles = "auditor|admin",
      .fields = ngx_http_azora_journal_audit_fields,
      .returns = ngx_http_azora_journal_audit_reply,
      .function = "journal.audit",
      .summary = "List what happened, for auditors" },

    NGX_AZORA_ROWS_END
};


const ngx_azora_capability_t  ngx_http_azora_journal_audit = {
    .abi = NGX_AZORA_ABI,
    .name = "audit",
    .rows = ngx_http_azora_journal_audit_rows,
    .about = "What happened, for those who have to look."
};
