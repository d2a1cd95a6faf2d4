
/*
 * GCRA (ITU-T I.371, the generic cell rate algorithm) in a set-associative
 * table.
 *
 * A known key is charged by one compare-and-swap of its arrival time.  Only
 * the first request of a key changes keys, and the processes that do so in
 * one set take turns by the set's owner word, because two cells for one key
 * would let twice as much pass.  While a cell changes hands its arrival time
 * is CLAIMED, so a charge for the former key fails and starts over.  A process
 * that dies meanwhile leaves its number in the owner word, which the next one
 * takes over, and perhaps a CLAIMED cell, which counts as free.
 */


#include "ngx_http_azora_limit.h"
#include <sodium.h>
#include <sys/random.h>


#define NGX_HTTP_AZORA_LIMIT_CLAIMED     UINT64_MAX
#define NGX_HTTP_AZORA_LIMIT_NOWHERE     NGX_HTTP_AZORA_LIMIT_WAYS

/*
 * How long to wait for a set.  Changing it takes some 50 ns, so only an owner
 * that lost its processor in between is waited for longer, and every yield
 * gives it a chance to get it back.
 */
#define NGX_HTTP_AZORA_LIMIT_SPINS       256
#define NGX_HTTP_AZORA_LIMIT_WAIT_NS     50000000


static ngx_http_azora_limit_set_t *ngx_http_azora_limit_set(
    ngx_http_azora_limit_table_t *table, uint64_t hash);
static ngx_uint_t ngx_http_azora_limit_find(
    const ngx_http_azora_limit_set_t *set, uint64_t hash);
static ngx_int_t ngx_http_azora_limit_charge_cell(
    ngx_http_azora_limit_set_t *set, ngx_uint_t n, uint64_t hash,
    const ngx_http_azora_limit_rate_t *rate, uint64_t ns, uint64_t now,
    ngx_http_azora_limit_result_t *result);
static void ngx_http_azora_limit_insert(ngx_http_azora_limit_set_t *set,
    ngx_uint_t n, uint64_t hash, uint64_t ns, uint64_t now,
    ngx_http_azora_limit_result_t *result);
static ngx_uint_t ngx_http_azora_limit_victim(
    const ngx_http_azora_limit_set_t *set, uint64_t now);
static ngx_int_t ngx_http_azora_limit_acquire(ngx_http_azora_limit_set_t *set);
static void ngx_http_azora_limit_release(ngx_http_azora_limit_set_t *set);


ngx_int_t
ngx_http_azora_limit_table_init(ngx_http_azora_limit_table_t *table,
    size_t size)
{
    if (size < sizeof(ngx_http_azora_limit_table_t)
               + sizeof(ngx_http_azora_limit_set_t))
    {
        return NGX_ERROR;
    }

    if (getrandom(table->salt, sizeof(table->salt), 0)
        != (ssize_t) sizeof(table->salt))
    {
        return NGX_ERROR;
    }

    size -= sizeof(ngx_http_azora_limit_table_t);

    table->version = NGX_HTTP_AZORA_LIMIT_VERSION;
    table->size = sizeof(ngx_http_azora_limit_table_t);
    table->nsets = ngx_min(size / sizeof(ngx_http_azora_limit_set_t),
                           UINT32_MAX);
    table->magic = NGX_HTTP_AZORA_LIMIT_MAGIC;

    return NGX_OK;
}


/* The hash is keyed, so that nobody can choose addresses that share a set. */

uint64_t
ngx_http_azora_limit_hash(const ngx_http_azora_limit_table_t *table,
    uint64_t domain, const u_char *data, size_t len)
{
    u_char    out[crypto_shorthash_BYTES];
    uint64_t  hash, key[2];

    key[0] = table->salt[0] ^ domain;
    key[1] = table->salt[1];

    crypto_shorthash(out, data, len, (u_char *) key);
    ngx_memcpy(&hash, out, sizeof(uint64_t));

    return hash ? hash : 1;
}


