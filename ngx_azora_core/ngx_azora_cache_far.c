
/*
 * The cache between nodes: answers in Redis, where a node looks that has none
 * and before it asks PostgreSQL.
 *
 * The key names the row, its parameters and the generation, so that nobody
 * finds what an event has purged; the time to live is Redis's own, so that
 * nodes need not agree about the time.  Redis away or slow: the node asks
 * PostgreSQL, as without it.
 */


#include "ngx_azora_cache.h"
#include "ngx_azora_redis.h"


#define NGX_AZORA_CACHE_FAR_PREFIX    "azora:cache:1:"
#define NGX_AZORA_CACHE_FAR_FAILURES  5


struct ngx_azora_cache_far_s {
    ngx_azora_cache_far_pt      handler;      /* NULL: it has been called */
    void                       *data;
    ngx_event_t                 deadline;
    ngx_msec_t                  fresh;        /* when it was stored */
    ngx_msec_int_t              ttl;          /* by the first reply */
    ngx_uint_t                  replies;      /* still to come */
};


typedef enum {
    NGX_AZORA_CACHE_FAR_HIT = 0,
    NGX_AZORA_CACHE_FAR_MISS,
    NGX_AZORA_CACHE_FAR_LATE,
    NGX_AZORA_CACHE_FAR_FAILED,
    NGX_AZORA_CACHE_FAR_STORED,
    NGX_AZORA_CACHE_FAR_EVENTS
} ngx_azora_cache_far_event_e;


static ngx_int_t ngx_azora_cache_far_key(const ngx_azora_cache_key_t *key,
    ngx_str_t *name);
static void ngx_azora_cache_far_ttl(ngx_azora_redis_reply_t *reply,
    void *data);
static void ngx_azora_cache_far_value(ngx_azora_redis_reply_t *reply,
    void *data);
static ngx_int_t ngx_azora_cache_far_parse(
    const ngx_azora_cache_far_t *far, const redisReply *reply,
    ngx_azora_cache_copy_t *copy);
static void ngx_azora_cache_far_late(ngx_event_t *ev);
static void ngx_azora_cache_far_done(ngx_azora_cache_far_t *far,
    ngx_azora_cache_far_event_e event, const ngx_azora_cache_copy_t *copy);
static void ngx_azora_cache_far_reply(ngx_azora_cache_far_t *far);
static void ngx_azora_cache_far_stored(ngx_azora_redis_reply_t *reply,
    void *data);


static const char *const  ngx_azora_cache_far_labels[] = {
    "outcome=\"hit\"", "outcome=\"miss\"", "outcome=\"late\"",
    "outcome=\"failed\"", "outcome=\"stored\""
};

static ngx_uint_t  ngx_azora_cache_far_events[NGX_AZORA_CACHE_FAR_EVENTS];
static ngx_uint_t  ngx_azora_cache_far_breaker = NGX_AZORA_NONE;


