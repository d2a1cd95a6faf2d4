
/*
 * A client of the event streams.  What is due to it follows from one number,
 * the next it has not seen: from the worker's ring, or from PostgreSQL when
 * the ring no longer has it.  So nothing is ever queued for a slow client.
 *
 *   STARTING  -> LIVE | WRITING | BEHIND
 *   LIVE      an event comes                         -> LIVE | WRITING
 *   WRITING   the client reads                       -> LIVE | BEHIND
 *   BEHIND    it is its turn                         -> ASKING
 *   ASKING    a page comes                           -> LIVE | WRITING | BEHIND
 */


#include "ngx_http_azora_journal_events.h"


#define NGX_HTTP_AZORA_JOURNAL_TICK        250     /* ms */
#define NGX_HTTP_AZORA_JOURNAL_STALLED     30000   /* ms without a byte read */
#define NGX_HTTP_AZORA_JOURNAL_BEATS       1000    /* heartbeats a tick */
#define NGX_HTTP_AZORA_JOURNAL_LEAVE       1000    /* ms in which all leave */


static void ngx_http_azora_journal_client_cleanup(void *data);
static void ngx_http_azora_journal_client_forget(
    ngx_http_azora_journal_client_t *client);
static void ngx_http_azora_journal_clients_start(ngx_event_t *ev);
static void ngx_http_azora_journal_client_lifetime(
    ngx_http_azora_journal_client_t *client);
static void ngx_http_azora_journal_clients_tick(ngx_event_t *ev);
static void ngx_http_azora_journal_clients_leave(void);
static void ngx_http_azora_journal_clients_beat(void);
static ngx_http_azora_journal_event_t *ngx_http_azora_journal_hello(
    uint64_t next);
static ngx_int_t ngx_http_azora_journal_beat_make(uint64_t end);


ngx_http_azora_journal_clients_t  ngx_http_azora_journal_clients;

/* the heartbeat of now, and one that says nothing; shared by all */
static ngx_http_azora_journal_event_t  *ngx_http_azora_journal_beat;
static ngx_http_azora_journal_event_t  *ngx_http_azora_journal_comment;


ngx_int_t
ngx_http_azora_journal_events_init_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    ngx_memzero(clients, sizeof(ngx_http_azora_journal_clients_t));
    ngx_queue_init(&clients->clients);
    ngx_queue_init(&clients->starting);
    ngx_queue_init(&clients->behind);
    ngx_http_azora_journal_audience_init();

    ngx_http_azora_journal_comment = ngx_http_azora_journal_event_alloc(3);

    if (ngx_http_azora_journal_comment == NULL
        || ngx_http_azora_journal_ring_init(cycle) != NGX_OK
        || ngx_http_azora_journal_beat_make(0) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(ngx_http_azora_journal_comment->data, ":\n\n", 3);

    ngx_azora_event(&clients->start, ngx_http_azora_journal_clients_start,
                    cycle->log);
    ngx_azora_event(&clients->timer, ngx_http_azora_journal_clients_tick,
                    cycle->log);
    clients->timer.cancelable = 1;

    ngx_add_timer(&clients->timer, NGX_HTTP_AZORA_JOURNAL_TICK);

    return NGX_OK;
}


ngx_http_azora_journal_client_t *
ngx_http_azora_journal_client_create(ngx_http_request_t *r,
    ngx_http_azora_journal_audience_t *audience,
    ngx_http_azora_journal_audience_t *owner, uint64_t next)
{
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    client = ngx_calloc(sizeof(ngx_http_azora_journal_client_t),
                        r->connection->log);
    if (client == NULL) {
        return NULL;
    }

    client->cleanup = ngx_pool_cleanup_add(r->pool, 0);
    client->event = ngx_http_azora_journal_hello(next);

    if (client->cleanup == NULL || client->event == NULL) {

        if (client->event != NULL) {
            ngx_http_azora_journal_event_release(client->event);
        }

        ngx_free(client);
        return NULL;
    }

    client->cleanup->handler = ngx_http_azora_journal_client_cleanup;
    client->cleanup->data = client;
    client->connection = r->connection;
    client->request = r;
    client->audience = audience;
    client->owner = owner;
    client->next = next;
    client->written = ngx_current_msec;
    client->opened = ngx_time();
    client->page = NGX_HTTP_AZORA_JOURNAL_PAGE;
    client->state = NGX_HTTP_AZORA_JOURNAL_STARTING;

    audience->refs++;
    owner->refs++;
    owner->connections++;

    ngx_queue_insert_tail(&audience->clients, &client->peers);
    ngx_queue_insert_tail(&clients->clients, &client->order);
    ngx_queue_insert_tail(&clients->starting, &client->turn);

    ngx_http_set_ctx(r, client, ngx_http_azora_journal_module);

    clients->n++;
    ngx_azora_metric_add(ngx_http_azora_journal_conf->streams_metric, 1);

    ngx_post_event(&clients->start, &ngx_posted_events);

    return client;
}


