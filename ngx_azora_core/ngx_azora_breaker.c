
/*
 * Circuit breakers, one per dependency, shared by the workers of a node.
 *
 * A breaker opens after five failures in a row.  While it is open everybody
 * is answered at once, except one probe at a time; the time between probes
 * doubles from 0.5 s up to 10 s, with jitter so that nodes do not probe in
 * step.  A probe that succeeds closes the breaker.
 *
 * State, failures and time live in one word that is only ever replaced by
 * compare-and-swap, so there is no lock, and a worker that dies leaves nothing
 * half changed.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_BREAKER_THRESHOLD       5
#define NGX_AZORA_BREAKER_FAILURES_MAX    255
#define NGX_AZORA_BREAKER_DOUBLINGS_MAX   4

/* the interval is 3/4..1 of these, that is 500 ms..10 s */
#define NGX_AZORA_BREAKER_INTERVAL_MIN    667
#define NGX_AZORA_BREAKER_INTERVAL_MAX    10000

/* a probe that has reported nothing for so long (ms) counts as lost */
#define NGX_AZORA_BREAKER_PROBE_MAX       5000

#define NGX_AZORA_BREAKER_MS_BITS         48
#define NGX_AZORA_BREAKER_MS_MASK                                             \
    (((uint64_t) 1 << NGX_AZORA_BREAKER_MS_BITS) - 1)


typedef struct {
    ngx_uint_t      state;
    ngx_uint_t      failures;
    uint64_t        until;      /* when a probe may go, ms since boot */
} ngx_azora_breaker_view_t;


static ngx_azora_breaker_t *ngx_azora_breaker_get(ngx_uint_t breaker);
static ngx_uint_t ngx_azora_breaker_threshold(ngx_uint_t breaker);
static ngx_azora_breaker_view_t ngx_azora_breaker_unpack(uint64_t word);
static uint64_t ngx_azora_breaker_pack(ngx_uint_t state, ngx_uint_t failures,
    uint64_t until);
static void ngx_azora_breaker_log(ngx_uint_t breaker, uint64_t before,
    uint64_t after);
static uint64_t ngx_azora_breaker_failed(uint64_t word, ngx_uint_t prober,
    ngx_uint_t threshold);
static uint64_t ngx_azora_breaker_interval(ngx_uint_t more);
static uint64_t ngx_azora_breaker_now(void);


/* whether this worker sent the probe that is under way */
static ngx_uint_t  ngx_azora_breaker_probing[NGX_AZORA_BREAKERS_MAX];


ngx_uint_t
ngx_azora_breaker(ngx_conf_t *cf, const char *name, ngx_uint_t failures)
{
    ngx_azora_main_conf_t     *amcf;
    ngx_azora_breaker_conf_t  *b;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    if (amcf->breakers.nelts
        == NGX_AZORA_BREAKERS_MAX - NGX_AZORA_DEPENDENCY_MAX)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: there are too many circuit breakers");
        return NGX_AZORA_NONE;
    }

    b = ngx_array_push(&amcf->breakers);
    if (b == NULL) {
        return NGX_AZORA_NONE;
    }

    b->name = name;
    b->failures = failures ? failures : NGX_AZORA_BREAKER_THRESHOLD;

    return NGX_AZORA_DEPENDENCY_MAX + amcf->breakers.nelts - 1;
}


const char *
ngx_azora_breaker_name(ngx_uint_t breaker)
{
    ngx_azora_breaker_conf_t  *b;

    static const char *const  own[NGX_AZORA_DEPENDENCY_MAX] = {
        "postgres", "redis"
    };

    if (breaker < NGX_AZORA_DEPENDENCY_MAX) {
        return own[breaker];
    }

    breaker -= NGX_AZORA_DEPENDENCY_MAX;

    if (breaker >= ngx_azora_main_conf->breakers.nelts) {
        return NULL;
    }

    b = ngx_azora_main_conf->breakers.elts;

    return b[breaker].name;
}


/* Before the zone exists: NGX_OK. */

