
/*
 * Issues access tokens (RFC 9068) with libjwt.  It parses the key again for
 * each token, which a login, dominated by its password hash, does not notice;
 * verification, which is per request, does not go this way.
 */


#include "ngx_http_azora_auth.h"
#include <jwt.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_JTI_BYTES  16


static ngx_int_t ngx_http_azora_auth_sign_claims(jwt_t *jwt,
    ngx_http_azora_auth_main_conf_t *conf, json_t *grant);
static ngx_int_t ngx_http_azora_auth_sign_string(jwt_t *jwt, json_t *grant,
    const char *member, const char *claim);


ngx_int_t
ngx_http_azora_auth_sign(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *grant,
    ngx_str_t *token)
{
    char       *encoded;
    jwt_t      *jwt;
    json_t     *root;
    ngx_int_t   rc;

    if (conf->ring.active == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: no token can be signed, because there is no "
                      "key: set azora_auth_key_dir");
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    encoded = NULL;
    jwt = NULL;
    root = json_loadb((char *) grant->data, grant->len, 0, NULL);

    if (root == NULL || jwt_new(&jwt) != 0) {
        jwt = NULL;
        goto done;
    }

    if (ngx_http_azora_auth_sign_claims(jwt, conf, root) != NGX_OK
        || jwt_set_alg(jwt, JWT_ALG_ES256, conf->ring.active->pem.data,
                       (int) conf->ring.active->pem.len)
           != 0)
    {
        goto done;
    }

    encoded = jwt_encode_str(jwt);
    if (encoded == NULL) {
        goto done;
    }

    token->len = ngx_strlen(encoded);
    token->data = ngx_pnalloc(r->pool, token->len);

    if (token->data != NULL && token->len <= NGX_HTTP_AZORA_AUTH_TOKEN_MAX) {
        ngx_memcpy(token->data, encoded, token->len);
        rc = NGX_OK;
    }

done:

    free(encoded);
    jwt_free(jwt);
    json_decref(root);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: the access token could not be made");
    }

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_sign_claims(jwt_t *jwt,
    ngx_http_azora_auth_main_conf_t *conf, json_t *grant)
{
    int      rc;
    char     jti[32], *text;
    time_t   now;
    u_char   random[NGX_HTTP_AZORA_AUTH_JTI_BYTES];
    json_t  *roles;

    now = ngx_time();

    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(jti, sizeof(jti), random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    /* configured strings are NUL-terminated */

    if (jwt_add_header(jwt, "typ", "at+jwt") != 0
        || jwt_add_header(jwt, "kid",
                          (char *) conf->ring.active->kid.data)
           != 0
        || jwt_add_grant(jwt, "iss", (char *) conf->expect.issuer.data) != 0
        || jwt_add_grant(jwt, "aud", (char *) conf->expect.audience.data) != 0
        || jwt_add_grant(jwt, "jti", jti) != 0
        || jwt_add_grant_int(jwt, "iat", (long) now) != 0
        || jwt_add_grant_int(jwt, "exp", (long) (now + conf->lifetime)) != 0)
    {
        return NGX_ERROR;
    }

    if (ngx_http_azora_auth_sign_string(jwt, grant, "subject", "sub")
        != NGX_OK
        || ngx_http_azora_auth_sign_string(jwt, grant, "session", "sid")
           != NGX_OK
        || ngx_http_azora_auth_sign_string(jwt, grant, "scope", "scope")
           != NGX_OK
        || ngx_http_azora_auth_sign_string(jwt, grant, "acr", "acr")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    roles = json_pack("{s:O?}", "roles", json_object_get(grant, "roles"));
    text = json_dumps(roles, JSON_COMPACT);
    rc = text ? jwt_add_grants_json(jwt, text) : -1;

    free(text);
    json_decref(roles);

    return (rc == 0) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_auth_sign_string(jwt_t *jwt, json_t *grant, const char *member,
    const char *claim)
{
    const char  *value;

    value = json_string_value(json_object_get(grant, member));

    return (value != NULL && jwt_add_grant(jwt, claim, value) == 0)
           ? NGX_OK : NGX_ERROR;
}
