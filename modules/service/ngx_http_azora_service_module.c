
/*
 * Services behind Azora whose nodes stand in the database: an upstream block
 * with azora_service follows them without a reload.
 */


#include "ngx_http_azora_service.h"


static ngx_int_t ngx_http_azora_service_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_service_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_service_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_azora_service_create_srv_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_service_init_process(ngx_cycle_t *cycle);
static void ngx_http_azora_service_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_azora_service(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static const char *ngx_http_azora_service_parameter(ngx_conf_t *cf,
    ngx_http_azora_service_t *service, ngx_str_t *value);
static const char *ngx_http_azora_service_check(ngx_conf_t *cf,
    ngx_http_azora_service_t *service, ngx_str_t *value);
static ngx_int_t ngx_http_azora_service_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_azora_service_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
static ngx_int_t ngx_http_azora_service_no_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_azora_service_free_none(ngx_peer_connection_t *pc,
    void *data, ngx_uint_t state);
static void ngx_http_azora_service_done(void *data);


static ngx_command_t  ngx_http_azora_service_commands[] = {

    { ngx_string("azora_service"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_azora_service,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_service_module_ctx = {
    ngx_http_azora_service_preconfiguration,   /* preconfiguration */
    ngx_http_azora_service_postconfiguration,  /* postconfiguration */

    ngx_http_azora_service_create_main_conf,   /* create main conf */
    NULL,                                      /* init main conf */

    ngx_http_azora_service_create_srv_conf,    /* create server conf */
    NULL,                                      /* merge server conf */

    NULL,                                      /* create location conf */
    NULL                                       /* merge location conf */
};


ngx_module_t  ngx_http_azora_service_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_service_module_ctx,    /* module context */
    ngx_http_azora_service_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_azora_service_init_process,   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_azora_service_exit_process,   /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_capability_t  ngx_http_azora_service_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "service",
    .rows = ngx_http_azora_service_rows,
    .about = "Where the services behind Azora are."
};


static ngx_int_t
ngx_http_azora_service_preconfiguration(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_service_capability);
}


static ngx_int_t
ngx_http_azora_service_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_service_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_service_module);

    if (ngx_http_azora_service_edge_init(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return smcf->services.nelts ? ngx_http_azora_service_load_init(cf, smcf)
                                : NGX_OK;
}


static void *
ngx_http_azora_service_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_azora_service_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_service_main_conf_t));

    if (smcf == NULL
        || ngx_array_init(&smcf->services, cf->pool, 4,
                          sizeof(ngx_http_azora_service_t *))
           != NGX_OK)
    {
        return NULL;
    }

    return smcf;
}


static void *
ngx_http_azora_service_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_service_t));
}


static ngx_int_t
ngx_http_azora_service_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                           i;
    ngx_http_azora_service_t           **services;
    ngx_http_azora_service_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_azora_service_module);

    if (smcf == NULL || smcf->services.nelts == 0
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    services = smcf->services.elts;

    for (i = 0; i < smcf->services.nelts; i++) {
        ngx_queue_init(&services[i]->nodes);
    }

    ngx_http_azora_service_load_process(cycle, smcf);

    return NGX_OK;
}


static void
ngx_http_azora_service_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_service_load_exit();
}


/* azora_service NAME [check=..] [interval=..] [timeout=..] ...; */

static char *
ngx_http_azora_service(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_service_t *service = conf;

    ngx_str_t                            *value;
    ngx_uint_t                            i;
    const char                           *wrong;
    ngx_http_upstream_server_t           *server;
    ngx_http_azora_service_t            **entry;
    ngx_http_upstream_srv_conf_t         *uscf;
    ngx_http_azora_service_main_conf_t   *smcf;

    uscf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_upstream_module);
    smcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_service_module);

    if (service->name.len || uscf->peer.init_upstream) {
        return "must be the upstream's only way of balancing";
    }

    value = cf->args->elts;
    service->name = value[1];
    service->interval = 5000;
    service->timeout = 1000;
    service->fails = 2;
    service->passes = 2;

    if (ngx_array_init(&service->allow, cf->pool, 2, sizeof(ngx_cidr_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        wrong = ngx_http_azora_service_parameter(cf, service, &value[i]);

        if (wrong != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"azora_service\" %s", &value[i],
                               wrong);
            return NGX_CONF_ERROR;
        }
    }

    entry = ngx_array_push(&smcf->services);

    /* NGINX wants a server in every upstream; nobody looks at this one */
    server = ngx_array_push(uscf->servers);

    if (entry == NULL || server == NULL) {
        return NGX_CONF_ERROR;
    }

    *entry = service;

    ngx_memzero(server, sizeof(ngx_http_upstream_server_t));
    server->name = service->name;
    server->down = 1;

    uscf->flags = NGX_HTTP_UPSTREAM_CREATE;
    uscf->peer.init_upstream = ngx_http_azora_service_init_upstream;

    return NGX_CONF_OK;
}


