
/*
 * From the database into the worker: at its start, whenever the generation
 * "services" moves, and once a minute.  The last text is also kept in shared
 * memory, so that the workers of a reload know the nodes before they serve.
 */


#include "ngx_http_azora_service.h"


#define NGX_HTTP_AZORA_SERVICE_RETRY_MS  1000
#define NGX_HTTP_AZORA_SERVICE_AGAIN_MS  60000


/* sum tells whether the text is whole: a worker may die while it writes */

typedef struct {
    uint32_t                             len;
    uint32_t                             sum;
    u_char                               text[NGX_HTTP_AZORA_SERVICE_TEXT_MAX];
} ngx_http_azora_service_kept_t;


static ngx_int_t ngx_http_azora_service_zone(ngx_shm_zone_t *zone, void *data);
static void ngx_http_azora_service_moved(ngx_uint_t index, uint64_t value);
static void ngx_http_azora_service_ask(ngx_event_t *ev);
static void ngx_http_azora_service_loaded(ngx_azora_op_t *op, void *data);
static void ngx_http_azora_service_keep(const ngx_str_t *text);
static void ngx_http_azora_service_remember(void);


static const ngx_azora_statement_t         *ngx_http_azora_service_statement;
static ngx_http_azora_service_main_conf_t  *ngx_http_azora_service_conf;
static ngx_azora_op_t                      *ngx_http_azora_service_op;
static ngx_event_t                          ngx_http_azora_service_timer;
static ngx_uint_t                           ngx_http_azora_service_again;
static ngx_uint_t                           ngx_http_azora_service_told;


ngx_int_t
ngx_http_azora_service_load_init(ngx_conf_t *cf,
    ngx_http_azora_service_main_conf_t *smcf)
{
    ngx_str_t  sql = ngx_string("SELECT azora.service_nodes()");
    ngx_str_t  name = ngx_string("azora_service");

    ngx_http_azora_service_statement = ngx_azora_statement(cf,
                                           NGX_AZORA_LANE_SLOW,
                                           "azora.service_nodes", &sql, 0);

    if (ngx_http_azora_service_statement == NULL
        || ngx_azora_on_generation(cf, "services",
                                   ngx_http_azora_service_moved)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    smcf->zone = ngx_shared_memory_add(cf, &name,
                     ngx_align(sizeof(ngx_http_azora_service_kept_t),
                               ngx_pagesize) + 8 * ngx_pagesize,
                     &ngx_http_azora_service_module);
    if (smcf->zone == NULL) {
        return NGX_ERROR;
    }

    smcf->zone->init = ngx_http_azora_service_zone;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_service_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *slab;

    slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL || zone->shm.exists) {
        zone->data = slab->data;
        return NGX_OK;
    }

    slab->data = ngx_slab_calloc(slab,
                                 sizeof(ngx_http_azora_service_kept_t));
    zone->data = slab->data;

    return (zone->data == NULL) ? NGX_ERROR : NGX_OK;
}


void
ngx_http_azora_service_load_process(ngx_cycle_t *cycle,
    ngx_http_azora_service_main_conf_t *smcf)
{
    ngx_http_azora_service_conf = smcf;

    ngx_http_azora_service_remember();

    ngx_azora_event(&ngx_http_azora_service_timer, ngx_http_azora_service_ask,
                    cycle->log);
    ngx_http_azora_service_timer.cancelable = 1;

    ngx_add_timer(&ngx_http_azora_service_timer, 1);
}


void
ngx_http_azora_service_load_exit(void)
{
    if (ngx_http_azora_service_conf == NULL) {
        return;
    }

    if (ngx_http_azora_service_timer.timer_set) {
        ngx_del_timer(&ngx_http_azora_service_timer);
    }

    ngx_http_azora_service_forget(ngx_http_azora_service_conf);
    ngx_http_azora_service_conf = NULL;
}


