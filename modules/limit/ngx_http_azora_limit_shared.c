
/*
 * Limits that all nodes share: the same algorithm, run by Redis for many keys
 * at once.
 *
 * What a worker wants to know during one turn of its event loop, and while an
 * earlier question is under way, goes as one command; requests of one key are
 * one entry of it.  Redis' clock counts, as the nodes' clocks differ.  The
 * node's own table has been charged before, so whoever this node alone would
 * refuse costs Redis nothing, and when Redis is away the table decides.
 */


#include "ngx_http_azora_limit.h"

#include <hiredis/hiredis.h>
#include <openssl/sha.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_LIMIT_ENTRIES_MAX  256
#define NGX_HTTP_AZORA_LIMIT_BUCKETS      512    /* a power of two, twice it */
#define NGX_HTTP_AZORA_LIMIT_KEY_LEN      20     /* "azl:" and 16 bytes */
#define NGX_HTTP_AZORA_LIMIT_ARGS_MAX                                         \
    (3 + 4 * NGX_HTTP_AZORA_LIMIT_ENTRIES_MAX)


typedef struct {
    u_char                  key[NGX_HTTP_AZORA_LIMIT_KEY_LEN];
    uint64_t                cost;         /* us, of one of them */
    uint64_t                tolerance;    /* us */
    ngx_int_t               n;            /* negative: are taken back */
    ngx_queue_t             verdicts;
} ngx_http_azora_limit_entry_t;


typedef struct {
    ngx_uint_t              n;
    ngx_uint_t              asked;        /* verdicts in it */
    ngx_http_azora_limit_entry_t  entries[NGX_HTTP_AZORA_LIMIT_ENTRIES_MAX];
    uint16_t                buckets[NGX_HTTP_AZORA_LIMIT_BUCKETS];
} ngx_http_azora_limit_batch_t;


static ngx_http_azora_limit_entry_t *ngx_http_azora_limit_shared_entry(
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t back);
static void ngx_http_azora_limit_shared_flush(ngx_event_t *ev);
static ngx_int_t ngx_http_azora_limit_shared_send(
    ngx_http_azora_limit_batch_t *batch);
static void ngx_http_azora_limit_shared_handler(
    ngx_azora_redis_reply_t *reply, void *data);
static void ngx_http_azora_limit_shared_late(ngx_event_t *ev);
static void ngx_http_azora_limit_shared_settle(
    ngx_http_azora_limit_batch_t *batch, const redisReply *reply);
static void ngx_http_azora_limit_shared_tell(
    ngx_http_azora_limit_verdict_t *v, ngx_int_t passed, uint64_t ahead);
static void ngx_http_azora_limit_shared_resume(ngx_event_t *ev);
static void ngx_http_azora_limit_shared_alone(ngx_uint_t alone);


/*
 * KEYS: the keys; ARGV: for each the cost of one request and the tolerance in
 * microseconds, and how many requests (negative: so many are taken back).
 * Answers for each: how many pass, and how many microseconds of work are ahead
 * then.
 */

static const char  ngx_http_azora_limit_script[] =
    "local t = redis.call('TIME') "
    "local now = t[1] * 1000000 + t[2] "
    "local out = {} "
    "for i = 1, #KEYS do "
        "local cost = tonumber(ARGV[3 * i - 2]) "
        "local tolerance = tonumber(ARGV[3 * i - 1]) "
        "local n = tonumber(ARGV[3 * i]) "
        "local tat = tonumber(redis.call('GET', KEYS[i]) or 0) "
        "if tat < now then tat = now end "
        /* a clock that went back must not lock anybody out for longer */
        "if tat > now + tolerance then tat = now + tolerance end "
        "local room = math.floor((now + tolerance - tat) / cost) "
        "if n > room then n = room end "
        "if n ~= 0 then "
            "tat = tat + n * cost "
            "if tat > now then "
                "redis.call('SET', KEYS[i], string.format('%.0f', tat), "
                    "'PX', math.ceil((tat - now) / 1000)) "
            "else "
                "tat = now "
                "redis.call('DEL', KEYS[i]) "
            "end "
        "end "
        "out[2 * i - 1] = n "
        "out[2 * i] = tat - now "
    "end "
    "return out";


