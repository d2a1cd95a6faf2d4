
/*
 * How the cache's memory is laid out; for ngx_azora_cache_zone.c and
 * ngx_azora_cache_blocks.c only.
 */


#ifndef _NGX_AZORA_CACHE_ZONE_H_INCLUDED_
#define _NGX_AZORA_CACHE_ZONE_H_INCLUDED_


#include "ngx_azora_cache.h"


#define NGX_AZORA_CACHE_BLOCK        1024


/* Blocks are named by their number; 0 is none. */

typedef struct {
    uint32_t                   next;          /* block of this answer, or the
                                                 next free one */
    uint32_t                   chain;         /* answer of this chain */
    uint32_t                   newer;
    uint32_t                   older;
    uint32_t                   hash;
    uint32_t                   len;           /* of the body */
    uint16_t                   label_len;
    uint16_t                   etag_len;
    uint32_t                   filled;        /* else only asked for */
    uint64_t                   generation;
    uint64_t                   born;          /* ms, ngx_current_msec */
    uint64_t                   fresh;         /* ms */
    uint64_t                   ticket;        /* pid and a number, 0: nobody
                                                 asks */
    uint64_t                   ticket_generation;
    uint64_t                   ticket_end;    /* ms */
    u_char                     fingerprint[NGX_AZORA_CACHE_FINGERPRINT];
    u_char                     label[NGX_AZORA_CACHE_LABEL_MAX];
    u_char                     etag[NGX_AZORA_CACHE_ETAG_MAX];
} ngx_azora_cache_entry_t;


typedef struct {
    uint32_t                   next;
    u_char                     data[NGX_AZORA_CACHE_BLOCK - 4];
} ngx_azora_cache_block_t;


_Static_assert(sizeof(ngx_azora_cache_block_t) == NGX_AZORA_CACHE_BLOCK,
               "a block is what it is called");
_Static_assert(sizeof(ngx_azora_cache_entry_t) < NGX_AZORA_CACHE_BLOCK / 2,
               "half of the first block is for the body");


struct ngx_azora_cache_zone_s {
    uint64_t                   magic;
    uint32_t                   version;
    uint32_t                   entry;         /* bytes of its head */
    volatile ngx_uint_t        busy;
    uint32_t                   nblocks;
    uint32_t                   nchains;       /* a power of two */
    uint32_t                   free;          /* list of those given back */
    uint32_t                   unused;        /* the first that never held
                                                 anything: its page may not
                                                 even exist yet */
    uint32_t                   nfree;         /* of both kinds */
    uint32_t                   newest;
    uint32_t                   oldest;
    uint32_t                   entries;
    uint32_t                   tickets;       /* given so far */
    uint32_t                  *chains;        /* one address everywhere */
    ngx_azora_cache_block_t   *blocks;        /* block 0 is never used */
};


/* ngx_azora_cache_blocks.c: all of it under the lock */

ngx_azora_cache_entry_t *ngx_azora_cache_entry(ngx_azora_cache_zone_t *z,
    uint32_t n);

void ngx_azora_cache_empty(ngx_azora_cache_zone_t *z);

/* 0: not there */
uint32_t ngx_azora_cache_find(ngx_azora_cache_zone_t *z,
    const ngx_azora_cache_key_t *key);

/* an entry without a body; never fails, because another one gives way */
uint32_t ngx_azora_cache_add(ngx_azora_cache_zone_t *z,
    const ngx_azora_cache_key_t *key, ngx_azora_cache_news_t *news);

/* makes it the newest */
void ngx_azora_cache_touch(ngx_azora_cache_zone_t *z, uint32_t n);

void ngx_azora_cache_remove(ngx_azora_cache_zone_t *z, uint32_t n);

/* gives the body's blocks back */
void ngx_azora_cache_clear(ngx_azora_cache_zone_t *z, uint32_t n);

/* how many blocks a body takes besides the entry's own */
uint32_t ngx_azora_cache_need(size_t len);

/* copies body and tag to buffer, BODY_MAX and ETAG_MAX bytes */
void ngx_azora_cache_read(ngx_azora_cache_zone_t *z, uint32_t n,
    u_char *buffer, ngx_azora_cache_copy_t *copy);

/* as many blocks as it takes are free */
void ngx_azora_cache_write(ngx_azora_cache_zone_t *z, uint32_t n,
    const ngx_str_t *body);


#endif /* _NGX_AZORA_CACHE_ZONE_H_INCLUDED_ */
