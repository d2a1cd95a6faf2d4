
/*
 * What the workers of a node share about upstreams: calls under way and what
 * is left for retries.
 *
 * Calls are counted in a place of each process, so those of a worker that was
 * killed vanish when the next one takes its place.
 */


#include "ngx_http_azora_gateway.h"


#define NGX_HTTP_AZORA_GATEWAY_LOOKS      4
#define NGX_HTTP_AZORA_GATEWAY_RETRY      1000
#define NGX_HTTP_AZORA_GATEWAY_STORE_MAX  (10 * NGX_HTTP_AZORA_GATEWAY_RETRY)
#define NGX_HTTP_AZORA_GATEWAY_MAGIC      0x59415754474159ULL  /* "YAGTWAY" */


typedef struct {
    uint64_t                           magic;
    uint64_t                           size;
    ngx_http_azora_gateway_upstream_t  upstreams[
                                           NGX_HTTP_AZORA_GATEWAY_UPSTREAMS];
} ngx_http_azora_gateway_node_t;


static ngx_int_t ngx_http_azora_gateway_zone_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_azora_gateway_places(ngx_shm_zone_t *zone,
    ngx_http_azora_gateway_node_t *node);
static ngx_uint_t ngx_http_azora_gateway_calls(
    const ngx_http_azora_gateway_upstream_t *u);
static ngx_atomic_t *ngx_http_azora_gateway_own(
    ngx_http_azora_gateway_upstream_t *u);


ngx_int_t
ngx_http_azora_gateway_upstream_zone(ngx_conf_t *cf)
{
    ngx_str_t                            name;
    ngx_uint_t                           i, n;
    ngx_http_upstream_srv_conf_t       **us;
    ngx_http_upstream_main_conf_t       *umcf;
    ngx_http_azora_gateway_srv_conf_t   *gscf;
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    us = umcf->upstreams.elts;
    n = 0;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (us[i]->srv_conf == NULL) {
            /* made by a proxy_pass without an upstream {} */
            continue;
        }

        gscf = ngx_http_conf_upstream_srv_conf(us[i],
                                               ngx_http_azora_gateway_module);
        n += gscf->given;
    }

    if (n == 0) {
        return NGX_OK;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_gateway_module);

    ngx_str_set(&name, "azora_gateway");

    gmcf->zone = ngx_shared_memory_add(cf, &name,
                     ngx_align(sizeof(ngx_http_azora_gateway_node_t),
                               ngx_pagesize) + 8 * ngx_pagesize,
                     &ngx_http_azora_gateway_module);
    if (gmcf->zone == NULL) {
        return NGX_ERROR;
    }

    gmcf->zone->init = ngx_http_azora_gateway_zone_init;
    gmcf->zone->data = umcf;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t                *pool;
    ngx_http_azora_gateway_node_t  *node;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL || zone->shm.exists) {
        node = pool->data;

        if (node->magic != NGX_HTTP_AZORA_GATEWAY_MAGIC
            || node->size != sizeof(ngx_http_azora_gateway_node_t))
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "azora_breaker: the shared memory was made by "
                          "another version: restart instead of reloading");
            return NGX_ERROR;
        }

        return ngx_http_azora_gateway_places(zone, node);
    }

    node = ngx_slab_calloc(pool, sizeof(ngx_http_azora_gateway_node_t));
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->size = sizeof(ngx_http_azora_gateway_node_t);
    node->magic = NGX_HTTP_AZORA_GATEWAY_MAGIC;
    pool->data = node;

    return ngx_http_azora_gateway_places(zone, node);
}


/* By name, so that a reload with other upstreams finds what it knows. */

