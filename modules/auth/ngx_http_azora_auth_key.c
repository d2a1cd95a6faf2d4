
/*
 * API keys of services: "azk_", 256 bits as base64url, and six hexadecimal
 * digits of a checksum, so that what was never a key costs no query.
 *
 * PostgreSQL knows the SHA-256 of a key.  What it tells is kept in the cache
 * of verified tokens for some minutes; revoking one works as the end of a
 * session does, at once.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_KEY_SECRET    47    /* "azk_" and 43 characters */
#define NGX_HTTP_AZORA_AUTH_KEY_CHECK     6
#define NGX_HTTP_AZORA_AUTH_KEY_KEPT      300   /* seconds */


static ngx_uint_t ngx_http_azora_auth_key_formed(const ngx_str_t *token);
static void ngx_http_azora_auth_key_done(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_auth_key_take(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, ngx_azora_op_t *op);


ngx_uint_t
ngx_http_azora_auth_is_api_key(const ngx_str_t *token)
{
    return token->len > 4 && ngx_strncmp(token->data, "azk_", 4) == 0;
}


ngx_int_t
ngx_http_azora_auth_key(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    const u_char *hash, const char **reason)
{
    u_char                      hex[2 * NGX_HTTP_AZORA_AUTH_HASH_LEN];
    ngx_str_t                   param;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_azora_auth_get_ctx(r);
    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (actx->asked) {
        *reason = "the API key is unknown, revoked or expired";
        return actx->status;
    }

    if (!ngx_http_azora_auth_key_formed(token)) {
        ngx_azora_metric_add(conf->metric_refused, 1);
        *reason = "the API key is not well formed";
        return NGX_DECLINED;
    }

    ngx_http_azora_auth_hash_hex(token->data, token->len, hex);

    if (conf->cache != NULL && hash != actx->hash) {
        ngx_memcpy(actx->hash, hash, NGX_HTTP_AZORA_AUTH_HASH_LEN);
    }

    param.data = hex;
    param.len = sizeof(hex);

    actx->op = ngx_azora_query(conf->key_holder, &param, 0,
                               ngx_http_azora_auth_key_done, actx);
    if (actx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->asked = 1;
    actx->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_http_azora_auth_key_formed(const ngx_str_t *token)
{
    u_char  hex[2 * NGX_HTTP_AZORA_AUTH_HASH_LEN];

    if (token->len != NGX_HTTP_AZORA_AUTH_KEY_SECRET
                      + NGX_HTTP_AZORA_AUTH_KEY_CHECK)
    {
        return 0;
    }

    ngx_http_azora_auth_hash_hex(token->data, NGX_HTTP_AZORA_AUTH_KEY_SECRET,
                                 hex);

    return ngx_memcmp(hex, token->data + NGX_HTTP_AZORA_AUTH_KEY_SECRET,
                      NGX_HTTP_AZORA_AUTH_KEY_CHECK)
           == 0;
}


static void
ngx_http_azora_auth_key_done(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    ngx_http_request_t               *r;
    ngx_http_azora_auth_main_conf_t  *conf;

    r = actx->request;
    actx->op = NULL;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        actx->status = ngx_azora_op_problem(r, op);

    } else if (ngx_azora_op_rows(op) == 0) {
        ngx_azora_metric_add(conf->metric_refused, 1);
        actx->status = NGX_DECLINED;

    } else {
        actx->status = ngx_http_azora_auth_key_take(r, actx, op);

        if (actx->status == NGX_OK) {
            ngx_azora_metric_add(conf->metric_verified, 1);
            actx->proved = 1;
        }
    }

    ngx_azora_resume(r);
}


/* account, key, roles, scope, tier, epoch, issued, expires */

static ngx_int_t
ngx_http_azora_auth_key_take(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, ngx_azora_op_t *op)
{
    time_t                        until;
    ngx_str_t                     value;
    ngx_azora_principal_t         principal;
    ngx_http_azora_auth_proof_t  *proof;

    proof = &actx->identity;

    ngx_memzero(&principal, sizeof(ngx_azora_principal_t));
    principal.subject = ngx_azora_op_value(op, 0, 0);
    principal.session = ngx_azora_op_value(op, 0, 1);
    principal.roles = ngx_azora_op_value(op, 0, 2);
    principal.scope = ngx_azora_op_value(op, 0, 3);
    principal.tier = ngx_azora_op_value(op, 0, 4);

    value = ngx_azora_op_value(op, 0, 5);
    proof->epoch = (uint64_t) ngx_atoof(value.data, value.len);

    value = ngx_azora_op_value(op, 0, 6);
    proof->issued = ngx_atotm(value.data, value.len);

    value = ngx_azora_op_value(op, 0, 7);
    until = ngx_atotm(value.data, value.len);
    principal.expires = ngx_min(until,
                                ngx_time() + NGX_HTTP_AZORA_AUTH_KEY_KEPT);

    return (ngx_http_azora_auth_principal(r->pool, &proof->principal,
                                          &principal)
            == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
