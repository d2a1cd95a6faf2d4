
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


/* azora_breaker, of an upstream {} */

typedef struct {
    ngx_str_t                    name;
    ngx_uint_t                   given;
    ngx_uint_t                   failures;     /* in a row open it */
    ngx_uint_t                   max;          /* calls at once, 0: any */
    ngx_uint_t                   budget;       /* % of requests, for retries */
    ngx_msec_t                   try;          /* of one, until it answers */
    ngx_msec_t                   total;        /* of all, to the last byte */
    ngx_msec_t                   pause;        /* at most, before the second */
    ngx_uint_t                   breaker;      /* of the core */
    ngx_uint_t                   place;        /* in the zone */
    ngx_uint_t                   retries;      /* metrics */
    ngx_uint_t                   open;
    ngx_uint_t                   full;
    ngx_uint_t                   cuts;
    ngx_http_upstream_init_pt    init_upstream;
    ngx_http_upstream_init_peer_pt  init_peer;
} ngx_http_azora_gateway_srv_conf_t;


/* What the node knows of upstreams, in shared memory. */

#define NGX_HTTP_AZORA_GATEWAY_UPSTREAMS  16
#define NGX_HTTP_AZORA_GATEWAY_PROCESSES  128

typedef struct {
    uint64_t                     name;         /* hash; 0: free */
    ngx_atomic_t                 tokens;       /* thousandths of a retry */
    ngx_atomic_t                 calls[NGX_HTTP_AZORA_GATEWAY_PROCESSES];
} ngx_http_azora_gateway_upstream_t;


/* a request's call of an upstream with azora_breaker */

typedef struct {
    ngx_http_request_t                 *request;
    ngx_http_upstream_t                *upstream;
    ngx_http_azora_gateway_srv_conf_t  *conf;
    ngx_http_azora_gateway_upstream_t  *shared;
    void                               *data;    /* the balancer's */
    ngx_event_get_peer_pt               get;
    ngx_event_free_peer_pt              free;
    ngx_event_notify_peer_pt            notify;
#if (NGX_HTTP_SSL)
    ngx_event_set_peer_session_pt       set_session;
    ngx_event_save_peer_session_pt      save_session;
#endif
    ngx_msec_t                          ends;    /* when the total is over */
    ngx_event_t                         deadline;
    ngx_event_t                         pause;
    ngx_http_upstream_handler_pt        write;   /* held back by the pause */
    ngx_uint_t                          tries;
    unsigned                            calling:1;
    unsigned                            cut:1;   /* by us, for the time */
    unsigned                            stale:1; /* a kept connection had been
                                                    closed */
} ngx_http_azora_gateway_peer_t;


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
    ngx_array_t                 *requests;     /* headers to edit, or NULL */
    ngx_array_t                 *responses;
} ngx_http_azora_gateway_loc_conf_t;


typedef struct {
    ngx_int_t                    traceparent;  /* indexes of variables */
    ngx_int_t                    tracestate;
    ngx_int_t                    request_id;
    ngx_http_azora_gateway_upstream_t  *upstreams;  /* NULL: no azora_breaker */
    ngx_shm_zone_t              *zone;
    ngx_array_t                  renames;      /* of requests, each once */
} ngx_http_azora_gateway_main_conf_t;


/* of a request whose upstream was not asked, or is about to be again */

typedef struct {
    ngx_uint_t                   refused;      /* 503 and not 502 */
    ngx_str_t                    wait;         /* seconds */
    ngx_http_azora_gateway_peer_t  *peer;      /* while it pauses */
} ngx_http_azora_gateway_ctx_t;


extern ngx_module_t  ngx_http_azora_gateway_module;


/* the name of a header that goes to services, in lower case */

typedef struct {
    ngx_str_t                    text;
    ngx_uint_t                   hash;         /* set by ..._name_init() */
} ngx_http_azora_gateway_name_t;


/* ngx_http_azora_gateway_input.c: what upstreams and we see of a request */

/* configuration time */
void ngx_http_azora_gateway_input_init(void);
/* POST_READ: nobody outside speaks in our name */
ngx_int_t ngx_http_azora_gateway_post_read(ngx_http_request_t *r);
/* PRECONTENT: who calls and in which trace, for the service behind */
ngx_int_t ngx_http_azora_gateway_forward(ngx_http_request_t *r);

/* ngx_http_azora_gateway_list.c: the list of a request's headers */

