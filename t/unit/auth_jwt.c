
/*
 * The verifier of access tokens against forged, damaged and borrowed ones.
 */


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


typedef struct {
    const char  *name;
    const char  *header;
    const char  *claims;
    const char  *reason;      /* NULL: accepted */
} ngx_azora_test_token_t;


static ngx_http_azora_auth_ring_t  test_ring;
static EVP_PKEY                   *test_key;

static const ngx_http_azora_auth_expect_t  test_expect = {
    ngx_string("https://azora.test"), ngx_string("azora"), 0
};


#define HEADER_REFUSED  "the token's header has a parameter that is not accepted"
#define ALG_REFUSED     "the token's algorithm is not accepted"
#define KEY_REFUSED     "the token's key is not known"
#define HEADER_WRONG    "the token's header is not well formed"
#define HEADER_NO_JSON  "the token's header is not a JSON object"
#define TYPE_REFUSED    "this is not an access token"
#define CLAIMS_NO_JSON  "the claims are not a JSON object"
#define CLAIMS_WRONG    "the token's claims are not well formed"
#define ISSUER_REFUSED  "the token is of another issuer"
#define AUD_REFUSED     "the token is for another audience"
#define TIME_WRONG      "the token's exp or iat is not a time"
#define NBF_WRONG       "the token's nbf is not a time"
#define EXPIRED         "the token has expired"
#define EARLY           "the token is not valid yet"

#define H(more)  "{\"alg\":\"ES256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"" more "}"
#define C(claims)  "{" claims "}"


/* Every one carries a true signature: what is wrong is what it says. */

