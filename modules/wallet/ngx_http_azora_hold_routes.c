
/*
 * The rows of holds: money that is promised to somebody and not yet paid.
 */


#include "ngx_azora.h"


static const ngx_azora_field_t  ngx_http_azora_hold_place_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "The wallet that will pay." },
    { "to", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who shall be paid." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much is held, in major units." },
    { "memo", NGX_AZORA_TEXT, 0, 0, 280,
      .about = "A note that both sides see." },
    { "expires_at", NGX_AZORA_TIME,
      .about = "When it falls back; a week from now when neither end is "
               "given." },
    { "settles_at", NGX_AZORA_TIME,
      .about = "When all of it is paid by itself." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_hold_returns[] = {
    { "id", NGX_AZORA_UUID, .about = "The hold." },
    { "state", NGX_AZORA_ENUM, .values = "pending|posted|voided|expired",
      .about = "What became of it." },
    { "currency", NGX_AZORA_CURRENCY, .about = "Its currency." },
    { "amount", NGX_AZORA_AMOUNT, .about = "How much was held." },
    { "from", NGX_AZORA_UUID, .about = "Whose money it is." },
    { "to", NGX_AZORA_TEXT, .about = "Who shall be paid." },
    { "memo", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "The note." },
    { "posted", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "How much of it was paid." },
    { "transfer", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The payment." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was made." },
    { "expires_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it falls back." },
    { "settles_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it is paid by itself." },
    { "ended_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it ended." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_hold_list_fields[] = {
    { "state", NGX_AZORA_ENUM, NGX_AZORA_IN_QUERY,
      .values = "pending|posted|voided|expired",
      .about = "Only those in this state." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_hold_list_returns[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_hold_returns,
      .about = "Holds, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_hold_id_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The hold." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_hold_post_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The hold." },
    { "amount", NGX_AZORA_AMOUNT,
      .about = "How much of it is paid; all of it when absent." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_hold_rows[] = {

    { NGX_HTTP_POST, "/v1/holds", NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED,
      "wallet:write",
      .fields = ngx_http_azora_hold_place_fields,
      .returns = ngx_http_azora_hold_returns,
      .function = "ledger.create_hold",
      .summary = "Hold money for somebody" },

    { NGX_HTTP_GET, "/v1/holds", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_hold_list_fields,
      .returns = ngx_http_azora_hold_list_returns,
      .function = "ledger.list_holds",
      .summary = "List holds one pays or is paid from" },

    { NGX_HTTP_GET, "/v1/holds/{id}", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_hold_id_fields,
      .returns = ngx_http_azora_hold_returns,
      .function = "ledger.get_hold",
      .summary = "Show a hold" },

    { NGX_HTTP_POST, "/v1/holds/{id}/post",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_hold_post_fields,
      .returns = ngx_http_azora_hold_returns,
      .function = "ledger.capture_hold",
      .summary = "Pay a hold, or a part of it" },

    { NGX_HTTP_POST, "/v1/holds/{id}/void",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_hold_id_fields,
      .returns = ngx_http_azora_hold_returns,
      .function = "ledger.release_hold",
      .summary = "Give a hold up" },

    NGX_AZORA_ROWS_END
};
