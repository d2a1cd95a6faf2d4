
/*
 * How bytes get to a client.
 *
 * Over HTTP/1.x a stream is the last answer of its connection, so when the
 * header is out the request is logged and freed with all its buffers, and what
 * stays is the connection: some 1.5 kB instead of 10.  The answer's end is the
 * end of the connection, which needs no chunks.
 *
 * A stream of HTTP/2 or 3 shares its connection: there the request stays and
 * its output filters are used.
 */


#include "ngx_http_azora_journal_events.h"


/* a client has nothing to say any more: what it sends is thrown away */
#define NGX_HTTP_AZORA_JOURNAL_NOISE_MAX  16384

/* what the kernel keeps for a client that does not read */
#define NGX_HTTP_AZORA_JOURNAL_SNDBUF     65536


static ngx_int_t ngx_http_azora_journal_wire_detach(
    ngx_http_azora_journal_client_t *client);
static void ngx_http_azora_journal_wire_free(ngx_connection_t *c,
    ngx_http_connection_t *hc);
static void ngx_http_azora_journal_wire_free_chain(ngx_connection_t *c,
    ngx_chain_t **chain);
static void ngx_http_azora_journal_wire_read_handler(ngx_event_t *rev);
static void ngx_http_azora_journal_wire_write_handler(ngx_event_t *wev);
static void ngx_http_azora_journal_wire_release(void *data);
static ngx_int_t ngx_http_azora_journal_wire_filter(
    ngx_http_azora_journal_client_t *client);
static void ngx_http_azora_journal_wire_request_read(ngx_http_request_t *r);
static void ngx_http_azora_journal_wire_request_write(ngx_http_request_t *r);


ngx_int_t
ngx_http_azora_journal_wire_open(ngx_http_azora_journal_client_t *client)
{
    ngx_http_request_t  *r;

    r = client->request;

    if (r->connection->error || r->connection->buffered) {
        /* a new answer of some 500 bytes did not fit: it is not read */
        return NGX_ERROR;
    }

    /* a background subrequest, of the mirror module say, holds the request */

    if (r->http_version < NGX_HTTP_VERSION_20 && r->main->count == 1) {
        return ngx_http_azora_journal_wire_detach(client);
    }

    client->buf = ngx_calloc_buf(r->pool);
    if (client->buf == NULL) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_azora_journal_wire_request_read;
    r->write_event_handler = ngx_http_azora_journal_wire_request_write;

    return NGX_OK;
}


/* As NGINX does for a connection that is kept alive. */

static ngx_int_t
ngx_http_azora_journal_wire_detach(ngx_http_azora_journal_client_t *client)
{
    int                     size;
    ngx_connection_t       *c;
    ngx_http_request_t     *r;
    ngx_http_connection_t  *hc;

    r = client->request;
    c = r->connection;
    hc = r->http_connection;

    client->cleanup->data = NULL;
    client->cleanup = NULL;
    client->request = NULL;

    ngx_http_free_request(r, 0);

    c->destroyed = 0;
    c->data = client;
    c->log->action = "sending events";

    ngx_http_azora_journal_wire_free(c, hc);

    c->read->handler = ngx_http_azora_journal_wire_read_handler;
    c->write->handler = ngx_http_azora_journal_wire_write_handler;

    size = NGX_HTTP_AZORA_JOURNAL_SNDBUF;

    if (setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             "setsockopt(SO_SNDBUF) failed");
        return NGX_ERROR;
    }

    if (c->tcp_nopush == NGX_TCP_NOPUSH_SET) {

        if (ngx_tcp_push(c->fd) == -1) {
            ngx_connection_error(c, ngx_socket_errno,
                                 ngx_tcp_push_n " failed");
            return NGX_ERROR;
        }

        c->tcp_nopush = NGX_TCP_NOPUSH_UNSET;
    }

    if (c->sockaddr->sa_family != AF_UNIX && ngx_tcp_nodelay(c) != NGX_OK) {
        return NGX_ERROR;
    }

    if (c->read->ready) {
        /* it may have gone meanwhile, and that is told once only */
        ngx_post_event(c->read, &ngx_posted_events);
    }

    return ngx_handle_read_event(c->read, 0);
}


static void
ngx_http_azora_journal_wire_free(ngx_connection_t *c,
    ngx_http_connection_t *hc)
{
    ngx_buf_t  *b;

    b = c->buffer;

    if (b != NULL && b->start != NULL) {
        (void) ngx_pfree(c->pool, b->start);
        b->start = NULL;
        b->pos = NULL;
        b->last = NULL;
        b->end = NULL;
    }

    ngx_http_azora_journal_wire_free_chain(c, &hc->free);
    ngx_http_azora_journal_wire_free_chain(c, &hc->busy);
    hc->nbusy = 0;

#if (NGX_HTTP_SSL)

    if (c->ssl) {
        ngx_ssl_free_buffer(c);
    }

#endif
}


static void
ngx_http_azora_journal_wire_free_chain(ngx_connection_t *c,
    ngx_chain_t **chain)
{
    ngx_chain_t  *cl, *ln;

    for (cl = *chain; cl != NULL; /* void */) {
        ln = cl;
        cl = cl->next;

        (void) ngx_pfree(c->pool, ln->buf->start);
        ngx_free_chain(c->pool, ln);
    }

    *chain = NULL;
}