static ngx_int_t
ngx_http_azora_gateway_places(ngx_shm_zone_t *zone,
    ngx_http_azora_gateway_node_t *node)
{
    uint64_t                             hash;
    ngx_uint_t                           i, k;
    ngx_http_upstream_srv_conf_t       **us;
    ngx_http_upstream_main_conf_t       *umcf;
    ngx_http_azora_gateway_srv_conf_t   *gscf;

    umcf = zone->data;
    us = umcf->upstreams.elts;

    for (i = 0; i < umcf->upstreams.nelts; i++) {

        if (us[i]->srv_conf == NULL) {
            continue;
        }

        gscf = ngx_http_conf_upstream_srv_conf(us[i],
                                               ngx_http_azora_gateway_module);
        if (!gscf->given) {
            continue;
        }

        hash = ngx_hash_key(gscf->name.data, gscf->name.len) | 1;

        for (k = 0; k < NGX_HTTP_AZORA_GATEWAY_UPSTREAMS; k++) {
            if (node->upstreams[k].name == hash
                || node->upstreams[k].name == 0)
            {
                break;
            }
        }

        if (k == NGX_HTTP_AZORA_GATEWAY_UPSTREAMS) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "azora_breaker: more than %d upstreams since the "
                          "start", NGX_HTTP_AZORA_GATEWAY_UPSTREAMS);
            return NGX_ERROR;
        }

        node->upstreams[k].name = hash;
        gscf->place = k;
    }

    return NGX_OK;
}


void
ngx_http_azora_gateway_upstream_process(
    ngx_http_azora_gateway_main_conf_t *gmcf)
{
    ngx_uint_t                      i;
    ngx_http_azora_gateway_node_t  *node;

    if (gmcf->zone == NULL) {
        return;
    }

    node = ((ngx_slab_pool_t *) gmcf->zone->shm.addr)->data;
    gmcf->upstreams = node->upstreams;

    for (i = 0; i < NGX_HTTP_AZORA_GATEWAY_UPSTREAMS; i++) {
        *ngx_http_azora_gateway_own(&node->upstreams[i]) = 0;
    }
}


/*
 * The call is counted before all are, so that of workers that begin one at the
 * same time none misses the other's.  Both may find too many then, and look
 * again.
 */

ngx_uint_t
ngx_http_azora_gateway_call(ngx_http_azora_gateway_upstream_t *u,
    ngx_uint_t max)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_AZORA_GATEWAY_LOOKS; i++) {
        (void) ngx_atomic_fetch_add(ngx_http_azora_gateway_own(u), 1);

        if (max == 0 || ngx_http_azora_gateway_calls(u) <= max) {
            return 1;
        }

        ngx_http_azora_gateway_call_end(u);

        if (ngx_http_azora_gateway_calls(u) >= max) {
            break;
        }
    }

    return 0;
}


void
ngx_http_azora_gateway_call_end(ngx_http_azora_gateway_upstream_t *u)
{
    (void) ngx_atomic_fetch_add(ngx_http_azora_gateway_own(u), -1);
}


static ngx_uint_t
ngx_http_azora_gateway_calls(const ngx_http_azora_gateway_upstream_t *u)
{
    ngx_uint_t  i, n;

    n = 0;

    for (i = 0; i < NGX_HTTP_AZORA_GATEWAY_PROCESSES; i++) {
        n += u->calls[i];
    }

    return n;
}


/* what this process counts */

static ngx_atomic_t *
ngx_http_azora_gateway_own(ngx_http_azora_gateway_upstream_t *u)
{
    return &u->calls[ngx_process_slot % NGX_HTTP_AZORA_GATEWAY_PROCESSES];
}


void
ngx_http_azora_gateway_earn(ngx_http_azora_gateway_upstream_t *u,
    ngx_uint_t budget)
{
    /* a little more than the most when many earn at once does no harm */

    if (u->tokens < NGX_HTTP_AZORA_GATEWAY_STORE_MAX) {
        (void) ngx_atomic_fetch_add(&u->tokens,
                                    budget * NGX_HTTP_AZORA_GATEWAY_RETRY
                                    / 100);
    }
}


ngx_uint_t
ngx_http_azora_gateway_pay(ngx_http_azora_gateway_upstream_t *u)
{
    ngx_atomic_uint_t  tokens;

    do {
        tokens = u->tokens;

        if (tokens < NGX_HTTP_AZORA_GATEWAY_RETRY) {
            return 0;
        }

    } while (!ngx_atomic_cmp_set(&u->tokens, tokens,
                                 tokens - NGX_HTTP_AZORA_GATEWAY_RETRY));

    return 1;
}