ngx_int_t
ngx_azora_breaker_enter(ngx_uint_t breaker)
{
    uint64_t                   word, probe, now;
    ngx_azora_breaker_t       *b;
    ngx_azora_breaker_view_t   view;

    b = ngx_azora_breaker_get(breaker);
    if (b == NULL) {
        return NGX_OK;
    }

    word = __atomic_load_n(&b->word, __ATOMIC_ACQUIRE);
    view = ngx_azora_breaker_unpack(word);

    if (view.state == NGX_AZORA_BREAKER_CLOSED) {
        return NGX_OK;
    }

    now = ngx_azora_breaker_now();

    if (now < view.until) {
        return NGX_BUSY;
    }

    probe = ngx_azora_breaker_pack(NGX_AZORA_BREAKER_HALF_OPEN, view.failures,
                                   now + NGX_AZORA_BREAKER_PROBE_MAX);

    if (__atomic_compare_exchange_n(&b->word, &word, probe, 0,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    {
        ngx_azora_breaker_probing[breaker] = 1;
        return NGX_OK;
    }

    /* another worker was faster: it closed the breaker or took the probe */

    view = ngx_azora_breaker_unpack(word);

    return (view.state == NGX_AZORA_BREAKER_CLOSED) ? NGX_OK : NGX_BUSY;
}


/* Tells how a use of the dependency ended. */

void
ngx_azora_breaker_report(ngx_uint_t breaker,
    ngx_uint_t success)
{
    uint64_t              word, next;
    ngx_uint_t            prober;
    ngx_azora_breaker_t  *b;

    b = ngx_azora_breaker_get(breaker);
    if (b == NULL) {
        return;
    }

    prober = ngx_azora_breaker_probing[breaker];
    ngx_azora_breaker_probing[breaker] = 0;

    word = __atomic_load_n(&b->word, __ATOMIC_ACQUIRE);

    do {
        next = success ? 0 : ngx_azora_breaker_failed(word, prober,
                                      ngx_azora_breaker_threshold(breaker));

        if (next == word) {
            return;
        }

    } while (!__atomic_compare_exchange_n(&b->word, &word, next, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));

    ngx_azora_breaker_log(breaker, word, next);
}


/* Once a change, by the worker that made it; not each probe in vain. */

static void
ngx_azora_breaker_log(ngx_uint_t breaker, uint64_t before, uint64_t after)
{
    ngx_uint_t  was, is;

    was = ngx_azora_breaker_unpack(before).state;
    is = ngx_azora_breaker_unpack(after).state;

    if (was == NGX_AZORA_BREAKER_CLOSED && is == NGX_AZORA_BREAKER_OPEN) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora: the breaker of \"%s\" opens: it failed %ui "
                      "times in a row", ngx_azora_breaker_name(breaker),
                      ngx_azora_breaker_unpack(after).failures);

    } else if (was != NGX_AZORA_BREAKER_CLOSED
               && is == NGX_AZORA_BREAKER_CLOSED)
    {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "azora: the breaker of \"%s\" closes",
                      ngx_azora_breaker_name(breaker));
    }
}


ngx_uint_t
ngx_azora_breaker_state(ngx_uint_t breaker)
{
    ngx_azora_breaker_t  *b;

    b = ngx_azora_breaker_get(breaker);
    if (b == NULL) {
        return NGX_AZORA_BREAKER_CLOSED;
    }

    return ngx_azora_breaker_unpack(__atomic_load_n(&b->word,
                                                    __ATOMIC_ACQUIRE)).state;
}


ngx_uint_t
ngx_azora_breaker_retry_after(ngx_uint_t breaker)
{
    uint64_t                   now;
    ngx_azora_breaker_t       *b;
    ngx_azora_breaker_view_t   view;

    b = ngx_azora_breaker_get(breaker);
    if (b == NULL) {
        return 1;
    }

    view = ngx_azora_breaker_unpack(__atomic_load_n(&b->word,
                                                    __ATOMIC_ACQUIRE));
    now = ngx_azora_breaker_now();

    if (view.state != NGX_AZORA_BREAKER_OPEN || view.until <= now) {
        return 1;
    }

    return (view.until - now + 999) / 1000;
}


