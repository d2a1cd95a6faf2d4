
/*
 * Flights: many ask the same at once, one query answers them all.
 *
 * The query belongs to the flight and not to the request that began it, so
 * nobody loses an answer because another client left.  A flight without a
 * query waits for another worker's: workers cannot wake each other, so it
 * looks into shared memory every few milliseconds, and asks itself when the
 * other one failed or died.
 */


#include "ngx_azora_cache.h"


#define NGX_AZORA_FLIGHT_CHAINS     256
#define NGX_AZORA_FLIGHT_TICK_MS    4


struct ngx_azora_flight_s {
    ngx_queue_t                  chain;
    ngx_queue_t                  remote;      /* while op is NULL */
    ngx_queue_t                  waiters;
    ngx_azora_op_t              *op;
    const ngx_azora_endpoint_t  *endpoint;
    ngx_azora_cache_key_t        key;
    uint64_t                     ticket;
    u_char                       fingerprint[NGX_AZORA_CACHE_FINGERPRINT];
    unsigned                     known:1;
    unsigned                     landed:1;    /* who answers also frees */
};


typedef struct {
    ngx_queue_t                  queue;
    ngx_http_request_t          *request;
    ngx_azora_flight_t          *flight;      /* NULL: it has landed */
    unsigned                     first:1;
} ngx_azora_waiter_t;


static ngx_azora_flight_t *ngx_azora_flight_find(
    const ngx_azora_cache_key_t *key);
static ngx_azora_flight_t *ngx_azora_flight_new(ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key);
static void ngx_azora_flight_free(ngx_azora_flight_t *flight);
static ngx_int_t ngx_azora_flight_start(ngx_azora_flight_t *flight,
    ngx_http_request_t *r, uint64_t ticket);
static ngx_azora_waiter_t *ngx_azora_flight_wait(ngx_azora_flight_t *flight,
    ngx_http_request_t *r);
static void ngx_azora_flight_leave(void *data);
static ngx_azora_waiter_t *ngx_azora_flight_next(ngx_azora_flight_t *flight);
static void ngx_azora_flight_land(ngx_azora_flight_t *flight);
static void ngx_azora_flight_answered(ngx_azora_op_t *op, void *data);
static ngx_uint_t ngx_azora_flight_store(ngx_azora_flight_t *flight,
    ngx_azora_op_t *op);
static void ngx_azora_flight_answer(ngx_azora_waiter_t *waiter,
    ngx_azora_flight_t *flight, ngx_azora_op_t *op, ngx_uint_t stored);
static void ngx_azora_flight_tick(ngx_event_t *ev);
static void ngx_azora_flight_look(ngx_azora_flight_t *flight);
static void ngx_azora_flight_take(ngx_azora_flight_t *flight,
    const ngx_azora_cache_copy_t *copy);
static void ngx_azora_flight_lead(ngx_azora_flight_t *flight,
    uint64_t ticket);


static ngx_queue_t       ngx_azora_flights[NGX_AZORA_FLIGHT_CHAINS];
static ngx_queue_t       ngx_azora_flight_remotes;
static ngx_event_t       ngx_azora_flight_timer;
static ngx_connection_t  ngx_azora_flight_nobody = { .fd = (ngx_socket_t) -1 };


void
ngx_azora_flight_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t    i;
    ngx_event_t  *ev;

    for (i = 0; i < NGX_AZORA_FLIGHT_CHAINS; i++) {
        ngx_queue_init(&ngx_azora_flights[i]);
    }

    ngx_queue_init(&ngx_azora_flight_remotes);

    /* not cancelable: an ending worker stays for those who wait */

    ev = &ngx_azora_flight_timer;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_azora_flight_tick;
    ev->data = &ngx_azora_flight_nobody;
    ev->log = cycle->log;
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

        if (flight->op == NULL && !ngx_azora_flight_timer.timer_set) {
            ngx_add_timer(&ngx_azora_flight_timer, NGX_AZORA_FLIGHT_TICK_MS);
        }

    } else if (flight->op != NULL) {
        /* its entry was evicted meanwhile, and made again for this one */
        ngx_azora_cache_count(NGX_AZORA_CACHE_COLLAPSED);
        flight->ticket = copy->ticket;

    } else {
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

    if (flight != NULL && flight->op == NULL
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
    ngx_queue_insert_tail(&ngx_azora_flight_remotes, &flight->remote);

    return flight;
}


static void
ngx_azora_flight_free(ngx_azora_flight_t *flight)
{
    ngx_queue_remove(&flight->chain);

    if (flight->op == NULL) {
        ngx_queue_remove(&flight->remote);
    }

    ngx_free(flight);
}


static ngx_int_t
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

    if (flight->op == NULL && !flight->landed
        && ngx_queue_empty(&flight->waiters))
    {
        ngx_azora_flight_free(flight);
    }
}


