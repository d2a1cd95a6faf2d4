
/*
 * Active checks: each worker asks each node now and then whether it is well,
 * by a connection or by a GET that is answered 2xx or 3xx.  Several equal
 * results that differ from what is believed change the belief; a node that is
 * not well gets no requests.
 */


#include "ngx_http_azora_service.h"


static void ngx_http_azora_service_check_begin(ngx_event_t *ev);
static void ngx_http_azora_service_check_event(ngx_event_t *ev);
static ngx_int_t ngx_http_azora_service_check_connected(ngx_connection_t *c);
static ngx_int_t ngx_http_azora_service_check_send(
    ngx_http_azora_service_node_t *node, ngx_connection_t *c);
static ngx_int_t ngx_http_azora_service_check_read(
    ngx_http_azora_service_node_t *node, ngx_connection_t *c);
static void ngx_http_azora_service_check_done(
    ngx_http_azora_service_node_t *node, ngx_uint_t well);
static void ngx_http_azora_service_check_close(
    ngx_http_azora_service_node_t *node);


void
ngx_http_azora_service_check_start(ngx_http_azora_service_node_t *node)
{
    if (node->service->check == NGX_HTTP_AZORA_SERVICE_UNCHECKED) {
        return;
    }

    ngx_azora_event(&node->timer, ngx_http_azora_service_check_begin,
                    ngx_cycle->log);
    node->timer.cancelable = 1;

    ngx_add_timer(&node->timer, 1);
}


void
ngx_http_azora_service_check_stop(ngx_http_azora_service_node_t *node)
{
    if (node->timer.timer_set) {
        ngx_del_timer(&node->timer);
    }

    ngx_http_azora_service_check_close(node);
}


static void
ngx_http_azora_service_check_begin(ngx_event_t *ev)
{
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_peer_connection_t          *pc;
    ngx_http_azora_service_node_t  *node;

    node = (ngx_http_azora_service_node_t *)
               ((u_char *) ev
                - offsetof(ngx_http_azora_service_node_t, timer));

    if (ngx_exiting) {
        return;
    }

    pc = &node->pc;
    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = &node->sockaddr.sockaddr;
    pc->socklen = node->socklen;
    pc->name = &node->address;
    pc->get = ngx_event_get_peer;
    pc->log = ngx_cycle->log;
    pc->log_error = NGX_ERROR_INFO;

    node->sent = 0;
    node->received = 0;

    rc = ngx_event_connect_peer(pc);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_http_azora_service_check_done(node, 0);
        return;
    }

    c = pc->connection;
    c->data = node;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_azora_service_check_event;
    c->write->handler = ngx_http_azora_service_check_event;

    /* an ending worker closes it and does not wait */
    c->idle = 1;
    c->read->cancelable = 1;

    ngx_add_timer(c->read, node->service->timeout);

    if (rc == NGX_OK) {
        ngx_http_azora_service_check_event(c->write);
    }
}


static void
ngx_http_azora_service_check_event(ngx_event_t *ev)
{
    ngx_int_t                       rc;
    ngx_connection_t               *c;
    ngx_http_azora_service_node_t  *node;

    c = ev->data;
    node = c->data;

    if (c->close) {
        ngx_http_azora_service_check_close(node);
        return;
    }

    if (ev->timedout || ngx_http_azora_service_check_connected(c) != NGX_OK) {
        ngx_http_azora_service_check_done(node, 0);
        return;
    }

    if (node->service->check == NGX_HTTP_AZORA_SERVICE_TCP) {
        ngx_http_azora_service_check_done(node, 1);
        return;
    }

    rc = ngx_http_azora_service_check_send(node, c);

    if (rc == NGX_OK) {
        rc = ngx_http_azora_service_check_read(node, c);
    }

    if (rc != NGX_AGAIN) {
        ngx_http_azora_service_check_done(node, rc == NGX_OK);
    }
}


static ngx_int_t
ngx_http_azora_service_check_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        return NGX_ERROR;
    }

    return err ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_azora_service_check_send(ngx_http_azora_service_node_t *node,
    ngx_connection_t *c)
{
    ssize_t     n;
    ngx_str_t  *request;

    request = &node->service->request;

    while (node->sent < request->len) {

        n = c->send(c, request->data + node->sent,
                    request->len - node->sent);

        if (n == NGX_AGAIN) {
            return (ngx_handle_write_event(c->write, 0) == NGX_OK)
                   ? NGX_AGAIN : NGX_ERROR;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        node->sent += n;
    }

    return NGX_OK;
}


/* "HTTP/1.x 2.." or "3.." */

static ngx_int_t
ngx_http_azora_service_check_read(ngx_http_azora_service_node_t *node,
    ngx_connection_t *c)
{
    size_t   need;
    u_char  *p;
    ssize_t  n;

    need = sizeof("HTTP/1.1 200") - 1;
    p = node->answer;

    while (node->received < need) {

        n = c->recv(c, p + node->received, need - node->received);

        if (n == NGX_AGAIN) {
            return (ngx_handle_read_event(c->read, 0) == NGX_OK)
                   ? NGX_AGAIN : NGX_ERROR;
        }

        if (n <= 0) {
            return NGX_ERROR;
        }

        node->received += n;
    }

    return (ngx_strncmp(p, "HTTP/1.", 7) == 0 && p[8] == ' '
            && (p[9] == '2' || p[9] == '3'))
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_azora_service_check_done(ngx_http_azora_service_node_t *node,
    ngx_uint_t well)
{
    ngx_msec_t  interval;

    ngx_http_azora_service_check_close(node);

    if (well == node->healthy) {
        node->count = 0;

    } else if (++node->count >= (well ? node->service->passes
                                      : node->service->fails))
    {
        node->count = 0;
        node->healthy = well;

        if (node->peer != NULL) {
            node->peer->down = !well;
            node->peer->fails = 0;
        }

        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora: service \"%V\" at %V is %s",
                      &node->service->name, &node->address,
                      well ? "well again" : "not well");
    }

    /* nodes and workers do not stay in step */

    interval = node->service->interval;
    interval = interval - interval / 8 + ngx_random() % (interval / 4 + 1);

    ngx_add_timer(&node->timer, interval);
}


static void
ngx_http_azora_service_check_close(ngx_http_azora_service_node_t *node)
{
    if (node->pc.connection != NULL) {
        ngx_close_connection(node->pc.connection);
        node->pc.connection = NULL;
    }
}
