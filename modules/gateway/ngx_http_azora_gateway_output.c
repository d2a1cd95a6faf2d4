
/*
 * Headers of every answer: what keeps browsers from harm, and CORS.
 *
 * A header that is there already, from a service behind or from add_header,
 * is left as it is.
 */


#include "ngx_http_azora_gateway.h"


static ngx_int_t ngx_http_azora_gateway_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_azora_gateway_headless(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_gateway_upstream_status(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_gateway_security(ngx_http_request_t *r);
static ngx_uint_t ngx_http_azora_gateway_is_json(ngx_http_request_t *r);


typedef struct {
    ngx_str_t   name;
    ngx_str_t   value;
    ngx_uint_t  only;
} ngx_http_azora_gateway_security_t;


#define NGX_HTTP_AZORA_GATEWAY_TLS   1
#define NGX_HTTP_AZORA_GATEWAY_JSON  2


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_http_azora_gateway_security_t
    ngx_http_azora_gateway_security_headers[] = {
    { ngx_string("X-Content-Type-Options"), ngx_string("nosniff"), 0 },
    { ngx_string("X-Frame-Options"), ngx_string("DENY"), 0 },
    { ngx_string("Referrer-Policy"), ngx_string("no-referrer"), 0 },
    { ngx_string("Cross-Origin-Resource-Policy"), ngx_string("same-origin"),
      0 },
    { ngx_string("Cross-Origin-Opener-Policy"), ngx_string("same-origin"),
      0 },
    { ngx_string("X-Permitted-Cross-Domain-Policies"), ngx_string("none"),
      0 },
    { ngx_string("Content-Security-Policy"),
      ngx_string("default-src 'none'; frame-ancestors 'none'"),
      NGX_HTTP_AZORA_GATEWAY_JSON },
    { ngx_string("Strict-Transport-Security"),
      ngx_string("max-age=31536000; includeSubDomains"),
      NGX_HTTP_AZORA_GATEWAY_TLS },
    { ngx_null_string, ngx_null_string, 0 }
};


ngx_int_t
ngx_http_azora_gateway_output_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_azora_gateway_header_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_header_filter(ngx_http_request_t *r)
{
    ngx_azora_ctx_t                    *ctx;
    ngx_http_azora_gateway_loc_conf_t  *glcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    if (ngx_http_azora_gateway_headless(r)) {
        return ngx_http_filter_finalize_request(r,
                                           &ngx_http_azora_gateway_module,
                                           NGX_HTTP_BAD_GATEWAY);
    }

    if (ngx_http_azora_gateway_upstream_status(r) != NGX_OK) {
        return NGX_ERROR;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_gateway_module);

    if (glcf->security == NGX_HTTP_AZORA_GATEWAY_ROWS) {
        ctx = ngx_azora_get_ctx(r);

        if (ctx != NULL && ctx->endpoint != NULL
            && ngx_http_azora_gateway_security(r) != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (glcf->security != NGX_HTTP_AZORA_GATEWAY_OFF
               && ngx_http_azora_gateway_security(r) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (glcf->cors != NULL && !glcf->cors->off
        && ngx_http_azora_gateway_cors_headers(r, glcf->cors) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (glcf->responses != NULL
        && ngx_http_azora_gateway_edit_responses(r, glcf->responses) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_next_header_filter(r);
}


/*
 * NGINX takes what does not begin with a status line for HTTP/0.9 and sends it
 * on as bare, in the middle of the client's connection.
 */

static ngx_uint_t
ngx_http_azora_gateway_headless(ngx_http_request_t *r)
{
    ngx_uint_t  version;

    version = r->http_major * 1000 + r->http_minor;

    if (r->upstream == NULL || r->http_version == version
        || r->http_version != NGX_HTTP_VERSION_9)
    {
        return 0;
    }

    /* NGINX closes the connection when a filter puts an answer in place */

    r->http_version = version;
    r->keepalive = 0;

    return 1;
}


/*
 * An upstream that was not asked: 503 with the time to wait in the place of
 * NGINX's 502, or the last good answer of proxy_cache with its age (RFC 9111).
 */

static ngx_int_t
ngx_http_azora_gateway_upstream_status(ngx_http_request_t *r)
{
    ngx_http_azora_gateway_ctx_t  *ctx;

#if (NGX_HTTP_CACHE)

    u_char            *p;
    ngx_str_t          age;
    static ngx_str_t   warning = ngx_string("110 - \"Response is Stale\"");

    if (r->upstream != NULL && r->cached && r->cache != NULL
        && r->upstream->cache_status == NGX_HTTP_CACHE_STALE)
    {
        p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        age.data = p;
        age.len = ngx_sprintf(p, "%T", ngx_max(ngx_time() - r->cache->date,
                                               0))
                  - p;

        return (ngx_azora_add_header(r, "Age", &age) == NGX_OK)
               ? ngx_azora_add_header(r, "Warning", &warning) : NGX_ERROR;
    }

#endif

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_gateway_module);

    if (ctx == NULL || !ctx->refused
        || r->headers_out.status != NGX_HTTP_BAD_GATEWAY)
    {
        return NGX_OK;
    }

    r->headers_out.status = NGX_HTTP_SERVICE_UNAVAILABLE;
    ngx_str_null(&r->headers_out.status_line);

    return ngx_azora_add_header(r, "Retry-After", &ctx->wait);
}


static ngx_int_t
ngx_http_azora_gateway_security(ngx_http_request_t *r)
{
    ngx_http_azora_gateway_security_t  *h;

    for (h = ngx_http_azora_gateway_security_headers; h->name.len; h++) {

        if (h->only == NGX_HTTP_AZORA_GATEWAY_JSON
            && !ngx_http_azora_gateway_is_json(r))
        {
            continue;
        }

#if (NGX_HTTP_SSL)

        if (h->only == NGX_HTTP_AZORA_GATEWAY_TLS
            && r->connection->ssl == NULL)
        {
            continue;
        }

#else

        if (h->only == NGX_HTTP_AZORA_GATEWAY_TLS) {
            continue;
        }

#endif

        if (ngx_http_azora_gateway_told(r, &h->name) != NULL) {
            continue;
        }

        if (ngx_azora_add_header(r, (char *) h->name.data, &h->value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_table_elt_t *
ngx_http_azora_gateway_told(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at = { &r->headers_out.headers.part, 0 };

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (h->hash != 0 && ngx_azora_header_is(h, (char *) name->data)) {
            return h;
        }
    }

    return NULL;
}


/* application/json, application/problem+json, application/x+json */

static ngx_uint_t
ngx_http_azora_gateway_is_json(ngx_http_request_t *r)
{
    ngx_str_t  *type;

    type = &r->headers_out.content_type;

    if (r->headers_out.status >= NGX_HTTP_BAD_REQUEST && r->upstream == NULL) {
        /* NGINX's page or the problem in its place: neither loads anything */
        return 1;
    }

    return type->len >= sizeof("application/json") - 1
           && ngx_strncmp(type->data, "application/", 12) == 0
           && ngx_strnstr(type->data, "json", type->len) != NULL;
}