/* A module's breaker has the place that its name has in the zone. */

static ngx_azora_breaker_t *
ngx_azora_breaker_get(ngx_uint_t breaker)
{
    uint16_t          place;
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();

    if (shm == NULL) {
        return NULL;
    }

    if (breaker < NGX_AZORA_DEPENDENCY_MAX) {
        return &shm->breakers[breaker];
    }

    place = ngx_azora_shm_breaker(breaker - NGX_AZORA_DEPENDENCY_MAX);

    return (place < NGX_AZORA_BREAKERS_MAX) ? &shm->breakers[place] : NULL;
}


static ngx_uint_t
ngx_azora_breaker_threshold(ngx_uint_t breaker)
{
    ngx_azora_breaker_conf_t  *b;

    if (breaker < NGX_AZORA_DEPENDENCY_MAX) {
        return NGX_AZORA_BREAKER_THRESHOLD;
    }

    b = ngx_azora_main_conf->breakers.elts;

    return b[breaker - NGX_AZORA_DEPENDENCY_MAX].failures;
}


static ngx_azora_breaker_view_t
ngx_azora_breaker_unpack(uint64_t word)
{
    ngx_azora_breaker_view_t  view;

    view.state = (ngx_uint_t) (word >> 62);
    view.failures = (ngx_uint_t) (word >> NGX_AZORA_BREAKER_MS_BITS)
                    & NGX_AZORA_BREAKER_FAILURES_MAX;
    view.until = word & NGX_AZORA_BREAKER_MS_MASK;

    return view;
}


static uint64_t
ngx_azora_breaker_pack(ngx_uint_t state, ngx_uint_t failures, uint64_t until)
{
    return ((uint64_t) state << 62)
           | ((uint64_t) failures << NGX_AZORA_BREAKER_MS_BITS)
           | (until & NGX_AZORA_BREAKER_MS_MASK);
}


/* The transition on a failure. */

static uint64_t
ngx_azora_breaker_failed(uint64_t word, ngx_uint_t prober,
    ngx_uint_t threshold)
{
    ngx_azora_breaker_view_t  view;

    view = ngx_azora_breaker_unpack(word);

    switch (view.state) {

    case NGX_AZORA_BREAKER_OPEN:
        /* a late report of something that began before it opened */
        return word;

    case NGX_AZORA_BREAKER_HALF_OPEN:
        if (!prober) {
            return word;
        }

        break;

    default:
        if (view.failures + 1 < threshold) {
            return ngx_azora_breaker_pack(NGX_AZORA_BREAKER_CLOSED,
                                          view.failures + 1, 0);
        }
    }

    if (view.failures < NGX_AZORA_BREAKER_FAILURES_MAX) {
        view.failures++;
    }

    return ngx_azora_breaker_pack(NGX_AZORA_BREAKER_OPEN, view.failures,
                                  ngx_azora_breaker_now()
                                  + ngx_azora_breaker_interval(view.failures
                                                               - threshold));
}


static uint64_t
ngx_azora_breaker_interval(ngx_uint_t more)
{
    uint64_t    ms;
    ngx_uint_t  doublings;

    doublings = ngx_min(more, NGX_AZORA_BREAKER_DOUBLINGS_MAX);

    ms = ngx_min((uint64_t) NGX_AZORA_BREAKER_INTERVAL_MIN << doublings,
                 NGX_AZORA_BREAKER_INTERVAL_MAX);

    return ms * 3 / 4 + (uint64_t) ngx_random() % (ms / 4 + 1);
}


/*
 * NGINX's millisecond clock is CLOCK_MONOTONIC, the same in all workers; each
 * of them may see it as late as its event loop turns.
 */

static uint64_t
ngx_azora_breaker_now(void)
{
    return (uint64_t) ngx_current_msec & NGX_AZORA_BREAKER_MS_MASK;
}
