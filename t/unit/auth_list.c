
/*
 * The revocations of a process: what is in the list, what is not, and what
 * happens when it is full.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"


#define TEST_NOW  1800000000


static void
test_target(u_char *target, uint64_t n)
{
    ngx_memset(target, 0xa9, 16);
    n = n * 0x9e3779b97f4a7c15ULL + n;
    ngx_memcpy(target + 8, &n, sizeof(n));
}


/* Whether a token of this session or account is refused. */

static ngx_uint_t
test_has(uint64_t session, uint64_t account, uint64_t epoch)
{
    u_char                          target[16], text[2][36];
    u_char                         *p;
    ngx_uint_t                      i, k;
    ngx_http_azora_auth_proof_t  identity;

    ngx_memzero(&identity, sizeof(identity));

    for (i = 0; i < 2; i++) {
        test_target(target, i ? account : session);
        p = text[i];

        for (k = 0; k < 16; k++) {
            if (k == 4 || k == 6 || k == 8 || k == 10) {
                *p++ = '-';
            }

            p = ngx_hex_dump(p, target + k, 1);
        }
    }

    identity.principal.session.data = text[0];
    identity.principal.session.len = session ? 36 : 0;
    identity.principal.subject.data = text[1];
    identity.principal.subject.len = 36;
    identity.epoch = epoch;
    identity.issued = TEST_NOW;

    return ngx_http_azora_auth_list_has(&identity);
}


static ngx_int_t
test_add(ngx_conf_t *cf, uint64_t n, int64_t epoch, time_t at)
{
    u_char  target[16];

    test_target(target, n);

    return ngx_http_azora_auth_list_add(target, epoch, at, TEST_NOW, cf->log);
}


static void
test_rules(ngx_conf_t *cf)
{
    ngx_http_azora_auth_list_reset();

    is_int(test_has(1, 2, 0), 0, "an empty list has nothing");

    is_int(test_add(cf, 1, NGX_HTTP_AZORA_AUTH_ENDED_ALL, TEST_NOW), NGX_OK,
           "a session ends");
    is_int(test_has(1, 2, 99), 1, "its tokens are refused");
    is_int(test_has(3, 2, 0), 0, "those of another session are not");
    is_int(test_has(0, 2, 0), 0, "nor those without one");

    is_int(test_add(cf, 7, 5, TEST_NOW), NGX_OK, "an account's epoch rises");
    is_int(test_has(8, 7, 4), 1, "older tokens are refused");
    is_int(test_has(8, 7, 5), 0, "those of the new epoch are not");
    is_int(test_add(cf, 7, 3, TEST_NOW), NGX_OK, "an older epoch is told");
    is_int(test_has(8, 7, 4), 1, "and takes nothing back");

    ngx_http_azora_auth_list_floor(TEST_NOW - 1);
    is_int(test_has(3, 2, 0), 0, "what was issued after the floor counts");
    ngx_http_azora_auth_list_floor(TEST_NOW);
    is_int(test_has(3, 2, 0), 1, "what was issued until then does not");
}


static void
test_full(ngx_conf_t *cf)
{
    ngx_int_t   rc;
    ngx_uint_t  i, added, missing, extra;

    ngx_http_azora_auth_list_reset();

    for (i = 0; i < 1000; i++) {
        (void) test_add(cf, 1000000 + i, NGX_HTTP_AZORA_AUTH_ENDED_ALL,
                        TEST_NOW - 26 * 3600);
    }

    rc = NGX_OK;

    for (added = 0; added < 100000 && rc == NGX_OK; added++) {
        rc = test_add(cf, 10 + added, NGX_HTTP_AZORA_AUTH_ENDED_ALL,
                      TEST_NOW);
    }

    is_int(rc, NGX_DECLINED, "a full list says so");
    is_int(added - 1, NGX_HTTP_AZORA_AUTH_ENDED_MAX,
           "when it has as many as it may have, old ones not counted");

    missing = extra = 0;

    for (i = 0; i < NGX_HTTP_AZORA_AUTH_ENDED_MAX; i++) {
        missing += !test_has(10 + i, 1, 0);
        extra += test_has(500000 + i, 1, 0);
    }

    is_int(missing, 0, "it has all of them");
    is_int(extra, 0, "and no other");

    ngx_http_azora_auth_list_reset();
    is_int(test_has(10, 1, 0), 0, "and can begin anew");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_rules(cf);
    test_full(cf);
}
