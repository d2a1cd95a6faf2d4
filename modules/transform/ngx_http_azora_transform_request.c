
/*
 * Requests on their way to a service.  What is taken out of them may be what
 * the service must not believe, so that a body that cannot be looked into does
 * not pass unless the configuration says so.
 */


#include "ngx_http_azora_transform.h"


static ngx_int_t ngx_http_azora_transform_acceptable(ngx_http_request_t *r,
    const ngx_http_azora_transform_conf_t *conf);
static ngx_uint_t ngx_http_azora_transform_says_json(ngx_http_request_t *r);
static void ngx_http_azora_transform_read(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_transform_take(ngx_http_request_t *r,
    const ngx_http_azora_transform_conf_t *conf);
static ngx_int_t ngx_http_azora_transform_put(ngx_http_request_t *r,
    const ngx_str_t *body);


ngx_int_t
ngx_http_azora_transform_request(ngx_http_request_t *r)
{
    ngx_int_t                         rc;
    ngx_http_azora_transform_ctx_t   *ctx;
    ngx_http_azora_transform_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_transform_module);

    if (conf->ops[NGX_HTTP_AZORA_TRANSFORM_REQUEST] == NULL || r != r->main
        || (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_http_azora_transform_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->read) {
        return ngx_http_azora_transform_take(r, conf);
    }

    rc = ngx_http_azora_transform_acceptable(r, conf);

    if (rc != NGX_OK) {
        return rc;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_azora_transform_read);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    /* the reference that the reading took; the request keeps its own */
    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


/* NGX_DECLINED: it passes as it is */

static ngx_int_t
ngx_http_azora_transform_acceptable(ngx_http_request_t *r,
    const ngx_http_azora_transform_conf_t *conf)
{
    ngx_str_t         encoding;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;

    if (type == NULL || !ngx_azora_body_is_json(r, &type->value)
        || ngx_azora_request_header(r, "Content-Encoding", &encoding)
           == NGX_OK)
    {
        if (conf->other && !ngx_http_azora_transform_says_json(r)) {
            return NGX_DECLINED;
        }

        return ngx_azora_problem(r, NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                 "unsupported-media-type",
                                 "The body must be JSON in UTF-8 and not "
                                 "compressed: send Content-Type: "
                                 "application/json.");
    }

    if (r->headers_in.content_length_n > (off_t) conf->max) {
        return ngx_azora_body_too_large(r, conf->max);
    }

    return NGX_OK;
}


/*
 * Whether a service could take the body for JSON: by any Content-Type of it,
 * with whatever suffix or charset, and whatever the encoding is said to be.
 */

static ngx_uint_t
ngx_http_azora_transform_says_json(ngx_http_request_t *r)
{
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at = { &r->headers_in.headers.part, 0 };

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (ngx_azora_header_is(h, "Content-Type")
            && ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                                (u_char *) "json", sizeof("json") - 2)
               != NULL)
        {
            return 1;
        }
    }

    return 0;
}


/* Called by NGINX when the whole body is there, at once or by events. */

static void
ngx_http_azora_transform_read(ngx_http_request_t *r)
{
    ngx_http_azora_transform_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_transform_module);

    ctx->read = 1;
    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


static ngx_int_t
ngx_http_azora_transform_take(ngx_http_request_t *r,
    const ngx_http_azora_transform_conf_t *conf)
{
    ngx_int_t  rc;
    ngx_str_t  body;

    rc = ngx_azora_body_text(r, conf->max, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    if (body.len == 0) {
        return NGX_DECLINED;
    }

    if (!ngx_http_azora_transform_valid(&body)) {
        return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-json",
                                 "The body is not valid JSON.");
    }

    rc = ngx_http_azora_transform_all(r,
             conf->ops[NGX_HTTP_AZORA_TRANSFORM_REQUEST], &body);

    if (rc == NGX_OK) {
        rc = ngx_http_azora_transform_put(r, &body);
    }

    return (rc == NGX_OK) ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* From here on this is the body, of a known length, whatever came. */

static ngx_int_t
ngx_http_azora_transform_put(ngx_http_request_t *r, const ngx_str_t *body)
{
    u_char                   *p;
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_table_elt_t          *length;
    ngx_http_request_body_t  *rb;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);
    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);

    if (b == NULL || cl == NULL || p == NULL) {
        return NGX_ERROR;
    }

    b->start = body->data;
    b->pos = body->data;
    b->last = body->data + body->len;
    b->end = b->last;
    b->temporary = 1;
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    rb = r->request_body;

    rb->bufs = cl;
    rb->buf = b;
    rb->temp_file = NULL;

    length = r->headers_in.content_length;

    if (length != NULL) {
        length->value.len = ngx_sprintf(p, "%uz", body->len) - p;
        length->value.data = p;
    }

    r->headers_in.content_length_n = body->len;
    r->headers_in.chunked = 0;

    return NGX_OK;
}
