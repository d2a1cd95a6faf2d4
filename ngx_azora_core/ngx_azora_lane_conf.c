
/* The lanes' configuration: what azora_lane says, and what is so without it. */


#include "ngx_azora_private.h"


static ngx_int_t ngx_azora_lane_parameter(ngx_azora_lane_conf_t *lane,
    ngx_uint_t single, ngx_str_t *value);


/* per worker; the batch lane is one connection by design */
static const ngx_azora_lane_conf_t
    ngx_azora_lane_own[NGX_AZORA_LANE_MAX] =
{
    { 2, 4096, 2000, 0 },   /* read */
    { 8, 1024, 5000, 0 },   /* write */
    { 1, 4096, 5000, 1 },   /* batch */
    { 1, 64, 30000, 0 }     /* slow */
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
        conf->lanes[i].gather = NGX_CONF_UNSET_MSEC;
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
        ngx_conf_init_msec_value(lane->gather, own->gather);
    }
}


/* azora_lane read connections=2 queue=4096 timeout=2s; */

char *
ngx_azora_lane_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_str_t              *value;
    ngx_uint_t              i, single;
    ngx_azora_lane_conf_t  *lane;

    value = cf->args->elts;
    lane = NULL;
    single = 0;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        if (ngx_strcmp(value[1].data, ngx_azora_lane_names[i].data) == 0) {
            lane = &amcf->pg.lanes[i];
            single = (i == NGX_AZORA_LANE_BATCH);
            break;
        }
    }

    if (lane == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no lane is called \"%V\": read, write, batch, "
                           "slow", &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_azora_lane_parameter(lane, single, &value[i]) == NGX_OK) {
            continue;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of lane \"%V\": "
                           "\"azora_lane\" takes %s",
                           &value[i], &value[1],
                           single ? "connections=1, queue= from 1 to 1000000, "
                                    "timeout= from 10ms to 1h and gather= of "
                                    "at most 100ms"
                                  : "connections= from 1 to 64, queue= from "
                                    "1 to 1000000 and timeout= from 10ms to "
                                    "1h");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_azora_lane_parameter(ngx_azora_lane_conf_t *lane, ngx_uint_t single,
    ngx_str_t *value)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "connections=", 12) == 0) {
        n = ngx_atoi(value->data + 12, value->len - 12);

        if (n < 1 || n > (single ? 1 : 64)) {
            return NGX_ERROR;
        }

        lane->connections = n;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "queue=", 6) == 0) {
        n = ngx_atoi(value->data + 6, value->len - 6);

        if (n < 1 || n > 1000000) {
            return NGX_ERROR;
        }

        lane->queue = n;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;
        n = ngx_parse_time(&s, 0);

        if (n == NGX_ERROR || n < 10 || n > 3600000) {
            return NGX_ERROR;
        }

        lane->timeout = n;
        return NGX_OK;
    }

    if (single && ngx_strncmp(value->data, "gather=", 7) == 0) {
        s.data = value->data + 7;
        s.len = value->len - 7;
        n = ngx_parse_time(&s, 0);

        if (n == NGX_ERROR || n > 100) {
            return NGX_ERROR;
        }

        lane->gather = n;
        return NGX_OK;
    }

    return NGX_ERROR;
}
