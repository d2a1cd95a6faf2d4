
/*
 * C2SP Wycheproof's vectors for JWS and JWK through the verifier.  They are
 * not part of the project: the tests skip where ../shared/corpora beside the
 * checkout does not have them.
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


static void
test_group(ngx_pool_t *pool, json_t *group, ngx_uint_t rsa,
    ngx_uint_t *taken, ngx_uint_t *refused, ngx_uint_t *wrong)
{
    size_t                            i;
    json_t                           *test;
    ngx_str_t                         token;
    ngx_uint_t                        offered, expected, passed;
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

        expected = offered
                   && ngx_strcmp(json_string_value(json_object_get(test,
                                                            "result")),
                                 "valid")
                      == 0;

        if (passed != expected) {
            diag("tcId %lld (%s): %s",
                 (long long) json_integer_value(json_object_get(test,
                                                                "tcId")),
                 json_string_value(json_object_get(test, "comment")),
                 passed ? "taken" : jwt.reason);
            (*wrong)++;
        }

        if (passed) {
            (*taken)++;

        } else {
            (*refused)++;
        }
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
    ngx_uint_t   taken, refused, wrong;

    snprintf(path, sizeof(path), "%.*s../../../shared/corpora/wycheproof/%s",
             (int) (strrchr(__FILE__, '/') + 1 - __FILE__), __FILE__, name);

    if (access(path, R_OK) != 0) {
        ok(1, "%s # SKIP not at hand", name);
        return;
    }

    root = json_load_file(path, 0, NULL);
    taken = refused = wrong = 0;

    json_array_foreach(json_object_get(root, "testGroups"), i, group) {
        test_group(pool, group, rsa, &taken, &refused, &wrong);
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

    ngx_destroy_pool(pool);
}
