
/* The directives whose values are more than a string or a number. */


#include "ngx_http_azora_auth.h"


/* A path relative to the configuration's folder. */

char *
ngx_http_azora_auth_set_file(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char       *rc;
    ngx_str_t  *path;

    rc = ngx_conf_set_str_slot(cf, cmd, conf);

    if (rc != NGX_CONF_OK) {
        return rc;
    }

    path = (ngx_str_t *) ((char *) conf + cmd->offset);

    if (path->len == 0) {
        return "is empty";
    }

    return (ngx_conf_full_name(cf->cycle, path, 1) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* azora_auth_stale TIME | off */

char *
ngx_http_azora_auth_set_stale(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ngx_str_t  *value;

    if (amcf->stale != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strcmp(value[1].data, "off") == 0) {
        amcf->stale = 0;
        return NGX_CONF_OK;
    }

    amcf->stale = ngx_parse_time(&value[1], 1);

    return (amcf->stale >= 1 && amcf->stale <= 86400)
           ? NGX_CONF_OK : "takes a time of 1s to 1d, or off";
}


/* azora_auth_origin https://app.example.org ... */

char *
ngx_http_azora_auth_set_origin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (amcf->origins == NULL) {
        amcf->origins = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));
        if (amcf->origins == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        /* RFC 6454 6.2: a browser sends neither a path nor a last slash */

        if ((ngx_strncmp(value[i].data, "https://", 8) != 0
             && ngx_strncmp(value[i].data, "http://", 7) != 0)
            || ngx_strlchr(value[i].data + 8, value[i].data + value[i].len,
                           '/')
               != NULL)
        {
            return "takes origins such as https://app.example.org";
        }

        origin = ngx_array_push(amcf->origins);
        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        *origin = value[i];
    }

    return NGX_CONF_OK;
}


/* azora_auth_cache size=8m | off */

char *
ngx_http_azora_auth_set_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ssize_t     size;
    ngx_str_t  *value, s;

    if (amcf->cache_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strcmp(value[1].data, "off") == 0) {
        amcf->cache_size = 0;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value[1].data, "size=", 5) != 0) {
        return "takes size=<bytes> or off";
    }

    s.data = value[1].data + 5;
    s.len = value[1].len - 5;
    size = ngx_parse_size(&s);

    if (size == NGX_ERROR || size < (ssize_t) (8 * ngx_pagesize)) {
        return "has a size that is too small";
    }

    amcf->cache_size = size;

    return NGX_CONF_OK;
}


/* azora_auth_thread_pool NAME [threads=N] [queue=N] */

char *
ngx_http_azora_auth_set_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ngx_int_t    n, *to;
    ngx_str_t   *value;
    ngx_uint_t   i, skip;

    if (amcf->pool_name.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    amcf->pool_name = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "threads=", 8) == 0) {
            to = &amcf->pool_threads;
            skip = 8;

        } else if (ngx_strncmp(value[i].data, "queue=", 6) == 0) {
            to = &amcf->pool_queue;
            skip = 6;

        } else {
            return "takes a pool's name, threads=<n> and queue=<n>";
        }

        n = ngx_atoi(value[i].data + skip, value[i].len - skip);

        if (n < 1 || n > 65536) {
            return "has a number that is not 1 to 65536";
        }

        *to = n;
    }

    return amcf->pool_name.len ? NGX_CONF_OK : "is empty";
}


/*
 * Without azora_auth_thread_pool: the pool "azora_hash" when there is one,
 * otherwise the default pool, which needs no directive.
 */

ngx_int_t
ngx_http_azora_auth_pool_find(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_str_t  name;

    if (conf->pool_name.len) {
        conf->pool = ngx_thread_pool_add(cf, &conf->pool_name);
        conf->pool_own = (conf->pool_name.len != 7
                          || ngx_strncmp(conf->pool_name.data, "default", 7)
                             != 0);

    } else {
        ngx_str_set(&name, "azora_hash");
        conf->pool = ngx_thread_pool_get(cf->cycle, &name);
        conf->pool_own = 1;

        if (conf->pool == NULL) {
            conf->pool = ngx_thread_pool_add(cf, NULL);
            conf->pool_own = 0;
        }
    }

    return conf->pool ? NGX_OK : NGX_ERROR;
}
