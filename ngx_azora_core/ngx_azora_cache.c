
/*
 * The response cache: answers to rows with .cache, which depend on nothing
 * but the row's parameters and, where the row names one, a generation.
 *
 * Fresh answers are given from shared memory.  One that is past its time is
 * given for a while longer (RFC 5861, stale-while-revalidate) while one
 * question is on its way; one whose generation moved never is.
 */


#include "ngx_azora_cache.h"


#define NGX_AZORA_CACHE_SIZE        (8 * 1024 * 1024)
#define NGX_AZORA_CACHE_SIZE_MIN    (256 * 1024)
#define NGX_AZORA_CACHE_STALE_MS    30000
#define NGX_AZORA_CACHE_REDIS_MS    100
#define NGX_AZORA_CACHE_REDIS_MAX   1000

/* a ticket outlives the question it was given for */
#define NGX_AZORA_CACHE_LEASE_MORE  2000


static char *ngx_azora_cache_parameter(ngx_azora_cache_conf_t *conf,
    ngx_str_t *value);
static ngx_int_t ngx_azora_cache_metrics(ngx_conf_t *cf);
static ngx_int_t ngx_azora_cache_status(ngx_http_request_t *r,
    ngx_str_t *value);


static const char *const  ngx_azora_cache_labels[] = {
    "outcome=\"hit\"", "outcome=\"stale\"", "outcome=\"shared\"",
    "outcome=\"miss\"", "outcome=\"collapsed\"", "outcome=\"bypass\""
};

static ngx_uint_t  ngx_azora_cache_outcomes[NGX_AZORA_CACHE_OUTCOMES];
static ngx_uint_t  ngx_azora_cache_evicted;
static ngx_uint_t  ngx_azora_cache_purged;


/* azora_cache off | [size=SIZE] [stale=TIME] [redis=TIME]; */

char *
ngx_azora_cache_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (amcf->cache.size != NGX_CONF_UNSET_SIZE
        || amcf->cache.stale != NGX_CONF_UNSET_MSEC
        || amcf->cache.redis != NGX_CONF_UNSET_MSEC)
    {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        amcf->cache.size = 0;
        return NGX_CONF_OK;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_azora_cache_parameter(&amcf->cache, &value[i]);

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"azora_cache\" %s", &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_azora_cache_parameter(ngx_azora_cache_conf_t *conf, ngx_str_t *value)
{
    ngx_str_t   s;
    ssize_t     size;
    ngx_msec_t  stale, redis;

    if (ngx_strncmp(value->data, "size=", 5) == 0) {

        s.data = value->data + 5;
        s.len = value->len - 5;
        size = ngx_parse_size(&s);

        if (size < NGX_AZORA_CACHE_SIZE_MIN) {
            return "is no size of at least 256k";
        }

        conf->size = size;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "stale=", 6) == 0) {

        s.data = value->data + 6;
        s.len = value->len - 6;
        stale = ngx_parse_time(&s, 0);

        if (stale == (ngx_msec_t) NGX_ERROR) {
            return "is no time";
        }

        conf->stale = stale;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "redis=", 6) == 0) {

        s.data = value->data + 6;
        s.len = value->len - 6;
        redis = ngx_parse_time(&s, 0);

        if (redis > NGX_AZORA_CACHE_REDIS_MAX) {
            /* a ticket must not run out meanwhile */
            return "is no time of at most 1s";
        }

        conf->redis = redis;

        return NGX_CONF_OK;
    }

    return "is not known";
}


