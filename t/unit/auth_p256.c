
/*
 * The verifier of ES256 by the vectors of the RFCs, against OpenSSL's own on
 * any number of signatures, and where its sums meet the point at infinity or
 * add a point to itself.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>


/* RFC 7515 A.3 */

#define A3_X       "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define A3_Y       "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define A3_INPUT                                                              \
    "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogIm" \
    "h0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define A3_SIGNATURE                                                          \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK" \
    "TUJqPP3-Kg6NU1Q"

/* RFC 7638 3.1: the members of an RSA key in their order */

#define THUMBPRINT_OF                                                         \
    "{\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQm" \
    "bXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZC" \
    "iFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR" \
    "0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbIS" \
    "D08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF4" \
    "4-csFCur-kEgU8awapJzKnqDKgw\"}"
#define THUMBPRINT  "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


static ngx_http_azora_auth_ring_t  test_ring;


static void
test_decode(const char *text, u_char *out, size_t len)
{
    size_t  n;

    if (ngx_http_azora_auth_base64url((u_char *) text, ngx_strlen(text), out,
                                      len, &n)
        != NGX_OK
        || n != len)
    {
        abort();
    }
}


/* The public key with these coordinates. */

static EVP_PKEY *
test_public(const BIGNUM *x, const BIGNUM *y)
{
    u_char           point[65];
    EVP_PKEY        *pkey;
    OSSL_PARAM      *params;
    EVP_PKEY_CTX    *ctx;
    OSSL_PARAM_BLD  *build;

    point[0] = 4;
    pkey = NULL;
    build = OSSL_PARAM_BLD_new();
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);

    if (BN_bn2binpad(x, point + 1, 32) != 32
        || BN_bn2binpad(y, point + 33, 32) != 32
        || OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
                                           "prime256v1", 0) != 1
        || OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY,
                                            point, sizeof(point)) != 1
        || (params = OSSL_PARAM_BLD_to_param(build)) == NULL
        || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        abort();
    }

    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);

    return pkey;
}


static ngx_http_azora_auth_p256_t *
test_verifier(const char *x, const char *y)
{
    BIGNUM                      *bx, *by;
    EVP_PKEY                    *pkey;
    ngx_http_azora_auth_p256_t  *p256;

    bx = by = NULL;
    BN_hex2bn(&bx, x);
    BN_hex2bn(&by, y);
    pkey = test_public(bx, by);
    p256 = ngx_http_azora_auth_p256_new(pkey);

    EVP_PKEY_free(pkey);
    BN_free(bx);
    BN_free(by);

    return p256;
}


static void
test_hex(const char *text, u_char *out, size_t len)
{
    BIGNUM  *bn;

    bn = NULL;
    BN_hex2bn(&bn, text);

    if (BN_bn2binpad(bn, out, (int) len) != (int) len) {
        abort();
    }

    BN_free(bn);
}


static void
test_rfc7515(void)
{
    u_char                       point[64], raw[64], hash[32];
    BIGNUM                      *x, *y;
    EVP_PKEY                    *pkey;
    ngx_http_azora_auth_p256_t  *p256;

    test_decode(A3_X, point, 32);
    test_decode(A3_Y, point + 32, 32);
    test_decode(A3_SIGNATURE, raw, 64);

    x = BN_bin2bn(point, 32, NULL);
    y = BN_bin2bn(point + 32, 32, NULL);
    pkey = test_public(x, y);
    p256 = ngx_http_azora_auth_p256_new(pkey);

    (void) ngx_http_azora_auth_digest(&test_ring, (u_char *) A3_INPUT,
                                      sizeof(A3_INPUT) - 1, hash);

    is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash), NGX_OK,
           "RFC 7515 A.3");

    ngx_http_azora_auth_p256_precompute(p256);
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash), NGX_OK,
           "and with the table");

    hash[31] ^= 1;
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash), NGX_DECLINED,
           "another text");

    ngx_http_azora_auth_p256_free(p256);
    EVP_PKEY_free(pkey);
    BN_free(x);
    BN_free(y);
}


/* RFC 6979 A.2.5, SHA-256 */

