
/*
 * The limit's two stages: before the token is looked at, for keys that do not
 * depend on it, and after, for the subject.
 */


#include "ngx_http_azora_limit.h"


#define NGX_HTTP_AZORA_LIMIT_NS         1000000000ULL


/* One for each request that was limited; survives internal redirects. */

typedef struct {
    ngx_uint_t                     done;        /* stages passed, bits */
    ngx_table_elt_t               *policy;      /* our headers so far */
    ngx_table_elt_t               *limit;
} ngx_http_azora_limit_ctx_t;


/* What one rule said of the request. */

typedef struct {
    ngx_http_azora_limit_rule_t   *rule;
    ngx_http_azora_limit_zone_t   *zone;
    uint64_t                       hash;
    uint64_t                       ns;          /* charged */
    ngx_http_azora_limit_result_t  result;
    ngx_int_t                      rc;
} ngx_http_azora_limit_verdict_t;


static ngx_int_t ngx_http_azora_limit_run(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_azora_stage_e stage);
static ngx_int_t ngx_http_azora_limit_judge_all(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_verdict_t *v, ngx_uint_t *n,
    ngx_uint_t *refused);
static void ngx_http_azora_limit_dry_run(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n);
static ngx_http_azora_limit_ctx_t *ngx_http_azora_limit_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_azora_limit_cleanup(void *data);
static ngx_uint_t ngx_http_azora_limit_exempt(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf);
static ngx_uint_t ngx_http_azora_limit_applies(
    ngx_http_azora_limit_conf_t *conf, ngx_http_azora_limit_rule_t *rule,
    ngx_azora_ctx_t *ctx, ngx_azora_stage_e stage);
static ngx_int_t ngx_http_azora_limit_key(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_rule_t *rule, ngx_str_t *key);
static void ngx_http_azora_limit_address(ngx_http_request_t *r,
    ngx_str_t *key);
static void ngx_http_azora_limit_judge(ngx_http_azora_limit_verdict_t *v,
    ngx_str_t *key, ngx_uint_t cost, uint64_t now);
static ngx_int_t ngx_http_azora_limit_refuse(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_conf_t *conf,
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t n);
static ngx_uint_t ngx_http_azora_limit_wait(ngx_http_azora_limit_verdict_t *v,
    uint64_t now);
static ngx_int_t ngx_http_azora_limit_headers(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_ctx_t *lctx,
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t n);
static ngx_int_t ngx_http_azora_limit_header(ngx_http_request_t *r,
    ngx_table_elt_t **h, const char *name, ngx_str_t *value);


ngx_int_t
ngx_http_azora_limit_address_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    return ngx_http_azora_limit_run(r, ctx, NGX_AZORA_STAGE_LIMIT_ADDRESS);
}


ngx_int_t
ngx_http_azora_limit_principal_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    return ngx_http_azora_limit_run(r, ctx, NGX_AZORA_STAGE_LIMIT_PRINCIPAL);
}


static ngx_int_t
ngx_http_azora_limit_run(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_stage_e stage)
{
    ngx_int_t                       rc;
    ngx_uint_t                      i, n, refused;
    ngx_http_azora_limit_ctx_t     *lctx;
    ngx_http_azora_limit_conf_t    *conf;
    ngx_http_azora_limit_rule_t    *rule;
    ngx_http_azora_limit_verdict_t  v[NGX_HTTP_AZORA_LIMIT_RULES_MAX];

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_limit_module);

    if (conf->rules == NULL) {
        return NGX_DECLINED;
    }

    rule = conf->rules->elts;
    n = 0;

    for (i = 0; i < conf->rules->nelts; i++) {
        if (ngx_http_azora_limit_applies(conf, &rule[i], ctx, stage)) {
            v[n++].rule = &rule[i];
        }
    }

    if (n == 0 || ngx_http_azora_limit_exempt(r, conf)) {
        return NGX_DECLINED;
    }

    lctx = ngx_http_azora_limit_get_ctx(r);
    if (lctx == NULL) {
        return NGX_ERROR;
    }

    if (lctx->done & (1 << stage)) {
        /* counted before an internal redirect */
        return NGX_DECLINED;
    }

    lctx->done |= 1 << stage;

    if (ngx_http_azora_limit_judge_all(r, ctx, v, &n, &refused) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = refused ? ngx_http_azora_limit_refuse(r, ctx, conf, v, n)
                 : NGX_DECLINED;

    ngx_http_azora_limit_dry_run(r, conf, v, n);

    if (ngx_http_azora_limit_headers(r, ctx, lctx, v, n) != NGX_OK) {
        return NGX_ERROR;
    }

    return rc;
}


