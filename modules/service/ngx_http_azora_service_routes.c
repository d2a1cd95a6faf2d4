
/*
 * The rows of the service capability.
 */


#include "ngx_http_azora_service.h"


static const ngx_azora_field_t  ngx_http_azora_service_node_fields[] = {
    { "name", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH,
      .about = "The service, as azora_service names it." },
    { "address", NGX_AZORA_TEXT, NGX_AZORA_IN_PATH, 9, 53,
      .about = "An IP address and a port, IPv6 in brackets." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_service_set_fields[] = {
    { "name", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH,
      .about = "The service, as azora_service names it." },
    { "address", NGX_AZORA_TEXT, NGX_AZORA_IN_PATH, 9, 53,
      .about = "An IP address and a port, IPv6 in brackets." },
    { "weight", NGX_AZORA_INTEGER, 0, 1, 100,
      .about = "Its share beside the others' weights; 1 for a new node." },
    { "state", NGX_AZORA_ENUM, .values = "active|draining",
      .about = "A node that is draining gets no more requests." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_service_node[] = {
    { "service", NGX_AZORA_SLUG, .about = "The service." },
    { "address", NGX_AZORA_TEXT, .about = "Address and port." },
    { "weight", NGX_AZORA_INTEGER, .about = "Its share of the requests." },
    { "state", NGX_AZORA_ENUM, .values = "active|draining",
      .about = "Whether it gets requests." },
    { "changed_at", NGX_AZORA_TIME, .about = "When it last changed." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_service_list_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_service_list[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_service_node,
      .about = "Nodes by service and address." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "The cursor of the next page." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_edge_zone[] = {
    { "zone", NGX_AZORA_TEXT, .about = "Its name." },
    { "shared", NGX_AZORA_BOOLEAN, .about = "Whether nodes share it." },
    { "keys", NGX_AZORA_INTEGER, .about = "Cells that hold a key." },
    { "size", NGX_AZORA_INTEGER, .about = "Cells." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_edge_node[] = {
    { "address", NGX_AZORA_TEXT, .about = "Address and port." },
    { "weight", NGX_AZORA_INTEGER, .about = "Its share of the requests." },
    { "state", NGX_AZORA_ENUM, .values = "active|draining",
      .about = "Whether it gets requests." },
    { "health", NGX_AZORA_TEXT, .about = "unchecked, well or not well." },
    { "requests", NGX_AZORA_INTEGER, .about = "Under way from this worker." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_edge_service[] = {
    { "service", NGX_AZORA_SLUG, .about = "The service." },
    { "nodes", NGX_AZORA_LIST, .items = ngx_http_azora_edge_node,
      .about = "Its nodes." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_edge_breakers[] = {
    { "postgres", NGX_AZORA_TEXT, .about = "closed, open or half-open." },
    { "redis", NGX_AZORA_TEXT, .about = "closed, open or half-open." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_edge_cache[] = {
    { "entries", NGX_AZORA_INTEGER, .about = "Answers that are kept." },
    { "bytes", NGX_AZORA_INTEGER, .about = "What they take." },
    { "size", NGX_AZORA_INTEGER, .about = "What they may take." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_edge_returns[] = {
    { "limits", NGX_AZORA_LIST, .items = ngx_http_azora_edge_zone,
      .about = "Zones of azora_limit_zone." },
    { "breakers", NGX_AZORA_OBJECT, .items = ngx_http_azora_edge_breakers,
      .about = "Of what Azora needs itself, and each upstream that has one." },
    { "services", NGX_AZORA_LIST, .items = ngx_http_azora_edge_service,
      .about = "Upstreams with azora_service." },
    { "cache", NGX_AZORA_OBJECT, NGX_AZORA_NULLABLE,
      .items = ngx_http_azora_edge_cache,
      .about = "The response cache; null when it is off." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_service_rows[] = {

    { NGX_HTTP_GET, "/v1/admin/services", NGX_AZORA_USER, "admin",
      .fields = ngx_http_azora_service_list_fields,
      .returns = ngx_http_azora_service_list,
      .function = "azora.list_service_nodes",
      .summary = "List the nodes of services",
      .roles = "admin" },

    { NGX_HTTP_PUT, "/v1/admin/services/{name}/nodes/{address}",
      NGX_AZORA_USER, "admin",
      .fields = ngx_http_azora_service_set_fields,
      .returns = ngx_http_azora_service_node,
      .function = "azora.set_service_node",
      .summary = "Add a node to a service, or change it",
      .roles = "admin", .answers = "200|201" },

    { NGX_HTTP_DELETE, "/v1/admin/services/{name}/nodes/{address}",
      NGX_AZORA_USER, "admin",
      .fields = ngx_http_azora_service_node_fields,
      .function = "azora.remove_service_node",
      .summary = "Remove a node from a service",
      .roles = "admin" },

    { NGX_HTTP_GET, "/v1/admin/edge", NGX_AZORA_USER, "admin",
      .returns = ngx_http_azora_edge_returns,
      .handler = ngx_http_azora_service_edge,
      .summary = "Show limits, breakers, services and the cache as they are",
      .roles = "admin" },

    NGX_AZORA_ROWS_END
};
