
/*
 * The cache of answers to rows that everybody gets alike (row->cache), and
 * the flights that make one query of many equal questions.
 */


#ifndef _NGX_AZORA_CACHE_H_INCLUDED_
#define _NGX_AZORA_CACHE_H_INCLUDED_


#include "ngx_azora_private.h"


#define NGX_AZORA_CACHE_FINGERPRINT  64    /* of the parameters, hexadecimal */
#define NGX_AZORA_CACHE_ETAG_MAX     72
#define NGX_AZORA_CACHE_BODY_MAX     (256 * 1024)


/* what an answer is the answer to; the strings are borrowed */

typedef struct {
    ngx_str_t                  label;         /* of the row */
    u_char                    *fingerprint;
    uint32_t                   hash;
    uint64_t                   generation;    /* 0: the row has none */
} ngx_azora_cache_key_t;


typedef struct {
    ngx_str_t                  body;          /* in the worker's own buffer,
                                                 until the next call */
    ngx_str_t                  etag;          /* likewise, or empty */
    ngx_msec_t                 age;
    ngx_msec_int_t             ttl;           /* below 0: stale */
    uint64_t                   ticket;        /* 0: somebody else asks */
    unsigned                   known:1;       /* there was an older answer */
    unsigned                   far:1;         /* Redis gave it */
} ngx_azora_cache_copy_t;


/* things that happened to the zone in one call, to be counted outside */

typedef struct {
    ngx_uint_t                 evicted;
    ngx_uint_t                 purged;
} ngx_azora_cache_news_t;


typedef struct {
    ngx_uint_t                 entries;
    ngx_uint_t                 used;          /* bytes */
    ngx_uint_t                 size;
} ngx_azora_cache_state_t;


/* ngx_azora_cache_zone.c: shared memory */

ngx_int_t ngx_azora_cache_zone_init(ngx_shm_zone_t *zone, void *data);

/* the worker's own buffer; NGX_ERROR: out of memory */
ngx_int_t ngx_azora_cache_zone_init_process(ngx_cycle_t *cycle,
    ngx_azora_cache_conf_t *conf);

/*
 * NGX_OK: copy is an answer; with a ticket it is stale, and the caller is the
 * one to ask again.  NGX_AGAIN: somebody asks and there is nothing to give
 * meanwhile.  NGX_DECLINED: the caller, who got the ticket, is the one to ask.
 * A ticket is used up by put() or release(), or runs out after lease ms.
 */
ngx_int_t ngx_azora_cache_get(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, ngx_msec_t lease,
    ngx_azora_cache_copy_t *copy, ngx_azora_cache_news_t *news);

/*
 * An answer that is age ms old and fresh for so many from its beginning on.
 * NGX_DECLINED: too large, or the ticket is not the last one (0 never is);
 * the ticket, if it is, is still to be released.
 */
ngx_int_t ngx_azora_cache_put(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, uint64_t ticket, const ngx_str_t *body,
    const ngx_str_t *etag, ngx_msec_t age, ngx_msec_t fresh,
    ngx_azora_cache_news_t *news);

void ngx_azora_cache_release(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, uint64_t ticket);

void ngx_azora_cache_state(ngx_azora_cache_conf_t *conf,
    ngx_azora_cache_state_t *state);


/* ngx_azora_cache_far.c: Redis, between nodes */

typedef struct ngx_azora_cache_far_s  ngx_azora_cache_far_t;

/* copy NULL: not there, or not in time; otherwise valid during the call */
typedef void (*ngx_azora_cache_far_pt)(const ngx_azora_cache_copy_t *copy,
    void *data);

ngx_int_t ngx_azora_cache_far_init(ngx_conf_t *cf,
    ngx_azora_main_conf_t *amcf);

/*
 * Asks Redis for an answer that is fresh for so many ms from its beginning on.
 * handler is called exactly once and within azora_cache's time, from the event
 * loop and never from within this call.  NULL: Redis cannot be asked now.
 */
ngx_azora_cache_far_t *ngx_azora_cache_far_get(
    const ngx_azora_cache_key_t *key, ngx_msec_t fresh,
    ngx_azora_cache_far_pt handler, void *data);

/* leaves a new answer there, if Redis can be used */
void ngx_azora_cache_far_put(const ngx_azora_cache_key_t *key,
    const ngx_str_t *body, const ngx_str_t *etag, ngx_msec_t fresh);


/* ngx_azora_flight.c: who waits for which answer in this worker */

typedef struct ngx_azora_flight_s  ngx_azora_flight_t;

void ngx_azora_flight_init_process(ngx_cycle_t *cycle);

/* joins what is under way, or takes off with the ticket; NGX_DONE or 500 */
ngx_int_t ngx_azora_flight_join(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key, const ngx_azora_cache_copy_t *copy);

/* asks again for the sake of those who come later */
void ngx_azora_flight_refresh(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_key_t *key, uint64_t ticket);


/* ngx_azora_cache.c */

typedef enum {
    NGX_AZORA_CACHE_HIT = 0,
    NGX_AZORA_CACHE_STALE,
    NGX_AZORA_CACHE_SHARED,
    NGX_AZORA_CACHE_MISS,
    NGX_AZORA_CACHE_COLLAPSED,
    NGX_AZORA_CACHE_BYPASS,
    NGX_AZORA_CACHE_OUTCOMES
} ngx_azora_cache_outcome_e;

void ngx_azora_cache_count(ngx_azora_cache_outcome_e outcome);
void ngx_azora_cache_count_news(const ngx_azora_cache_news_t *news);

/* how long one asks for a row at most, and so how long a ticket lives */
ngx_msec_t ngx_azora_cache_lease(const ngx_azora_row_t *row);

/*
 * Fills ctx->reply from a copy and sends it; returns what a handler does.
 * collapsed: it waited for another worker's question.
 */
ngx_int_t ngx_azora_cache_send(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_azora_cache_copy_t *copy, ngx_uint_t collapsed);

/* Cache-Status (RFC 9211) of an answer that PostgreSQL gave */
ngx_int_t ngx_azora_cache_forwarded(ngx_http_request_t *r, ngx_uint_t known,
    ngx_uint_t collapsed, ngx_uint_t stored);


#endif /* _NGX_AZORA_CACHE_H_INCLUDED_ */
