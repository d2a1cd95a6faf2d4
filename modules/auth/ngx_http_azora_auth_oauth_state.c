
/*
 * What one login at a provider has to remember until the browser comes back,
 * without a row in the database: the browser keeps a random seed and the time
 * of its end in a cookie, and state, nonce and code verifier are keyed hashes
 * of it.  The state so proves that this browser began the login, and for which
 * session, if any; the key keeps the others from whoever sees the cookie.
 */


#include "ngx_http_azora_auth_oauth.h"
#include <sodium.h>


/* "__Host-": no other host of the domain can have set it */
#define NGX_HTTP_AZORA_AUTH_FLOW_COOKIE  "__Host-azora_oauth"

#define NGX_HTTP_AZORA_AUTH_FLOW_SESSION  36    /* a UUID */

/* <seed>.<Unix seconds>[.<session>], the session of who links a login */
#define NGX_HTTP_AZORA_AUTH_FLOW_VALUE                                        \
    (NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1 + NGX_TIME_T_LEN                        \
     + 1 + NGX_HTTP_AZORA_AUTH_FLOW_SESSION)


static void ngx_http_azora_auth_flow_derive(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *value);
static ngx_int_t ngx_http_azora_auth_flow_end(ngx_str_t *value, time_t *end,
    ngx_str_t *session);


ngx_int_t
ngx_http_azora_auth_flow_new(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf)
{
    u_char     *p, raw[32];
    ngx_str_t   value, cookie;

    static const char  attributes[] = "; Path=/; HttpOnly; Secure; "
                                      "SameSite=Lax";

    cookie.data = ngx_pnalloc(flow->request->pool,
                              sizeof(NGX_HTTP_AZORA_AUTH_FLOW_COOKIE
                                     "=; Max-Age=")
                              + NGX_HTTP_AZORA_AUTH_FLOW_VALUE
                              + NGX_TIME_T_LEN + sizeof(attributes));
    if (cookie.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(cookie.data, NGX_HTTP_AZORA_AUTH_FLOW_COOKIE "=",
                   sizeof(NGX_HTTP_AZORA_AUTH_FLOW_COOKIE "=") - 1);

    randombytes_buf(raw, sizeof(raw));
    value.data = p;
    sodium_bin2base64((char *) p, NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1, raw,
                      sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    p = ngx_sprintf(p + NGX_HTTP_AZORA_AUTH_FLOW_LEN, ".%T",
                    ngx_time() + NGX_HTTP_AZORA_AUTH_FLOW_LIFETIME);

    if (flow->session.len == NGX_HTTP_AZORA_AUTH_FLOW_SESSION) {
        p = ngx_sprintf(p, ".%V", &flow->session);
    }

    value.len = p - value.data;

    ngx_http_azora_auth_flow_derive(flow, conf, &value);

    cookie.len = ngx_sprintf(p, "; Max-Age=%d%s",
                             NGX_HTTP_AZORA_AUTH_FLOW_LIFETIME, attributes)
                 - cookie.data;

    return ngx_azora_add_header(flow->request, "Set-Cookie", &cookie);
}


ngx_int_t
ngx_http_azora_auth_flow_old(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf)
{
    time_t     end;
    ngx_str_t  value;

    static ngx_str_t  name = ngx_string(NGX_HTTP_AZORA_AUTH_FLOW_COOKIE);

    if (ngx_http_azora_auth_cookie_find(flow->request, &name, &value)
        != NGX_OK
        || ngx_http_azora_auth_flow_end(&value, &end, &flow->session)
           != NGX_OK
        || end <= ngx_time())
    {
        return NGX_DECLINED;
    }

    ngx_http_azora_auth_flow_derive(flow, conf, &value);

    return NGX_OK;
}


/* A time or a session that was not given here makes another state. */

static ngx_int_t
ngx_http_azora_auth_flow_end(ngx_str_t *value, time_t *end,
    ngx_str_t *session)
{
    u_char  *p, *dot, *last;

    if (value->len <= NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1
        || value->len > NGX_HTTP_AZORA_AUTH_FLOW_VALUE
        || value->data[NGX_HTTP_AZORA_AUTH_FLOW_LEN] != '.')
    {
        return NGX_DECLINED;
    }

    p = value->data + NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1;
    last = value->data + value->len;
    dot = ngx_strlchr(p, last, '.');

    ngx_str_null(session);

    if (dot != NULL) {
        session->data = dot + 1;
        session->len = last - dot - 1;

        if (session->len != NGX_HTTP_AZORA_AUTH_FLOW_SESSION) {
            return NGX_DECLINED;
        }
    }

    *end = ngx_atotm(p, (dot ? dot : last) - p);

    return (*end == NGX_ERROR) ? NGX_DECLINED : NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_flow_forget(ngx_http_request_t *r)
{
    static ngx_str_t  cookie =
        ngx_string(NGX_HTTP_AZORA_AUTH_FLOW_COOKIE "=; Max-Age=0; Path=/; "
                   "HttpOnly; Secure; SameSite=Lax");

    return ngx_azora_add_header(r, "Set-Cookie", &cookie);
}


void
ngx_http_azora_auth_flow_challenge(const ngx_http_azora_auth_flow_t *flow,
    u_char *out)
{
    u_char  hash[crypto_hash_sha256_BYTES];

    (void) crypto_hash_sha256(hash, flow->verifier,
                              NGX_HTTP_AZORA_AUTH_FLOW_LEN);
    sodium_bin2base64((char *) out, NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1, hash,
                      sizeof(hash), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}


/* A login begun at one provider does not end at another: its name is hashed. */

static void
ngx_http_azora_auth_flow_derive(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *value)
{
    u_char                    hash[32];
    ngx_uint_t                i;
    crypto_generichash_state  state;

    static const char  *purposes[] = {
        "azora oauth state", "azora oauth nonce", "azora oauth verifier"
    };

    u_char  *out[] = { flow->state, flow->nonce, flow->verifier };

    for (i = 0; i < 3; i++) {
        (void) crypto_generichash_init(&state, conf->vault->peppers[0].key,
                                       sizeof(conf->vault->peppers[0].key),
                                       sizeof(hash));
        (void) crypto_generichash_update(&state, (u_char *) purposes[i],
                                         ngx_strlen(purposes[i]) + 1);
        (void) crypto_generichash_update(&state, flow->provider->name.data,
                                         flow->provider->name.len);
        (void) crypto_generichash_update(&state, (u_char *) "", 1);
        (void) crypto_generichash_update(&state, value->data, value->len);
        (void) crypto_generichash_final(&state, hash, sizeof(hash));

        sodium_bin2base64((char *) out[i], NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1,
                          hash, sizeof(hash),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    }

    sodium_memzero(&state, sizeof(state));
}
