
/*
 * Answers on their way to the client.  One that should be changed and cannot
 * be is not sent at all, because what is to be removed may be a secret.
 */


#include "ngx_http_azora_transform.h"


/* the bit of connection->buffered that NGINX gives to filters of images */
#define NGX_HTTP_AZORA_TRANSFORM_BUFFERED  0x08


static ngx_int_t ngx_http_azora_transform_header(ngx_http_request_t *r);
static ngx_uint_t ngx_http_azora_transform_is(ngx_http_request_t *r,
    const char *type);
static ngx_uint_t ngx_http_azora_transform_cut(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_transform_fail(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_transform_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_azora_transform_gather(ngx_http_request_t *r,
    ngx_http_azora_transform_ctx_t *ctx, size_t max, ngx_chain_t *in);
static ngx_int_t ngx_http_azora_transform_change(ngx_http_request_t *r,
    ngx_http_azora_transform_conf_t *conf, ngx_str_t *body);
static ngx_int_t ngx_http_azora_transform_send(ngx_http_request_t *r,
    ngx_str_t *body);


static ngx_http_output_header_filter_pt  ngx_http_azora_transform_next_header;
static ngx_http_output_body_filter_pt    ngx_http_azora_transform_next_body;


void
ngx_http_azora_transform_answers(void)
{
    ngx_http_azora_transform_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_azora_transform_header;

    ngx_http_azora_transform_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_azora_transform_body;
}


static ngx_int_t
ngx_http_azora_transform_header(ngx_http_request_t *r)
{
    ngx_uint_t                        part;
    ngx_http_azora_transform_ctx_t   *ctx;
    ngx_http_azora_transform_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_transform_module);

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_transform_module);

    /* several parts of what may be JSON have a type of their own */

    part = (r->headers_out.status == NGX_HTTP_PARTIAL_CONTENT);

    if (conf->ops[NGX_HTTP_AZORA_TRANSFORM_ANSWER] == NULL || r != r->main
        || (!ngx_http_azora_transform_is(r, "application/json")
            && !(part
                 && ngx_http_azora_transform_is(r, "multipart/byteranges")))
        || r->headers_out.status == NGX_HTTP_NO_CONTENT
        || r->headers_out.status == NGX_HTTP_NOT_MODIFIED
        || (ctx != NULL && ctx->begun))
    {
        return ngx_http_azora_transform_next_header(r);
    }

    if (part) {
        /* the inside of a string, or of a number, is JSON as well */
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: a part of an answer cannot be changed: ask for "
                      "all of it with \"azora_request_header remove Range\"");
        return ngx_http_azora_transform_fail(r);
    }

    if (r->headers_out.content_encoding != NULL
        && r->headers_out.content_encoding->value.len != 0)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer that is compressed cannot be changed: "
                      "ask for it with \"Accept-Encoding\" empty");
        return ngx_http_azora_transform_fail(r);
    }

    if (r->headers_out.content_length_n > (off_t) conf->max) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer is longer than \"azora_json_max\"");
        return ngx_http_azora_transform_fail(r);
    }

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);

    if (r->header_only || r->method == NGX_HTTP_HEAD) {
        return ngx_http_azora_transform_next_header(r);
    }

    ctx = ngx_http_azora_transform_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->begun = 1;

    /* the header waits for the body: only then it is known what to say */

    r->main_filter_need_in_memory = 1;
    r->allow_ranges = 0;

    return NGX_OK;
}


/* RFC 9110, 8.3.1: whatever parameters follow */

static ngx_uint_t
ngx_http_azora_transform_is(ngx_http_request_t *r, const char *type)
{
    u_char      ch;
    size_t      len;
    ngx_str_t  *value;

    value = &r->headers_out.content_type;
    len = ngx_strlen(type);

    if (value->len < len
        || ngx_strncasecmp(value->data, (u_char *) type, len) != 0)
    {
        return 0;
    }

    ch = (value->len > len) ? value->data[len] : ';';

    return ch == ';' || ch == ' ' || ch == '\t';
}


