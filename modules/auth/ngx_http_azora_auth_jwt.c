
/*
 * Access tokens: compact JWS (RFC 7515) with ES256, claims of RFC 9068.  ID
 * tokens of others are opened here as well, also with RS256.
 *
 * Nothing a token says about how it wants to be verified is believed: the
 * header only names a key of the ring, and the key knows its algorithm.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_HEADER_MAX  512    /* decoded bytes */
#define NGX_HTTP_AZORA_AUTH_TYPE_MAX    64


static ngx_int_t ngx_http_azora_auth_header(ngx_http_azora_auth_ring_t *ring,
    const u_char *data, size_t len, ngx_http_azora_auth_jwt_t *jwt,
    ngx_http_azora_auth_key_t **key);
static ngx_uint_t ngx_http_azora_auth_params_are(json_t *root);
static ngx_uint_t ngx_http_azora_auth_alg_is(json_t *alg, const char *name);
static ngx_http_azora_auth_key_t *ngx_http_azora_auth_find(
    ngx_http_azora_auth_ring_t *ring, json_t *kid);
static ngx_int_t ngx_http_azora_auth_signature(
    ngx_http_azora_auth_ring_t *ring, ngx_http_azora_auth_key_t *key,
    const ngx_str_t *input, const u_char *raw);


ngx_int_t
ngx_http_azora_auth_jwt_verify(ngx_http_azora_auth_ring_t *ring,
    const ngx_http_azora_auth_expect_t *expect, const ngx_str_t *token,
    time_t now, ngx_http_azora_auth_jwt_t *jwt)
{
    json_t        *root;
    ngx_int_t      rc;
    json_error_t   error;

    rc = ngx_http_azora_auth_jws_open(ring, token, jwt);

    if (rc != NGX_OK) {
        return rc;
    }

    /* RFC 9068 4: an ID token signed by the same key is no access token */

    if (!(jwt->typ.len == 6
          && ngx_strncasecmp(jwt->typ.data, (u_char *) "at+jwt", 6) == 0)
        && !(jwt->typ.len == 18
             && ngx_strncasecmp(jwt->typ.data,
                                (u_char *) "application/at+jwt", 18) == 0))
    {
        return ngx_http_azora_auth_refuse(jwt, "this is not an access token");
    }

    root = json_loadb((char *) jwt->payload.data, jwt->payload.len,
                      JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        json_decref(root);
        return ngx_http_azora_auth_refuse(jwt, "the claims are not a JSON "
                                               "object");
    }

    rc = ngx_http_azora_auth_claims(root, expect, now, jwt);

    json_decref(root);

    return rc;
}


