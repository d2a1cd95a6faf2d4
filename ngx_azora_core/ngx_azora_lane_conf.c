
/* The lanes' configuration: what azora_lane says, and what is so without it. */


#include "ngx_azora_private.h"


/* per worker; the batch lane is one connection by design */
static const ngx_azora_lane_conf_t
    ngx_azora_lane_own[NGX_AZORA_LANE_MAX] =
{
    { 2, 4096, 2000 },      /* read */
    { 8, 1024, 5000 },      /* write */
    { 1, 4096, 5000 },      /* batch */
    { 1, 64, 30000 }        /* slow */
};


static const ngx_str_t  ngx_azora_lane_names[NGX_AZORA_LANE_MAX] = {
    ngx_string("read"),
    ngx_string("write"),
    ngx_string("batch"),
    ngx_string("slow")
};


void
ngx_azora_lane_unset(ngx_azora_pg_conf_t *conf)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        conf->lanes[i].connections = NGX_CONF_UNSET_UINT;
        conf->lanes[i].queue = NGX_CONF_UNSET_UINT;
        conf->lanes[i].timeout = NGX_CONF_UNSET_MSEC;
    }
}


void
ngx_azora_lane_defaults(ngx_azora_pg_conf_t *conf)
{
    ngx_uint_t                    i;
    ngx_azora_lane_conf_t        *lane;
    const ngx_azora_lane_conf_t  *own;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        lane = &conf->lanes[i];
        own = &ngx_azora_lane_own[i];

        ngx_conf_init_uint_value(lane->connections, own->connections);
        ngx_conf_init_uint_value(lane->queue, own->queue);
        ngx_conf_init_msec_value(lane->timeout, own->timeout);
    }
}


/* azora_lane read connections=2 queue=4096 timeout=2s; */

char *
ngx_azora_lane_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_int_t               n;
    ngx_str_t              *value, s;
    ngx_uint_t              i;
    ngx_azora_lane_conf_t  *lane;

    value = cf->args->elts;
    lane = NULL;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        if (value[1].len == ngx_azora_lane_names[i].len
            && ngx_strcmp(value[1].data, ngx_azora_lane_names[i].data)
               == 0)
        {
            lane = &amcf->pg.lanes[i];
        }
    }

    if (lane == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no lane is called \"%V\": read, write, batch, "
                           "slow", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "connections=", 12) == 0) {
            n = ngx_atoi(value[i].data + 12, value[i].len - 12);

            if (n < 1 || n > 64
                || (lane == &amcf->pg.lanes[NGX_AZORA_LANE_BATCH] && n > 1))
            {
                goto invalid;
            }

            lane->connections = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "queue=", 6) == 0) {
            n = ngx_atoi(value[i].data + 6, value[i].len - 6);

            if (n < 1 || n > 1000000) {
                goto invalid;
            }

            lane->queue = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;
            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n < 10 || n > 3600000) {
                goto invalid;
            }

            lane->timeout = n;
            continue;
        }

        goto invalid;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of lane \"%V\"", &value[i],
                       &value[1]);

    return NGX_CONF_ERROR;
}
