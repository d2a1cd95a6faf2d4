
/*
 * What the files of the service module share among themselves.
 */


#ifndef _NGX_HTTP_AZORA_SERVICE_H_INCLUDED_
#define _NGX_HTTP_AZORA_SERVICE_H_INCLUDED_


#include "ngx_azora.h"


#define NGX_HTTP_AZORA_SERVICE_NODES_MAX  256
#define NGX_HTTP_AZORA_SERVICE_TEXT_MAX   (64 * 1024)


typedef enum {
    NGX_HTTP_AZORA_SERVICE_UNCHECKED = 0,
    NGX_HTTP_AZORA_SERVICE_TCP,
    NGX_HTTP_AZORA_SERVICE_HTTP
} ngx_http_azora_service_check_e;


/* The nodes that get requests: NGINX's round robin works on it. */

typedef struct {
    ngx_http_upstream_rr_peers_t   peers;
    ngx_pool_t                    *pool;
    ngx_uint_t                     used;       /* by requests and as the
                                                  current one */
} ngx_http_azora_service_set_t;


/* azora_service of an upstream, and what this worker knows of it */

typedef struct {
    ngx_str_t                      name;       /* empty: none */
    ngx_http_azora_service_check_e check;
    ngx_str_t                      request;    /* of an HTTP check */
    ngx_msec_t                     interval;
    ngx_msec_t                     timeout;
    ngx_uint_t                     fails;
    ngx_uint_t                     passes;
    ngx_array_t                    allow;      /* ngx_cidr_t; none: all that
                                                  is not this machine */
    ngx_queue_t                    nodes;
    ngx_http_azora_service_set_t  *set;        /* NULL: not known yet */
} ngx_http_azora_service_t;


/* A node of the registry, in this worker */

typedef struct {
    ngx_queue_t                    queue;
    ngx_http_azora_service_t      *service;
    ngx_http_upstream_rr_peer_t   *peer;       /* in service->set, or NULL */
    ngx_sockaddr_t                 sockaddr;
    socklen_t                      socklen;
    ngx_str_t                      address;
    ngx_uint_t                     weight;
    u_char                         text[64];   /* of address */

    ngx_peer_connection_t          pc;         /* of the check under way */
    ngx_event_t                    timer;      /* of the next */
    ngx_uint_t                     count;      /* of results that differ from
                                                  healthy */
    size_t                         sent;
    size_t                         received;
    u_char                         answer[16];

    unsigned                       active:1;   /* not draining */
    unsigned                       healthy:1;
    unsigned                       seen:1;     /* in what was just loaded */
} ngx_http_azora_service_node_t;


typedef struct {
    ngx_array_t                    services;   /* ngx_http_azora_service_t * */
    ngx_shm_zone_t                *zone;       /* the last text, for workers
                                                  that begin */
} ngx_http_azora_service_main_conf_t;


extern ngx_module_t           ngx_http_azora_service_module;
extern const ngx_azora_row_t  ngx_http_azora_service_rows[];


/* ngx_http_azora_service_load.c: from the database into the worker */

ngx_int_t ngx_http_azora_service_load_init(ngx_conf_t *cf,
    ngx_http_azora_service_main_conf_t *smcf);
void ngx_http_azora_service_load_process(ngx_cycle_t *cycle,
    ngx_http_azora_service_main_conf_t *smcf);
void ngx_http_azora_service_load_exit(void);

/* ngx_http_azora_service_node.c */

/* NGX_ERROR: it cannot be read, and everything is as it was */
ngx_int_t ngx_http_azora_service_apply(
    ngx_http_azora_service_main_conf_t *smcf, const ngx_str_t *text);
void ngx_http_azora_service_forget(ngx_http_azora_service_main_conf_t *smcf);

/* ngx_http_azora_service_set.c */

/* the nodes that are active become the set; NGX_ERROR: the old one stays */
ngx_int_t ngx_http_azora_service_set_make(ngx_http_azora_service_t *service);
void ngx_http_azora_service_set_release(ngx_http_azora_service_set_t *set);

/* ngx_http_azora_service_check.c */

/* begins at once, or does nothing where checks are off */
void ngx_http_azora_service_check_start(ngx_http_azora_service_node_t *node);
void ngx_http_azora_service_check_stop(ngx_http_azora_service_node_t *node);

/* ngx_http_azora_service_edge.c: GET /v1/admin/edge */

ngx_int_t ngx_http_azora_service_edge_init(ngx_conf_t *cf);
ngx_int_t ngx_http_azora_service_edge(ngx_http_request_t *r);


#endif /* _NGX_HTTP_AZORA_SERVICE_H_INCLUDED_ */
