
/*
 * One connection: opened, watched, written and torn down without ever
 * blocking the event loop.
 */


#include "ngx_azora_pg.h"
#include <openssl/err.h>


static void ngx_azora_pg_conn_poll(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_conn_ready(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_conn_failed(ngx_azora_pg_conn_t *conn,
    const char *reason);
static void ngx_azora_pg_conn_later(ngx_azora_pg_conn_t *conn,
    ngx_msec_t min, ngx_msec_t max);
static void ngx_azora_pg_conn_arm(ngx_azora_pg_conn_t *conn, ngx_msec_t ms);
static void ngx_azora_pg_conn_disarm(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_conn_timer_handler(ngx_event_t *ev);
static void ngx_azora_pg_conn_return(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_conn_leave(ngx_azora_pg_conn_t *conn);
static void ngx_azora_pg_conn_release(ngx_azora_pg_conn_t *conn);


/* when an attempt last succeeded in this worker, and whether one did */
static ngx_msec_t  ngx_azora_pg_success;
static ngx_uint_t  ngx_azora_pg_ever;


void
ngx_azora_pg_conn_open(ngx_azora_pg_conn_t *conn)
{
    char                          name[32];
    ngx_uint_t                    attempt;
    ngx_azora_pg_lane_t          *lane;
    const ngx_azora_pg_target_t  *target;

    lane = conn->lane;

    if (conn->timer.handler == NULL) {
        ngx_azora_event(&conn->timer, ngx_azora_pg_conn_timer_handler,
                        ngx_cycle->log);
        conn->timer.cancelable = 1;
    }

    /* the breaker is the primary's */

    conn->replica = (lane->replicas && !conn->fallback);

    if (!conn->replica
        && ngx_azora_breaker_enter(NGX_AZORA_DEPENDENCY_POSTGRES) != NGX_OK)
    {

        if (lane->connected == 0) {
            ngx_azora_pg_lane_fail(lane, "PostgreSQL is down");
        }

        ngx_azora_pg_conn_later(conn, NGX_AZORA_PG_PROBE_MS / 2,
                                NGX_AZORA_PG_PROBE_MS);
        return;
    }

    attempt = conn->turn;

    if (conn->replica) {
        target = lane->replicas;
        attempt += conn->index + ngx_worker;

    } else {
        target = lane->primary;
    }

    *ngx_snprintf((u_char *) name, sizeof(name) - 1, "azora/%s",
                  lane->name) = '\0';

    conn->pg = ngx_azora_pg_start(target, name, lane->timeout, attempt);
    conn->state = NGX_AZORA_PG_CONNECTING;
    conn->opened = ngx_current_msec;

    if (conn->pg == NULL) {
        ngx_azora_pg_conn_failed(conn, "out of memory");
        return;
    }

    (void) PQsetNoticeReceiver(conn->pg, ngx_azora_pg_notice, conn);

    if (PQstatus(conn->pg) == CONNECTION_BAD
        || PQsetnonblocking(conn->pg, 1) != 0
        || ngx_azora_pg_conn_watch(conn, 1) != NGX_OK)
    {
        ngx_azora_pg_conn_failed(conn, NULL);
        return;
    }

    ngx_azora_pg_conn_arm(conn, target->connect_timeout);
}


/*
 * libpq may close its socket and open another in any step, even with the
 * same number: so nothing is watched while it works.
 */

static void
ngx_azora_pg_conn_poll(ngx_azora_pg_conn_t *conn)
{
    ngx_uint_t                 writing;
    PostgresPollingStatusType  status;

    ngx_azora_pg_conn_unwatch(conn);

    status = PQconnectPoll(conn->pg);

    /* what libpq leaves there NGINX would take for an error of its own */
    ERR_clear_error();

    switch (status) {

    case PGRES_POLLING_OK:
        ngx_azora_pg_conn_ready(conn);
        return;

    case PGRES_POLLING_READING:
        writing = 0;
        break;

    case PGRES_POLLING_WRITING:
        writing = 1;
        break;

    default:
        ngx_azora_pg_conn_failed(conn, NULL);
        return;
    }

    if (ngx_azora_pg_conn_watch(conn, writing) != NGX_OK) {
        ngx_azora_pg_conn_failed(conn, "cannot be watched");
    }
}


static void
ngx_azora_pg_conn_ready(ngx_azora_pg_conn_t *conn)
{
    ngx_azora_pg_lane_t  *lane;

    lane = conn->lane;

    if (PQenterPipelineMode(conn->pg) != 1
        || ngx_azora_pg_conn_watch(conn, 0) != NGX_OK)
    {
        ngx_azora_pg_conn_failed(conn, "cannot be used");
        return;
    }

    /* from now on messages may hold data, and SQLSTATEs tell enough */
    (void) PQsetErrorVerbosity(conn->pg, PQERRORS_SQLSTATE);

    ngx_azora_pg_conn_disarm(conn);

    conn->state = NGX_AZORA_PG_READY;
    lane->connected++;

    if (lane->down) {
        lane->down = 0;
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "azora: the %s lane is connected to PostgreSQL again",
                      lane->name);
    }

    if (lane->replicas && !conn->replica) {
        ngx_azora_pg_conn_arm(conn, NGX_AZORA_PG_FALLBACK_MS);
    }

    ngx_azora_pg_lane_wake(lane);

    if (!conn->replica) {
        ngx_azora_breaker_report(NGX_AZORA_DEPENDENCY_POSTGRES, 1);
        ngx_azora_pg_success = ngx_current_msec;
        ngx_azora_pg_ever = 1;

        ngx_azora_pg_recovered();
    }
}


void
ngx_azora_pg_conn_hurry(ngx_azora_pg_conn_t *conn)
{
    if (conn->state == NGX_AZORA_PG_CLOSED && conn->timer.timer_set) {
        conn->attempts = 0;
        ngx_azora_pg_conn_later(conn, 1, 2 * NGX_AZORA_PG_BACKOFF_MIN_MS);
    }
}


static void
ngx_azora_pg_conn_failed(ngx_azora_pg_conn_t *conn, const char *reason)
{
    ngx_uint_t            shift;
    ngx_msec_t            max;
    ngx_azora_pg_lane_t  *lane;

    lane = conn->lane;

    ngx_azora_pg_conn_log(conn, lane->down ? NGX_LOG_INFO : NGX_LOG_ERR,
                          "cannot connect", reason);

    /* an attempt that began before another one succeeded is old news */

    if (!conn->replica
        && (!ngx_azora_pg_ever
            || (ngx_msec_int_t) (conn->opened - ngx_azora_pg_success) > 0))
    {
        ngx_azora_breaker_report(NGX_AZORA_DEPENDENCY_POSTGRES, 0);
    }

    ngx_azora_pg_conn_release(conn);

    /* the next attempt begins with another host, and stays where it works */
    conn->turn++;

    if (conn->replica) {
        conn->fallback = 1;
        ngx_azora_pg_conn_later(conn, 1, NGX_AZORA_PG_BACKOFF_MIN_MS);
        return;
    }

    lane->down = 1;
    conn->fallback = 0;

    if (lane->connected == 0
        && ngx_azora_breaker_state(NGX_AZORA_DEPENDENCY_POSTGRES) != 0)
    {
        ngx_azora_pg_lane_fail(lane, "PostgreSQL is down");
    }

    shift = ngx_min(conn->attempts, 8);
    max = ngx_min(NGX_AZORA_PG_BACKOFF_MIN_MS << shift,
                  NGX_AZORA_PG_BACKOFF_MAX_MS);
    conn->attempts++;

    ngx_azora_pg_conn_later(conn, 1, max);
}


/* Full jitter: the clients of a restarted server do not come all at once. */

static void
ngx_azora_pg_conn_later(ngx_azora_pg_conn_t *conn, ngx_msec_t min,
    ngx_msec_t max)
{
    if (ngx_exiting && ngx_queue_empty(&conn->lane->waiting)) {
        conn->parked = 1;
        return;
    }

    ngx_azora_pg_conn_arm(conn, min + ngx_random() % (max - min + 1));
}


static void
ngx_azora_pg_conn_arm(ngx_azora_pg_conn_t *conn, ngx_msec_t ms)
{
    ngx_azora_pg_conn_disarm(conn);
    ngx_add_timer(&conn->timer, ms);
}


static void
ngx_azora_pg_conn_disarm(ngx_azora_pg_conn_t *conn)
{
    if (conn->timer.timer_set) {
        ngx_del_timer(&conn->timer);
    }
}


void
ngx_azora_pg_conn_event_handler(ngx_event_t *ev)
{
    ngx_connection_t     *c;
    ngx_azora_pg_conn_t  *conn;

    c = ev->data;
    conn = c->data;

    if (c->close) {
        ngx_azora_pg_conn_leave(conn);
        return;
    }

    if (conn->state == NGX_AZORA_PG_CONNECTING) {
        ngx_azora_pg_conn_poll(conn);
        return;
    }

    if (ev->write) {

        if (ngx_azora_pg_conn_flush(conn) != NGX_OK) {
            ngx_azora_pg_conn_lost(conn, NULL);
        }

        return;
    }

    ngx_azora_pg_conn_read(conn);
}


/*
 * NGINX asks all idle connections of a leaving worker to close, and later,
 * when worker_shutdown_timeout has passed, all there are.
 */

static void
ngx_azora_pg_conn_leave(ngx_azora_pg_conn_t *conn)
{
    ngx_connection_t  *c;

    c = conn->connection;
    c->close = 0;

    if (c->error) {

        if (conn->state == NGX_AZORA_PG_READY) {
            ngx_azora_pg_conn_lost(conn, "the worker process leaves");

        } else {
            ngx_azora_pg_conn_release(conn);
            conn->parked = 1;
        }

        return;
    }

    if (conn->state == NGX_AZORA_PG_READY) {
        ngx_azora_pg_conn_idle(conn);

    } else if (ngx_queue_empty(&conn->lane->waiting)) {
        ngx_azora_pg_conn_release(conn);
        conn->parked = 1;
    }
}


void
ngx_azora_pg_conn_idle(ngx_azora_pg_conn_t *conn)
{
    if (ngx_azora_pg_used(conn)) {
        return;
    }

    if (ngx_exiting) {

        if (ngx_queue_empty(&conn->lane->waiting)) {
            conn->lane->connected--;
            ngx_azora_pg_conn_release(conn);
            conn->parked = 1;
        }

        return;
    }

    if (conn->closing) {
        conn->lane->connected--;
        ngx_azora_pg_conn_release(conn);
        ngx_azora_pg_conn_later(conn, 1, NGX_AZORA_PG_BACKOFF_MIN_MS);
    }
}


/*
 * Reads go to another connection: they changed nothing.  It may be dying too,
 * so they may do that a few times.  What happened to a write nobody knows, and
 * its asker is told just that.
 */

void
ngx_azora_pg_conn_lost(ngx_azora_pg_conn_t *conn, const char *reason)
{
    ngx_uint_t            i;
    ngx_azora_op_t       *op;
    ngx_azora_pg_lane_t  *lane;

    lane = conn->lane;

    ngx_azora_pg_conn_log(conn, lane->down ? NGX_LOG_INFO : NGX_LOG_ERR,
                          "lost a connection", reason);

    lane->down = 1;
    lane->connected--;

    for (i = conn->tail; i != conn->head; /* void */ ) {
        op = conn->slots[--i & conn->mask].op;

        if (op == NULL) {
            continue;
        }

        if (op->retried == NGX_AZORA_PG_RETRY_MAX) {
            ngx_azora_pg_finish_later(op, NGX_AZORA_OP_LOST,
                                      "connections were lost again and again");
            continue;
        }

        op->retried++;
        ngx_azora_pg_lane_again(lane, op);
    }

    for (i = 0; i < conn->nops; i++) {
        if (conn->ops[i]) {
            ngx_azora_pg_finish_later(conn->ops[i],
                                      conn->undone ? NGX_AZORA_OP_UNAVAILABLE
                                                   : NGX_AZORA_OP_LOST,
                                      "the connection was lost");
        }
    }

    if (conn->proven) {
        conn->attempts = 0;
    }

    ngx_azora_pg_conn_release(conn);

    ngx_azora_pg_conn_later(conn, 1, NGX_AZORA_PG_BACKOFF_MIN_MS
                                     << ngx_min(conn->attempts, 6));
    conn->attempts++;
}


/* Frees all that belongs to the connection; operations must have left it. */

static void
ngx_azora_pg_conn_release(ngx_azora_pg_conn_t *conn)
{
    ngx_azora_pg_conn_disarm(conn);
    ngx_azora_pg_conn_unwatch(conn);

    PQclear(conn->error);
    PQclear(conn->result);
    PQfinish(conn->pg);
    ERR_clear_error();

    conn->pg = NULL;
    conn->error = NULL;
    conn->result = NULL;
    conn->state = NGX_AZORA_PG_CLOSED;
    conn->head = 0;
    conn->tail = 0;
    conn->inflight = 0;
    conn->unsynced = 0;
    conn->nops = 0;
    conn->overdue = 0;
    conn->orphan = 0;
    conn->closing = 0;
    conn->broken = 0;
    conn->proven = 0;
    conn->undone = 0;

    ngx_memzero(conn->prepared,
                conn->nstatements * sizeof(ngx_azora_pg_prepared_t));
}


void
ngx_azora_pg_conn_free(ngx_azora_pg_conn_t *conn)
{
    ngx_azora_pg_conn_release(conn);
}


void
ngx_azora_pg_conn_overdue(ngx_azora_pg_conn_t *conn)
{
    if (!conn->overdue) {
        conn->overdue = 1;
        ngx_azora_pg_conn_arm(conn, NGX_AZORA_PG_GRACE_MS);
    }
}


/*
 * Nobody waits for the answer any more, so no deadline will notice when it
 * does not come.
 */

void
ngx_azora_pg_conn_orphan(ngx_azora_pg_conn_t *conn, ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    if (conn->overdue || conn->orphan) {
        return;
    }

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);

    conn->orphan = 1;
    ngx_azora_pg_conn_arm(conn, ngx_max(left, 0) + NGX_AZORA_PG_GRACE_MS);
}


void
ngx_azora_pg_conn_alive(ngx_azora_pg_conn_t *conn)
{
    conn->proven = 1;

    if (conn->overdue || conn->orphan) {
        conn->overdue = 0;
        conn->orphan = 0;

        if (conn->lane->replicas && !conn->replica) {
            ngx_azora_pg_conn_arm(conn, NGX_AZORA_PG_FALLBACK_MS);

        } else {
            ngx_azora_pg_conn_disarm(conn);
        }
    }
}


static void
ngx_azora_pg_conn_timer_handler(ngx_event_t *ev)
{
    ngx_azora_pg_conn_t  *conn;

    conn = ngx_queue_data(ev, ngx_azora_pg_conn_t, timer);

    switch (conn->state) {

    case NGX_AZORA_PG_CLOSED:

        if (ngx_exiting && ngx_queue_empty(&conn->lane->waiting)) {
            conn->parked = 1;
            break;
        }

        ngx_azora_pg_conn_open(conn);
        break;

    case NGX_AZORA_PG_CONNECTING:
        ngx_azora_pg_conn_failed(conn, "no answer in time");
        break;

    case NGX_AZORA_PG_READY:

        if (conn->overdue || conn->orphan) {
            ngx_azora_pg_conn_lost(conn, "no answer in time");
            break;
        }

        ngx_azora_pg_conn_return(conn);
        break;
    }
}


/*
 * Reads have been on the primary long enough: try a replica.  One connection
 * at a time does, because that may take as long as a connection attempt.
 */

static void
ngx_azora_pg_conn_return(ngx_azora_pg_conn_t *conn)
{
    ngx_uint_t            i;
    ngx_azora_pg_conn_t  *other;

    for (i = 0; i < conn->lane->nconns; i++) {
        other = &conn->lane->conns[i];

        if (other != conn && other->state == NGX_AZORA_PG_READY
            && !other->closing && !other->broken && !other->overdue)
        {
            conn->fallback = 0;
            conn->closing = 1;
            ngx_azora_pg_conn_idle(conn);
            return;
        }
    }

    ngx_azora_pg_conn_arm(conn, NGX_AZORA_PG_FALLBACK_MS);
}
