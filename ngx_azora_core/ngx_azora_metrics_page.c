
/*
 * Metrics, the reading side: the page for Prometheus, text format 0.0.4.
 * Only cells in use are read, because reading an untouched page of shared
 * memory would make it resident.
 */


#include "ngx_azora_metrics_page.h"


#define NGX_AZORA_PAGE_BUFFER       65536
#define NGX_AZORA_PAGE_LINE         512    /* more than any line needs */
#define NGX_AZORA_PAGE_LABELS       320


static void ngx_azora_page_room(ngx_azora_page_t *page);
static void ngx_azora_page_histograms(ngx_azora_page_t *page,
    const char *name, ngx_uint_t kind);
static ngx_uint_t ngx_azora_page_labels(ngx_azora_page_t *page, uint32_t key,
    ngx_str_t *labels, u_char *end);
static void ngx_azora_page_bucket(ngx_azora_page_t *page, ngx_str_t *name,
    ngx_str_t *labels, const char *bound, uint64_t n);
static void ngx_azora_page_node(ngx_azora_page_t *page);
static void ngx_azora_page_breakers(ngx_azora_page_t *page);
static void ngx_azora_page_lanes(ngx_azora_page_t *page);
static ngx_int_t ngx_azora_page_send(ngx_azora_page_t *page);


/* the same numbers as ngx_azora_metrics_bounds, as Prometheus spells them */

static const char *const  ngx_azora_page_bounds[NGX_AZORA_BUCKETS] = {
    "0.005", "0.01", "0.025", "0.05", "0.075", "0.1", "0.25", "0.5", "0.75",
    "1", "2.5", "5", "7.5", "10", "+Inf"
};


static const char *const  ngx_azora_page_outcomes[NGX_AZORA_OUTCOMES] = {
    "", "refused", "error", "timeout", "lost", "unavailable"
};


static const char *const  ngx_azora_page_lane_names[NGX_AZORA_LANE_MAX] = {
    "read", "write", "batch", "slow"
};


static const char *const  ngx_azora_page_states[] = {
    "closed", "open", "half_open"
};


/* Content handler of azora_status metrics. */

ngx_int_t
ngx_azora_metrics_handler(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_azora_page_t  page;

    rc = ngx_azora_status_get(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_memzero(&page, sizeof(ngx_azora_page_t));

    page.request = r;
    page.names = ngx_azora_main_conf->names;
    page.nslots = ngx_min(page.names->node->slots, NGX_AZORA_SLOTS);

    ngx_azora_page_node(&page);
    ngx_azora_page_breakers(&page);
    ngx_azora_page_lanes(&page);
    ngx_azora_page_metrics(&page);

    ngx_azora_page_family(&page, "http_server_request_duration_seconds",
                          "histogram", "Duration of HTTP requests.");
    ngx_azora_page_histograms(&page, "http_server_request_duration_seconds",
                              NGX_AZORA_CELL_HTTP);

    ngx_azora_page_family(&page, "db_client_operation_duration_seconds",
                          "histogram",
                          "Duration of SQL statements, waiting included.");
    ngx_azora_page_histograms(&page, "db_client_operation_duration_seconds",
                              NGX_AZORA_CELL_DB);

    if (page.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_page_send(&page);
}


/* Makes sure that a line fits; afterwards page->buf is NULL or has room. */

static void
ngx_azora_page_room(ngx_azora_page_t *page)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    if (page->buf != NULL
        && page->buf->end - page->buf->last >= NGX_AZORA_PAGE_LINE)
    {
        return;
    }

    b = ngx_create_temp_buf(page->request->pool, NGX_AZORA_PAGE_BUFFER);
    cl = ngx_alloc_chain_link(page->request->pool);

    if (b == NULL || cl == NULL) {
        page->failed = 1;
        page->buf = NULL;
        return;
    }

    cl->buf = b;
    cl->next = NULL;

    if (page->tail == NULL) {
        page->chain = cl;

    } else {
        page->tail->next = cl;
    }

    page->tail = cl;
    page->buf = b;
}


void
ngx_azora_page_print(ngx_azora_page_t *page, const char *fmt, ...)
{
    va_list  args;

    ngx_azora_page_room(page);

    if (page->buf == NULL) {
        return;
    }

    va_start(args, fmt);
    page->buf->last = ngx_vslprintf(page->buf->last,
                                    page->buf->last + NGX_AZORA_PAGE_LINE,
                                    fmt, args);
    va_end(args);
}


void
ngx_azora_page_family(ngx_azora_page_t *page, const char *name,
    const char *type, const char *help)
{
    ngx_azora_page_print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help,
                         name, type);
}


