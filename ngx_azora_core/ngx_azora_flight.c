
/*
 * Flights: many ask the same at once, one query answers them all.
 *
 * The query belongs to the flight and not to the request that began it, so
 * nobody loses an answer because another client left.  A flight without a
 * query waits for another worker's: workers cannot wake each other, so it
 * looks into shared memory every few milliseconds, and asks itself when the
 * other one failed or died.
 */


#include "ngx_azora_flight.h"


#define NGX_AZORA_FLIGHT_CHAINS     256


static ngx_azora_flight_t *ngx_azora_flight_find(
    const ngx_azora_cache_key_t *key);
static ngx_azora_flight_t *ngx_azora_flight_new(ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key);
static ngx_azora_waiter_t *ngx_azora_flight_wait(ngx_azora_flight_t *flight,
    ngx_http_request_t *r);
static void ngx_azora_flight_leave(void *data);
static void ngx_azora_flight_answered(ngx_azora_op_t *op, void *data);
static ngx_uint_t ngx_azora_flight_store(ngx_azora_flight_t *flight,
    ngx_azora_op_t *op);
static void ngx_azora_flight_answer(ngx_azora_waiter_t *waiter,
    ngx_azora_flight_t *flight, ngx_azora_op_t *op, ngx_uint_t stored);


static ngx_queue_t       ngx_azora_flights[NGX_AZORA_FLIGHT_CHAINS];


void
ngx_azora_flight_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_FLIGHT_CHAINS; i++) {
        ngx_queue_init(&ngx_azora_flights[i]);
    }

    ngx_azora_flight_remote_init(cycle);
}


