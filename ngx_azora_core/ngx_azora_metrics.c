
/*
 * Metrics, the writing side: what each request and each statement adds to
 * this process's slot.  The reading side is ngx_azora_metrics_page.c.
 */


#include "ngx_azora_shm.h"


static ngx_uint_t ngx_azora_metrics_status(ngx_uint_t status);
static ngx_uint_t ngx_azora_metrics_method(const ngx_http_request_t *r);
static ngx_inline void ngx_azora_metrics_observe(ngx_azora_slot_t *slot,
    ngx_uint_t cell, uint64_t ns);


/* the index is the "what" of a cell's key; the last one is "other" */

const uint16_t  ngx_azora_metrics_statuses[NGX_AZORA_STATUSES] = {
    200, 201, 202, 204, 206, 301, 302, 303, 304, 308,
    400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 414, 415, 422, 428, 429,
    431, 499, 500, 502, 503, 504, 0
};


/*
 * Upper bounds in nanoseconds: those that OpenTelemetry's semantic conventions
 * advise for http.server.request.duration.
 */

const uint64_t  ngx_azora_metrics_bounds[NGX_AZORA_BUCKETS - 1] = {
    5000000ULL, 10000000ULL, 25000000ULL, 50000000ULL, 75000000ULL,
    100000000ULL, 250000000ULL, 500000000ULL, 750000000ULL, 1000000000ULL,
    2500000000ULL, 5000000000ULL, 7500000000ULL, 10000000000ULL
};


const char *const  ngx_azora_metrics_methods[NGX_AZORA_METHODS] = {
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"
};


ngx_uint_t
ngx_azora_metric(ngx_conf_t *cf, ngx_azora_metric_e type, const char *name,
    const char *labels, const char *help)
{
    ngx_uint_t              i;
    ngx_azora_metric_t     *metric;
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);
    metric = amcf->metrics.elts;

    for (i = 0; i < amcf->metrics.nelts; i++) {

        if (ngx_strcmp(metric[i].name, name) != 0) {
            continue;
        }

        if ((metric[i].labels == NULL && labels == NULL)
            || (metric[i].labels != NULL && labels != NULL
                && ngx_strcmp(metric[i].labels, labels) == 0))
        {
            return i;
        }
    }

    if (amcf->metrics.nelts == NGX_AZORA_METRICS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: more than %d metrics",
                           NGX_AZORA_METRICS_MAX);
        return NGX_AZORA_NONE;
    }

    metric = ngx_array_push(&amcf->metrics);
    if (metric == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: no memory for metric \"%s\"", name);
        return NGX_AZORA_NONE;
    }

    metric->type = type;
    metric->name = name;
    metric->labels = labels;
    metric->help = help;

    return amcf->metrics.nelts - 1;
}


void
ngx_azora_metric_add(ngx_uint_t index, ngx_int_t n)
{
    ngx_uint_t          number;
    ngx_azora_slot_t   *slot;
    ngx_azora_names_t  *names;

    slot = ngx_azora_shm_slot();

    if (slot == NULL || index >= ngx_azora_main_conf->metrics.nelts) {
        return;
    }

    names = ngx_azora_main_conf->names;
    number = names->metrics[index];

    if (number != NGX_AZORA_UNNAMED) {
        (void) ngx_atomic_fetch_add(&slot->metrics[number], n);
    }
}


void
ngx_azora_metric_observe(ngx_uint_t index, uint64_t ns)
{
    ngx_uint_t          number, cell;
    ngx_azora_slot_t   *slot;
    ngx_azora_names_t  *names;

    slot = ngx_azora_shm_slot();

    if (slot == NULL || index >= ngx_azora_main_conf->metrics.nelts) {
        return;
    }

    names = ngx_azora_main_conf->names;
    number = names->metrics[index];

    if (number == NGX_AZORA_UNNAMED) {
        return;
    }

    cell = ngx_azora_shm_cell(names,
                              ngx_azora_cell_key(NGX_AZORA_CELL_OWN, number,
                                                 0),
                              &names->node->own[number]);

    if (cell != NGX_AZORA_NONE) {
        ngx_azora_metrics_observe(slot, cell, ns);
    }
}