static void
test_rfc6979(void)
{
    size_t                       i;
    u_char                       raw[64], hash[32];
    ngx_http_azora_auth_p256_t  *p256;

    static const struct {
        const char  *text;
        const char  *r;
        const char  *s;
    } rows[] = {
        { "sample",
          "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
          "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8" },
        { "test",
          "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
          "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083" }
    };

    p256 = test_verifier(
        "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
        "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299");
    ngx_http_azora_auth_p256_precompute(p256);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        test_hex(rows[i].r, raw, 32);
        test_hex(rows[i].s, raw + 32, 32);
        (void) ngx_http_azora_auth_digest(&test_ring, (u_char *) rows[i].text,
                                          ngx_strlen(rows[i].text), hash);
        ok(ngx_http_azora_auth_p256_verify(p256, raw, hash) == NGX_OK,
           "RFC 6979 A.2.5, \"%s\"", rows[i].text);
    }

    ngx_http_azora_auth_p256_free(p256);
}


static void
test_rfc7638(void)
{
    u_char     hash[32], text[64];
    ngx_str_t  src, dst;

    (void) ngx_http_azora_auth_digest(&test_ring, (u_char *) THUMBPRINT_OF,
                                      sizeof(THUMBPRINT_OF) - 1, hash);
    src.data = hash;
    src.len = sizeof(hash);
    dst.data = text;
    ngx_encode_base64url(&dst, &src);

    is_str(&dst, THUMBPRINT, "RFC 7638 3.1");
}


/* Both verifiers on good and bad signatures, of hashes at the edges as well. */

static void
test_openssl(void)
{
    int                          theirs;
    u_char                       der[80], raw[64], hash[32];
    size_t                       n, i;
    EVP_PKEY                    *pkey;
    ECDSA_SIG                   *sig;
    ngx_uint_t                   taken, apart;
    EVP_PKEY_CTX                *sign, *verify;
    const u_char                *p;
    ngx_http_azora_auth_p256_t  *p256;

    taken = apart = 0;
    pkey = EVP_EC_gen("P-256");
    p256 = ngx_http_azora_auth_p256_new(pkey);
    sign = EVP_PKEY_CTX_new(pkey, NULL);
    verify = EVP_PKEY_CTX_new(pkey, NULL);
    EVP_PKEY_sign_init(sign);
    EVP_PKEY_verify_init(verify);

    for (i = 0; i < 2000; i++) {

        if (i == 1000) {
            ngx_http_azora_auth_p256_precompute(p256);
        }

        ngx_memset(hash, (i % 3 == 0) ? 0 : 0xff, sizeof(hash));

        if (i % 3 == 2) {
            (void) ngx_http_azora_auth_digest(&test_ring, (u_char *) &i,
                                              sizeof(i), hash);
        }

        n = sizeof(der);
        EVP_PKEY_sign(sign, der, &n, hash, sizeof(hash));

        if (i % 5 == 4) {
            hash[i % 32] ^= 1 << (i % 8);
        }

        theirs = EVP_PKEY_verify(verify, der, n, hash, sizeof(hash));
        p = der;
        sig = d2i_ECDSA_SIG(NULL, &p, (long) n);
        BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
        BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
        ECDSA_SIG_free(sig);

        taken += (theirs == 1);
        apart += ((theirs == 1)
                  != (ngx_http_azora_auth_p256_verify(p256, raw, hash)
                      == NGX_OK));
    }

    is_int(taken, 1600, "OpenSSL takes those that were not changed");
    is_int(apart, 0, "and so does the verifier");

    EVP_PKEY_CTX_free(sign);
    EVP_PKEY_CTX_free(verify);
    EVP_PKEY_free(pkey);
    ngx_http_azora_auth_p256_free(p256);
}


/*
 * With h = r both factors are r/s.  For Q = G the sum adds a point to itself,
 * and s = 2r/k makes a true signature of it; for Q = -G it is the point at
 * infinity whatever s is.
 */

