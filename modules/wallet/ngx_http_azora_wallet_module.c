
/*
 * Wallets: balances, transfers and statements over the double-entry ledger.
 */


#include "ngx_azora.h"


extern const ngx_azora_row_t  ngx_http_azora_wallet_rows[];


static const ngx_azora_task_t  ngx_http_azora_wallet_tasks[] = {

    /* pays the rewards of quizzes that were passed */
    { "ledger.consume_rewards", "journal", 1000, 100 },

    /* frees what was held longer than it was promised */
    { "ledger.expire_holds", NULL, 1000, 100 },

    { NULL, NULL, 0, 0 }
};


static const ngx_azora_capability_t  ngx_http_azora_wallet = {
    .abi = NGX_AZORA_ABI,
    .name = "wallet",
    .rows = ngx_http_azora_wallet_rows,
    .tasks = ngx_http_azora_wallet_tasks,
    .about = "Balances, transfers and statements."
};


NGX_AZORA_MODULE(ngx_http_azora_wallet_module, ngx_http_azora_wallet);
