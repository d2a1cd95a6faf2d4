
/* The directives of outgoing calls. */


#include "ngx_azora_fetch.h"


#define NGX_AZORA_FETCH_RUNNING     64
#define NGX_AZORA_FETCH_QUEUE       1024

#define NGX_AZORA_FETCH_DEBIAN_CA   "/etc/ssl/certs/ca-certificates.crt"


static const char  *ngx_azora_fetch_labels[NGX_AZORA_FETCH_MAX] = {
    "outcome=\"answered\"",
    "outcome=\"invalid\"",
    "outcome=\"forbidden\"",
    "outcome=\"unresolved\"",
    "outcome=\"unreachable\"",
    "outcome=\"tls\"",
    "outcome=\"timeout\"",
    "outcome=\"too_large\"",
    "outcome=\"broken\"",
    "outcome=\"rejected\"",
    "outcome=\"ended\""
};


/* azora_fetch [connections=N] [queue=N]; */

char *
ngx_azora_fetch_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "connections=", 12) == 0) {
            n = ngx_atoi(value[i].data + 12, value[i].len - 12);

            if (n >= 1 && n <= 1024) {
                amcf->fetch.running = n;
                continue;
            }

        } else if (ngx_strncmp(value[i].data, "queue=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n >= 1 && n <= 100000) {
                amcf->fetch.queue = n;
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"azora_fetch\" takes "
                           "connections= from 1 to 1024 and queue= from 1 to "
                           "100000", &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* azora_fetch_allow CIDR ...; several of them add up */

char *
ngx_azora_fetch_allow_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_cidr_t  *cidr;

    if (amcf->fetch.allow == NULL) {
        amcf->fetch.allow = ngx_array_create(cf->pool, 4, sizeof(ngx_cidr_t));
        if (amcf->fetch.allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        cidr = ngx_array_push(amcf->fetch.allow);
        if (cidr == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_ptocidr(&value[i], cidr);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is no network", &value[i]);
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


/* azora_fetch_trusted_certificate FILE; */

char *
ngx_azora_fetch_certificates_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_fd_t    fd;
    ngx_str_t  *value, *file;

    file = &amcf->fetch.certificates;

    if (file->len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    *file = value[1];

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", file);
        return NGX_CONF_ERROR;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", file);
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_azora_fetch_configure(ngx_conf_t *cf, ngx_azora_fetch_conf_t *conf)
{
    ngx_uint_t  i;

    if (conf->running == 0) {
        conf->running = NGX_AZORA_FETCH_RUNNING;
    }

    if (conf->queue == 0) {
        conf->queue = NGX_AZORA_FETCH_QUEUE;
    }

    if (conf->certificates.len == 0) {
        ngx_str_set(&conf->certificates, NGX_AZORA_FETCH_DEBIAN_CA);
    }

    for (i = 0; i < NGX_AZORA_FETCH_MAX; i++) {
        conf->metrics[i] = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                            "azora_fetch_total",
                                            ngx_azora_fetch_labels[i],
                                            "Calls to other servers.");
        if (conf->metrics[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


const char *
ngx_azora_fetch_status_name(ngx_azora_fetch_status_e status)
{
    static const char  *names[NGX_AZORA_FETCH_MAX] = {
        "answered", "invalid", "forbidden", "unresolved", "unreachable",
        "tls", "timeout", "too_large", "broken", "rejected", "ended"
    };

    return status < NGX_AZORA_FETCH_MAX ? names[status] : "unknown";
}