static ngx_azora_waiter_t *
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

static void
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

            if (ngx_azora_json_compact(pool, &body, &reply.body) == NGX_OK) {
                rc = ngx_azora_cache_put(conf, &flight->key, flight->ticket,
                                         &body, &etag,
                                         flight->endpoint->row->cache * 1000,
                                         &news);
                ngx_azora_cache_count_news(&news);
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


static void
ngx_azora_flight_tick(ngx_event_t *ev)
{
    ngx_queue_t         *q;

    /* what is added meanwhile is for the next time; static, because newer
       compilers see the address of a local variable leave the function */

    static ngx_queue_t   last;

    if (ngx_queue_empty(&ngx_azora_flight_remotes)) {
        return;
    }

    ngx_queue_insert_tail(&ngx_azora_flight_remotes, &last);

    for ( ;; ) {
        q = ngx_queue_head(&ngx_azora_flight_remotes);
        ngx_queue_remove(q);

        if (q == &last) {
            break;
        }

        ngx_queue_insert_tail(&ngx_azora_flight_remotes, q);
        ngx_azora_flight_look(ngx_queue_data(q, ngx_azora_flight_t, remote));
    }

    if (!ngx_queue_empty(&ngx_azora_flight_remotes)) {
        ngx_add_timer(ev, NGX_AZORA_FLIGHT_TICK_MS);
    }
}


static void
ngx_azora_flight_look(ngx_azora_flight_t *flight)
{
    ngx_int_t                rc;
    ngx_azora_cache_copy_t   copy;
    ngx_azora_cache_news_t   news;
    ngx_azora_cache_conf_t  *conf;

    conf = &ngx_azora_main_conf->cache;

    if (flight->endpoint->row->version != NULL) {
        flight->key.generation =
            ngx_azora_generation(flight->endpoint->generation);

        if (flight->key.generation == 0) {
            /* nobody tells us of changes now: ask, and keep nothing */
            ngx_azora_flight_lead(flight, 0);
            return;
        }
    }

    rc = ngx_azora_cache_get(conf, &flight->key, ngx_azora_cache_lease(),
                             &copy, &news);

    ngx_azora_cache_count_news(&news);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_OK) {

        if (copy.ticket != 0) {
            ngx_azora_cache_release(conf, &flight->key, copy.ticket);
        }

        ngx_azora_flight_take(flight, &copy);
        return;
    }

    /* the other one failed: it is up to us */

    ngx_azora_flight_lead(flight, copy.ticket);
}


static void
ngx_azora_flight_lead(ngx_azora_flight_t *flight, uint64_t ticket)
{
    ngx_azora_waiter_t  *waiter;

    waiter = ngx_queue_data(ngx_queue_head(&flight->waiters),
                            ngx_azora_waiter_t, queue);
    waiter->first = 1;

    if (ngx_azora_flight_start(flight, waiter->request, ticket) == NGX_OK) {
        return;
    }

    ngx_azora_cache_release(&ngx_azora_main_conf->cache, &flight->key, ticket);
    ngx_azora_flight_take(flight, NULL);
}


/* Everybody gets the copy that another worker left; NULL: out of memory. */

static void
ngx_azora_flight_take(ngx_azora_flight_t *flight,
    const ngx_azora_cache_copy_t *copy)
{
    ngx_int_t                rc;
    ngx_pool_t              *pool;
    ngx_azora_ctx_t         *ctx;
    ngx_connection_t        *c;
    ngx_azora_waiter_t      *waiter;
    ngx_http_request_t      *r;
    ngx_azora_cache_copy_t   own;

    ngx_queue_remove(&flight->remote);
    ngx_azora_flight_land(flight);

    /* what answering leads to may use the worker's buffer again */

    pool = ngx_create_pool(1024, ngx_cycle->log);

    if (pool != NULL && copy != NULL) {
        own = *copy;
        own.known = flight->known;

        if (ngx_azora_copy(pool, &own.body, &copy->body) != NGX_OK
            || ngx_azora_copy(pool, &own.etag, &copy->etag) != NGX_OK)
        {
            copy = NULL;
        }
    }

    while ((waiter = ngx_azora_flight_next(flight)) != NULL) {
        r = waiter->request;
        c = r->connection;
        ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

        r->read_event_handler = ngx_http_block_reading;
        ngx_http_set_log_request(c->log, r);

        ctx->generation = flight->key.generation;

        rc = (pool != NULL && copy != NULL)
             ? ngx_azora_cache_send(r, ctx, &own, 1)
             : NGX_HTTP_INTERNAL_SERVER_ERROR;

        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }

    ngx_free(flight);
}