static void
ngx_azora_page_histograms(ngx_azora_page_t *page, const char *family,
    ngx_uint_t kind)
{
    u_char                   buffer[NGX_AZORA_PAGE_LABELS];
    uint32_t                 key;
    ngx_str_t                name, labels;
    ngx_uint_t               cell, ncells;
    const ngx_azora_node_t  *node;

    node = page->names->node;
    ncells = ngx_min(node->cells, NGX_AZORA_CELLS_MAX);

    name.data = (u_char *) family;
    name.len = ngx_strlen(family);
    labels.data = buffer;

    for (cell = 0; cell < ncells; cell++) {
        key = node->keys[cell];

        if (ngx_azora_cell_kind(key) == kind
            && ngx_azora_page_labels(page, key, &labels,
                                     buffer + sizeof(buffer)))
        {
            ngx_azora_page_histogram(page, &name, cell, &labels);
        }
    }
}


/* 0: of a row or statement that this configuration does not have */

static ngx_uint_t
ngx_azora_page_labels(ngx_azora_page_t *page, uint32_t key, ngx_str_t *labels,
    u_char *end)
{
    u_char                       *p, status[NGX_INT_T_LEN];
    ngx_str_t                     method, route, code;
    ngx_uint_t                    index, what;
    const ngx_azora_endpoint_t   *endpoint;
    const ngx_azora_statement_t  *statement;

    index = ngx_azora_cell_index(key);
    what = ngx_azora_cell_what(key);
    p = labels->data;

    if (ngx_azora_cell_kind(key) == NGX_AZORA_CELL_DB) {
        ngx_str_set(&route, "other");
        statement = page->names->statement_of[index];

        if (statement != NULL) {
            route = statement->name;

        } else if (index != 0) {
            return 0;
        }

        p = ngx_slprintf(p, end, "db_operation_name=\"%V\"", &route);

        if (what != NGX_AZORA_OP_OK) {
            p = ngx_slprintf(p, end, ",error_type=\"%s\"",
                             ngx_azora_page_outcomes[what]);
        }

        labels->len = p - labels->data;
        return 1;
    }

    if (index < NGX_AZORA_METHODS) {
        method.data = (u_char *) ngx_azora_metrics_methods[index];
        method.len = ngx_strlen(method.data);
        ngx_str_set(&route, "other");

    } else {
        endpoint = page->names->endpoint_of[index];

        if (endpoint == NULL) {
            return 0;
        }

        method = endpoint->method;
        route = endpoint->path;
    }

    ngx_str_set(&code, "other");

    if (what < NGX_AZORA_STATUSES - 1) {
        code.data = status;
        code.len = ngx_sprintf(status, "%ui", (ngx_uint_t)
                               ngx_azora_metrics_statuses[what]) - status;
    }

    p = ngx_slprintf(p, end, "http_request_method=\"%V\",http_route=\"%V\","
                     "http_response_status_code=\"%V\"", &method, &route,
                     &code);

    labels->len = p - labels->data;

    return 1;
}


void
ngx_azora_page_histogram(ngx_azora_page_t *page, ngx_str_t *name,
    ngx_uint_t cell, ngx_str_t *labels)
{
    uint64_t                      sum_ns, n;
    ngx_uint_t                    i, k;
    ngx_azora_histogram_t         total;
    const ngx_azora_histogram_t  *histogram;

    ngx_memzero(&total, sizeof(ngx_azora_histogram_t));

    for (i = 0; i < page->nslots; i++) {

        if (!page->names->slots[i].used) {
            continue;
        }

        histogram = &page->names->slots[i].cells[cell];

        for (k = 0; k < NGX_AZORA_BUCKETS; k++) {
            total.count[k] += histogram->count[k];
        }

        total.sum_ns += histogram->sum_ns;
    }

    for (n = 0, k = 0; k < NGX_AZORA_BUCKETS; k++) {
        n += total.count[k];
    }

    if (n == 0) {
        return;
    }

    for (n = 0, k = 0; k < NGX_AZORA_BUCKETS; k++) {
        n += total.count[k];
        ngx_azora_page_bucket(page, name, labels, ngx_azora_page_bounds[k], n);
    }

    sum_ns = total.sum_ns;

    if (labels->len == 0) {
        ngx_azora_page_print(page, "%V_sum %uL.%09uL\n%V_count %uL\n", name,
                             sum_ns / 1000000000, sum_ns % 1000000000, name,
                             n);
        return;
    }

    ngx_azora_page_print(page, "%V_sum{%V} %uL.%09uL\n", name, labels,
                         sum_ns / 1000000000, sum_ns % 1000000000);
    ngx_azora_page_print(page, "%V_count{%V} %uL\n", name, labels, n);
}