ngx_int_t
ngx_azora_cache_far_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t  i;

    ngx_azora_cache_far_breaker = NGX_AZORA_NONE;

    if (amcf->redis.address.len == 0 || amcf->cache.size == 0
        || amcf->cache.redis == 0)
    {
        return NGX_OK;
    }

    for (i = 0; i < NGX_AZORA_CACHE_FAR_EVENTS; i++) {

        ngx_azora_cache_far_events[i] =
            ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                             "azora_cache_redis_total",
                             ngx_azora_cache_far_labels[i],
                             "Answers looked for and stored in Redis.");

        if (ngx_azora_cache_far_events[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    ngx_azora_cache_far_breaker = ngx_azora_breaker(cf, "redis-cache",
                                      NGX_AZORA_CACHE_FAR_FAILURES);

    return (ngx_azora_cache_far_breaker == NGX_AZORA_NONE) ? NGX_ERROR
                                                           : NGX_OK;
}


ngx_azora_cache_far_t *
ngx_azora_cache_far_get(const ngx_azora_cache_key_t *key, ngx_msec_t fresh,
    ngx_azora_cache_far_pt handler, void *data)
{
    ngx_str_t               args[2];
    ngx_azora_cache_far_t  *far;

    if (ngx_azora_cache_far_breaker == NGX_AZORA_NONE
        || !ngx_azora_redis_usable()
        || ngx_azora_cache_far_key(key, &args[1]) != NGX_OK
        || ngx_azora_breaker_enter(ngx_azora_cache_far_breaker) != NGX_OK)
    {
        return NULL;
    }

    far = ngx_alloc(sizeof(ngx_azora_cache_far_t), ngx_cycle->log);

    if (far == NULL) {
        ngx_azora_breaker_report(ngx_azora_cache_far_breaker, 0);
        return NULL;
    }

    ngx_memzero(far, sizeof(ngx_azora_cache_far_t));

    far->handler = handler;
    far->data = data;
    far->fresh = fresh;

    /* the time first: what ends between the two is not there any more */

    ngx_str_set(&args[0], "PTTL");

    if (ngx_azora_redis_command(args, 2, ngx_azora_cache_far_ttl, far)
        != NGX_OK)
    {
        ngx_azora_breaker_report(ngx_azora_cache_far_breaker, 0);
        ngx_free(far);
        return NULL;
    }

    far->replies = 1;
    ngx_str_set(&args[0], "GET");

    if (ngx_azora_redis_command(args, 2, ngx_azora_cache_far_value, far)
        == NGX_OK)
    {
        far->replies = 2;
    }

    ngx_azora_event(&far->deadline, ngx_azora_cache_far_late, ngx_cycle->log);
    ngx_add_timer(&far->deadline, ngx_azora_main_conf->cache.redis);

    return far;
}


/* In a buffer that the next call uses again; NGX_DECLINED: too long. */

static ngx_int_t
ngx_azora_cache_far_key(const ngx_azora_cache_key_t *key, ngx_str_t *name)
{
    u_char  *p;

    static u_char  buffer[512];

    if (key->label.len > 256) {
        return NGX_DECLINED;
    }

    p = ngx_sprintf(buffer, NGX_AZORA_CACHE_FAR_PREFIX "%uL:%V:",
                    key->generation, &key->label);
    p = ngx_cpymem(p, key->fingerprint, NGX_AZORA_CACHE_FINGERPRINT);

    name->data = buffer;
    name->len = p - buffer;

    return NGX_OK;
}


static void
ngx_azora_cache_far_ttl(ngx_azora_redis_reply_t *reply, void *data)
{
    ngx_azora_cache_far_t *far = data;

    if (reply == NULL) {
        ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_FAILED, NULL);

    } else if (reply->type == REDIS_REPLY_INTEGER && reply->integer > 0) {
        far->ttl = (ngx_msec_int_t) ngx_min((ngx_msec_t) reply->integer,
                                            far->fresh);
    }

    ngx_azora_cache_far_reply(far);
}


static void
ngx_azora_cache_far_value(ngx_azora_redis_reply_t *reply, void *data)
{
    ngx_azora_cache_far_t *far = data;

    ngx_azora_cache_copy_t  copy;

    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_FAILED, NULL);

    } else if (ngx_azora_cache_far_parse(far, reply, &copy) == NGX_OK) {
        ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_HIT, &copy);

    } else {
        ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_MISS, NULL);
    }

    ngx_azora_cache_far_reply(far);
}


/* The tag, a line feed and the body. */