/*
 * Begins every stream: when to come back, should it end (a jitter for each),
 * and from where, should it end before the first event.
 */

static ngx_http_azora_journal_event_t *
ngx_http_azora_journal_hello(uint64_t next)
{
    u_char                          *p;
    ngx_http_azora_journal_event_t  *event;

    event = ngx_http_azora_journal_event_alloc(sizeof("retry: \nid: \n\n")
                                               + 2 * NGX_INT64_LEN);
    if (event == NULL) {
        return NULL;
    }

    p = ngx_sprintf(event->data, "retry: %ui\n",
                    (ngx_uint_t) (1000 + ngx_random() % 2000));

    if (next > 0) {
        p = ngx_sprintf(p, "id: %uL\n", next - 1);
    }

    *p++ = '\n';
    event->len = p - event->data;

    return event;
}


/* The request ended without us: NGINX closes what there is to close. */

static void
ngx_http_azora_journal_client_cleanup(void *data)
{
    ngx_http_azora_journal_client_t *client = data;

    if (client == NULL) {
        return;
    }

    ngx_http_azora_journal_client_forget(client);

    if (client->event != NULL) {
        ngx_http_azora_journal_event_release(client->event);
    }

    ngx_free(client);
}


void
ngx_http_azora_journal_client_close(ngx_http_azora_journal_client_t *client)
{
    ngx_http_azora_journal_client_forget(client);
    ngx_http_azora_journal_wire_close(client);

    if (client->event != NULL) {
        ngx_http_azora_journal_event_release(client->event);
    }

    ngx_free(client);
}


static void
ngx_http_azora_journal_client_forget(ngx_http_azora_journal_client_t *client)
{
    ngx_connection_t                  *c;
    ngx_http_azora_journal_clients_t  *clients;

    c = client->connection;
    clients = &ngx_http_azora_journal_clients;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (client->state == NGX_HTTP_AZORA_JOURNAL_STARTING) {
        ngx_queue_remove(&client->turn);
    }

    ngx_http_azora_journal_replay_leave(client);

    ngx_queue_remove(&client->peers);
    ngx_queue_remove(&client->order);

    client->owner->connections--;
    ngx_http_azora_journal_audience_release(client->owner);
    ngx_http_azora_journal_audience_release(client->audience);

    clients->n--;
    ngx_azora_metric_add(ngx_http_azora_journal_conf->streams_metric, -1);
}


static void
ngx_http_azora_journal_clients_start(ngx_event_t *ev)
{
    ngx_queue_t                       *q;
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    while (!ngx_queue_empty(&clients->starting)) {
        q = ngx_queue_head(&clients->starting);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, turn);

        ngx_queue_remove(q);
        client->state = NGX_HTTP_AZORA_JOURNAL_LIVE;

        ngx_http_azora_journal_client_lifetime(client);

        if (ngx_http_azora_journal_wire_open(client) != NGX_OK) {
            ngx_http_azora_journal_client_close(client);
            continue;
        }

        (void) ngx_http_azora_journal_client_go_on(client);
    }
}


/*
 * A stream ends with its token, and before that after a while, so that clients
 * spread over nodes and workers again; never all at the same time.
 */

static void
ngx_http_azora_journal_client_lifetime(ngx_http_azora_journal_client_t *client)
{
    int64_t           left;
    ngx_msec_t        lifetime;
    ngx_time_t       *now;
    ngx_azora_ctx_t  *ctx;

    lifetime = ngx_http_azora_journal_conf->lifetime;
    lifetime -= ngx_random() % (lifetime / 5 + 1);

    ctx = ngx_azora_get_ctx(client->request);

    if (ctx != NULL && ctx->principal.expires != 0) {
        now = ngx_timeofday();
        left = ((int64_t) ctx->principal.expires - now->sec) * 1000
               - (int64_t) now->msec;

        if (left < (int64_t) lifetime) {
            lifetime = (left > 0) ? (ngx_msec_t) left : 1;
        }
    }

    ngx_add_timer(client->connection->read, lifetime);
}


ngx_int_t
ngx_http_azora_journal_client_go_on(ngx_http_azora_journal_client_t *client)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = client->connection;

    for ( ;; ) {

        if (client->event != NULL) {

            rc = ngx_http_azora_journal_wire_write(client);

            if (rc == NGX_ERROR) {
                ngx_http_azora_journal_client_close(client);
                return NGX_ERROR;
            }

            if (rc == NGX_AGAIN) {
                client->state = NGX_HTTP_AZORA_JOURNAL_WRITING;
                ngx_add_timer(c->write, NGX_HTTP_AZORA_JOURNAL_STALLED);
                return NGX_OK;
            }

            if (c->write->timer_set) {
                ngx_del_timer(c->write);
            }

            ngx_http_azora_journal_event_release(client->event);
            client->event = NULL;
            client->sent = 0;
        }

        if (client->check
            || client->next < ngx_http_azora_journal_ring_first())
        {
            ngx_http_azora_journal_replay_queue(client);
            return NGX_OK;
        }

        client->event = ngx_http_azora_journal_ring_find(client->audience,
                                                         &client->next);
        if (client->event == NULL) {
            client->state = NGX_HTTP_AZORA_JOURNAL_LIVE;
            return NGX_OK;
        }
    }
}