static void
test_edges(void)
{
    u_char                       raw[64];
    BIGNUM                      *k, *r, *s, *x, *y;
    BN_CTX                      *temp;
    EC_GROUP                    *group;
    EC_POINT                    *point;
    EVP_PKEY                    *pkey;
    const BIGNUM                *order;
    ngx_http_azora_auth_p256_t  *p256;

    temp = BN_CTX_new();
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    order = EC_GROUP_get0_order(group);
    point = EC_POINT_new(group);
    k = BN_new();
    r = BN_new();
    s = BN_new();
    x = BN_new();
    y = BN_new();

    BN_set_word(k, 12345678);
    EC_POINT_mul(group, point, k, NULL, NULL, temp);
    EC_POINT_get_affine_coordinates(group, point, r, NULL, temp);
    BN_nnmod(r, r, order, temp);
    BN_mod_inverse(s, k, order, temp);
    BN_mod_mul(s, s, r, order, temp);
    BN_mod_lshift1(s, s, order, temp);
    BN_bn2binpad(r, raw, 32);
    BN_bn2binpad(s, raw + 32, 32);

    EC_POINT_get_affine_coordinates(group, EC_GROUP_get0_generator(group), x,
                                    y, temp);
    pkey = test_public(x, y);
    p256 = ngx_http_azora_auth_p256_new(pkey);
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, raw), NGX_OK,
           "a point added to itself");
    ngx_http_azora_auth_p256_precompute(p256);
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, raw), NGX_OK,
           "and with the table");
    ngx_http_azora_auth_p256_free(p256);
    EVP_PKEY_free(pkey);

    EC_POINT_copy(point, EC_GROUP_get0_generator(group));
    EC_POINT_invert(group, point, temp);
    EC_POINT_get_affine_coordinates(group, point, x, y, temp);
    pkey = test_public(x, y);
    p256 = ngx_http_azora_auth_p256_new(pkey);
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, raw), NGX_DECLINED,
           "the point at infinity");
    ngx_http_azora_auth_p256_precompute(p256);
    is_int(ngx_http_azora_auth_p256_verify(p256, raw, raw), NGX_DECLINED,
           "and with the table");
    ngx_http_azora_auth_p256_free(p256);
    EVP_PKEY_free(pkey);

    BN_free(k);
    BN_free(r);
    BN_free(s);
    BN_free(x);
    BN_free(y);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    BN_CTX_free(temp);
}


/*
 * The x of a sum may lie in [n, p), which no random signature meets: for the
 * first such x = n + r, s and h, the key (s R - h G)/r makes (r, s) a true
 * signature.  Numbers that are the same modulo n are others.
 */

static void
test_numbers(void)
{
    u_char                       raw[64], hash[32];
    BIGNUM                      *r, *s, *h, *x, *y;
    BN_CTX                      *temp;
    EC_GROUP                    *group;
    EC_POINT                    *point, *sum;
    EVP_PKEY                    *pkey;
    ngx_uint_t                   i;
    const BIGNUM                *order;
    ngx_http_azora_auth_p256_t  *p256;

    temp = BN_CTX_new();
    group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    order = EC_GROUP_get0_order(group);
    point = EC_POINT_new(group);
    sum = EC_POINT_new(group);
    r = BN_new();
    s = BN_new();
    h = BN_new();
    x = BN_dup(order);
    y = BN_new();

    do {
        BN_add_word(r, 1);
        BN_add_word(x, 1);
    } while (EC_POINT_set_compressed_coordinates(group, point, x, 0, temp)
             != 1);

    BN_set_word(s, 7);
    BN_set_word(h, 11);
    BN_bn2binpad(h, hash, 32);

    BN_mod_inverse(y, r, order, temp);
    BN_mod_mul(h, h, y, order, temp);
    BN_sub(h, order, h);
    BN_mod_mul(y, s, y, order, temp);
    EC_POINT_mul(group, sum, h, point, y, temp);
    EC_POINT_get_affine_coordinates(group, sum, h, y, temp);

    pkey = test_public(h, y);
    p256 = ngx_http_azora_auth_p256_new(pkey);

    for (i = 0; i < 2; i++) {
        BN_bn2binpad(r, raw, 32);
        BN_bn2binpad(s, raw + 32, 32);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash), NGX_OK,
               "the sum's x is more than n");

        BN_bn2binpad(x, raw, 32);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash),
               NGX_DECLINED, "r + n");

        BN_bn2binpad(r, raw, 32);
        BN_add(y, s, order);
        BN_bn2binpad(y, raw + 32, 32);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash),
               NGX_DECLINED, "s + n");

        BN_bn2binpad(order, raw + 32, 32);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash),
               NGX_DECLINED, "s = n");

        ngx_memzero(raw + 32, 32);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash),
               NGX_DECLINED, "s = 0");

        ngx_memzero(raw, 64);
        is_int(ngx_http_azora_auth_p256_verify(p256, raw, hash),
               NGX_DECLINED, "both 0");

        ngx_http_azora_auth_p256_precompute(p256);
    }

    ngx_http_azora_auth_p256_free(p256);
    EVP_PKEY_free(pkey);
    BN_free(r);
    BN_free(s);
    BN_free(h);
    BN_free(x);
    BN_free(y);
    EC_POINT_free(point);
    EC_POINT_free(sum);
    EC_GROUP_free(group);
    BN_CTX_free(temp);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_http_azora_auth_ring_init(&test_ring);

    test_rfc7515();
    test_rfc6979();
    test_rfc7638();
    test_openssl();
    test_edges();
    test_numbers();

    ngx_http_azora_auth_ring_free(&test_ring);
}