ngx_int_t
ngx_http_azora_limit_charge(ngx_http_azora_limit_table_t *table,
    uint64_t hash, const ngx_http_azora_limit_rate_t *rate, ngx_uint_t cost,
    uint64_t now, ngx_http_azora_limit_result_t *result)
{
    uint64_t                     ns;
    ngx_int_t                    rc;
    ngx_uint_t                   n;
    ngx_http_azora_limit_set_t  *set;

    ns = cost * rate->interval;
    set = ngx_http_azora_limit_set(table, hash);

    result->tat = now;
    result->evicted = 0;

    n = ngx_http_azora_limit_find(set, hash);

    if (n != NGX_HTTP_AZORA_LIMIT_NOWHERE) {
        rc = ngx_http_azora_limit_charge_cell(set, n, hash, rate, ns, now,
                                              result);
        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    if (ngx_http_azora_limit_acquire(set) != NGX_OK) {
        return NGX_DECLINED;
    }

    /* keys stay in their places now */

    n = ngx_http_azora_limit_find(set, hash);
    rc = NGX_AGAIN;

    if (n != NGX_HTTP_AZORA_LIMIT_NOWHERE) {
        rc = ngx_http_azora_limit_charge_cell(set, n, hash, rate, ns, now,
                                              result);
    }

    if (rc == NGX_AGAIN) {
        ngx_http_azora_limit_insert(set, n, hash, ns, now, result);
        rc = NGX_OK;
    }

    ngx_http_azora_limit_release(set);

    return rc;
}


void
ngx_http_azora_limit_refund(ngx_http_azora_limit_table_t *table,
    uint64_t hash, uint64_t ns)
{
    uint64_t                     tat, less;
    ngx_uint_t                   n;
    ngx_http_azora_limit_set_t  *set;

    set = ngx_http_azora_limit_set(table, hash);
    n = ngx_http_azora_limit_find(set, hash);

    if (n == NGX_HTTP_AZORA_LIMIT_NOWHERE) {
        return;
    }

    tat = __atomic_load_n(&set->tats[n], __ATOMIC_ACQUIRE);

    do {
        if (tat == NGX_HTTP_AZORA_LIMIT_CLAIMED
            || __atomic_load_n(&set->keys[n], __ATOMIC_ACQUIRE) != hash)
        {
            return;
        }

        less = (tat > ns) ? tat - ns : 0;

    } while (!__atomic_compare_exchange_n(&set->tats[n], &tat, less, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
}


void
ngx_http_azora_limit_raise(ngx_http_azora_limit_table_t *table,
    uint64_t hash, uint64_t until)
{
    uint64_t                     tat;
    ngx_uint_t                   n;
    ngx_http_azora_limit_set_t  *set;

    set = ngx_http_azora_limit_set(table, hash);
    n = ngx_http_azora_limit_find(set, hash);

    if (n == NGX_HTTP_AZORA_LIMIT_NOWHERE) {
        return;
    }

    tat = __atomic_load_n(&set->tats[n], __ATOMIC_ACQUIRE);

    do {
        if (tat >= until
            || __atomic_load_n(&set->keys[n], __ATOMIC_ACQUIRE) != hash)
        {
            /* also when it is CLAIMED, which is the greatest of all */
            return;
        }

    } while (!__atomic_compare_exchange_n(&set->tats[n], &tat, until, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
}


static ngx_http_azora_limit_set_t *
ngx_http_azora_limit_set(ngx_http_azora_limit_table_t *table, uint64_t hash)
{
    ngx_http_azora_limit_set_t  *sets;

    sets = (ngx_http_azora_limit_set_t *) (table + 1);

    /* the upper half of the hash scaled to the number of sets */

    return &sets[((hash >> 32) * table->nsets) >> 32];
}


static ngx_uint_t
ngx_http_azora_limit_find(const ngx_http_azora_limit_set_t *set,
    uint64_t hash)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_AZORA_LIMIT_WAYS; i++) {
        if (__atomic_load_n(&set->keys[i], __ATOMIC_ACQUIRE) == hash) {
            return i;
        }
    }

    return NGX_HTTP_AZORA_LIMIT_NOWHERE;
}


/* NGX_AGAIN: the cell is changing hands or belongs to another key by now */

static ngx_int_t
ngx_http_azora_limit_charge_cell(ngx_http_azora_limit_set_t *set,
    ngx_uint_t n, uint64_t hash, const ngx_http_azora_limit_rate_t *rate,
    uint64_t ns, uint64_t now, ngx_http_azora_limit_result_t *result)
{
    uint64_t  tat, next;

    tat = __atomic_load_n(&set->tats[n], __ATOMIC_ACQUIRE);

    do {
        /* in this order: a key only changes while its cell is claimed */

        if (tat == NGX_HTTP_AZORA_LIMIT_CLAIMED
            || __atomic_load_n(&set->keys[n], __ATOMIC_ACQUIRE) != hash)
        {
            return NGX_AGAIN;
        }

        next = ngx_max(tat, now) + ns;

        if (next - now > rate->tolerance) {
            result->tat = ngx_max(tat, now);
            return NGX_BUSY;
        }

        /* every failure means that another request was counted */

    } while (!__atomic_compare_exchange_n(&set->tats[n], &tat, next, 0,
                                          __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));

    result->tat = next;

    return NGX_OK;
}


/* Called by the set's owner; n is the key's cell if a dead owner left it. */

static void
ngx_http_azora_limit_insert(ngx_http_azora_limit_set_t *set, ngx_uint_t n,
    uint64_t hash, uint64_t ns, uint64_t now,
    ngx_http_azora_limit_result_t *result)
{
    uint64_t  tat;

    if (n == NGX_HTTP_AZORA_LIMIT_NOWHERE) {

        do {
            n = ngx_http_azora_limit_victim(set, now);
            tat = __atomic_load_n(&set->tats[n], __ATOMIC_ACQUIRE);

            if (tat == NGX_HTTP_AZORA_LIMIT_CLAIMED) {
                break;
            }

            /* fails when the victim was charged just now */

        } while (!__atomic_compare_exchange_n(&set->tats[n], &tat,
                                              NGX_HTTP_AZORA_LIMIT_CLAIMED, 0,
                                              __ATOMIC_ACQ_REL,
                                              __ATOMIC_ACQUIRE));

        if (tat > now && tat != NGX_HTTP_AZORA_LIMIT_CLAIMED) {
            result->evicted = 1;
        }

        __atomic_store_n(&set->keys[n], hash, __ATOMIC_RELEASE);
    }

    result->tat = now + ns;

    __atomic_store_n(&set->tats[n], result->tat, __ATOMIC_RELEASE);
}


/*
 * The cell to give away: one that a dead process left claimed, or the one with
 * the earliest arrival time, which is an empty cell, an expired one, or the
 * live one that loses least.
 */

static ngx_uint_t
ngx_http_azora_limit_victim(const ngx_http_azora_limit_set_t *set,
    uint64_t now)
{
    uint64_t    tat, first;
    ngx_uint_t  i, n;

    n = 0;
    first = NGX_HTTP_AZORA_LIMIT_CLAIMED;

    for (i = 0; i < NGX_HTTP_AZORA_LIMIT_WAYS; i++) {
        tat = __atomic_load_n(&set->tats[i], __ATOMIC_ACQUIRE);

        if (tat == NGX_HTTP_AZORA_LIMIT_CLAIMED) {
            return i;
        }

        if (tat < first) {
            first = tat;
            n = i;
        }
    }

    return n;
}


static ngx_int_t
ngx_http_azora_limit_acquire(ngx_http_azora_limit_set_t *set)
{
    uint64_t    owner, until;
    ngx_uint_t  i;

    until = 0;

    for (i = 0; /* void */ ; i++) {

        owner = 0;

        if (__atomic_compare_exchange_n(&set->owner, &owner,
                                        (uint64_t) ngx_pid, 0,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        {
            return NGX_OK;
        }

        if (i < NGX_HTTP_AZORA_LIMIT_SPINS) {
            ngx_cpu_pause();
            continue;
        }

        if (owner == (uint64_t) ngx_pid
            || (kill((pid_t) owner, 0) == -1 && ngx_errno == ESRCH))
        {
            /* it died, perhaps long ago under a number that is ours now */

            if (__atomic_compare_exchange_n(&set->owner, &owner,
                                            (uint64_t) ngx_pid, 0,
                                            __ATOMIC_ACQUIRE,
                                            __ATOMIC_RELAXED))
            {
                return NGX_OK;
            }
        }

        if (until == 0) {
            until = ngx_azora_now_ns() + NGX_HTTP_AZORA_LIMIT_WAIT_NS;

        } else if (ngx_azora_now_ns() > until) {
            return NGX_DECLINED;
        }

        ngx_sched_yield();
    }
}


static void
ngx_http_azora_limit_release(ngx_http_azora_limit_set_t *set)
{
    __atomic_store_n(&set->owner, 0, __ATOMIC_RELEASE);
}
