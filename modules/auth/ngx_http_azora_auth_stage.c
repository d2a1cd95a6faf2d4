
/*
 * The auth stage: a token becomes a principal, out of the cache of verified
 * tokens or by verifying it.
 */


#include "ngx_http_azora_auth.h"


static ngx_int_t ngx_http_azora_auth_token(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_azora_auth_identify(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const ngx_str_t *token);
static ngx_int_t ngx_http_azora_auth_header(ngx_http_request_t *r,
    ngx_str_t *token);
static ngx_int_t ngx_http_azora_auth_verify(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    ngx_http_azora_auth_proof_t *proof, const char **reason);
static ngx_int_t ngx_http_azora_auth_live(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *proof, const u_char *hash,
    const char **reason);
static ngx_int_t ngx_http_azora_auth_unknown(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_auth_guard(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_loc_conf_t *alcf);


ngx_int_t
ngx_http_azora_auth_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t                        rc;
    ngx_str_t                        token;
    ngx_http_azora_auth_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_auth_module);

    if (ctx->endpoint != NULL) {

        if (ctx->endpoint->row->flags & NGX_AZORA_PUBLIC) {
            return NGX_DECLINED;
        }

    } else if (alcf->mode == NGX_HTTP_AZORA_AUTH_OFF) {
        return NGX_DECLINED;
    }

    ngx_str_null(&token);

    rc = ngx_http_azora_auth_token(r, &token);

    if (rc == NGX_OK) {
        rc = ngx_http_azora_auth_identify(r, ctx, &token);
    }

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    /* the authorize stage looks at what a row asks for */

    return (ctx->endpoint != NULL) ? NGX_OK
                                   : ngx_http_azora_auth_guard(r, ctx, alcf);
}


/* RFC 6750 2.1; NGX_DECLINED: there is none */

static ngx_int_t
ngx_http_azora_auth_token(ngx_http_request_t *r, ngx_str_t *token)
{
    u_char           *p, *last;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h == NULL) {
        return ngx_http_azora_auth_header(r, token);
    }

#if (nginx_version >= 1023000)
    if (h->next != NULL) {
        return ngx_http_azora_auth_invalid(r, "there is more than one "
                                              "Authorization header");
    }
#endif

    p = h->value.data;
    last = p + h->value.len;

    if (last - p < 7 || ngx_strncasecmp(p, (u_char *) "Bearer ", 7) != 0) {
        return ngx_http_azora_auth_invalid(r, "the Authorization header is "
                                              "not of the Bearer scheme");
    }

    for (p += 7; p < last && *p == ' '; p++) { /* void */ }

    token->data = p;
    token->len = last - p;

    return NGX_OK;
}


/* X-API-Key, for programs that cannot send another scheme; keys only */

static ngx_int_t
ngx_http_azora_auth_header(ngx_http_request_t *r, ngx_str_t *token)
{
    ngx_uint_t  n;

    n = ngx_azora_request_headers(r, "x-api-key", token);

    if (n == 0) {
        return NGX_DECLINED;
    }

    if (n > 1) {
        return ngx_http_azora_auth_invalid(r,
                                           "there is more than one API key");
    }

    return ngx_http_azora_auth_is_api_key(token)
           ? NGX_OK
           : ngx_http_azora_auth_invalid(r, "X-API-Key holds no API key");
}


static ngx_int_t
ngx_http_azora_auth_identify(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_str_t *token)
{
    ngx_int_t                         rc;
    const char                       *reason;
    ngx_http_azora_auth_proof_t       proof;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    rc = ngx_http_azora_auth_judge(r, conf, token, &proof, &reason);

    if (rc == NGX_DECLINED) {
        return ngx_http_azora_auth_invalid(r, reason);
    }

    if (rc == NGX_OK) {
        ctx->principal = proof.principal;
    }

    return rc;
}


ngx_int_t
ngx_http_azora_auth_judge(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    ngx_http_azora_auth_proof_t *proof, const char **reason)
{
    u_char                      hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    uint64_t                    known, generation;
    ngx_int_t                   rc;
    ngx_http_azora_auth_ctx_t  *actx;

    *reason = "it proves nothing";
    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);

    if (actx != NULL && actx->proved) {
        /* it waited for PostgreSQL */
        *proof = actx->identity;
        rc = ngx_http_azora_auth_live(r, conf, proof, actx->hash, reason);

        if (rc != NGX_DECLINED || actx->asked
            || !ngx_http_azora_auth_is_api_key(token))
        {
            return rc;
        }

        actx->proved = 0;

        return ngx_http_azora_auth_key(r, conf, token, actx->hash, reason);
    }

    if (token->len > NGX_HTTP_AZORA_AUTH_TOKEN_MAX) {
        *reason = "the token is too long";
        return NGX_DECLINED;
    }

    if (conf->cache != NULL) {

        if (ngx_http_azora_auth_token_hash(&conf->ring, token, hash)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        generation = ngx_http_azora_auth_generation(conf);

        rc = ngx_http_azora_auth_cache_get(conf->cache, hash, conf->ring.id,
                                           ngx_time() - conf->expect.leeway,
                                           r->pool, proof, &known);
        if (rc == NGX_OK) {
            ngx_azora_metric_add(conf->metric_cached, 1);

            if (generation != 0
                && known == ngx_http_azora_auth_stamp(generation))
            {
                /* without it, it would refuse all when PostgreSQL goes away */
                ngx_http_azora_auth_revoked_prepare();
                return NGX_OK;
            }

            rc = ngx_http_azora_auth_live(r, conf, proof, hash, reason);

            /* of a key more is known than once: rights may have come back */

            if (rc != NGX_DECLINED
                || !ngx_http_azora_auth_is_api_key(token))
            {
                return rc;
            }
        }
    }

    if (ngx_http_azora_auth_is_api_key(token)) {
        return ngx_http_azora_auth_key(r, conf, token, hash, reason);
    }

    rc = ngx_http_azora_auth_verify(r, conf, token, proof, reason);

    return (rc == NGX_OK)
           ? ngx_http_azora_auth_live(r, conf, proof, hash, reason) : rc;
}


