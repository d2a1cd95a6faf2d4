
/*
 * The registry in this worker: which nodes a service has.  A node that stays
 * keeps what is known of its health.
 */


#include "ngx_http_azora_service.h"


static ngx_http_azora_service_t *ngx_http_azora_service_named(
    ngx_http_azora_service_main_conf_t *smcf, const char *name);
static void ngx_http_azora_service_take(ngx_http_azora_service_t *service,
    json_t *item);
static ngx_uint_t ngx_http_azora_service_allowed(
    ngx_http_azora_service_t *service, struct sockaddr *sockaddr);
static ngx_http_azora_service_node_t *ngx_http_azora_service_node(
    ngx_http_azora_service_t *service, const ngx_str_t *address);
static void ngx_http_azora_service_sweep(ngx_http_azora_service_t *service);


ngx_int_t
ngx_http_azora_service_apply(ngx_http_azora_service_main_conf_t *smcf,
    const ngx_str_t *text)
{
    size_t                      i;
    json_t                     *root;
    ngx_http_azora_service_t  **services, *service;

    root = json_loadb((char *) text->data, text->len, 0, NULL);

    if (!json_is_array(root)) {
        json_decref(root);
        return NGX_ERROR;
    }

    for (i = 0; i < json_array_size(root)
                && i < NGX_HTTP_AZORA_SERVICE_NODES_MAX; i++)
    {
        service = ngx_http_azora_service_named(smcf,
                      json_string_value(json_object_get(
                          json_array_get(root, i), "service")));

        if (service != NULL) {
            ngx_http_azora_service_take(service, json_array_get(root, i));
        }
    }

    json_decref(root);

    services = smcf->services.elts;

    for (i = 0; i < smcf->services.nelts; i++) {
        ngx_http_azora_service_sweep(services[i]);
    }

    return NGX_OK;
}


/* NULL: no upstream of this configuration is for it */

static ngx_http_azora_service_t *
ngx_http_azora_service_named(ngx_http_azora_service_main_conf_t *smcf,
    const char *name)
{
    ngx_uint_t                  i;
    ngx_http_azora_service_t  **services;

    services = smcf->services.elts;

    for (i = 0; name != NULL && i < smcf->services.nelts; i++) {
        if (ngx_strcmp(services[i]->name.data, name) == 0) {
            return services[i];
        }
    }

    return NULL;
}


static void
ngx_http_azora_service_take(ngx_http_azora_service_t *service, json_t *item)
{
    ngx_str_t                       address;
    const char                     *state;
    ngx_http_azora_service_node_t  *node;

    address.data = (u_char *) json_string_value(json_object_get(item,
                                                                "address"));
    state = json_string_value(json_object_get(item, "state"));

    if (address.data == NULL || state == NULL) {
        return;
    }

    address.len = ngx_strlen(address.data);

    node = ngx_http_azora_service_node(service, &address);
    if (node == NULL) {
        return;
    }

    node->seen = 1;
    node->active = (ngx_strcmp(state, "active") == 0);
    node->weight = (ngx_uint_t) json_integer_value(json_object_get(item,
                                                                   "weight"));
    node->weight = ngx_max(node->weight, 1);
}


/* The node of that address, a new one if need be; NULL: it is not used. */

static ngx_http_azora_service_node_t *
ngx_http_azora_service_node(ngx_http_azora_service_t *service,
    const ngx_str_t *address)
{
    ngx_addr_t                      addr;
    ngx_pool_t                     *pool;
    ngx_queue_t                    *q;
    ngx_http_azora_service_node_t  *node;

    for (q = ngx_queue_head(&service->nodes);
         q != ngx_queue_sentinel(&service->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_azora_service_node_t, queue);

        if (node->address.len == address->len
            && ngx_memcmp(node->address.data, address->data, address->len)
               == 0)
        {
            return node;
        }
    }

    node = ngx_calloc(sizeof(ngx_http_azora_service_node_t), ngx_cycle->log);
    pool = ngx_create_pool(512, ngx_cycle->log);

    if (node == NULL || pool == NULL || address->len > sizeof(node->text)
        || ngx_parse_addr_port(pool, &addr, address->data, address->len)
           != NGX_OK
        || addr.socklen > (socklen_t) sizeof(node->sockaddr)
        || !ngx_http_azora_service_allowed(service, addr.sockaddr))
    {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora: service \"%V\" may not be at %V",
                      &service->name, address);

        if (pool != NULL) {
            ngx_destroy_pool(pool);
        }

        ngx_free(node);

        return NULL;
    }

    ngx_memcpy(&node->sockaddr, addr.sockaddr, addr.socklen);
    node->socklen = addr.socklen;
    ngx_destroy_pool(pool);

    ngx_memcpy(node->text, address->data, address->len);
    node->address.data = node->text;
    node->address.len = address->len;
    node->service = service;
    node->healthy = 1;

    ngx_queue_insert_tail(&service->nodes, &node->queue);

    ngx_http_azora_service_check_start(node);

    return node;
}


/*
 * Who may change the registry is not yet who may reach what this machine
 * keeps to itself, or the machine's provider to the machine.
 */

static ngx_uint_t
ngx_http_azora_service_allowed(ngx_http_azora_service_t *service,
    struct sockaddr *sockaddr)
{
    u_char               *p;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    if (service->allow.nelts != 0) {
        return ngx_cidr_match(sockaddr, &service->allow) == NGX_OK;
    }

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        p = (u_char *) &sin->sin_addr;

        return p[0] != 0 && p[0] != 127 && p[0] < 224
               && !(p[0] == 169 && p[1] == 254);

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;

        return !IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr)
               && !IN6_IS_ADDR_UNSPECIFIED(&sin6->sin6_addr)
               && !IN6_IS_ADDR_LINKLOCAL(&sin6->sin6_addr)
               && !IN6_IS_ADDR_MULTICAST(&sin6->sin6_addr)
               && !IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr);
#endif

    default:
        return 0;
    }
}


/* What was not seen is gone; the rest becomes the set. */

static void
ngx_http_azora_service_sweep(ngx_http_azora_service_t *service)
{
    ngx_queue_t                    *q, *next;
    ngx_http_azora_service_node_t  *node;

    for (q = ngx_queue_head(&service->nodes);
         q != ngx_queue_sentinel(&service->nodes);
         q = next)
    {
        next = ngx_queue_next(q);
        node = ngx_queue_data(q, ngx_http_azora_service_node_t, queue);

        if (node->seen) {
            node->seen = 0;
            continue;
        }

        ngx_http_azora_service_check_stop(node);
        ngx_queue_remove(&node->queue);
        ngx_free(node);
    }

    if (ngx_http_azora_service_set_make(service) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "azora: no memory for the nodes of service \"%V\"",
                      &service->name);
    }
}


void
ngx_http_azora_service_forget(ngx_http_azora_service_main_conf_t *smcf)
{
    ngx_uint_t                  i;
    ngx_http_azora_service_t  **services;

    services = smcf->services.elts;

    for (i = 0; i < smcf->services.nelts; i++) {
        ngx_http_azora_service_sweep(services[i]);

        if (services[i]->set != NULL) {
            ngx_http_azora_service_set_release(services[i]->set);
            services[i]->set = NULL;
        }
    }
}
