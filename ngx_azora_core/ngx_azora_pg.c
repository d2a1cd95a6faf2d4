
/*
 * The PostgreSQL client's door: statements, operations and their results.
 */


#include "ngx_azora_pg.h"


static ngx_azora_op_t *ngx_azora_pg_op(const ngx_azora_statement_t *statement,
    const ngx_str_t *params);
static void ngx_azora_pg_finished_handler(ngx_event_t *ev);
static const char *ngx_azora_pg_field(ngx_azora_op_t *op, int field);


static ngx_azora_pg_lane_t  ngx_azora_pg_lanes[NGX_AZORA_LANE_MAX];
static ngx_queue_t          ngx_azora_pg_finished;
static ngx_event_t          ngx_azora_pg_finished_event;
static ngx_uint_t           ngx_azora_pg_ready;


const ngx_azora_statement_t *
ngx_azora_statement(ngx_conf_t *cf, ngx_azora_lane_e lane, const char *name,
    ngx_str_t *sql, ngx_uint_t nparams)
{
    size_t                   len;
    ngx_uint_t               i;
    ngx_azora_main_conf_t   *amcf;
    ngx_azora_statement_t   *st, **slot;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    if (amcf->statements.elts == NULL
        && ngx_array_init(&amcf->statements, cf->pool, 64, sizeof(void *))
           != NGX_OK)
    {
        return NULL;
    }

    slot = amcf->statements.elts;

    for (i = 0; i < amcf->statements.nelts; i++) {
        if (slot[i]->lane == lane && slot[i]->nparams == nparams
            && slot[i]->sql.len == sql->len
            && ngx_memcmp(slot[i]->sql.data, sql->data, sql->len) == 0)
        {
            return slot[i];
        }
    }

    if (lane == NGX_AZORA_LANE_BATCH && nparams > NGX_AZORA_PG_ARRAYS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "statement \"%s\" has too many parameters", name);
        return NULL;
    }

    len = ngx_strlen(name);

    st = ngx_pcalloc(cf->pool, sizeof(ngx_azora_statement_t) + len + sql->len
                               + 2);
    slot = ngx_array_push(&amcf->statements);

    if (st == NULL || slot == NULL) {
        return NULL;
    }

    st->lane = lane;
    st->index = amcf->statements.nelts - 1;
    st->nparams = nparams;

    st->name.len = len;
    st->name.data = (u_char *) st + sizeof(ngx_azora_statement_t);
    ngx_memcpy(st->name.data, name, len);

    st->sql.len = sql->len;
    st->sql.data = st->name.data + len + 1;
    ngx_memcpy(st->sql.data, sql->data, sql->len);

    *slot = st;

    return st;
}


ngx_int_t
ngx_azora_pg_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_azora_pg_conf_t    *conf;
    ngx_azora_pg_lane_t    *lane;
    ngx_azora_main_conf_t  *amcf;

    static const char  *names[] = { "read", "write", "batch", "slow" };

    amcf = ngx_azora_main_conf;

    if (amcf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_queue_init(&ngx_azora_pg_finished);
    ngx_azora_event(&ngx_azora_pg_finished_event,
                    ngx_azora_pg_finished_handler, cycle->log);

    conf = &amcf->pg;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        lane = &ngx_azora_pg_lanes[i];

        lane->lane = i;
        lane->name = names[i];
        lane->primary = conf->primary;
        lane->replicas = (i == NGX_AZORA_LANE_READ) ? conf->replicas : NULL;

        if (ngx_azora_pg_lane_init(lane, cycle, &conf->lanes[i],
                                   amcf->statements.nelts)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_azora_pg_ready = 1;

    return NGX_OK;
}


void
ngx_azora_pg_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t       i;
    ngx_queue_t     *q;
    ngx_azora_op_t  *op;

    if (!ngx_azora_pg_ready) {
        return;
    }

    ngx_azora_pg_ready = 0;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        ngx_azora_pg_lane_exit(&ngx_azora_pg_lanes[i]);
    }

    while (!ngx_queue_empty(&ngx_azora_pg_finished)) {
        q = ngx_queue_head(&ngx_azora_pg_finished);
        op = ngx_queue_data(q, ngx_azora_op_t, queue);

        ngx_queue_remove(q);
        PQclear(op->result);
        ngx_free(op);
    }

    if (ngx_azora_pg_finished_event.posted) {
        ngx_delete_posted_event(&ngx_azora_pg_finished_event);
    }
}


