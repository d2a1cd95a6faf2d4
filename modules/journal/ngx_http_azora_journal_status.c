
/* What others see of the sequencer: metrics and readiness. */


#include "ngx_http_azora_journal_sequencer.h"


static ngx_int_t ngx_http_azora_journal_zone_init(ngx_shm_zone_t *zone,
    void *data);


ngx_int_t
ngx_http_azora_journal_metrics(ngx_conf_t *cf)
{
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    s->size.metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                      "chronicle_tree_size", NULL,
                                      "Entries this node has published.");
    s->pending.metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                         "chronicle_pending_entries", NULL,
                                         "Entries that wait for a number, "
                                         "counted up to 10000.");
    s->signed_at.metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                           "chronicle_checkpoint_timestamp_"
                                           "seconds", NULL,
                                           "When the last checkpoint was "
                                           "signed.");
    s->refused.metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                         "chronicle_refused", NULL,
                                         "1 while the log's files and "
                                         "PostgreSQL contradict each other.");
    s->batches_metric = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                         "chronicle_integrations_total", NULL,
                                         "Batches this node has numbered.");

    s->oldest.metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                        "nexus_outbox_oldest_age_seconds",
                                        NULL, "Age of the oldest entry that "
                                        "waits for a number.");
    s->pass_metric = ngx_azora_metric(cf, NGX_AZORA_HISTOGRAM,
                                      "chronicle_integrate_duration_seconds",
                                      NULL, "From picking entries until they "
                                      "are published.");
    s->types_metric = ngx_azora_metric(cf, NGX_AZORA_LABELLED,
                                       "nexus_events_published_total", "type",
                                       "Events this node has numbered.");

    return (s->size.metric == NGX_AZORA_NONE
            || s->oldest.metric == NGX_AZORA_NONE
            || s->pass_metric == NGX_AZORA_NONE
            || s->types_metric == NGX_AZORA_NONE
            || s->pending.metric == NGX_AZORA_NONE
            || s->signed_at.metric == NGX_AZORA_NONE
            || s->refused.metric == NGX_AZORA_NONE
            || s->batches_metric == NGX_AZORA_NONE) ? NGX_ERROR : NGX_OK;
}


void
ngx_http_azora_journal_gauge(ngx_http_azora_journal_gauge_t *gauge,
    ngx_int_t value)
{
    if (value != NGX_ERROR && value != gauge->value) {
        ngx_azora_metric_add(gauge->metric, value - gauge->value);
        gauge->value = value;
    }
}


/* RFC 9562, 5.7: the first 48 bits are milliseconds of Unix time. */

void
ngx_http_azora_journal_oldest(const ngx_str_t *id)
{
    u_char       digits[12];
    int64_t      ms;
    ngx_time_t  *now;

    if (id == NULL || id->data == NULL || id->len != 36) {
        ngx_http_azora_journal_gauge(
            &ngx_http_azora_journal_sequencer.oldest, 0);
        return;
    }

    ngx_memcpy(digits, id->data, 8);
    ngx_memcpy(digits + 8, id->data + 9, 4);

    now = ngx_timeofday();
    ms = (int64_t) now->sec * 1000 + now->msec
         - ngx_hextoi(digits, sizeof(digits));

    ngx_http_azora_journal_gauge(&ngx_http_azora_journal_sequencer.oldest,
                                 ms > 0 ? (ngx_int_t) (ms / 1000) : 0);
}


/* One word that all workers share: whether the sequencer refuses to go on. */

ngx_int_t
ngx_http_azora_journal_zone(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    ngx_str_t  name = ngx_string("azora_chronicle");

    conf->zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                       &ngx_http_azora_journal_module);
    if (conf->zone == NULL) {
        return NGX_ERROR;
    }

    conf->zone->init = ngx_http_azora_journal_zone_init;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_journal_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL) {
        zone->data = data;
        return NGX_OK;
    }

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    zone->data = ngx_slab_calloc(shpool, sizeof(ngx_atomic_t));
    shpool->data = zone->data;

    return zone->data == NULL ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_http_azora_journal_ready(void)
{
    ngx_http_azora_journal_conf_t  *conf;

    conf = ngx_http_azora_journal_conf;

    return (conf->zone != NULL && *(ngx_atomic_t *) conf->zone->data)
           ? NGX_DECLINED : NGX_OK;
}
