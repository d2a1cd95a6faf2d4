
/*
 * A counter of the kernel for each worker (eventfd(2)), made by the master so
 * that all workers of a cycle have them: worker 0, which hears of a
 * generation first, lets the others look at once instead of within a tick.
 *
 * A wake that is lost costs a tick, so nothing here fails for good.
 */


#include "ngx_azora_listen.h"

#include <sys/eventfd.h>


#define NGX_AZORA_WAKE_NOBODY  ((ngx_uint_t) -1)


/* One for each cycle: old and new workers live side by side in a reload. */

typedef struct {
    ngx_uint_t           n;
    int                  fds[NGX_AZORA_WORKERS_MAX];
} ngx_azora_wake_t;


static void ngx_azora_wake_close(void *data);
static void ngx_azora_wake_read_handler(ngx_event_t *rev);


static ngx_azora_wake_t  *ngx_azora_wake;
static ngx_connection_t  *ngx_azora_wake_connection;
static ngx_uint_t         ngx_azora_wake_self = NGX_AZORA_WAKE_NOBODY;


/* In the master, before the workers of the cycle are made. */

ngx_int_t
ngx_azora_wake_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t     *ccf;
    ngx_azora_wake_t    *wake;
    ngx_pool_cleanup_t  *cln;

    if (ngx_test_config || ngx_azora_main_conf == NULL) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cycle->pool, sizeof(ngx_azora_wake_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    wake = cln->data;
    wake->n = 0;
    cln->handler = ngx_azora_wake_close;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    while (wake->n < (ngx_uint_t) ccf->worker_processes
           && wake->n < NGX_AZORA_WORKERS_MAX)
    {
        wake->fds[wake->n] = eventfd(0, EFD_NONBLOCK|EFD_CLOEXEC);

        if (wake->fds[wake->n] == -1) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                          "azora: eventfd() failed, workers learn of changes "
                          "a little later");
            break;
        }

        wake->n++;
    }

    ngx_azora_wake = wake;

    return NGX_OK;
}


static void
ngx_azora_wake_close(void *data)
{
    ngx_azora_wake_t *wake = data;

    while (wake->n > 0) {
        (void) close(wake->fds[--wake->n]);
    }

    if (ngx_azora_wake == wake) {
        ngx_azora_wake = NULL;
    }
}


ngx_int_t
ngx_azora_wake_init_process(ngx_cycle_t *cycle)
{
    ngx_connection_t  *c;

    if (ngx_azora_wake == NULL || ngx_worker >= ngx_azora_wake->n) {
        return NGX_OK;
    }

    c = ngx_get_connection(ngx_azora_wake->fds[ngx_worker], cycle->log);
    if (c == NULL) {
        return NGX_OK;
    }

    c->read->handler = ngx_azora_wake_read_handler;
    c->read->log = cycle->log;

    /* the end of a worker looks for sockets that were left open */
    c->read->channel = 1;

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;
        return NGX_OK;
    }

    ngx_azora_wake_connection = c;
    ngx_azora_wake_self = ngx_worker;

    return NGX_OK;
}


void
ngx_azora_wake_exit_process(void)
{
    ngx_connection_t  *c;

    c = ngx_azora_wake_connection;

    if (c == NULL) {
        return;
    }

    ngx_azora_wake_connection = NULL;

    (void) ngx_del_event(c->read, NGX_READ_EVENT, 0);

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


void
ngx_azora_wake_all(void)
{
    uint64_t    one;
    ngx_uint_t  i;

    one = 1;

    for (i = 0; ngx_azora_wake != NULL && i < ngx_azora_wake->n; i++) {

        if (i == ngx_azora_wake_self) {
            continue;
        }

        /* it fails when a worker slept through 2^64 wakes */

        if (write(ngx_azora_wake->fds[i], &one, sizeof(one)) == -1) {
            ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, ngx_errno,
                          "azora: a worker cannot be woken");
        }
    }

    ngx_azora_generation_look();
}


static void
ngx_azora_wake_read_handler(ngx_event_t *rev)
{
    uint64_t           n;
    ngx_connection_t  *c;

    c = rev->data;

    if (read(c->fd, &n, sizeof(n)) == -1 && ngx_errno != NGX_EAGAIN) {
        ngx_log_error(NGX_LOG_ALERT, rev->log, ngx_errno,
                      "azora: reading from an eventfd failed");
    }

    if (!ngx_exiting) {
        ngx_azora_generation_look();
    }
}
