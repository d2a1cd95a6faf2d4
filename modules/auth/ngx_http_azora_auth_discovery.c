
/*
 * Discovery (OpenID Connect Discovery 1.0, RFC 8414): where the keys are and
 * where to ask about a token.  Azora is no OpenID provider: it has no
 * authorization endpoint, and says so by an empty list of response types.
 */


#include "ngx_http_azora_auth.h"


static ngx_int_t ngx_http_azora_auth_base(ngx_http_request_t *r,
    const ngx_str_t *issuer, ngx_str_t *base);


ngx_int_t
ngx_http_azora_auth_discovery_handler(ngx_http_request_t *r)
{
    u_char                           *p;
    size_t                            len;
    ngx_str_t                         base, body;
    const ngx_str_t                  *issuer;
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  cache = ngx_string("public, max-age=3600");

    static const char  rest[] =
        "\"introspection_endpoint_auth_methods_supported\":[\"bearer\"],"
        "\"response_types_supported\":[],"
        "\"grant_types_supported\":[],"
        "\"subject_types_supported\":[\"public\"],"
        "\"id_token_signing_alg_values_supported\":[\"ES256\"],"
        "\"scopes_supported\":[\"profile:read\",\"profile:write\","
        "\"course:read\",\"course:study\",\"course:write\",\"wallet:read\","
        "\"wallet:write\",\"market:read\",\"market:write\",\"audit:read\","
        "\"admin\",\"introspect\"]}";

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    issuer = &conf->expect.issuer;

    if (ngx_http_azora_auth_base(r, issuer, &base) != NGX_OK) {
        return NGX_HTTP_BAD_REQUEST;
    }

    len = sizeof("{\"issuer\":,\"jwks_uri\":/.well-known/jwks.json,"
                 "\"introspection_endpoint\":/v1/auth/introspect,")
          + (size_t) (uintptr_t) ngx_azora_json_quote(NULL, issuer->data,
                                                      issuer->len)
          + 2 * 6 * (base.len + 64) + sizeof(rest);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;

    p = ngx_cpymem(p, "{\"issuer\":", sizeof("{\"issuer\":") - 1);
    p = ngx_azora_json_quote(p, issuer->data, issuer->len);
    p = ngx_sprintf(p, ",\"jwks_uri\":\"%V/.well-known/jwks.json\","
                    "\"introspection_endpoint\":\"%V/v1/auth/introspect\",%s",
                    &base, &base, rest);

    body.len = p - body.data;

    if (ngx_azora_add_header(r, "Cache-Control", &cache) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_send(r, NGX_HTTP_OK, NULL, &body);
}


/*
 * The issuer where it is an address, as it should be; otherwise the address
 * that was asked, in which nothing may need to be escaped.
 */

static ngx_int_t
ngx_http_azora_auth_base(ngx_http_request_t *r, const ngx_str_t *issuer,
    ngx_str_t *base)
{
    size_t            i;
    ngx_uint_t        tls;
    const ngx_str_t  *host;

    if (ngx_strncmp(issuer->data, "https://", 8) == 0
        || ngx_strncmp(issuer->data, "http://", 7) == 0)
    {
        *base = *issuer;

        while (base->len > 0 && base->data[base->len - 1] == '/') {
            base->len--;
        }

    } else {

        if (r->headers_in.host == NULL) {
            return NGX_ERROR;
        }

        host = &r->headers_in.host->value;
#if (NGX_HTTP_SSL)
        tls = (r->connection->ssl != NULL);
#else
        tls = 0;
#endif

        base->data = ngx_pnalloc(r->pool, sizeof("https://") + host->len);
        if (base->data == NULL) {
            return NGX_ERROR;
        }

        base->len = ngx_sprintf(base->data, "http%s://%V", tls ? "s" : "",
                                host)
                    - base->data;
    }

    for (i = 0; i < base->len; i++) {
        if (base->data[i] < 0x21 || base->data[i] > 0x7e
            || base->data[i] == '"' || base->data[i] == '\\')
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