/* This worker's: one batch is gathered while the other is under way. */

static ngx_http_azora_limit_batch_t  *ngx_http_azora_limit_gathered;
static ngx_http_azora_limit_batch_t  *ngx_http_azora_limit_sent;
static ngx_uint_t    ngx_http_azora_limit_under_way;
static ngx_uint_t    ngx_http_azora_limit_unknown;    /* EVALSHA failed */
static ngx_uint_t    ngx_http_azora_limit_stalled;    /* no answer in time */
static ngx_uint_t    ngx_http_azora_limit_is_alone;
static ngx_queue_t   ngx_http_azora_limit_ready;
static ngx_event_t   ngx_http_azora_limit_flush_event;
static ngx_event_t   ngx_http_azora_limit_ready_event;
static ngx_event_t   ngx_http_azora_limit_deadline;
static u_char        ngx_http_azora_limit_sha[2 * SHA_DIGEST_LENGTH];
static ngx_uint_t    ngx_http_azora_limit_asked;      /* metrics */
static ngx_uint_t    ngx_http_azora_limit_flushes;
static ngx_msec_t    ngx_http_azora_limit_patience;


void
ngx_http_azora_limit_shared_init(ngx_cycle_t *cycle)
{
    u_char                             hash[SHA_DIGEST_LENGTH];
    ngx_http_azora_limit_main_conf_t  *lmcf;

    lmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_azora_limit_module);

    ngx_http_azora_limit_asked = lmcf->asked;
    ngx_http_azora_limit_flushes = lmcf->flushes;
    ngx_http_azora_limit_patience = lmcf->timeout;

    ngx_queue_init(&ngx_http_azora_limit_ready);

    ngx_azora_event(&ngx_http_azora_limit_flush_event,
                    ngx_http_azora_limit_shared_flush, cycle->log);
    ngx_azora_event(&ngx_http_azora_limit_ready_event,
                    ngx_http_azora_limit_shared_resume, cycle->log);
    ngx_azora_event(&ngx_http_azora_limit_deadline,
                    ngx_http_azora_limit_shared_late, cycle->log);

    SHA1((u_char *) ngx_http_azora_limit_script,
         sizeof(ngx_http_azora_limit_script) - 1, hash);
    ngx_hex_dump(ngx_http_azora_limit_sha, hash, sizeof(hash));
}


/* BLAKE2b; no address or account stands in Redis in the clear. */

void
ngx_http_azora_limit_shared_name(ngx_http_azora_limit_verdict_t *v,
    const ngx_str_t *key)
{
    crypto_generichash_state  state;

    (void) crypto_generichash_init(&state, NULL, 0, sizeof(v->name));
    (void) crypto_generichash_update(&state, v->zone->name.data,
                                     v->zone->name.len + 1);
    (void) crypto_generichash_update(&state, (u_char *) &v->rule->domain,
                                     sizeof(uint64_t));
    (void) crypto_generichash_update(&state, key->data, key->len);
    (void) crypto_generichash_final(&state, v->name, sizeof(v->name));
}


ngx_int_t
ngx_http_azora_limit_shared_ask(ngx_http_azora_limit_verdict_t *v)
{
    ngx_http_azora_limit_entry_t  *entry;

    entry = ngx_http_azora_limit_shared_entry(v, 0);
    if (entry == NULL) {
        return NGX_DECLINED;
    }

    entry->n++;
    v->queued = 1;
    ngx_http_azora_limit_gathered->asked++;
    ngx_queue_insert_tail(&entry->verdicts, &v->queue);

    return NGX_AGAIN;
}


