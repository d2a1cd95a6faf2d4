
/*
 * What the module keeps of a request while it waits: for a stored hash, a
 * thread, or the revocations.
 */


#include "ngx_http_azora_auth.h"


static void ngx_http_azora_auth_ctx_cleanup(void *data);


ngx_http_azora_auth_ctx_t *
ngx_http_azora_auth_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);
    if (actx != NULL) {
        return actx;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_azora_auth_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    actx = cln->data;
    ngx_memzero(actx, sizeof(ngx_http_azora_auth_ctx_t));
    actx->request = r;
    cln->handler = ngx_http_azora_auth_ctx_cleanup;

    ngx_http_set_ctx(r, actx, ngx_http_azora_auth_module);

    return actx;
}


/* The client left while something was under way for it. */

static void
ngx_http_azora_auth_ctx_cleanup(void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    if (actx->op != NULL) {
        ngx_azora_detach(actx->op);
        actx->op = NULL;
    }

    if (actx->queued) {
        ngx_queue_remove(&actx->queue);
        actx->queued = 0;
    }

    ngx_http_azora_auth_hash_forget(actx);
}
