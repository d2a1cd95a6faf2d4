
/*
 * The page of metrics, second half: counters, gauges and histograms of the
 * modules.
 */


#include "ngx_azora_metrics_page.h"


static void ngx_azora_page_own(ngx_azora_page_t *page,
    const ngx_azora_metric_t *metric, ngx_uint_t index);
static void ngx_azora_page_labelled(ngx_azora_page_t *page,
    const ngx_azora_metric_t *metric, ngx_uint_t index);
static int64_t ngx_azora_page_sum(ngx_azora_page_t *page,
    const ngx_azora_metric_t *metric, ngx_uint_t index);


/* Series of one family stand together, wherever they were registered. */

void
ngx_azora_page_metrics(ngx_azora_page_t *page)
{
    int64_t                    sum;
    ngx_uint_t                 i, k, n;
    const ngx_azora_metric_t  *metrics;

    n = ngx_azora_main_conf->metrics.nelts;
    metrics = ngx_azora_main_conf->metrics.elts;

    for (i = 0; i < n; i++) {

        for (k = 0; k < i; k++) {
            if (ngx_strcmp(metrics[k].name, metrics[i].name) == 0) {
                break;
            }
        }

        if (k < i) {
            continue;
        }

        if (metrics[i].type == NGX_AZORA_HISTOGRAM) {
            ngx_azora_page_own(page, &metrics[i], i);
            continue;
        }

        ngx_azora_page_family(page, metrics[i].name,
                              metrics[i].type == NGX_AZORA_GAUGE
                              ? "gauge" : "counter", metrics[i].help);

        if (metrics[i].type == NGX_AZORA_LABELLED) {
            ngx_azora_page_labelled(page, &metrics[i], i);
            continue;
        }

        for (k = i; k < n; k++) {

            if (ngx_strcmp(metrics[k].name, metrics[i].name) != 0) {
                continue;
            }

            sum = ngx_azora_page_sum(page, &metrics[k], k);

            if (metrics[k].labels != NULL) {
                ngx_azora_page_print(page, "%s{%s} %L\n", metrics[k].name,
                                     metrics[k].labels, sum);

            } else {
                ngx_azora_page_print(page, "%s %L\n", metrics[k].name, sum);
            }
        }
    }
}


static void
ngx_azora_page_own(ngx_azora_page_t *page, const ngx_azora_metric_t *metric,
    ngx_uint_t index)
{
    ngx_str_t   name, labels;
    ngx_uint_t  number, cell;

    ngx_azora_page_family(page, metric->name, "histogram", metric->help);

    number = page->names->metrics[index];
    cell = (number == NGX_AZORA_UNNAMED) ? 0 : page->names->node->own[number];

    if (cell == 0) {
        return;
    }

    name.data = (u_char *) metric->name;
    name.len = ngx_strlen(metric->name);
    ngx_str_null(&labels);

    ngx_azora_page_histogram(page, &name, cell - 1, &labels);
}


static void
ngx_azora_page_labelled(ngx_azora_page_t *page,
    const ngx_azora_metric_t *metric, ngx_uint_t index)
{
    int64_t                  others;
    uint32_t                 i;
    ngx_uint_t               number;
    const ngx_azora_node_t  *node;

    node = page->names->node;
    number = page->names->metrics[index];

    for (i = 0; i < node->nlabelled; i++) {

        if (node->labelled[i].metric == number) {
            ngx_azora_page_print(page, "%s{%s=\"%*s\"} %uA\n", metric->name,
                                 metric->labels,
                                 (size_t) node->labelled[i].len,
                                 node->labelled[i].value,
                                 node->labelled[i].count);
        }
    }

    others = ngx_azora_page_sum(page, metric, index);

    if (others != 0) {
        ngx_azora_page_print(page, "%s{%s=\"other\"} %L\n", metric->name,
                             metric->labels, others);
    }
}


static int64_t
ngx_azora_page_sum(ngx_azora_page_t *page, const ngx_azora_metric_t *metric,
    ngx_uint_t index)
{
    int64_t                  value, sum;
    ngx_uint_t               i, number;
    const ngx_azora_slot_t  *slot;

    number = page->names->metrics[index];

    if (number == NGX_AZORA_UNNAMED) {
        return 0;
    }

    sum = 0;

    for (i = 0; i < page->nslots; i++) {
        slot = &page->names->slots[i];
        value = (int64_t) slot->metrics[number];

        /* what a gauge of a dead process says is no longer so */
        if (value != 0 && metric->type == NGX_AZORA_GAUGE
            && !ngx_azora_shm_alive(slot))
        {
            continue;
        }

        sum += value;
    }

    return sum;
}