ngx_uint_t
ngx_azora_pg_connected(ngx_azora_lane_e lane)
{
    return ngx_azora_pg_ready ? ngx_azora_pg_lanes[lane].connected : 0;
}


void
ngx_azora_pg_recovered(void)
{
    ngx_uint_t            i, n;
    ngx_azora_pg_lane_t  *lane;

    static ngx_msec_t  last;

    /* not again and again while a server takes connections and drops them */

    if (ngx_current_msec - last < 1000) {
        return;
    }

    last = ngx_current_msec;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        lane = &ngx_azora_pg_lanes[i];

        for (n = 0; n < lane->nconns; n++) {
            ngx_azora_pg_conn_hurry(&lane->conns[n]);
        }
    }
}


ngx_azora_op_t *
ngx_azora_query(const ngx_azora_statement_t *statement,
    const ngx_str_t *params, ngx_msec_t timeout, ngx_azora_op_pt handler,
    void *data)
{
    ngx_azora_op_t       *op;
    ngx_azora_pg_lane_t  *lane;

    if (!ngx_azora_pg_ready) {
        return NULL;
    }

    op = ngx_azora_pg_op(statement, params);
    if (op == NULL) {
        return NULL;
    }

    lane = &ngx_azora_pg_lanes[statement->lane];

    op->lane = lane;
    op->handler = handler;
    op->data = data;
    op->started_ns = ngx_azora_now_ns();
    op->deadline = ngx_current_msec + (timeout ? timeout : lane->timeout);

    if (lane->primary == NULL) {
        ngx_azora_pg_finish_later(op, NGX_AZORA_OP_UNAVAILABLE,
                                  "PostgreSQL is not configured");

    } else if (lane->nwaiting >= lane->queue_max) {
        ngx_azora_pg_finish_later(op, NGX_AZORA_OP_UNAVAILABLE,
                                  "the queue is full");

    } else if (lane->connected == 0
               && ngx_azora_breaker_state(NGX_AZORA_DEPENDENCY_POSTGRES) != 0)
    {
        ngx_azora_pg_finish_later(op, NGX_AZORA_OP_UNAVAILABLE,
                                  "PostgreSQL is down");

    } else {
        ngx_azora_pg_lane_add(lane, op);
    }

    return op;
}


static ngx_azora_op_t *
ngx_azora_pg_op(const ngx_azora_statement_t *statement,
    const ngx_str_t *params)
{
    char            *p;
    size_t           size;
    ngx_uint_t       i, n;
    ngx_azora_op_t  *op;

    n = statement->nparams;
    size = sizeof(ngx_azora_op_t) + n * sizeof(char *);

    for (i = 0; i < n; i++) {
        size += params[i].len + 1;
    }

    op = ngx_alloc(size, ngx_cycle->log);
    if (op == NULL) {
        return NULL;
    }

    ngx_memzero(op, sizeof(ngx_azora_op_t));
    op->statement = statement;
    op->size = size;

    p = (char *) &op->params[n];

    for (i = 0; i < n; i++) {

        if (params[i].data == NULL) {
            op->params[i] = NULL;
            continue;
        }

        op->params[i] = p;
        p = (char *) ngx_cpymem(p, params[i].data, params[i].len);
        *p++ = '\0';
    }

    return op;
}


void
ngx_azora_detach(ngx_azora_op_t *op)
{
    if (op->running) {
        /* from within its own handler: it ends with it */
        return;
    }

    if (op->home) {
        /* what was sent stays sent, its result finds nobody */
        *op->home = NULL;
        ngx_azora_pg_conn_orphan(op->conn, op->deadline);
        ngx_azora_pg_lane_remove(op->lane, op);

    } else if (op->done) {
        ngx_queue_remove(&op->queue);

    } else {
        ngx_azora_pg_lane_remove(op->lane, op);
    }

    if (op->result && !op->borrowed) {
        PQclear(op->result);
    }

    ngx_free(op);
}


void
ngx_azora_pg_finish(ngx_azora_op_t *op, ngx_azora_op_status_e status)
{
    if (!op->done) {
        ngx_azora_pg_lane_remove(op->lane, op);
        op->done = 1;
    }

    op->status = status;

    ngx_azora_metrics_statement(op->statement,
                                ngx_azora_now_ns() - op->started_ns, status);

    op->running = 1;
    op->handler(op, op->data);

    if (op->result && !op->borrowed) {
        PQclear(op->result);
    }

    ngx_free(op);
}


