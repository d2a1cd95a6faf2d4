
/*
 * The breakers, on a zone of this test's own: the same source is compiled once
 * more under other names.
 */


#include "ngx_azora_test.h"

#include <sys/mman.h>
#include <sys/wait.h>


static ngx_azora_shm_t  *ngx_azora_test_zone;


static ngx_azora_shm_t *
ngx_azora_test_shm(void)
{
    return ngx_azora_test_zone;
}


#define ngx_azora_shm                  ngx_azora_test_shm
#define ngx_azora_breaker              ngx_azora_test_breaker
#define ngx_azora_breaker_name         ngx_azora_test_name
#define ngx_azora_breaker_enter        ngx_azora_test_enter
#define ngx_azora_breaker_report       ngx_azora_test_report
#define ngx_azora_breaker_state        ngx_azora_test_state
#define ngx_azora_breaker_retry_after  ngx_azora_test_retry_after

ngx_uint_t ngx_azora_test_breaker(ngx_conf_t *cf, const char *name,
    ngx_uint_t failures);
const char *ngx_azora_test_name(ngx_uint_t breaker);
ngx_int_t ngx_azora_test_enter(ngx_uint_t breaker);
void ngx_azora_test_report(ngx_uint_t breaker, ngx_uint_t success);
ngx_uint_t ngx_azora_test_state(ngx_uint_t breaker);
ngx_uint_t ngx_azora_test_retry_after(ngx_uint_t breaker);

#include "../../ngx_azora_core/ngx_azora_breaker.c"


#define PG      NGX_AZORA_DEPENDENCY_POSTGRES
#define REDIS   NGX_AZORA_DEPENDENCY_REDIS
#define CLOSED  NGX_AZORA_BREAKER_CLOSED
#define OPEN    NGX_AZORA_BREAKER_OPEN
#define HALF    NGX_AZORA_BREAKER_HALF_OPEN


static void
fail_times(ngx_uint_t n)
{
    while (n--) {
        (void) ngx_azora_breaker_enter(PG);
        ngx_azora_breaker_report(PG, 0);
    }
}


/* ms until somebody may go, found by moving the clock */

static ngx_uint_t
wait_for_probe(void)
{
    ngx_uint_t  ms;

    for (ms = 0; ms <= 20000; ms++) {
        if (ngx_azora_breaker_enter(PG) == NGX_OK) {
            return ms;
        }

        ngx_current_msec++;
    }

    return ms;
}


static void
test_without_zone(void)
{
    is_int(ngx_azora_breaker_enter(PG), NGX_OK, "no zone: go");
    ngx_azora_breaker_report(PG, 0);
    is_int(ngx_azora_breaker_state(PG), CLOSED, "no zone: closed");
    is_int(ngx_azora_breaker_retry_after(PG), 1, "no zone: one second");
}


static void
test_opening(void)
{
    fail_times(4);
    is_int(ngx_azora_breaker_state(PG), CLOSED, "closed after 4 failures");

    ngx_azora_breaker_report(PG, 1);
    fail_times(4);
    is_int(ngx_azora_breaker_state(PG), CLOSED,
           "a success begins the count again");

    fail_times(1);
    is_int(ngx_azora_breaker_state(PG), OPEN, "open after 5 in a row");
    is_int(ngx_azora_breaker_enter(PG), NGX_BUSY, "open: nobody goes");
    is_int(ngx_azora_breaker_retry_after(PG), 1, "0.5 s rounded up");
    is_int(ngx_azora_breaker_state(REDIS), CLOSED, "the other stays closed");
    is_int(ngx_azora_breaker_enter(REDIS), NGX_OK, "and may be used");
}


