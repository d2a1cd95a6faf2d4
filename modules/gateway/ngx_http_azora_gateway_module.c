
/*
 * The gateway: what a service that is not Azora's own gets of Azora when it
 * stands behind an ordinary proxy_pass.
 */


#include "ngx_http_azora_gateway.h"


static ngx_int_t ngx_http_azora_gateway_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_gateway_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_gateway_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_azora_gateway_create_srv_conf(ngx_conf_t *cf);
static void *ngx_http_azora_gateway_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_azora_gateway_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_azora_gateway_init_process(ngx_cycle_t *cycle);


typedef struct {
    ngx_http_phases      phase;
    ngx_http_handler_pt  handler;
} ngx_http_azora_gateway_phase_t;


static ngx_conf_enum_t  ngx_http_azora_gateway_identities[] = {
    { ngx_string("off"), NGX_HTTP_AZORA_GATEWAY_OFF },
    { ngx_string("headers"), NGX_HTTP_AZORA_GATEWAY_HEADERS },
    { ngx_string("jwt"), NGX_HTTP_AZORA_GATEWAY_JWT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_azora_gateway_securities[] = {
    { ngx_string("off"), NGX_HTTP_AZORA_GATEWAY_OFF },
    { ngx_string("on"), 1 },
    { ngx_string("rows"), NGX_HTTP_AZORA_GATEWAY_ROWS },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_azora_gateway_commands[] = {

    { ngx_string("azora_identity"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, identity),
      &ngx_http_azora_gateway_identities },

    { ngx_string("azora_identity_audience"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, audience),
      NULL },

    { ngx_string("azora_forward"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, forward),
      NULL },

    { ngx_string("azora_security_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, security),
      &ngx_http_azora_gateway_securities },

    { ngx_string("azora_cors"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_azora_gateway_cors,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_request_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_gateway_edit,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, requests),
      NULL },

    { ngx_string("azora_response_header"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_gateway_edit,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, responses),
      NULL },

    { ngx_string("azora_host_sni"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_gateway_loc_conf_t, host_sni),
      NULL },

    { ngx_string("azora_breaker"),
      NGX_HTTP_UPS_CONF|NGX_CONF_ANY,
      ngx_http_azora_gateway_breaker,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_gateway_module_ctx = {
    ngx_http_azora_gateway_preconfiguration,   /* preconfiguration */
    ngx_http_azora_gateway_postconfiguration,  /* postconfiguration */

    ngx_http_azora_gateway_create_main_conf,   /* create main conf */
    NULL,                                      /* init main conf */

    ngx_http_azora_gateway_create_srv_conf,    /* create server conf */
    NULL,                                      /* merge server conf */

    ngx_http_azora_gateway_create_loc_conf,    /* create location conf */
    ngx_http_azora_gateway_merge_loc_conf      /* merge location conf */
};


ngx_module_t  ngx_http_azora_gateway_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_gateway_module_ctx,    /* module context */
    ngx_http_azora_gateway_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_azora_gateway_init_process,   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_capability_t  ngx_http_azora_gateway_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "gateway",
    .about = "Services behind Azora."
};


static const ngx_http_azora_gateway_phase_t
    ngx_http_azora_gateway_phases[] = {
    { NGX_HTTP_POST_READ_PHASE, ngx_http_azora_gateway_post_read },
    { NGX_HTTP_ACCESS_PHASE, ngx_http_azora_gateway_preflight },
    { NGX_HTTP_PRECONTENT_PHASE, ngx_http_azora_gateway_forward }
};


static ngx_int_t
ngx_http_azora_gateway_preconfiguration(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_gateway_capability);
}


static ngx_int_t
ngx_http_azora_gateway_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                           i;
    ngx_http_handler_pt                 *h;
    ngx_http_core_main_conf_t           *cmcf;
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    static ngx_str_t  traceparent = ngx_string("azora_traceparent");
    static ngx_str_t  tracestate = ngx_string("azora_tracestate");
    static ngx_str_t  request_id = ngx_string("azora_request_id");

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /*
     * NGINX runs the last handler of a phase first, and the core's are there
     * already: a preflight is answered before a token is asked for.
     */

    for (i = 0; i < sizeof(ngx_http_azora_gateway_phases)
                    / sizeof(ngx_http_azora_gateway_phase_t); i++)
    {
        h = ngx_array_push(&cmcf->phases[
                       ngx_http_azora_gateway_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_azora_gateway_phases[i].handler;
    }

    gmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_gateway_module);

    gmcf->traceparent = ngx_http_get_variable_index(cf, &traceparent);
    gmcf->tracestate = ngx_http_get_variable_index(cf, &tracestate);
    gmcf->request_id = ngx_http_get_variable_index(cf, &request_id);

    if (gmcf->traceparent == NGX_ERROR || gmcf->tracestate == NGX_ERROR
        || gmcf->request_id == NGX_ERROR)
    {
        return NGX_ERROR;
    }

    ngx_http_azora_gateway_input_init();

    if (ngx_http_azora_gateway_upstream_zone(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_azora_gateway_output_init(cf);
}


static void *
ngx_http_azora_gateway_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_gateway_main_conf_t));
}


static void *
ngx_http_azora_gateway_create_srv_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_gateway_srv_conf_t));
}


static void *
ngx_http_azora_gateway_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_azora_gateway_loc_conf_t  *glcf;

    glcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_gateway_loc_conf_t));
    if (glcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     glcf->audience = { 0, NULL };
     *     glcf->cors = NULL;
     *     glcf->requests = NULL;
     *     glcf->responses = NULL;
     */

    glcf->identity = NGX_CONF_UNSET_UINT;
    glcf->security = NGX_CONF_UNSET_UINT;
    glcf->forward = NGX_CONF_UNSET;
    glcf->host_sni = NGX_CONF_UNSET;

    return glcf;
}


static char *
ngx_http_azora_gateway_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_azora_gateway_loc_conf_t *prev = parent;
    ngx_http_azora_gateway_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->identity, prev->identity,
                              NGX_HTTP_AZORA_GATEWAY_OFF);
    ngx_conf_merge_str_value(conf->audience, prev->audience,
                             "azora-service");
    ngx_conf_merge_value(conf->forward, prev->forward,
                         NGX_HTTP_AZORA_GATEWAY_AUTO);
    ngx_conf_merge_uint_value(conf->security, prev->security,
                              NGX_HTTP_AZORA_GATEWAY_ROWS);
    ngx_conf_merge_value(conf->host_sni, prev->host_sni, 0);

    if (conf->cors == NULL) {
        conf->cors = prev->cors;
    }

    if (conf->requests == NULL) {
        conf->requests = prev->requests;
    }

    if (conf->responses == NULL) {
        conf->responses = prev->responses;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_gateway_init_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    gmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_azora_gateway_module);

    if (gmcf != NULL && (ngx_process == NGX_PROCESS_WORKER
                         || ngx_process == NGX_PROCESS_SINGLE))
    {
        ngx_http_azora_gateway_upstream_process(gmcf);
    }

    return NGX_OK;
}


ngx_http_azora_gateway_ctx_t *
ngx_http_azora_gateway_ctx(ngx_http_request_t *r)
{
    ngx_http_azora_gateway_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_gateway_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_azora_gateway_ctx_t));

        if (ctx != NULL) {
            ngx_http_set_ctx(r, ctx, ngx_http_azora_gateway_module);
        }
    }

    return ctx;
}
