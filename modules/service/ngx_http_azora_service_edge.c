
/*
 * GET /v1/admin/edge, and the services' section of it: the nodes as this
 * worker sees them.
 */


#include "ngx_http_azora_service.h"


static json_t *ngx_http_azora_service_report(void);
static json_t *ngx_http_azora_service_one(
    const ngx_http_azora_service_t *service);
static const char *ngx_http_azora_service_health(
    const ngx_http_azora_service_node_t *node);


ngx_int_t
ngx_http_azora_service_edge_init(ngx_conf_t *cf)
{
    return ngx_azora_edge_section(cf, "services",
                                  ngx_http_azora_service_report);
}


ngx_int_t
ngx_http_azora_service_edge(ngx_http_request_t *r)
{
    json_t     *root;
    ngx_int_t   rc;
    ngx_str_t   body;

    root = ngx_azora_edge_report();
    rc = ngx_azora_json_dump(r->pool, root, &body);
    json_decref(root);

    return (rc == NGX_OK) ? ngx_azora_send(r, NGX_HTTP_OK, NULL, &body)
                          : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static json_t *
ngx_http_azora_service_report(void)
{
    json_t                              *services;
    ngx_uint_t                           i;
    ngx_http_azora_service_t           **service;
    ngx_http_azora_service_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_azora_service_module);
    service = smcf->services.elts;
    services = json_array();

    for (i = 0; services != NULL && i < smcf->services.nelts; i++) {

        if (json_array_append_new(services,
                                  ngx_http_azora_service_one(service[i]))
            != 0)
        {
            json_decref(services);
            return NULL;
        }
    }

    return services;
}


static json_t *
ngx_http_azora_service_one(const ngx_http_azora_service_t *service)
{
    json_t                               *nodes;
    ngx_queue_t                          *q;
    const ngx_http_azora_service_node_t  *node;

    nodes = json_array();

    for (q = ngx_queue_head(&service->nodes);
         q != ngx_queue_sentinel(&service->nodes);
         q = ngx_queue_next(q))
    {
        node = ngx_queue_data(q, ngx_http_azora_service_node_t, queue);

        if (json_array_append_new(nodes, json_pack("{s:s%, s:I, s:s, s:s, s:I}",
                "address", node->address.data, node->address.len,
                "weight", (json_int_t) node->weight,
                "state", node->active ? "active" : "draining",
                "health", ngx_http_azora_service_health(node),
                "requests", (json_int_t) (node->peer ? node->peer->conns : 0)))
            != 0)
        {
            json_decref(nodes);
            return NULL;
        }
    }

    return json_pack("{s:s%, s:o}",
                     "service", service->name.data, service->name.len,
                     "nodes", nodes);
}


static const char *
ngx_http_azora_service_health(const ngx_http_azora_service_node_t *node)
{
    if (node->service->check == NGX_HTTP_AZORA_SERVICE_UNCHECKED) {
        return "unchecked";
    }

    return node->healthy ? "well" : "not well";
}
