
/*
 * CORS (https://fetch.spec.whatwg.org/#http-cors-protocol): which other sites'
 * pages may call the API from a browser.
 */


#include "ngx_http_azora_gateway.h"


static char *ngx_http_azora_gateway_cors_argument(
    ngx_http_azora_gateway_cors_t *cors, ngx_str_t *arg);
static ngx_uint_t ngx_http_azora_gateway_cors_decides(
    const ngx_table_elt_t *h, const void *data);
static ngx_uint_t ngx_http_azora_gateway_cors_allows(
    const ngx_http_azora_gateway_cors_t *cors, const ngx_str_t *origin);
static ngx_uint_t ngx_http_azora_gateway_is_preflight(ngx_http_request_t *r);


static ngx_str_t  ngx_http_azora_gateway_any_origin = ngx_string("*");
static ngx_str_t  ngx_http_azora_gateway_true = ngx_string("true");
static ngx_str_t  ngx_http_azora_gateway_vary = ngx_string("Origin");
static ngx_str_t  ngx_http_azora_gateway_methods =
    ngx_string("GET, HEAD, POST, PUT, PATCH, DELETE");
static ngx_str_t  ngx_http_azora_gateway_allowed =
    ngx_string("Authorization, Content-Type, Idempotency-Key, If-Match, "
               "If-None-Match, Last-Event-ID, Prefer, X-API-Key, "
               "X-Request-Id, traceparent, tracestate");
static ngx_str_t  ngx_http_azora_gateway_exposed =
    ngx_string("ETag, Location, RateLimit, RateLimit-Policy, Retry-After, "
               "WWW-Authenticate, Preference-Applied, Age, Content-Length");


/* azora_cors off | "*" | https://a.example ... [credentials] [max_age=600] */