/* NULL: nothing is wrong */

static const char *
ngx_http_azora_service_parameter(ngx_conf_t *cf,
    ngx_http_azora_service_t *service, ngx_str_t *value)
{
    u_char      *p;
    ngx_int_t    n;
    ngx_str_t    s;
    ngx_cidr_t  *cidr;

    p = ngx_strlchr(value->data, value->data + value->len, '=');
    if (p == NULL) {
        return "is not known";
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    if (ngx_strncmp(value->data, "check=", 6) == 0) {
        return ngx_http_azora_service_check(cf, service, &s);
    }

    if (ngx_strncmp(value->data, "allow=", 6) == 0) {
        cidr = ngx_array_push(&service->allow);

        return (cidr == NULL || ngx_ptocidr(&s, cidr) == NGX_ERROR)
               ? "is no network" : NULL;
    }

    if (ngx_strncmp(value->data, "interval=", 9) == 0
        || ngx_strncmp(value->data, "timeout=", 8) == 0)
    {
        n = ngx_parse_time(&s, 0);

        if (n == NGX_ERROR || n < 10) {
            return "is no time of at least 10ms";
        }

        *(value->data[0] == 'i' ? &service->interval : &service->timeout) = n;

        return NULL;
    }

    if (ngx_strncmp(value->data, "fails=", 6) == 0
        || ngx_strncmp(value->data, "passes=", 7) == 0)
    {
        n = ngx_atoi(s.data, s.len);

        if (n == NGX_ERROR || n == 0) {
            return "is no number";
        }

        *(value->data[0] == 'f' ? &service->fails : &service->passes) = n;

        return NULL;
    }

    return "is not known";
}


/* tcp | http:/path; the request is HTTP/1.0, which ends by itself */

static const char *
ngx_http_azora_service_check(ngx_conf_t *cf,
    ngx_http_azora_service_t *service, ngx_str_t *value)
{
    size_t     i;
    u_char    *p;
    ngx_str_t  path;

    if (value->len == 3 && ngx_strncmp(value->data, "tcp", 3) == 0) {
        service->check = NGX_HTTP_AZORA_SERVICE_TCP;
        return NULL;
    }

    if (value->len < 6 || ngx_strncmp(value->data, "http:/", 6) != 0) {
        return "is neither tcp nor http:/ and a path";
    }

    path.data = value->data + 5;
    path.len = value->len - 5;

    for (i = 0; i < path.len; i++) {
        if (path.data[i] <= 0x20 || path.data[i] >= 0x7f) {
            return "has a path that must be encoded";
        }
    }

    p = ngx_pnalloc(cf->pool, sizeof("GET  HTTP/1.0\r\nHost: \r\n\r\n")
                              + path.len + service->name.len);
    if (p == NULL) {
        return "is too much for the memory";
    }

    service->request.data = p;
    p = ngx_sprintf(p, "GET %V HTTP/1.0\r\nHost: %V\r\n\r\n", &path,
                    &service->name);
    service->request.len = p - service->request.data;
    service->check = NGX_HTTP_AZORA_SERVICE_HTTP;

    return NULL;
}


static ngx_int_t
ngx_http_azora_service_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us)
{
    if (us->servers->nelts != 1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "upstream \"%V\" has servers beside \"azora_service\"",
                      &us->host);
        return NGX_ERROR;
    }

    us->peer.init = ngx_http_azora_service_init_peer;

    return NGX_OK;
}


/* From here on NGINX balances, over the nodes as they are at this moment. */

static ngx_int_t
ngx_http_azora_service_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_pool_cleanup_t             *cln;
    ngx_http_azora_service_t       *service;
    ngx_http_azora_service_set_t  **used, *set;

    service = ngx_http_conf_upstream_srv_conf(us,
                                              ngx_http_azora_service_module);
    set = service->set;

    if (set == NULL || set->peers.number == 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: service \"%V\" has no nodes", &service->name);

        r->upstream->peer.get = ngx_http_azora_service_no_peer;
        r->upstream->peer.free = ngx_http_azora_service_free_none;
        r->upstream->peer.data = service;
        r->upstream->peer.tries = 1;

        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool,
                               sizeof(ngx_http_azora_service_set_t *));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_azora_service_done;
    used = cln->data;
    *used = set;
    set->used++;

    us->peer.data = &set->peers;

    return ngx_http_upstream_init_round_robin_peer(r, us);
}


static ngx_int_t
ngx_http_azora_service_no_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_azora_service_t *service = data;

    pc->name = &service->name;

    return NGX_BUSY;
}


static void
ngx_http_azora_service_free_none(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    pc->tries = 0;
}


static void
ngx_http_azora_service_done(void *data)
{
    ngx_http_azora_service_set_t **used = data;

    ngx_http_azora_service_set_release(*used);
}
