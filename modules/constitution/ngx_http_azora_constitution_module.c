
/*
 * The constitution: enacted rules that requests are examined by.
 */


#include "ngx_http_azora_constitution.h"


static ngx_int_t ngx_http_azora_constitution_preconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_constitution_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_azora_constitution_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_azora_constitution_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_azora_constitution_init_process(
    ngx_cycle_t *cycle);
static void ngx_http_azora_constitution_exit_process(ngx_cycle_t *cycle);


typedef struct {
    ngx_flag_t                    enabled;      /* in any location */
} ngx_http_azora_constitution_main_conf_t;


static ngx_conf_enum_t  ngx_http_azora_constitution_modes[] = {
    { ngx_string("off"), NGX_HTTP_AZORA_CONSTITUTION_OFF },
    { ngx_string("on"), NGX_HTTP_AZORA_CONSTITUTION_ON },
    { ngx_string("shadow"), NGX_HTTP_AZORA_CONSTITUTION_SHADOW },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_azora_constitution_commands[] = {

    { ngx_string("azora_constitution"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_constitution_loc_conf_t, mode),
      &ngx_http_azora_constitution_modes },

      ngx_null_command
};


static const ngx_azora_stage_t  ngx_http_azora_constitution_stages[] = {
    { NGX_AZORA_STAGE_POLICY, ngx_http_azora_constitution_stage },
    { NGX_AZORA_STAGE_MAX, NULL }
};


static const ngx_azora_capability_t  ngx_http_azora_constitution_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "constitution",
    .rows = ngx_http_azora_constitution_rows,
    .stages = ngx_http_azora_constitution_stages,
    .about = "The rules in force and what is decided by them."
};


static ngx_http_module_t  ngx_http_azora_constitution_module_ctx = {
    ngx_http_azora_constitution_preconfiguration,  /* preconfiguration */
    NULL,                                          /* postconfiguration */

    ngx_http_azora_constitution_create_main_conf,  /* create main conf */
    NULL,                                          /* init main conf */

    NULL,                                          /* create server conf */
    NULL,                                          /* merge server conf */

    ngx_http_azora_constitution_create_loc_conf,   /* create location conf */
    ngx_http_azora_constitution_merge_loc_conf     /* merge location conf */
};


ngx_module_t  ngx_http_azora_constitution_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_constitution_module_ctx,       /* module context */
    ngx_http_azora_constitution_commands,          /* module directives */
    NGX_HTTP_MODULE,                               /* module type */
    NULL,                                          /* init master */
    NULL,                                          /* init module */
    ngx_http_azora_constitution_init_process,      /* init process */
    NULL,                                          /* init thread */
    NULL,                                          /* exit thread */
    ngx_http_azora_constitution_exit_process,      /* exit process */
    NULL,                                          /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_azora_constitution_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_azora_register(cf, &ngx_http_azora_constitution_capability)
        != NGX_OK
        || ngx_http_azora_constitution_load_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_azora_constitution_stage_init(cf);
}


static void *
ngx_http_azora_constitution_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool,
                       sizeof(ngx_http_azora_constitution_main_conf_t));
}


static void *
ngx_http_azora_constitution_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_azora_constitution_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool,
                      sizeof(ngx_http_azora_constitution_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_azora_constitution_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_http_azora_constitution_loc_conf_t   *prev = parent;
    ngx_http_azora_constitution_loc_conf_t   *conf = child;
    ngx_http_azora_constitution_main_conf_t  *cmcf;

    /* on: who loads the module means it */
    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_AZORA_CONSTITUTION_ON);

    if (conf->mode != NGX_HTTP_AZORA_CONSTITUTION_OFF) {
        cmcf = ngx_http_conf_get_module_main_conf(cf,
                                          ngx_http_azora_constitution_module);
        cmcf->enabled = 1;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_constitution_init_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_constitution_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                          ngx_http_azora_constitution_module);

    /* the cache helper processes run this too */
    if (cmcf == NULL || !cmcf->enabled
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    return ngx_http_azora_constitution_load_process(cycle);
}


static void
ngx_http_azora_constitution_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_constitution_load_exit();
}
