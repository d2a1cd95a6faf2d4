
/*
 * Flights that ask nobody yet: those that wait for another worker look into
 * shared memory every few milliseconds, those that are first look into Redis,
 * where another node may have left the answer.
 */


#include "ngx_azora_flight.h"


#define NGX_AZORA_FLIGHT_TICK_MS    4


static void ngx_azora_flight_tick(ngx_event_t *ev);
static void ngx_azora_flight_look(ngx_azora_flight_t *flight);
static void ngx_azora_flight_asked(const ngx_azora_cache_copy_t *copy,
    void *data);
static void ngx_azora_flight_keep(ngx_azora_flight_t *flight,
    const ngx_azora_cache_copy_t *copy);
static void ngx_azora_flight_take(ngx_azora_flight_t *flight,
    const ngx_azora_cache_copy_t *copy);
static void ngx_azora_flight_lead(ngx_azora_flight_t *flight,
    uint64_t ticket);


static ngx_queue_t  ngx_azora_flight_remotes;
static ngx_event_t  ngx_azora_flight_timer;


void
ngx_azora_flight_remote_init(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_azora_flight_remotes);

    /* not cancelable: an ending worker stays for those who wait */
    ngx_azora_event(&ngx_azora_flight_timer, ngx_azora_flight_tick,
                    cycle->log);
}


void
ngx_azora_flight_remote_add(ngx_azora_flight_t *flight)
{
    ngx_queue_insert_tail(&ngx_azora_flight_remotes, &flight->remote);
}


void
ngx_azora_flight_remote_watch(void)
{
    if (!ngx_azora_flight_timer.timer_set) {
        ngx_add_timer(&ngx_azora_flight_timer, NGX_AZORA_FLIGHT_TICK_MS);
    }
}


ngx_int_t
ngx_azora_flight_ask(ngx_azora_flight_t *flight, uint64_t ticket)
{
    flight->far = ngx_azora_cache_far_get(&flight->key,
                      flight->endpoint->row->cache * 1000,
                      ngx_azora_flight_asked, flight);

    if (flight->far == NULL) {
        return NGX_DECLINED;
    }

    flight->ticket = ticket;
    ngx_queue_remove(&flight->remote);

    return NGX_OK;
}


static void
ngx_azora_flight_asked(const ngx_azora_cache_copy_t *copy, void *data)
{
    ngx_azora_flight_t *flight = data;

    flight->far = NULL;
    ngx_azora_flight_remote_add(flight);

    if (copy != NULL) {
        ngx_azora_cache_count(NGX_AZORA_CACHE_SHARED);
        ngx_azora_flight_keep(flight, copy);
        ngx_azora_flight_take(flight, copy);
        return;
    }

    if (ngx_queue_empty(&flight->waiters)) {
        /* nobody is there whose parameters PostgreSQL could be asked with */
        ngx_azora_cache_release(&ngx_azora_main_conf->cache, &flight->key,
                                flight->ticket);
        ngx_azora_flight_free(flight);
        return;
    }

    ngx_azora_cache_count(NGX_AZORA_CACHE_MISS);
    ngx_azora_flight_lead(flight, flight->ticket);
}


/* For the next ones, as old as it is. */

static void
ngx_azora_flight_keep(ngx_azora_flight_t *flight,
    const ngx_azora_cache_copy_t *copy)
{
    ngx_int_t               rc;
    ngx_azora_cache_news_t  news;

    rc = ngx_azora_cache_put(&ngx_azora_main_conf->cache, &flight->key,
                             flight->ticket, &copy->body, &copy->etag,
                             copy->age, flight->endpoint->row->cache * 1000,
                             &news);

    ngx_azora_cache_count_news(&news);

    if (rc != NGX_OK) {
        ngx_azora_cache_release(&ngx_azora_main_conf->cache, &flight->key,
                                flight->ticket);
    }
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

    rc = ngx_azora_cache_get(conf, &flight->key,
                             ngx_azora_cache_lease(flight->endpoint->row),
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


/* Everybody gets the copy that somebody left; NULL: out of memory. */

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
             ? ngx_azora_cache_send(r, ctx, &own, !own.far)
             : NGX_HTTP_INTERNAL_SERVER_ERROR;

        ngx_http_finalize_request(r, rc);
        ngx_http_run_posted_requests(c);
    }

    if (pool != NULL) {
        ngx_destroy_pool(pool);
    }

    ngx_free(flight);
}
