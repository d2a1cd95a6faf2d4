
/*
 * The rows of exchange between currencies: rates, quotes, and taking one.
 */


#include "ngx_azora.h"


static const ngx_azora_field_t  ngx_http_azora_fx_page_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_fx_rate[] = {
    { "sell", NGX_AZORA_CURRENCY, .about = "What one gives." },
    { "buy", NGX_AZORA_CURRENCY, .about = "What one gets." },
    { "rate", NGX_AZORA_TEXT, .about = "How many for one." },
    { "fee_bps", NGX_AZORA_INTEGER,
      .about = "The part of what one gives that is the fee, in 1/10000." },
    { "valid_until", NGX_AZORA_TIME, .about = "When it ends." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_fx_rates[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_fx_rate,
      .about = "Rates that hold now." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_fx_quote_fields[] = {
    { "sell", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What one gives." },
    { "buy", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What one gets." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much one gives, the fee among it." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_fx_quote[] = {
    { "id", NGX_AZORA_UUID, .about = "The quote." },
    { "state", NGX_AZORA_ENUM, .values = "open|used|expired",
      .about = "Whether it holds." },
    { "sell", NGX_AZORA_CURRENCY, .about = "What one gives." },
    { "buy", NGX_AZORA_CURRENCY, .about = "What one gets." },
    { "rate", NGX_AZORA_TEXT, .about = "How many for one." },
    { "sell_amount", NGX_AZORA_AMOUNT, .about = "How much one gives." },
    { "fee", NGX_AZORA_TEXT, .about = "How much of it is the fee." },
    { "buy_amount", NGX_AZORA_AMOUNT, .about = "How much one gets." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was asked for." },
    { "expires_at", NGX_AZORA_TIME, .about = "Until when it holds." },
    { "used_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it was taken." },
    { "transfers", NGX_AZORA_LIST, NGX_AZORA_NULLABLE,
      .about = "The movements it made." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_fx_id_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The quote." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_fx_rows[] = {

    { NGX_HTTP_GET, "/v1/fx/rates", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_fx_page_fields,
      .returns = ngx_http_azora_fx_rates,
      .function = "ledger.list_rates",
      .summary = "List what is exchanged for what",
      .version = "rates",
      .cache = 60 },

    { NGX_HTTP_POST, "/v1/fx/quotes", NGX_AZORA_USER|NGX_AZORA_KEY,
      "wallet:write",
      .fields = ngx_http_azora_fx_quote_fields,
      .returns = ngx_http_azora_fx_quote,
      .function = "ledger.create_quote",
      .summary = "Ask what an exchange would give" },

    { NGX_HTTP_GET, "/v1/fx/quotes/{id}", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_fx_id_fields,
      .returns = ngx_http_azora_fx_quote,
      .function = "ledger.get_quote",
      .summary = "Show a quote" },

    { NGX_HTTP_POST, "/v1/fx/quotes/{id}/exchange",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_fx_id_fields,
      .returns = ngx_http_azora_fx_quote,
      .function = "ledger.take_quote",
      .summary = "Exchange as quoted" },

    NGX_AZORA_ROWS_END
};