static ngx_int_t
ngx_http_azora_transform_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                         rc;
    ngx_http_azora_transform_ctx_t   *ctx;
    ngx_http_azora_transform_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_transform_module);

    if (ctx == NULL || !ctx->begun || ctx->done || in == NULL) {
        return ngx_http_azora_transform_next_body(r, in);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_transform_module);

    rc = ngx_http_azora_transform_gather(r, ctx, conf->max, in);

    if (rc == NGX_AGAIN) {

        if (!ngx_http_azora_transform_cut(r)) {
            return NGX_OK;
        }

        r->connection->buffered &= ~NGX_HTTP_AZORA_TRANSFORM_BUFFERED;
        rc = NGX_DECLINED;
    }

    ctx->done = 1;

    if (rc == NGX_OK) {
        rc = ngx_http_azora_transform_change(r, conf, &ctx->body);
    }

    if (rc == NGX_OK) {
        return ngx_http_azora_transform_send(r, &ctx->body);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_http_azora_transform_fail(r);
}


/*
 * Whether there will be no more although the end has not come: NGINX is done
 * with the service and would wait for the client to take what is held back.
 */

static ngx_uint_t
ngx_http_azora_transform_cut(ngx_http_request_t *r)
{
    return r->upstream != NULL && r->upstream->cleanup == NULL;
}


/* Without the headers of what is not sent. */

static ngx_int_t
ngx_http_azora_transform_fail(ngx_http_request_t *r)
{
    return ngx_http_filter_finalize_request(r,
                                            &ngx_http_azora_transform_module,
                                            NGX_HTTP_BAD_GATEWAY);
}


/* NGX_AGAIN: there is more to come; NGX_DECLINED: there is too much */

static ngx_int_t
ngx_http_azora_transform_gather(ngx_http_request_t *r,
    ngx_http_azora_transform_ctx_t *ctx, size_t max, ngx_chain_t *in)
{
    size_t      size;
    ngx_buf_t  *b;

    if (ctx->body.data == NULL) {
        ctx->body.data = ngx_pnalloc(r->pool, max);

        if (ctx->body.data == NULL) {
            return NGX_ERROR;
        }
    }

    r->connection->buffered |= NGX_HTTP_AZORA_TRANSFORM_BUFFERED;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        size = b->last - b->pos;

        if (size > max - ctx->body.len) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "azora: an answer is longer than "
                          "\"azora_json_max\"");
            r->connection->buffered &= ~NGX_HTTP_AZORA_TRANSFORM_BUFFERED;
            return NGX_DECLINED;
        }

        if (size) {
            /* the last one of an upstream has no memory at all */
            ngx_memcpy(ctx->body.data + ctx->body.len, b->pos, size);
            ctx->body.len += size;
            b->pos = b->last;
        }

        if (b->last_buf) {
            r->connection->buffered &= ~NGX_HTTP_AZORA_TRANSFORM_BUFFERED;
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* NGX_DECLINED: the answer is not what it says it is */

static ngx_int_t
ngx_http_azora_transform_change(ngx_http_request_t *r,
    ngx_http_azora_transform_conf_t *conf, ngx_str_t *body)
{
    if (body->len == 0) {
        return NGX_OK;
    }

    if (!ngx_http_azora_transform_valid(body)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer that should be changed is no JSON");
        return NGX_DECLINED;
    }

    return ngx_http_azora_transform_all(r,
               conf->ops[NGX_HTTP_AZORA_TRANSFORM_ANSWER], body);
}


static ngx_int_t
ngx_http_azora_transform_send(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_chain_t  *out;

    r->headers_out.content_length_n = body->len;

    rc = ngx_http_azora_transform_next_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out = ngx_azora_chain(r, body);
    if (out == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_azora_transform_next_body(r, out);
}