ngx_int_t
ngx_azora_flight_join(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key, const ngx_azora_cache_copy_t *copy)
{
    ngx_azora_flight_t  *flight;
    ngx_azora_waiter_t  *waiter;

    flight = ngx_azora_flight_find(key);

    if (flight == NULL) {
        flight = ngx_azora_flight_new(ctx, key);

        if (flight != NULL) {
            flight->known = copy->known;
        }
    }

    waiter = (flight == NULL) ? NULL : ngx_azora_flight_wait(flight, r);

    if (waiter == NULL) {
        goto failed;
    }

    if (copy->ticket == 0) {
        ngx_azora_cache_count(NGX_AZORA_CACHE_COLLAPSED);

        if (ngx_azora_flight_idle(flight)) {
            ngx_azora_flight_remote_watch();
        }

    } else if (!ngx_azora_flight_idle(flight)) {
        /* its entry was evicted meanwhile, and made again for this one */
        ngx_azora_cache_count(NGX_AZORA_CACHE_COLLAPSED);
        flight->ticket = copy->ticket;

    } else if (ngx_azora_flight_ask(flight, copy->ticket) != NGX_OK) {
        ngx_azora_cache_count(NGX_AZORA_CACHE_MISS);
        waiter->first = 1;

        if (ngx_azora_flight_start(flight, r, copy->ticket) != NGX_OK) {
            ngx_queue_remove(&waiter->queue);
            waiter->flight = NULL;
            goto failed;
        }
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;

failed:

    if (copy->ticket != 0) {
        ngx_azora_cache_release(&ngx_azora_main_conf->cache, key,
                                copy->ticket);
    }

    if (flight != NULL && ngx_azora_flight_idle(flight)
        && ngx_queue_empty(&flight->waiters))
    {
        ngx_azora_flight_free(flight);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* A failure costs nothing but the refreshing. */

void
ngx_azora_flight_refresh(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key, uint64_t ticket)
{
    ngx_azora_flight_t  *flight;

    flight = ngx_azora_flight_new(ctx, key);

    if (flight != NULL
        && ngx_azora_flight_start(flight, r, ticket) == NGX_OK)
    {
        return;
    }

    ngx_azora_cache_release(&ngx_azora_main_conf->cache, key, ticket);

    if (flight != NULL) {
        ngx_azora_flight_free(flight);
    }
}


static ngx_azora_flight_t *
ngx_azora_flight_find(const ngx_azora_cache_key_t *key)
{
    ngx_queue_t         *q, *chain;
    ngx_azora_flight_t  *flight;

    chain = &ngx_azora_flights[key->hash % NGX_AZORA_FLIGHT_CHAINS];

    for (q = ngx_queue_head(chain);
         q != ngx_queue_sentinel(chain);
         q = ngx_queue_next(q))
    {
        flight = ngx_queue_data(q, ngx_azora_flight_t, chain);

        if (flight->key.hash == key->hash
            && flight->key.generation == key->generation
            && flight->key.label.data == key->label.data
            && ngx_memcmp(flight->fingerprint, key->fingerprint,
                          NGX_AZORA_CACHE_FINGERPRINT) == 0)
        {
            return flight;
        }
    }

    return NULL;
}


static ngx_azora_flight_t *
ngx_azora_flight_new(ngx_azora_ctx_t *ctx, const ngx_azora_cache_key_t *key)
{
    ngx_azora_flight_t  *flight;

    flight = ngx_alloc(sizeof(ngx_azora_flight_t), ngx_cycle->log);
    if (flight == NULL) {
        return NULL;
    }

    ngx_memzero(flight, sizeof(ngx_azora_flight_t));

    flight->endpoint = ctx->endpoint;
    flight->key = *key;
    flight->key.fingerprint = flight->fingerprint;
    ngx_memcpy(flight->fingerprint, key->fingerprint,
               NGX_AZORA_CACHE_FINGERPRINT);

    ngx_queue_init(&flight->waiters);
    ngx_queue_insert_head(
        &ngx_azora_flights[key->hash % NGX_AZORA_FLIGHT_CHAINS],
        &flight->chain);
    ngx_azora_flight_remote_add(flight);

    return flight;
}


void
ngx_azora_flight_free(ngx_azora_flight_t *flight)
{
    ngx_queue_remove(&flight->chain);

    if (ngx_azora_flight_idle(flight)) {
        ngx_queue_remove(&flight->remote);
    }

    ngx_free(flight);
}


ngx_int_t
ngx_azora_flight_start(ngx_azora_flight_t *flight, ngx_http_request_t *r,
    uint64_t ticket)
{
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    flight->op = ngx_azora_call_query(r, ctx, ngx_azora_flight_answered,
                                      flight);
    if (flight->op == NULL) {
        return NGX_ERROR;
    }

    flight->ticket = ticket;
    ngx_queue_remove(&flight->remote);

    return NGX_OK;
}


static ngx_azora_waiter_t *
ngx_azora_flight_wait(ngx_azora_flight_t *flight, ngx_http_request_t *r)
{
    ngx_azora_waiter_t  *waiter;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_azora_waiter_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_azora_flight_leave;

    waiter = cln->data;
    waiter->request = r;
    waiter->flight = flight;
    waiter->first = 0;

    ngx_queue_insert_tail(&flight->waiters, &waiter->queue);

    return waiter;
}


/* The request ends; what it began goes on, what it only waited for may not. */

static void
ngx_azora_flight_leave(void *data)
{
    ngx_azora_waiter_t  *waiter = data;

    ngx_azora_flight_t  *flight;

    flight = waiter->flight;

    if (flight == NULL) {
        return;
    }

    ngx_queue_remove(&waiter->queue);
    waiter->flight = NULL;

    if (ngx_azora_flight_idle(flight) && !flight->landed
        && ngx_queue_empty(&flight->waiters))
    {
        ngx_azora_flight_free(flight);
    }
}


ngx_azora_waiter_t *
ngx_azora_flight_next(ngx_azora_flight_t *flight)
{
    ngx_queue_t         *q;
    ngx_azora_waiter_t  *waiter;

    if (ngx_queue_empty(&flight->waiters)) {
        return NULL;
    }

    q = ngx_queue_head(&flight->waiters);
    ngx_queue_remove(q);
    ngx_queue_init(q);

    waiter = ngx_queue_data(q, ngx_azora_waiter_t, queue);
    waiter->flight = NULL;

    return waiter;
}


/* Who comes from now on finds the answer, or asks again. */

void
ngx_azora_flight_land(ngx_azora_flight_t *flight)
{
    flight->landed = 1;
    ngx_queue_remove(&flight->chain);
}


static void
ngx_azora_flight_answered(ngx_azora_op_t *op, void *data)
{
    ngx_azora_flight_t *flight = data;

    ngx_uint_t           stored;
    ngx_azora_waiter_t  *waiter;

    ngx_azora_flight_land(flight);

    stored = ngx_azora_flight_store(flight, op);

    while ((waiter = ngx_azora_flight_next(flight)) != NULL) {
        ngx_azora_flight_answer(waiter, flight, op, stored);
    }

    ngx_free(flight);
}


/* Only what everybody may have for a while: 200, and nothing beside it. */

static ngx_uint_t
ngx_azora_flight_store(ngx_azora_flight_t *flight, ngx_azora_op_t *op)
{
    ngx_int_t                rc;
    ngx_str_t                body, etag;
    ngx_pool_t              *pool;
    ngx_msec_t               fresh;
    ngx_azora_reply_t        reply;
    ngx_azora_cache_news_t   news;
    ngx_azora_cache_conf_t  *conf;

    conf = &ngx_azora_main_conf->cache;
    rc = NGX_DECLINED;

    if (ngx_azora_result_reply(op, &reply) == NGX_OK
        && reply.status == NGX_HTTP_OK && reply.location.len == 0
        && reply.body.len != 0)
    {
        pool = ngx_create_pool(1024, ngx_cycle->log);

        if (pool != NULL) {
            etag = reply.etag;
            fresh = flight->endpoint->row->cache * 1000;

            if (ngx_azora_json_compact(pool, &body, &reply.body) == NGX_OK) {
                rc = ngx_azora_cache_put(conf, &flight->key, flight->ticket,
                                         &body, &etag, 0, fresh, &news);
                ngx_azora_cache_count_news(&news);
            }

            if (rc == NGX_OK) {
                ngx_azora_cache_far_put(&flight->key, &body, &etag, fresh);
            }

            ngx_destroy_pool(pool);
        }
    }

    if (rc != NGX_OK) {
        ngx_azora_cache_release(conf, &flight->key, flight->ticket);
    }

    return rc == NGX_OK;
}


static void
ngx_azora_flight_answer(ngx_azora_waiter_t *waiter,
    ngx_azora_flight_t *flight, ngx_azora_op_t *op, ngx_uint_t stored)
{
    ngx_int_t            rc;
    ngx_azora_ctx_t     *ctx;
    ngx_http_request_t  *r;

    r = waiter->request;
    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    /* the answer is of the question's time, which may be after r's */
    ctx->generation = flight->key.generation;

    rc = ngx_azora_cache_forwarded(r, flight->known, !waiter->first,
                                   waiter->first && stored);

    ngx_azora_result_finish(r, ctx, op, rc);
}
