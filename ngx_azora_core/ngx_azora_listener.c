
/*
 * Worker 0's own connection to PostgreSQL: LISTEN, then all generations read
 * once more every second, which notices a connection that died in silence and
 * heals whatever a notification may have missed.
 *
 * While libpq connects it may change its socket at any step, so the attempt
 * is looked at by a timer instead of being registered with the event loop:
 * nothing waits for this connection.
 */


#include "ngx_azora_listen.h"
#include "ngx_azora_pg.h"
#include <openssl/ssl.h>
#include <openssl/err.h>
#include <poll.h>


#define NGX_AZORA_LISTENER_STEP_MS      10
#define NGX_AZORA_LISTENER_ANSWER_MS    1000
#define NGX_AZORA_LISTENER_BACKOFF_MIN  50
#define NGX_AZORA_LISTENER_BACKOFF_MAX  5000
#define NGX_AZORA_LISTENER_DOUBLINGS    7


typedef enum {
    NGX_AZORA_LISTENER_CLOSED = 0,   /* the timer opens it */
    NGX_AZORA_LISTENER_CONNECTING,   /* the timer takes the next step */
    NGX_AZORA_LISTENER_SUBSCRIBING,  /* LISTEN was sent; a deadline */
    NGX_AZORA_LISTENER_READING,      /* the generations were asked for; too */
    NGX_AZORA_LISTENER_LISTENING     /* the timer reads again */
} ngx_azora_listener_state_e;

typedef struct {
    ngx_azora_listener_state_e    state;
    PGconn                       *pg;
    PostgresPollingStatusType     polling;
    ngx_connection_t             *connection;
    ngx_event_t                   timer;
    ngx_msec_t                    deadline;
    ngx_uint_t                    attempts;     /* failed in a row */
    ngx_uint_t                    down;         /* it was logged */
} ngx_azora_listener_t;


static void ngx_azora_listener_timer_handler(ngx_event_t *ev);
static void ngx_azora_listener_open(ngx_azora_listener_t *l);
static void ngx_azora_listener_connect(ngx_azora_listener_t *l);
static void ngx_azora_listener_connected(ngx_azora_listener_t *l);
static void ngx_azora_listener_send(ngx_azora_listener_t *l,
    ngx_azora_listener_state_e state, const char *sql);
static void ngx_azora_listener_read_handler(ngx_event_t *rev);
static void ngx_azora_listener_write_handler(ngx_event_t *wev);
static ngx_int_t ngx_azora_listener_consume(ngx_azora_listener_t *l);
static ngx_int_t ngx_azora_listener_results(ngx_azora_listener_t *l);
static void ngx_azora_listener_rows(ngx_azora_listener_t *l, PGresult *res);
static void ngx_azora_listener_done(ngx_azora_listener_t *l);
static ngx_uint_t ngx_azora_listener_notified(PGnotify *notify);
static void ngx_azora_listener_lost(ngx_azora_listener_t *l,
    const char *reason);
static void ngx_azora_listener_close(ngx_azora_listener_t *l);
static void ngx_azora_listener_notice(void *data, const char *message);


static ngx_azora_listener_t  ngx_azora_listener;


void
ngx_azora_listener_start(ngx_cycle_t *cycle)
{
    ngx_azora_listener_t  *l;

    l = &ngx_azora_listener;

    ngx_memzero(l, sizeof(ngx_azora_listener_t));

    ngx_azora_event(&l->timer, ngx_azora_listener_timer_handler, cycle->log);
    l->timer.cancelable = 1;

    ngx_add_timer(&l->timer, 1);
}


void
ngx_azora_listener_stop(void)
{
    ngx_azora_listener_close(&ngx_azora_listener);
}


static void
ngx_azora_listener_timer_handler(ngx_event_t *ev)
{
    ngx_azora_listener_t  *l;

    l = &ngx_azora_listener;

    if (ngx_exiting) {
        ngx_azora_listener_close(l);
        return;
    }

    switch (l->state) {

    case NGX_AZORA_LISTENER_CLOSED:
        ngx_azora_listener_open(l);
        break;

    case NGX_AZORA_LISTENER_CONNECTING:
        ngx_azora_listener_connect(l);
        break;

    case NGX_AZORA_LISTENER_LISTENING:
        ngx_azora_listener_send(l, NGX_AZORA_LISTENER_READING,
                                "SELECT name, value FROM azora.generations()");
        break;

    default:
        ngx_azora_listener_lost(l, "no answer in time");
    }
}


static void
ngx_azora_listener_open(ngx_azora_listener_t *l)
{
    l->pg = ngx_azora_pg_start(ngx_azora_main_conf->pg.primary,
                               "azora/listen", NGX_AZORA_LISTENER_ANSWER_MS,
                               l->attempts);

    if (l->pg == NULL) {
        ngx_azora_listener_lost(l, "out of memory");
        return;
    }

    if (PQstatus(l->pg) == CONNECTION_BAD) {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
        return;
    }

    (void) PQsetNoticeProcessor(l->pg, ngx_azora_listener_notice, l);

    l->state = NGX_AZORA_LISTENER_CONNECTING;
    l->polling = PGRES_POLLING_WRITING;
    l->deadline = ngx_current_msec
                  + ngx_azora_main_conf->pg.primary->connect_timeout;

    ngx_add_timer(&l->timer, 1);
}


