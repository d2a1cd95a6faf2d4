
/*
 * The body stage: reads the whole body, bounded, and makes it ctx->body.
 *
 * A row with fields in the body takes one JSON object; an empty body is the
 * empty object, so that a request whose members are all optional may leave it
 * away, and one whose members are not gets told which are missing.  A row
 * without such fields takes nothing or {}: a body that nobody reads is a
 * mistake of the client's, and it is told so whatever the method is.
 */


#include "ngx_azora_json.h"


/* of a duplicate name that is told back */
#define NGX_AZORA_BODY_NAME_MAX  64


static ngx_uint_t ngx_azora_body_wanted(const ngx_azora_row_t *row);
static ngx_int_t ngx_azora_body_acceptable(ngx_http_request_t *r,
    const ngx_azora_row_t *row);
static ngx_uint_t ngx_azora_body_is_utf8(const u_char *p,
    const u_char *last);
static void ngx_azora_body_read(ngx_http_request_t *r);
static void ngx_azora_body_event(ngx_http_request_t *r);
static ngx_int_t ngx_azora_body_take(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_uint_t wanted);
static ngx_int_t ngx_azora_body_copy(ngx_http_request_t *r, ngx_chain_t *in,
    ngx_str_t *body);
static json_t *ngx_azora_body_parse(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const ngx_str_t *body, const char **reason,
    size_t *offset);
static ngx_int_t ngx_azora_body_invalid(ngx_http_request_t *r,
    const ngx_str_t *body, const char *reason, size_t offset);


ngx_int_t
ngx_azora_body_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t              rc;
    ngx_uint_t             wanted;
    ngx_azora_loc_conf_t  *alcf;

    if (ctx->endpoint == NULL) {
        return NGX_DECLINED;
    }

    wanted = ngx_azora_body_wanted(ctx->endpoint->row);

    if (ctx->body_ready) {
        return ngx_azora_body_take(r, ctx, wanted);
    }

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return NGX_OK;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    if (r->headers_in.content_length_n > (off_t) alcf->body_max) {
        return ngx_azora_body_too_large(r, alcf->body_max);
    }

    if (wanted) {
        rc = ngx_azora_body_acceptable(r, ctx->endpoint->row);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_azora_body_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    /* the reference that the reading took; the request keeps its own */
    ngx_http_finalize_request(r, NGX_DONE);

    if (rc == NGX_OK) {
        return ngx_azora_body_take(r, ctx, wanted);
    }

    if (rc != NGX_AGAIN) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* the read handler is NGINX's until the body is there, behind ours */

    ctx->body_handler = r->read_event_handler;
    r->read_event_handler = ngx_azora_body_event;

    return NGX_DONE;
}


static ngx_uint_t
ngx_azora_body_wanted(const ngx_azora_row_t *row)
{
    const ngx_azora_field_t  *field;

    field = row->fields;

    for ( /* void */ ; field != NULL && field->name != NULL; field++) {
        if (ngx_azora_in_body(field)) {
            return 1;
        }
    }

    return 0;
}


/* Called in the stage when the body came with the header, else by events. */

static void
ngx_azora_body_read(ngx_http_request_t *r)
{
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    ctx->body_ready = 1;
    r->preserve_body = 1;

    if (ctx->waiting) {
        ngx_azora_resume(r);
    }
}


/* NGINX ends a request whose body stops coming without a word; we answer. */

static void
ngx_azora_body_event(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    if (!r->connection->read->timedout) {
        ctx->body_handler(r);
        return;
    }

    r->connection->read->timedout = 0;
    r->keepalive = 0;

    rc = ngx_azora_problem(r, NGX_HTTP_REQUEST_TIME_OUT, "request-timeout",
                           "The body stopped coming.");

    /* ngx_http_finalize_request() would close on a 408 */
    rc = ngx_http_special_response_handler(r, rc);

    ngx_http_finalize_request(r, rc);
}


/* NGX_OK or 415: JSON in UTF-8, not compressed; RFC 9110, 15.5.16 */

static ngx_int_t
ngx_azora_body_acceptable(ngx_http_request_t *r, const ngx_azora_row_t *row)
{
    ngx_str_t         encoding;
    ngx_table_elt_t  *type;

    if (ngx_azora_request_header(r, "Content-Encoding", &encoding) == NGX_OK
        && !(encoding.len == sizeof("identity") - 1
             && ngx_strncasecmp(encoding.data, (u_char *) "identity",
                                encoding.len) == 0))
    {
        return ngx_azora_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                 "unsupported-media-type",
                                 "The body must not be compressed.");
    }

    type = r->headers_in.content_type;

    if (type != NULL && ngx_azora_body_is_json(r, &type->value)) {
        return NGX_OK;
    }

    if (type != NULL && (row->flags & NGX_AZORA_FORM)
        && ngx_azora_form_is(&type->value))
    {
        return NGX_OK;
    }

    return ngx_azora_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                             "unsupported-media-type",
                             "The body must be JSON in UTF-8: send "
                             "Content-Type: application/json%s.",
                             row->method == NGX_HTTP_PATCH
                             ? " or application/merge-patch+json" : "");
}


/* RFC 9110, 8.3.1: type/subtype, then parameters after semicolons */

