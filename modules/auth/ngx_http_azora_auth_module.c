
/*
 * The auth module: who calls.  It verifies access tokens for every location
 * that asks for it, and brings the rows of identity.  Here: directives and
 * configuration.
 */


#include "ngx_http_azora_auth_factor.h"
#include "ngx_http_azora_auth_mail.h"
#include "ngx_http_azora_auth_oauth.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_SECRET_MAX  4096


static ngx_int_t ngx_http_azora_auth_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_auth_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_auth_metrics(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
static ngx_int_t ngx_http_azora_auth_peppers_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
static ngx_int_t ngx_http_azora_auth_init_process(ngx_cycle_t *cycle);
static void *ngx_http_azora_auth_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_azora_auth_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_azora_auth_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_azora_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_conf_enum_t  ngx_http_azora_auth_modes[] = {
    { ngx_string("off"), NGX_HTTP_AZORA_AUTH_OFF },
    { ngx_string("optional"), NGX_HTTP_AZORA_AUTH_OPTIONAL },
    { ngx_string("required"), NGX_HTTP_AZORA_AUTH_REQUIRED },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_azora_auth_commands[] = {

    { ngx_string("azora_auth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_loc_conf_t, mode),
      ngx_http_azora_auth_modes },

    { ngx_string("azora_scope"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_loc_conf_t, scope),
      NULL },

    { ngx_string("azora_auth_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, expect.issuer),
      NULL },

    { ngx_string("azora_auth_audience"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, expect.audience),
      NULL },

    { ngx_string("azora_auth_leeway"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, expect.leeway),
      NULL },

    { ngx_string("azora_auth_token_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, lifetime),
      NULL },

    { ngx_string("azora_auth_stale"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_stale,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_auth_origin"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_azora_auth_set_origin,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_auth_key_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, key_dir),
      NULL },

    { ngx_string("azora_auth_pepper"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, pepper_file),
      NULL },

    { ngx_string("azora_auth_vault"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, vault_file),
      NULL },

    { ngx_string("azora_auth_name"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, name),
      NULL },

    { ngx_string("azora_auth_verify_email"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, verify_email),
      NULL },

    { ngx_string("azora_mail_dir"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, mail.dir),
      NULL },

    { ngx_string("azora_mail_smtp"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_azora_auth_set_smtp,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_mail_from"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, mail.from),
      NULL },

    { ngx_string("azora_sms"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, mail.sms),
      NULL },

    { ngx_string("azora_mail_link"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, mail.link),
      NULL },

    { ngx_string("azora_oauth"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_azora_auth_set_oauth,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_oauth_base"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, oauth_base),
      NULL },

    { ngx_string("azora_oauth_return"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, oauth_return),
      NULL },

    { ngx_string("azora_auth_breached_list"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_file,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_azora_auth_main_conf_t, common_file),
      NULL },

    { ngx_string("azora_auth_cache"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_auth_set_cache,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_auth_thread_pool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_azora_auth_set_pool,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_auth_module_ctx = {
    ngx_http_azora_auth_preconfiguration,  /* preconfiguration */
    ngx_http_azora_auth_postconfiguration, /* postconfiguration */

    ngx_http_azora_auth_create_main_conf,  /* create main configuration */
    ngx_http_azora_auth_init_main_conf,    /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_azora_auth_create_loc_conf,   /* create location configuration */
    ngx_http_azora_auth_merge_loc_conf     /* merge location configuration */
};


ngx_module_t  ngx_http_azora_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_auth_module_ctx,       /* module context */
    ngx_http_azora_auth_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_azora_auth_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_stage_t  ngx_http_azora_auth_stages[] = {
    { NGX_AZORA_STAGE_AUTH, ngx_http_azora_auth_stage },
    { 0, NULL }
};


static const ngx_azora_capability_t  ngx_http_azora_auth = {
    NGX_AZORA_ABI,
    "auth",
    ngx_http_azora_auth_rows,
    ngx_http_azora_auth_stages,
    NULL,
    "Accounts, logging in, and the keys that verify access tokens."
};


static ngx_int_t
ngx_http_azora_auth_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  sql = ngx_string("SELECT account, password, tag "
                          "FROM identity.credential($1::text)");
    static ngx_str_t  own = ngx_string("SELECT account, password, tag, "
                          "email, name "
                          "FROM identity.own_credential($1::uuid)");
    static ngx_str_t  key = ngx_string("SELECT account, key, roles, scope, "
                          "tier, epoch, issued, expires "
                          "FROM identity.api_key_holder($1::text)");

    if (sodium_init() < 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "libsodium cannot be initialized");
        return NGX_ERROR;
    }

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_auth_module);

    /* the primary: on a standby an old password may live on */

    conf->credential = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                           "identity.credential", &sql, 1);
    conf->own_credential = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                               "identity.own_credential",
                                               &own, 1);
    conf->key_holder = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                           "identity.api_key_holder", &key,
                                           1);
    if (conf->credential == NULL || conf->own_credential == NULL
        || conf->key_holder == NULL)
    {
        return NGX_ERROR;
    }

    conf->sessions = ngx_azora_generation_index(cf, "sessions");

    if (conf->sessions == NGX_AZORA_NONE
        || ngx_http_azora_auth_metrics(cf, conf) != NGX_OK
        || ngx_http_azora_auth_revoked_add(cf) != NGX_OK
        || ngx_http_azora_auth_factor_add(cf, conf) != NGX_OK
        || ngx_http_azora_auth_recover_add(cf, conf) != NGX_OK
        || ngx_http_azora_auth_mail_add(cf, conf) != NGX_OK
        || ngx_http_azora_auth_oauth_add(cf) != NGX_OK
        || ngx_http_azora_auth_oauth_link_add(cf) != NGX_OK
        || ngx_http_azora_auth_phone_add(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_azora_signer(cf, ngx_http_azora_auth_sign_identity);

    return (ngx_azora_register(cf, &ngx_http_azora_auth) == NGX_OK
            && ngx_azora_register(cf, &ngx_http_azora_auth_admin) == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_auth_metrics(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_uint_t  i;

    static const char  tokens[] = "Access tokens seen.";
    static const char  hashes[] = "Passwords hashed or refused because the "
                                  "queue was full.";

    static const struct {
        const char  *labels;
        size_t       offset;
    } results[] = {
        { "result=\"cached\"",
          offsetof(ngx_http_azora_auth_main_conf_t, metric_cached) },
        { "result=\"verified\"",
          offsetof(ngx_http_azora_auth_main_conf_t, metric_verified) },
        { "result=\"refused\"",
          offsetof(ngx_http_azora_auth_main_conf_t, metric_refused) },
        { "result=\"revoked\"",
          offsetof(ngx_http_azora_auth_main_conf_t, metric_revoked) }
    };

    for (i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        *(ngx_uint_t *) ((char *) conf + results[i].offset) =
            ngx_azora_metric(cf, NGX_AZORA_COUNTER, "azora_auth_tokens_total",
                             results[i].labels, tokens);
    }

    conf->metric_hashed = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                              "azora_auth_hashes_total",
                              "result=\"done\"", hashes);
    conf->metric_busy = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                              "azora_auth_hashes_total",
                              "result=\"busy\"", hashes);
    conf->metric_waiting = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                              "azora_auth_hashes_waiting", NULL,
                              "Passwords that wait for a thread.");

    return (conf->metric_cached == NGX_AZORA_NONE
            || conf->metric_verified == NGX_AZORA_NONE
            || conf->metric_refused == NGX_AZORA_NONE
            || conf->metric_revoked == NGX_AZORA_NONE
            || conf->metric_hashed == NGX_AZORA_NONE
            || conf->metric_busy == NGX_AZORA_NONE
            || conf->metric_waiting == NGX_AZORA_NONE)
           ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_auth_module);

    if (ngx_http_azora_auth_keys_load(cf, conf, !ngx_test_config) != NGX_OK
        || ngx_http_azora_auth_peppers_load(cf, conf) != NGX_OK
        || ngx_http_azora_auth_vault_load(cf, conf) != NGX_OK
        || ngx_http_azora_auth_common_load(cf, &conf->common,
                                           &conf->common_file)
           != NGX_OK
        || ngx_http_azora_auth_pool_find(cf, conf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_azora_auth_cache_add(cf, conf);
}


static ngx_int_t
ngx_http_azora_auth_peppers_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    const char  *reason;

    conf->peppers = ngx_pcalloc(cf->pool,
                                sizeof(ngx_http_azora_auth_peppers_t));
    if (conf->peppers == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&text);

    if (conf->pepper_file.len) {

        rc = ngx_http_azora_auth_read_file(cf->pool, cf->log,
                                           conf->pepper_file.data,
                                           NGX_HTTP_AZORA_AUTH_SECRET_MAX, 1,
                                           &text);
        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        /* never made here: a new pepper would shut everybody out */

        if (rc == NGX_DECLINED || text.len == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "azora_auth_pepper \"%V\" is missing or empty; "
                          "for a new installation: (umask 077; openssl rand "
                          "-hex 32 > %V)", &conf->pepper_file,
                          &conf->pepper_file);
            return NGX_ERROR;
        }
    }

    if (ngx_http_azora_auth_peppers_parse(conf->peppers, &text, &reason)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_pepper \"%V\" cannot be used: %s",
                      &conf->pepper_file, reason);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_init_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_auth_hash_init();
    ngx_http_azora_auth_revoked_init();

    return NGX_OK;
}


static void *
ngx_http_azora_auth_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_auth_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->lifetime = NGX_CONF_UNSET;
    conf->stale = NGX_CONF_UNSET;
    conf->verify_email = NGX_CONF_UNSET;
    conf->expect.leeway = NGX_CONF_UNSET;
    conf->cache_size = NGX_CONF_UNSET_SIZE;
    conf->pool_threads = NGX_CONF_UNSET;
    conf->pool_queue = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_azora_auth_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    if (amcf->expect.issuer.data == NULL) {
        ngx_str_set(&amcf->expect.issuer, "azora");
    }

    if (amcf->expect.audience.data == NULL) {
        ngx_str_set(&amcf->expect.audience, "azora");
    }

    if (amcf->name.data == NULL) {
        ngx_str_set(&amcf->name, "Azora");
    }

    ngx_conf_init_value(amcf->lifetime, 3600);
    ngx_conf_init_value(amcf->stale, 60);
    ngx_conf_init_value(amcf->verify_email, 0);
    ngx_conf_init_value(amcf->expect.leeway, 0);
    ngx_conf_init_size_value(amcf->cache_size, 8 * 1024 * 1024);
    ngx_conf_init_value(amcf->pool_threads, ngx_max(ngx_ncpu, 1));
    ngx_conf_init_value(amcf->pool_queue, 64);

    if (amcf->expect.issuer.len == 0 || amcf->expect.audience.len == 0
        || amcf->expect.issuer.len > 256 || amcf->expect.audience.len > 256)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_issuer and azora_auth_audience must have "
                      "1 to 256 bytes");
        return NGX_CONF_ERROR;
    }

    if (amcf->name.len == 0 || amcf->name.len > 64
        || strpbrk((char *) amcf->name.data, ":\"\\{}\r\n") != NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_name must have 1 to 64 bytes and no colon, "
                      "quote, brace or backslash");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_azora_auth_mail_init(cf, amcf) != NGX_OK
        || ngx_http_azora_auth_oauth_init(cf, amcf) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (amcf->lifetime < 1 || amcf->lifetime > 86400
        || amcf->expect.leeway > 300)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_token_lifetime must be 1s to 1d, "
                      "azora_auth_leeway at most 5m");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_azora_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_azora_auth_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_auth_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_azora_auth_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_azora_auth_loc_conf_t *prev = parent;
    ngx_http_azora_auth_loc_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode,
                              NGX_HTTP_AZORA_AUTH_OFF);
    ngx_conf_merge_str_value(conf->scope, prev->scope, "");

    return NGX_CONF_OK;
}