/* Nearly all lines are buckets: copied, not formatted. */

static void
ngx_azora_page_bucket(ngx_azora_page_t *page, ngx_str_t *name,
    ngx_str_t *labels, const char *bound, uint64_t n)
{
    u_char  *p;

    ngx_azora_page_room(page);

    if (page->buf == NULL) {
        return;
    }

    p = page->buf->last;

    p = ngx_cpymem(p, name->data, name->len);
    p = ngx_cpymem(p, "_bucket{", sizeof("_bucket{") - 1);

    if (labels->len) {
        p = ngx_cpymem(p, labels->data, labels->len);
        *p++ = ',';
    }

    p = ngx_cpymem(p, "le=\"", sizeof("le=\"") - 1);
    p = ngx_cpymem(p, bound, ngx_strlen(bound));
    p = ngx_cpymem(p, "\"} ", sizeof("\"} ") - 1);
    p = ngx_sprintf(p, "%uL\n", n);

    page->buf->last = p;
}


static void
ngx_azora_page_node(ngx_azora_page_t *page)
{
    ngx_azora_page_family(page, "azora_build_info", "gauge",
                          "Versions; the value is always 1.");
    ngx_azora_page_print(page,
                         "azora_build_info{version=\"%s\",nginx=\"%s\"} 1\n",
                         NGX_AZORA_VERSION, NGINX_VERSION);

#if (NGX_STAT_STUB)

    /* NGINX counts these itself, for stub_status */

    ngx_azora_page_family(page, "http_server_active_requests", "gauge",
                          "HTTP requests being read, worked on or answered.");
    ngx_azora_page_print(page, "http_server_active_requests %uA\n",
                         *ngx_stat_reading + *ngx_stat_writing);

    ngx_azora_page_family(page, "nginx_connections_active", "gauge",
                          "Open client connections, idle ones included.");
    ngx_azora_page_print(page, "nginx_connections_active %uA\n",
                         *ngx_stat_active);

#endif

    ngx_azora_page_family(page, "azora_metrics_dropped_total", "counter",
                          "Observations counted as \"other\" because all "
                          "histograms were in use.");
    ngx_azora_page_print(page, "azora_metrics_dropped_total %uA\n",
                         page->names->node->dropped);
}


static void
ngx_azora_page_breakers(ngx_azora_page_t *page)
{
    ngx_uint_t   i, k, state;
    const char  *name;

    ngx_azora_page_family(page, "circuit_breaker_state", "gauge",
                          "1 for the state in which the breaker is.");

    for (i = 0; (name = ngx_azora_breaker_name(i)) != NULL; i++) {
        state = ngx_azora_breaker_state(i);

        for (k = 0; k < 3; k++) {
            ngx_azora_page_print(page, "circuit_breaker_state{dependency="
                                 "\"%s\",state=\"%s\"} %ui\n",
                                 name,
                                 ngx_azora_page_states[k],
                                 (ngx_uint_t) (state == k));
        }
    }
}


static void
ngx_azora_page_lanes(ngx_azora_page_t *page)
{
    ngx_uint_t               i, k, n;
    const ngx_azora_slot_t  *slot;

    ngx_azora_page_family(page, "azora_pg_connections", "gauge",
                          "Live connections to PostgreSQL, a second old.");

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        n = 0;

        for (k = 0; k < page->nslots; k++) {
            slot = &page->names->slots[k];

            if (slot->lanes[i] != 0 && ngx_azora_shm_alive(slot)) {
                n += slot->lanes[i];
            }
        }

        ngx_azora_page_print(page, "azora_pg_connections{lane=\"%s\"} %ui\n",
                             ngx_azora_page_lane_names[i], n);
    }
}


static ngx_int_t
ngx_azora_page_send(ngx_azora_page_t *page)
{
    ngx_int_t            rc;
    ngx_chain_t         *cl;
    ngx_http_request_t  *r;

    r = page->request;

    for (cl = page->chain; cl != NULL; cl = cl->next) {
        page->size += cl->buf->last - cl->buf->pos;
    }

    page->tail->buf->last_buf = (r == r->main) ? 1 : 0;
    page->tail->buf->last_in_chain = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = page->size;

    ngx_str_set(&r->headers_out.content_type,
                "text/plain; version=0.0.4; charset=utf-8");
    r->headers_out.content_type_len = sizeof("text/plain") - 1;
    r->headers_out.content_type_lowcase = NULL;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, page->chain);
}
