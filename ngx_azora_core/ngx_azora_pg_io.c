
/*
 * What goes over a connection: its events, what is written, what is read.
 */


#include "ngx_azora_pg.h"
#include <openssl/ssl.h>


static ngx_int_t ngx_azora_pg_conn_prepare(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement);
static void ngx_azora_pg_conn_push(ngx_azora_pg_conn_t *conn,
    ngx_azora_pg_slot_e kind, const ngx_azora_statement_t *statement,
    ngx_azora_op_t *op);


/*
 * Level-triggered: libpq reads as much as it has room for, not all there is,
 * and an edge-triggered event would not come again for the rest.
 */

ngx_int_t
ngx_azora_pg_conn_watch(ngx_azora_pg_conn_t *conn, ngx_uint_t writing)
{
    ngx_socket_t       fd;
    ngx_connection_t  *c;

    fd = PQsocket(conn->pg);
    if (fd == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    c = ngx_get_connection(fd, ngx_cycle->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = conn;
    c->idle = 1;
    c->log = ngx_cycle->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_azora_pg_conn_event_handler;
    c->write->handler = ngx_azora_pg_conn_event_handler;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);

    conn->connection = c;

    return writing
           ? ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT)
           : ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT);
}


void
ngx_azora_pg_conn_unwatch(ngx_azora_pg_conn_t *conn)
{
    ngx_uint_t         flags;
    ngx_connection_t  *c;

    c = conn->connection;

    if (c == NULL) {
        return;
    }

    conn->connection = NULL;

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    /* libpq closes the socket of a broken connection by itself */

    flags = (PQsocket(conn->pg) == c->fd) ? 0 : NGX_CLOSE_EVENT;

    if (c->read->active) {
        ngx_del_event(c->read, NGX_READ_EVENT, flags);
    }

    if (c->write->active) {
        ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
    }

    c->read->closed = 1;
    c->write->closed = 1;

    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


ngx_int_t
ngx_azora_pg_conn_send(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *const *params,
    ngx_azora_op_t *op)
{
    if (!conn->prepared[statement->index].ready
        && ngx_azora_pg_conn_prepare(conn, statement) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (PQsendQueryPrepared(conn->pg, conn->prepared[statement->index].name,
                            (int) statement->nparams, params, NULL, NULL, 0)
        != 1)
    {
        return NGX_ERROR;
    }

    ngx_azora_pg_conn_push(conn, NGX_AZORA_PG_SLOT_QUERY, statement, op);

    conn->current = statement;
    conn->inflight++;
    conn->unsynced++;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_pg_conn_prepare(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement)
{
    ngx_azora_pg_prepared_t  *p;

    p = &conn->prepared[statement->index];

    if (p->number == UINT16_MAX) {
        return NGX_ERROR;
    }

    if (++p->number > NGX_AZORA_PG_NAMES_MAX) {
        /* the server keeps the old ones until the connection ends */
        conn->closing = 1;
    }

    *ngx_snprintf((u_char *) p->name, sizeof(p->name) - 1, "s%ui.%ui",
                  statement->index, (ngx_uint_t) p->number) = '\0';

    if (PQsendPrepare(conn->pg, p->name, (char *) statement->sql.data,
                      (int) statement->nparams, NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    ngx_azora_pg_conn_push(conn, NGX_AZORA_PG_SLOT_PREPARE, statement, NULL);
    p->ready = 1;

    return NGX_OK;
}


static void
ngx_azora_pg_conn_push(ngx_azora_pg_conn_t *conn, ngx_azora_pg_slot_e kind,
    const ngx_azora_statement_t *statement, ngx_azora_op_t *op)
{
    ngx_azora_pg_slot_t  *slot;

    slot = &conn->slots[conn->tail++ & conn->mask];

    slot->kind = kind;
    slot->answered = 0;
    slot->statement = statement;
    slot->op = op;

    if (op) {
        op->conn = conn;
        op->home = &slot->op;
    }
}


ngx_int_t
ngx_azora_pg_conn_sync(ngx_azora_pg_conn_t *conn)
{
    if (PQpipelineSync(conn->pg) != 1) {
        return NGX_ERROR;
    }

    conn->unsynced = 0;
    ngx_azora_pg_conn_push(conn, NGX_AZORA_PG_SLOT_SYNC, NULL, NULL);

    return ngx_azora_pg_conn_flush(conn);
}


ngx_int_t
ngx_azora_pg_conn_flush(ngx_azora_pg_conn_t *conn)
{
    int           rc;
    ngx_event_t  *rev, *wev;

    rev = conn->connection->read;
    wev = conn->connection->write;

    rc = PQflush(conn->pg);

    if (rc < 0) {
        return NGX_ERROR;
    }

    if (rc == 1 && !wev->active) {
        if (ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (rc == 0 && wev->active) {
        if (ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* libpq reads when it cannot write: no event will tell of those bytes */

    if (!PQisBusy(conn->pg) && !rev->posted) {
        ngx_post_event(rev, &ngx_posted_events);
    }

    return NGX_OK;
}


void
ngx_azora_pg_conn_read(ngx_azora_pg_conn_t *conn)
{
    int   alive;
    SSL  *ssl;

    do {
        alive = PQconsumeInput(conn->pg);

        /* even the last words of a server count */

        if (ngx_azora_pg_results(conn) != NGX_OK || !alive) {
            ngx_azora_pg_conn_lost(conn, NULL);
            return;
        }

        /* bytes inside OpenSSL do not make the socket readable */

        ssl = PQsslInUse(conn->pg) ? PQsslStruct(conn->pg, "OpenSSL") : NULL;

    } while (ssl && SSL_pending(ssl) > 0);

    if (conn->broken) {
        ngx_azora_pg_conn_lost(conn, NULL);
        return;
    }

    /* what is left of an output that was too long for the socket */

    if (conn->connection->write->active
        && ngx_azora_pg_conn_flush(conn) != NGX_OK)
    {
        ngx_azora_pg_conn_lost(conn, NULL);
        return;
    }

    if (!ngx_queue_empty(&conn->lane->waiting)) {
        ngx_azora_pg_lane_wake(conn->lane);
    }

    ngx_azora_pg_conn_idle(conn);
}


/*
 * libpq's messages name the host and the user, never the password; line ends
 * would break the log.
 */

void
ngx_azora_pg_conn_log(ngx_azora_pg_conn_t *conn, ngx_uint_t level,
    const char *what, const char *reason)
{
    u_char  text[512], *p;

    if (reason == NULL && conn->pg) {
        reason = PQerrorMessage(conn->pg);
    }

    if (reason == NULL || *reason == '\0') {
        reason = "closed by the server";
    }

    p = ngx_cpystrn(text, (u_char *) reason, sizeof(text));

    while (p > text && (p[-1] == '\n' || p[-1] == ' ')) {
        *--p = '\0';
    }

    while (p-- > text) {
        if (*p < ' ') {
            *p = ' ';
        }
    }

    ngx_log_error(level, ngx_cycle->log, 0,
                  "azora: the %s lane %s to PostgreSQL%s: %s",
                  conn->lane->name, what,
                  conn->replica ? " (replica)" : "", text);
}


void
ngx_azora_pg_notice(void *data, const PGresult *res)
{
    const char           *state, *message;
    ngx_azora_pg_conn_t  *conn;

    conn = data;
    state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                  "azora: PostgreSQL says on the %s lane: %s %s",
                  conn->lane->name, state ? state : "",
                  message ? message : "");

    /* the server's farewell: nothing may be sent while it leaves */

    if (state && ngx_memcmp(state, "57P", 3) == 0) {
        conn->broken = 1;
    }
}