typedef ngx_uint_t (*ngx_http_azora_gateway_drop_pt)(
    const ngx_table_elt_t *h, const void *data);

/*
 * Takes those headers out of the list that drop() names; pointers to others
 * stay valid.  NGX_ERROR: out of memory, and the list is as it was.
 */
ngx_int_t ngx_http_azora_gateway_drop(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data);
/* whether there is one that drop() names */
ngx_uint_t ngx_http_azora_gateway_any(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data);
/* name is of the configuration; value must outlive the request */
ngx_int_t ngx_http_azora_gateway_push(ngx_http_request_t *r,
    const ngx_http_azora_gateway_name_t *name, const ngx_str_t *value);
void ngx_http_azora_gateway_name_init(ngx_http_azora_gateway_name_t *name);

/* ngx_http_azora_gateway_header.c: azora_request_header, ..._response_... */
char *ngx_http_azora_gateway_edit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* after who calls was put in; NGX_ERROR: out of memory */
ngx_int_t ngx_http_azora_gateway_edit_requests(ngx_http_request_t *r,
    const ngx_array_t *edits);
/* when all other headers are there */
ngx_int_t ngx_http_azora_gateway_edit_responses(ngx_http_request_t *r,
    const ngx_array_t *edits);
/* takes headers out of NGINX's sight, and with erase out of the answer */
void ngx_http_azora_gateway_forget(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data, ngx_uint_t erase);

/* ngx_http_azora_gateway_cors.c */
char *ngx_http_azora_gateway_cors(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* ACCESS: a preflight to what is no row; rows answer OPTIONS themselves */
ngx_int_t ngx_http_azora_gateway_preflight(ngx_http_request_t *r);
ngx_int_t ngx_http_azora_gateway_cors_headers(ngx_http_request_t *r,
    const ngx_http_azora_gateway_cors_t *cors);

/* ngx_http_azora_gateway_breaker.c: azora_breaker */
char *ngx_http_azora_gateway_breaker(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* made where there is none; NULL: out of memory */
ngx_http_azora_gateway_ctx_t *ngx_http_azora_gateway_ctx(
    ngx_http_request_t *r);

/* ngx_http_azora_gateway_time.c: what a call begins, each try, and its end */
void ngx_http_azora_gateway_time_call(ngx_http_azora_gateway_peer_t *p);
void ngx_http_azora_gateway_time_try(ngx_http_azora_gateway_peer_t *p);
void ngx_http_azora_gateway_time_end(ngx_http_azora_gateway_peer_t *p);
ngx_uint_t ngx_http_azora_gateway_time_over(
    const ngx_http_azora_gateway_peer_t *p);
/* a try after the first: what the balancer's rc becomes for NGINX */
ngx_int_t ngx_http_azora_gateway_pause(ngx_http_azora_gateway_peer_t *p,
    ngx_peer_connection_t *pc, ngx_int_t rc);

/* ngx_http_azora_gateway_upstream.c: the zone of upstreams */

/* gives each azora_breaker its place, after the configuration was read */
ngx_int_t ngx_http_azora_gateway_upstream_zone(ngx_conf_t *cf);
/* this process has no calls yet */
void ngx_http_azora_gateway_upstream_process(
    ngx_http_azora_gateway_main_conf_t *gmcf);
/*
 * Begins a call, unless max are under way on this node; 0: no bound.  Returns
 * whether it began, and has to end then.
 */
ngx_uint_t ngx_http_azora_gateway_call(ngx_http_azora_gateway_upstream_t *u,
    ngx_uint_t max);
void ngx_http_azora_gateway_call_end(ngx_http_azora_gateway_upstream_t *u);
/* each first try earns budget %, up to ten retries in store */
void ngx_http_azora_gateway_earn(ngx_http_azora_gateway_upstream_t *u,
    ngx_uint_t budget);
/* whether a retry could be paid */
ngx_uint_t ngx_http_azora_gateway_pay(ngx_http_azora_gateway_upstream_t *u);

/* ngx_http_azora_gateway_output.c */
ngx_int_t ngx_http_azora_gateway_output_init(ngx_conf_t *cf);
/* the answer's header of that name, NULL: none is in its list */
ngx_table_elt_t *ngx_http_azora_gateway_told(ngx_http_request_t *r,
    const ngx_str_t *name);


#endif /* _NGX_HTTP_AZORA_GATEWAY_H_INCLUDED_ */
