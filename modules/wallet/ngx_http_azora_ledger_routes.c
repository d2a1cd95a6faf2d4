
/*
 * The rows of administrators: what they do to money, limits and policies.  An
 * act is done at once by one, or proposed by one and approved by another.
 */


#include "ngx_azora.h"


#define NGX_HTTP_AZORA_LEDGER_REASON                                          \
    { "reason", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 500,                   \
      .about = "Why; it is journaled." }


static const ngx_azora_field_t  ngx_http_azora_ledger_mint_fields[] = {
    { "to", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who gets it." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What is issued." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much, in major units." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_burn_fields[] = {
    { "from", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Whose wallet it is taken from." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What is taken out of circulation." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much, in major units." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_reversal_fields[] = {
    { "transfer", NGX_AZORA_UUID, NGX_AZORA_REQUIRED,
      .about = "The transfer to give back for its recipient." },
    { "amount", NGX_AZORA_AMOUNT,
      .about = "How much of it; all that is left when absent." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_freeze_fields[] = {
    { "account", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Whose wallets." },
    { "currency", NGX_AZORA_CURRENCY,
      .about = "Only this wallet; all of them when absent." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_credit_fields[] = {
    { "account", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Whose wallet." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "Which of them." },
    { "amount", NGX_AZORA_AMOUNT,
      .about = "How far it may go below zero; not at all when absent." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_tier_fields[] = {
    { "account", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who is known better, or less." },
    { "tier", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 0, 3,
      .about = "The KYC tier: 0 for an unknown person, to 3." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_limit_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "The currency." },
    { "tier", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 0, 3,
      .about = "The KYC tier." },
    { "transfer_max", NGX_AZORA_AMOUNT, .about = "Of one payment." },
    { "day_max", NGX_AZORA_AMOUNT, .about = "Of all payments of a UTC day." },
    { "balance_max", NGX_AZORA_AMOUNT,
      .about = "What others may bring a wallet to." },
    { "count_max", NGX_AZORA_INTEGER, 0, 1, 1000,
      .about = "How many payments within count_seconds." },
    { "count_seconds", NGX_AZORA_INTEGER, 0, 1, 86400,
      .about = "The sliding time that payments are counted in." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_policy_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "The currency; what is not named stays as it is." },
    { "reward_day_max", NGX_AZORA_AMOUNT,
      .about = "Rewards of a UTC day." },
    { "reward_total_max", NGX_AZORA_AMOUNT, .about = "Rewards in all." },
    { "mint_day_max", NGX_AZORA_AMOUNT,
      .about = "What administrators issue in a UTC day." },
    { "four_eyes_above", NGX_AZORA_AMOUNT,
      .about = "What one administrator moves in a day without another." },
    { "exchange_max", NGX_AZORA_AMOUNT,
      .about = "What the house may owe by exchanging." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_ledger_rate_fields[] = {
    { "sell", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What people give." },
    { "buy", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What they get." },
    { "rate", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How many for one." },
    { "fee_bps", NGX_AZORA_INTEGER, 0, 0, 5000,
      .about = "The fee in 1/10000 of what they give; 0 when absent." },
    { "valid_seconds", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 1, 604800,
      .about = "For how long." },
    NGX_HTTP_AZORA_LEDGER_REASON,
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_ledger_operation[] = {
    { "id", NGX_AZORA_UUID, .about = "The operation." },
    { "action", NGX_AZORA_TEXT, .about = "What is done." },
    { "state", NGX_AZORA_ENUM, .values = "proposed|done|rejected|expired",
      .about = "Whether it is done, or waits for another administrator." },
    { "reason", NGX_AZORA_TEXT, .about = "Why." },
    { "arguments", NGX_AZORA_OBJECT, .about = "To whom and to what." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_NULLABLE,
      .about = "The currency." },
    { "amount", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "How much." },
    { "proposed_by", NGX_AZORA_UUID, .about = "Who asked for it." },
    { "created_at", NGX_AZORA_TIME, .about = "When." },
    { "expires_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "Until when it can be approved." },
    { "decided_by", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "Who decided it, where a second one did; zeros stand for "
               "the operator on the server." },
    { "decided_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it was decided." },
    { "transfer", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The movement it made." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_id_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The operation." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_list_fields[] = {
    { "state", NGX_AZORA_ENUM, NGX_AZORA_IN_QUERY,
      .values = "proposed|done|rejected|expired",
      .about = "Only those in this state." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_operations[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_ledger_operation,
      .about = "Operations, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_ledger_page_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_limit[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The currency." },
    { "tier", NGX_AZORA_INTEGER, .about = "The KYC tier." },
    { "transfer_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Of one payment." },
    { "day_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Of all payments of a UTC day." },
    { "balance_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What others may bring a wallet to." },
    { "count_max", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "How many payments within count_seconds." },
    { "count_seconds", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "The sliding time that payments are counted in." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_limits[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_ledger_limit,
      .about = "Limits by currency and tier; what is not here has none." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_policy[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The currency." },
    { "reward_day_max", NGX_AZORA_TEXT, .about = "Rewards of a UTC day." },
    { "reward_total_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Rewards in all, where that is bounded." },
    { "mint_day_max", NGX_AZORA_TEXT,
      .about = "What administrators issue in a UTC day." },
    { "four_eyes_above", NGX_AZORA_TEXT,
      .about = "What one administrator moves in a day without another." },
    { "exchange_max", NGX_AZORA_TEXT,
      .about = "What the house may owe by exchanging." },
    { "rewards_today", NGX_AZORA_TEXT, .about = "Rewards of today." },
    { "issued_today", NGX_AZORA_TEXT,
      .about = "What administrators issued today." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_ledger_policies[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_ledger_policy,
      .about = "Policies by currency; what is not here is never issued." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


#define NGX_HTTP_AZORA_LEDGER_ACT(path_, fields_, function_, summary_)        \
    { NGX_HTTP_POST, "/v1/admin/ledger/" path_,                               \
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "admin",                         \
      .roles = "admin",                                                       \
      .fields = fields_,                                                      \
      .returns = ngx_http_azora_ledger_operation,                             \
      .function = "ledger." function_,                                        \
      .summary = summary_ }


const ngx_azora_row_t  ngx_http_azora_ledger_rows[] = {

    NGX_HTTP_AZORA_LEDGER_ACT("mints", ngx_http_azora_ledger_mint_fields,
                              "propose_mint", "Issue money to a wallet"),

    NGX_HTTP_AZORA_LEDGER_ACT("burns", ngx_http_azora_ledger_burn_fields,
                              "propose_burn",
                              "Take money out of circulation"),

    NGX_HTTP_AZORA_LEDGER_ACT("reversals",
                              ngx_http_azora_ledger_reversal_fields,
                              "propose_reversal",
                              "Give a transfer back for its recipient"),

    NGX_HTTP_AZORA_LEDGER_ACT("freezes", ngx_http_azora_ledger_freeze_fields,
                              "propose_freeze", "Freeze wallets"),

    NGX_HTTP_AZORA_LEDGER_ACT("unfreezes",
                              ngx_http_azora_ledger_freeze_fields,
                              "propose_unfreeze", "Thaw wallets"),

    NGX_HTTP_AZORA_LEDGER_ACT("credit-limits",
                              ngx_http_azora_ledger_credit_fields,
                              "propose_credit_limit",
                              "Let a wallet go below zero"),

    NGX_HTTP_AZORA_LEDGER_ACT("tiers", ngx_http_azora_ledger_tier_fields,
                              "propose_tier", "Say how well one is known"),

    NGX_HTTP_AZORA_LEDGER_ACT("limits", ngx_http_azora_ledger_limit_fields,
                              "propose_tier_limit",
                              "Set the limits of a tier in a currency"),

    NGX_HTTP_AZORA_LEDGER_ACT("policies", ngx_http_azora_ledger_policy_fields,
                              "propose_policy",
                              "Set how much may be issued"),

    NGX_HTTP_AZORA_LEDGER_ACT("rates", ngx_http_azora_ledger_rate_fields,
                              "propose_rate",
                              "Set what is exchanged for what"),

    { NGX_HTTP_GET, "/v1/admin/ledger/limits", NGX_AZORA_USER, "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_page_fields,
      .returns = ngx_http_azora_ledger_limits,
      .function = "ledger.list_limits",
      .summary = "List the limits of all tiers" },

    { NGX_HTTP_GET, "/v1/admin/ledger/policies", NGX_AZORA_USER, "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_page_fields,
      .returns = ngx_http_azora_ledger_policies,
      .function = "ledger.list_policies",
      .summary = "List what may be issued" },

    { NGX_HTTP_GET, "/v1/admin/ledger/operations", NGX_AZORA_USER, "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_list_fields,
      .returns = ngx_http_azora_ledger_operations,
      .function = "ledger.list_operations",
      .summary = "List what administrators did and proposed" },

    { NGX_HTTP_GET, "/v1/admin/ledger/operations/{id}", NGX_AZORA_USER,
      "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_id_fields,
      .returns = ngx_http_azora_ledger_operation,
      .function = "ledger.get_operation",
      .summary = "Show an act of an administrator" },

    { NGX_HTTP_POST, "/v1/admin/ledger/operations/{id}/approve",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_id_fields,
      .returns = ngx_http_azora_ledger_operation,
      .function = "ledger.approve_operation",
      .summary = "Approve what another administrator proposed" },

    { NGX_HTTP_POST, "/v1/admin/ledger/operations/{id}/reject",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "admin",
      .roles = "admin",
      .fields = ngx_http_azora_ledger_id_fields,
      .returns = ngx_http_azora_ledger_operation,
      .function = "ledger.reject_operation",
      .summary = "Turn down what was proposed" },

    NGX_AZORA_ROWS_END
};
