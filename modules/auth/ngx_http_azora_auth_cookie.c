
/*
 * The cookie of the refresh token (RFC 6265), and who may use it: a browser
 * sends it by itself, so SameSite and the Origin header both have to say that
 * one of our own pages asks.
 */


#include "ngx_http_azora_auth.h"


/* "__Secure-": browsers take it over TLS only, and from localhost */
#define NGX_HTTP_AZORA_AUTH_COOKIE      "__Secure-azora_refresh"
#define NGX_HTTP_AZORA_AUTH_COOKIE_AGE  "604800"     /* a token's seven days */


ngx_int_t
ngx_http_azora_auth_cookie_get(ngx_http_request_t *r, ngx_str_t *value)
{
    static ngx_str_t  name = ngx_string(NGX_HTTP_AZORA_AUTH_COOKIE);

    return ngx_http_azora_auth_cookie_find(r, &name, value);
}


ngx_int_t
ngx_http_azora_auth_cookie_find(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
#if (nginx_version >= 1023000)

    return (ngx_http_parse_multi_header_lines(r, r->headers_in.cookie, name,
                                              value)
            != NULL)
           ? NGX_OK : NGX_DECLINED;

#else

    return (ngx_http_parse_multi_header_lines(&r->headers_in.cookies, name,
                                              value)
            != NGX_DECLINED)
           ? NGX_OK : NGX_DECLINED;

#endif
}


/* value NULL: the browser forgets it */

ngx_int_t
ngx_http_azora_auth_cookie_set(ngx_http_request_t *r, const ngx_str_t *value)
{
    ngx_str_t  cookie;

    static ngx_str_t  nothing = ngx_string("");
    static const char  attributes[] = "; Path=/v1/auth; HttpOnly; Secure; "
                                      "SameSite=Strict";

    cookie.data = ngx_pnalloc(r->pool,
                              sizeof(NGX_HTTP_AZORA_AUTH_COOKIE "=; Max-Age="
                                     NGX_HTTP_AZORA_AUTH_COOKIE_AGE)
                              + sizeof(attributes)
                              + (value ? value->len : 0));
    if (cookie.data == NULL) {
        return NGX_ERROR;
    }

    cookie.len = ngx_sprintf(cookie.data,
                             NGX_HTTP_AZORA_AUTH_COOKIE "=%V; Max-Age=%s%s",
                             value ? value : &nothing,
                             value ? NGX_HTTP_AZORA_AUTH_COOKIE_AGE : "0",
                             attributes)
                 - cookie.data;

    return ngx_azora_add_header(r, "Set-Cookie", &cookie);
}


ngx_uint_t
ngx_http_azora_auth_origin_ok(ngx_http_request_t *r)
{
    size_t                            skip;
    ngx_str_t                        *trusted;
    ngx_uint_t                        i, tls;
    ngx_str_t                         origin;
    const ngx_str_t                  *host;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    /* RFC 6454 7: one header, or none that could be believed */

    if (ngx_azora_request_headers(r, "Origin", &origin) != 1) {
        return 0;
    }

    if (conf->origins != NULL) {
        trusted = conf->origins->elts;

        for (i = 0; i < conf->origins->nelts; i++) {
            if (trusted[i].len == origin.len
                && ngx_memcmp(trusted[i].data, origin.data, origin.len)
                   == 0)
            {
                return 1;
            }
        }
    }

    /* this very server, by the name that it was asked under */

#if (NGX_HTTP_SSL)
    tls = (r->connection->ssl != NULL);
#else
    tls = 0;
#endif

    if (origin.len > 8 && ngx_strncmp(origin.data, "https://", 8) == 0) {
        skip = 8;

    } else if (!tls && origin.len > 7
               && ngx_strncmp(origin.data, "http://", 7) == 0)
    {
        skip = 7;

    } else {
        return 0;
    }

    if (r->headers_in.host == NULL) {
        return 0;
    }

    host = &r->headers_in.host->value;

    return origin.len - skip == host->len
           && ngx_strncasecmp(origin.data + skip, host->data, host->len)
              == 0;
}
