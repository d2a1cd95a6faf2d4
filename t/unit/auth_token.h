
/*
 * Tokens for the tests of the auth module, signed apart from its own code.
 */


#ifndef _AUTH_TOKEN_H_INCLUDED_
#define _AUTH_TOKEN_H_INCLUDED_


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>


#define TEST_NOW   1500
#define TEST_SUB   "019a9f00-0000-7000-8000-000000000001"
#define TEST_SID   "019a9f00-0000-7000-8000-000000000002"

#define TEST_HEADER  "{\"alg\":\"ES256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}"
#define TEST_BASE    "\"iss\":\"https://azora.test\",\"aud\":\"azora\","      \
                     "\"sub\":\"" TEST_SUB "\",\"jti\":\"one\""
#define TEST_TIMES   "\"iat\":1000,\"exp\":2000"
#define TEST_CLAIMS  "{" TEST_BASE "," TEST_TIMES ",\"sid\":\"" TEST_SID      \
                     "\",\"scope\":\"wallet:read wallet:write\","             \
                     "\"roles\":[\"learner\",\"teacher\"],"                   \
                     "\"tier\":\"free\",\"acr\":\"1\"}"


static ngx_http_azora_auth_ring_t  test_ring;
static EVP_PKEY                   *test_key;

static const ngx_http_azora_auth_expect_t  test_expect = {
    ngx_string("https://azora.test"), ngx_string("azora"), 0
};


/* r || s, RFC 7518 3.4: written apart from the module that is tested */

static void
test_raw_signature(const u_char *data, size_t len, u_char *raw)
{
    u_char         der[80];
    size_t         n;
    ECDSA_SIG     *sig;
    EVP_MD_CTX    *ctx;
    const u_char  *p;

    n = sizeof(der);
    ctx = EVP_MD_CTX_new();

    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, test_key) != 1
        || EVP_DigestSign(ctx, der, &n, data, len) != 1)
    {
        abort();
    }

    p = der;
    sig = d2i_ECDSA_SIG(NULL, &p, (long) n);

    if (BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32) != 32
        || BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32) != 32)
    {
        abort();
    }

    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
}


static u_char *
test_encode(u_char *p, const u_char *data, size_t len)
{
    ngx_str_t  src, dst;

    src.data = (u_char *) data;
    src.len = len;
    dst.data = p;

    ngx_encode_base64url(&dst, &src);

    return p + dst.len;
}


/* KID in the header becomes the key's. */

static ngx_str_t
test_token(ngx_pool_t *pool, const char *header, const char *claims)
{
    u_char     *p, *kid, raw[64], text[1024];
    ngx_str_t   token;

    kid = (u_char *) strstr(header, "KID");

    if (kid != NULL) {
        p = ngx_cpymem(text, header, kid - (u_char *) header);
        p = ngx_cpymem(p, test_ring.active->kid.data,
                       test_ring.active->kid.len);
        p = ngx_cpymem(p, kid + 3, ngx_strlen(kid + 3));

    } else {
        p = ngx_cpymem(text, header, ngx_strlen(header));
    }

    token.data = ngx_pnalloc(pool, 16384);
    p = test_encode(token.data, text, p - text);
    *p++ = '.';
    p = test_encode(p, (u_char *) claims, ngx_strlen(claims));

    test_raw_signature(token.data, p - token.data, raw);

    *p++ = '.';
    p = test_encode(p, raw, sizeof(raw));
    token.len = p - token.data;

    return token;
}


__attribute__((unused))
static ngx_int_t
test_verify(u_char *data, size_t len)
{
    ngx_str_t                         token;
    static ngx_http_azora_auth_jwt_t  jwt;

    token.data = data;
    token.len = len;

    return ngx_http_azora_auth_jwt_verify(&test_ring, &test_expect, &token,
                                          TEST_NOW, &jwt);
}


/* The pool of a test, with the key and the ring made. */

static ngx_pool_t *
test_begin(ngx_conf_t *cf)
{
    ngx_str_t    none = ngx_null_string;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(16384, cf->log);
    test_key = EVP_EC_gen("P-256");

    ngx_http_azora_auth_ring_init(&test_ring);
    ngx_http_azora_auth_ring_add(&test_ring, pool, EVP_PKEY_dup(test_key),
                                 &none, 1, NGX_HTTP_AZORA_AUTH_KEY_ACTIVE);
    ngx_http_azora_auth_ring_precompute(&test_ring);

    return pool;
}


static void
test_end(ngx_pool_t *pool)
{
    ngx_http_azora_auth_ring_free(&test_ring);
    EVP_PKEY_free(test_key);
    ngx_destroy_pool(pool);
}


#endif /* _AUTH_TOKEN_H_INCLUDED_ */