/*
 * Charges every rule that has a key for this request; n becomes their number
 * and refused whether the request must not pass.
 */

static ngx_int_t
ngx_http_azora_limit_judge_all(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t *n, ngx_uint_t *refused)
{
    ngx_int_t    rc;
    ngx_str_t    key;
    ngx_uint_t   i, k, cost;

    cost = ctx->endpoint ? ctx->endpoint->row->cost : 1;
    cost = cost ? cost : 1;

    *refused = 0;
    k = 0;

    for (i = 0; i < *n; i++) {
        v[k].rule = v[i].rule;

        rc = ngx_http_azora_limit_key(r, ctx, v[k].rule, &key);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        /* when the request began: a clock would cost as much as the charge */

        ngx_http_azora_limit_judge(&v[k], &key, cost, ctx->started_ns);

        if (v[k].rc == NGX_BUSY && !v[k].rule->dry_run) {
            *refused = 1;
        }

        k++;
    }

    *n = k;

    return NGX_OK;
}


static void
ngx_http_azora_limit_dry_run(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n; i++) {
        if (v[i].rc == NGX_BUSY && v[i].rule->dry_run) {
            ngx_azora_metric_add(v[i].zone->dry_run, 1);
            ngx_log_error(conf->log_level, r->connection->log, 0,
                          "azora_limit would refuse, zone \"%V\", dry run",
                          &v[i].zone->name);
        }
    }
}


static ngx_http_azora_limit_ctx_t *
ngx_http_azora_limit_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    ngx_http_azora_limit_ctx_t  *lctx;

    lctx = ngx_http_get_module_ctx(r, ngx_http_azora_limit_module);
    if (lctx != NULL) {
        return lctx;
    }

    if (r->internal || r->filter_finalize) {

        /* NGINX forgets contexts at an internal redirect, we must not */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler != ngx_http_azora_limit_cleanup) {
                continue;
            }

            lctx = cln->data;

            /* the place of our headers may belong to others by now */

            lctx->policy = NULL;
            lctx->limit = NULL;

            ngx_http_set_ctx(r, lctx, ngx_http_azora_limit_module);

            return lctx;
        }
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_azora_limit_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_azora_limit_cleanup;

    lctx = cln->data;
    ngx_memzero(lctx, sizeof(ngx_http_azora_limit_ctx_t));

    ngx_http_set_ctx(r, lctx, ngx_http_azora_limit_module);

    return lctx;
}


/* Only marks the context, so that it can be found again. */

static void
ngx_http_azora_limit_cleanup(void *data)
{
    ngx_http_azora_limit_ctx_t  *lctx = data;

    lctx->policy = NULL;
    lctx->limit = NULL;
}


static ngx_uint_t
ngx_http_azora_limit_exempt(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf)
{
    if (conf->exempt == NULL) {
        return 0;
    }

    return ngx_cidr_match(r->connection->sockaddr, conf->exempt) == NGX_OK;
}


/*
 * A rule with a tier is for the subjects of that tier, and one without for
 * those whose tier no rule of the same zone names.
 */