void
ngx_http_azora_journal_client_wrote(ngx_http_azora_journal_client_t *client)
{
    client->written = ngx_current_msec;

    ngx_queue_remove(&client->order);
    ngx_queue_insert_tail(&ngx_http_azora_journal_clients.clients,
                          &client->order);
}


static void
ngx_http_azora_journal_clients_tick(ngx_event_t *ev)
{
    if (ngx_exiting || ngx_terminate) {
        ngx_http_azora_journal_clients_leave();

    } else {
        ngx_http_azora_journal_ring_tick();
        ngx_http_azora_journal_sessions_tick();
    }

    ngx_http_azora_journal_clients_beat();
    ngx_http_azora_journal_replay_run();

    if (!ngx_exiting || ngx_http_azora_journal_clients.n > 0) {
        ngx_add_timer(ev, NGX_HTTP_AZORA_JOURNAL_TICK);
    }
}


/* The workers after a reload take over: clients come with Last-Event-ID. */

static void
ngx_http_azora_journal_clients_leave(void)
{
    ngx_queue_t                       *q;
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    for (q = ngx_queue_head(&clients->clients);
         q != ngx_queue_sentinel(&clients->clients);
         q = ngx_queue_next(q))
    {
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, order);

        if (!client->ending) {
            client->ending = 1;
            ngx_add_timer(client->connection->read,
                          1 + ngx_random() % NGX_HTTP_AZORA_JOURNAL_LEAVE);
        }
    }
}


/*
 * A comment for those that got nothing for long, so that proxies wait on; and
 * the number up to which there was nothing, so that whoever comes back is
 * served from the ring.
 */

static ngx_int_t
ngx_http_azora_journal_beat_make(uint64_t end)
{
    u_char                          *p;
    ngx_http_azora_journal_event_t  *beat;

    beat = ngx_http_azora_journal_beat;

    if (beat != NULL && beat->seq == end) {
        return NGX_OK;
    }

    beat = ngx_http_azora_journal_event_alloc(sizeof(":\nid: \n\n")
                                              + NGX_INT64_LEN);
    if (beat == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(beat->data, ":\n", 2);

    if (end > 0) {
        p = ngx_sprintf(p, "id: %uL\n", end - 1);
    }

    *p++ = '\n';
    beat->len = p - beat->data;
    beat->seq = end;

    if (ngx_http_azora_journal_beat != NULL) {
        ngx_http_azora_journal_event_release(ngx_http_azora_journal_beat);
    }

    ngx_http_azora_journal_beat = beat;

    return NGX_OK;
}


static void
ngx_http_azora_journal_clients_beat(void)
{
    uint64_t                           end;
    ngx_msec_t                         heartbeat;
    ngx_uint_t                         n;
    ngx_queue_t                       *q;
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;
    heartbeat = ngx_http_azora_journal_conf->heartbeat;
    end = ngx_http_azora_journal_ring_end();

    if (ngx_http_azora_journal_beat_make(end) != NGX_OK) {
        return;
    }

    for (n = 0; n < NGX_HTTP_AZORA_JOURNAL_BEATS; n++) {

        if (ngx_queue_empty(&clients->clients)) {
            return;
        }

        q = ngx_queue_head(&clients->clients);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, order);

        if (ngx_current_msec - client->written < heartbeat) {
            return;
        }

        ngx_http_azora_journal_client_wrote(client);

        if (client->state == NGX_HTTP_AZORA_JOURNAL_BEHIND
            && clients->is_paused)
        {
            /* PostgreSQL is away: nobody's turn comes */

            ngx_queue_remove(&client->turn);
            client->state = NGX_HTTP_AZORA_JOURNAL_LIVE;
            ngx_http_azora_journal_comment->refs++;
            client->event = ngx_http_azora_journal_comment;
            (void) ngx_http_azora_journal_client_go_on(client);
            continue;
        }

        /* one that is ahead waits for the ring for a moment only */

        if (client->state == NGX_HTTP_AZORA_JOURNAL_LIVE
            && client->next <= end)
        {
            client->next = end;
            ngx_http_azora_journal_beat->refs++;
            client->event = ngx_http_azora_journal_beat;
            (void) ngx_http_azora_journal_client_go_on(client);
        }
    }
}
