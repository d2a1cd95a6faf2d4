
/*
 * The limit's two stages: before the token is looked at, for keys that do not
 * depend on it, and after, for the subject.
 */


#include "ngx_http_azora_limit.h"


#define NGX_HTTP_AZORA_LIMIT_NS         1000000000ULL


static ngx_int_t ngx_http_azora_limit_run(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_azora_stage_e stage);
static ngx_int_t ngx_http_azora_limit_ask(ngx_http_request_t *r,
    ngx_http_azora_limit_ctx_t *lctx, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n);
static ngx_int_t ngx_http_azora_limit_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_ctx_t *lctx,
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t n);
static ngx_int_t ngx_http_azora_limit_judge_all(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_verdict_t *v, ngx_uint_t *n);
static void ngx_http_azora_limit_dry_run(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n);
static ngx_http_azora_limit_ctx_t *ngx_http_azora_limit_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_azora_limit_cleanup(void *data);
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
    ngx_uint_t                      i, n;
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

        if (lctx->verdicts == NULL) {
            /* counted before an internal redirect */
            return NGX_DECLINED;
        }

        /* Redis was asked and has answered */

        ngx_memcpy(v, lctx->verdicts,
                   lctx->nverdicts * sizeof(ngx_http_azora_limit_verdict_t));
        n = lctx->nverdicts;
        lctx->verdicts = NULL;

        return ngx_http_azora_limit_finish(r, ctx, lctx, v, n);
    }

    lctx->done |= 1 << stage;
    lctx->started = ctx->started_ns;

    if (ngx_http_azora_limit_judge_all(r, ctx, v, &n) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_limit_ask(r, lctx, v, n);

    return (rc == NGX_DECLINED)
           ? ngx_http_azora_limit_finish(r, ctx, lctx, v, n) : rc;
}


/*
 * Asks Redis about those rules that all nodes share, unless this node knows
 * already that the request must not pass.  NGX_AGAIN: the stage is entered
 * again with the answers in lctx->verdicts; NGX_DECLINED: nobody was asked.
 */

static ngx_int_t
ngx_http_azora_limit_ask(ngx_http_request_t *r,
    ngx_http_azora_limit_ctx_t *lctx, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n)
{
    ngx_uint_t  i, shared;

    shared = 0;

    for (i = 0; i < n; i++) {

        if (v[i].rc == NGX_BUSY && !v[i].rule->dry_run) {
            return NGX_DECLINED;
        }

        shared |= v[i].zone->shared && v[i].rc != NGX_BUSY;
    }

    if (!shared) {
        return NGX_DECLINED;
    }

    lctx->verdicts = ngx_palloc(r->pool,
                                n * sizeof(ngx_http_azora_limit_verdict_t));
    if (lctx->verdicts == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(lctx->verdicts, v, n * sizeof(ngx_http_azora_limit_verdict_t));

    lctx->nverdicts = n;
    lctx->request = r;

    for (i = 0; i < n; i++) {
        v = &lctx->verdicts[i];

        if (!v->zone->shared || v->rc == NGX_BUSY) {
            continue;
        }

        v->lctx = lctx;

        if (ngx_http_azora_limit_shared_ask(v) == NGX_AGAIN) {
            lctx->waiting++;

        } else {
            ngx_azora_metric_add(v->zone->alone, 1);
        }
    }

    if (lctx->waiting) {
        return NGX_AGAIN;
    }

    lctx->verdicts = NULL;

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_azora_limit_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_ctx_t *lctx, ngx_http_azora_limit_verdict_t *v,
    ngx_uint_t n)
{
    ngx_int_t                     rc;
    ngx_uint_t                    i;
    ngx_http_azora_limit_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_limit_module);
    rc = NGX_DECLINED;

    for (i = 0; i < n; i++) {
        if (v[i].rc == NGX_BUSY && !v[i].rule->dry_run) {
            rc = ngx_http_azora_limit_refuse(r, ctx, conf, v, n);
            break;
        }
    }

    ngx_http_azora_limit_dry_run(r, conf, v, n);

    if (ngx_http_azora_limit_headers(r, ctx, lctx, v, n) != NGX_OK) {
        return NGX_ERROR;
    }

    return rc;
}


/* Charges every rule that has a key for this request; n: how many have. */

static ngx_int_t
ngx_http_azora_limit_judge_all(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_verdict_t *v, ngx_uint_t *n)
{
    ngx_int_t    rc;
    ngx_str_t    key;
    ngx_uint_t   i, k, cost;

    cost = ctx->endpoint ? ctx->endpoint->row->cost : 1;
    cost = cost ? cost : 1;
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

        /*
         * When the request began: a clock would cost as much as the charge.
         * A bucket for some routes alone counts each of their requests as one.
         */

        ngx_http_azora_limit_judge(&v[k], &key,
                                   v[k].rule->route.len ? 1 : cost,
                                   ctx->started_ns);
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
            lctx->verdicts = NULL;

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


/* Also marks the context, so that it can be found again. */

static void
ngx_http_azora_limit_cleanup(void *data)
{
    ngx_http_azora_limit_ctx_t  *lctx = data;

    ngx_http_azora_limit_shared_forget(lctx);
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

    v->cost = cost;
    v->queued = 0;
    v->counted = 0;

    if (v->result.evicted) {
        ngx_azora_metric_add(v->zone->evicted, 1);
    }

    if (v->zone->shared) {
        ngx_http_azora_limit_shared_name(v, key);
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
            ngx_http_azora_limit_shared_refund(&v[i]);
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
                               "answered here; try again in %ui s.",
                               worst->rule->quota, worst->rule->window,
                               seconds);

    ngx_azora_problem_member(r, "violated-policies", &names);

    return status;
}


/* Seconds after which the refused request would pass, rounded up. */

static ngx_uint_t
ngx_http_azora_limit_wait(ngx_http_azora_limit_verdict_t *v, uint64_t now)
{
    uint64_t  ns, free;

    ns = v->result.tat + v->ns;
    free = v->rule->rate.tolerance + now;

    if (ns <= free) {
        /* Redis counts in microseconds and with a clock of its own */
        return 1;
    }

    ns -= free;

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