static void
test_probing(void)
{
    ngx_uint_t  i, ms, early, late;

    ms = wait_for_probe();
    ok(ms >= 500 && ms <= 667, "first probe after 0.5 s (%lu ms)",
       (unsigned long) ms);
    is_int(ngx_azora_breaker_state(PG), HALF, "half-open while it probes");
    is_int(ngx_azora_breaker_enter(PG), NGX_BUSY, "only one probe");

    ngx_azora_breaker_report(PG, 0);
    is_int(ngx_azora_breaker_state(PG), OPEN, "failed: open again");

    ngx_azora_breaker_report(PG, 0);
    ms = wait_for_probe();
    ok(ms >= 1000 && ms <= 1334, "then twice as long, whatever comes late "
       "(%lu ms)", (unsigned long) ms);

    early = 10000;
    late = 0;

    for (i = 0; i < 300; i++) {
        ngx_azora_breaker_report(PG, 0);
        ms = wait_for_probe();

        if (i > 3) {
            early = ngx_min(early, ms);
            late = ngx_max(late, ms);
        }
    }

    ok(early >= 7500 && late <= 10000 && late - early > 500,
       "never more than 10 s, and spread (%lu..%lu ms)",
       (unsigned long) early, (unsigned long) late);

    ngx_azora_breaker_report(PG, 1);
    is_int(ngx_azora_breaker_state(PG), CLOSED, "a probe that succeeds closes");
    is_int(ngx_azora_breaker_enter(PG), NGX_OK, "everybody goes");

    fail_times(5);
    ms = wait_for_probe();
    ok(ms >= 500 && ms <= 667, "the next time begins at 0.5 s (%lu ms)",
       (unsigned long) ms);
}


static void
test_lost_probe(void)
{
    ngx_uint_t  ms;

    ms = wait_for_probe();
    is_int(ms, 5000, "a probe that never reports is replaced after 5 s");

    ngx_azora_breaker_report(PG, 1);
    is_int(ngx_azora_breaker_state(PG), CLOSED, "and the new one closes it");
}


static void
test_clock_wraps(void)
{
    ngx_current_msec = (ngx_msec_t) NGX_AZORA_BREAKER_MS_MASK - 2;
    fail_times(5);

    is_int(ngx_azora_breaker_state(PG), OPEN, "opens at the clock's end");
    ok(wait_for_probe() <= 667, "and probes soon");
    ngx_azora_breaker_report(PG, 1);
}


/* Eight processes ask at once: how many of each round get the probe? */

static void
test_one_probe(void)
{
    pid_t         pid[8];
    ngx_uint_t    i, n, round;
    ngx_uint_t    wrong;
    volatile int *shared;

    shared = mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                  -1, 0);

    if (shared == MAP_FAILED) {
        ok(0, "shared memory");
        return;
    }

    wrong = 0;

    for (round = 0; round < 100; round++) {
        shared[0] = 0;
        shared[1] = 0;

        ngx_azora_test_zone->breakers[PG].word = 0;
        ngx_current_msec = 1000;
        fail_times(5);
        ngx_current_msec = 2000;

        for (i = 0; i < 8; i++) {
            pid[i] = fork();

            if (pid[i] == 0) {
                while (!shared[0]) { /* void */ }

                for (n = 0; n < 50; n++) {
                    if (ngx_azora_breaker_enter(PG) == NGX_OK) {
                        (void) __sync_fetch_and_add(&shared[1], 1);
                    }
                }

                _exit(0);
            }
        }

        shared[0] = 1;

        for (i = 0; i < 8; i++) {
            (void) waitpid(pid[i], NULL, 0);
        }

        wrong += (shared[1] != 1);
    }

    is_int(wrong, 0, "of 8 processes exactly one gets each of 100 probes");

    /* this process sent none of them */

    ngx_azora_breaker_report(PG, 0);
    is_int(ngx_azora_breaker_state(PG), HALF,
           "a late failure elsewhere does not end a probe");
    ngx_azora_breaker_report(PG, 1);
    is_int(ngx_azora_breaker_state(PG), CLOSED, "but a success anywhere does");

    (void) munmap((void *) shared, 4096);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_msec_t  msec;

    msec = ngx_current_msec;

    test_without_zone();

    ngx_azora_test_zone = mmap(NULL, sizeof(ngx_azora_shm_t),
                               PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS,
                               -1, 0);

    if (ngx_azora_test_zone == MAP_FAILED) {
        ok(0, "shared memory");
        return;
    }

    test_opening();
    test_probing();
    test_lost_probe();
    test_clock_wraps();
    test_one_probe();

    ngx_current_msec = msec;

    (void) munmap(ngx_azora_test_zone, sizeof(ngx_azora_shm_t));
}