static const ngx_azora_test_token_t  test_tokens[] = {

    { "an access token", TEST_HEADER, TEST_CLAIMS, NULL },
    { "the least of claims", TEST_HEADER, C(TEST_BASE "," TEST_TIMES), NULL },
    { "type in full and in capitals",
      "{\"typ\":\"APPLICATION/AT+JWT\",\"kid\":\"KID\",\"alg\":\"ES256\"}",
      TEST_CLAIMS, NULL },
    { "an audience of several", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":[\"other\",\"azora\"],"
        "\"sub\":\"" TEST_SUB "\",\"jti\":\"one\"," TEST_TIMES), NULL },

    /* RFC 8725 3.1, 3.2: algorithms */
    { "alg none", "{\"alg\":\"none\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg None", "{\"alg\":\"None\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg nOnE", "{\"alg\":\"nOnE\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg es256", "{\"alg\":\"es256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg HS256", "{\"alg\":\"HS256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg RS256", "{\"alg\":\"RS256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg ES384", "{\"alg\":\"ES384\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, ALG_REFUSED },
    { "alg ES256 with a NUL",
      "{\"alg\":\"ES256\\u0000\",\"kid\":\"KID\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, HEADER_NO_JSON },
    { "no alg", "{\"kid\":\"KID\",\"typ\":\"at+jwt\"}", TEST_CLAIMS,
      ALG_REFUSED },
    { "alg that is a list",
      "{\"alg\":[\"ES256\"],\"kid\":\"KID\",\"typ\":\"at+jwt\"}", TEST_CLAIMS,
      ALG_REFUSED },
    { "two algs", "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"KID\","
      "\"typ\":\"at+jwt\"}", TEST_CLAIMS, HEADER_NO_JSON },

    /* keys brought along, RFC 8725 3.10 */
    { "jwk", H(",\"jwk\":{\"kty\":\"EC\"}"), TEST_CLAIMS, HEADER_REFUSED },
    { "jku", H(",\"jku\":\"https://evil.example/k\""), TEST_CLAIMS,
      HEADER_REFUSED },
    { "x5u", H(",\"x5u\":\"https://evil.example/c\""), TEST_CLAIMS,
      HEADER_REFUSED },
    { "x5c", H(",\"x5c\":[\"MII\"]"), TEST_CLAIMS, HEADER_REFUSED },
    { "crit", H(",\"crit\":[\"exp\"]"), TEST_CLAIMS, HEADER_REFUSED },
    { "b64", H(",\"b64\":false"), TEST_CLAIMS, HEADER_REFUSED },
    { "zip", H(",\"zip\":\"DEF\""), TEST_CLAIMS, HEADER_REFUSED },
    { "cty", H(",\"cty\":\"JWT\""), TEST_CLAIMS, HEADER_REFUSED },

    /* kid is compared and nothing else */
    { "no kid", "{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", TEST_CLAIMS,
      HEADER_WRONG },
    { "kid that is a number",
      "{\"alg\":\"ES256\",\"kid\":1,\"typ\":\"at+jwt\"}", TEST_CLAIMS,
      HEADER_WRONG },
    { "an unknown kid", "{\"alg\":\"ES256\",\"kid\":\"other\",\"typ\":"
      "\"at+jwt\"}", TEST_CLAIMS, KEY_REFUSED },
    { "kid with a path", "{\"alg\":\"ES256\",\"kid\":\"../../dev/null\","
      "\"typ\":\"at+jwt\"}", TEST_CLAIMS, KEY_REFUSED },
    { "kid with SQL", "{\"alg\":\"ES256\",\"kid\":\"' OR 1=1 --\",\"typ\":"
      "\"at+jwt\"}", TEST_CLAIMS, KEY_REFUSED },
    { "kid that goes on", "{\"alg\":\"ES256\",\"kid\":\"KIDx\",\"typ\":"
      "\"at+jwt\"}", TEST_CLAIMS, KEY_REFUSED },
    { "an empty kid", "{\"alg\":\"ES256\",\"kid\":\"\",\"typ\":\"at+jwt\"}",
      TEST_CLAIMS, KEY_REFUSED },

    /* type, RFC 9068 4 */
    { "no typ", "{\"alg\":\"ES256\",\"kid\":\"KID\"}", TEST_CLAIMS,
      TYPE_REFUSED },
    { "typ JWT", "{\"alg\":\"ES256\",\"kid\":\"KID\",\"typ\":\"JWT\"}",
      TEST_CLAIMS, TYPE_REFUSED },
    { "typ that is a number", "{\"alg\":\"ES256\",\"kid\":\"KID\",\"typ\":1}",
      TEST_CLAIMS, HEADER_WRONG },

    /* JSON */
    { "a header that is a list", "[]", TEST_CLAIMS, HEADER_NO_JSON },
    { "a header that goes on", TEST_HEADER "x", TEST_CLAIMS, HEADER_NO_JSON },
    { "claims that are a list", TEST_HEADER, "[]", CLAIMS_NO_JSON },
    { "claims that go on", TEST_HEADER, TEST_CLAIMS "{}", CLAIMS_NO_JSON },
    { "claims that are not JSON", TEST_HEADER, "hello", CLAIMS_NO_JSON },
    { "two subjects", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"sub\":\"" TEST_SID "\""),
      CLAIMS_NO_JSON },
    { "two expirations", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"exp\":9000"), CLAIMS_NO_JSON },

    /* issuer and audience */
    { "another issuer", TEST_HEADER,
      C("\"iss\":\"https://azora.test.evil\",\"aud\":\"azora\",\"sub\":\""
        TEST_SUB "\",\"jti\":\"one\"," TEST_TIMES), ISSUER_REFUSED },
    { "no issuer", TEST_HEADER,
      C("\"aud\":\"azora\",\"sub\":\"" TEST_SUB "\",\"jti\":\"one\","
        TEST_TIMES), ISSUER_REFUSED },
    { "another audience", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":\"azor\",\"sub\":\""
        TEST_SUB "\",\"jti\":\"one\"," TEST_TIMES), AUD_REFUSED },
    { "audiences without ours", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":[\"a\",\"b\"],\"sub\":\""
        TEST_SUB "\",\"jti\":\"one\"," TEST_TIMES), AUD_REFUSED },
    { "an audience with a number", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":[\"azora\",1],\"sub\":\""
        TEST_SUB "\",\"jti\":\"one\"," TEST_TIMES), AUD_REFUSED },

    /* times */
    { "expired", TEST_HEADER, C(TEST_BASE ",\"iat\":1,\"exp\":1499"),
      EXPIRED },
    { "expires this second", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":1500"), EXPIRED },
    { "expires next second", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":1501"), NULL },
    { "issued next second", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1501,\"exp\":2000"), EARLY },
    { "not before next second", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"nbf\":1501"), EARLY },
    { "not before now", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"nbf\":1500"), NULL },
    { "no exp", TEST_HEADER, C(TEST_BASE ",\"iat\":1"), TIME_WRONG },
    { "no iat", TEST_HEADER, C(TEST_BASE ",\"exp\":2000"), TIME_WRONG },
    { "exp that is a float", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":2000.0"), TIME_WRONG },
    { "exp with an exponent", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":2e3"), TIME_WRONG },
    { "exp that is a string", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":\"2000\""), TIME_WRONG },
    { "exp that is null", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":null"), TIME_WRONG },
    { "exp beyond all years", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":253402300800"), TIME_WRONG },
    { "exp beyond 64 bits", TEST_HEADER,
      C(TEST_BASE ",\"iat\":1,\"exp\":99999999999999999999"),
      CLAIMS_NO_JSON },
    { "iat before 1970", TEST_HEADER,
      C(TEST_BASE ",\"iat\":-1,\"exp\":2000"), TIME_WRONG },
    { "nbf that is a string", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"nbf\":\"1\""), NBF_WRONG },
    { "nbf that is a float", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"nbf\":1.0"), NBF_WRONG },

    /* who and what */
    { "no subject", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":\"azora\",\"jti\":\"one\","
        TEST_TIMES), CLAIMS_WRONG },
    { "a subject that is no UUID", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":\"azora\",\"sub\":"
        "\"019a9f00-0000-7000-8000-00000000000'\",\"jti\":\"one\","
        TEST_TIMES), CLAIMS_WRONG },
    { "a subject in capitals", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":\"azora\",\"sub\":"
        "\"019A9F00-0000-7000-8000-000000000001\",\"jti\":\"one\","
        TEST_TIMES), CLAIMS_WRONG },
    { "no jti", TEST_HEADER,
      C("\"iss\":\"https://azora.test\",\"aud\":\"azora\",\"sub\":\""
        TEST_SUB "\"," TEST_TIMES), CLAIMS_WRONG },
    { "a session that is no UUID", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"sid\":\"x\""), CLAIMS_WRONG },
    { "a scope that is a list", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"scope\":[\"a\"]"), CLAIMS_WRONG },
    { "a scope with a quote", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"scope\":\"a\\\"b\""), CLAIMS_WRONG },
    { "a scope with a line feed", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"scope\":\"a\\nb\""), CLAIMS_WRONG },
    { "roles in a string", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"roles\":\"admin\""), CLAIMS_WRONG },
    { "a role with a comma", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"roles\":[\"learner,admin\"]"),
      CLAIMS_WRONG },
    { "a role with a blank", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"roles\":[\"learner admin\"]"),
      CLAIMS_WRONG },
    { "a role with a brace", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"roles\":[\"a}\"]"), CLAIMS_WRONG },
    { "17 roles", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"roles\":[\"a\",\"a\",\"a\",\"a\",\"a\","
        "\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\","
        "\"a\"]"), CLAIMS_WRONG },
    { "a tier that is a number", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"tier\":1"), CLAIMS_WRONG }
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


