
/*
 * /livez says that the process answers, /readyz that it can do its work.
 */


#include "ngx_azora_private.h"


static void ngx_azora_health_add(ngx_http_request_t *r, ngx_str_t *list,
    const char *name, const char *status);
static ngx_uint_t ngx_azora_health_postgres(ngx_http_request_t *r,
    ngx_str_t *list);
static ngx_uint_t ngx_azora_health_rest(ngx_http_request_t *r,
    ngx_str_t *list);
static ngx_uint_t ngx_azora_health_verbose(ngx_http_request_t *r);


static u_char     ngx_azora_livez_body[] = "{\"status\":\"ok\"}";
static u_char     ngx_azora_livez_verbose[] =
    "{\"status\":\"ok\",\"checks\":[{\"name\":\"process\","
    "\"status\":\"ok\"}]}";
static ngx_str_t  ngx_azora_health_allow = ngx_string("GET, HEAD");


/*
 * For content handlers that answer GET and HEAD only: NGX_OK, or the status
 * to return.
 */

ngx_int_t
ngx_azora_status_get(ngx_http_request_t *r)
{
    if (r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD)) {
        return ngx_http_discard_request_body(r);
    }

    (void) ngx_azora_add_header(r, "Allow", &ngx_azora_health_allow);

    return ngx_azora_problem(r, NGX_HTTP_NOT_ALLOWED, "method-not-allowed",
                             "Only GET and HEAD are answered here.");
}


/*
 * Content handler of azora_status livez.  It is the yardstick for how little
 * Azora costs, so it does no more than "return 200" would.
 */

ngx_int_t
ngx_azora_livez_handler(ngx_http_request_t *r)
{
    ngx_int_t     rc;
    ngx_str_t     body;
    ngx_chain_t  *out;

    rc = ngx_azora_status_get(r);
    if (rc != NGX_OK) {
        return rc;
    }

    body.data = ngx_azora_livez_body;
    body.len = sizeof(ngx_azora_livez_body) - 1;

    if (r->args.len && ngx_azora_health_verbose(r)) {
        body.data = ngx_azora_livez_verbose;
        body.len = sizeof(ngx_azora_livez_verbose) - 1;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = body.len;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out = ngx_azora_chain(r, &body);
    if (out == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_output_filter(r, out);
}


/*
 * Content handler of azora_status readyz: 200, or a problem with status 503
 * that names what is missing.  It speaks for the worker that was asked.
 */

ngx_int_t
ngx_azora_readyz_handler(ngx_http_request_t *r)
{
    u_char      *p;
    ngx_int_t    rc;
    ngx_str_t    list, body;
    ngx_uint_t   ready, verbose;

    rc = ngx_azora_status_get(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_null(&list);

    verbose = ngx_azora_health_verbose(r);
    ready = ngx_azora_health_postgres(r, &list);
    ready &= ngx_azora_health_rest(r, &list);

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        ngx_azora_health_add(r, &list, "draining", "failed");
        ready = 0;
    }

    p = ngx_pnalloc(r->pool, list.len + sizeof("{\"status\":\"ok\","
                                               "\"checks\":[]}"));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!ready) {
        body.data = p;
        body.len = ngx_sprintf(p, "[%V]", &list) - p;

        /* who asks again soon should come to another worker or node */
        r->keepalive = 0;

        ngx_azora_problem_member(r, "checks", &body);

        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "not-ready",
                                 "This worker cannot serve the API now.");
    }

    body.data = p;

    if (verbose) {
        body.len = ngx_sprintf(p, "{\"status\":\"ok\",\"checks\":[%V]}", &list)
                   - p;

    } else {
        body.len = ngx_sprintf(p, "{\"status\":\"ok\"}") - p;
    }

    return ngx_azora_send(r, NGX_HTTP_OK, NULL, &body);
}


static ngx_uint_t
ngx_azora_health_postgres(ngx_http_request_t *r, ngx_str_t *list)
{
    ngx_uint_t  i, ready, connected;

    static const ngx_azora_lane_e  lanes[] = {
        NGX_AZORA_LANE_READ, NGX_AZORA_LANE_WRITE
    };
    static const char *const       names[] = {
        "postgres-read", "postgres-write"
    };

    if (ngx_azora_main_conf->pg.conninfo.len == 0) {
        return 1;
    }

    ready = 1;

    for (i = 0; i < sizeof(lanes) / sizeof(lanes[0]); i++) {
        connected = (ngx_azora_pg_connected(lanes[i]) > 0);
        ready &= connected;

        ngx_azora_health_add(r, list, names[i], connected ? "ok" : "failed");
    }

    return ready;
}


static ngx_uint_t
ngx_azora_health_rest(ngx_http_request_t *r, ngx_str_t *list)
{
    ngx_uint_t          i, ready, passed;
    ngx_azora_check_t  *checks;

    if (ngx_azora_main_conf->redis.address.len) {
        /* without Redis a node still does everything by itself */
        ngx_azora_health_add(r, list, "redis", ngx_azora_redis_connected()
                                               ? "ok" : "degraded");
    }

    ready = 1;
    checks = ngx_azora_main_conf->checks.elts;

    for (i = 0; i < ngx_azora_main_conf->checks.nelts; i++) {
        passed = (checks[i].check() == NGX_OK);
        ready &= passed;

        ngx_azora_health_add(r, list, checks[i].name,
                             passed ? "ok" : "failed");
    }

    return ready;
}


/* Appends a check; without memory the list simply stays shorter. */

static void
ngx_azora_health_add(ngx_http_request_t *r, ngx_str_t *list, const char *name,
    const char *status)
{
    u_char  *p;
    size_t   len;

    len = list->len + ngx_strlen(name) + ngx_strlen(status)
          + sizeof(",{\"name\":\"\",\"status\":\"\"}");

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    list->len = ngx_snprintf(p, len,
                             "%V%s{\"name\":\"%s\",\"status\":\"%s\"}", list,
                             list->len ? "," : "", name, status)
                - p;
    list->data = p;
}


/* "?verbose", with or without a value */

static ngx_uint_t
ngx_azora_health_verbose(ngx_http_request_t *r)
{
    u_char  *p, *last;
    size_t   len;

    len = sizeof("verbose") - 1;
    last = r->args.data + r->args.len;

    for (p = r->args.data; p != NULL && p + len <= last; p++) {

        if (ngx_strncmp(p, "verbose", len) == 0
            && (p == r->args.data || p[-1] == '&')
            && (p + len == last || p[len] == '&' || p[len] == '='))
        {
            return 1;
        }
    }

    return 0;
}
