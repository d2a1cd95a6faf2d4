
/* The directives of logging in at somebody else's. */


#include "ngx_http_azora_auth_oauth.h"


#define NGX_HTTP_AZORA_AUTH_CLIENT_SECRET_MAX  1024

/* where a provider sends people back to */
#define NGX_HTTP_AZORA_AUTH_OAUTH_BACK         "%V/v1/auth/oauth/%V/callback"


static ngx_int_t ngx_http_azora_auth_oauth_values(ngx_conf_t *cf,
    ngx_http_azora_auth_provider_t *provider, ngx_str_t *file);
static ngx_int_t ngx_http_azora_auth_oauth_secret(ngx_conf_t *cf,
    ngx_http_azora_auth_provider_t *provider, ngx_str_t *file);
static char *ngx_http_azora_auth_oauth_check(
    ngx_http_azora_auth_provider_t *provider);


/*
 * azora_oauth NAME client_id=ID [issuer=URL] [client_secret_file=FILE]
 *                  [scope="openid email profile"]
 */

char *
ngx_http_azora_auth_set_oauth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ngx_str_t                       *value, file;
    ngx_uint_t                       i;
    ngx_http_azora_auth_provider_t  *provider, *others;

    if (amcf->providers == NULL) {
        amcf->providers = ngx_array_create(cf->pool, 2,
                                 sizeof(ngx_http_azora_auth_provider_t));
        if (amcf->providers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;
    others = amcf->providers->elts;

    for (i = 0; i < amcf->providers->nelts; i++) {
        if (others[i].name.len == value[1].len
            && ngx_strncmp(others[i].name.data, value[1].data, value[1].len)
               == 0)
        {
            return "is duplicate";
        }
    }

    if (amcf->providers->nelts == NGX_HTTP_AZORA_AUTH_PROVIDERS_MAX) {
        return "is there more than 8 times";
    }

    provider = ngx_array_push(amcf->providers);
    if (provider == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(provider, sizeof(ngx_http_azora_auth_provider_t));
    provider->name = value[1];
    ngx_str_set(&provider->scope, "openid email profile");
    ngx_str_null(&file);

    if (ngx_strcmp(value[1].data, "google") == 0) {
        ngx_str_set(&provider->issuer, "https://accounts.google.com");
    }

    if (ngx_http_azora_auth_oauth_values(cf, provider, &file) != NGX_OK) {
        return "takes a name, client_id=, issuer=, client_secret_file= and "
               "scope=";
    }

    if (file.len
        && ngx_http_azora_auth_oauth_secret(cf, provider, &file) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_azora_auth_oauth_check(provider);
}


static ngx_int_t
ngx_http_azora_auth_oauth_values(ngx_conf_t *cf,
    ngx_http_azora_auth_provider_t *provider, ngx_str_t *file)
{
    ngx_str_t   *value, *to;
    ngx_uint_t   i, skip;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "issuer=", 7) == 0) {
            to = &provider->issuer;
            skip = 7;

        } else if (ngx_strncmp(value[i].data, "client_id=", 10) == 0) {
            to = &provider->client_id;
            skip = 10;

        } else if (ngx_strncmp(value[i].data, "client_secret_file=", 19) == 0) {
            to = file;
            skip = 19;

        } else if (ngx_strncmp(value[i].data, "scope=", 6) == 0) {
            to = &provider->scope;
            skip = 6;

        } else {
            return NGX_ERROR;
        }

        to->data = value[i].data + skip;
        to->len = value[i].len - skip;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_oauth_secret(ngx_conf_t *cf,
    ngx_http_azora_auth_provider_t *provider, ngx_str_t *file)
{
    ngx_int_t   rc;
    ngx_str_t  *secret;

    secret = &provider->client_secret;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_auth_read_file(cf->pool, cf->log, file->data,
                                       NGX_HTTP_AZORA_AUTH_CLIENT_SECRET_MAX,
                                       1, secret);

    while (rc == NGX_OK && secret->len
           && (secret->data[secret->len - 1] == '\n'
               || secret->data[secret->len - 1] == '\r'))
    {
        secret->len--;
    }

    if (rc == NGX_DECLINED || (rc == NGX_OK && secret->len == 0)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" of azora_oauth is missing or empty", file);
        return NGX_ERROR;
    }

    return rc;
}


static char *
ngx_http_azora_auth_oauth_check(ngx_http_azora_auth_provider_t *provider)
{
    size_t  len;

    len = strspn((char *) provider->name.data,
                 "abcdefghijklmnopqrstuvwxyz0123456789-");

    if (len == 0 || len != provider->name.len || len > 32) {
        return "takes a name of 1 to 32 of a-z, 0-9 and -";
    }

    if (provider->client_id.len == 0 || provider->issuer.len == 0) {
        return "needs client_id= and issuer=";
    }

    if (provider->issuer.len > 256 || provider->client_id.len > 256
        || provider->scope.len > 256)
    {
        return "has a value of more than 256 bytes";
    }

    if (ngx_strncmp(provider->issuer.data, "http://127.0.0.1:", 17) == 0
        || ngx_strncmp(provider->issuer.data, "http://[::1]:", 13) == 0)
    {
        provider->internal = 1;

    } else if (ngx_strncmp(provider->issuer.data, "https://", 8) != 0) {
        return "needs an issuer that begins with https://";
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_azora_auth_oauth_init(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    u_char                          *p;
    ngx_str_t                       *base;
    ngx_uint_t                       i;
    ngx_http_azora_auth_provider_t  *provider;

    if (conf->providers == NULL) {
        return NGX_OK;
    }

    base = &conf->oauth_base;

    if (base->data == NULL) {
        *base = conf->expect.issuer;
    }

    while (base->len && base->data[base->len - 1] == '/') {
        base->len--;
    }

    if (ngx_strncmp(base->data, "http", 4) != 0 || conf->vault_file.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_oauth needs azora_auth_vault, and "
                      "azora_oauth_base or an azora_auth_issuer that is a URL");
        return NGX_ERROR;
    }

    provider = conf->providers->elts;

    for (i = 0; i < conf->providers->nelts; i++) {

        p = ngx_pnalloc(cf->pool, base->len + provider[i].name.len
                                  + sizeof(NGX_HTTP_AZORA_AUTH_OAUTH_BACK));
        if (p == NULL) {
            return NGX_ERROR;
        }

        provider[i].redirect.data = p;
        provider[i].redirect.len = ngx_sprintf(p,
                                               NGX_HTTP_AZORA_AUTH_OAUTH_BACK,
                                               base, &provider[i].name)
                                   - p;
    }

    return NGX_OK;
}