static void
test_one(ngx_pool_t *pool, const ngx_azora_test_token_t *t)
{
    ngx_int_t                         rc;
    ngx_str_t                         token;
    static ngx_http_azora_auth_jwt_t  jwt;

    token = test_token(pool, t->header, t->claims);
    rc = ngx_http_azora_auth_jwt_verify(&test_ring, &test_expect, &token,
                                        TEST_NOW, &jwt);

    if (t->reason == NULL) {
        if (!ok(rc == NGX_OK, "taken: %s", t->name)) {
            diag("%s", jwt.reason ? jwt.reason : "no reason");
        }

        return;
    }

    if (!ok(rc == NGX_DECLINED && jwt.reason != NULL
            && ngx_strcmp(jwt.reason, t->reason) == 0,
            "refused: %s", t->name))
    {
        diag("rc %ld, reason '%s', expected '%s'", (long) rc,
             jwt.reason ? jwt.reason : "", t->reason);
    }
}


static void
test_principal(ngx_pool_t *pool)
{
    ngx_str_t                         token;
    ngx_azora_principal_t            *who;
    static ngx_http_azora_auth_jwt_t  jwt;

    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);
    is_int(ngx_http_azora_auth_jwt_verify(&test_ring, &test_expect, &token,
                                          TEST_NOW, &jwt),
           NGX_OK, "an access token is taken");

    who = &jwt.principal;
    is_str(&who->subject, TEST_SUB, "its subject");
    is_str(&who->session, TEST_SID, "its session");
    is_str(&who->roles, "learner teacher", "its roles");
    is_str(&who->scope, "wallet:read wallet:write", "its scope");
    is_str(&who->tier, "free", "its tier");
    is_int(who->expires, 2000, "its expiration");
}


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


static void
test_leeway(ngx_pool_t *pool)
{
    ngx_str_t                         token;
    ngx_http_azora_auth_expect_t      expect;
    static ngx_http_azora_auth_jwt_t  jwt;

    expect = test_expect;
    expect.leeway = 30;
    token = test_token(pool, TEST_HEADER, TEST_CLAIMS);

    is_int(ngx_http_azora_auth_jwt_verify(&test_ring, &expect, &token, 2029,
                                          &jwt), NGX_OK, "29 s late");
    is_int(ngx_http_azora_auth_jwt_verify(&test_ring, &expect, &token, 2030,
                                          &jwt), NGX_DECLINED, "30 s late");
    is_int(ngx_http_azora_auth_jwt_verify(&test_ring, &expect, &token, 970,
                                          &jwt), NGX_OK, "30 s early");
    is_int(ngx_http_azora_auth_jwt_verify(&test_ring, &expect, &token, 969,
                                          &jwt), NGX_DECLINED, "31 s early");
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
    ngx_str_t    none = ngx_null_string;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(16384, cf->log);
    test_key = EVP_EC_gen("P-256");

    ngx_http_azora_auth_ring_init(&test_ring);
    ngx_http_azora_auth_ring_add(&test_ring, pool, EVP_PKEY_dup(test_key),
                                 &none, 1, NGX_HTTP_AZORA_AUTH_KEY_ACTIVE);

    for (i = 0; i < sizeof(test_tokens) / sizeof(test_tokens[0]); i++) {
        test_one(pool, &test_tokens[i]);
    }

    test_principal(pool);
    test_damage(pool);
    test_signatures(pool);
    test_sizes(pool);
    test_leeway(pool);
    test_other_key(pool);
    test_ring_rules(pool);
    test_speed(pool);

    ngx_http_azora_auth_ring_free(&test_ring);
    EVP_PKEY_free(test_key);
    ngx_destroy_pool(pool);
}
