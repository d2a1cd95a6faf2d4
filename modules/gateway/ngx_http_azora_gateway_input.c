
/*
 * What a request may say and what a service behind is told.
 *
 * X-Azora-* headers are ours: a client's own are taken away before anything
 * reads them, wherever the request goes.  A location with azora_identity then
 * gets true ones, and not the client's token, with which the service behind
 * could act as its user everywhere.
 */


#include "ngx_http_azora_gateway.h"


static ngx_uint_t ngx_http_azora_gateway_ours(const ngx_table_elt_t *h,
    const void *data);
static ngx_uint_t ngx_http_azora_gateway_secret(const ngx_table_elt_t *h);
static ngx_uint_t ngx_http_azora_gateway_untold(const ngx_table_elt_t *h,
    const void *data);
static ngx_uint_t ngx_http_azora_gateway_traced(const ngx_table_elt_t *h,
    const void *data);
static ngx_int_t ngx_http_azora_gateway_host_sni(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_gateway_trace(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_gateway_identity(ngx_http_request_t *r,
    ngx_http_azora_gateway_loc_conf_t *glcf);
static ngx_int_t ngx_http_azora_gateway_identity_headers(
    ngx_http_request_t *r, const ngx_azora_principal_t *who);


typedef struct {
    ngx_http_azora_gateway_name_t  name;
    size_t                         offset;
} ngx_http_azora_gateway_header_t;


static ngx_http_azora_gateway_header_t
    ngx_http_azora_gateway_headers[] = {
    { { ngx_string("x-azora-subject"), 0 },
      offsetof(ngx_azora_principal_t, subject) },
    { { ngx_string("x-azora-session"), 0 },
      offsetof(ngx_azora_principal_t, session) },
    { { ngx_string("x-azora-roles"), 0 },
      offsetof(ngx_azora_principal_t, roles) },
    { { ngx_string("x-azora-scope"), 0 },
      offsetof(ngx_azora_principal_t, scope) },
    { { ngx_string("x-azora-tier"), 0 },
      offsetof(ngx_azora_principal_t, tier) },
    { { ngx_null_string, 0 }, 0 }
};


static ngx_http_azora_gateway_name_t  ngx_http_azora_gateway_traces[] = {
    { ngx_string("traceparent"), 0 },
    { ngx_string("tracestate"), 0 },
    { ngx_string("x-request-id"), 0 }
};

static ngx_http_azora_gateway_name_t  ngx_http_azora_gateway_jwt = {
    ngx_string("x-azora-identity"), 0
};


void
ngx_http_azora_gateway_input_init(void)
{
    ngx_uint_t                        i;
    ngx_http_azora_gateway_header_t  *header;

    for (header = ngx_http_azora_gateway_headers; header->name.text.len;
         header++)
    {
        ngx_http_azora_gateway_name_init(&header->name);
    }

    for (i = 0; i < 3; i++) {
        ngx_http_azora_gateway_name_init(&ngx_http_azora_gateway_traces[i]);
    }

    ngx_http_azora_gateway_name_init(&ngx_http_azora_gateway_jwt);
}


ngx_int_t
ngx_http_azora_gateway_post_read(ngx_http_request_t *r)
{
    ngx_http_azora_gateway_loc_conf_t  *glcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    if (ngx_http_azora_gateway_drop(r, ngx_http_azora_gateway_ours, NULL)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_gateway_module);

    return glcf->host_sni ? ngx_http_azora_gateway_host_sni(r)
                          : NGX_DECLINED;
}


/*
 * "X_Azora_Subject" counts as well: what speaks CGI behind cannot tell the
 * underscore from the dash.
 */

static ngx_uint_t
ngx_http_azora_gateway_ours(const ngx_table_elt_t *h, const void *data)
{
    u_char  *p;

    p = h->key.data;

    return h->key.len >= sizeof("x-azora-") - 1
           && (p[0] | 0x20) == 'x'
           && (p[1] == '-' || p[1] == '_')
           && ngx_strncasecmp(p + 2, (u_char *) "azora", 5) == 0
           && (p[7] == '-' || p[7] == '_');
}


/* a token, or a service account's key */

static ngx_uint_t
ngx_http_azora_gateway_secret(const ngx_table_elt_t *h)
{
    return ngx_azora_header_is(h, "authorization")
           || (ngx_azora_header_is(h, "x-api-key")
               && ngx_strncmp(h->value.data, "azk_", 4) == 0);
}


/* what a service is not told, in one walk; an earlier location of the request
   may have put some of ours in */

static ngx_uint_t
ngx_http_azora_gateway_untold(const ngx_table_elt_t *h, const void *data)
{
    return ngx_http_azora_gateway_ours(h, NULL)
           || ngx_http_azora_gateway_secret(h);
}


static ngx_uint_t
ngx_http_azora_gateway_traced(const ngx_table_elt_t *h, const void *data)
{
    return ngx_azora_header_is(h, "traceparent")
           || ngx_azora_header_is(h, "tracestate")
           || ngx_azora_header_is(h, "x-request-id");
}


/*
 * RFC 9110, 7.4: a request for another host than the TLS session was made for
 * is refused, or one site's client certificate or route would open another.
 */

static ngx_int_t
ngx_http_azora_gateway_host_sni(ngx_http_request_t *r)
{
#if (NGX_HTTP_SSL && defined SSL_CTRL_SET_TLSEXT_HOSTNAME)

    size_t       len;
    ngx_str_t   *host;
    const char  *sni;

    if (r->connection->ssl == NULL) {
        return NGX_DECLINED;
    }

    sni = SSL_get_servername(r->connection->ssl->connection,
                             TLSEXT_NAMETYPE_host_name);
    if (sni == NULL) {
        /* by address, or from before 2003 */
        return NGX_DECLINED;
    }

    host = &r->headers_in.server;
    len = ngx_strlen(sni);

    if (len && sni[len - 1] == '.') {
        len--;
    }

    if (host->len == len
        && ngx_strncasecmp(host->data, (u_char *) sni, len) == 0)
    {
        return NGX_DECLINED;
    }

    return ngx_azora_problem(r, NGX_HTTP_MISDIRECTED_REQUEST,
                             "misdirected-request",
                             "The Host of the request is not the name that "
                             "the TLS connection was made for.");

#else

    return NGX_DECLINED;

#endif
}


ngx_int_t
ngx_http_azora_gateway_forward(ngx_http_request_t *r)
{
    ngx_uint_t                          identity;
    ngx_http_azora_gateway_loc_conf_t  *glcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    glcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_gateway_module);

    identity = (glcf->identity != NGX_HTTP_AZORA_GATEWAY_OFF);

    if ((glcf->forward == 1
         || (glcf->forward == NGX_HTTP_AZORA_GATEWAY_AUTO && identity))
        && ngx_http_azora_gateway_trace(r) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (identity
        && ngx_http_azora_gateway_identity(r, glcf) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (glcf->requests != NULL
        && ngx_http_azora_gateway_edit_requests(r, glcf->requests) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}


/* W3C Trace Context, 3.2: our span becomes the parent of the service's. */

static ngx_int_t
ngx_http_azora_gateway_trace(ngx_http_request_t *r)
{
    ngx_str_t                            value;
    ngx_uint_t                           i;
    ngx_http_variable_value_t           *vv;
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    gmcf = ngx_http_get_module_main_conf(r, ngx_http_azora_gateway_module);

    /* the values are read before the client's own headers go */

    for (i = 0; i < 3; i++) {
        (void) ngx_http_get_indexed_variable(r, i == 0 ? gmcf->traceparent
                                                : i == 1 ? gmcf->tracestate
                                                : gmcf->request_id);
    }

    if (ngx_http_azora_gateway_drop(r, ngx_http_azora_gateway_traced, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 3; i++) {
        vv = ngx_http_get_indexed_variable(r, i == 0 ? gmcf->traceparent
                                              : i == 1 ? gmcf->tracestate
                                              : gmcf->request_id);

        if (vv == NULL || vv->not_found || vv->len == 0) {
            continue;
        }

        value.data = vv->data;
        value.len = vv->len;

        if (ngx_http_azora_gateway_push(r, &ngx_http_azora_gateway_traces[i],
                                        &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_identity(ngx_http_request_t *r,
    ngx_http_azora_gateway_loc_conf_t *glcf)
{
    ngx_int_t         rc;
    ngx_str_t         token;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL
        || ngx_http_azora_gateway_drop(r, ngx_http_azora_gateway_untold, NULL)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->principal.subject.len == 0) {
        return NGX_OK;
    }

    if (glcf->identity == NGX_HTTP_AZORA_GATEWAY_HEADERS) {
        return ngx_http_azora_gateway_identity_headers(r, &ctx->principal);
    }

    rc = ngx_azora_sign_identity(r, &glcf->audience, &token);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora_identity jwt: there is no key to sign with");
    }

    return (rc == NGX_OK)
           ? ngx_http_azora_gateway_push(r, &ngx_http_azora_gateway_jwt, &token)
           : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_gateway_identity_headers(ngx_http_request_t *r,
    const ngx_azora_principal_t *who)
{
    size_t                                  i;
    const ngx_str_t                        *value;
    const ngx_http_azora_gateway_header_t  *header;

    for (header = ngx_http_azora_gateway_headers; header->name.text.len;
         header++)
    {
        value = (const ngx_str_t *) ((const char *) who + header->offset);

        if (value->len == 0) {
            continue;
        }

        for (i = 0; i < value->len; i++) {
            if (value->data[i] < 0x20 || value->data[i] >= 0x7f) {
                /* another issuer's token must not write headers */
                ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                              "azora_identity: a claim holds control "
                              "characters");
                return NGX_ERROR;
            }
        }

        if (ngx_http_azora_gateway_push(r, &header->name, value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
