
/*
 * The set of nodes that requests of an upstream are balanced over: NGINX's own
 * round robin, with its weights, passive failures and retries, on peers that
 * come from the registry.  A set that is replaced lives as long as a request
 * that began with it.
 */


#include "ngx_http_azora_service.h"


/* what a server line of an upstream block has by default */
#define NGX_HTTP_AZORA_SERVICE_MAX_FAILS     1
#define NGX_HTTP_AZORA_SERVICE_FAIL_TIMEOUT  10


static void ngx_http_azora_service_set_use(ngx_http_azora_service_t *service,
    ngx_http_azora_service_set_t *set);
static ngx_http_upstream_rr_peer_t *ngx_http_azora_service_peer(
    ngx_http_azora_service_set_t *set,
    const ngx_http_azora_service_node_t *node);


ngx_int_t
ngx_http_azora_service_set_make(ngx_http_azora_service_t *service)
{
    ngx_pool_t                     *pool;
    ngx_queue_t                    *q;
    ngx_http_upstream_rr_peer_t    *peer, **last;
    ngx_http_azora_service_set_t   *set;
    ngx_http_azora_service_node_t  *node;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    set = ngx_pcalloc(pool, sizeof(ngx_http_azora_service_set_t));
    if (set == NULL) {
        goto failed;
    }

    set->pool = pool;
    set->used = 1;
    set->peers.name = &service->name;
    last = &set->peers.peer;

    for (q = ngx_queue_head(&service->nodes);
         q != ngx_queue_sentinel(&service->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_azora_service_node_t, queue);

        if (!node->active) {
            continue;
        }

        peer = ngx_http_azora_service_peer(set, node);
        if (peer == NULL) {
            goto failed;
        }

        *last = peer;
        last = &peer->next;

        set->peers.number++;
        set->peers.tries++;
        set->peers.total_weight += node->weight;
    }

    set->peers.single = (set->peers.number == 1);
    set->peers.weighted = (set->peers.total_weight != set->peers.number);

    ngx_http_azora_service_set_use(service, set);

    return NGX_OK;

failed:

    ngx_destroy_pool(pool);

    return NGX_ERROR;
}


/* Nothing can fail here: the nodes learn where they are in the set. */

static void
ngx_http_azora_service_set_use(ngx_http_azora_service_t *service,
    ngx_http_azora_service_set_t *set)
{
    ngx_queue_t                    *q;
    ngx_http_upstream_rr_peer_t    *peer;
    ngx_http_azora_service_node_t  *node;

    peer = set->peers.peer;

    for (q = ngx_queue_head(&service->nodes);
         q != ngx_queue_sentinel(&service->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_azora_service_node_t, queue);
        node->peer = NULL;

        if (node->active) {
            node->peer = peer;
            peer = peer->next;
        }
    }

    if (service->set != NULL) {
        ngx_http_azora_service_set_release(service->set);
    }

    service->set = set;
}


static ngx_http_upstream_rr_peer_t *
ngx_http_azora_service_peer(ngx_http_azora_service_set_t *set,
    const ngx_http_azora_service_node_t *node)
{
    ngx_http_upstream_rr_peer_t  *peer;

    peer = ngx_pcalloc(set->pool, sizeof(ngx_http_upstream_rr_peer_t));
    if (peer == NULL) {
        return NULL;
    }

    peer->sockaddr = ngx_palloc(set->pool, node->socklen);
    peer->name.data = ngx_pstrdup(set->pool, (ngx_str_t *) &node->address);

    if (peer->sockaddr == NULL || peer->name.data == NULL) {
        return NULL;
    }

    ngx_memcpy(peer->sockaddr, &node->sockaddr, node->socklen);

    peer->socklen = node->socklen;
    peer->name.len = node->address.len;
    peer->server = peer->name;
    peer->weight = node->weight;
    peer->effective_weight = node->weight;
    peer->max_fails = NGX_HTTP_AZORA_SERVICE_MAX_FAILS;
    peer->fail_timeout = NGX_HTTP_AZORA_SERVICE_FAIL_TIMEOUT;
    peer->down = !node->healthy;

    return peer;
}


void
ngx_http_azora_service_set_release(ngx_http_azora_service_set_t *set)
{
#if (NGX_HTTP_SSL)
    ngx_http_upstream_rr_peer_t  *peer;
#endif

    if (--set->used != 0) {
        return;
    }

#if (NGX_HTTP_SSL)

    for (peer = set->peers.peer; peer != NULL; peer = peer->next) {
        if (peer->ssl_session != NULL) {
            ngx_ssl_free_session(peer->ssl_session);
        }
    }

#endif

    ngx_destroy_pool(set->pool);
}