char *
ngx_http_azora_gateway_cors(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_gateway_loc_conf_t *glcf = conf;

    char                           *rv;
    ngx_str_t                      *value;
    ngx_uint_t                      i;
    ngx_http_azora_gateway_cors_t  *cors;

    if (glcf->cors != NULL) {
        return "is duplicate";
    }

    cors = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_gateway_cors_t));

    if (cors == NULL
        || ngx_array_init(&cors->origins, cf->pool, 2, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    glcf->cors = cors;
    ngx_str_set(&cors->max_age, "600");

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        cors->off = 1;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_azora_gateway_cors_argument(cors, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (cors->any && (cors->credentials || cors->origins.nelts)) {
        return "takes neither credentials nor other origins with \"*\"";
    }

    if (!cors->any && cors->origins.nelts == 0) {
        return "names no origin";
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_azora_gateway_cors_argument(ngx_http_azora_gateway_cors_t *cors,
    ngx_str_t *arg)
{
    ngx_str_t  *origin;

    if (ngx_strcmp(arg->data, "*") == 0) {
        cors->any = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(arg->data, "credentials") == 0) {
        cors->credentials = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(arg->data, "max_age=", 8) == 0) {
        cors->max_age.data = arg->data + 8;
        cors->max_age.len = arg->len - 8;

        return (ngx_atoi(cors->max_age.data, cors->max_age.len) >= 0)
               ? NGX_CONF_OK : "has an invalid max_age=, seconds are meant";
    }

    if (ngx_strncmp(arg->data, "https://", 8) != 0
        && ngx_strncmp(arg->data, "http://", 7) != 0)
    {
        return "takes off, \"*\", or origins such as "
               "https://app.example.org and https://*.example.org";
    }

    origin = ngx_array_push(&cors->origins);
    if (origin == NULL) {
        return NGX_CONF_ERROR;
    }

    *origin = *arg;
    ngx_strlow(origin->data, origin->data, origin->len);

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_azora_gateway_preflight(ngx_http_request_t *r)
{
    ngx_azora_ctx_t                    *ctx;
    ngx_http_azora_gateway_loc_conf_t  *glcf;

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_gateway_module);

    if (r->method != NGX_HTTP_OPTIONS || r != r->main
        || glcf->cors == NULL || glcf->cors->off
        || !ngx_http_azora_gateway_is_preflight(r))
    {
        return NGX_DECLINED;
    }

    ctx = ngx_azora_get_ctx(r);

    return (ctx != NULL && ctx->endpoint == NULL) ? NGX_HTTP_NO_CONTENT
                                                  : NGX_DECLINED;
}


ngx_int_t
ngx_http_azora_gateway_cors_headers(ngx_http_request_t *r,
    const ngx_http_azora_gateway_cors_t *cors)
{
    ngx_str_t  origin, *allowed;

    /* a service would let in whom we do not name, or say twice who may */

    ngx_http_azora_gateway_forget(r, ngx_http_azora_gateway_cors_decides, NULL,
                                  1);

    /* caches must not give one site's answer to another */

    if (!cors->any
        && ngx_azora_add_header(r, "Vary", &ngx_http_azora_gateway_vary)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_azora_request_header(r, "Origin", &origin) != NGX_OK
        || !ngx_http_azora_gateway_cors_allows(cors, &origin))
    {
        return NGX_OK;
    }

    allowed = cors->any ? &ngx_http_azora_gateway_any_origin : &origin;

    if (ngx_azora_add_header(r, "Access-Control-Allow-Origin", allowed)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (cors->credentials
        && ngx_azora_add_header(r, "Access-Control-Allow-Credentials",
                                &ngx_http_azora_gateway_true)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_azora_gateway_is_preflight(r)) {
        return ngx_azora_add_header(r, "Access-Control-Expose-Headers",
                                    &ngx_http_azora_gateway_exposed);
    }

    if (ngx_azora_add_header(r, "Access-Control-Allow-Methods",
                             &ngx_http_azora_gateway_methods)
        != NGX_OK
        || ngx_azora_add_header(r, "Access-Control-Allow-Headers",
                                &ngx_http_azora_gateway_allowed)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_add_header(r, "Access-Control-Max-Age",
                                (ngx_str_t *) &cors->max_age);
}


static ngx_uint_t
ngx_http_azora_gateway_cors_decides(const ngx_table_elt_t *h, const void *data)
{
    return ngx_azora_header_is(h, "Access-Control-Allow-Origin")
           || ngx_azora_header_is(h, "Access-Control-Allow-Credentials");
}


/* A star is any name below the rest, not the rest itself. */

static ngx_uint_t
ngx_http_azora_gateway_cors_allows(const ngx_http_azora_gateway_cors_t *cors,
    const ngx_str_t *origin)
{
    u_char      *star;
    size_t       head, tail;
    ngx_str_t   *o;
    ngx_uint_t   i;

    if (cors->any) {
        return 1;
    }

    o = cors->origins.elts;

    for (i = 0; i < cors->origins.nelts; i++) {

        star = ngx_strlchr(o[i].data, o[i].data + o[i].len, '*');

        if (star == NULL) {
            if (o[i].len == origin->len
                && ngx_strncasecmp(o[i].data, origin->data, origin->len)
                   == 0)
            {
                return 1;
            }

            continue;
        }

        head = star - o[i].data;
        tail = o[i].len - head - 1;

        if (origin->len > head + tail
            && ngx_strncasecmp(o[i].data, origin->data, head) == 0
            && ngx_strncasecmp(star + 1, origin->data + origin->len - tail,
                               tail)
               == 0
            && ngx_strlchr(origin->data + head,
                           origin->data + origin->len - tail, '/')
               == NULL)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_azora_gateway_is_preflight(ngx_http_request_t *r)
{
    ngx_str_t  value;

    return r->method == NGX_HTTP_OPTIONS
           && ngx_azora_request_header(r, "Origin", &value) == NGX_OK
           && ngx_azora_request_header(r, "Access-Control-Request-Method",
                                       &value)
              == NGX_OK;
}
