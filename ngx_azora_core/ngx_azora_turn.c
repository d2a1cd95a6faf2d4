
/*
 * Turns: what worker 0 of each node does by itself again and again, be there
 * requests or not (tasks, jobs, counts).
 */


#include "ngx_azora_private.h"


void
ngx_azora_turn_start(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_msec_t spread, ngx_log_t *log)
{
    ngx_azora_event(ev, handler, log);
    ev->cancelable = 1;

    /* those of several nodes do not come all at once */
    ngx_add_timer(ev, 1 + (ngx_msec_t) ngx_random() % spread);
}


void
ngx_azora_turn_later(ngx_event_t *ev, ngx_msec_t delay)
{
    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    ngx_add_timer(ev, delay * 9 / 10
                      + (ngx_msec_t) ngx_random() % (delay / 5 + 1));
}


/* An SQL error was logged by its lane, and an outage once is enough. */

ngx_uint_t
ngx_azora_turn_level(ngx_azora_op_t *op, ngx_uint_t failed)
{
    return (failed == 0 && ngx_azora_op_status(op) != NGX_AZORA_OP_ERROR)
           ? NGX_LOG_ERR : NGX_LOG_INFO;
}
