
/*
 * Wallets over the double-entry ledger: balances, transfers, statements, and
 * holds.  One module, one capability for each part of the document.
 */


#include "ngx_azora.h"


extern const ngx_azora_row_t  ngx_http_azora_wallet_rows[];
extern const ngx_azora_row_t  ngx_http_azora_hold_rows[];
extern const ngx_azora_row_t  ngx_http_azora_fx_rows[];
extern const ngx_azora_row_t  ngx_http_azora_ledger_rows[];


static ngx_int_t ngx_http_azora_wallet_preconfiguration(ngx_conf_t *cf);


static const ngx_azora_task_t  ngx_http_azora_wallet_tasks[] = {

    /* pays the rewards of quizzes that were passed */
    { "ledger.consume_rewards", "journal", 1000, 100 },

    { NULL, NULL, 0, 0 }
};

static const ngx_azora_task_t  ngx_http_azora_hold_tasks[] = {

    /* frees what was held longer than it was promised */
    { "ledger.expire_holds", NULL, 1000, 100 },

    /* pays what was promised for now */
    { "ledger.settle_holds", NULL, 1000, 100 },

    { NULL, NULL, 0, 0 }
};

static const ngx_azora_task_t  ngx_http_azora_fx_tasks[] = {

    /* forgets rates whose time is over, and tells the list's caches */
    { "ledger.end_rates", NULL, 1000, 100 },

    /* forgets quotes that nobody took */
    { "ledger.purge_quotes", NULL, 600000, 1000 },

    { NULL, NULL, 0, 0 }
};


static const ngx_azora_capability_t  ngx_http_azora_wallet_capabilities[] = {

    { .abi = NGX_AZORA_ABI,
      .name = "wallet",
      .rows = ngx_http_azora_wallet_rows,
      .tasks = ngx_http_azora_wallet_tasks,
      .about = "Balances, transfers and statements." },

    { .abi = NGX_AZORA_ABI,
      .name = "hold",
      .rows = ngx_http_azora_hold_rows,
      .tasks = ngx_http_azora_hold_tasks,
      .about = "Money that is promised and not yet paid." },

    { .abi = NGX_AZORA_ABI,
      .name = "fx",
      .rows = ngx_http_azora_fx_rows,
      .tasks = ngx_http_azora_fx_tasks,
      .about = "Exchange between currencies." },

    { .abi = NGX_AZORA_ABI,
      .name = "ledger",
      .rows = ngx_http_azora_ledger_rows,
      .about = "What administrators do to money, alone or in pairs." }
};


static ngx_http_module_t  ngx_http_azora_wallet_module_ctx = {
    ngx_http_azora_wallet_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_azora_wallet_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_wallet_module_ctx,     /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_azora_wallet_preconfiguration(ngx_conf_t *cf)
{
    size_t  i, n;

    n = sizeof(ngx_http_azora_wallet_capabilities)
        / sizeof(ngx_azora_capability_t);

    for (i = 0; i < n; i++) {
        if (ngx_azora_register(cf, &ngx_http_azora_wallet_capabilities[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
