
/*
 * ES256's verification, FIPS 186-5 6.4.2, with OpenSSL's arithmetic.
 *
 * u1 G + u2 Q costs OpenSSL's own verifier half of a request's time, most of
 * it for u2 Q, as it knows nothing of Q before.  The keys of a ring stay for
 * weeks: Q gets what OpenSSL has of G, a table of its multiples, so that both
 * products cost the same.  Only public numbers are here, and nothing has to
 * hide how long it took.
 *
 * EC_GROUP_precompute_mult() is deprecated since OpenSSL 3.0 without anything
 * in its place.  Where it is gone or does nothing, all is slower and the same.
 */


#define OPENSSL_SUPPRESS_DEPRECATED

#include "ngx_http_azora_auth.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>


#define NGX_HTTP_AZORA_AUTH_P256_POINT  65    /* 4, x, y */


struct ngx_http_azora_auth_p256_s {
    EC_GROUP       *curve;
    EC_GROUP       *own;       /* the same curve with Q as its generator */
    EC_POINT       *g;         /* u1 G, then the sum */
    EC_POINT       *q;         /* u2 Q */
    BN_MONT_CTX    *mont;      /* of the order n */
    BN_CTX         *temp;
    BIGNUM         *r;
    BIGNUM         *s;
    BIGNUM         *w;         /* 1/s */
    BIGNUM         *u;
    const BIGNUM   *n;
};


static EC_GROUP *ngx_http_azora_auth_p256_group(EVP_PKEY *pkey);
static ngx_int_t ngx_http_azora_auth_p256_sum(
    ngx_http_azora_auth_p256_t *p256, const u_char *hash);


ngx_http_azora_auth_p256_t *
ngx_http_azora_auth_p256_new(EVP_PKEY *pkey)
{
    ngx_http_azora_auth_p256_t  *p256;

    p256 = OPENSSL_zalloc(sizeof(ngx_http_azora_auth_p256_t));
    if (p256 == NULL) {
        return NULL;
    }

    p256->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    p256->own = ngx_http_azora_auth_p256_group(pkey);
    p256->mont = BN_MONT_CTX_new();
    p256->temp = BN_CTX_new();
    p256->r = BN_new();
    p256->s = BN_new();
    p256->w = BN_new();
    p256->u = BN_new();

    if (p256->curve == NULL || p256->own == NULL || p256->mont == NULL
        || p256->temp == NULL || p256->r == NULL || p256->s == NULL
        || p256->w == NULL || p256->u == NULL)
    {
        goto failed;
    }

    p256->n = EC_GROUP_get0_order(p256->curve);
    p256->g = EC_POINT_new(p256->curve);
    p256->q = EC_POINT_new(p256->curve);

    if (p256->g == NULL || p256->q == NULL
        || BN_MONT_CTX_set(p256->mont, p256->n, p256->temp) != 1)
    {
        goto failed;
    }

    return p256;

failed:

    ngx_http_azora_auth_p256_free(p256);

    return NULL;
}


void
ngx_http_azora_auth_p256_free(ngx_http_azora_auth_p256_t *p256)
{
    if (p256 == NULL) {
        return;
    }

    EC_POINT_free(p256->g);
    EC_POINT_free(p256->q);
    EC_GROUP_free(p256->own);
    EC_GROUP_free(p256->curve);
    BN_MONT_CTX_free(p256->mont);
    BN_CTX_free(p256->temp);
    BN_free(p256->r);
    BN_free(p256->s);
    BN_free(p256->w);
    BN_free(p256->u);
    OPENSSL_free(p256);
}


/* Also sees to it that the key is a point of the curve. */

static EC_GROUP *
ngx_http_azora_auth_p256_group(EVP_PKEY *pkey)
{
    u_char     text[NGX_HTTP_AZORA_AUTH_P256_POINT];
    BIGNUM    *x, *y;
    EC_GROUP  *group;
    EC_POINT  *point;

    x = y = NULL;
    point = NULL;
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    text[0] = POINT_CONVERSION_UNCOMPRESSED;

    if (group == NULL
        || EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1
        || EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1
        || BN_bn2binpad(x, text + 1, 32) != 32
        || BN_bn2binpad(y, text + 33, 32) != 32
        || (point = EC_POINT_new(group)) == NULL
        || EC_POINT_oct2point(group, point, text, sizeof(text), NULL) != 1
        || EC_GROUP_set_generator(group, point, EC_GROUP_get0_order(group),
                                  EC_GROUP_get0_cofactor(group))
           != 1)
    {
        EC_GROUP_free(group);
        group = NULL;
    }

    EC_POINT_free(point);
    BN_free(x);
    BN_free(y);

    return group;
}


void
ngx_http_azora_auth_p256_precompute(ngx_http_azora_auth_p256_t *p256)
{
    if (EC_GROUP_precompute_mult(p256->own, p256->temp) != 1) {
        ERR_clear_error();
    }
}


/*
 * Both numbers must lie in [1, n - 1]: a library that did not look once took
 * zeros for a signature (CVE-2022-21449).
 */

ngx_int_t
ngx_http_azora_auth_p256_verify(ngx_http_azora_auth_p256_t *p256,
    const u_char *signature, const u_char *hash)
{
    if (BN_bin2bn(signature, 32, p256->r) == NULL
        || BN_bin2bn(signature + 32, 32, p256->s) == NULL
        || BN_is_zero(p256->r) || BN_ucmp(p256->r, p256->n) >= 0
        || BN_is_zero(p256->s) || BN_ucmp(p256->s, p256->n) >= 0)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_azora_auth_p256_sum(p256, hash) != NGX_OK) {
        /* the sum may be the point at infinity, which has no x */
        ERR_clear_error();
        return NGX_DECLINED;
    }

    /* x < p < 2 n */

    if (BN_ucmp(p256->u, p256->n) >= 0
        && BN_usub(p256->u, p256->u, p256->n) != 1)
    {
        return NGX_DECLINED;
    }

    return (BN_ucmp(p256->u, p256->r) == 0) ? NGX_OK : NGX_DECLINED;
}


/* u becomes the x of u1 G + u2 Q, u1 = hash/s, u2 = r/s modulo n. */

static ngx_int_t
ngx_http_azora_auth_p256_sum(ngx_http_azora_auth_p256_t *p256,
    const u_char *hash)
{
    BN_CTX  *temp;

    temp = p256->temp;

    if (BN_bin2bn(hash, 32, p256->u) == NULL
        || (BN_ucmp(p256->u, p256->n) >= 0
            && BN_usub(p256->u, p256->u, p256->n) != 1))
    {
        return NGX_ERROR;
    }

    /* one factor in Montgomery's form: the product is in the plain one */

    return (BN_mod_inverse(p256->w, p256->s, p256->n, temp) != NULL
            && BN_to_montgomery(p256->w, p256->w, p256->mont, temp) == 1
            && BN_mod_mul_montgomery(p256->u, p256->u, p256->w, p256->mont,
                                     temp)
               == 1
            && EC_POINT_mul(p256->curve, p256->g, p256->u, NULL, NULL, temp)
               == 1
            && BN_mod_mul_montgomery(p256->u, p256->r, p256->w, p256->mont,
                                     temp)
               == 1
            && EC_POINT_mul(p256->own, p256->q, p256->u, NULL, NULL, temp)
               == 1
            && EC_POINT_add(p256->curve, p256->g, p256->g, p256->q, temp) == 1
            && EC_POINT_get_affine_coordinates(p256->curve, p256->g, p256->u,
                                               NULL, temp)
               == 1)
           ? NGX_OK : NGX_ERROR;
}
