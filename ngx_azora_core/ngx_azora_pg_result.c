
/*
 * What comes back: libpq's results are matched with what was sent, in order,
 * and every operation learns its outcome.
 */


#include "ngx_azora_pg.h"


static ngx_int_t ngx_azora_pg_result(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot, PGresult *res);
static void ngx_azora_pg_read_result(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot, PGresult *res);
static void ngx_azora_pg_write_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement);
static void ngx_azora_pg_batch_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement);
static void ngx_azora_pg_batch_rows(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, PGresult *res);
static ngx_uint_t ngx_azora_pg_batch_again(ngx_azora_pg_conn_t *conn,
    ngx_azora_op_t *op, const char *state);
static ngx_uint_t ngx_azora_pg_stale(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state);
static ngx_uint_t ngx_azora_pg_conflict(const char *state);
static ngx_azora_op_status_e ngx_azora_pg_classify(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state,
    PGresult *res);
static const char *ngx_azora_pg_state(const PGresult *res);
static ngx_uint_t ngx_azora_pg_succeeded(const PGresult *res);


#define ngx_azora_pg_class(state, class)                                      \
    ((state)[0] == (class)[0] && (state)[1] == (class)[1])


ngx_int_t
ngx_azora_pg_results(ngx_azora_pg_conn_t *conn)
{
    PGresult             *res;
    ngx_azora_pg_slot_t  *slot;

    /* also lets libpq handle what comes unasked */

    while (!PQisBusy(conn->pg) && ngx_azora_pg_used(conn)) {

        res = PQgetResult(conn->pg);
        slot = &conn->slots[conn->head & conn->mask];

        if (res) {
            if (ngx_azora_pg_result(conn, slot, res) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        /* a query's results end with a NULL, a Sync's does not */

        if (!slot->answered) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "azora: a result is missing on the %s lane",
                          conn->lane->name);
            return NGX_ERROR;
        }

        if (slot->kind == NGX_AZORA_PG_SLOT_SYNC) {
            /* an error at commit, its Sync follows */
            slot->answered = 0;
            continue;
        }

        if (slot->kind == NGX_AZORA_PG_SLOT_QUERY) {
            conn->inflight--;
        }

        conn->head++;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_pg_result(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_t *slot,
    PGresult *res)
{
    const char                   *state;
    ExecStatusType                status;
    const ngx_azora_statement_t  *statement;

    status = PQresultStatus(res);
    state = ngx_azora_pg_state(res);

    if (status == PGRES_FATAL_ERROR
        && (PQstatus(conn->pg) == CONNECTION_BAD
            || ngx_memcmp(state, "57P", 3) == 0
            || ngx_azora_pg_class(state, "08")))
    {
        /* a statement the server ended without a result is rolled back */

        conn->undone = (ngx_memcmp(state, "57P", 3) == 0
                        && slot->kind != NGX_AZORA_PG_SLOT_SYNC
                        && !slot->answered);
        PQclear(res);
        return NGX_ERROR;
    }

    slot->answered = 1;
    ngx_azora_pg_conn_alive(conn);

    if (status == PGRES_PIPELINE_SYNC) {

        PQclear(res);

        if (slot->kind != NGX_AZORA_PG_SLOT_SYNC) {
            return NGX_ERROR;
        }

        statement = conn->current;
        conn->head++;

        if (ngx_azora_pg_is_batch(conn->lane)) {
            ngx_azora_pg_batch_result(conn, statement);

        } else if (!ngx_azora_pg_is_read(conn->lane)) {
            ngx_azora_pg_write_result(conn, statement);
        }

        PQclear(conn->error);
        conn->error = NULL;

        return NGX_OK;
    }

    switch (slot->kind) {

    case NGX_AZORA_PG_SLOT_PREPARE:

        if (status == PGRES_COMMAND_OK) {
            break;
        }

        conn->prepared[slot->statement->index].ready = 0;

        if (status == PGRES_FATAL_ERROR && conn->error == NULL) {
            conn->error = res;
            return NGX_OK;
        }

        break;

    case NGX_AZORA_PG_SLOT_QUERY:

        if (ngx_azora_pg_is_read(conn->lane)) {
            ngx_azora_pg_read_result(conn, slot, res);
            return NGX_OK;
        }

        conn->current = slot->statement;
        /* fall through */

    case NGX_AZORA_PG_SLOT_SYNC:

        /*
         * A write is done when its Sync says so: a deferred constraint may
         * still refuse it at commit.
         */

        if (!ngx_azora_pg_is_read(conn->lane)) {
            PQclear(conn->result);
            conn->result = res;
            return NGX_OK;
        }

        break;
    }

    PQclear(res);

    return NGX_OK;
}


static void
ngx_azora_pg_read_result(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_t *slot,
    PGresult *res)
{
    const char             *state;
    ngx_azora_op_t         *op;
    ngx_azora_op_status_e   status;

    op = slot->op;
    slot->op = NULL;

    if (PQresultStatus(res) == PGRES_PIPELINE_ABORTED) {

        PQclear(res);

        if (op && !op->alone) {
            op->alone = 1;
            ngx_azora_pg_lane_again(conn->lane, op);
            return;
        }

        /* its own PREPARE failed */

        res = conn->error;
        conn->error = NULL;
    }

    if (ngx_azora_pg_succeeded(res)) {

        if (op == NULL) {
            PQclear(res);
            return;
        }

        op->result = res;
        ngx_azora_pg_finish(op, NGX_AZORA_OP_OK);
        return;
    }

    state = ngx_azora_pg_state(res);

    if (ngx_azora_pg_stale(conn, slot->statement, state)
        && op && op->prepared < NGX_AZORA_PG_PREPARE_MAX)
    {
        PQclear(res);
        op->prepared++;
        op->alone = 1;
        ngx_azora_pg_lane_again(conn->lane, op);
        return;
    }

    if (ngx_azora_pg_conflict(state) && op && !op->retried) {
        /* a replica gives way to what it replays */
        PQclear(res);
        op->retried++;
        op->alone = 1;
        ngx_azora_pg_lane_again(conn->lane, op);
        return;
    }

    status = ngx_azora_pg_classify(conn, slot->statement, state, res);

    if (op == NULL) {
        PQclear(res);
        return;
    }

    op->result = res;
    ngx_azora_pg_finish(op, status);
}


static void
ngx_azora_pg_write_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement)
{
    PGresult               *res;
    const char             *state;
    ngx_azora_op_t         *op;
    ngx_azora_op_status_e   status;

    op = conn->nops ? conn->ops[0] : NULL;
    conn->nops = 0;

    res = conn->result;
    conn->result = NULL;

    if (conn->error) {
        /* the PREPARE failed, the statement was passed over */
        PQclear(res);
        res = conn->error;
        conn->error = NULL;
    }

    if (ngx_azora_pg_succeeded(res)) {
        status = NGX_AZORA_OP_OK;

    } else {
        state = ngx_azora_pg_state(res);

        if (ngx_azora_pg_stale(conn, statement, state)
            && op && op->prepared < NGX_AZORA_PG_PREPARE_MAX)
        {
            PQclear(res);
            op->prepared++;
            ngx_azora_pg_lane_again(conn->lane, op);
            return;
        }

        status = ngx_azora_pg_classify(conn, statement, state, res);
    }

    if (op == NULL) {
        PQclear(res);
        return;
    }

    op->result = res;
    ngx_azora_pg_finish(op, status);
}


static void
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


/*
 * After DDL a prepared statement may be gone or not fit any more: it is
 * prepared again, under another name.
 */

static ngx_uint_t
ngx_azora_pg_stale(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state)
{
    if (ngx_strcmp(state, "26000") != 0 && ngx_strcmp(state, "0A000") != 0) {
        return 0;
    }

    conn->prepared[statement->index].ready = 0;

    return 1;
}


static ngx_uint_t
ngx_azora_pg_conflict(const char *state)
{
    return ngx_strcmp(state, "40001") == 0
           || ngx_strcmp(state, "40P01") == 0
           || ngx_strcmp(state, "25P02") == 0;
}


/*
 * The message of class 22 repeats the client's data, as DETAIL does: both
 * stay out of the log.
 */

static ngx_azora_op_status_e
ngx_azora_pg_classify(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state, PGresult *res)
{
    const char  *message;

    if (ngx_azora_pg_class(state, "AZ")) {
        return NGX_AZORA_OP_REFUSED;
    }

    message = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (message == NULL || ngx_azora_pg_class(state, "22")) {
        message = "(not shown)";
    }

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "azora: statement \"%V\" failed on the %s lane, "
                  "SQLSTATE %s: %s",
                  &statement->name, conn->lane->name, state, message);

    if (ngx_strcmp(state, "57014") == 0) {
        return NGX_AZORA_OP_TIMEOUT;
    }

    if (ngx_strcmp(state, "25006") == 0 && !ngx_azora_pg_is_read(conn->lane)) {
        /* this server became a replica: look for the primary */
        conn->closing = 1;
        return NGX_AZORA_OP_UNAVAILABLE;
    }

    return NGX_AZORA_OP_ERROR;
}


static const char *
ngx_azora_pg_state(const PGresult *res)
{
    const char  *state;

    state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

    return state ? state : "00000";
}


static ngx_uint_t
ngx_azora_pg_succeeded(const PGresult *res)
{
    ExecStatusType  status;

    status = PQresultStatus(res);

    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}
