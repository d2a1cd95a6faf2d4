
/*
 * Public keys in JWK form (RFC 7517): how a server that only verifies tokens
 * gets the keys of the one that signs them.
 */


#include "ngx_http_azora_auth.h"
#include <openssl/core_names.h>
#include <openssl/param_build.h>


static ngx_uint_t ngx_http_azora_auth_jwk_usable(json_t *jwk,
    ngx_uint_t rsa);
static BIGNUM *ngx_http_azora_auth_jwk_number(json_t *value);
static EVP_PKEY *ngx_http_azora_auth_jwk_rsa(json_t *jwk);
static ngx_uint_t ngx_http_azora_auth_jwk_roca(const BIGNUM *n);
static EVP_PKEY *ngx_http_azora_auth_jwk_pkey(json_t *jwk);


ngx_int_t
ngx_http_azora_auth_ring_add_jwk(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, json_t *jwk, ngx_http_azora_auth_key_state_e state)
{
    EVP_PKEY    *pkey;
    ngx_str_t    kid;
    ngx_uint_t   rsa;
    const char  *name;

    name = json_string_value(json_object_get(jwk, "kty"));
    rsa = ring->rsa && name != NULL && ngx_strcmp(name, "RSA") == 0;

    if (!ngx_http_azora_auth_jwk_usable(jwk, rsa)) {
        return NGX_DECLINED;
    }

    pkey = rsa ? ngx_http_azora_auth_jwk_rsa(jwk)
               : ngx_http_azora_auth_jwk_pkey(jwk);
    if (pkey == NULL) {
        return NGX_DECLINED;
    }

    name = json_string_value(json_object_get(jwk, "kid"));

    kid.len = name ? ngx_strlen(name) : 0;
    kid.data = ngx_pnalloc(pool, kid.len + 1);

    if (kid.data == NULL) {
        EVP_PKEY_free(pkey);
        return NGX_ERROR;
    }

    ngx_memcpy(kid.data, name ? name : "", kid.len + 1);

    return ngx_http_azora_auth_ring_add(ring, pool, pkey, &kid, 0, state);
}


/*
 * RFC 7517 4: what the key says about itself must allow ES256 signatures, or
 * RS256.
 */

static ngx_uint_t
ngx_http_azora_auth_jwk_usable(json_t *jwk, ngx_uint_t rsa)
{
    size_t        i;
    json_t       *ops, *value;
    ngx_uint_t    verify;
    const char   *text;

    static const struct {
        const char  *name;
        const char  *value[2];
        ngx_uint_t   required;
    } members[] = {
        { "kty", { "EC", "RSA" }, 1 },
        { "crv", { "P-256", NULL }, 1 },
        { "alg", { "ES256", "RS256" }, 0 },
        { "use", { "sig", "sig" }, 0 }
    };

    if (!json_is_object(jwk) || json_object_get(jwk, "d") != NULL) {
        return 0;
    }

    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {

        value = json_object_get(jwk, members[i].name);

        if ((value == NULL && !members[i].required)
            || members[i].value[rsa] == NULL)
        {
            continue;
        }

        text = json_string_value(value);

        if (text == NULL || ngx_strcmp(text, members[i].value[rsa]) != 0) {
            return 0;
        }
    }

    value = json_object_get(jwk, "kid");

    if (value != NULL
        && (json_string_length(value) == 0
            || json_string_length(value) > NGX_HTTP_AZORA_AUTH_JWK_KID_MAX))
    {
        return 0;
    }

    ops = json_object_get(jwk, "key_ops");

    if (ops == NULL) {
        return 1;
    }

    verify = 0;

    json_array_foreach(ops, i, value) {
        text = json_string_value(value);
        verify |= (text != NULL && ngx_strcmp(text, "verify") == 0);
    }

    return verify;
}


/* NULL: not a modulus and an exponent that may be used (RFC 8017 3.1) */

static EVP_PKEY *
ngx_http_azora_auth_jwk_rsa(json_t *jwk)
{
    BIGNUM          *n, *e;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *bld;

    pkey = NULL;
    params = NULL;
    n = ngx_http_azora_auth_jwk_number(json_object_get(jwk, "n"));
    e = ngx_http_azora_auth_jwk_number(json_object_get(jwk, "e"));
    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);

    if (n != NULL && e != NULL && bld != NULL && ctx != NULL
        && BN_is_odd(n) && BN_is_odd(e) && BN_num_bits(e) <= 64
        && !BN_is_one(e) && !ngx_http_azora_auth_jwk_roca(n)
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, e) == 1)
    {
        params = OSSL_PARAM_BLD_to_param(bld);
    }

    if (params == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);
    BN_free(n);
    BN_free(e);
    ERR_clear_error();

    return pkey;
}


/*
 * Some smart cards made primes whose product is a power of 65537 modulo every
 * small prime, and can be factored (CVE-2017-15361).  By chance a modulus is
 * so once in 2^27.
 */

static ngx_uint_t
ngx_http_azora_auth_jwk_roca(const BIGNUM *n)
{
    BN_ULONG    rest, power, p;
    ngx_uint_t  i;

    static const u_char  primes[] = {
        11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151,
        157
    };

    for (i = 0; i < sizeof(primes); i++) {

        p = primes[i];
        rest = BN_mod_word(n, p);

        for (power = 65537 % p; power != rest && power != 1; /* void */ ) {
            power = power * 65537 % p;
        }

        if (power != rest) {
            return 0;
        }
    }

    return 1;
}


static BIGNUM *
ngx_http_azora_auth_jwk_number(json_t *value)
{
    u_char  bytes[NGX_HTTP_AZORA_AUTH_SIGNATURE_MAX];
    size_t  len;

    if (!json_is_string(value)
        || ngx_http_azora_auth_base64url((u_char *) json_string_value(value),
                                         json_string_length(value), bytes,
                                         sizeof(bytes), &len)
           != NGX_OK)
    {
        return NULL;
    }

    return BN_bin2bn(bytes, (int) len, NULL);
}


/* NULL: x and y are not the coordinates of a point of the curve. */

static EVP_PKEY *
ngx_http_azora_auth_jwk_pkey(json_t *jwk)
{
    size_t           n, i;
    u_char           point[65];
    json_t          *value;
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *bld;

    static const char  *coordinates[] = { "x", "y" };

    point[0] = POINT_CONVERSION_UNCOMPRESSED;

    for (i = 0; i < 2; i++) {

        value = json_object_get(jwk, coordinates[i]);

        if (!json_is_string(value)
            || ngx_http_azora_auth_base64url(
                                       (u_char *) json_string_value(value),
                                       json_string_length(value),
                                       point + 1 + 32 * i, 32, &n)
               != NGX_OK
            || n != 32)
        {
            return NULL;
        }
    }

    pkey = NULL;
    params = NULL;
    bld = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (bld != NULL
        && OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
                                           "prime256v1", 0)
           == 1
        && OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, sizeof(point))
           == 1)
    {
        params = OSSL_PARAM_BLD_to_param(bld);
    }

    if (ctx == NULL || params == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        pkey = NULL;
    }

    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(bld);

    if (pkey != NULL) {
        ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

        if (ctx == NULL || EVP_PKEY_public_check(ctx) != 1) {
            EVP_PKEY_free(pkey);
            pkey = NULL;
        }

        EVP_PKEY_CTX_free(ctx);
    }

    ERR_clear_error();

    return pkey;
}