void
ngx_azora_metric_count(ngx_uint_t index, const ngx_str_t *value,
    ngx_uint_t n)
{
    ngx_uint_t             number;
    ngx_azora_slot_t      *slot;
    ngx_azora_names_t     *names;
    ngx_azora_labelled_t  *labelled;

    slot = ngx_azora_shm_slot();

    if (slot == NULL
        || index >= ngx_azora_main_conf->metrics.nelts
        || value->len > NGX_AZORA_LABEL_MAX)
    {
        return;
    }

    names = ngx_azora_main_conf->names;
    number = names->metrics[index];

    if (number == NGX_AZORA_UNNAMED) {
        return;
    }

    labelled = ngx_azora_shm_labelled(names, number, value->data, value->len);

    if (labelled != NULL) {
        (void) ngx_atomic_fetch_add(&labelled->count, n);

    } else {
        (void) ngx_atomic_fetch_add(&slot->metrics[number], n);
    }
}


/*
 * LOG phase, every request: those without a row count for the route "other".
 */

ngx_int_t
ngx_azora_metrics_log_handler(ngx_http_request_t *r)
{
    uint32_t            key;
    ngx_uint_t          route, status, code;
    ngx_azora_ctx_t    *ctx;
    ngx_azora_slot_t   *slot;
    ngx_azora_names_t  *names;

    slot = ngx_azora_shm_slot();

    if (slot == NULL || r != r->main) {
        return NGX_OK;
    }

    names = ngx_azora_main_conf->names;
    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    route = NGX_AZORA_UNNAMED;

    if (ctx != NULL && ctx->endpoint != NULL) {
        route = names->routes[ctx->endpoint->index];
    }

    if (route == NGX_AZORA_UNNAMED) {
        route = ngx_azora_metrics_method(r);
    }

    status = r->err_status ? r->err_status : r->headers_out.status;
    code = ngx_azora_metrics_status(status);

    key = ngx_azora_cell_key(NGX_AZORA_CELL_HTTP, route, code);

    ngx_azora_metrics_observe(slot,
        ngx_azora_shm_cell(names, key, &names->node->http[route][code]),
        ngx_azora_trace_duration(r, ctx));

    return NGX_OK;
}


static ngx_uint_t
ngx_azora_metrics_status(ngx_uint_t status)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_STATUSES - 1; i++) {
        if (ngx_azora_metrics_statuses[i] == status) {
            break;
        }
    }

    return i;
}


static ngx_uint_t
ngx_azora_metrics_method(const ngx_http_request_t *r)
{
    switch (r->method) {
    case NGX_HTTP_GET:
        return 0;
    case NGX_HTTP_HEAD:
        return 1;
    case NGX_HTTP_POST:
        return 2;
    case NGX_HTTP_PUT:
        return 3;
    case NGX_HTTP_PATCH:
        return 4;
    case NGX_HTTP_DELETE:
        return 5;
    case NGX_HTTP_OPTIONS:
        return 6;
    default:
        return NGX_AZORA_METHODS - 1;
    }
}


static ngx_inline void
ngx_azora_metrics_observe(ngx_azora_slot_t *slot, ngx_uint_t cell, uint64_t ns)
{
    ngx_uint_t              i;
    ngx_azora_histogram_t  *histogram;

    histogram = &slot->cells[cell];

    for (i = 0; i < NGX_AZORA_BUCKETS - 1; i++) {
        if (ns <= ngx_azora_metrics_bounds[i]) {
            break;
        }
    }

    (void) __sync_fetch_and_add(&histogram->count[i], 1);
    (void) __sync_fetch_and_add(&histogram->sum_ns, ns);
}


/* One statement on a lane: from its queueing to its result. */

void
ngx_azora_metrics_statement(const ngx_azora_statement_t *statement,
    uint64_t ns, ngx_azora_op_status_e status)
{
    uint32_t            key;
    ngx_uint_t          number;
    ngx_azora_slot_t   *slot;
    ngx_azora_names_t  *names;

    slot = ngx_azora_shm_slot();

    if (slot == NULL || (ngx_uint_t) status >= NGX_AZORA_OUTCOMES) {
        return;
    }

    names = ngx_azora_main_conf->names;
    number = names->statements[statement->index];
    key = ngx_azora_cell_key(NGX_AZORA_CELL_DB, number, status);

    ngx_azora_metrics_observe(slot,
        ngx_azora_shm_cell(names, key, &names->node->db[number][status]), ns);
}