void
ngx_http_azora_limit_shared_refund(ngx_http_azora_limit_verdict_t *v)
{
    ngx_http_azora_limit_entry_t  *entry;

    if (!v->counted) {
        return;
    }

    entry = ngx_http_azora_limit_shared_entry(v, 1);

    if (entry != NULL) {
        entry->n--;
    }
}


/* The entry of the batch that is gathered; NULL: Redis cannot be asked. */

static ngx_http_azora_limit_entry_t *
ngx_http_azora_limit_shared_entry(ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t back)
{
    uint32_t                       b;
    uint64_t                       cost, interval;
    ngx_http_azora_limit_batch_t  *batch;
    ngx_http_azora_limit_entry_t  *e;

    if (!ngx_azora_redis_usable() || ngx_http_azora_limit_stalled) {
        ngx_http_azora_limit_shared_alone(1);
        return NULL;
    }

    batch = ngx_http_azora_limit_gathered;

    if (batch == NULL) {
        batch = ngx_calloc(sizeof(ngx_http_azora_limit_batch_t),
                           ngx_cycle->log);
        if (batch == NULL) {
            return NULL;
        }

        ngx_http_azora_limit_gathered = batch;
    }

    interval = ngx_max(v->rule->rate.interval / 1000, 1);
    cost = v->cost * interval;

    ngx_memcpy(&b, v->name, sizeof(uint32_t));

    /* no more than half of the buckets are ever in use */

    for ( ;; b++) {
        b &= NGX_HTTP_AZORA_LIMIT_BUCKETS - 1;

        if (batch->buckets[b] == 0) {
            break;
        }

        e = &batch->entries[batch->buckets[b] - 1];

        if (e->cost == cost && (e->n < 0) == back
            && ngx_memcmp(e->key + 4, v->name, sizeof(v->name)) == 0)
        {
            return e;
        }
    }

    if (batch->n == NGX_HTTP_AZORA_LIMIT_ENTRIES_MAX) {
        return NULL;
    }

    if (batch->n == 0 && !ngx_http_azora_limit_under_way) {
        ngx_post_event(&ngx_http_azora_limit_flush_event, &ngx_posted_events);
    }

    e = &batch->entries[batch->n++];
    batch->buckets[b] = batch->n;

    ngx_memcpy(e->key, "azl:", 4);
    ngx_memcpy(e->key + 4, v->name, sizeof(v->name));

    e->cost = cost;
    e->tolerance = v->rule->quota * interval;
    e->n = 0;
    ngx_queue_init(&e->verdicts);

    return e;
}


/* At the end of a turn, or when the answer to the batch before is there. */

static void
ngx_http_azora_limit_shared_flush(ngx_event_t *ev)
{
    ngx_http_azora_limit_batch_t  *batch;

    batch = ngx_http_azora_limit_gathered;

    if (batch == NULL || batch->n == 0 || ngx_http_azora_limit_under_way) {
        return;
    }

    if (ngx_http_azora_limit_shared_send(batch) != NGX_OK) {
        ngx_http_azora_limit_shared_settle(batch, NULL);
        return;
    }

    ngx_http_azora_limit_under_way = 1;
    ngx_http_azora_limit_gathered = ngx_http_azora_limit_sent;
    ngx_http_azora_limit_sent = batch;

    ngx_azora_metric_add(ngx_http_azora_limit_flushes, 1);
    ngx_azora_metric_add(ngx_http_azora_limit_asked, batch->asked);

    ngx_add_timer(&ngx_http_azora_limit_deadline,
                  ngx_http_azora_limit_patience);
}


