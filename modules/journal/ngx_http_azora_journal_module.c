
/*
 * The journal: Chronicle, the public log of all that happened, which anybody
 * can check, and people's receipts out of it.
 */


#include "ngx_http_azora_journal.h"

#include <sodium.h>


static ngx_int_t ngx_http_azora_journal_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_journal_statements(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
static void *ngx_http_azora_journal_create_conf(ngx_conf_t *cf);
static char *ngx_http_azora_journal_init_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_azora_journal_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_azora_journal_start(ngx_cycle_t *cycle);
static char *ngx_http_azora_journal_serve(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_azora_journal_time(ngx_conf_t *cf, void *post,
    void *data);


ngx_http_azora_journal_conf_t  *ngx_http_azora_journal_conf;


static ngx_conf_num_bounds_t  ngx_http_azora_journal_positive = {
    ngx_conf_check_num_bounds, 1, 1000000
};


static ngx_conf_post_t  ngx_http_azora_journal_bounded = {
    ngx_http_azora_journal_time
};


static ngx_command_t  ngx_http_azora_journal_commands[] = {

    { ngx_string("azora_chronicle_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, dir),
      NULL },

    { ngx_string("azora_chronicle_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, key_file),
      NULL },

    { ngx_string("azora_chronicle_origin"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, origin),
      NULL },

    { ngx_string("azora_chronicle_previous"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, previous_text),
      NULL },

    { ngx_string("azora_webhook_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, webhook_key_file),
      NULL },

    { ngx_string("azora_webhook_http"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, webhook_http),
      NULL },

    { ngx_string("azora_events_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, lifetime),
      &ngx_http_azora_journal_bounded },

    { ngx_string("azora_events_heartbeat"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, heartbeat),
      &ngx_http_azora_journal_bounded },

    { ngx_string("azora_events_connections"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, streams),
      &ngx_http_azora_journal_positive },

    { ngx_string("azora_events_per_account"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_journal_conf_t, per_account),
      &ngx_http_azora_journal_positive },

    { ngx_string("azora_events_stream"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_azora_journal_stream_directive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_chronicle"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_azora_journal_serve,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_journal_module_ctx = {
    ngx_http_azora_journal_preconfiguration,  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_azora_journal_create_conf,    /* create main configuration */
    ngx_http_azora_journal_init_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_azora_journal_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_journal_module_ctx,    /* module context */
    ngx_http_azora_journal_commands,       /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_azora_journal_init_module,    /* init module */
    ngx_http_azora_journal_start,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_capability_t  ngx_http_azora_journal = {
    .abi = NGX_AZORA_ABI,
    .name = "journal",
    .rows = ngx_http_azora_journal_rows,
    .about = "What happened, with proofs that need no trust in the server."
};


static ngx_int_t
ngx_http_azora_journal_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_journal_conf_t  *conf;

    if (sodium_init() == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "libsodium cannot start");
        return NGX_ERROR;
    }

    conf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_journal_module);

    if (ngx_http_azora_journal_statements(cf, conf) != NGX_OK
        || ngx_http_azora_journal_metrics(cf) != NGX_OK
        || ngx_http_azora_journal_events_init(cf, conf) != NGX_OK
        || ngx_http_azora_journal_stream_init(cf, conf) != NGX_OK
        || ngx_azora_ready_check(cf, "chronicle",
                                 ngx_http_azora_journal_ready)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_azora_journal_webhook_init(cf) != NGX_OK
        || ngx_azora_register(cf, &ngx_http_azora_journal_jobs) != NGX_OK
        || ngx_azora_register(cf, &ngx_http_azora_journal_audit) != NGX_OK
        || ngx_azora_register(cf, &ngx_http_azora_journal_webhooks) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_http_azora_journal);
}


static ngx_int_t
ngx_http_azora_journal_statements(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    ngx_str_t  state = ngx_string(
        "SELECT size, checkpoint, signed_at, pending, oldest "
        "FROM journal.chronicle_state()");
    ngx_str_t  entries = ngx_string(
        "SELECT seq, entry FROM journal.chronicle_entries("
        "first => $1::bigint, batch => $2::int)");
    ngx_str_t  pick = ngx_string(
        "SELECT size, id, entry FROM journal.chronicle_pick("
        "node => $1::uuid, batch => $2::int)");
    ngx_str_t  commit = ngx_string(
        "SELECT journal.chronicle_commit(node => $1::uuid, "
        "base => $2::bigint, ids => $3::uuid[], checkpoint => $4::text)");

    /*
     * All on the write lane: a replica may be behind, and what a reader of
     * thousands of entries waits for must not hold up the read lane.
     */

    conf->state = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                      "journal.chronicle_state", &state, 0);
    conf->entries = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                        "journal.chronicle_entries",
                                        &entries, 2);
    conf->pick = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                     "journal.chronicle_pick", &pick, 2);
    conf->commit = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                       "journal.chronicle_commit", &commit,
                                       4);

    return (conf->state && conf->entries && conf->pick && conf->commit)
           ? NGX_OK : NGX_ERROR;
}


static void *
ngx_http_azora_journal_create_conf(ngx_conf_t *cf)
{
    ngx_http_azora_journal_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_journal_conf_t));

    if (conf != NULL) {
        conf->webhook_http = NGX_CONF_UNSET;
        ngx_http_azora_journal_events_unset(conf);
    }

    return conf;
}


static char *
ngx_http_azora_journal_init_conf(ngx_conf_t *cf, void *data)
{
    ngx_http_azora_journal_conf_t *conf = data;

    static ngx_str_t  pool = ngx_string("azora_chronicle");

    ngx_conf_init_value(conf->webhook_http, 0);

    if (ngx_http_azora_journal_webhook_keys(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_http_azora_journal_events_defaults(conf);
    ngx_http_azora_journal_stream_defaults(conf);

    if (conf->dir.len == 0) {
        return NGX_CONF_OK;
    }

    if (conf->key_file.len == 0 || conf->origin.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora_chronicle_dir needs azora_chronicle_key "
                           "and azora_chronicle_origin");
        return NGX_CONF_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, &conf->dir, 0) != NGX_OK
        || ngx_conf_full_name(cf->cycle, &conf->key_file, 0) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    conf->pool = ngx_thread_pool_add(cf, &pool);

    if (conf->pool == NULL
        || ngx_http_azora_journal_zone(cf, conf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_azora_journal_key(cf, conf) == NGX_OK ? NGX_CONF_OK
                                                          : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_azora_journal_init_module(ngx_cycle_t *cycle)
{
    ngx_http_azora_journal_conf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_azora_journal_module);

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_journal_start(ngx_cycle_t *cycle)
{
    if (ngx_http_azora_journal_conf == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    if (ngx_http_azora_journal_events_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_worker != 0) {
        return NGX_OK;
    }

    ngx_http_azora_journal_stream_init_process(cycle);

    if (ngx_http_azora_journal_conf->dir.len == 0) {
        return NGX_OK;
    }

    return ngx_http_azora_journal_init_process(cycle);
}


static char *
ngx_http_azora_journal_serve(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_azora_journal_files_handler;

    return NGX_CONF_OK;
}


/* Streams that end or speak all the time would keep all clients busy. */

static char *
ngx_http_azora_journal_time(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *time = data;

    return (*time >= 1000 && *time <= 24 * 60 * 60 * 1000)
           ? NGX_CONF_OK : "takes a time from 1s to 1d";
}
