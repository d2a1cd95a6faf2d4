
/*
 * Where Redis is and how to get in.
 */


#include "ngx_azora_redis.h"

#if (NGX_AZORA_HIREDIS_SSL)
#include <hiredis/hiredis_ssl.h>
#endif


#define NGX_AZORA_REDIS_PASSWORD_MAX  1024


static char *ngx_azora_redis_address(ngx_conf_t *cf,
    ngx_azora_redis_conf_t *conf);
static char *ngx_azora_redis_host(ngx_conf_t *cf, ngx_addr_t *addr);
static char *ngx_azora_redis_password(ngx_conf_t *cf,
    ngx_azora_redis_conf_t *conf);
static char *ngx_azora_redis_tls(ngx_conf_t *cf,
    ngx_azora_redis_conf_t *conf);


/* azora_redis unix:/path | host:port [tls] [ca=FILE] [password_file=FILE]; */

char *
ngx_azora_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_str_t   *value, *file;
    ngx_uint_t   i;
    size_t       skip;

    if (amcf->redis.address.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    amcf->redis.address = value[1];

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "tls") == 0) {
            amcf->redis.tls = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "ca=", 3) == 0) {
            file = &amcf->redis.ca;
            skip = 3;

        } else if (ngx_strncmp(value[i].data, "password_file=", 14) == 0) {
            file = &amcf->redis.password_file;
            skip = 14;

        } else {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        file->data = value[i].data + skip;
        file->len = value[i].len - skip;

        if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * Configuration time: resolves the address, reads the password and, where
 * hiredis has TLS, the certificates.
 */

char *
ngx_azora_redis_configure(ngx_conf_t *cf, ngx_azora_redis_conf_t *conf)
{
    char  *rv;

    if (conf->address.len == 0) {
        return NGX_CONF_OK;
    }

    rv = ngx_azora_redis_address(cf, conf);

    if (rv == NGX_CONF_OK) {
        rv = ngx_azora_redis_password(cf, conf);
    }

    if (rv == NGX_CONF_OK && conf->tls) {
        rv = ngx_azora_redis_tls(cf, conf);
    }

    return rv;
}


static char *
ngx_azora_redis_address(ngx_conf_t *cf, ngx_azora_redis_conf_t *conf)
{
    char        **host;
    ngx_url_t     u;
    ngx_uint_t    i;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = conf->address;
    u.default_port = 6379;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in the address of Redis \"%V\"",
                           u.err ? u.err : "no address", &u.url);
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&conf->hosts, cf->pool, u.naddrs, sizeof(char *))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u.naddrs; i++) {

        host = ngx_array_push(&conf->hosts);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

#if (NGX_HAVE_UNIX_DOMAIN)

        if (u.family == AF_UNIX) {
            /* a directive's argument ends with a NUL */
            *host = (char *) u.url.data + sizeof("unix:") - 1;
            continue;
        }

#endif

        *host = ngx_azora_redis_host(cf, &u.addrs[i]);
        if (*host == NULL) {
            return NGX_CONF_ERROR;
        }

        conf->port = u.port;
    }

    return NGX_CONF_OK;
}


/* In numbers: hiredis would look a name up inside the event loop. */

static char *
ngx_azora_redis_host(ngx_conf_t *cf, ngx_addr_t *addr)
{
    char    *host;
    u_char   buf[NGX_SOCKADDR_STRLEN], *text;
    size_t   len;

    text = buf;
    len = ngx_sock_ntop(addr->sockaddr, addr->socklen, buf, sizeof(buf), 0);

    if (len > 2 && buf[0] == '[') {
        /* [::1] */
        text++;
        len -= 2;
    }

    host = ngx_pnalloc(cf->pool, len + 1);
    if (host == NULL) {
        return NULL;
    }

    ngx_memcpy(host, text, len);
    host[len] = '\0';

    return host;
}


static char *
ngx_azora_redis_password(ngx_conf_t *cf, ngx_azora_redis_conf_t *conf)
{
    u_char     *p;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_err_t   err;

    if (conf->password_file.len == 0) {
        return NGX_CONF_OK;
    }

    p = ngx_pnalloc(cf->pool, NGX_AZORA_REDIS_PASSWORD_MAX);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(conf->password_file.data, NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed",
                           &conf->password_file);
        return NGX_CONF_ERROR;
    }

    n = ngx_read_fd(fd, p, NGX_AZORA_REDIS_PASSWORD_MAX);
    err = ngx_errno;

    (void) ngx_close_file(fd);

    while (n > 0 && (p[n - 1] == LF || p[n - 1] == CR)) {
        n--;
    }

    if (n <= 0 || n == NGX_AZORA_REDIS_PASSWORD_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, (n == -1) ? err : 0,
                           "\"%V\" must hold the password of Redis, at most "
                           "%d bytes", &conf->password_file,
                           NGX_AZORA_REDIS_PASSWORD_MAX - 1);
        return NGX_CONF_ERROR;
    }

    conf->password.data = p;
    conf->password.len = n;

    return NGX_CONF_OK;
}


#if (NGX_AZORA_HIREDIS_SSL)


static void
ngx_azora_redis_tls_free(void *data)
{
    redisFreeSSLContext(data);
}


#endif


static char *
ngx_azora_redis_tls(ngx_conf_t *cf, ngx_azora_redis_conf_t *conf)
{
#if (NGX_AZORA_HIREDIS_SSL)

    const char            *ca;
    ngx_pool_cleanup_t    *cln;
    redisSSLContextError   error;

    if (conf->port == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"azora_redis\" takes \"tls\" with host:port "
                           "only");
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) redisInitOpenSSL();

    error = REDIS_SSL_CTX_NONE;
    ca = conf->ca.len ? (char *) conf->ca.data : NULL;

    conf->ssl = redisCreateSSLContext(ca, ca ? NULL : "/etc/ssl/certs", NULL,
                                      NULL, NULL, &error);
    if (conf->ssl == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "TLS to Redis: %s",
                           redisSSLContextGetError(error));
        return NGX_CONF_ERROR;
    }

    cln->handler = ngx_azora_redis_tls_free;
    cln->data = conf->ssl;

    return NGX_CONF_OK;

#else

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"azora_redis\" cannot use \"tls\": these modules were "
                       "built with a hiredis without TLS (it came with 1.0); "
                       "use a Unix socket, or build with hiredis_ssl");
    return NGX_CONF_ERROR;

#endif
}
