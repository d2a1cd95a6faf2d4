
/*
 * What an access token says: each of these is truly signed, so that only its
 * words can be the reason when it is refused.
 */


#include "auth_token.h"


typedef struct {
    const char  *name;
    const char  *header;
    const char  *claims;
    const char  *reason;      /* NULL: accepted */
} ngx_azora_test_token_t;


#define HEADER_REFUSED  "the token's header has a parameter that is not "      \
                        "accepted"
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

#define H(more)  "{\"alg\":\"ES256\",\"kid\":\"KID\",\"typ\":\"at+jwt\"" more  \
                 "}"
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
    { "an epoch that is a string", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"epoch\":\"9\""), CLAIMS_WRONG },
    { "an epoch that is a float", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"epoch\":9.5"), CLAIMS_WRONG },
    { "an epoch below zero", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"epoch\":-1"), CLAIMS_WRONG },
    { "an epoch that is null", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"epoch\":null"), CLAIMS_WRONG },
    { "an epoch", TEST_HEADER,
      C(TEST_BASE "," TEST_TIMES ",\"epoch\":7"), NULL },
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

    who = &jwt.identity.principal;
    is_str(&who->subject, TEST_SUB, "its subject");
    is_str(&who->session, TEST_SID, "its session");
    is_str(&who->roles, "learner teacher", "its roles");
    is_str(&who->scope, "wallet:read wallet:write", "its scope");
    is_str(&who->tier, "free", "its tier");
    is_int(who->expires, 2000, "its expiration");
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


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    pool = test_begin(cf);

    for (i = 0; i < sizeof(test_tokens) / sizeof(test_tokens[0]); i++) {
        test_one(pool, &test_tokens[i]);
    }

    test_principal(pool);
    test_leeway(pool);

    test_end(pool);
}
