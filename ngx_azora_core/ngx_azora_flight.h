
/*
 * What the two files of the flights share.
 */


#ifndef _NGX_AZORA_FLIGHT_H_INCLUDED_
#define _NGX_AZORA_FLIGHT_H_INCLUDED_


#include "ngx_azora_cache.h"


struct ngx_azora_flight_s {
    ngx_queue_t                  chain;
    ngx_queue_t                  remote;      /* while it asks nobody */
    ngx_queue_t                  waiters;
    ngx_azora_op_t              *op;          /* PostgreSQL is asked */
    ngx_azora_cache_far_t       *far;         /* Redis is asked */
    const ngx_azora_endpoint_t  *endpoint;
    ngx_azora_cache_key_t        key;
    uint64_t                     ticket;
    u_char                       fingerprint[NGX_AZORA_CACHE_FINGERPRINT];
    unsigned                     known:1;
    unsigned                     landed:1;    /* who answers also frees */
};


typedef struct {
    ngx_queue_t                  queue;
    ngx_http_request_t          *request;
    ngx_azora_flight_t          *flight;      /* NULL: it has landed */
    unsigned                     first:1;
} ngx_azora_waiter_t;


/* whether it only waits for what another worker asks */
#define ngx_azora_flight_idle(flight)                                         \
    ((flight)->op == NULL && (flight)->far == NULL)


/* ngx_azora_flight.c */

/* frees an idle one that nobody waits for */
void ngx_azora_flight_free(ngx_azora_flight_t *flight);

/* asks PostgreSQL with r's parameters; NGX_ERROR: out of memory */
ngx_int_t ngx_azora_flight_start(ngx_azora_flight_t *flight,
    ngx_http_request_t *r, uint64_t ticket);

/* takes the next one who waits off the flight; NULL: there is none */
ngx_azora_waiter_t *ngx_azora_flight_next(ngx_azora_flight_t *flight);

/* nobody joins it any more */
void ngx_azora_flight_land(ngx_azora_flight_t *flight);


/* ngx_azora_flight_remote.c */

void ngx_azora_flight_remote_init(ngx_cycle_t *cycle);

/* puts a flight that asks nobody among those that look into the memory */
void ngx_azora_flight_remote_add(ngx_azora_flight_t *flight);

/* makes sure that somebody looks */
void ngx_azora_flight_remote_watch(void);

/* asks Redis first, with the ticket; NGX_DECLINED: it cannot be asked */
ngx_int_t ngx_azora_flight_ask(ngx_azora_flight_t *flight, uint64_t ticket);


#endif /* _NGX_AZORA_FLIGHT_H_INCLUDED_ */