static ngx_int_t
ngx_azora_cache_far_parse(const ngx_azora_cache_far_t *far,
    const redisReply *reply, ngx_azora_cache_copy_t *copy)
{
    u_char  *p, *body, *last;

    if (reply->type != REDIS_REPLY_STRING || far->ttl <= 0) {
        return NGX_DECLINED;
    }

    p = (u_char *) reply->str;
    last = p + reply->len;
    body = ngx_strlchr(p, last, LF);

    if (body == NULL || body - p > NGX_AZORA_CACHE_ETAG_MAX
        || last - body < 2 || last - body > NGX_AZORA_CACHE_BODY_MAX
        || (body[1] != '{' && body[1] != '['))
    {
        return NGX_DECLINED;
    }

    ngx_memzero(copy, sizeof(ngx_azora_cache_copy_t));

    copy->etag.data = p;
    copy->etag.len = body - p;

    copy->body.data = body + 1;
    copy->body.len = last - body - 1;

    copy->age = far->fresh - (ngx_msec_t) far->ttl;
    copy->ttl = far->ttl;
    copy->far = 1;

    for ( /* void */ ; p < body; p++) {
        if (*p < 0x21 || *p > 0x7e) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


static void
ngx_azora_cache_far_late(ngx_event_t *ev)
{
    ngx_azora_cache_far_t  *far;

    far = (ngx_azora_cache_far_t *)
              ((u_char *) ev - offsetof(ngx_azora_cache_far_t, deadline));

    ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_LATE, NULL);
}


/* Once for each question; far lives until its last reply came. */

static void
ngx_azora_cache_far_done(ngx_azora_cache_far_t *far,
    ngx_azora_cache_far_event_e event, const ngx_azora_cache_copy_t *copy)
{
    ngx_azora_cache_far_pt  handler;

    handler = far->handler;

    if (handler == NULL) {
        return;
    }

    far->handler = NULL;

    if (far->deadline.timer_set) {
        ngx_del_timer(&far->deadline);
    }

    ngx_azora_metric_add(ngx_azora_cache_far_events[event], 1);
    ngx_azora_breaker_report(ngx_azora_cache_far_breaker,
                             event == NGX_AZORA_CACHE_FAR_HIT
                             || event == NGX_AZORA_CACHE_FAR_MISS);

    handler(copy, far->data);
}


static void
ngx_azora_cache_far_reply(ngx_azora_cache_far_t *far)
{
    if (--far->replies) {
        return;
    }

    /* the second question could not be sent */
    ngx_azora_cache_far_done(far, NGX_AZORA_CACHE_FAR_FAILED, NULL);

    ngx_free(far);
}


void
ngx_azora_cache_far_put(const ngx_azora_cache_key_t *key,
    const ngx_str_t *body, const ngx_str_t *etag, ngx_msec_t fresh)
{
    u_char     *p;
    ngx_str_t   args[5];
    u_char      ttl[NGX_INT64_LEN];

    if (ngx_azora_cache_far_breaker == NGX_AZORA_NONE
        || ngx_azora_breaker_state(ngx_azora_cache_far_breaker) != 0
        || !ngx_azora_redis_usable()
        || ngx_azora_cache_far_key(key, &args[1]) != NGX_OK)
    {
        return;
    }

    p = ngx_alloc(etag->len + 1 + body->len, ngx_cycle->log);
    if (p == NULL) {
        return;
    }

    ngx_str_set(&args[0], "SET");

    args[2].data = p;

    if (etag->len) {
        p = ngx_cpymem(p, etag->data, etag->len);
    }

    *p++ = LF;
    p = ngx_cpymem(p, body->data, body->len);
    args[2].len = p - args[2].data;

    ngx_str_set(&args[3], "PX");
    args[4].data = ttl;
    args[4].len = ngx_sprintf(ttl, "%M", fresh) - ttl;

    (void) ngx_azora_redis_command(args, 5, ngx_azora_cache_far_stored, NULL);

    ngx_free(args[2].data);
}


/* READONLY, OOM: nothing is lost but the next node's luck */

static void
ngx_azora_cache_far_stored(ngx_azora_redis_reply_t *reply, void *data)
{
    ngx_uint_t  stored;

    stored = (reply != NULL && reply->type == REDIS_REPLY_STATUS);

    ngx_azora_metric_add(
        ngx_azora_cache_far_events[stored ? NGX_AZORA_CACHE_FAR_STORED
                                          : NGX_AZORA_CACHE_FAR_FAILED], 1);
}