static void
ngx_azora_listener_connect(ngx_azora_listener_t *l)
{
    struct pollfd  pfd;

    pfd.fd = PQsocket(l->pg);
    pfd.events = (l->polling == PGRES_POLLING_READING) ? POLLIN : POLLOUT;
    pfd.revents = 0;

    if (pfd.fd != -1 && poll(&pfd, 1, 0) > 0) {

        l->polling = PQconnectPoll(l->pg);
        ERR_clear_error();

        if (l->polling == PGRES_POLLING_OK) {
            ngx_azora_listener_connected(l);
            return;
        }

        if (l->polling == PGRES_POLLING_FAILED) {
            ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
            return;
        }
    }

    if ((ngx_msec_int_t) (l->deadline - ngx_current_msec) <= 0) {
        ngx_azora_listener_lost(l, "no connection in time");
        return;
    }

    ngx_add_timer(&l->timer, NGX_AZORA_LISTENER_STEP_MS);
}


static void
ngx_azora_listener_connected(ngx_azora_listener_t *l)
{
    ngx_connection_t  *c;

    if (PQsetnonblocking(l->pg, 1) != 0) {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
        return;
    }

    c = ngx_get_connection(PQsocket(l->pg), l->timer.log);
    if (c == NULL) {
        ngx_azora_listener_lost(l, "no free worker connection");
        return;
    }

    l->connection = c;

    c->data = l;
    c->log_error = NGX_ERROR_INFO;
    c->read->handler = ngx_azora_listener_read_handler;
    c->write->handler = ngx_azora_listener_write_handler;
    c->read->log = l->timer.log;
    c->write->log = l->timer.log;

    /* a worker that shuts down asks idle connections to close */
    c->idle = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_azora_listener_lost(l, "the event loop does not take it");
        return;
    }

    /* first LISTEN, then read: what moves in between is announced */

    ngx_azora_listener_send(l, NGX_AZORA_LISTENER_SUBSCRIBING,
                            "LISTEN azora_generation");
}


static void
ngx_azora_listener_send(ngx_azora_listener_t *l,
    ngx_azora_listener_state_e state, const char *sql)
{
    int           rc;
    ngx_event_t  *wev;

    if (PQsendQuery(l->pg, sql) == 0) {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
        return;
    }

    l->state = state;
    ngx_add_timer(&l->timer, NGX_AZORA_LISTENER_ANSWER_MS);

    rc = PQflush(l->pg);

    if (rc == 0) {
        return;
    }

    wev = l->connection->write;

    if (rc == -1
        || (!wev->active
            && ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK))
    {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
    }
}


static void
ngx_azora_listener_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_azora_listener_t  *l;

    c = rev->data;
    l = c->data;

    if (c->close) {
        ngx_azora_listener_close(l);
        return;
    }

    if (ngx_azora_listener_consume(l) == NGX_ERROR) {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
    }
}


static void
ngx_azora_listener_write_handler(ngx_event_t *wev)
{
    int                    rc;
    ngx_connection_t      *c;
    ngx_azora_listener_t  *l;

    c = wev->data;
    l = c->data;

    rc = PQflush(l->pg);

    if (rc == 1) {
        return;
    }

    if (rc == -1
        || ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK)
    {
        ngx_azora_listener_lost(l, PQerrorMessage(l->pg));
    }
}


/* NGX_ERROR: the connection failed; NGX_DECLINED: it is closed already */

static ngx_int_t
ngx_azora_listener_consume(ngx_azora_listener_t *l)
{
    SSL         *ssl;
    PGnotify    *notify;
    ngx_int_t    rc;
    ngx_uint_t   moved;

    do {
        rc = PQconsumeInput(l->pg);
        ERR_clear_error();

        if (rc == 0) {
            return NGX_ERROR;
        }

        rc = ngx_azora_listener_results(l);

        if (rc != NGX_OK) {
            return rc;
        }

        moved = 0;

        while ((notify = PQnotifies(l->pg)) != NULL) {
            moved |= ngx_azora_listener_notified(notify);
            PQfreemem(notify);
        }

        if (moved) {
            ngx_azora_wake_all();
        }

        /* bytes that OpenSSL holds already never make the socket readable */

        ssl = PQsslStruct(l->pg, "OpenSSL");

    } while (ssl && SSL_pending(ssl) > 0);

    return NGX_OK;
}