static ngx_int_t
ngx_http_azora_auth_verify(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    ngx_http_azora_auth_proof_t *proof, const char **reason)
{
    ngx_int_t  rc;

    /* 8 kB; a worker verifies one token at a time, never across events */
    static ngx_http_azora_auth_jwt_t  jwt;

    rc = ngx_http_azora_auth_jwt_verify(&conf->ring, &conf->expect, token,
                                        ngx_time(), &jwt);

    if (rc == NGX_DECLINED) {
        ngx_azora_metric_add(conf->metric_refused, 1);
        *reason = jwt.reason;
        return NGX_DECLINED;
    }

    *proof = jwt.identity;

    if (rc != NGX_OK
        || ngx_http_azora_auth_principal(r->pool, &proof->principal,
                                         &jwt.identity.principal)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_azora_metric_add(conf->metric_verified, 1);

    return NGX_OK;
}


/* What was proved counts as long as nobody ended it. */

static ngx_int_t
ngx_http_azora_auth_live(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *proof, const u_char *hash,
    const char **reason)
{
    uint64_t                    generation;
    ngx_int_t                   rc;
    ngx_http_azora_auth_ctx_t  *actx;

    /* before the list is looked at: what comes later is no concern of it */

    generation = ngx_http_azora_auth_generation(conf);

    rc = conf->stale ? ngx_http_azora_auth_revoked(r, conf, proof) : NGX_OK;

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        ngx_azora_metric_add(conf->metric_revoked, 1);
        *reason = "the token was revoked";
        return NGX_DECLINED;

    case NGX_AGAIN:
        actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);
        actx->identity = *proof;
        actx->proved = 1;

        if (conf->cache != NULL && hash != actx->hash) {
            ngx_memcpy(actx->hash, hash, NGX_HTTP_AZORA_AUTH_HASH_LEN);
        }

        return NGX_AGAIN;

    case NGX_BUSY:
        return ngx_http_azora_auth_unknown(r);

    default:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->cache != NULL) {
        ngx_http_azora_auth_cache_put(conf->cache, hash, conf->ring.id,
                                      ngx_http_azora_auth_stamp(generation),
                                      ngx_time(), proof);
    }

    return NGX_OK;
}


/* Whether the token was revoked cannot be told, and not for a moment only. */

static ngx_int_t
ngx_http_azora_auth_unknown(ngx_http_request_t *r)
{
    static ngx_str_t  wait = ngx_string("2");

    if (ngx_azora_add_header(r, "Retry-After", &wait) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                             "temporarily-unavailable",
                             "Whether the access token was revoked cannot be "
                             "told at the moment.");
}


ngx_int_t
ngx_http_azora_auth_principal(ngx_pool_t *pool, ngx_azora_principal_t *dst,
    const ngx_azora_principal_t *src)
{
    u_char           *p;
    ngx_uint_t        i;
    ngx_str_t        *to[5];
    const ngx_str_t  *from[5];

    to[0] = &dst->subject;
    to[1] = &dst->session;
    to[2] = &dst->roles;
    to[3] = &dst->scope;
    to[4] = &dst->tier;

    from[0] = &src->subject;
    from[1] = &src->session;
    from[2] = &src->roles;
    from[3] = &src->scope;
    from[4] = &src->tier;

    p = ngx_pnalloc(pool, src->subject.len + src->session.len
                          + src->roles.len + src->scope.len + src->tier.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < 5; i++) {
        to[i]->data = p;
        to[i]->len = from[i]->len;

        if (from[i]->len) {
            /* one that is absent may have no address either */
            p = ngx_cpymem(p, from[i]->data, from[i]->len);
        }
    }

    dst->expires = src->expires;

    return NGX_OK;
}


/* RFC 6750 3.1 */

ngx_int_t
ngx_http_azora_auth_invalid(ngx_http_request_t *r, const char *reason)
{
    u_char     *p;
    ngx_str_t   value;

    value.len = sizeof("Bearer error=\"invalid_token\", "
                       "error_description=\"\"") - 1 + ngx_strlen(reason);

    p = ngx_pnalloc(r->pool, value.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = p;
    ngx_sprintf(p, "Bearer error=\"invalid_token\", error_description=\"%s\"",
                reason);

    if (ngx_azora_add_header(r, "WWW-Authenticate", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_problem(r, NGX_HTTP_UNAUTHORIZED, "invalid-token",
                             "The access token was not accepted: %s.",
                             reason);
}


/* A location without rows: a proxied service, files, anything. */

static ngx_int_t
ngx_http_azora_auth_guard(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_loc_conf_t *alcf)
{
    if (ctx->principal.subject.len == 0) {

        /* nobody has no scope */

        if (alcf->mode == NGX_HTTP_AZORA_AUTH_OPTIONAL
            && alcf->scope.len == 0)
        {
            return NGX_OK;
        }

        return ngx_azora_problem(r, NGX_HTTP_UNAUTHORIZED,
                                 "authentication-required",
                                 "This address needs an access token: send "
                                 "Authorization: Bearer with the one that "
                                 "POST /v1/auth/login gives.");
    }

    return ngx_azora_authorize_scope(r, ctx, &alcf->scope);
}