ngx_int_t
ngx_azora_cache_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_shm_zone_t          *shm;
    ngx_azora_cache_conf_t  *conf;

    static ngx_str_t  name = ngx_string("azora_cache");

    conf = &amcf->cache;

    ngx_conf_init_size_value(conf->size, NGX_AZORA_CACHE_SIZE);
    ngx_conf_init_msec_value(conf->stale, NGX_AZORA_CACHE_STALE_MS);
    ngx_conf_init_msec_value(conf->redis, NGX_AZORA_CACHE_REDIS_MS);

    if (ngx_azora_cache_metrics(cf) != NGX_OK
        || ngx_azora_cache_far_init(cf, amcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->size == 0) {
        return NGX_OK;
    }

    shm = ngx_shared_memory_add(cf, &name, conf->size,
                                &ngx_http_azora_module);
    if (shm == NULL) {
        return NGX_ERROR;
    }

    shm->init = ngx_azora_cache_zone_init;
    shm->data = conf;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_cache_metrics(ngx_conf_t *cf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_CACHE_OUTCOMES; i++) {

        ngx_azora_cache_outcomes[i] =
            ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                             "azora_cache_requests_total",
                             ngx_azora_cache_labels[i],
                             "Requests to rows that are cached.");

        if (ngx_azora_cache_outcomes[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    ngx_azora_cache_evicted =
        ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                         "azora_cache_evictions_total", NULL,
                         "Answers that gave way to others.");

    ngx_azora_cache_purged =
        ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                         "azora_cache_purged_total", NULL,
                         "Answers whose generation moved.");

    return (ngx_azora_cache_evicted == NGX_AZORA_NONE
            || ngx_azora_cache_purged == NGX_AZORA_NONE)
           ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_azora_cache_init_process(ngx_cycle_t *cycle)
{
    ngx_azora_flight_init_process(cycle);

    return ngx_azora_cache_zone_init_process(cycle,
                                             &ngx_azora_main_conf->cache);
}


void
ngx_azora_cache_count(ngx_azora_cache_outcome_e outcome)
{
    ngx_azora_metric_add(ngx_azora_cache_outcomes[outcome], 1);
}


void
ngx_azora_cache_count_news(const ngx_azora_cache_news_t *news)
{
    if (news->evicted) {
        ngx_azora_metric_add(ngx_azora_cache_evicted, news->evicted);
    }

    if (news->purged) {
        ngx_azora_metric_add(ngx_azora_cache_purged, news->purged);
    }
}


ngx_msec_t
ngx_azora_cache_lease(const ngx_azora_row_t *row)
{
    ngx_azora_lane_e  lane;

    lane = ngx_azora_call_lane(row);

    return ngx_azora_main_conf->pg.lanes[lane].timeout
           + NGX_AZORA_CACHE_LEASE_MORE;
}


/* NGX_DECLINED: not for the cache; otherwise what a content handler returns */

ngx_int_t
ngx_azora_cache_handler(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t                rc;
    ngx_str_t                bypass;
    const ngx_azora_row_t   *row;
    ngx_azora_cache_key_t    key;
    ngx_azora_cache_copy_t   copy;
    ngx_azora_cache_news_t   news;

    row = ctx->endpoint->row;

    if (row->cache == 0 || ngx_azora_main_conf->cache.zone == NULL) {
        return NGX_DECLINED;
    }

    if (row->version != NULL && ctx->generation == 0) {
        /* nobody tells us of changes now */
        ngx_str_set(&bypass, "azora; fwd=bypass");
        ngx_azora_cache_count(NGX_AZORA_CACHE_BYPASS);

        return (ngx_azora_cache_status(r, &bypass) == NGX_OK)
               ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_azora_call_fingerprint(ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    key.label = ctx->endpoint->label;
    key.fingerprint = ctx->fingerprint;
    key.generation = ctx->generation;
    key.hash = ngx_crc32_short(key.label.data, key.label.len)
               ^ (uint32_t) ngx_hextoi(key.fingerprint, 8);

    rc = ngx_azora_cache_get(&ngx_azora_main_conf->cache, &key,
                             ngx_azora_cache_lease(row), &copy, &news);

    ngx_azora_cache_count_news(&news);

    if (rc != NGX_OK) {
        return ngx_azora_flight_join(r, ctx, &key, &copy);
    }

    ngx_azora_cache_count((copy.ttl > 0) ? NGX_AZORA_CACHE_HIT
                                         : NGX_AZORA_CACHE_STALE);

    if (copy.ticket != 0) {
        ngx_azora_flight_refresh(r, ctx, &key, copy.ticket);
    }

    return ngx_azora_cache_send(r, ctx, &copy, 0);
}


ngx_int_t
ngx_azora_cache_send(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_copy_t *copy, ngx_uint_t collapsed)
{
    u_char     *p;
    ngx_str_t   age, status;

    ctx->reply.status = NGX_HTTP_OK;

    if (ngx_azora_copy(r->pool, &ctx->reply.body, &copy->body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (copy->etag.len
        && ngx_azora_copy(r->pool, &ctx->reply.etag, &copy->etag) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (collapsed) {

        if (ngx_azora_cache_forwarded(r, copy->known, 1, 0) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_azora_reply_send(r, ctx);
    }

    p = ngx_pnalloc(r->pool, sizeof("azora; hit; ttl=; detail=redis")
                             + 2 * NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* RFC 9111, section 5.1; whole seconds, and no more than it is fresh */

    age.data = p;
    p = ngx_sprintf(p, "%M", copy->age / 1000);
    age.len = p - age.data;

    status.data = p;
    p = ngx_sprintf(p, "azora; hit; ttl=%i%s", copy->ttl / 1000,
                    copy->far ? "; detail=redis" : "");
    status.len = p - status.data;

    if (ngx_azora_add_header(r, "Age", &age) != NGX_OK
        || ngx_azora_cache_status(r, &status) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_reply_send(r, ctx);
}


ngx_int_t
ngx_azora_cache_forwarded(ngx_http_request_t *r, ngx_uint_t known,
    ngx_uint_t collapsed, ngx_uint_t stored)
{
    u_char     *p;
    ngx_str_t   status;

    p = ngx_pnalloc(r->pool, sizeof("azora; fwd=uri-miss; stored; collapsed"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    status.data = p;
    p = ngx_sprintf(p, "azora; fwd=%s%s%s", known ? "stale" : "uri-miss",
                    stored ? "; stored" : "", collapsed ? "; collapsed" : "");
    status.len = p - status.data;

    return ngx_azora_cache_status(r, &status);
}


static ngx_int_t
ngx_azora_cache_status(ngx_http_request_t *r, ngx_str_t *value)
{
    return ngx_azora_add_header(r, "Cache-Status", value);
}