ngx_uint_t
ngx_azora_body_is_json(ngx_http_request_t *r, const ngx_str_t *type)
{
    size_t   len;
    u_char  *p, *last;

    last = type->data + type->len;

    for (p = type->data; p < last && *p != ';'; p++) { /* void */ }

    len = p - type->data;

    while (len > 0 && (type->data[len - 1] == ' '
                       || type->data[len - 1] == '\t'))
    {
        len--;
    }

    if (len == sizeof("application/json") - 1
        && ngx_strncasecmp(type->data, (u_char *) "application/json", len)
           == 0)
    {
        return ngx_azora_body_is_utf8(p, last);
    }

    if (r->method == NGX_HTTP_PATCH
        && len == sizeof("application/merge-patch+json") - 1
        && ngx_strncasecmp(type->data,
                           (u_char *) "application/merge-patch+json", len)
           == 0)
    {
        return ngx_azora_body_is_utf8(p, last);
    }

    return 0;
}


/* Whether the parameters from p on name no other charset. */

static ngx_uint_t
ngx_azora_body_is_utf8(const u_char *p, const u_char *last)
{
    size_t         len;
    const u_char  *value;

    while (p < last) {

        /* at a semicolon */
        p++;

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        value = p;

        while (p < last && *p != ';') {
            p++;
        }

        len = p - value;

        if (len < sizeof("charset=") - 1
            || ngx_strncasecmp((u_char *) value, (u_char *) "charset=",
                               sizeof("charset=") - 1)
               != 0)
        {
            continue;
        }

        value += sizeof("charset=") - 1;
        len = p - value;

        while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
            len--;
        }

        if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
            value++;
            len -= 2;
        }

        if (len != sizeof("utf-8") - 1
            || ngx_strncasecmp((u_char *) value, (u_char *) "utf-8", len) != 0)
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_azora_body_too_large(ngx_http_request_t *r, size_t max)
{
    return ngx_azora_problem(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                             "body-too-large",
                             "The body may have %uz bytes.", max);
}


static ngx_int_t
ngx_azora_body_take(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_uint_t wanted)
{
    size_t                 offset;
    ngx_int_t              rc;
    ngx_str_t              body;
    const char            *reason;
    ngx_azora_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    rc = ngx_azora_body_text(r, alcf->body_max, &body);

    if (rc != NGX_OK || body.len == 0) {
        return rc;
    }

    if (ctx->body == NULL) {
        /* there may be one from before an internal redirect */
        ctx->body = ngx_azora_body_parse(r, ctx, &body, &reason, &offset);
    }

    if (!wanted) {

        if (json_is_object(ctx->body) && json_object_size(ctx->body) == 0) {
            return NGX_OK;
        }

        return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "unexpected-body",
                                 "This request takes no body.");
    }

    if (ctx->body == NULL) {
        return ngx_azora_body_invalid(r, &body, reason, offset);
    }

    if (!json_is_object(ctx->body)) {
        return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-json",
                                 "The body must be a JSON object.");
    }

    return NGX_OK;
}


static json_t *
ngx_azora_body_parse(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_str_t *body, const char **reason, size_t *offset)
{
    if ((ctx->endpoint->row->flags & NGX_AZORA_FORM)
        && r->headers_in.content_type != NULL
        && ngx_azora_form_is(&r->headers_in.content_type->value))
    {
        return ngx_azora_form_parse(r->pool, body->data, body->len, reason,
                                    offset);
    }

    return ngx_azora_json_parse(body->data, body->len, reason, offset);
}


static ngx_int_t
ngx_azora_body_invalid(ngx_http_request_t *r, const ngx_str_t *body,
    const char *reason, size_t offset)
{
    size_t   len;
    u_char  *p, *name;

    if (reason == ngx_azora_json_duplicate) {

        name = body->data + offset + 1;
        p = memchr(name, '"', body->len - offset - 1);
        len = (p != NULL) ? (size_t) (p - name) : NGX_AZORA_BODY_NAME_MAX;

        if (len < NGX_AZORA_BODY_NAME_MAX && memchr(name, '\\', len) == NULL) {
            return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-json",
                                     "The body is not valid JSON at byte %uz: "
                                     "the name \"%*s\" appears twice in one "
                                     "object.", offset, len, name);
        }
    }

    return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-json",
                             "The body is not valid JSON at byte %uz: %s.",
                             offset, reason);
}


/* The body as one piece: NGINX's own buffer where there is only one. */

ngx_int_t
ngx_azora_body_text(ngx_http_request_t *r, size_t max, ngx_str_t *body)
{
    off_t         size;
    ngx_chain_t  *cl, *in;

    ngx_str_null(body);

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    in = r->request_body->bufs;
    size = 0;

    for (cl = in; cl != NULL; cl = cl->next) {
        size += ngx_buf_size(cl->buf);

        /* a chunked body said nothing of its size before */

        if (size > (off_t) max) {
            return ngx_azora_body_too_large(r, max);
        }
    }

    if (size == 0) {
        return NGX_OK;
    }

    body->len = (size_t) size;

    if (in->next == NULL && !in->buf->in_file) {
        body->data = in->buf->pos;
        return NGX_OK;
    }

    return ngx_azora_body_copy(r, in, body);
}


static ngx_int_t
ngx_azora_body_copy(ngx_http_request_t *r, ngx_chain_t *in, ngx_str_t *body)
{
    u_char     *p;
    size_t      len;
    ssize_t     n;
    ngx_buf_t  *b;

    p = ngx_pnalloc(r->pool, body->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->data = p;

    for ( /* void */ ; in != NULL; in = in->next) {

        b = in->buf;
        len = (size_t) ngx_buf_size(b);

        if (len == 0) {
            continue;
        }

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, len);
            continue;
        }

        n = ngx_read_file(b->file, p, len, b->file_pos);

        if (n != (ssize_t) len) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}
