
/*
 * Refresh tokens: 256 bits that only the client keeps; PostgreSQL has their
 * SHA-256.  They travel in a cookie that scripts cannot read, or in the body
 * for applications without cookies.
 *
 * Two tabs may refresh at once, and both have to get the same successor, of
 * which PostgreSQL knows the hash alone.  So it also keeps the successor
 * sealed under a key that is made of the old token and the pepper: whoever
 * presents the old one again can open it, a copy of the database cannot.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_REFRESH_BYTES  32
#define NGX_HTTP_AZORA_AUTH_REFRESH_LEN    43    /* base64url of them */
#define NGX_HTTP_AZORA_AUTH_AGENT_MAX      200
#define NGX_HTTP_AZORA_AUTH_SEALED_BYTES                                      \
    (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES                  \
     + NGX_HTTP_AZORA_AUTH_REFRESH_LEN)


static ngx_int_t ngx_http_azora_auth_refresh_new(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx);
static void ngx_http_azora_auth_refresh_key(
    const ngx_http_azora_auth_peppers_t *peppers, ngx_uint_t pepper,
    const ngx_str_t *token, u_char *key);
static void ngx_http_azora_auth_refresh_seal(
    const ngx_http_azora_auth_peppers_t *peppers,
    const ngx_http_azora_auth_ctx_t *actx, char *out, size_t size);
static ngx_int_t ngx_http_azora_auth_refresh_open(ngx_http_request_t *r,
    const ngx_http_azora_auth_peppers_t *peppers,
    ngx_http_azora_auth_ctx_t *actx, const char *sealed);
