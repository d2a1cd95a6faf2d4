
/*
 * Replies: JSON answers, entity tags and Prefer; the parameters that a row's
 * own steps may read and replace.
 */


#include "ngx_azora_private.h"


static ngx_uint_t ngx_azora_prefers_minimal(ngx_http_request_t *r);
static ngx_int_t ngx_azora_etag_make(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_str_t *etag);
static ngx_uint_t ngx_azora_etag_matches(const ngx_str_t *header,
    const ngx_str_t *etag);
static ngx_int_t ngx_azora_etag_set(ngx_http_request_t *r, ngx_str_t *etag);
static ngx_int_t ngx_azora_location_set(ngx_http_request_t *r,
    ngx_str_t *location);


static const ngx_str_t  ngx_azora_json_type = ngx_string("application/json");


ngx_int_t
ngx_azora_reply_send(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t           applied;
    ngx_azora_reply_t  *reply;

    reply = &ctx->reply;

    if (reply->etag.len == 0
        && ngx_azora_etag_make(r, ctx, &reply->etag) == NGX_ERROR)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->etag.len && ngx_azora_etag_set(r, &reply->etag) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->location.len
        && ngx_azora_location_set(r, &reply->location) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->status == NGX_HTTP_NOT_MODIFIED) {
        return ngx_azora_reply_not_modified(r, ctx);
    }

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        && ctx->endpoint->row->finish == NULL
        && ngx_azora_prefers_minimal(r))
    {
        ngx_str_set(&applied, "return=minimal");

        if (ngx_azora_add_header(r, "Preference-Applied", &applied) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        reply->body.len = 0;

        if (reply->status == NGX_HTTP_OK) {
            reply->status = NGX_HTTP_NO_CONTENT;
        }
    }

    return ngx_azora_send(r, reply->status,
                          reply->type.len ? &reply->type : NULL,
                          &reply->body);
}


ngx_int_t
ngx_azora_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_str_t *body)
{
    ngx_int_t         rc;
    ngx_chain_t      *out;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ctx->replied = 1;

    if (content_type == NULL) {
        content_type = &ngx_azora_json_type;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    if (body->len) {
        r->headers_out.content_type = *content_type;
        r->headers_out.content_type_len = content_type->len;
        r->headers_out.content_type_lowcase = NULL;

    } else if (status == NGX_HTTP_NO_CONTENT) {
        r->headers_out.content_length_n = -1;
        r->header_only = 1;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out = ngx_azora_chain(r, body);
    if (out == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, out);
}


ngx_chain_t *
ngx_azora_chain(ngx_http_request_t *r, const ngx_str_t *body)
{
    ngx_buf_t    *b;
    ngx_chain_t  *out;

    b = ngx_calloc_buf(r->pool);
    out = ngx_alloc_chain_link(r->pool);

    if (b == NULL || out == NULL) {
        return NULL;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = (body->len != 0);
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out->buf = b;
    out->next = NULL;

    return out;
}


/* RFC 7240, section 4.2; only the one preference that changes something */

static ngx_uint_t
ngx_azora_prefers_minimal(ngx_http_request_t *r)
{
    ngx_str_t  value;

    if (ngx_azora_request_header(r, "Prefer", &value) != NGX_OK) {
        return 0;
    }

    return ngx_strlcasestrn(value.data, value.data + value.len,
                            (u_char *) "return=minimal",
                            sizeof("return=minimal") - 2)
           != NULL;
}


ngx_int_t
ngx_azora_etag_known(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_table_elt_t  *header;

    header = r->headers_in.if_none_match;

    if (header == NULL || ctx->endpoint->row->version == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_azora_etag_make(r, ctx, &ctx->reply.etag) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (!ngx_azora_etag_matches(&header->value, &ctx->reply.etag)) {
        ngx_str_null(&ctx->reply.etag);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_azora_reply_not_modified(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ctx->replied = 1;

    r->headers_out.status = NGX_HTTP_NOT_MODIFIED;
    r->headers_out.content_length_n = -1;
    r->header_only = 1;

    if (ctx->reply.etag.len && r->headers_out.etag == NULL
        && ngx_azora_etag_set(r, &ctx->reply.etag) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_send_header(r);
}


/*
 * A weak tag (RFC 9110, section 8.8.3) from the generation and, because two
 * people or two queries may see different things, the caller and the target.
 * NGX_DECLINED: the row names no generation or it is not known now.
 */

static ngx_int_t
ngx_azora_etag_make(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_str_t *etag)
{
    uint32_t  crc;

    if (ctx->endpoint->row->version == NULL || ctx->generation == 0) {
        return NGX_DECLINED;
    }

    ngx_crc32_init(crc);
    ngx_crc32_update(&crc, r->unparsed_uri.data, r->unparsed_uri.len);
    ngx_crc32_update(&crc, ctx->principal.subject.data,
                     ctx->principal.subject.len);
    ngx_crc32_final(crc);

    etag->data = ngx_pnalloc(r->pool, sizeof("W/\"-\"") + 16 + 8);
    if (etag->data == NULL) {
        return NGX_ERROR;
    }

    etag->len = ngx_sprintf(etag->data, "W/\"%xL-%08xD\"", ctx->generation,
                            crc)
                - etag->data;

    return NGX_OK;
}


/* RFC 9110, section 13.1.2: a list of tags compared weakly, or "*" */

static ngx_uint_t
ngx_azora_etag_matches(const ngx_str_t *header, const ngx_str_t *etag)
{
    size_t   len;
    u_char  *p, *last, *opaque;

    if (header->len == 1 && header->data[0] == '*') {
        return 1;
    }

    opaque = etag->data + 2;
    len = etag->len - 2;
    last = header->data + header->len;

    for (p = header->data; p + len <= last; p++) {
        if (*p == '"' && ngx_memcmp(p, opaque, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_azora_etag_set(ngx_http_request_t *r, ngx_str_t *etag)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value = *etag;

    r->headers_out.etag = h;

    return NGX_OK;
}


/* Not through headers_out.location: NGINX would make it absolute. */

static ngx_int_t
ngx_azora_location_set(ngx_http_request_t *r, ngx_str_t *location)
{
    return ngx_azora_add_header(r, "Location", location);
}


ngx_azora_value_t *
ngx_azora_value(ngx_azora_ctx_t *ctx, const char *name)
{
    ngx_uint_t  i;

    if (ctx->endpoint == NULL || ctx->values == NULL) {
        return NULL;
    }

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        if (ngx_strcmp(ctx->endpoint->row->fields[i].name, name) == 0) {
            return ctx->values[i].text.data ? &ctx->values[i] : NULL;
        }
    }

    return NULL;
}


ngx_int_t
ngx_azora_set_value(ngx_azora_ctx_t *ctx, const char *name, ngx_str_t *text)
{
    ngx_uint_t  i;

    if ((ctx->endpoint->row->flags & NGX_AZORA_KEY)
        && ngx_azora_call_fingerprint(ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        if (ngx_strcmp(ctx->endpoint->row->fields[i].name, name) == 0) {
            ctx->values[i].json = NULL;
            return ngx_azora_copy(ctx->request->pool, &ctx->values[i].text,
                                  text);
        }
    }

    return NGX_ERROR;
}
