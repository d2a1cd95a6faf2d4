
/*
 * C2SP Wycheproof's vectors for JWS and JWK, and for the numbers of ES256,
 * through the verifier.  They are not part of the project: the tests skip where
 * ../shared/corpora beside the checkout does not have them.
 *
 * The verifier offers ES256 on P-256 only, and in a ring for the tokens of
 * other issuers RS256 too; what Wycheproof calls valid for another algorithm
 * has to be refused here as well.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"


/* Whether the vector names a key and algorithm that the verifier offers. */

static ngx_uint_t
test_offered(json_t *jwk, ngx_uint_t rsa)
{
    const char  *kty, *crv, *alg;

    kty = json_string_value(json_object_get(jwk, "kty"));
    crv = json_string_value(json_object_get(jwk, "crv"));
    alg = json_string_value(json_object_get(jwk, "alg"));

    if (rsa && kty && alg && ngx_strcmp(kty, "RSA") == 0) {
        return ngx_strcmp(alg, "RS256") == 0;
    }

    return kty && crv && alg && ngx_strcmp(kty, "EC") == 0
           && ngx_strcmp(crv, "P-256") == 0 && ngx_strcmp(alg, "ES256") == 0;
}


/* The group's public key or keys; returns how many are offered. */

static ngx_uint_t
test_keys(ngx_http_azora_auth_ring_t *ring, ngx_pool_t *pool, json_t *group)
{
    size_t       i;
    json_t      *public, *keys, *jwk;
    ngx_uint_t   n;

    public = json_object_get(group, "public");
    keys = json_object_get(public, "keys");

    if (keys == NULL) {
        (void) ngx_http_azora_auth_ring_add_jwk(ring, pool, public,
                                           NGX_HTTP_AZORA_AUTH_KEY_RETIRED);
        return test_offered(public, ring->rsa);
    }

    n = 0;

    json_array_foreach(keys, i, jwk) {
        (void) ngx_http_azora_auth_ring_add_jwk(ring, pool, jwk,
                                           NGX_HTTP_AZORA_AUTH_KEY_RETIRED);
        n += test_offered(jwk, ring->rsa);
    }

    return n;
}


/* What a vector's answer is compared with, and counted. */

static void
test_judge(json_t *test, ngx_uint_t passed, ngx_uint_t offered,
    const char *reason, ngx_uint_t *taken, ngx_uint_t *refused,
    ngx_uint_t *wrong)
{
    ngx_uint_t  expected;

    expected = offered
               && ngx_strcmp(json_string_value(json_object_get(test,
                                                               "result")),
                             "valid")
                  == 0;

    if (passed != expected) {
        diag("tcId %lld (%s): %s",
             (long long) json_integer_value(json_object_get(test, "tcId")),
             json_string_value(json_object_get(test, "comment")),
             passed ? "taken" : reason);
        (*wrong)++;
    }

    if (passed) {
        (*taken)++;

    } else {
        (*refused)++;
    }
}


static void
test_group(ngx_pool_t *pool, json_t *group, ngx_uint_t rsa,
    ngx_uint_t *taken, ngx_uint_t *refused, ngx_uint_t *wrong)
{
    size_t                            i;
    json_t                           *test;
    ngx_str_t                         token;
    ngx_uint_t                        offered, passed;
    ngx_http_azora_auth_ring_t        ring;
    static ngx_http_azora_auth_jwt_t  jwt;

    ngx_memzero(&ring, sizeof(ring));
    ngx_http_azora_auth_ring_init(&ring);
    ring.rsa = rsa;
    offered = test_keys(&ring, pool, group);

    json_array_foreach(json_object_get(group, "tests"), i, test) {

        token.data = (u_char *) json_string_value(json_object_get(test,
                                                                  "jws"));
        token.len = json_string_length(json_object_get(test, "jws"));

        passed = (ngx_http_azora_auth_jws_open(&ring, &token, &jwt)
                  == NGX_OK);

        test_judge(test, passed, offered, jwt.reason, taken, refused, wrong);
    }

    ngx_http_azora_auth_ring_free(&ring);
}


