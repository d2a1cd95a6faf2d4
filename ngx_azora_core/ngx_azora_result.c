
/* The result: what the one row of answer, or the refusal, says. */


#include "ngx_azora_private.h"


/* columns of a reply; a batch's are preceded by the ordinal */
#define NGX_AZORA_COLUMN_STATUS     0
#define NGX_AZORA_COLUMN_BODY       1
#define NGX_AZORA_COLUMN_ETAG       2
#define NGX_AZORA_COLUMN_LOCATION   3
#define NGX_AZORA_COLUMN_PROBLEM    4
#define NGX_AZORA_COLUMN_DETAIL     5
#define NGX_AZORA_COLUMN_POINTER    6


static ngx_int_t ngx_azora_result_take(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_azora_op_t *op);
static ngx_int_t ngx_azora_result_replay(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_azora_op_t *op);
static ngx_int_t ngx_azora_result_refusal(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);


void
ngx_azora_result_handler(ngx_azora_op_t *op, void *data)
{
    ngx_azora_ctx_t     *ctx;
    ngx_http_request_t  *r;

    r = data;
    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);
    ctx->op = NULL;

    ngx_azora_result_finish(r, ctx, op, NGX_OK);
}


void
ngx_azora_result_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_op_t *op, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;
    r->read_event_handler = ngx_http_block_reading;

    ngx_http_set_log_request(c->log, r);

    if (rc == NGX_OK) {
        rc = ngx_azora_result_take(r, ctx, op);
    }

    if (rc == NGX_OK) {
        rc = ngx_azora_reply_send(r, ctx);
    }

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_azora_result_reply(ngx_azora_op_t *op, ngx_azora_reply_t *reply)
{
    ngx_int_t   status;
    ngx_str_t   value;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK
        || ngx_azora_op_rows(op) != 1)
    {
        return NGX_DECLINED;
    }

    value = ngx_azora_op_value(op, 0, NGX_AZORA_COLUMN_STATUS);
    status = ngx_atoi(value.data, value.len);

    if (status == NGX_ERROR) {
        return NGX_DECLINED;
    }

    reply->status = status;
    reply->body = ngx_azora_op_value(op, 0, NGX_AZORA_COLUMN_BODY);
    reply->etag = ngx_azora_op_value(op, 0, NGX_AZORA_COLUMN_ETAG);
    reply->location = ngx_azora_op_value(op, 0, NGX_AZORA_COLUMN_LOCATION);

    return NGX_OK;
}


/* NGX_OK: ctx->reply holds what is to be sent; otherwise a status. */

static ngx_int_t
ngx_azora_result_take(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_op_t *op)
{
    ngx_int_t   status;
    ngx_str_t   value, problem, pointer;
    ngx_uint_t  first;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {

        if (ngx_azora_op_status(op) == NGX_AZORA_OP_REFUSED
            && ngx_strcmp(ngx_azora_op_sqlstate(op), "AZ000") == 0)
        {
            return ngx_azora_result_replay(r, ctx, op);
        }

        return ngx_azora_op_problem(r, op);
    }

    first = (ctx->endpoint->row->flags & NGX_AZORA_BATCH) ? 1 : 0;

    value = ngx_azora_op_value(op, 0, first + NGX_AZORA_COLUMN_STATUS);
    status = ngx_atoi(value.data, value.len);

    if (ngx_azora_op_rows(op) != 1 || status < 200 || status > 599) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: \"%V\" answered %ui rows, status \"%V\"",
                      &ctx->endpoint->label, ngx_azora_op_rows(op), &value);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (first) {
        problem = ngx_azora_op_value(op, 0, first + NGX_AZORA_COLUMN_PROBLEM);

        if (problem.data != NULL) {
            value = ngx_azora_op_value(op, 0,
                                       first + NGX_AZORA_COLUMN_DETAIL);
            pointer = ngx_azora_op_value(op, 0,
                                         first + NGX_AZORA_COLUMN_POINTER);
            return ngx_azora_problem_from_sql(r, status, &problem, &value,
                                              &pointer);
        }
    }

    value = ngx_azora_op_value(op, 0, first + NGX_AZORA_COLUMN_BODY);

    if (status >= 400) {
        return ngx_azora_result_refusal(r, status, &value);
    }

    ctx->reply.status = status;

    if (ngx_azora_json_compact(r->pool, &ctx->reply.body, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = ngx_azora_op_value(op, 0, first + NGX_AZORA_COLUMN_LOCATION);

    if (ngx_azora_copy(r->pool, &ctx->reply.location, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value = ngx_azora_op_value(op, 0, first + NGX_AZORA_COLUMN_ETAG);

    if (value.len
        && ngx_azora_copy(r->pool, &ctx->reply.etag, &value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_azora_media_take(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->endpoint->row->finish != NULL) {
        return ctx->endpoint->row->finish(r, ctx);
    }

    return NGX_OK;
}


/* The key was used before: the stored reply, as AZ000 carries it. */

static ngx_int_t
ngx_azora_result_replay(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_op_t *op)
{
    ngx_int_t   status;
    ngx_str_t   value;

    value.data = (u_char *) ngx_azora_op_message(op);
    value.len = ngx_strlen(value.data);

    status = ngx_atoi(value.data, value.len);
    if (status < 200 || status > 299) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.status = status;

    value.data = (u_char *) ngx_azora_op_detail(op);
    value.len = ngx_strlen(value.data);

    if (ngx_azora_json_compact(r->pool, &ctx->reply.body, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = (u_char *) ngx_azora_op_hint(op);
    value.len = ngx_strlen(value.data);

    if (ngx_azora_copy(r->pool, &ctx->reply.location, &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->endpoint->row->finish != NULL) {
        return ctx->endpoint->row->finish(r, ctx);
    }

    return NGX_OK;
}


/*
 * azora.refusal()'s body: {"problem":..., "detail":..., "pointer":...}, and
 * "members" for a problem that tells more.
 */

static ngx_int_t
ngx_azora_result_refusal(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    json_t     *root;
    ngx_int_t   rc;
    ngx_str_t   name, detail, pointer;

    root = json_loadb((char *) body->data, body->len, 0, NULL);

    name.data = (u_char *) json_string_value(json_object_get(root, "problem"));
    detail.data = (u_char *) json_string_value(json_object_get(root,
                                                               "detail"));
    pointer.data = (u_char *) json_string_value(json_object_get(root,
                                                                "pointer"));

    name.len = name.data ? ngx_strlen(name.data) : 0;
    detail.len = detail.data ? ngx_strlen(detail.data) : 0;
    pointer.len = pointer.data ? ngx_strlen(pointer.data) : 0;

    rc = ngx_azora_problem_from_sql(r, status, &name, &detail, &pointer);

    ngx_azora_problem_members(r, json_object_get(root, "members"));

    json_decref(root);

    return rc;
}
