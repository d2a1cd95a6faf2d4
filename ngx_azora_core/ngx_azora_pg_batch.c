
/*
 * The batch lane: what waits for one statement becomes a single call with
 * arrays, and the call's rows find their way back.
 */


#include "ngx_azora_pg.h"


static void ngx_azora_pg_batch_rows(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, PGresult *res);
static ngx_uint_t ngx_azora_pg_batch_again(ngx_azora_pg_conn_t *conn,
    ngx_azora_op_t *op, const char *state);


/*
 * Whom a big batch has answered is about to ask again, and not all at once.
 * The first few would go alone, although each call has a cost of its own, and
 * all others wait behind them.  So a big batch's successor waits until it is
 * half as big, for a moment at most; after a small batch nobody waits.
 */

ngx_uint_t
ngx_azora_pg_batch_gathered(ngx_azora_pg_lane_t *lane)
{
    if (lane->nwaiting < lane->expected && lane->gather_ms && !ngx_exiting) {

        if (!lane->gather.timer_set) {
            ngx_add_timer(&lane->gather, lane->gather_ms);
        }

        return 0;
    }

    lane->expected = 0;

    if (lane->gather.timer_set) {
        ngx_del_timer(&lane->gather);
    }

    return 1;
}


void
ngx_azora_pg_batch_gather_handler(ngx_event_t *ev)
{
    ngx_azora_pg_lane_t  *lane;

    lane = ngx_queue_data(ev, ngx_azora_pg_lane_t, gather);

    lane->expected = 0;
    ngx_azora_pg_lane_wake(lane);
}


/*
 * What waits for the same statement, in order of arrival.  An operation's
 * limit is the size of a smaller batch it goes in after a bigger one failed.
 */

void
ngx_azora_pg_take_batch(ngx_azora_pg_conn_t *conn)
{
    size_t                        size;
    ngx_uint_t                    max;
    ngx_queue_t                  *q, *next;
    ngx_azora_op_t               *op;
    ngx_azora_pg_lane_t          *lane;
    const ngx_azora_statement_t  *statement;

    lane = conn->lane;
    statement = NULL;
    size = 0;
    max = NGX_AZORA_PG_BATCH_MAX;

    for (q = ngx_queue_head(&lane->waiting);
         q != ngx_queue_sentinel(&lane->waiting) && conn->nops < max;
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_azora_op_t, queue);

        if (statement == NULL) {
            statement = op->statement;

        } else if (op->statement != statement) {
            continue;
        }

        if (op->limit) {

            if (conn->nops >= op->limit) {
                break;
            }

            max = ngx_min(max, op->limit);
        }

        size += op->size;

        if (size > NGX_AZORA_PG_BATCH_BYTES && conn->nops) {
            break;
        }

        ngx_azora_pg_take(conn, op);
    }
}


ngx_int_t
ngx_azora_pg_send_arrays(ngx_azora_pg_conn_t *conn)
{
    char                         *arrays[NGX_AZORA_PG_ARRAYS_MAX];
    ngx_int_t                     rc;
    ngx_uint_t                    i, n;
    const ngx_azora_statement_t  *statement;

    statement = conn->ops[0]->statement;
    rc = NGX_ERROR;

    /* compilers cannot see that a statement has parameters */
    ngx_memzero(arrays, sizeof(arrays));

    for (n = 0; n < statement->nparams; n++) {

        arrays[n] = ngx_azora_pg_array(conn->ops, conn->nops, n);
        if (arrays[n] == NULL) {
            break;
        }
    }

    if (n == statement->nparams) {
        rc = ngx_azora_pg_conn_send(conn, statement,
                                    (const char *const *) arrays, NULL);
    }

    for (i = 0; i < n; i++) {
        ngx_free(arrays[i]);
    }

    return rc;
}


void
ngx_azora_pg_batch_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement)
{
    PGresult               *res;
    const char             *state;
    ngx_uint_t              i;
    ngx_azora_op_t         *op;
    ngx_azora_op_status_e   status;

    res = conn->error ? conn->error : conn->result;

    if (ngx_azora_pg_succeeded(res)) {
        conn->lane->expected = (conn->nops >= NGX_AZORA_PG_BATCH_BIG)
                               ? conn->nops / 2 : 0;
        ngx_azora_pg_batch_rows(conn, statement, res);

    } else {
        state = ngx_azora_pg_state(res);
        status = NGX_AZORA_OP_OK;

        (void) ngx_azora_pg_stale(conn, statement, state);

        /* from the last to the first, as each goes in front of the queue */

        for (i = conn->nops; i > 0; i--) {
            op = conn->ops[i - 1];

            if (op == NULL || ngx_azora_pg_batch_again(conn, op, state)) {
                continue;
            }

            if (status == NGX_AZORA_OP_OK) {
                status = ngx_azora_pg_classify(conn, statement, state, res);
            }

            conn->ops[i - 1] = NULL;

            op->borrowed = 1;
            op->result = res;
            ngx_azora_pg_finish(op, status);
        }
    }

    conn->nops = 0;
    PQclear(conn->result);
    conn->result = NULL;
}


/* Each row says by its first column whose it is. */

static void
ngx_azora_pg_batch_rows(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, PGresult *res)
{
    int              row;
    ngx_int_t        ordinal;
    ngx_uint_t       i, missing;
    ngx_azora_op_t  *op;

    for (row = 0; row < PQntuples(res); row++) {

        ordinal = ngx_atoi((u_char *) PQgetvalue(res, row, 0),
                           PQgetlength(res, row, 0));

        if (ordinal < 1 || (ngx_uint_t) ordinal > conn->nops) {
            continue;
        }

        op = conn->ops[ordinal - 1];
        conn->ops[ordinal - 1] = NULL;

        if (op) {
            op->borrowed = 1;
            op->result = res;
            op->row = row;
            ngx_azora_pg_finish(op, NGX_AZORA_OP_OK);
        }
    }

    missing = 0;

    for (i = 0; i < conn->nops; i++) {
        op = conn->ops[i];
        conn->ops[i] = NULL;

        if (op) {
            missing++;
            op->reason = "the function returned no row for this item";
            ngx_azora_pg_finish(op, NGX_AZORA_OP_ERROR);
        }
    }

    if (missing) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "azora: statement \"%V\" returned no row for %ui items",
                      &statement->name, missing);
    }
}


/*
 * A failed batch did nothing at all.  A conflict is tried once more; when
 * the data of one item may be the reason, the batch is halved until the item
 * is alone with its error and its neighbours are served.
 */

static ngx_uint_t
ngx_azora_pg_batch_again(ngx_azora_pg_conn_t *conn, ngx_azora_op_t *op,
    const char *state)
{
    if (ngx_azora_pg_conflict(state)) {

        if (op->retried) {
            return 0;
        }

        op->retried++;

    } else if (ngx_strcmp(state, "26000") == 0
               || ngx_strcmp(state, "0A000") == 0)
    {
        if (op->prepared == NGX_AZORA_PG_PREPARE_MAX) {
            return 0;
        }

        op->prepared++;

    } else if (conn->nops > 1
               && (ngx_azora_pg_class(state, "21")
                   || ngx_azora_pg_class(state, "22")
                   || ngx_azora_pg_class(state, "23")
                   || ngx_azora_pg_class(state, "AZ")
                   || ngx_azora_pg_class(state, "P0")))
    {
        op->limit = (conn->nops + 1) / 2;

    } else {
        return 0;
    }

    ngx_azora_pg_lane_again(conn->lane, op);

    return 1;
}
