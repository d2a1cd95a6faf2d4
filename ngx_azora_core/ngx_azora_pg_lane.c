
/*
 * Lanes: what waits, who sends it, and when it has waited long enough.
 */


#include "ngx_azora_pg.h"


static void ngx_azora_pg_lane_flush_handler(ngx_event_t *ev);
static void ngx_azora_pg_flush_reads(ngx_azora_pg_lane_t *lane);
static void ngx_azora_pg_flush_writes(ngx_azora_pg_lane_t *lane);
static ngx_azora_pg_conn_t *ngx_azora_pg_read_conn(ngx_azora_pg_lane_t *lane);
static ngx_uint_t ngx_azora_pg_can_read(ngx_azora_pg_conn_t *conn);
static ngx_azora_pg_conn_t *ngx_azora_pg_free_conn(ngx_azora_pg_lane_t *lane);
static void ngx_azora_pg_send_read(ngx_azora_pg_conn_t *conn,
    ngx_azora_op_t *op);
static void ngx_azora_pg_send_write(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_untake(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_lane_open(ngx_azora_pg_lane_t *lane);
static void ngx_azora_pg_lane_timer_handler(ngx_event_t *ev);
static void ngx_azora_pg_lane_expire(ngx_azora_op_t *op);
static void ngx_azora_pg_lane_arm(ngx_azora_pg_lane_t *lane,
    ngx_msec_t deadline);


ngx_int_t
ngx_azora_pg_lane_init(ngx_azora_pg_lane_t *lane, ngx_cycle_t *cycle,
    ngx_azora_lane_conf_t *conf, ngx_uint_t nstatements)
{
    ngx_uint_t            i, nslots, nops;
    ngx_azora_pg_conn_t  *conn;

    lane->nconns = conf->connections;
    lane->queue_max = conf->queue;
    lane->timeout = conf->timeout;
    lane->gather_ms = conf->gather;

    ngx_queue_init(&lane->waiting);
    ngx_queue_init(&lane->live);

    ngx_azora_event(&lane->flush, ngx_azora_pg_lane_flush_handler,
                    cycle->log);
    ngx_azora_event(&lane->timer, ngx_azora_pg_lane_timer_handler,
                    cycle->log);
    ngx_azora_event(&lane->gather, ngx_azora_pg_batch_gather_handler,
                    cycle->log);

    if (lane->primary == NULL) {
        lane->nconns = 0;
        return NGX_OK;
    }

    nslots = ngx_azora_pg_is_read(lane) ? NGX_AZORA_PG_READ_SLOTS : 4;
    nops = ngx_azora_pg_is_batch(lane) ? NGX_AZORA_PG_BATCH_MAX : 1;

    lane->conns = ngx_pcalloc(cycle->pool,
                              lane->nconns * sizeof(ngx_azora_pg_conn_t));
    if (lane->conns == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < lane->nconns; i++) {
        conn = &lane->conns[i];

        conn->lane = lane;
        conn->index = i;
        conn->mask = nslots - 1;
        conn->slots = ngx_pcalloc(cycle->pool,
                                  nslots * sizeof(ngx_azora_pg_slot_t));
        conn->ops = ngx_pcalloc(cycle->pool, nops * sizeof(void *));
        conn->prepared = ngx_pcalloc(cycle->pool,
                           (nstatements + 1) * sizeof(ngx_azora_pg_prepared_t));

        if (conn->slots == NULL || conn->ops == NULL
            || conn->prepared == NULL)
        {
            return NGX_ERROR;
        }

        conn->nstatements = nstatements;

        ngx_azora_pg_conn_open(conn);
    }

    return NGX_OK;
}


void
ngx_azora_pg_lane_exit(ngx_azora_pg_lane_t *lane)
{
    ngx_uint_t       i;
    ngx_queue_t     *q, *next;
    ngx_azora_op_t  *op;

    for (i = 0; i < lane->nconns; i++) {
        ngx_azora_pg_conn_free(&lane->conns[i]);
    }

    for (q = ngx_queue_head(&lane->live);
         q != ngx_queue_sentinel(&lane->live);
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_azora_op_t, live);

        if (op->result && !op->borrowed) {
            PQclear(op->result);
        }

        ngx_free(op);
    }

    ngx_queue_init(&lane->live);

    if (lane->flush.posted) {
        ngx_delete_posted_event(&lane->flush);
    }

    if (lane->timer.timer_set) {
        ngx_del_timer(&lane->timer);
    }

    if (lane->gather.timer_set) {
        ngx_del_timer(&lane->gather);
    }
}


void
ngx_azora_pg_lane_add(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op)
{
    ngx_queue_insert_tail(&lane->live, &op->live);
    ngx_queue_insert_tail(&lane->waiting, &op->queue);
    lane->nwaiting++;
    op->waiting = 1;

    if (!lane->timer.timer_set
        || (ngx_msec_int_t) (op->deadline - lane->nearest) < 0)
    {
        ngx_azora_pg_lane_arm(lane, op->deadline);
    }

    ngx_azora_pg_lane_wake(lane);
}


void
ngx_azora_pg_lane_remove(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op)
{
    if (op->waiting) {
        ngx_queue_remove(&op->queue);
        lane->nwaiting--;
        op->waiting = 0;
    }

    op->home = NULL;

    ngx_queue_remove(&op->live);
    op->live.next = NULL;

    /* a deadline that nobody needs would keep an old worker from leaving */

    if (ngx_queue_empty(&lane->live) && lane->timer.timer_set) {
        ngx_del_timer(&lane->timer);
    }
}


void
ngx_azora_pg_lane_wake(ngx_azora_pg_lane_t *lane)
{
    if (!lane->flush.posted) {
        ngx_post_event(&lane->flush, &ngx_posted_events);
    }
}


void
ngx_azora_pg_lane_again(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op)
{
    op->home = NULL;
    op->waiting = 1;

    ngx_queue_insert_head(&lane->waiting, &op->queue);
    lane->nwaiting++;

    ngx_azora_pg_lane_wake(lane);
}


void
ngx_azora_pg_lane_fail(ngx_azora_pg_lane_t *lane, const char *reason)
{
    ngx_queue_t     *q;
    ngx_azora_op_t  *op;

    while (!ngx_queue_empty(&lane->waiting)) {
        q = ngx_queue_head(&lane->waiting);
        op = ngx_queue_data(q, ngx_azora_op_t, queue);

        ngx_azora_pg_finish_later(op, NGX_AZORA_OP_UNAVAILABLE, reason);
    }
}


static void
ngx_azora_pg_lane_flush_handler(ngx_event_t *ev)
{
    ngx_azora_pg_lane_t  *lane;

    lane = ngx_queue_data(ev, ngx_azora_pg_lane_t, flush);

    if (ngx_queue_empty(&lane->waiting)) {
        return;
    }

    if (ngx_azora_pg_is_read(lane)) {
        ngx_azora_pg_flush_reads(lane);

    } else {
        ngx_azora_pg_flush_writes(lane);
    }

    if (ngx_exiting && !ngx_queue_empty(&lane->waiting)) {
        ngx_azora_pg_lane_open(lane);
    }
}


/* A leaving worker closes idle connections early: late work opens one. */

static void
ngx_azora_pg_lane_open(ngx_azora_pg_lane_t *lane)
{
    ngx_uint_t            i;
    ngx_azora_pg_conn_t  *conn, *parked;

    parked = NULL;

    for (i = 0; i < lane->nconns; i++) {
        conn = &lane->conns[i];

        if (conn->parked) {
            parked = conn;

        } else if (conn->state != NGX_AZORA_PG_READY) {
            /* one is on its way */
            return;
        }
    }

    if (parked) {
        parked->parked = 0;
        ngx_azora_pg_conn_open(parked);
    }
}


static void
ngx_azora_pg_flush_reads(ngx_azora_pg_lane_t *lane)
{
    ngx_uint_t            i;
    ngx_queue_t          *q;
    ngx_azora_op_t       *op;
    ngx_azora_pg_conn_t  *conn;

    conn = NULL;

    while (!ngx_queue_empty(&lane->waiting)) {

        /* a turn's reads stay together: each Sync costs both sides */

        if (conn == NULL || !ngx_azora_pg_can_read(conn)) {
            conn = ngx_azora_pg_read_conn(lane);
        }

        if (conn == NULL) {
            break;
        }

        q = ngx_queue_head(&lane->waiting);
        op = ngx_queue_data(q, ngx_azora_op_t, queue);

        ngx_azora_pg_send_read(conn, op);
    }

    for (i = 0; i < lane->nconns; i++) {
        conn = &lane->conns[i];

        if (conn->state != NGX_AZORA_PG_READY) {
            continue;
        }

        if (conn->broken
            || (conn->unsynced && ngx_azora_pg_conn_sync(conn) != NGX_OK))
        {
            ngx_azora_pg_conn_lost(conn, "cannot send");
        }
    }
}


static void
ngx_azora_pg_send_read(ngx_azora_pg_conn_t *conn, ngx_azora_op_t *op)
{
    /* what was aborted by a neighbour has none the second time */

    if (op->alone && conn->unsynced
        && ngx_azora_pg_conn_sync(conn) != NGX_OK)
    {
        conn->broken = 1;
        return;
    }

    /* another's PREPARE may fail with a neighbour: the next try has its own */

    if (op->prepared > 1) {
        conn->prepared[op->statement->index].ready = 0;
    }

    if (ngx_azora_pg_conn_send(conn, op->statement, op->params, op)
        != NGX_OK)
    {
        conn->broken = 1;
        return;
    }

    ngx_queue_remove(&op->queue);
    op->lane->nwaiting--;
    op->waiting = 0;

    if ((op->alone || conn->unsynced == NGX_AZORA_PG_SYNC_MAX)
        && ngx_azora_pg_conn_sync(conn) != NGX_OK)
    {
        conn->broken = 1;
    }
}


/* Least in flight first. */

static ngx_azora_pg_conn_t *
ngx_azora_pg_read_conn(ngx_azora_pg_lane_t *lane)
{
    ngx_uint_t            i;
    ngx_azora_pg_conn_t  *conn, *best;

    best = NULL;

    for (i = 0; i < lane->nconns; i++) {
        conn = &lane->conns[i];

        if (ngx_azora_pg_can_read(conn)
            && (best == NULL || conn->inflight < best->inflight))
        {
            best = conn;
        }
    }

    return best;
}


static ngx_uint_t
ngx_azora_pg_can_read(ngx_azora_pg_conn_t *conn)
{
    return conn->state == NGX_AZORA_PG_READY
           && !conn->broken
           && !conn->overdue
           && (!conn->closing || ngx_exiting)
           && conn->inflight < NGX_AZORA_PG_INFLIGHT_MAX
           && ngx_azora_pg_used(conn) + 4 <= conn->mask + 1;
}


static void
ngx_azora_pg_flush_writes(ngx_azora_pg_lane_t *lane)
{
    ngx_azora_pg_conn_t  *conn;

    while (!ngx_queue_empty(&lane->waiting)) {

        conn = ngx_azora_pg_free_conn(lane);
        if (conn == NULL) {
            break;
        }

        if (ngx_azora_pg_is_batch(lane)
            && !ngx_azora_pg_batch_gathered(lane))
        {
            break;
        }

        ngx_azora_pg_send_write(conn);
    }
}


static ngx_azora_pg_conn_t *
ngx_azora_pg_free_conn(ngx_azora_pg_lane_t *lane)
{
    ngx_uint_t            i;
    ngx_azora_pg_conn_t  *conn;

    for (i = 0; i < lane->nconns; i++) {
        conn = &lane->conns[i];

        if (conn->state == NGX_AZORA_PG_READY
            && ngx_azora_pg_used(conn) == 0 && !conn->broken
            && (!conn->closing || ngx_exiting))
        {
            return conn;
        }
    }

    return NULL;
}


/* One statement in flight under a Sync of its own: its transaction. */

static void
ngx_azora_pg_send_write(ngx_azora_pg_conn_t *conn)
{
    ngx_int_t        rc;
    ngx_queue_t     *q;
    ngx_azora_op_t  *op;

    q = ngx_queue_head(&conn->lane->waiting);
    op = ngx_queue_data(q, ngx_azora_op_t, queue);

    if (ngx_azora_pg_is_batch(conn->lane)) {
        ngx_azora_pg_take_batch(conn);
        rc = ngx_azora_pg_send_arrays(conn);

    } else {
        ngx_azora_pg_take(conn, op);
        rc = ngx_azora_pg_conn_send(conn, op->statement, op->params, NULL);
    }

    if (rc != NGX_OK) {
        /* nothing has left this process yet */
        ngx_azora_pg_untake(conn);
        ngx_azora_pg_conn_lost(conn, "cannot send");
        return;
    }

    if (ngx_azora_pg_conn_sync(conn) != NGX_OK) {
        ngx_azora_pg_conn_lost(conn, "cannot send");
    }
}


void
ngx_azora_pg_take(ngx_azora_pg_conn_t *conn, ngx_azora_op_t *op)
{
    ngx_queue_remove(&op->queue);
    op->lane->nwaiting--;
    op->waiting = 0;

    op->conn = conn;
    op->home = &conn->ops[conn->nops];
    conn->ops[conn->nops++] = op;
}


static void
ngx_azora_pg_untake(ngx_azora_pg_conn_t *conn)
{
    while (conn->nops) {
        ngx_azora_pg_lane_again(conn->lane, conn->ops[--conn->nops]);
    }
}


static void
ngx_azora_pg_lane_arm(ngx_azora_pg_lane_t *lane, ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);

    if (lane->timer.timer_set) {
        /* NGINX keeps a timer that differs by less than 300 ms */
        ngx_del_timer(&lane->timer);
    }

    lane->nearest = deadline;
    ngx_add_timer(&lane->timer, (ngx_msec_t) ngx_max(left, 1));
}


