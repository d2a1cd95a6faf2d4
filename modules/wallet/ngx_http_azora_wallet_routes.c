
/*
 * The rows of the wallet capability.  Money is a decimal string in major
 * units; SQL turns it into integers of minor units.
 */


#include "ngx_azora.h"


static const ngx_azora_field_t  ngx_http_azora_wallet_page_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_get_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The wallet's currency." },
    { "at", NGX_AZORA_TIME, NGX_AZORA_IN_QUERY,
      .about = "A past time to show the balance of." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_get_returns[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The wallet's currency." },
    { "posted", NGX_AZORA_TEXT, .about = "What was booked." },
    { "pending", NGX_AZORA_TEXT, .about = "What is held for later." },
    { "available", NGX_AZORA_TEXT, .about = "What can be spent." },
    { "credit_limit", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "How far it may go below zero, if it may." },
    { "frozen", NGX_AZORA_BOOLEAN, NGX_AZORA_NULLABLE,
      .about = "True while it neither pays nor receives." },
    { "at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "The past time that was asked for." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_list_returns[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_wallet_get_returns,
      .about = "Wallets that money has reached, by currency." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_limit_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The wallet's currency." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_limits[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The wallet's currency." },
    { "tier", NGX_AZORA_INTEGER, .about = "One's KYC tier." },
    { "transfer_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Of one payment." },
    { "day_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Of all payments of a UTC day." },
    { "day_left", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What of it is left today." },
    { "balance_max", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What others may bring the wallet to." },
    { "count_max", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "How many payments within count_seconds." },
    { "count_seconds", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "The sliding time that payments are counted in." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_currency[] = {
    { "code", NGX_AZORA_CURRENCY, .about = "Its code." },
    { "name", NGX_AZORA_TEXT, .about = "Its name." },
    { "decimals", NGX_AZORA_INTEGER, .about = "Decimals of an amount." },
    { "smallest", NGX_AZORA_TEXT, .about = "The smallest amount." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_currencies[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_wallet_currency,
      .about = "What can be held." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_wallet_transfer_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The wallet the money leaves." },
    { "to", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who receives it: an e-mail address, a handle or an "
               "account's id." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much, in major units." },
    { "memo", NGX_AZORA_TEXT, 0, 0, 280,
      .about = "A note that both sides see." },
    { "metadata", NGX_AZORA_OBJECT, 0, 0, 4096,
      .about = "Members of one's own choice that both sides see." },
    { "dry_run", NGX_AZORA_BOOLEAN,
      .about = "Only tells what would happen; the key stays unused." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_transfer_returns[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_NULLABLE, .about = "The transfer." },
    { "currency", NGX_AZORA_CURRENCY, .about = "Its currency." },
    { "amount", NGX_AZORA_AMOUNT, .about = "How much, in major units." },
    { "to", NGX_AZORA_ADDRESS, .about = "Who received it." },
    { "memo", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "The note." },
    { "dry_run", NGX_AZORA_BOOLEAN, NGX_AZORA_NULLABLE,
      .about = "True when nothing was booked." },
    { "created_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When it was booked." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_shown[] = {
    { "id", NGX_AZORA_UUID, .about = "The transfer." },
    { "kind", NGX_AZORA_TEXT, .about = "What moved the money." },
    { "currency", NGX_AZORA_CURRENCY, .about = "Its currency." },
    { "amount", NGX_AZORA_AMOUNT, .about = "How much, in major units." },
    { "from", NGX_AZORA_TEXT, .about = "Whose money it was." },
    { "to", NGX_AZORA_TEXT, .about = "Who received it." },
    { "memo", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "The note." },
    { "metadata", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .about = "What the sender attached." },
    { "reversal_of", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The transfer that this one gives back." },
    { "reversed", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "How much of it was given back." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was booked." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_reversal_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The transfer to give back." },
    { "amount", NGX_AZORA_AMOUNT,
      .about = "How much of it; all that is left when absent." },
    { "memo", NGX_AZORA_TEXT, 0, 0, 280,
      .about = "A note that both sides see." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_batch_item[] = {
    { "to", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who receives it: an e-mail address, a handle or an "
               "account's id." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much, in major units." },
    { "currency", NGX_AZORA_CURRENCY,
      .about = "The wallet it leaves; that of the list when absent." },
    { "memo", NGX_AZORA_TEXT, 0, 0, 280,
      .about = "A note that both sides see." },
    { "metadata", NGX_AZORA_OBJECT, 0, 0, 4096,
      .about = "Members of one's own choice that both sides see." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_batch_fields[] = {
    { "currency", NGX_AZORA_CURRENCY,
      .about = "The wallet the money leaves where an item names none." },
    { "items", NGX_AZORA_LIST, NGX_AZORA_REQUIRED, 1, 1000,
      .items = ngx_http_azora_wallet_batch_item,
      .about = "Transfers in the order in which they are decided." },
    { "atomic", NGX_AZORA_BOOLEAN,
      .about = "All or nothing; otherwise each by itself." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_batch_result[] = {
    { "status", NGX_AZORA_INTEGER, .about = "What it alone would answer." },
    { "transfer", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_wallet_transfer_returns,
      .about = "The transfer that was made." },
    { "type", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "The problem that it has." },
    { "detail", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "The problem in a sentence." },
    { "pointer", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What of the request is wrong, as a JSON pointer." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_batch_returns[] = {
    { "made", NGX_AZORA_INTEGER, .about = "How many were made." },
    { "refused", NGX_AZORA_INTEGER, .about = "How many were not." },
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_wallet_batch_result,
      .about = "The results in the order of the request." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_transfer_id_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The transfer." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_wallet_statement_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The wallet's currency." },
    { "from", NGX_AZORA_TIME, NGX_AZORA_IN_QUERY,
      .about = "The first moment of it." },
    { "to", NGX_AZORA_TIME, NGX_AZORA_IN_QUERY,
      .about = "The first moment that is not in it any more." },
    { "format", NGX_AZORA_ENUM, NGX_AZORA_IN_QUERY, .values = "json|csv",
      .about = "The form; without it Accept decides. Of CSV the next page "
               "is in Link." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_statement_item[] = {
    { "seq", NGX_AZORA_INTEGER, .about = "Number in the wallet, gapless." },
    { "at", NGX_AZORA_TIME, .about = "When it was booked." },
    { "amount", NGX_AZORA_TEXT, .about = "Signed: what left is negative." },
    { "balance", NGX_AZORA_TEXT, .about = "The balance after it." },
    { "kind", NGX_AZORA_TEXT, .about = "What moved the money." },
    { "counterparty", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "The other side." },
    { "memo", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "The note." },
    { "transfer", NGX_AZORA_UUID, .about = "The transfer it belongs to." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_statement_returns[] = {
    { "items", NGX_AZORA_LIST,
      .items = ngx_http_azora_wallet_statement_item,
      .about = "Movements, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_wallet_trial_item[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The currency." },
    { "issued", NGX_AZORA_TEXT, .about = "What was ever issued." },
    { "held", NGX_AZORA_TEXT, .about = "What all accounts hold." },
    { "sum", NGX_AZORA_TEXT, .about = "Of all balances: always zero." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_trial_returns[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_wallet_trial_item,
      .about = "A line for each currency." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "Always null." },
    { "at", NGX_AZORA_TIME, .about = "When it was counted." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_economy_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_IN_QUERY,
      .about = "Which currency; AZR when absent." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_distribution[] = {
    { "richest_percent", NGX_AZORA_INTEGER,
      .about = "So many in a hundred holders." },
    { "hold", NGX_AZORA_TEXT,
      .about = "Their part of what all wallets hold, from 0 to 1." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_day[] = {
    { "day", NGX_AZORA_TEXT, .about = "The day in UTC." },
    { "rewards", NGX_AZORA_TEXT, .about = "Issued as rewards." },
    { "issued", NGX_AZORA_TEXT, .about = "Issued by administrators." },
    { "burned", NGX_AZORA_TEXT, .about = "Taken out of circulation." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_economy_returns[] = {
    { "currency", NGX_AZORA_CURRENCY, .about = "The currency." },
    { "at", NGX_AZORA_TIME, .about = "When it was counted." },
    { "supply", NGX_AZORA_TEXT, .about = "What is out." },
    { "citadel_fund", NGX_AZORA_TEXT, .about = "What the fund has." },
    { "marketplace", NGX_AZORA_TEXT, .about = "What fees brought." },
    { "escrow", NGX_AZORA_TEXT, .about = "What milestones hold." },
    { "exchange", NGX_AZORA_TEXT,
      .about = "What exchanging left with the house; below zero it owes." },
    { "wallets", NGX_AZORA_TEXT, .about = "What people have." },
    { "holders", NGX_AZORA_INTEGER, .about = "Wallets that are not empty." },
    { "distribution", NGX_AZORA_LIST,
      .items = ngx_http_azora_wallet_distribution,
      .about = "How evenly wallets hold it." },
    { "days", NGX_AZORA_LIST, .items = ngx_http_azora_wallet_day,
      .about = "What came and went, newest first, at most 30 days." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_split_part[] = {
    { "to", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who receives the part." },
    { "bps", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 1, 10000,
      .about = "How much of it, in 1/10000." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_wallet_split_fields[] = {
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The wallet the money leaves." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "How much in all." },
    { "parts", NGX_AZORA_LIST, NGX_AZORA_REQUIRED, 1, 100,
      .items = ngx_http_azora_wallet_split_part,
      .about = "Parts that make 10000; each is rounded down, and what that "
               "leaves goes to the first." },
    { "memo", NGX_AZORA_TEXT, 0, 0, 280,
      .about = "A note that all see." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_wallet_rows[] = {

    { NGX_HTTP_GET, "/v1/wallets", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_wallet_page_fields,
      .returns = ngx_http_azora_wallet_list_returns,
      .function = "ledger.list_wallets",
      .summary = "List one's wallets" },

    { NGX_HTTP_GET, "/v1/wallets/{currency}", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_wallet_get_fields,
      .returns = ngx_http_azora_wallet_get_returns,
      .function = "ledger.get_wallet",
      .summary = "Show the balance of one's wallet" },

    { NGX_HTTP_POST, "/v1/wallets/{currency}/transfers",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED|NGX_AZORA_BATCH, "wallet:write",
      .fields = ngx_http_azora_wallet_transfer_fields,
      .returns = ngx_http_azora_wallet_transfer_returns,
      .function = "ledger.transfer_batch",
      .summary = "Send money to another wallet" },

    { NGX_HTTP_GET, "/v1/transfers/{id}", NGX_AZORA_USER, "wallet:read",
      .fields = ngx_http_azora_wallet_transfer_id_fields,
      .returns = ngx_http_azora_wallet_shown,
      .function = "ledger.get_transfer",
      .summary = "Show a transfer one sent or received" },

    { NGX_HTTP_POST, "/v1/transfers/{id}/reversal",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_wallet_reversal_fields,
      .returns = ngx_http_azora_wallet_shown,
      .function = "ledger.reverse_transfer",
      .summary = "Give a transfer back that one received, or a part of it" },

    { NGX_HTTP_POST, "/v1/transfers/batch",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_wallet_batch_fields,
      .returns = ngx_http_azora_wallet_batch_returns,
      .function = "ledger.transfer_list",
      .summary = "Send money to many wallets",
      .cost = 10 },

    { NGX_HTTP_GET, "/v1/wallets/{currency}/statement", NGX_AZORA_USER,
      "wallet:read", .media = "text/csv",
      .fields = ngx_http_azora_wallet_statement_fields,
      .returns = ngx_http_azora_wallet_statement_returns,
      .function = "ledger.statement",
      .summary = "List the movements of one's wallet" },

    { NGX_HTTP_GET, "/v1/wallets/{currency}/limits", NGX_AZORA_USER,
      "wallet:read",
      .fields = ngx_http_azora_wallet_limit_fields,
      .returns = ngx_http_azora_wallet_limits,
      .function = "ledger.my_limits",
      .summary = "Show what one may pay and hold" },

    { NGX_HTTP_GET, "/v1/ledger/currencies", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_wallet_page_fields,
      .returns = ngx_http_azora_wallet_currencies,
      .function = "ledger.list_currencies",
      .summary = "List what can be held" },

    { NGX_HTTP_POST, "/v1/wallets/{currency}/splits",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "wallet:write",
      .fields = ngx_http_azora_wallet_split_fields,
      .returns = ngx_http_azora_wallet_batch_returns,
      .function = "ledger.split_transfer",
      .summary = "Send one amount to several wallets by parts" },

    { NGX_HTTP_GET, "/v1/economy",
      NGX_AZORA_PUBLIC|NGX_AZORA_SLOW,
      .fields = ngx_http_azora_wallet_economy_fields,
      .returns = ngx_http_azora_wallet_economy_returns,
      .function = "ledger.economy",
      .summary = "Show a currency as a whole",
      .cache = 300 },

    { NGX_HTTP_GET, "/v1/ledger/trial-balance",
      NGX_AZORA_PUBLIC|NGX_AZORA_SLOW,
      .returns = ngx_http_azora_wallet_trial_returns,
      .function = "ledger.trial_balance",
      .summary = "Show that every currency sums to zero",
      .cache = 5 },

    NGX_AZORA_ROWS_END
};
