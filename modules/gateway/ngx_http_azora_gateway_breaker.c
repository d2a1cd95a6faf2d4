
/*
 * azora_breaker in an upstream {}: a circuit breaker, a bound of calls at once
 * and a budget for retries around whatever balancer and keepalive are there.
 *
 * A try that fails is repeated by NGINX (proxy_next_upstream).  Here it is
 * decided whether it may be: only what can be repeated without harm, only
 * while the breaker is not open, and only as long as retries stay a fixed part
 * of all requests, because the service that fails under load would fall the
 * deeper the more often it is asked.
 */


#include "ngx_http_azora_gateway.h"


#define NGX_HTTP_AZORA_GATEWAY_BUDGET     20
#define NGX_HTTP_AZORA_GATEWAY_TOTAL_MS   60000
#define NGX_HTTP_AZORA_GATEWAY_PAUSE_MS   25
#define NGX_HTTP_AZORA_GATEWAY_TIME_MAX   (24 * 60 * 60 * 1000)


static ngx_int_t ngx_http_azora_gateway_breaker_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static char *ngx_http_azora_gateway_breaker_argument(
    ngx_http_azora_gateway_srv_conf_t *gscf, const ngx_str_t *arg);
static char *ngx_http_azora_gateway_breaker_time(const ngx_str_t *arg,
    size_t skip, ngx_msec_t *time);
static ngx_int_t ngx_http_azora_gateway_breaker_metrics(ngx_conf_t *cf,
    ngx_http_azora_gateway_srv_conf_t *gscf);
static ngx_int_t ngx_http_azora_gateway_breaker_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_azora_gateway_breaker_get(
    ngx_peer_connection_t *pc, void *data);
static ngx_int_t ngx_http_azora_gateway_breaker_first(
    ngx_http_azora_gateway_peer_t *p);
static void ngx_http_azora_gateway_breaker_leave(
    ngx_http_azora_gateway_peer_t *p);
static ngx_int_t ngx_http_azora_gateway_breaker_refuse(
    ngx_http_azora_gateway_peer_t *p, const char *name, ngx_uint_t metric,
    ngx_uint_t seconds);