static ngx_int_t ngx_http_azora_auth_refresh_refused(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_auth_tokens(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx);


ngx_int_t
ngx_http_azora_auth_refresh_draw(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx)
{
    u_char             *p, hex[64], c;
    size_t              i;
    ngx_str_t           agent, text;
    ngx_azora_value_t  *value;

    value = ngx_azora_value(ctx, "refresh");

    actx->in_body = (value != NULL && value->text.len == 4
                     && ngx_strncmp(value->text.data, "body", 4) == 0);

    if (ngx_http_azora_auth_refresh_new(r, actx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_azora_auth_hash_hex(actx->fresh.data, actx->fresh.len, hex);

    ngx_str_null(&agent);

    if (r->headers_in.user_agent != NULL) {
        agent = r->headers_in.user_agent->value;
        agent.len = ngx_min(agent.len, NGX_HTTP_AZORA_AUTH_AGENT_MAX);
    }

    text.data = ngx_pnalloc(r->pool, sizeof("{\"in\":\"cookie\",\"hash\":\"\""
                                            ",\"agent\":\"\"}")
                                     + sizeof(hex) + agent.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(text.data, "{\"in\":\"%s\",\"hash\":\"%*s\",\"agent\":\"",
                    actx->in_body ? "body" : "cookie", sizeof(hex), hex);

    /* any bytes: only those that mean the same everywhere are kept */

    for (i = 0; i < agent.len; i++) {
        c = agent.data[i];
        *p++ = (c < 0x20 || c > 0x7e || c == '"' || c == '\\') ? '?' : c;
    }

    text.len = ngx_cpymem(p, "\"}", 2) - text.data;

    return ngx_azora_set_value(ctx, "refresh", &text);
}


ngx_int_t
ngx_http_azora_auth_refresh_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    char                              sealed[160];
    u_char                            text[64 + 1 + 64 + 1 + sizeof(sealed)];
    u_char                            hex[64], fresh[64];
    ngx_str_t                         value;
    ngx_azora_value_t                *field;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    field = ngx_azora_value(ctx, "refresh_token");
    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (field != NULL && field->text.data != NULL) {
        actx->in_body = 1;
        actx->presented = field->text;

    } else {

        if (ngx_http_azora_auth_cookie_get(r, &actx->presented) != NGX_OK) {
            ngx_azora_problem_error(r, "/refresh_token", "is missing");
            return ngx_azora_problem(r, 422, "validation-failed",
                                     "There is a refresh token neither in "
                                     "the body nor in the cookie.");
        }

        /* a browser sends the cookie by itself, whoever made it ask */

        if (!ngx_http_azora_auth_origin_ok(r)) {
            return ngx_azora_problem(r, NGX_HTTP_FORBIDDEN,
                                     "origin-not-allowed",
                                     "With the cookie the Origin header must "
                                     "name this server or an origin that it "
                                     "trusts.");
        }
    }

    if (actx->presented.len != NGX_HTTP_AZORA_AUTH_REFRESH_LEN) {
        return ngx_http_azora_auth_refresh_refused(r);
    }

    if (ngx_http_azora_auth_refresh_new(r, actx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_azora_auth_hash_hex(actx->presented.data, actx->presented.len,
                                 hex);
    ngx_http_azora_auth_hash_hex(actx->fresh.data, actx->fresh.len, fresh);
    ngx_http_azora_auth_refresh_seal(conf->peppers, actx, sealed,
                                     sizeof(sealed));

    value.data = text;
    value.len = ngx_sprintf(text, "%*s %*s %s", sizeof(hex), hex,
                            sizeof(fresh), fresh, sealed)
                - text;

    return (ngx_azora_set_value(ctx, "refresh_token", &value) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_azora_auth_refresh_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    json_t                           *root;
    ngx_int_t                         rc;
    const char                       *sealed;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);

    root = json_loadb((char *) ctx->reply.body.data, ctx->reply.body.len, 0,
                      NULL);
    sealed = json_string_value(json_object_get(root, "sealed"));

    rc = (root == NULL || actx == NULL) ? NGX_ERROR : NGX_OK;

    if (rc == NGX_OK && sealed != NULL) {
        rc = ngx_http_azora_auth_refresh_open(r, conf->peppers, actx, sealed);
    }

    json_decref(root);

    if (rc == NGX_DECLINED) {
        /* the pepper went within these seconds */
        return ngx_http_azora_auth_refresh_refused(r);
    }

    return (rc == NGX_OK) ? ngx_http_azora_auth_tokens(r, ctx, actx)
                          : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_azora_auth_login_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);

    return actx ? ngx_http_azora_auth_tokens(r, ctx, actx)
                : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


ngx_int_t
ngx_http_azora_auth_logout_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t  cookie;

    if (ngx_http_azora_auth_cookie_get(r, &cookie) == NGX_OK
        && ngx_http_azora_auth_cookie_set(r, NULL) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_auth_revoked_finish(r, ctx);
}


/* The answer to a login or refresh, for the facts that SQL gave. */

static ngx_int_t
ngx_http_azora_auth_tokens(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx)
{
    u_char                           *p;
    size_t                            len;
    ngx_str_t                         token;
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  no_store = ngx_string("no-store");

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_http_azora_auth_sign(r, conf, &ctx->reply.body, &token)
        != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK
        || (!actx->in_body
            && ngx_http_azora_auth_cookie_set(r, &actx->fresh) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = sizeof("{\"access_token\":\"\",\"token_type\":\"Bearer\","
                 "\"expires_in\":,\"refresh_token\":\"\"}")
          + token.len + NGX_TIME_T_LEN + actx->fresh.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.body.data = p;
    p = ngx_sprintf(p, "{\"access_token\":\"%V\",\"token_type\":\"Bearer\","
                    "\"expires_in\":%T", &token, conf->lifetime);

    if (actx->in_body) {
        p = ngx_sprintf(p, ",\"refresh_token\":\"%V\"", &actx->fresh);
    }

    *p++ = '}';
    ctx->reply.body.len = p - ctx->reply.body.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_refresh_new(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx)
{
    u_char     raw[NGX_HTTP_AZORA_AUTH_REFRESH_BYTES];
    ngx_str_t  src;

    actx->fresh.data = ngx_pnalloc(r->pool,
                                   ngx_base64_encoded_length(sizeof(raw)));
    if (actx->fresh.data == NULL) {
        return NGX_ERROR;
    }

    randombytes_buf(raw, sizeof(raw));

    src.data = raw;
    src.len = sizeof(raw);
    ngx_encode_base64url(&actx->fresh, &src);

    sodium_memzero(raw, sizeof(raw));

    return NGX_OK;
}


/* pepper npeppers: none */

static void
ngx_http_azora_auth_refresh_key(const ngx_http_azora_auth_peppers_t *peppers,
    ngx_uint_t pepper, const ngx_str_t *token, u_char *key)
{
    const u_char               *secret;
    crypto_generichash_state    state;

    static const u_char  purpose[] = "azora refresh token, sealed successor";

    secret = (pepper < peppers->npeppers) ? peppers->peppers[pepper].key
                                          : NULL;

    (void) crypto_generichash_init(&state, secret, secret ? 32 : 0,
                                   crypto_secretbox_KEYBYTES);
    (void) crypto_generichash_update(&state, purpose, sizeof(purpose));
    (void) crypto_generichash_update(&state, token->data, token->len);
    (void) crypto_generichash_final(&state, key, crypto_secretbox_KEYBYTES);

    sodium_memzero(&state, sizeof(state));
}


static void
ngx_http_azora_auth_refresh_seal(const ngx_http_azora_auth_peppers_t *peppers,
    const ngx_http_azora_auth_ctx_t *actx, char *out, size_t size)
{
    u_char  key[crypto_secretbox_KEYBYTES];
    u_char  box[NGX_HTTP_AZORA_AUTH_SEALED_BYTES];

    ngx_http_azora_auth_refresh_key(peppers, 0, &actx->presented, key);

    randombytes_buf(box, crypto_secretbox_NONCEBYTES);
    (void) crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES,
                                 actx->fresh.data, actx->fresh.len, box, key);

    (void) sodium_bin2base64(out, size, box, sizeof(box),
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    sodium_memzero(key, sizeof(key));
}


/* NGX_DECLINED: sealed under a pepper that is gone */

static ngx_int_t
ngx_http_azora_auth_refresh_open(ngx_http_request_t *r,
    const ngx_http_azora_auth_peppers_t *peppers,
    ngx_http_azora_auth_ctx_t *actx, const char *sealed)
{
    int         rc;
    u_char      key[crypto_secretbox_KEYBYTES];
    u_char      box[NGX_HTTP_AZORA_AUTH_SEALED_BYTES];
    size_t      len;
    ngx_uint_t  i;

    if (sodium_base642bin(box, sizeof(box), sealed, ngx_strlen(sealed), NULL,
                          &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING)
        != 0
        || len != sizeof(box))
    {
        return NGX_ERROR;
    }

    actx->fresh.len = NGX_HTTP_AZORA_AUTH_REFRESH_LEN;
    actx->fresh.data = ngx_pnalloc(r->pool, actx->fresh.len);

    if (actx->fresh.data == NULL) {
        return NGX_ERROR;
    }

    rc = -1;

    for (i = 0; rc != 0 && i <= peppers->npeppers; i++) {
        ngx_http_azora_auth_refresh_key(peppers, i, &actx->presented, key);

        rc = crypto_secretbox_open_easy(actx->fresh.data,
                                        box + crypto_secretbox_NONCEBYTES,
                                        sizeof(box)
                                        - crypto_secretbox_NONCEBYTES,
                                        box, key);
    }

    sodium_memzero(key, sizeof(key));

    return (rc == 0) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_azora_auth_refresh_refused(ngx_http_request_t *r)
{
    return ngx_azora_problem(r, NGX_HTTP_UNAUTHORIZED,
                             "invalid-refresh-token",
                             "The refresh token is unknown, used or expired. "
                             "Log in again.");
}
