
/*
 * What comes back: libpq's results are matched with what was sent, in order,
 * and every operation learns its outcome.
 */


#include "ngx_azora_pg.h"


static ngx_int_t ngx_azora_pg_result(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot, PGresult *res);
static ngx_uint_t ngx_azora_pg_fatal(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot, const PGresult *res);
static ngx_int_t ngx_azora_pg_synced(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot);
static void ngx_azora_pg_read_result(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_t *slot, PGresult *res);
static void ngx_azora_pg_write_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement);


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


/* Takes res over. */

static ngx_int_t
ngx_azora_pg_result(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_t *slot,
    PGresult *res)
{
    if (ngx_azora_pg_fatal(conn, slot, res)) {
        PQclear(res);
        return NGX_ERROR;
    }

    slot->answered = 1;
    ngx_azora_pg_conn_alive(conn);

    if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
        PQclear(res);
        return ngx_azora_pg_synced(conn, slot);
    }

    if (slot->kind == NGX_AZORA_PG_SLOT_PREPARE) {

        if (!ngx_azora_pg_succeeded(res)) {
            conn->prepared[slot->statement->index].ready = 0;

            if (PQresultStatus(res) == PGRES_FATAL_ERROR
                && conn->error == NULL)
            {
                conn->error = res;
                return NGX_OK;
            }
        }

        PQclear(res);
        return NGX_OK;
    }

    if (ngx_azora_pg_is_read(conn->lane)) {

        if (slot->kind == NGX_AZORA_PG_SLOT_QUERY) {
            ngx_azora_pg_read_result(conn, slot, res);

        } else {
            /* at the end of reads: they have been answered already */
            PQclear(res);
        }

        return NGX_OK;
    }

    /*
     * A write is done when its Sync says so: until then a deferred constraint
     * may still refuse it, and then this is replaced.
     */

    PQclear(conn->result);
    conn->result = res;

    return NGX_OK;
}


/* Whether the server ended the connection, and not just a statement. */

static ngx_uint_t
ngx_azora_pg_fatal(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_t *slot,
    const PGresult *res)
{
    const char  *state;

    if (PQresultStatus(res) != PGRES_FATAL_ERROR) {
        return 0;
    }

    state = ngx_azora_pg_state(res);

    if (ngx_strncmp(state, "57P", 3) == 0) {
        /* a statement it ended without a result is rolled back */
        conn->undone = (slot->kind != NGX_AZORA_PG_SLOT_SYNC
                        && !slot->answered);
        return 1;
    }

    return PQstatus(conn->pg) == CONNECTION_BAD
           || ngx_azora_pg_class(state, "08");
}


static ngx_int_t
ngx_azora_pg_synced(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_t *slot)
{
    if (slot->kind != NGX_AZORA_PG_SLOT_SYNC) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "azora: a result is missing on the %s lane",
                      conn->lane->name);
        return NGX_ERROR;
    }

    conn->head++;

    if (ngx_azora_pg_is_batch(conn->lane)) {
        ngx_azora_pg_batch_result(conn, conn->current);

    } else if (!ngx_azora_pg_is_read(conn->lane)) {
        ngx_azora_pg_write_result(conn, conn->current);
    }

    PQclear(conn->error);
    conn->error = NULL;

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


/*
 * After DDL a prepared statement may be gone or not fit any more: it is
 * prepared again, under another name.
 */

ngx_uint_t
ngx_azora_pg_stale(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state)
{
    if (ngx_strcmp(state, "26000") != 0 && ngx_strcmp(state, "0A000") != 0) {
        return 0;
    }

    conn->prepared[statement->index].ready = 0;

    return 1;
}


ngx_uint_t
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

ngx_azora_op_status_e
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


const char *
ngx_azora_pg_state(const PGresult *res)
{
    const char  *state;

    state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

    return state ? state : "00000";
}


ngx_uint_t
ngx_azora_pg_succeeded(const PGresult *res)
{
    ExecStatusType  status;

    status = PQresultStatus(res);

    return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}
