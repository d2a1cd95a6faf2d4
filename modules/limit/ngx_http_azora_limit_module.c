
/*
 * Rate limits per address, per subject and tier, or per any variable, exact
 * across the workers of a node and without a lock.
 */


#include "ngx_http_azora_limit.h"


static ngx_int_t ngx_http_azora_limit_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_limit_init_process(ngx_cycle_t *cycle);
static void *ngx_http_azora_limit_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_azora_limit_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_azora_limit_create_conf(ngx_conf_t *cf);
static char *ngx_http_azora_limit_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_azora_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_azora_limit_zone_arguments(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_azora_limit_zone_t *zone, ssize_t *size);
static ngx_uint_t ngx_http_azora_limit_is_name(const ngx_str_t *name);
static ngx_int_t ngx_http_azora_limit_zone_metrics(ngx_conf_t *cf,
    ngx_http_azora_limit_zone_t *zone);
static ngx_int_t ngx_http_azora_limit_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static char *ngx_http_azora_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_azora_limit_exempt_cidr(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


#define NGX_HTTP_AZORA_LIMIT_NAME_MAX    64
#define NGX_HTTP_AZORA_LIMIT_SIZE_MIN    (8 * ngx_pagesize)


static ngx_conf_enum_t  ngx_http_azora_limit_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_azora_limit_commands[] = {

    { ngx_string("azora_limit_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_limit_zone,
      0,
      0,
      NULL },

    { ngx_string("azora_limit"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_azora_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_limit_exempt"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_azora_limit_exempt_cidr,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_limit_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_limit_conf_t, log_level),
      &ngx_http_azora_limit_log_levels },

    { ngx_string("azora_limit_redis_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_limit_main_conf_t, timeout),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_limit_module_ctx = {
    ngx_http_azora_limit_preconfiguration, /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_azora_limit_create_main_conf, /* create main configuration */
    ngx_http_azora_limit_init_main_conf,   /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_azora_limit_create_conf,      /* create location configuration */
    ngx_http_azora_limit_merge_conf        /* merge location configuration */
};


ngx_module_t  ngx_http_azora_limit_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_limit_module_ctx,      /* module context */
    ngx_http_azora_limit_commands,         /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_azora_limit_init_process,     /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_stage_t  ngx_http_azora_limit_stages[] = {
    { NGX_AZORA_STAGE_LIMIT_ADDRESS, ngx_http_azora_limit_address_stage },
    { NGX_AZORA_STAGE_LIMIT_PRINCIPAL, ngx_http_azora_limit_principal_stage },
    { 0, NULL }
};


static const ngx_azora_capability_t  ngx_http_azora_limit_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "limit",
    .stages = ngx_http_azora_limit_stages,
    .about = "Rate limits per address and per subject."
};


static ngx_int_t
ngx_http_azora_limit_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_limit_main_conf_t  *lmcf;

    lmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_limit_module);

    lmcf->asked = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                   "azora_limit_shared_requests_total", NULL,
                                   "Limits of requests that Redis was asked "
                                   "about.");
    lmcf->flushes = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_limit_shared_flushes_total", NULL,
                                     "Commands sent to Redis for them.");

    if (lmcf->asked == NGX_AZORA_NONE || lmcf->flushes == NGX_AZORA_NONE) {
        return NGX_ERROR;
    }

    if (ngx_azora_edge_section(cf, "limits", ngx_http_azora_limit_edge)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_http_azora_limit_capability);
}


static void *
ngx_http_azora_limit_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_azora_limit_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_limit_main_conf_t));

    if (lmcf != NULL) {
        lmcf->timeout = NGX_CONF_UNSET_MSEC;
    }

    return lmcf;
}


static char *
ngx_http_azora_limit_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_azora_limit_main_conf_t *lmcf = conf;

    ngx_conf_init_msec_value(lmcf->timeout, 100);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_limit_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE)
    {
        if (ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_azora_limit_module)
            != NULL)
        {
            ngx_http_azora_limit_shared_init(cycle);
        }
    }

    return NGX_OK;
}


static void *
ngx_http_azora_limit_create_conf(ngx_conf_t *cf)
{
    ngx_http_azora_limit_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_limit_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->rules = NULL;
     *     conf->exempt = NULL;
     *     conf->off = 0;
     */

    conf->log_level = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_azora_limit_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_azora_limit_conf_t *prev = parent;
    ngx_http_azora_limit_conf_t *conf = child;

    if (conf->rules == NULL && !conf->off) {
        conf->rules = prev->rules;
    }

    if (conf->exempt == NULL) {
        conf->exempt = prev->exempt;
    }

    ngx_conf_merge_uint_value(conf->log_level, prev->log_level,
                              NGX_LOG_NOTICE);

    return NGX_CONF_OK;
}


/* azora_limit_zone name=ip size=10m [shared]; */