static ngx_int_t
ngx_azora_listener_results(ngx_azora_listener_t *l)
{
    PGresult  *res;

    while ((l->state == NGX_AZORA_LISTENER_SUBSCRIBING
            || l->state == NGX_AZORA_LISTENER_READING)
           && !PQisBusy(l->pg))
    {
        res = PQgetResult(l->pg);

        if (res == NULL) {
            ngx_azora_listener_done(l);
            return (l->pg == NULL) ? NGX_DECLINED : NGX_OK;
        }

        switch (PQresultStatus(res)) {

        case PGRES_TUPLES_OK:
            ngx_azora_listener_rows(l, res);
            break;

        case PGRES_COMMAND_OK:
            break;

        default:
            PQclear(res);
            return NGX_ERROR;
        }

        PQclear(res);
    }

    return NGX_OK;
}


static void
ngx_azora_listener_rows(ngx_azora_listener_t *l, PGresult *res)
{
    int        i;
    off_t      value;
    uint64_t   old;
    ngx_str_t  name;

    if (PQnfields(res) != 2) {
        return;
    }

    for (i = 0; i < PQntuples(res); i++) {

        name.data = (u_char *) PQgetvalue(res, i, 0);
        name.len = PQgetlength(res, i, 0);

        value = ngx_atoof((u_char *) PQgetvalue(res, i, 1),
                          PQgetlength(res, i, 1));

        if (value <= 0) {
            continue;
        }

        old = ngx_azora_generation_store(&name, value);

        /* what is only new to a worker that has just begun is no news */

        if (old != 0 && old != (uint64_t) value) {
            ngx_azora_redis_publish(&name, value);
        }
    }
}


/* A command's last result was taken. */

static void
ngx_azora_listener_done(ngx_azora_listener_t *l)
{
    if (l->state == NGX_AZORA_LISTENER_SUBSCRIBING) {
        ngx_azora_listener_send(l, NGX_AZORA_LISTENER_READING,
                                "SELECT name, value FROM azora.generations()");
        return;
    }

    if (l->down) {
        ngx_log_error(NGX_LOG_NOTICE, l->timer.log, 0,
                      "azora: listening for generations again");
    }

    l->down = 0;
    l->attempts = 0;
    l->state = NGX_AZORA_LISTENER_LISTENING;

    ngx_azora_generation_confirm();

    ngx_add_timer(&l->timer, NGX_AZORA_LISTEN_CHECK_MS);
}


/*
 * Whether there may be news.  In a reload two of these connections hear the
 * same, and whichever comes second has workers to tell as well.
 */

static ngx_uint_t
ngx_azora_listener_notified(PGnotify *notify)
{
    uint64_t   value;
    ngx_str_t  name;

    if (ngx_azora_generation_parse((u_char *) notify->extra,
                                   ngx_strlen(notify->extra), &name, &value)
        != NGX_OK)
    {
        return 0;
    }

    if (ngx_azora_generation_store(&name, value) != value) {
        ngx_azora_redis_publish(&name, value);
    }

    return 1;
}


/* The connection failed: it is opened again later, with full jitter. */

static void
ngx_azora_listener_lost(ngx_azora_listener_t *l, const char *reason)
{
    ngx_uint_t  level;
    ngx_msec_t  delay;

    level = l->down ? NGX_LOG_INFO : NGX_LOG_WARN;

    /* libpq's messages may go on over several lines */

    ngx_log_error(level, l->timer.log, 0,
                  "azora: not listening for generations: %*s",
                  strcspn(reason, "\n"), reason);

    ngx_azora_listener_close(l);

    delay = (ngx_msec_t) NGX_AZORA_LISTENER_BACKOFF_MIN
            << ngx_min(l->attempts, NGX_AZORA_LISTENER_DOUBLINGS);
    delay = ngx_min(delay, NGX_AZORA_LISTENER_BACKOFF_MAX);

    l->down = 1;
    l->attempts++;

    ngx_add_timer(&l->timer, 1 + ngx_random() % delay);
}


static void
ngx_azora_listener_close(ngx_azora_listener_t *l)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    ngx_azora_generation_withdraw();

    if (l->timer.timer_set) {
        ngx_del_timer(&l->timer);
    }

    c = l->connection;

    if (c != NULL) {
        l->connection = NULL;

        /* libpq closes the socket of a broken connection by itself */

        flags = (PQsocket(l->pg) == c->fd) ? 0 : NGX_CLOSE_EVENT;

        if (c->read->active) {
            ngx_del_event(c->read, NGX_READ_EVENT, flags);
        }

        if (c->write->active) {
            ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
        }

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
    }

    if (l->pg != NULL) {
        PQfinish(l->pg);
        l->pg = NULL;

        /* what libpq leaves there NGINX would take for an error of its own */
        ERR_clear_error();
    }

    l->state = NGX_AZORA_LISTENER_CLOSED;
}


static void
ngx_azora_listener_notice(void *data, const char *message)
{
    ngx_azora_listener_t *l = data;

    ngx_log_error(NGX_LOG_INFO, l->timer.log, 0, "azora: PostgreSQL: %*s",
                  strcspn(message, "\n"), message);
}