static void
ngx_azora_pg_lane_timer_handler(ngx_event_t *ev)
{
    ngx_msec_t            nearest;
    ngx_uint_t            found;
    ngx_queue_t          *q, *next;
    ngx_azora_op_t       *op;
    ngx_azora_pg_lane_t  *lane;

    lane = ngx_queue_data(ev, ngx_azora_pg_lane_t, timer);

    found = 0;
    nearest = 0;

    for (q = ngx_queue_head(&lane->live);
         q != ngx_queue_sentinel(&lane->live);
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_azora_op_t, live);

        if ((ngx_msec_int_t) (op->deadline - ngx_current_msec) <= 0) {
            ngx_azora_pg_lane_expire(op);
            continue;
        }

        if (!found || (ngx_msec_int_t) (op->deadline - nearest) < 0) {
            nearest = op->deadline;
            found = 1;
        }
    }

    if (found) {
        ngx_azora_pg_lane_arm(lane, nearest);
    }
}


static void
ngx_azora_pg_lane_expire(ngx_azora_op_t *op)
{
    if (op->home == NULL) {
        ngx_azora_pg_finish_later(op, NGX_AZORA_OP_UNAVAILABLE,
                                  "the deadline passed in the queue");
        return;
    }

    ngx_azora_pg_conn_overdue(op->conn);

    *op->home = NULL;

    ngx_azora_pg_finish_later(op, NGX_AZORA_OP_TIMEOUT,
                              "the deadline passed while it ran");
}