static char *
ngx_http_azora_limit_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ssize_t                       size;
    ngx_shm_zone_t               *shm_zone;
    ngx_http_azora_limit_zone_t  *zone;

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_limit_zone_t));
    if (zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_azora_limit_zone_arguments(cf, cmd, zone, &size) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    shm_zone = ngx_shared_memory_add(cf, &zone->name, size,
                                     &ngx_http_azora_limit_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    if (shm_zone->data) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" \"%V\" is already there", &cmd->name,
                           &zone->name);
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_azora_limit_init_zone;
    shm_zone->data = zone;

    if (ngx_http_azora_limit_zone_metrics(cf, zone) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_limit_zone_arguments(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_azora_limit_zone_t *zone, ssize_t *size)
{
    ngx_str_t   *value, *name, text;
    ngx_uint_t   i;

    value = cf->args->elts;
    name = &zone->name;
    *size = NGX_ERROR;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "name=", 5) == 0) {
            name->data = value[i].data + 5;
            name->len = value[i].len - 5;
            continue;
        }

        if (ngx_strncmp(value[i].data, "size=", 5) == 0) {
            text.data = value[i].data + 5;
            text.len = value[i].len - 5;
            *size = ngx_parse_size(&text);
            continue;
        }

        if (ngx_strcmp(value[i].data, "shared") == 0) {
            zone->shared = 1;
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_ERROR;
    }

    if (!ngx_http_azora_limit_is_name(name)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs name=, 1 to %d letters, digits, "
                           "\"-\" and \"_\"", &cmd->name,
                           NGX_HTTP_AZORA_LIMIT_NAME_MAX);
        return NGX_ERROR;
    }

    if (*size == NGX_ERROR
        || *size < (ssize_t) NGX_HTTP_AZORA_LIMIT_SIZE_MIN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs size=, at least %uzk", &cmd->name,
                           NGX_HTTP_AZORA_LIMIT_SIZE_MIN / 1024);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* The name stands in headers, metrics and problems without quoting. */

static ngx_uint_t
ngx_http_azora_limit_is_name(const ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        c = name->data[i] | 0x20;

        if ((c < 'a' || c > 'z')
            && ngx_strchr("0123456789-_", name->data[i]) == NULL)
        {
            return 0;
        }
    }

    return name->len > 0 && name->len <= NGX_HTTP_AZORA_LIMIT_NAME_MAX;
}


static ngx_int_t
ngx_http_azora_limit_zone_metrics(ngx_conf_t *cf,
    ngx_http_azora_limit_zone_t *zone)
{
    u_char  *labels;

    labels = ngx_pnalloc(cf->pool, sizeof("zone=\"\"") + zone->name.len);
    if (labels == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(labels, "zone=\"%V\"%Z", &zone->name);

    zone->refused = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_limit_refused_total",
                                     (char *) labels,
                                     "Requests refused by a rate limit.");

    zone->dry_run = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_limit_dry_run_total",
                                     (char *) labels,
                                     "Requests a dry-run limit let pass.");

    zone->evicted = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_limit_evicted_total",
                                     (char *) labels,
                                     "Live keys forgotten in a full zone.");

    zone->alone = zone->shared
                  ? ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_limit_alone_total",
                                     (char *) labels,
                                     "Requests of a shared limit that the "
                                     "node decided alone.")
                  : 0;

    if (zone->refused == NGX_AZORA_NONE || zone->dry_run == NGX_AZORA_NONE
        || zone->evicted == NGX_AZORA_NONE || zone->alone == NGX_AZORA_NONE)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_limit_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_azora_limit_zone_t *old = data;

    size_t                         size;
    ngx_slab_pool_t               *shpool;
    ngx_http_azora_limit_zone_t   *zone;
    ngx_http_azora_limit_table_t  *table;

    zone = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (old || shm_zone->shm.exists) {
        /* a reload keeps what was counted */
        table = old ? old->table : shpool->data;

        if (table->magic != NGX_HTTP_AZORA_LIMIT_MAGIC
            || table->version != NGX_HTTP_AZORA_LIMIT_VERSION
            || table->size != sizeof(ngx_http_azora_limit_table_t))
        {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "azora_limit_zone \"%V\" was laid out by another "
                          "version: restart instead of reloading",
                          &zone->name);
            return NGX_ERROR;
        }

        zone->table = table;
        return NGX_OK;
    }

    /* all that the slab allocator can give, at a page and zeroed by mmap() */

    size = shpool->pfree * ngx_pagesize;

    table = ngx_slab_alloc(shpool, size);
    if (table == NULL) {
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(table, size);
#endif

    if (ngx_http_azora_limit_table_init(table, size) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, ngx_errno,
                      "azora_limit_zone \"%V\" cannot be made", &zone->name);
        return NGX_ERROR;
    }

    shpool->data = table;
    zone->table = table;

    return NGX_OK;
}


/* azora_limit off; or a rule */

static char *
ngx_http_azora_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_limit_conf_t *lcf = conf;

    ngx_str_t                    *value;
    ngx_http_azora_limit_rule_t  *rule;

    value = cf->args->elts;

    if (lcf->off) {
        return "is \"off\" here already";
    }

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        if (lcf->rules) {
            return "has rules here already";
        }

        lcf->off = 1;
        return NGX_CONF_OK;
    }

    if (lcf->rules == NULL) {
        lcf->rules = ngx_array_create(cf->pool, 2,
                                      sizeof(ngx_http_azora_limit_rule_t));
        if (lcf->rules == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (lcf->rules->nelts == NGX_HTTP_AZORA_LIMIT_RULES_MAX) {
        return "is given too often in one place";
    }

    rule = ngx_array_push(lcf->rules);
    if (rule == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(rule, sizeof(ngx_http_azora_limit_rule_t));

    return ngx_http_azora_limit_parse_rule(cf, rule);
}


/* azora_limit_exempt 127.0.0.1 10.0.0.0/8; */

static char *
ngx_http_azora_limit_exempt_cidr(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_azora_limit_conf_t *lcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    value = cf->args->elts;

    if (lcf->exempt == NULL) {
        lcf->exempt = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (lcf->exempt == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(lcf->exempt);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(cidr, sizeof(ngx_cidr_t));

        if (ngx_strcmp(value[i].data, "unix:") == 0) {
#if (NGX_HAVE_UNIX_DOMAIN)
            cidr->family = AF_UNIX;
#endif
            continue;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid address or network \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (rc == NGX_DONE) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "low address bits of %V are meaningless",
                               &value[i]);
        }
    }

    return NGX_CONF_OK;
}