static ngx_uint_t
ngx_http_azora_limit_applies(ngx_http_azora_limit_conf_t *conf,
    ngx_http_azora_limit_rule_t *rule, ngx_azora_ctx_t *ctx,
    ngx_azora_stage_e stage)
{
    ngx_str_t                    *tier;
    ngx_uint_t                    i;
    ngx_http_azora_limit_rule_t  *other;

    if (rule->key != NGX_HTTP_AZORA_LIMIT_SUBJECT) {
        return stage == NGX_AZORA_STAGE_LIMIT_ADDRESS;
    }

    if (stage != NGX_AZORA_STAGE_LIMIT_PRINCIPAL
        || ctx->principal.subject.len == 0)
    {
        return 0;
    }

    tier = &ctx->principal.tier;

    if (rule->tier.len) {
        return rule->tier.len == tier->len
               && ngx_memcmp(rule->tier.data, tier->data, tier->len) == 0;
    }

    other = conf->rules->elts;

    for (i = 0; tier->len && i < conf->rules->nelts; i++) {
        if (other[i].shm_zone == rule->shm_zone
            && other[i].tier.len == tier->len
            && ngx_memcmp(other[i].tier.data, tier->data, tier->len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


/* NGX_DECLINED: the request has no such key and the rule does not count it */

static ngx_int_t
ngx_http_azora_limit_key(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *key)
{
    switch (rule->key) {

    case NGX_HTTP_AZORA_LIMIT_ADDRESS:
        ngx_http_azora_limit_address(r, key);
        break;

    case NGX_HTTP_AZORA_LIMIT_SUBJECT:
        *key = ctx->principal.subject;
        break;

    default:
        if (ngx_http_complex_value(r, &rule->value, key) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return key->len ? NGX_OK : NGX_DECLINED;
}


/*
 * IPv6 clients are told apart by their /64, the least that a site is given
 * (RFC 6177), or one client would have 2^64 allowances.
 */

static void
ngx_http_azora_limit_address(ngx_http_request_t *r, ngx_str_t *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        key->data = (u_char *) &sin->sin_addr;
        key->len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            key->data = &sin6->sin6_addr.s6_addr[12];
            key->len = 4;
            break;
        }

        key->data = sin6->sin6_addr.s6_addr;
        key->len = 8;
        break;
#endif

    default:
        ngx_str_set(key, "unix:");
    }
}


static void
ngx_http_azora_limit_judge(ngx_http_azora_limit_verdict_t *v, ngx_str_t *key,
    ngx_uint_t cost, uint64_t now)
{
    ngx_http_azora_limit_rule_t  *rule;

    rule = v->rule;
    v->zone = rule->shm_zone->data;

    /* what costs more than the whole allowance takes all of it */

    cost = ngx_min(cost, rule->quota);

    v->ns = cost * rule->rate.interval;
    v->hash = ngx_http_azora_limit_hash(v->zone->table, rule->domain,
                                        key->data, key->len);
    v->rc = ngx_http_azora_limit_charge(v->zone->table, v->hash, &rule->rate,
                                        cost, now, &v->result);

    if (v->result.evicted) {
        ngx_azora_metric_add(v->zone->evicted, 1);
    }
}


static ngx_int_t
ngx_http_azora_limit_refuse(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_conf_t *conf, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n)
{
    u_char                          *p, *last;
    uint64_t                         now;
    ngx_int_t                        status;
    ngx_str_t                        names, wait;
    ngx_uint_t                       i, seconds;
    ngx_http_azora_limit_verdict_t  *worst;
    u_char                           buf[NGX_HTTP_AZORA_LIMIT_RULES_MAX * 72];

    now = ctx->started_ns;
    worst = NULL;
    seconds = 0;
    p = buf;
    last = buf + sizeof(buf);

    *p++ = '[';

    for (i = 0; i < n; i++) {

        if (v[i].rc == NGX_OK) {
            /* a refused request costs nothing anywhere */
            ngx_http_azora_limit_refund(v[i].zone->table, v[i].hash, v[i].ns);
            v[i].result.tat -= v[i].ns;
            continue;
        }

        if (v[i].rc != NGX_BUSY || v[i].rule->dry_run) {
            continue;
        }

        p = ngx_slprintf(p, last, "%s\"%V\"", (p - buf > 1) ? "," : "",
                         &v[i].zone->name);

        if (worst == NULL || ngx_http_azora_limit_wait(&v[i], now) > seconds) {
            worst = &v[i];
            seconds = ngx_http_azora_limit_wait(worst, now);
        }

        ngx_azora_metric_add(v[i].zone->refused, 1);
        ngx_log_error(conf->log_level, r->connection->log, 0,
                      "azora_limit refused, zone \"%V\"", &v[i].zone->name);
    }

    if (worst == NULL) {
        return NGX_DECLINED;
    }

    p = ngx_slprintf(p, last, "]");

    names.data = buf;
    names.len = p - buf;

    wait.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (wait.data == NULL) {
        return NGX_ERROR;
    }

    wait.len = ngx_sprintf(wait.data, "%ui", seconds) - wait.data;

    if (ngx_azora_add_header(r, "Retry-After", &wait) != NGX_OK) {
        return NGX_ERROR;
    }

    status = ngx_azora_problem(r, NGX_HTTP_TOO_MANY_REQUESTS, "rate-limited",
                               "At most %ui requests in %ui seconds are "
                               "answered here; try again in %ui seconds.",
                               worst->rule->quota, worst->rule->window,
                               seconds);

    ngx_azora_problem_member(r, "violated-policies", &names);

    return status;
}


/* Seconds after which the refused request would pass, rounded up. */

static ngx_uint_t
ngx_http_azora_limit_wait(ngx_http_azora_limit_verdict_t *v, uint64_t now)
{
    uint64_t  ns;

    ns = v->result.tat + v->ns - v->rule->rate.tolerance - now;

    return (ns + NGX_HTTP_AZORA_LIMIT_NS - 1) / NGX_HTTP_AZORA_LIMIT_NS;
}


/*
 * draft-ietf-httpapi-ratelimit-headers: r, how many requests would pass now;
 * t, the seconds until the whole quota is free again.
 */

static ngx_int_t
ngx_http_azora_limit_headers(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_ctx_t *lctx, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n)
{
    u_char                         *p;
    uint64_t                        now, ahead;
    ngx_str_t                       value;
    ngx_uint_t                      i;
    ngx_http_azora_limit_rate_t    *rate;

    now = ctx->started_ns;

    for (i = 0; i < n; i++) {

        if (v[i].rule->dry_run || v[i].rc == NGX_DECLINED) {
            /* what is not enforced or not counted is not announced */
            continue;
        }

        rate = &v[i].rule->rate;
        ahead = (v[i].result.tat > now) ? v[i].result.tat - now : 0;
        ahead = ngx_min(ahead, rate->tolerance);

        p = ngx_pnalloc(r->pool, v[i].zone->name.len + 2 * NGX_INT64_LEN
                                 + sizeof("\"\";r=;t=") - 1);
        if (p == NULL) {
            return NGX_ERROR;
        }

        value.data = p;
        value.len = ngx_sprintf(p, "\"%V\";r=%uL;t=%uL", &v[i].zone->name,
                                (rate->tolerance - ahead) / rate->interval,
                                (ahead + NGX_HTTP_AZORA_LIMIT_NS - 1)
                                / NGX_HTTP_AZORA_LIMIT_NS)
                    - p;

        if (ngx_http_azora_limit_header(r, &lctx->limit, "RateLimit", &value)
            != NGX_OK
            || ngx_http_azora_limit_header(r, &lctx->policy,
                                           "RateLimit-Policy",
                                           &v[i].rule->policy)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* All policies stand in one header; h is where it is, or NULL at first. */

static ngx_int_t
ngx_http_azora_limit_header(ngx_http_request_t *r, ngx_table_elt_t **h,
    const char *name, ngx_str_t *value)
{
    u_char  *p;

    if (*h != NULL) {
        p = ngx_pnalloc(r->pool, (*h)->value.len + 2 + value->len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        (*h)->value.len = ngx_sprintf(p, "%V, %V", &(*h)->value, value) - p;
        (*h)->value.data = p;

        return NGX_OK;
    }

    *h = ngx_list_push(&r->headers_out.headers);
    if (*h == NULL) {
        return NGX_ERROR;
    }

    (*h)->hash = 1;
    (*h)->lowcase_key = NULL;
    (*h)->key.data = (u_char *) name;
    (*h)->key.len = ngx_strlen(name);
    (*h)->value = *value;

#if (nginx_version >= 1023000)
    (*h)->next = NULL;
#endif

    return NGX_OK;
}