void
ngx_azora_pg_finish_later(ngx_azora_op_t *op, ngx_azora_op_status_e status,
    const char *reason)
{
    if (op->live.next) {
        ngx_azora_pg_lane_remove(op->lane, op);
    }

    op->done = 1;
    op->status = status;
    op->reason = reason;

    ngx_queue_insert_tail(&ngx_azora_pg_finished, &op->queue);

    if (!ngx_azora_pg_finished_event.posted) {
        ngx_post_event(&ngx_azora_pg_finished_event, &ngx_posted_events);
    }
}


static void
ngx_azora_pg_finished_handler(ngx_event_t *ev)
{
    ngx_queue_t     *q;
    ngx_azora_op_t  *op;

    /* what the handlers add is for the next turn; static, because newer
       compilers see the address of a local variable leave the function */

    static ngx_queue_t  last;

    ngx_queue_insert_tail(&ngx_azora_pg_finished, &last);

    for ( ;; ) {
        q = ngx_queue_head(&ngx_azora_pg_finished);
        ngx_queue_remove(q);

        if (q == &last) {
            break;
        }

        op = ngx_queue_data(q, ngx_azora_op_t, queue);
        ngx_azora_pg_finish(op, op->status);
    }

    if (!ngx_queue_empty(&ngx_azora_pg_finished)) {
        ngx_post_event(ev, &ngx_posted_next_events);
    }
}


ngx_azora_op_status_e
ngx_azora_op_status(ngx_azora_op_t *op)
{
    return op->status;
}


ngx_uint_t
ngx_azora_op_rows(ngx_azora_op_t *op)
{
    if (op->status != NGX_AZORA_OP_OK || op->result == NULL) {
        return 0;
    }

    return op->borrowed ? 1 : (ngx_uint_t) PQntuples(op->result);
}


ngx_str_t
ngx_azora_op_value(ngx_azora_op_t *op, ngx_uint_t row, ngx_uint_t column)
{
    int        r, c;
    ngx_str_t  value;

    ngx_str_null(&value);

    if (row >= ngx_azora_op_rows(op)) {
        return value;
    }

    r = op->borrowed ? op->row : (int) row;
    c = (int) column;

    if (c < PQnfields(op->result) && !PQgetisnull(op->result, r, c)) {
        value.data = (u_char *) PQgetvalue(op->result, r, c);
        value.len = PQgetlength(op->result, r, c);
    }

    return value;
}


const char *
ngx_azora_op_sqlstate(ngx_azora_op_t *op)
{
    return ngx_azora_pg_field(op, PG_DIAG_SQLSTATE);
}


const char *
ngx_azora_op_message(ngx_azora_op_t *op)
{
    const char  *message;

    message = ngx_azora_pg_field(op, PG_DIAG_MESSAGE_PRIMARY);

    return (*message == '\0' && op->reason) ? op->reason : message;
}


const char *
ngx_azora_op_detail(ngx_azora_op_t *op)
{
    return ngx_azora_pg_field(op, PG_DIAG_MESSAGE_DETAIL);
}


const char *
ngx_azora_op_hint(ngx_azora_op_t *op)
{
    return ngx_azora_pg_field(op, PG_DIAG_MESSAGE_HINT);
}


const char *
ngx_azora_op_members(ngx_azora_op_t *op)
{
    return ngx_azora_pg_field(op, PG_DIAG_DATATYPE_NAME);
}


static const char *
ngx_azora_pg_field(ngx_azora_op_t *op, int field)
{
    const char  *text;

    if (op->result == NULL || op->status == NGX_AZORA_OP_OK) {
        return "";
    }

    text = PQresultErrorField(op->result, field);

    return text ? text : "";
}


ngx_uint_t
ngx_azora_op_reads(const ngx_azora_op_t *op)
{
    return op->statement->lane == NGX_AZORA_LANE_READ;
}


ngx_uint_t
ngx_azora_op_retry_after(ngx_azora_op_t *op)
{
    ngx_uint_t  seconds;

    seconds = 0;

    if (op->lane->connected == 0) {
        seconds = ngx_azora_breaker_retry_after(NGX_AZORA_DEPENDENCY_POSTGRES);
    }

    return ngx_max(seconds, 1);
}
