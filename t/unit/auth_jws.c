
/*
 * How an access token is signed: damaged, cut, forged and borrowed ones, and
 * the ring of keys that may verify it.
 */


#include "auth_token.h"


/* Every character of a good token, changed in turn, and every length. */

static void
test_damage(ngx_pool_t *pool)
{
    u_char      c;
    size_t      i;
    ngx_str_t   token;
    ngx_uint_t  taken;

    static const u_char  instead[] = "AaZz09-_.=+/ \t\n%\"\0\x7f\xff";

    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    taken = 0;

    for (i = 0; i < token.len; i++) {
        ngx_uint_t  n;

        c = token.data[i];

        for (n = 0; n < sizeof(instead); n++) {
            if (instead[n] != c) {
                token.data[i] = instead[n];
                taken += (test_verify(token.data, token.len) == NGX_OK);
            }
        }

        token.data[i] = c;
    }

    is_int(taken, 0, "a token with one character changed is refused");

    for (taken = 0, i = 0; i < token.len; i++) {
        taken += (test_verify(token.data, i) == NGX_OK);
        taken += (i > 0 && test_verify(token.data + i, token.len - i)
                           == NGX_OK);
    }

    is_int(taken, 0, "a part of a token is refused");

    for (taken = 0, i = 0; i < sizeof(instead); i++) {
        token.data[token.len] = instead[i];
        taken += (test_verify(token.data, token.len + 1) == NGX_OK);
    }

    is_int(taken, 0, "a token with one character more is refused");
    is_int(test_verify(token.data, token.len), NGX_OK,
           "and the token itself is taken");
}


/* Raw signatures that a careless verifier takes (CVE-2022-21449 and kin). */

static void
test_signatures(ngx_pool_t *pool)
{
    u_char     *sig, raw[64], n[64];
    size_t      i, taken, len;
    ngx_str_t   token;

    static const u_char  order[32] = {
        0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
        0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51
    };

    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    sig = token.data + token.len - 86;
    len = sig - token.data;

    is_int(ngx_http_azora_auth_base64url(sig, 86, raw, 64, &i), NGX_OK,
           "the signature is 64 bytes");

    ngx_memzero(n, sizeof(n));
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "r = s = 0");

    n[31] = 1;
    n[63] = 1;
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "r = s = 1");

    ngx_memcpy(n, order, 32);
    ngx_memcpy(n + 32, order, 32);
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "r = s = n");

    ngx_memcpy(n, raw, 32);
    ngx_memzero(n + 32, 32);
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "s = 0");

    ngx_memzero(n, 32);
    ngx_memcpy(n + 32, raw + 32, 32);
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "r = 0");

    ngx_memset(n, 0xff, 64);
    test_encode(sig, n, 64);
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "all ones");

    for (taken = 0, i = 0; i < 512; i++) {
        ngx_memcpy(n, raw, 64);
        n[i / 8] ^= 1 << (i % 8);
        test_encode(sig, n, 64);
        taken += (test_verify(token.data, token.len) == NGX_OK);
    }

    is_int(taken, 0, "each bit of a signature counts");

    for (taken = 0, i = 0; i < 64; i++) {
        taken += (test_verify(token.data, test_encode(sig, raw, i)
                                          - token.data)
                  == NGX_OK);
    }

    is_int(taken, 0, "a shorter signature is refused");

    test_encode(sig, raw, 64);
    is_int(test_verify(token.data, token.len), NGX_OK, "as it was");
    is_int(test_verify(token.data, len - 1), NGX_DECLINED, "no signature");
    is_int(test_verify(token.data, len), NGX_DECLINED, "an empty signature");
}


static void
test_sizes(ngx_pool_t *pool)
{
    u_char     *big;
    size_t      i, taken;
    ngx_str_t   token;

    big = ngx_alloc(1048576, pool->log);
    ngx_memset(big, 'A', 1048576);

    is_int(test_verify(big, 1048576), NGX_DECLINED, "a token of 1 MB");
    is_int(test_verify(big, 0), NGX_DECLINED, "an empty token");

    big[10] = '.';
    big[4000] = '.';
    is_int(test_verify(big, 4096), NGX_DECLINED, "a token of 4096 bytes");

    for (taken = 0, i = 0; i < 4097; i++) {
        ngx_memset(big, '.', i);
        taken += (test_verify(big, i) == NGX_OK);
    }

    is_int(taken, 0, "tokens of dots");
    ngx_free(big);

    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    token.data[token.len++] = '.';
    is_int(test_verify(token.data, token.len), NGX_DECLINED, "a fourth part");
}


/* A true signature, but of another key. */

static void
test_other_key(ngx_pool_t *pool)
{
    EVP_PKEY   *mine;
    ngx_str_t   token;

    mine = test_key;
    test_key = EVP_EC_gen("P-256");
    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    EVP_PKEY_free(test_key);
    test_key = mine;

    is_int(test_verify(token.data, token.len), NGX_DECLINED,
           "a signature of another key");
}


static void
test_ring_rules(ngx_pool_t *pool)
{
    EVP_PKEY                    *rsa, *p384, *copy;
    ngx_str_t                    none = ngx_null_string;
    ngx_http_azora_auth_ring_t   ring;

    ngx_memzero(&ring, sizeof(ring));
    ngx_http_azora_auth_ring_init(&ring);

    rsa = EVP_RSA_gen(1024);
    p384 = EVP_EC_gen("P-384");

    is_int(ngx_http_azora_auth_ring_add(&ring, pool, rsa, &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_ACTIVE),
           NGX_DECLINED, "an RSA key has no place in the ring");
    is_int(ngx_http_azora_auth_ring_add(&ring, pool, p384, &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_ACTIVE),
           NGX_DECLINED, "nor has a P-384 key");

    copy = EVP_PKEY_dup(test_key);
    is_int(ngx_http_azora_auth_ring_add(&ring, pool, copy, &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_ACTIVE),
           NGX_OK, "a P-256 key has");
    copy = EVP_PKEY_dup(test_key);
    is_int(ngx_http_azora_auth_ring_add(&ring, pool, copy, &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_RETIRED),
           NGX_DECLINED, "but once");
    is_int(ngx_http_azora_auth_ring_add(&ring, pool, EVP_EC_gen("P-256"),
                                        &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_ACTIVE),
           NGX_DECLINED, "one key is active");
    is_int(ngx_http_azora_auth_ring_add(&ring, pool, EVP_EC_gen("P-256"),
                                        &none, 1,
                                        NGX_HTTP_AZORA_AUTH_KEY_NEXT),
           NGX_OK, "others may wait");
    is_int(ring.nkeys, 2, "two keys are in the ring");

    ngx_http_azora_auth_ring_free(&ring);
}


static void
test_speed(ngx_pool_t *pool)
{
    uint64_t    from;
    ngx_str_t   token;
    ngx_uint_t  i, taken;

    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    from = ngx_azora_now_ns();

    for (taken = 0, i = 0; i < 2000; i++) {
        taken += (test_verify(token.data, token.len) == NGX_OK);
    }

    is_int(taken, 2000, "a token is good any number of times");
    diag("one verification takes %llu ns",
         (unsigned long long) (ngx_azora_now_ns() - from) / 2000);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_pool_t  *pool;

    pool = test_begin(cf);

    test_damage(pool);
    test_signatures(pool);
    test_sizes(pool);
    test_other_key(pool);
    test_ring_rules(pool);
    test_speed(pool);

    test_end(pool);
}
