
/*
 * Issues access tokens (RFC 9068).  libjwt assembles the claims; header and
 * signature are made here, because libjwt 1.10 writes "typ":"JWT" whatever it
 * is told and parses the key anew for each token.
 */


#include "ngx_http_azora_auth.h"
#include <jwt.h>
#include <openssl/ecdsa.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_JTI_BYTES  16

/* RFC 9068 2.2 requires one: people log in to us and not through clients */
#define NGX_HTTP_AZORA_AUTH_CLIENT     "azora"

#define NGX_HTTP_AZORA_AUTH_DER_MAX    80    /* 72 for P-256 */


static ngx_int_t ngx_http_azora_auth_sign_input(
    ngx_http_azora_auth_ring_t *ring, const ngx_str_t *input, u_char *raw);
static ngx_int_t ngx_http_azora_auth_sign_claims(jwt_t *jwt,
    ngx_http_azora_auth_main_conf_t *conf, json_t *grant);
static ngx_int_t ngx_http_azora_auth_sign_string(jwt_t *jwt, json_t *grant,
    const char *member, const char *claim);


ngx_int_t
ngx_http_azora_auth_sign(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *grant,
    ngx_str_t *token)
{
    char       *claims;
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
    claims = NULL;
    jwt = NULL;
    root = json_loadb((char *) grant->data, grant->len, 0, NULL);

    if (root == NULL || jwt_new(&jwt) != 0) {
        jwt = NULL;
        goto done;
    }

    if (ngx_http_azora_auth_sign_claims(jwt, conf, root) == NGX_OK) {
        claims = jwt_get_grants_json(jwt, NULL);
    }

    if (claims != NULL) {
        rc = ngx_http_azora_auth_sign_compact(r->pool, &conf->ring, "at+jwt",
                                              claims, token);
    }

done:

    free(claims);
    jwt_free(jwt);
    json_decref(root);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: the access token could not be made");
    }

    return rc;
}


/* RFC 7515 3.1 */

ngx_int_t
ngx_http_azora_auth_sign_compact(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, const char *typ, const char *claims,
    ngx_str_t *token)
{
    u_char      raw[64];
    u_char      header[64 + NGX_HTTP_AZORA_AUTH_KID_LEN];
    ngx_str_t   part[3], out;
    ngx_uint_t  i;

    part[0].data = header;
    part[0].len = ngx_sprintf(header, "{\"alg\":\"ES256\",\"kid\":\"%V\","
                              "\"typ\":\"%s\"}", &ring->active->kid, typ)
                  - header;

    part[1].data = (u_char *) claims;
    part[1].len = ngx_strlen(claims);

    part[2].data = raw;
    part[2].len = sizeof(raw);

    token->data = ngx_pnalloc(pool,
                              ngx_base64_encoded_length(part[0].len)
                              + ngx_base64_encoded_length(part[1].len)
                              + ngx_base64_encoded_length(part[2].len) + 2);
    if (token->data == NULL) {
        return NGX_ERROR;
    }

    token->len = 0;

    for (i = 0; i < 3; i++) {

        if (i == 2
            && ngx_http_azora_auth_sign_input(ring, token, raw) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i > 0) {
            token->data[token->len++] = '.';
        }

        out.data = token->data + token->len;
        ngx_encode_base64url(&out, &part[i]);
        token->len += out.len;
    }

    return (token->len <= NGX_HTTP_AZORA_AUTH_TOKEN_MAX) ? NGX_OK : NGX_ERROR;
}


/* ES256: r || s of 32 bytes each, RFC 7518 3.4 */

static ngx_int_t
ngx_http_azora_auth_sign_input(ngx_http_azora_auth_ring_t *ring,
    const ngx_str_t *input, u_char *raw)
{
    u_char         der[NGX_HTTP_AZORA_AUTH_DER_MAX];
    u_char         hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    size_t         len;
    ECDSA_SIG     *sig;
    ngx_int_t      rc;
    EVP_PKEY_CTX  *ctx;
    const u_char  *p;

    rc = NGX_ERROR;
    sig = NULL;
    len = sizeof(der);

    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ring->active->pkey, NULL);

    if (ctx != NULL
        && EVP_PKEY_sign_init(ctx) == 1
        && ngx_http_azora_auth_digest(ring, input->data, input->len, hash)
           == NGX_OK
        && EVP_PKEY_sign(ctx, der, &len, hash, sizeof(hash)) == 1)
    {
        p = der;
        sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    }

    if (sig != NULL
        && BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) == 32
        && BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) == 32)
    {
        rc = NGX_OK;
    }

    ECDSA_SIG_free(sig);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();

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
    json_t  *lists;

    json_int_t  epoch;

    now = ngx_time();

    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(jti, sizeof(jti), random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    /* configured strings are NUL-terminated */

    if (jwt_add_grant(jwt, "iss", (char *) conf->expect.issuer.data) != 0
        || jwt_add_grant(jwt, "aud", (char *) conf->expect.audience.data) != 0
        || jwt_add_grant(jwt, "jti", jti) != 0
        || jwt_add_grant(jwt, "client_id",
                         NGX_HTTP_AZORA_AUTH_CLIENT) != 0
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
        || ngx_http_azora_auth_sign_string(jwt, grant, "tier", "tier")
           != NGX_OK
        || ngx_http_azora_auth_sign_string(jwt, grant, "acr", "acr")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    epoch = json_integer_value(json_object_get(grant, "epoch"));

    if (jwt_add_grant_int(jwt, "epoch", (long) epoch) != 0) {
        return NGX_ERROR;
    }

    lists = json_pack("{s:O?,s:O?}", "roles", json_object_get(grant, "roles"),
                      "amr", json_object_get(grant, "amr"));
    text = json_dumps(lists, JSON_COMPACT);
    rc = text ? jwt_add_grants_json(jwt, text) : -1;

    free(text);
    json_decref(lists);

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
