
/*
 * Stages: one handler per NGINX phase runs the numbered stages, so that their
 * order never depends on the order in which modules are loaded.
 */


#include "ngx_azora_private.h"


static ngx_int_t ngx_azora_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_azora_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_azora_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_azora_stage_run(ngx_http_request_t *r,
    ngx_uint_t first, ngx_uint_t last);
static ngx_azora_ctx_t *ngx_azora_recover_ctx(ngx_http_request_t *r);
static void ngx_azora_ctx_cleanup(void *data);


typedef struct {
    ngx_http_phases      phase;
    ngx_http_handler_pt  handler;
} ngx_azora_phase_t;


static const ngx_azora_phase_t  ngx_azora_phases[] = {
    { NGX_HTTP_POST_READ_PHASE, ngx_azora_post_read_handler },
    { NGX_HTTP_PREACCESS_PHASE, ngx_azora_preaccess_handler },
    { NGX_HTTP_ACCESS_PHASE, ngx_azora_access_handler },
    { NGX_HTTP_LOG_PHASE, ngx_azora_metrics_log_handler }
};


ngx_int_t
ngx_azora_stage_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(ngx_azora_phases) / sizeof(ngx_azora_phase_t); i++)
    {
        h = ngx_array_push(&cmcf->phases[ngx_azora_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_azora_phases[i].handler;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_post_read_handler(ngx_http_request_t *r)
{
    return ngx_azora_stage_run(r, NGX_AZORA_STAGE_TRACE,
                               NGX_AZORA_STAGE_TRACE);
}


static ngx_int_t
ngx_azora_preaccess_handler(ngx_http_request_t *r)
{
    return ngx_azora_stage_run(r, NGX_AZORA_STAGE_ROUTE,
                               NGX_AZORA_STAGE_FOUND);
}


static ngx_int_t
ngx_azora_access_handler(ngx_http_request_t *r)
{
    return ngx_azora_stage_run(r, NGX_AZORA_STAGE_AUTH,
                               NGX_AZORA_STAGE_PREPARE);
}


static ngx_int_t
ngx_azora_stage_run(ngx_http_request_t *r, ngx_uint_t first, ngx_uint_t last)
{
    ngx_int_t            rc;
    ngx_azora_ctx_t     *ctx;
    ngx_azora_stage_pt  *stages;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->waiting) {
        /* an event of the client's connection, not the one waited for */
        return NGX_AGAIN;
    }

    stages = ngx_azora_main_conf->stages;

    if (ctx->stage < first) {
        ctx->stage = first;
    }

    for ( /* void */ ; ctx->stage <= last; ctx->stage++) {

        if (stages[ctx->stage] == NULL) {
            continue;
        }

        rc = stages[ctx->stage](r, ctx);

        if (rc == NGX_OK || rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_AGAIN) {
            ctx->waiting = 1;
            r->read_event_handler = ngx_http_test_reading;
            return NGX_AGAIN;
        }

        if (rc == NGX_DONE) {
            ctx->waiting = 1;
            return NGX_DONE;
        }

        return (rc == NGX_ERROR) ? NGX_HTTP_INTERNAL_SERVER_ERROR : rc;
    }

    return NGX_DECLINED;
}


void
ngx_azora_resume(ngx_http_request_t *r)
{
    ngx_connection_t  *c;
    ngx_azora_ctx_t   *ctx;

    c = r->connection;
    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    ctx->waiting = 0;
    r->read_event_handler = ngx_http_block_reading;

    ngx_http_set_log_request(c->log, r);

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_azora_prepare_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    if (ctx->endpoint == NULL || ctx->endpoint->row->prepare == NULL) {
        return NGX_DECLINED;
    }

    return ctx->endpoint->row->prepare(r, ctx);
}


ngx_azora_ctx_t *
ngx_azora_get_ctx(ngx_http_request_t *r)
{
    ngx_azora_ctx_t     *ctx;
    ngx_pool_cleanup_t  *cln;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);
    if (ctx != NULL) {
        return ctx;
    }

    if (r->internal || r->filter_finalize) {
        ctx = ngx_azora_recover_ctx(r);
        if (ctx != NULL) {
            return ctx;
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_azora_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_azora_ctx_cleanup;

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_azora_ctx_t));

    ctx->request = r;
    ctx->started_ns = ngx_azora_now_ns();

    ngx_http_set_ctx(r, ctx, ngx_http_azora_module);

    return ctx;
}


/*
 * NGINX forgets contexts at an internal redirect.  What identifies the request
 * is kept; what a stage decided for the previous location is not, because the
 * new location may ask for more.
 */

static ngx_azora_ctx_t *
ngx_azora_recover_ctx(ngx_http_request_t *r)
{
    ngx_azora_ctx_t     *ctx;
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {

        if (cln->handler != ngx_azora_ctx_cleanup) {
            continue;
        }

        ctx = cln->data;

        ctx->stage = NGX_AZORA_STAGE_TRACE;
        ctx->endpoint = NULL;
        ctx->path_values = NULL;
        ctx->values = NULL;
        ctx->waiting = 0;
        ctx->replied = 0;
        ngx_memzero(&ctx->principal, sizeof(ngx_azora_principal_t));

        ngx_http_set_ctx(r, ctx, ngx_http_azora_module);

        return ctx;
    }

    return NULL;
}


static void
ngx_azora_ctx_cleanup(void *data)
{
    ngx_azora_ctx_t  *ctx = data;

    if (ctx->op != NULL) {
        ngx_azora_detach(ctx->op);
        ctx->op = NULL;
    }

    if (ctx->body != NULL) {
        json_decref(ctx->body);
        ctx->body = NULL;
    }
}
