
/*
 * Jobs and contracts whose milestones are paid from escrow: money that lies
 * in the ledger between the funding and the release.
 */


#include "ngx_azora.h"


extern const ngx_azora_row_t  ngx_http_azora_escrow_rows[];


static const ngx_azora_task_t  ngx_http_azora_escrow_tasks[] = {

    /* pays for work that its employer was silent about */
    { "market.end_reviews", NULL, 10000, 1 },

    { NULL, NULL, 0, 0 }
};


static const ngx_azora_capability_t  ngx_http_azora_escrow = {
    .abi = NGX_AZORA_ABI,
    .name = "escrow",
    .rows = ngx_http_azora_escrow_rows,
    .tasks = ngx_http_azora_escrow_tasks,
    .about = "Jobs, contracts and milestones paid from escrow."
};


NGX_AZORA_MODULE(ngx_http_azora_escrow_module, ngx_http_azora_escrow);
