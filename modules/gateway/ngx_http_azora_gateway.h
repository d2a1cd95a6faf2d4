
/*
 * What the files of the gateway module share among themselves.
 */


#ifndef _NGX_HTTP_AZORA_GATEWAY_H_INCLUDED_
#define _NGX_HTTP_AZORA_GATEWAY_H_INCLUDED_


#include "ngx_azora.h"


/* azora_identity */

#define NGX_HTTP_AZORA_GATEWAY_OFF       0
#define NGX_HTTP_AZORA_GATEWAY_HEADERS   1
#define NGX_HTTP_AZORA_GATEWAY_JWT       2

/* azora_forward: where there is azora_identity */

#define NGX_HTTP_AZORA_GATEWAY_AUTO      2

/* azora_security_headers; ROWS: answers of our own rows only */

#define NGX_HTTP_AZORA_GATEWAY_ROWS      2


/* azora_cors */

typedef struct {
    ngx_array_t                  origins;      /* ngx_str_t, lower case */
    ngx_uint_t                   any;          /* "*" */
    ngx_uint_t                   credentials;
    ngx_str_t                    max_age;      /* seconds, as text */
    ngx_flag_t                   off;
} ngx_http_azora_gateway_cors_t;


typedef struct {
    ngx_uint_t                   identity;
    ngx_str_t                    audience;     /* of the signed identity */
    ngx_flag_t                   forward;      /* the trace and request id */
    ngx_uint_t                   security;
    ngx_flag_t                   host_sni;
    ngx_http_azora_gateway_cors_t  *cors;      /* NULL: not given */
} ngx_http_azora_gateway_loc_conf_t;


typedef struct {
    ngx_int_t                    traceparent;  /* indexes of variables */
    ngx_int_t                    tracestate;
    ngx_int_t                    request_id;
} ngx_http_azora_gateway_main_conf_t;


extern ngx_module_t  ngx_http_azora_gateway_module;


/* ngx_http_azora_gateway_input.c: what upstreams and we see of a request */

/* POST_READ: nobody outside speaks in our name */
ngx_int_t ngx_http_azora_gateway_post_read(ngx_http_request_t *r);
/* PRECONTENT: who calls and in which trace, for the service behind */
ngx_int_t ngx_http_azora_gateway_forward(ngx_http_request_t *r);

/* ngx_http_azora_gateway_list.c: the list of a request's headers */

typedef ngx_uint_t (*ngx_http_azora_gateway_drop_pt)(
    const ngx_table_elt_t *h);

/*
 * Takes those headers out of the list that drop() names; pointers to others
 * stay valid.  NGX_ERROR: out of memory, and the list is as it was.
 */
ngx_int_t ngx_http_azora_gateway_drop(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop);
/* name is static and in lower case; value must outlive the request */
ngx_int_t ngx_http_azora_gateway_push(ngx_http_request_t *r,
    const char *name, const ngx_str_t *value);

/* ngx_http_azora_gateway_cors.c */
char *ngx_http_azora_gateway_cors(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* ACCESS: a preflight to what is no row; rows answer OPTIONS themselves */
ngx_int_t ngx_http_azora_gateway_preflight(ngx_http_request_t *r);
ngx_int_t ngx_http_azora_gateway_cors_headers(ngx_http_request_t *r,
    const ngx_http_azora_gateway_cors_t *cors);

/* ngx_http_azora_gateway_output.c */
ngx_int_t ngx_http_azora_gateway_output_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_AZORA_GATEWAY_H_INCLUDED_ */
