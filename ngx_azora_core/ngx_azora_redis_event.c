
/*
 * hiredis on NGINX's event loop.  All timers are ours, so the contexts need no
 * scheduleTimer, which hiredis before 1.0 does not have.
 *
 * hiredis owns the socket and may free a context inside any of its calls; its
 * cleanup hook comes before it closes the socket, so that is where NGINX lets
 * go of it, and nothing is touched after a call into hiredis.
 */


#include "ngx_azora_redis.h"

#if (NGX_AZORA_HIREDIS_SSL)

#include <hiredis/hiredis_ssl.h>
#include <openssl/err.h>

/* what hiredis leaves there NGINX would take for an error of its own */
#define ngx_azora_redis_clear_error()  ERR_clear_error()

#else

#define ngx_azora_redis_clear_error()

#endif


static redisAsyncContext *ngx_azora_redis_begin(ngx_azora_redis_conf_t *conf,
    ngx_uint_t address);
static const char *ngx_azora_redis_reason(const redisAsyncContext *ac);
static void ngx_azora_redis_read_handler(ngx_event_t *rev);
static void ngx_azora_redis_write_handler(ngx_event_t *wev);
static void ngx_azora_redis_add(ngx_event_t *ev, ngx_int_t event);
static void ngx_azora_redis_del(ngx_event_t *ev, ngx_int_t event);
static void ngx_azora_redis_add_read(void *data);
static void ngx_azora_redis_del_read(void *data);
static void ngx_azora_redis_add_write(void *data);
static void ngx_azora_redis_del_write(void *data);
static void ngx_azora_redis_cleanup(void *data);


ngx_int_t
ngx_azora_redis_connect(ngx_azora_redis_conn_t *conn,
    ngx_azora_redis_conf_t *conf)
{
    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    ac = ngx_azora_redis_begin(conf, conn->address);

    if (ac == NULL || ac->err) {
        ngx_azora_redis_failed(conn, ac ? ngx_azora_redis_reason(ac)
                                        : "out of memory");

        if (ac != NULL) {
            redisAsyncFree(ac);
        }

        ngx_azora_redis_clear_error();

        return NGX_ERROR;
    }

    c = ngx_get_connection(ac->c.fd, conn->timer.log);

    if (c == NULL) {
        ngx_azora_redis_failed(conn, "no free worker connection");
        redisAsyncFree(ac);
        return NGX_ERROR;
    }

    c->data = conn;
    c->read->handler = ngx_azora_redis_read_handler;
    c->write->handler = ngx_azora_redis_write_handler;
    c->read->log = conn->timer.log;
    c->write->log = conn->timer.log;

    /* a worker that shuts down asks idle connections to close */
    c->idle = 1;

    conn->context = ac;
    conn->connection = c;

    ac->data = conn;
    ac->ev.data = conn;
    ac->ev.addRead = ngx_azora_redis_add_read;
    ac->ev.delRead = ngx_azora_redis_del_read;
    ac->ev.addWrite = ngx_azora_redis_add_write;
    ac->ev.delWrite = ngx_azora_redis_del_write;
    ac->ev.cleanup = ngx_azora_redis_cleanup;

    /* hiredis learns that it is connected when it may write first */

    ngx_azora_redis_add_write(conn);

    return NGX_OK;
}


void
ngx_azora_redis_free(ngx_azora_redis_conn_t *conn)
{
    if (conn->context != NULL) {
        redisAsyncFree(conn->context);
    }
}


static redisAsyncContext *
ngx_azora_redis_begin(ngx_azora_redis_conf_t *conf, ngx_uint_t address)
{
    char               **host;
    redisAsyncContext   *ac;

    host = conf->hosts.elts;
    host += address % conf->hosts.nelts;

    ac = conf->port ? redisAsyncConnect(*host, conf->port)
                    : redisAsyncConnectUnix(*host);

    if (ac == NULL || ac->err || conf->port == 0) {
        return ac;
    }

    /* a dead peer is noticed by our own questions first */

    (void) redisEnableKeepAlive(&ac->c);

#if (NGX_AZORA_HIREDIS_SSL)

    if (conf->tls
        && redisInitiateSSLWithContext(&ac->c, conf->ssl) != REDIS_OK)
    {
        ac->err = ac->c.err;
        ac->errstr = ac->c.errstr;
    }

#endif

    return ac;
}


static const char *
ngx_azora_redis_reason(const redisAsyncContext *ac)
{
#if (NGX_AZORA_HIREDIS_SSL)

    const char  *reason;

    /* of a handshake that fails hiredis knows nothing but errno */

    reason = ERR_reason_error_string(ERR_peek_last_error());

    if (reason != NULL) {
        return reason;
    }

#endif

    return (ac->err && ac->errstr) ? ac->errstr : "closed";
}


static void
ngx_azora_redis_read_handler(ngx_event_t *rev)
{
    ngx_connection_t        *c;
    ngx_azora_redis_conn_t  *conn;

    c = rev->data;
    conn = c->data;

    if (c->close) {
        ngx_azora_redis_free(conn);
        return;
    }

    redisAsyncHandleRead(conn->context);
    ngx_azora_redis_clear_error();
}


static void
ngx_azora_redis_write_handler(ngx_event_t *wev)
{
    ngx_connection_t        *c;
    ngx_azora_redis_conn_t  *conn;

    c = wev->data;
    conn = c->data;

    redisAsyncHandleWrite(conn->context);
    ngx_azora_redis_clear_error();
}


static void
ngx_azora_redis_add(ngx_event_t *ev, ngx_int_t event)
{
    if (!ev->active && ngx_add_event(ev, event, NGX_LEVEL_EVENT) != NGX_OK) {
        /* logged by NGINX; the deadline of whatever was asked ends it */
        return;
    }
}


static void
ngx_azora_redis_del(ngx_event_t *ev, ngx_int_t event)
{
    if (ev->active || ev->disabled) {
        (void) ngx_del_event(ev, event, 0);
    }
}


static void
ngx_azora_redis_add_read(void *data)
{
    ngx_azora_redis_conn_t *conn = data;

    if (conn->connection) {
        ngx_azora_redis_add(conn->connection->read, NGX_READ_EVENT);
    }
}


static void
ngx_azora_redis_del_read(void *data)
{
    ngx_azora_redis_conn_t *conn = data;

    if (conn->connection) {
        ngx_azora_redis_del(conn->connection->read, NGX_READ_EVENT);
    }
}


static void
ngx_azora_redis_add_write(void *data)
{
    ngx_azora_redis_conn_t *conn = data;

    if (conn->connection) {
        ngx_azora_redis_add(conn->connection->write, NGX_WRITE_EVENT);
    }
}


static void
ngx_azora_redis_del_write(void *data)
{
    ngx_azora_redis_conn_t *conn = data;

    if (conn->connection) {
        ngx_azora_redis_del(conn->connection->write, NGX_WRITE_EVENT);
    }
}


static void
ngx_azora_redis_cleanup(void *data)
{
    ngx_azora_redis_conn_t *conn = data;

    ngx_connection_t   *c;
    redisAsyncContext  *ac;

    c = conn->connection;
    ac = conn->context;

    conn->connection = NULL;
    conn->context = NULL;

    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }

    if (c != NULL) {
        ngx_azora_redis_del(c->read, NGX_READ_EVENT);
        ngx_azora_redis_del(c->write, NGX_WRITE_EVENT);

        if (c->read->posted) {
            ngx_delete_posted_event(c->read);
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
    }

    ngx_azora_redis_gone(conn, ac ? ngx_azora_redis_reason(ac) : "closed");
}