static void ngx_http_azora_gateway_breaker_free(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static ngx_int_t ngx_http_azora_gateway_breaker_outcome(
    ngx_http_azora_gateway_peer_t *p, ngx_uint_t state);
static ngx_uint_t ngx_http_azora_gateway_breaker_repeatable(
    ngx_http_azora_gateway_peer_t *p);
static void ngx_http_azora_gateway_breaker_notify(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t type);
#if (NGX_HTTP_SSL)
static ngx_int_t ngx_http_azora_gateway_breaker_set_session(
    ngx_peer_connection_t *pc, void *data);
static void ngx_http_azora_gateway_breaker_save_session(
    ngx_peer_connection_t *pc, void *data);
#endif


/*
 * azora_breaker [failures=5] [max=0] [retries=20%] [try=0] [total=60s]
 *               [pause=25ms];
 */

char *
ngx_http_azora_gateway_breaker(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_azora_gateway_srv_conf_t *gscf = conf;

    char                          *rv;
    ngx_str_t                     *value;
    ngx_uint_t                     i;
    ngx_http_upstream_srv_conf_t  *us;

    if (gscf->given) {
        return "is duplicate";
    }

    us = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);

    gscf->given = 1;
    gscf->name = us->host;
    gscf->failures = 0;
    gscf->budget = NGX_HTTP_AZORA_GATEWAY_BUDGET;
    gscf->total = NGX_HTTP_AZORA_GATEWAY_TOTAL_MS;
    gscf->pause = NGX_HTTP_AZORA_GATEWAY_PAUSE_MS;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_azora_gateway_breaker_argument(gscf, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    gscf->breaker = ngx_azora_breaker(cf, (char *) gscf->name.data,
                                      gscf->failures);

    if (gscf->breaker == NGX_AZORA_NONE
        || ngx_http_azora_gateway_breaker_metrics(cf, gscf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    gscf->init_upstream = us->peer.init_upstream
                          ? us->peer.init_upstream
                          : ngx_http_upstream_init_round_robin;

    us->peer.init_upstream = ngx_http_azora_gateway_breaker_init;

    return NGX_CONF_OK;
}


static char *
ngx_http_azora_gateway_breaker_argument(
    ngx_http_azora_gateway_srv_conf_t *gscf, const ngx_str_t *arg)
{
    ngx_int_t  n;

    if (ngx_strncmp(arg->data, "failures=", 9) == 0) {
        n = ngx_atoi(arg->data + 9, arg->len - 9);
        gscf->failures = n;

        return (n >= 1 && n <= 200) ? NGX_CONF_OK
                                    : "takes failures= from 1 to 200";
    }

    if (ngx_strncmp(arg->data, "max=", 4) == 0) {
        n = ngx_atoi(arg->data + 4, arg->len - 4);
        gscf->max = n;

        return (n >= 1 && n <= 100000) ? NGX_CONF_OK
                                       : "takes max= from 1 to 100000 calls";
    }

    if (ngx_strncmp(arg->data, "retries=", 8) == 0
        && arg->len > 9 && arg->data[arg->len - 1] == '%')
    {
        n = ngx_atoi(arg->data + 8, arg->len - 9);
        gscf->budget = n;

        return (n >= 0 && n <= 100) ? NGX_CONF_OK
                                    : "takes retries= from 0% to 100%";
    }

    if (ngx_strncmp(arg->data, "try=", 4) == 0) {
        return ngx_http_azora_gateway_breaker_time(arg, 4, &gscf->try);
    }

    if (ngx_strncmp(arg->data, "total=", 6) == 0) {
        return ngx_http_azora_gateway_breaker_time(arg, 6, &gscf->total);
    }

    if (ngx_strncmp(arg->data, "pause=", 6) == 0) {
        return ngx_http_azora_gateway_breaker_time(arg, 6, &gscf->pause);
    }

    return "takes failures=N, max=N, retries=N%, try=TIME, total=TIME and "
           "pause=TIME";
}


static char *
ngx_http_azora_gateway_breaker_time(const ngx_str_t *arg, size_t skip,
    ngx_msec_t *time)
{
    ngx_str_t  s;

    s.data = arg->data + skip;
    s.len = arg->len - skip;

    *time = ngx_parse_time(&s, 0);

    return (*time <= NGX_HTTP_AZORA_GATEWAY_TIME_MAX)
           ? NGX_CONF_OK : "takes times of at most a day; 0: none";
}


static ngx_int_t
ngx_http_azora_gateway_breaker_metrics(ngx_conf_t *cf,
    ngx_http_azora_gateway_srv_conf_t *gscf)
{
    u_char      *p;
    ngx_uint_t   i;

    ngx_uint_t *const  metrics[] = {
        &gscf->retries, &gscf->open, &gscf->full, &gscf->cuts
    };
    static const char *const  names[] = {
        "azora_upstream_retries_total", "azora_upstream_open_total",
        "azora_upstream_full_total", "azora_upstream_cut_total"
    };
    static const char *const  help[] = {
        "Tries after the first.",
        "Requests refused because the breaker was open.",
        "Requests refused because too many were under way.",
        "Tries that were ended because they took too long."
    };

    p = ngx_pnalloc(cf->pool, sizeof("upstream=\"\"") + gscf->name.len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(p, "upstream=\"%V\"%Z", &gscf->name);

    for (i = 0; i < 4; i++) {
        *metrics[i] = ngx_azora_metric(cf, NGX_AZORA_COUNTER, names[i],
                                       (char *) p, help[i]);

        if (*metrics[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_breaker_init(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_azora_gateway_srv_conf_t  *gscf;

    gscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_azora_gateway_module);

    if (gscf->init_upstream(cf, us) != NGX_OK) {
        return NGX_ERROR;
    }

    gscf->init_peer = us->peer.init;
    us->peer.init = ngx_http_azora_gateway_breaker_peer;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_breaker_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_peer_connection_t               *pc;
    ngx_http_azora_gateway_peer_t       *p;
    ngx_http_azora_gateway_srv_conf_t   *gscf;
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    gscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_azora_gateway_module);
    gmcf = ngx_http_get_module_main_conf(r, ngx_http_azora_gateway_module);

    p = ngx_pcalloc(r->pool, sizeof(ngx_http_azora_gateway_peer_t));

    if (p == NULL || gscf->init_peer(r, us) != NGX_OK) {
        return NGX_ERROR;
    }

    pc = &r->upstream->peer;

    p->request = r;
    p->upstream = r->upstream;
    p->conf = gscf;
    p->shared = &gmcf->upstreams[gscf->place];
    p->data = pc->data;
    p->get = pc->get;
    p->free = pc->free;
    p->notify = pc->notify;

    pc->data = p;
    pc->get = ngx_http_azora_gateway_breaker_get;
    pc->free = ngx_http_azora_gateway_breaker_free;

    if (pc->notify) {
        pc->notify = ngx_http_azora_gateway_breaker_notify;
    }

#if (NGX_HTTP_SSL)
    p->set_session = pc->set_session;
    p->save_session = pc->save_session;
    pc->set_session = ngx_http_azora_gateway_breaker_set_session;
    pc->save_session = ngx_http_azora_gateway_breaker_save_session;
#endif

    return NGX_OK;
}


/*
 * NGX_DECLINED: NGINX goes on as if it could not connect, without a word.  It
 * would log an error for each NGX_BUSY, in an outage for each request.
 */

static ngx_int_t
ngx_http_azora_gateway_breaker_get(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_azora_gateway_peer_t *p = data;

    ngx_int_t  rc;

    if (p->tries == 0) {
        rc = ngx_http_azora_gateway_breaker_first(p);

        if (rc != NGX_OK) {
            pc->tries = 0;
            return rc;
        }

        ngx_http_azora_gateway_time_call(p);

    } else if (!ngx_http_azora_gateway_breaker_repeatable(p)
               || ngx_http_azora_gateway_time_over(p))
    {
        /* NGINX always tries again when a kept connection was closed */
        pc->cached = 0;
        pc->tries = 0;
        return NGX_DECLINED;

    } else {
        ngx_azora_metric_add(p->conf->retries, 1);
        p->calling = ngx_http_azora_gateway_call(p->shared, 0);
    }

    rc = p->get(pc, p->data);

    if (rc == NGX_BUSY || rc == NGX_ERROR) {
        ngx_http_azora_gateway_breaker_leave(p);
        ngx_azora_breaker_report(p->conf->breaker, 0);
        return rc;
    }

    ngx_http_azora_gateway_time_try(p);

    if (p->tries++ && !p->stale) {
        return ngx_http_azora_gateway_pause(p, pc, rc);
    }

    return rc;
}


static ngx_int_t
ngx_http_azora_gateway_breaker_first(ngx_http_azora_gateway_peer_t *p)
{
    ngx_http_azora_gateway_srv_conf_t  *conf;

    conf = p->conf;

    p->calling = ngx_http_azora_gateway_call(p->shared, conf->max);

    if (!p->calling) {
        return ngx_http_azora_gateway_breaker_refuse(p, "busy", conf->full,
                                                     1);
    }

    if (ngx_azora_breaker_enter(conf->breaker) != NGX_OK) {
        ngx_http_azora_gateway_breaker_leave(p);
        return ngx_http_azora_gateway_breaker_refuse(p, "circuit-open",
                   conf->open, ngx_azora_breaker_retry_after(conf->breaker));
    }

    ngx_http_azora_gateway_earn(p->shared, conf->budget);

    return NGX_OK;
}


static void
ngx_http_azora_gateway_breaker_leave(ngx_http_azora_gateway_peer_t *p)
{
    if (p->calling) {
        p->calling = 0;
        ngx_http_azora_gateway_call_end(p->shared);
    }
}


static ngx_int_t
ngx_http_azora_gateway_breaker_refuse(ngx_http_azora_gateway_peer_t *p,
    const char *name, ngx_uint_t metric, ngx_uint_t seconds)
{
    ngx_str_t                      wait;
    ngx_http_request_t            *r;
    ngx_http_azora_gateway_ctx_t  *ctx;

    r = p->request;

    ngx_azora_metric_add(metric, 1);

    if (r != r->main) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_azora_gateway_ctx(r);
    wait.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

    if (ctx == NULL || wait.data == NULL) {
        return NGX_ERROR;
    }

    ctx->refused = 1;
    wait.len = ngx_sprintf(wait.data, "%ui", seconds) - wait.data;
    ctx->wait = wait;

    (void) ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, name,
                             "The service behind this address is not asked "
                             "at the moment; try again in %ui s.",
                             seconds);

    return NGX_DECLINED;
}


static void
ngx_http_azora_gateway_breaker_free(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_azora_gateway_peer_t *p = data;

    ngx_int_t  outcome;

    ngx_http_azora_gateway_time_end(p);

    ngx_http_azora_gateway_breaker_leave(p);

    p->stale = pc->cached && pc->connection
               && p->upstream->headers_in.status_n == 0
               && !pc->connection->read->timedout
               && !pc->connection->write->timedout;
    outcome = ngx_http_azora_gateway_breaker_outcome(p, state);

    p->free(pc, p->data, state);

    if (outcome != NGX_DECLINED) {
        ngx_azora_breaker_report(p->conf->breaker, outcome == NGX_OK);
    }

    if (pc->tries == 0 || !(state & NGX_PEER_FAILED)) {
        return;
    }

    if (!ngx_http_azora_gateway_breaker_repeatable(p)
        || ngx_http_azora_gateway_time_over(p)
        || ngx_azora_breaker_state(p->conf->breaker) != 0
        || !ngx_http_azora_gateway_pay(p->shared))
    {
        pc->tries = 0;
    }
}


/*
 * NGX_OK: the service answered; NGX_ERROR: it did not; NGX_DECLINED: nobody
 * can tell, because the client left first or the connection had been closed
 * while it was idle.
 */

static ngx_int_t
ngx_http_azora_gateway_breaker_outcome(ngx_http_azora_gateway_peer_t *p,
    ngx_uint_t state)
{
    ngx_uint_t            status;
    ngx_event_pipe_t     *pipe;
    ngx_http_upstream_t  *u;

    u = p->upstream;
    status = u->headers_in.status_n;

    if (p->cut) {
        p->cut = 0;
        return NGX_ERROR;
    }

    if (state & NGX_PEER_FAILED) {
        return p->stale ? NGX_DECLINED : NGX_ERROR;
    }

    if (state & NGX_PEER_NEXT) {
        return NGX_OK;
    }

    if (status == 0) {
        return p->request->connection->error ? NGX_DECLINED : NGX_ERROR;
    }

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return NGX_ERROR;
    }

    pipe = u->pipe;

    if (pipe != NULL && u->buffering
        && (pipe->upstream_error
            || (pipe->upstream_eof && !pipe->upstream_done
                && pipe->length > 0)))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* RFC 9110, 9.2.2; what carries an Idempotency-Key may be repeated as well. */

static ngx_uint_t
ngx_http_azora_gateway_breaker_repeatable(ngx_http_azora_gateway_peer_t *p)
{
    ngx_str_t            key;
    ngx_http_request_t  *r;

    r = p->request;

    if (!r->upstream->request_sent
        || (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD|NGX_HTTP_PUT
                         |NGX_HTTP_DELETE|NGX_HTTP_OPTIONS)))
    {
        return 1;
    }

    return ngx_azora_request_header(r, "Idempotency-Key", &key) == NGX_OK
           && key.len != 0;
}


static void
ngx_http_azora_gateway_breaker_notify(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t type)
{
    ngx_http_azora_gateway_peer_t *p = data;

    p->notify(pc, p->data, type);
}


#if (NGX_HTTP_SSL)


static ngx_int_t
ngx_http_azora_gateway_breaker_set_session(ngx_peer_connection_t *pc,
    void *data)
{
    ngx_http_azora_gateway_peer_t *p = data;

    return p->set_session(pc, p->data);
}


static void
ngx_http_azora_gateway_breaker_save_session(ngx_peer_connection_t *pc,
    void *data)
{
    ngx_http_azora_gateway_peer_t *p = data;

    p->save_session(pc, p->data);
}

#endif