static ngx_int_t
ngx_http_azora_limit_shared_send(ngx_http_azora_limit_batch_t *batch)
{
    u_char                        *p;
    ngx_str_t                     *arg;
    ngx_uint_t                     i, n;
    ngx_http_azora_limit_entry_t  *e;

    static u_char     numbers[NGX_HTTP_AZORA_LIMIT_ENTRIES_MAX * 3
                              * NGX_INT64_LEN + NGX_INT_T_LEN];
    static ngx_str_t  args[NGX_HTTP_AZORA_LIMIT_ARGS_MAX];

    p = numbers;
    n = batch->n;

    if (ngx_http_azora_limit_unknown) {
        ngx_str_set(&args[0], "EVAL");
        args[1].data = (u_char *) ngx_http_azora_limit_script;
        args[1].len = sizeof(ngx_http_azora_limit_script) - 1;

    } else {
        ngx_str_set(&args[0], "EVALSHA");
        args[1].data = ngx_http_azora_limit_sha;
        args[1].len = sizeof(ngx_http_azora_limit_sha);
    }

    args[2].data = p;
    p = ngx_sprintf(p, "%ui", n);
    args[2].len = p - args[2].data;

    for (i = 0; i < n; i++) {
        e = &batch->entries[i];

        args[3 + i].data = e->key;
        args[3 + i].len = NGX_HTTP_AZORA_LIMIT_KEY_LEN;

        arg = &args[3 + n + 3 * i];

        arg[0].data = p;
        p = ngx_sprintf(p, "%uL", e->cost);
        arg[0].len = p - arg[0].data;

        arg[1].data = p;
        p = ngx_sprintf(p, "%uL", e->tolerance);
        arg[1].len = p - arg[1].data;

        arg[2].data = p;
        p = ngx_sprintf(p, "%i", e->n);
        arg[2].len = p - arg[2].data;
    }

    return ngx_azora_redis_command(args, 3 + 4 * n,
                                   ngx_http_azora_limit_shared_handler, batch);
}


static void
ngx_http_azora_limit_shared_handler(ngx_azora_redis_reply_t *answer,
    void *data)
{
    const redisReply              *reply = answer;
    ngx_http_azora_limit_batch_t  *batch = data;

    if (ngx_http_azora_limit_deadline.timer_set) {
        ngx_del_timer(&ngx_http_azora_limit_deadline);
    }

    if (reply && reply->type == REDIS_REPLY_ERROR
        && !ngx_http_azora_limit_unknown
        && ngx_strncmp(reply->str, "NOSCRIPT", 8) == 0
        && batch->n != 0)
    {
        /* a new Redis: it keeps the script from now on */

        ngx_http_azora_limit_unknown = 1;

        if (ngx_http_azora_limit_shared_send(batch) == NGX_OK) {
            ngx_add_timer(&ngx_http_azora_limit_deadline,
                          ngx_http_azora_limit_patience);
            return;
        }
    }

    ngx_http_azora_limit_unknown = 0;
    ngx_http_azora_limit_under_way = 0;
    ngx_http_azora_limit_stalled = 0;

    if (reply && reply->type == REDIS_REPLY_ERROR
        && !ngx_http_azora_limit_is_alone)
    {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "azora_limit: Redis: %s", reply->str);
    }

    ngx_http_azora_limit_shared_settle(batch, reply);
    ngx_http_azora_limit_shared_flush(NULL);
}


/* The requests go on; the answer may still come and is of no use then. */

static void
ngx_http_azora_limit_shared_late(ngx_event_t *ev)
{
    ngx_http_azora_limit_stalled = 1;

    ngx_http_azora_limit_shared_settle(ngx_http_azora_limit_sent, NULL);

    if (ngx_http_azora_limit_gathered != NULL) {
        ngx_http_azora_limit_shared_settle(ngx_http_azora_limit_gathered,
                                           NULL);
    }
}


/* Tells the requests of a batch and empties it; reply NULL: there is none. */