static void
ngx_http_azora_service_moved(ngx_uint_t index, uint64_t value)
{
    if (ngx_http_azora_service_conf == NULL || ngx_exiting) {
        return;
    }

    if (ngx_http_azora_service_op != NULL) {
        /* what is on its way may be from before */
        ngx_http_azora_service_again = 1;
        return;
    }

    ngx_add_timer(&ngx_http_azora_service_timer, 1);
}


static void
ngx_http_azora_service_ask(ngx_event_t *ev)
{
    if (ngx_exiting || ngx_http_azora_service_op != NULL) {
        return;
    }

    ngx_http_azora_service_again = 0;
    ngx_http_azora_service_op =
        ngx_azora_query(ngx_http_azora_service_statement, NULL, 0,
                        ngx_http_azora_service_loaded, NULL);

    if (ngx_http_azora_service_op == NULL) {
        ngx_add_timer(ev, NGX_HTTP_AZORA_SERVICE_RETRY_MS);
    }
}


static void
ngx_http_azora_service_loaded(ngx_azora_op_t *op, void *data)
{
    ngx_str_t    text;
    ngx_msec_t   wait;

    ngx_http_azora_service_op = NULL;

    if (ngx_http_azora_service_conf == NULL || ngx_exiting) {
        return;
    }

    text = ngx_azora_op_value(op, 0, 0);
    wait = NGX_HTTP_AZORA_SERVICE_AGAIN_MS;

    if (text.data != NULL
        && ngx_http_azora_service_apply(ngx_http_azora_service_conf, &text)
           == NGX_OK)
    {
        ngx_http_azora_service_keep(&text);
        ngx_http_azora_service_told = 0;

    } else {
        /* at a start the connections are still being made */

        if (++ngx_http_azora_service_told == 5) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "azora: the nodes of services cannot be read: "
                          "%s %s", ngx_azora_op_sqlstate(op),
                          ngx_azora_op_message(op));
        }

        wait = NGX_HTTP_AZORA_SERVICE_RETRY_MS;
    }

    if (ngx_http_azora_service_again) {
        wait = 1;
    }

    ngx_add_timer(&ngx_http_azora_service_timer, wait);
}


static void
ngx_http_azora_service_keep(const ngx_str_t *text)
{
    ngx_slab_pool_t                *slab;
    ngx_http_azora_service_kept_t  *kept;

    slab = (ngx_slab_pool_t *) ngx_http_azora_service_conf->zone->shm.addr;
    kept = slab->data;

    if (text->len > NGX_HTTP_AZORA_SERVICE_TEXT_MAX) {
        return;
    }

    ngx_shmtx_lock(&slab->mutex);

    kept->len = 0;
    ngx_memory_barrier();

    ngx_memcpy(kept->text, text->data, text->len);
    kept->sum = ngx_crc32_long(text->data, text->len);
    ngx_memory_barrier();

    kept->len = (uint32_t) text->len;

    ngx_shmtx_unlock(&slab->mutex);
}


static void
ngx_http_azora_service_remember(void)
{
    ngx_str_t                       text;
    ngx_slab_pool_t                *slab;
    ngx_http_azora_service_kept_t  *kept;

    slab = (ngx_slab_pool_t *) ngx_http_azora_service_conf->zone->shm.addr;
    kept = slab->data;

    text.data = ngx_alloc(NGX_HTTP_AZORA_SERVICE_TEXT_MAX, ngx_cycle->log);
    if (text.data == NULL) {
        return;
    }

    ngx_shmtx_lock(&slab->mutex);

    text.len = ngx_min(kept->len, NGX_HTTP_AZORA_SERVICE_TEXT_MAX);
    ngx_memcpy(text.data, kept->text, text.len);

    if (ngx_crc32_long(text.data, text.len) != kept->sum) {
        text.len = 0;
    }

    ngx_shmtx_unlock(&slab->mutex);

    if (text.len != 0) {
        (void) ngx_http_azora_service_apply(ngx_http_azora_service_conf,
                                            &text);
    }

    ngx_free(text.data);
}