ngx_int_t
ngx_http_azora_auth_jws_open(ngx_http_azora_auth_ring_t *ring,
    const ngx_str_t *token, ngx_http_azora_auth_jwt_t *jwt)
{
    size_t                      n;
    u_char                     *dot1, *dot2, *end;
    u_char                      header[NGX_HTTP_AZORA_AUTH_HEADER_MAX];
    u_char                      raw[NGX_HTTP_AZORA_AUTH_SIGNATURE_MAX];
    ngx_int_t                   rc;
    ngx_str_t                   input;
    ngx_http_azora_auth_key_t  *key;

    key = NULL;
    ngx_memzero(raw, sizeof(raw));
    jwt->reason = NULL;
    jwt->unknown = 0;
    ngx_str_null(&jwt->typ);
    ngx_str_null(&jwt->payload);
    ngx_memzero(&jwt->identity, sizeof(ngx_http_azora_auth_proof_t));

    if (token->len > NGX_HTTP_AZORA_AUTH_TOKEN_MAX) {
        return ngx_http_azora_auth_refuse(jwt, "the token is too long");
    }

    end = token->data + token->len;

    dot1 = ngx_strlchr(token->data, end, '.');
    dot2 = dot1 ? ngx_strlchr(dot1 + 1, end, '.') : NULL;

    /* a third dot is no base64url character and fails below */

    if (dot2 == NULL || dot1 == token->data) {
        return ngx_http_azora_auth_refuse(jwt, "the token is not a JWT");
    }

    if (ngx_http_azora_auth_base64url(token->data, dot1 - token->data, header,
                                      NGX_HTTP_AZORA_AUTH_HEADER_MAX, &n)
        != NGX_OK)
    {
        return ngx_http_azora_auth_refuse(jwt, "the token's header cannot "
                                               "be decoded");
    }

    rc = ngx_http_azora_auth_header(ring, header, n, jwt, &key);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_http_azora_auth_base64url(dot2 + 1, end - dot2 - 1, raw,
                                      key->size, &n)
        != NGX_OK
        || n != key->size)
    {
        return ngx_http_azora_auth_refuse(jwt, "the token's signature cannot "
                                               "be decoded");
    }

    input.data = token->data;
    input.len = dot2 - token->data;

    if (ngx_http_azora_auth_signature(ring, key, &input, raw) != NGX_OK) {
        return ngx_http_azora_auth_refuse(jwt, "the token's signature is "
                                               "wrong");
    }

    if (ngx_http_azora_auth_base64url(dot1 + 1, dot2 - dot1 - 1, jwt->decoded,
                                      sizeof(jwt->decoded), &n)
        != NGX_OK)
    {
        return ngx_http_azora_auth_refuse(jwt, "the token's claims cannot "
                                               "be decoded");
    }

    jwt->payload.data = jwt->decoded;
    jwt->payload.len = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_digest(ngx_http_azora_auth_ring_t *ring,
    const u_char *data, size_t len, u_char *out)
{
    if (EVP_DigestInit_ex(ring->digest, ring->sha256, NULL) != 1
        || EVP_DigestUpdate(ring->digest, data, len) != 1
        || EVP_DigestFinal_ex(ring->digest, out, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_refuse(ngx_http_azora_auth_jwt_t *jwt, const char *reason)
{
    jwt->reason = reason;
    return NGX_DECLINED;
}


/*
 * RFC 7515 2: no padding, no white space; unused bits must be 0, so that one
 * token has one spelling only.
 */

ngx_int_t
ngx_http_azora_auth_base64url(const u_char *src, size_t len, u_char *dst,
    size_t max, size_t *out)
{
    u_char        *p, *last;
    uint32_t       bits;
    ngx_uint_t     nbits, v;
    const u_char  *end;

    if (len % 4 == 1) {
        return NGX_ERROR;
    }

    p = dst;
    last = dst + max;
    bits = 0;
    nbits = 0;

    for (end = src + len; src < end; src++) {

        if (*src >= 'A' && *src <= 'Z') {
            v = *src - 'A';

        } else if (*src >= 'a' && *src <= 'z') {
            v = *src - 'a' + 26;

        } else if (*src >= '0' && *src <= '9') {
            v = *src - '0' + 52;

        } else if (*src == '-') {
            v = 62;

        } else if (*src == '_') {
            v = 63;

        } else {
            return NGX_ERROR;
        }

        bits = (bits << 6 | v) & 0xffff;
        nbits += 6;

        if (nbits >= 8) {
            nbits -= 8;

            if (p == last) {
                return NGX_ERROR;
            }

            *p++ = (u_char) (bits >> nbits);
        }
    }

    if (bits & ((1u << nbits) - 1)) {
        return NGX_ERROR;
    }

    *out = p - dst;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_header(ngx_http_azora_auth_ring_t *ring,
    const u_char *data, size_t len, ngx_http_azora_auth_jwt_t *jwt,
    ngx_http_azora_auth_key_t **key)
{
    json_t        *root, *alg, *kid, *typ;
    ngx_int_t      rc;
    json_error_t   error;

    root = json_loadb((char *) data, len, JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        json_decref(root);
        return ngx_http_azora_auth_refuse(jwt, "the token's header is not a "
                                               "JSON object");
    }

    rc = NGX_DECLINED;
    *key = NULL;

    if (!ngx_http_azora_auth_params_are(root)) {
        jwt->reason = "the token's header has a parameter that is not "
                      "accepted";
        goto done;
    }

    alg = json_object_get(root, "alg");
    kid = json_object_get(root, "kid");
    typ = json_object_get(root, "typ");

    /* compared as it is: "es256" is another name, RFC 7515 4.1.1 */

    if (!ngx_http_azora_auth_alg_is(alg, "ES256")
        && !(ring->rsa && ngx_http_azora_auth_alg_is(alg, "RS256")))
    {
        jwt->reason = "the token's algorithm is not accepted";
        goto done;
    }

    if (!json_is_string(kid)
        || (typ != NULL
            && (!json_is_string(typ)
                || json_string_length(typ) > NGX_HTTP_AZORA_AUTH_TYPE_MAX)))
    {
        jwt->reason = "the token's header is not well formed";
        goto done;
    }

    *key = ngx_http_azora_auth_find(ring, kid);

    if (*key == NULL) {
        jwt->reason = "the token's key is not known";
        jwt->unknown = 1;
        goto done;
    }

    /* RFC 8725 3.1: the key says how it is used, not the token */

    if (!ngx_http_azora_auth_alg_is(alg, (*key)->rsa ? "RS256" : "ES256")) {
        jwt->reason = "the token's algorithm is not its key's";
        goto done;
    }

    if (typ != NULL) {
        jwt->typ.data = jwt->text;
        jwt->typ.len = json_string_length(typ);
        ngx_memcpy(jwt->text, json_string_value(typ), jwt->typ.len);
    }

    rc = NGX_OK;

done:

    json_decref(root);

    return rc;
}


/*
 * RFC 8725 3.1, 3.10: jwk, jku, x5u, x5c would bring a key along, crit and b64
 * would change the rules: no parameter but these three is taken.
 */

static ngx_uint_t
ngx_http_azora_auth_params_are(json_t *root)
{
    json_t      *value;
    const char  *name;

    json_object_foreach(root, name, value) {
        if (ngx_strcmp(name, "alg") != 0 && ngx_strcmp(name, "kid") != 0
            && ngx_strcmp(name, "typ") != 0)
        {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_azora_auth_alg_is(json_t *alg, const char *name)
{
    return json_is_string(alg) && ngx_strcmp(json_string_value(alg), name) == 0;
}


static ngx_http_azora_auth_key_t *
ngx_http_azora_auth_find(ngx_http_azora_auth_ring_t *ring, json_t *kid)
{
    ngx_uint_t  i;

    for (i = 0; i < ring->nkeys; i++) {
        if (ring->keys[i].kid.len == json_string_length(kid)
            && ngx_memcmp(ring->keys[i].kid.data, json_string_value(kid),
                          ring->keys[i].kid.len)
               == 0)
        {
            return &ring->keys[i];
        }
    }

    return NULL;
}


/* raw is of key->size bytes. */

static ngx_int_t
ngx_http_azora_auth_signature(ngx_http_azora_auth_ring_t *ring,
    ngx_http_azora_auth_key_t *key, const ngx_str_t *input, const u_char *raw)
{
    u_char  hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];

    if (ngx_http_azora_auth_digest(ring, input->data, input->len, hash)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (!key->rsa) {
        return ngx_http_azora_auth_p256_verify(key->p256, raw, hash);
    }

    if (EVP_PKEY_verify(key->verify, raw, key->size, hash, sizeof(hash))
        != 1)
    {
        ERR_clear_error();
        return NGX_DECLINED;
    }

    return NGX_OK;
}
