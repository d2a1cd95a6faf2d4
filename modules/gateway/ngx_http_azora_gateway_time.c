
/*
 * The time of azora_breaker: how long a try and a whole call may take however
 * busily the service drips, and a pause before what is tried again.
 *
 * NGINX bounds the time between two bytes.  Here a timer says on its behalf
 * that it has passed, so that the rest goes the usual way: another server, the
 * last good answer, a problem.
 *
 * The pause is between the connection and the request: the next server is
 * connected to at once, and what NGINX would send is held back.
 */


#include "ngx_http_azora_gateway.h"


/* ten times as much at most, which four doublings are more than */
#define NGX_HTTP_AZORA_GATEWAY_DOUBLINGS  4
#define NGX_HTTP_AZORA_GATEWAY_PAUSES     10

/* how often a client is looked at that does not take what there is */
#define NGX_HTTP_AZORA_GATEWAY_CLIENT_MS  1000


static void ngx_http_azora_gateway_time_passed(ngx_event_t *ev);
static void ngx_http_azora_gateway_pause_begin(ngx_event_t *ev);
static void ngx_http_azora_gateway_pause_end(ngx_event_t *ev);
static void ngx_http_azora_gateway_hold(ngx_http_request_t *r,
    ngx_http_upstream_t *u);


void
ngx_http_azora_gateway_time_call(ngx_http_azora_gateway_peer_t *p)
{
    p->ends = ngx_current_msec + p->conf->total;
}


ngx_uint_t
ngx_http_azora_gateway_time_over(const ngx_http_azora_gateway_peer_t *p)
{
    return p->conf->total
           && (ngx_msec_int_t) (p->ends - ngx_current_msec) <= 0;
}


void
ngx_http_azora_gateway_time_try(ngx_http_azora_gateway_peer_t *p)
{
    ngx_msec_t  left;

    left = p->conf->total;

    if (left) {
        left = ngx_http_azora_gateway_time_over(p)
               ? 1 : p->ends - ngx_current_msec;
    }

    if (p->conf->try && (left == 0 || p->conf->try < left)) {
        left = p->conf->try;
    }

    if (left) {
        ngx_azora_event(&p->deadline, ngx_http_azora_gateway_time_passed,
                        p->request->connection->log);
        ngx_add_timer(&p->deadline, left);
    }
}


void
ngx_http_azora_gateway_time_end(ngx_http_azora_gateway_peer_t *p)
{
    if (p->deadline.timer_set) {
        ngx_del_timer(&p->deadline);
    }

    if (p->pause.posted) {
        ngx_delete_posted_event(&p->pause);
    }

    if (p->pause.timer_set) {
        ngx_del_timer(&p->pause);
    }
}


static void
ngx_http_azora_gateway_time_passed(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_http_request_t             *r;
    ngx_http_upstream_t            *u;
    ngx_http_azora_gateway_peer_t  *p;

    p = (ngx_http_azora_gateway_peer_t *)
            ((u_char *) ev - offsetof(ngx_http_azora_gateway_peer_t,
                                      deadline));
    r = p->request;
    u = p->upstream;
    c = u->peer.connection;

    if (c == NULL || u->upgrade) {
        return;
    }

    if (!ngx_http_azora_gateway_time_over(p)) {

        if (u->headers_in.status_n != 0) {
            /* it answers, and nothing could be tried again any more */

            if (p->conf->total) {
                ngx_add_timer(ev, p->ends - ngx_current_msec);
            }

            return;
        }

    } else if (u->header_sent && !r->connection->write->ready) {
        /* not the service is slow but the client: send_timeout bounds it */
        ngx_add_timer(ev, NGX_HTTP_AZORA_GATEWAY_CLIENT_MS);
        return;
    }

    p->cut = 1;
    ngx_azora_metric_add(p->conf->cuts, 1);

    /* the one or the other is looked at, while TLS begins and after it */

    c->read->delayed = 0;
    c->read->timedout = 1;
    c->write->timedout = 1;

    c->read->handler(c->read);
}


/* Full jitter, twice as long each time. */

ngx_int_t
ngx_http_azora_gateway_pause(ngx_http_azora_gateway_peer_t *p,
    ngx_peer_connection_t *pc, ngx_int_t rc)
{
    if (p->conf->pause == 0 || (rc != NGX_OK && rc != NGX_DONE)) {
        return rc;
    }

#if (NGX_HAVE_UNIX_DOMAIN)

    if (rc == NGX_OK && pc->sockaddr->sa_family == AF_UNIX) {
        /* it is connected at once, and so asked at once */
        return rc;
    }

#endif

    /* NGINX is about to set the handler that the pause takes the place of */

    ngx_azora_event(&p->pause, ngx_http_azora_gateway_pause_begin,
                    p->request->connection->log);
    ngx_post_event(&p->pause, &ngx_posted_events);

    /* a kept connection is not sent to at once when it seems to connect */

    return (rc == NGX_DONE) ? NGX_AGAIN : rc;
}


static void
ngx_http_azora_gateway_pause_begin(ngx_event_t *ev)
{
    ngx_msec_t                      most;
    ngx_uint_t                      doublings;
    ngx_connection_t               *c;
    ngx_http_upstream_t            *u;
    ngx_http_azora_gateway_ctx_t   *ctx;
    ngx_http_azora_gateway_peer_t  *p;

    p = (ngx_http_azora_gateway_peer_t *)
            ((u_char *) ev - offsetof(ngx_http_azora_gateway_peer_t, pause));

    u = p->upstream;
    c = u->peer.connection;

    if (c == NULL || u->request_sent) {
        /* keepalive around us found a connection */
        return;
    }

    ctx = ngx_http_azora_gateway_ctx(p->request);
    if (ctx == NULL) {
        return;
    }

    ctx->peer = p;

    if (c->write->ready && c->write->timer_set) {
        /* it was kept: there is nothing to wait for but the pause */
        ngx_del_timer(c->write);
    }

    p->write = u->write_event_handler;
    u->write_event_handler = ngx_http_azora_gateway_hold;

    /* this try is among them, and so is the first, which did not wait */

    doublings = ngx_min(p->tries - 2, NGX_HTTP_AZORA_GATEWAY_DOUBLINGS);
    most = ngx_min(p->conf->pause << doublings,
                   p->conf->pause * NGX_HTTP_AZORA_GATEWAY_PAUSES);

    ev->handler = ngx_http_azora_gateway_pause_end;
    ngx_add_timer(ev, 1 + (ngx_msec_t) ngx_random() % most);
}


static void
ngx_http_azora_gateway_pause_end(ngx_event_t *ev)
{
    ngx_connection_t               *c;
    ngx_http_azora_gateway_peer_t  *p;

    p = (ngx_http_azora_gateway_peer_t *)
            ((u_char *) ev - offsetof(ngx_http_azora_gateway_peer_t, pause));

    c = p->upstream->peer.connection;
    p->upstream->write_event_handler = p->write;

    if (c != NULL && c->write->ready) {
        c->write->handler(c->write);
    }
}


/* In the place of NGINX's handler: it is connected, or it cannot be. */

static void
ngx_http_azora_gateway_hold(ngx_http_request_t *r, ngx_http_upstream_t *u)
{
    ngx_event_t                    *wev;
    ngx_http_azora_gateway_ctx_t   *ctx;
    ngx_http_azora_gateway_peer_t  *p;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_gateway_module);
    p = ctx->peer;
    wev = u->peer.connection->write;

    if (wev->timedout || ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_del_timer(&p->pause);
        u->write_event_handler = p->write;
        p->write(r, u);
        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }
}
