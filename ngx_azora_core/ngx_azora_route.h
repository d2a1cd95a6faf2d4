
/*
 * What ngx_azora_route.c leaves for ngx_azora_field.c: an endpoint together
 * with where its path fields stand in the template.
 */


#ifndef _NGX_AZORA_ROUTE_H_INCLUDED_
#define _NGX_AZORA_ROUTE_H_INCLUDED_


#include "ngx_azora_private.h"


/* deep enough for /v1/a/{b}/c/{d}/e/{f}/g/{h}, and it bounds the recursion */
#define NGX_AZORA_SEGMENTS_MAX  16


typedef struct {
    ngx_azora_endpoint_t  endpoint;     /* first: the two share an address */
    ngx_uint_t            positions[NGX_AZORA_FIELDS_MAX];
} ngx_azora_route_t;


/* ngx_azora_route_check.c: NGX_OK, or NGX_ERROR after an [emerg] */
ngx_int_t ngx_azora_route_check(ngx_conf_t *cf, ngx_azora_route_t *route);

/* logs what is wrong with a row; always NGX_ERROR */
ngx_int_t ngx_azora_route_fail(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, const char *fmt, ...);

/*
 * The next segment of a template from *pos on: its bytes without braces and
 * whether it is a parameter.  NGX_DONE at the end, NGX_ERROR when malformed.
 */
ngx_int_t ngx_azora_route_segment(const ngx_str_t *path, size_t *pos,
    ngx_str_t *segment, ngx_uint_t *param);

#define NGX_AZORA_ALLOW_LEN_MAX                                               \
    sizeof("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")

/* "GET, HEAD, OPTIONS" for the bits; returns its end */
u_char *ngx_azora_route_methods(u_char *dst, ngx_uint_t methods);


#endif /* _NGX_AZORA_ROUTE_H_INCLUDED_ */