static void
ngx_http_azora_journal_wire_read_handler(ngx_event_t *rev)
{
    size_t                            seen;
    ssize_t                           n;
    ngx_connection_t                 *c;
    ngx_http_azora_journal_client_t  *client;

    static u_char                     noise[1024];

    c = rev->data;
    client = c->data;

    /* its lifetime or its token's, or the worker's time is over */

    if (rev->timedout || c->close) {
        goto close;
    }

    seen = 0;

    do {
        n = c->recv(c, noise, sizeof(noise));

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                goto close;
            }

            return;
        }

        seen += (n > 0) ? n : 0;

    } while (n > 0 && seen <= NGX_HTTP_AZORA_JOURNAL_NOISE_MAX);

close:

    ngx_http_azora_journal_client_close(client);
}


static void
ngx_http_azora_journal_wire_write_handler(ngx_event_t *wev)
{
    ngx_connection_t                 *c;
    ngx_http_azora_journal_client_t  *client;

    c = wev->data;
    client = c->data;

    if (wev->timedout) {
        /* nothing was read for so long: it may come back */
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client does not read its events");
        ngx_http_azora_journal_client_close(client);
        return;
    }

    if (client->state == NGX_HTTP_AZORA_JOURNAL_WRITING) {
        (void) ngx_http_azora_journal_client_go_on(client);
    }
}


ngx_int_t
ngx_http_azora_journal_wire_write(ngx_http_azora_journal_client_t *client)
{
    ssize_t                          n;
    ngx_connection_t                *c;
    ngx_http_azora_journal_event_t  *event;

    if (client->request != NULL) {
        return ngx_http_azora_journal_wire_filter(client);
    }

    c = client->connection;
    event = client->event;

    while (client->sent < event->len) {

        n = c->send(c, event->data + client->sent, event->len - client->sent);

        if (n == NGX_AGAIN || n == 0) {
            return (ngx_handle_write_event(c->write, 0) == NGX_OK)
                   ? NGX_AGAIN : NGX_ERROR;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        client->sent += n;
        ngx_http_azora_journal_client_wrote(client);
    }

    return NGX_OK;
}


void
ngx_http_azora_journal_wire_close(ngx_http_azora_journal_client_t *client)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = client->connection;
    r = client->request;

    if (r == NULL) {
        ngx_http_close_connection(c);
        return;
    }

    ngx_http_set_ctx(r, NULL, ngx_http_azora_journal_module);
    ngx_http_set_log_request(c->log, r);

    client->cleanup->data = NULL;

    if (c->error || client->event != NULL || client->buf == NULL
        || r->http_version < NGX_HTTP_VERSION_20)
    {

        /* frames in the connection's queue may still refer to the event */

        client->cleanup->handler = ngx_http_azora_journal_wire_release;
        client->cleanup->data = client->event;
        client->event = NULL;

        ngx_http_finalize_request(r, NGX_ERROR);

    } else {
        ngx_http_finalize_request(r, ngx_http_send_special(r, NGX_HTTP_LAST));
    }

    ngx_http_run_posted_requests(c);
}


static void
ngx_http_azora_journal_wire_release(void *data)
{
    if (data != NULL) {
        ngx_http_azora_journal_event_release(data);
    }
}


/* The buffer is the filters' until all of it was sent. */

static ngx_int_t
ngx_http_azora_journal_wire_filter(ngx_http_azora_journal_client_t *client)
{
    ngx_buf_t           *b;
    ngx_int_t            rc;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = client->request;
    b = client->buf;

    ngx_http_set_log_request(r->connection->log, r);

    if (b->last != client->event->data + client->event->len) {
        ngx_memzero(b, sizeof(ngx_buf_t));
        b->start = client->event->data;
        b->pos = b->start;
        b->last = b->start + client->event->len;
        b->end = b->last;
        b->memory = 1;
        b->flush = 1;

        out.buf = b;
        out.next = NULL;
        rc = ngx_http_output_filter(r, &out);

    } else {
        rc = ngx_http_output_filter(r, NULL);
    }

    if (rc == NGX_ERROR || r->connection->error) {
        return NGX_ERROR;
    }

    if (b->pos != b->last || r->connection->buffered) {
        return NGX_AGAIN;
    }

    b->last = NULL;
    b->pos = NULL;

    ngx_http_azora_journal_client_wrote(client);

    return NGX_OK;
}


static void
ngx_http_azora_journal_wire_request_read(ngx_http_request_t *r)
{
    ngx_connection_t                 *c;
    ngx_http_azora_journal_client_t  *client;

    c = r->connection;

    if (!c->read->timedout && !c->error) {
        /* finalizes the request of a client that left, and so ours */
        ngx_http_test_reading(r);
        return;
    }

    client = ngx_http_get_module_ctx(r, ngx_http_azora_journal_module);

    if (client != NULL) {
        ngx_http_azora_journal_client_close(client);
    }
}


static void
ngx_http_azora_journal_wire_request_write(ngx_http_request_t *r)
{
    ngx_connection_t                 *c;
    ngx_http_azora_journal_client_t  *client;

    c = r->connection;
    client = ngx_http_get_module_ctx(r, ngx_http_azora_journal_module);

    if (client == NULL) {
        return;
    }

    if (c->error || c->write->timedout) {
        c->error = 1;
        ngx_http_azora_journal_client_close(client);
        return;
    }

    if (client->state == NGX_HTTP_AZORA_JOURNAL_WRITING) {
        (void) ngx_http_azora_journal_client_go_on(client);
    }
}