static void
ngx_http_azora_limit_shared_settle(ngx_http_azora_limit_batch_t *batch,
    const redisReply *reply)
{
    uint64_t                         ahead;
    ngx_int_t                        passed;
    ngx_uint_t                       i;
    redisReply                     **element;
    ngx_queue_t                     *q, *next;
    ngx_http_azora_limit_entry_t    *e;
    ngx_http_azora_limit_verdict_t  *v;

    element = NULL;

    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY
        && reply->elements == 2 * batch->n)
    {
        element = reply->element;
    }

    if (batch->n) {
        ngx_http_azora_limit_shared_alone(element == NULL);
    }

    for (i = 0; i < batch->n; i++) {
        e = &batch->entries[i];
        passed = element ? element[2 * i]->integer : -1;
        ahead = element ? (uint64_t) element[2 * i + 1]->integer * 1000 : 0;

        for (q = ngx_queue_head(&e->verdicts);
             q != ngx_queue_sentinel(&e->verdicts);
             q = next)
        {
            next = ngx_queue_next(q);

            v = ngx_queue_data(q, ngx_http_azora_limit_verdict_t, queue);

            ngx_http_azora_limit_shared_tell(v, passed, ahead);

            if (passed > 0) {
                passed--;
            }
        }
    }

    batch->n = 0;
    batch->asked = 0;
    ngx_memzero(batch->buckets, sizeof(batch->buckets));
}


/* passed: 0 refuses, negative: Redis did not say */

static void
ngx_http_azora_limit_shared_tell(ngx_http_azora_limit_verdict_t *v,
    ngx_int_t passed, uint64_t ahead)
{
    ngx_http_azora_limit_ctx_t  *lctx;

    lctx = v->lctx;
    v->queued = 0;

    if (passed < 0) {
        ngx_azora_metric_add(v->zone->alone, 1);

    } else {
        v->counted = (passed > 0);

        if (passed == 0) {
            ngx_http_azora_limit_refund(v->zone->table, v->hash, v->ns);
            v->rc = NGX_BUSY;

        } else {
            v->rc = NGX_OK;
        }

        v->result.tat = lctx->started + ahead;
        ngx_http_azora_limit_raise(v->zone->table, v->hash, v->result.tat);
    }

    if (--lctx->waiting == 0) {
        lctx->ready = 1;
        ngx_queue_insert_tail(&ngx_http_azora_limit_ready, &lctx->queue);
        ngx_post_event(&ngx_http_azora_limit_ready_event, &ngx_posted_events);
    }
}


/* Out of hiredis' calls, because a request may do anything when it goes on. */

static void
ngx_http_azora_limit_shared_resume(ngx_event_t *ev)
{
    ngx_queue_t                 *q;
    ngx_http_azora_limit_ctx_t  *lctx;

    while (!ngx_queue_empty(&ngx_http_azora_limit_ready)) {
        q = ngx_queue_head(&ngx_http_azora_limit_ready);
        ngx_queue_remove(q);

        lctx = ngx_queue_data(q, ngx_http_azora_limit_ctx_t, queue);
        lctx->ready = 0;

        ngx_azora_resume(lctx->request);
    }
}


void
ngx_http_azora_limit_shared_forget(ngx_http_azora_limit_ctx_t *lctx)
{
    ngx_uint_t                       i;
    ngx_http_azora_limit_verdict_t  *v;

    if (lctx->ready) {
        ngx_queue_remove(&lctx->queue);
        lctx->ready = 0;
        return;
    }

    if (lctx->waiting == 0) {
        return;
    }

    for (i = 0; i < lctx->nverdicts; i++) {
        v = &lctx->verdicts[i];

        if (v->queued) {
            ngx_queue_remove(&v->queue);
        }
    }

    lctx->waiting = 0;
}


/* Logs once when the node is on its own, and once when it no longer is. */

static void
ngx_http_azora_limit_shared_alone(ngx_uint_t alone)
{
    if (alone == ngx_http_azora_limit_is_alone) {
        return;
    }

    ngx_http_azora_limit_is_alone = alone;

    if (alone) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora_limit: Redis cannot be asked, each node limits "
                      "on its own");

    } else {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "azora_limit: limits are shared again");
    }
}