static size_t
test_bytes(json_t *hex, u_char *out, size_t max)
{
    size_t       i, len;
    const char  *text;

    text = json_string_value(hex);
    len = json_string_length(hex) / 2;

    for (i = 0; i < len && i < max; i++) {
        out[i] = (u_char) ngx_hextoi((u_char *) text + 2 * i, 2);
    }

    return len;
}


/* Not each group has its key as a JWK, but all have it as a point. */

static json_t *
test_jwk(json_t *group)
{
    u_char      point[65], text[2][44];
    ngx_str_t   src, dst;
    ngx_uint_t  i;

    (void) test_bytes(json_object_get(json_object_get(group, "publicKey"),
                                      "uncompressed"), point, sizeof(point));

    for (i = 0; i < 2; i++) {
        src.data = point + 1 + 32 * i;
        src.len = 32;
        dst.data = text[i];
        ngx_encode_base64url(&dst, &src);
        text[i][dst.len] = '\0';
    }

    return json_pack("{s:s,s:s,s:s,s:s,s:s}", "kty", "EC", "crv", "P-256",
                     "alg", "ES256", "x", text[0], "y", text[1]);
}


/* Signatures as r and s (IEEE P1363), of any length and of any text. */

static void
test_numbers(ngx_pool_t *pool, json_t *group, ngx_uint_t rsa,
    ngx_uint_t *taken, ngx_uint_t *refused, ngx_uint_t *wrong)
{
    size_t                       i, len;
    u_char                       raw[64], text[256], hash[32];
    json_t                      *test, *jwk;
    ngx_uint_t                   passed, usable;
    ngx_http_azora_auth_ring_t   ring;

    ngx_memzero(&ring, sizeof(ring));
    ngx_http_azora_auth_ring_init(&ring);
    jwk = test_jwk(group);
    usable = (ngx_http_azora_auth_ring_add_jwk(&ring, pool, jwk,
                                           NGX_HTTP_AZORA_AUTH_KEY_RETIRED)
              == NGX_OK);
    ngx_http_azora_auth_ring_precompute(&ring);
    json_decref(jwk);

    json_array_foreach(json_object_get(group, "tests"), i, test) {

        len = test_bytes(json_object_get(test, "msg"), text, sizeof(text));
        (void) ngx_http_azora_auth_digest(&ring, text, len, hash);

        passed = usable
                 && test_bytes(json_object_get(test, "sig"), raw, sizeof(raw))
                    == sizeof(raw)
                 && ngx_http_azora_auth_p256_verify(ring.keys[0].p256, raw,
                                                    hash)
                    == NGX_OK;

        test_judge(test, passed, 1, "refused", taken, refused, wrong);
    }

    ngx_http_azora_auth_ring_free(&ring);
}


static void
test_file(ngx_pool_t *pool, const char *name, ngx_uint_t rsa,
    ngx_uint_t valid)
{
    char         path[1024];
    size_t       i;
    json_t      *root, *group;
    ngx_uint_t   taken, refused, wrong, numbers;

    snprintf(path, sizeof(path), "%.*s../../../shared/corpora/wycheproof/%s",
             (int) (strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, name);

    if (access(path, R_OK) != 0) {
        ok(1, "%s # SKIP not at hand", name);
        return;
    }

    numbers = (strstr(name, "p1363") != NULL);
    root = json_load_file(path, 0, NULL);
    taken = refused = wrong = 0;

    json_array_foreach(json_object_get(root, "testGroups"), i, group) {
        (numbers ? test_numbers : test_group)(pool, group, rsa, &taken,
                                              &refused, &wrong);
    }

    is_int(taken + refused,
           json_integer_value(json_object_get(root, "numberOfTests")),
           "all vectors of the file were tried");
    is_int(wrong, 0, "each is judged as it must be");
    ok(taken >= valid, "%s: %lu taken, %lu refused", name,
       (unsigned long) taken, (unsigned long) refused);

    json_decref(root);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(16384, cf->log);

    test_file(pool, "json_web_signature_test.json", 0, 2);
    test_file(pool, "json_web_signature_test.json", 1, 3);
    test_file(pool, "json_web_key_test.json", 0, 0);
    test_file(pool, "json_web_key_test.json", 1, 0);
    test_file(pool, "ecdsa_secp256r1_sha256_p1363_test.json", 0, 173);

    ngx_destroy_pool(pool);
}
