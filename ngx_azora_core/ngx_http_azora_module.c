
/*
 * The core's module: directives, configuration, and the hooks by which NGINX
 * starts and ends everything else.
 */


#include "ngx_azora_private.h"


static ngx_int_t ngx_http_azora_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_azora_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_azora_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_azora_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_azora_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_azora_init_process(ngx_cycle_t *cycle);
static void ngx_http_azora_exit_process(ngx_cycle_t *cycle);
static char *ngx_http_azora_postgres(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_azora_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_azora_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


typedef struct {
    ngx_str_t            name;
    ngx_http_handler_pt  handler;
} ngx_http_azora_status_page_t;


ngx_azora_main_conf_t  *ngx_azora_main_conf;


static const ngx_http_azora_status_page_t  ngx_http_azora_status_pages[] = {
    { ngx_string("livez"), ngx_azora_livez_handler },
    { ngx_string("readyz"), ngx_azora_readyz_handler },
    { ngx_string("metrics"), ngx_azora_metrics_handler },
    { ngx_string("openapi"), ngx_azora_openapi_handler },
    { ngx_string("docs"), ngx_azora_docs_handler },
    { ngx_string("problems"), ngx_azora_problem_page },
    { ngx_null_string, NULL }
};


static ngx_command_t  ngx_http_azora_commands[] = {

    { ngx_string("azora_postgres"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_postgres,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_azora_main_conf_t, pg.conninfo),
      NULL },

    { ngx_string("azora_postgres_replicas"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_postgres,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_azora_main_conf_t, pg.read_conninfo),
      NULL },

    { ngx_string("azora_lane"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_azora_lane_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_azora_cache_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_azora_redis_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_fetch"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_azora_fetch_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_fetch_allow"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_azora_fetch_allow_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_fetch_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_azora_fetch_certificates_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_http_azora_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, api),
      NULL },

    { ngx_string("azora_problem"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, problem),
      NULL },

    { ngx_string("azora_body_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, body_max),
      NULL },

    { ngx_string("azora_body_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, body_timeout),
      NULL },

    { ngx_string("azora_headers_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, headers_max),
      NULL },

    { ngx_string("azora_path_strict"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_azora_loc_conf_t, path_strict),
      NULL },

    { ngx_string("azora_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_azora_accept_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_module_ctx = {
    ngx_http_azora_preconfiguration,       /* preconfiguration */
    ngx_http_azora_postconfiguration,      /* postconfiguration */

    ngx_http_azora_create_main_conf,       /* create main configuration */
    ngx_http_azora_init_main_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_azora_create_loc_conf,        /* create location configuration */
    ngx_http_azora_merge_loc_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_azora_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_module_ctx,            /* module context */
    ngx_http_azora_commands,               /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_azora_init_module,            /* init module */
    ngx_http_azora_init_process,           /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_azora_exit_process,           /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_stage_t  ngx_http_azora_stages[] = {
    { NGX_AZORA_STAGE_TRACE, ngx_azora_trace_stage },
    { NGX_AZORA_STAGE_ROUTE, ngx_azora_route_stage },
    { NGX_AZORA_STAGE_GUARD, ngx_azora_guard_stage },
    { NGX_AZORA_STAGE_FOUND, ngx_azora_found_stage },
    { NGX_AZORA_STAGE_AUTHORIZE, ngx_azora_authorize_stage },
    { NGX_AZORA_STAGE_BODY, ngx_azora_body_stage },
    { NGX_AZORA_STAGE_VALIDATE, ngx_azora_validate_stage },
    { NGX_AZORA_STAGE_PREPARE, ngx_azora_prepare_stage },
    { 0, NULL }
};


static const ngx_azora_task_t  ngx_http_azora_tasks[] = {
    { "azora.purge", NULL, 600000, 1000 },
    { NULL, NULL, 0, 0 }
};


static const ngx_azora_capability_t  ngx_http_azora_core = {
    NGX_AZORA_ABI,
    "core",
    NULL,
    ngx_http_azora_stages,
    ngx_http_azora_tasks,
    NULL
};


ngx_int_t
ngx_azora_register(ngx_conf_t *cf, const ngx_azora_capability_t *capability)
{
    const ngx_azora_task_t        *task, **t;
    const ngx_azora_stage_t       *stage;
    ngx_azora_main_conf_t         *amcf;
    const ngx_azora_capability_t **c;

    if (capability->abi != NGX_AZORA_ABI) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: a module was built for interface %ui of "
                           "the core, which has %ui: install all Azora "
                           "modules of one version", capability->abi,
                           (ngx_uint_t) NGX_AZORA_ABI);
        return NGX_ERROR;
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    c = ngx_array_push(&amcf->capabilities);
    if (c == NULL) {
        return NGX_ERROR;
    }

    *c = capability;

    for (stage = capability->stages; stage && stage->handler; stage++) {

        if (amcf->stages[stage->stage] != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "azora: \"%s\" claims stage %ui, which is "
                               "taken", capability->name,
                               (ngx_uint_t) stage->stage);
            return NGX_ERROR;
        }

        amcf->stages[stage->stage] = stage->handler;
    }

    for (task = capability->tasks; task && task->function; task++) {

        t = ngx_array_push(&amcf->tasks);
        if (t == NULL) {
            return NGX_ERROR;
        }

        *t = task;
    }

    return NGX_OK;
}


ngx_int_t
ngx_azora_ready_check(ngx_conf_t *cf, const char *name,
    ngx_azora_ready_pt check)
{
    ngx_azora_check_t      *entry;
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    entry = ngx_array_push(&amcf->checks);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    entry->name = name;
    entry->check = check;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_azora_trace_variables(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_http_azora_core);
}


static ngx_int_t
ngx_http_azora_postconfiguration(ngx_conf_t *cf)
{
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    if (ngx_azora_route_init(cf, amcf) != NGX_OK
        || ngx_azora_call_init(cf, amcf) != NGX_OK
        || ngx_azora_task_init(cf, amcf) != NGX_OK
        || ngx_azora_cache_init(cf, amcf) != NGX_OK
        || ngx_azora_job_init(cf, amcf) != NGX_OK
        || ngx_azora_accept_init(cf, amcf) != NGX_OK
        || ngx_azora_edge_init(cf) != NGX_OK
        || ngx_azora_openapi_init(cf, amcf) != NGX_OK
        || ngx_azora_shm_init(cf, amcf) != NGX_OK
        || ngx_azora_problem_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_stage_init(cf, amcf);
}


static void *
ngx_http_azora_create_main_conf(ngx_conf_t *cf)
{
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_azora_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&amcf->capabilities, cf->pool, 8, sizeof(void *))
        != NGX_OK
        || ngx_array_init(&amcf->endpoints, cf->pool, 64, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&amcf->statements, cf->pool, 64, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&amcf->tasks, cf->pool, 8, sizeof(void *))
           != NGX_OK
        || ngx_array_init(&amcf->jobs, cf->pool, 4, sizeof(void *)) != NGX_OK
        || ngx_array_init(&amcf->generations, cf->pool, 8, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&amcf->watchers, cf->pool, 4,
                          sizeof(ngx_azora_watcher_t))
           != NGX_OK
        || ngx_array_init(&amcf->metrics, cf->pool, 32,
                          sizeof(ngx_azora_metric_t))
           != NGX_OK
        || ngx_array_init(&amcf->breakers, cf->pool, 4,
                          sizeof(ngx_azora_breaker_conf_t))
           != NGX_OK
        || ngx_array_init(&amcf->checks, cf->pool, 4,
                          sizeof(ngx_azora_check_t))
           != NGX_OK
        || ngx_array_init(&amcf->sections, cf->pool, 4,
                          sizeof(ngx_azora_section_t))
           != NGX_OK)
    {
        return NULL;
    }

    ngx_azora_lane_unset(&amcf->pg);

    amcf->cache.size = NGX_CONF_UNSET_SIZE;
    amcf->cache.stale = NGX_CONF_UNSET_MSEC;
    amcf->cache.redis = NGX_CONF_UNSET_MSEC;

    return amcf;
}


static char *
ngx_http_azora_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_azora_lane_defaults(&amcf->pg);

    if (ngx_azora_redis_configure(cf, &amcf->redis) != NGX_CONF_OK
        || ngx_azora_fetch_configure(cf, &amcf->fetch) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (amcf->pg.conninfo.len == 0 && amcf->pg.read_conninfo.len == 0) {
        return NGX_CONF_OK;
    }

    return ngx_azora_pg_conninfo(cf, &amcf->pg);
}


static void *
ngx_http_azora_create_loc_conf(ngx_conf_t *cf)
{
    ngx_azora_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_azora_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    alcf->api = NGX_CONF_UNSET;
    alcf->problem = NGX_CONF_UNSET;
    alcf->body_max = NGX_CONF_UNSET_SIZE;
    alcf->body_timeout = NGX_CONF_UNSET_MSEC;
    alcf->headers_max = NGX_CONF_UNSET_UINT;
    alcf->path_strict = NGX_CONF_UNSET;

    return alcf;
}


static char *
ngx_http_azora_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_azora_loc_conf_t *prev = parent;
    ngx_azora_loc_conf_t *conf = child;

    /* a handler does not reach into nested locations, so this does not */
    ngx_conf_init_value(conf->api, 0);

    ngx_conf_merge_value(conf->problem, prev->problem, 0);
    ngx_conf_merge_size_value(conf->body_max, prev->body_max, 256 * 1024);
    ngx_conf_merge_msec_value(conf->body_timeout, prev->body_timeout, 0);
    ngx_conf_merge_uint_value(conf->headers_max, prev->headers_max, 0);
    ngx_conf_merge_value(conf->path_strict, prev->path_strict, 0);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_init_module(ngx_cycle_t *cycle)
{
    ngx_azora_main_conf = ngx_http_cycle_get_module_main_conf(cycle,
                                                       ngx_http_azora_module);

    ngx_azora_accept_init_module(cycle);

    return ngx_azora_wake_init_module(cycle);
}


static ngx_int_t
ngx_http_azora_init_process(ngx_cycle_t *cycle)
{
    if (ngx_azora_main_conf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_azora_shm_init_process(cycle) != NGX_OK
        || ngx_azora_pg_init_process(cycle) != NGX_OK
        || ngx_azora_listen_init_process(cycle) != NGX_OK
        || ngx_azora_task_init_process(cycle) != NGX_OK
        || ngx_azora_cache_init_process(cycle) != NGX_OK
        || ngx_azora_job_init_process(cycle) != NGX_OK
        || ngx_azora_redis_init_process(cycle) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_azora_fetch_init_process(cycle);

    return NGX_OK;
}


static void
ngx_http_azora_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_azora_main_conf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    ngx_azora_job_quit();
    ngx_azora_fetch_exit_process(cycle);
    ngx_azora_job_exit_process(cycle);
    ngx_azora_redis_exit_process(cycle);
    ngx_azora_listen_exit_process(cycle);
    ngx_azora_pg_exit_process(cycle);
    ngx_azora_shm_exit_process(cycle);
}


static char *
ngx_http_azora_postgres(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t  *value, *field;

    field = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (field->len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *field = value[1];

    return NGX_CONF_OK;
}


static char *
ngx_http_azora_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_loc_conf_t *alcf = conf;

    char                      *rv;
    ngx_http_core_loc_conf_t  *clcf;

    rv = ngx_conf_set_flag_slot(cf, cmd, conf);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (alcf->api) {
        clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
        clcf->handler = ngx_azora_call_handler;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_azora_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                           *value;
    ngx_http_core_loc_conf_t            *clcf;
    const ngx_http_azora_status_page_t  *page;

    value = cf->args->elts;
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    for (page = ngx_http_azora_status_pages; page->handler; page++) {
        if (page->name.len == value[1].len
            && ngx_strcmp(page->name.data, value[1].data) == 0)
        {
            clcf->handler = page->handler;
            return NGX_CONF_OK;
        }
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "no page is called \"%V\": livez, readyz, metrics, "
                       "openapi, docs, problems", &value[1]);

    return NGX_CONF_ERROR;
}
