
/*
 * The cache's memory, shared by the workers and kept over reloads: a table of
 * chains and blocks of one size.  An answer takes as many blocks as it needs;
 * when none is free, the answer nobody asked for the longest gives up its own.
 *
 * One lock guards it all, for as long as a copy takes.  NGINX frees the lock
 * of a worker that died, wherever that was: the zone says whether somebody is
 * at work in it, and who finds that out with the lock in hand empties it,
 * because a cache may forget.
 */


#include "ngx_azora_cache_zone.h"
#include <signal.h>


#define NGX_AZORA_CACHE_MAGIC        0x6568636163ULL   /* "cache" */
#define NGX_AZORA_CACHE_VERSION      1

/* no answer takes more than this part of the zone */
#define NGX_AZORA_CACHE_SHARE        8


static ngx_int_t ngx_azora_cache_create(ngx_shm_zone_t *zone,
    ngx_azora_cache_conf_t *conf);
static void ngx_azora_cache_lock(ngx_azora_cache_conf_t *conf);
static void ngx_azora_cache_unlock(ngx_azora_cache_conf_t *conf);
static ngx_uint_t ngx_azora_cache_asked(const ngx_azora_cache_entry_t *e,
    uint64_t generation);


/* where a copy is taken to under the lock: nothing is allocated meanwhile */
static u_char  *ngx_azora_cache_buffer;


ngx_int_t
ngx_azora_cache_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_azora_cache_conf_t *old = data;

    ngx_slab_pool_t         *slab;
    ngx_azora_cache_conf_t  *conf;
    ngx_azora_cache_zone_t  *z;

    conf = zone->data;
    slab = (ngx_slab_pool_t *) zone->shm.addr;
    conf->slab = slab;

    z = old ? old->zone : (zone->shm.exists ? slab->data : NULL);

    if (z == NULL) {
        return ngx_azora_cache_create(zone, conf);
    }

    if (z->magic != NGX_AZORA_CACHE_MAGIC
        || z->version != NGX_AZORA_CACHE_VERSION
        || z->entry != sizeof(ngx_azora_cache_entry_t))
    {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "zone \"%V\" is of another version of Azora: "
                      "restart NGINX", &zone->shm.name);
        return NGX_ERROR;
    }

    conf->zone = z;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_cache_create(ngx_shm_zone_t *zone, ngx_azora_cache_conf_t *conf)
{
    size_t                   size;
    u_char                  *p;
    ngx_slab_pool_t         *slab;
    ngx_azora_cache_zone_t  *z;

    slab = conf->slab;

    /* all pages there are, in one piece */

    size = slab->pfree * ngx_pagesize;
    p = ngx_slab_alloc(slab, size);

    if (p == NULL || size < 64 * 1024) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "zone \"%V\" is too small", &zone->shm.name);
        return NGX_ERROR;
    }

    z = (ngx_azora_cache_zone_t *) p;

    /* fresh pages are zero: clearing them would only make them resident */
    ngx_memzero(z, sizeof(ngx_azora_cache_zone_t));

    z->nchains = 16;

    while (z->nchains < size / (2 * NGX_AZORA_CACHE_BLOCK)) {
        z->nchains *= 2;
    }

    z->chains = (uint32_t *) (p + sizeof(ngx_azora_cache_zone_t));
    p = ngx_align_ptr((u_char *) (z->chains + z->nchains), 64);
    z->blocks = (ngx_azora_cache_block_t *) p;
    z->nblocks = ((u_char *) z + size - p) / NGX_AZORA_CACHE_BLOCK;

    z->entry = sizeof(ngx_azora_cache_entry_t);
    z->version = NGX_AZORA_CACHE_VERSION;
    z->magic = NGX_AZORA_CACHE_MAGIC;

    ngx_azora_cache_empty(z);

    slab->data = z;
    conf->zone = z;

    return NGX_OK;
}


ngx_int_t
ngx_azora_cache_zone_init_process(ngx_cycle_t *cycle,
    ngx_azora_cache_conf_t *conf)
{
    if (conf->zone == NULL) {
        return NGX_OK;
    }

    ngx_azora_cache_buffer = ngx_palloc(cycle->pool, NGX_AZORA_CACHE_BODY_MAX
                                                   + NGX_AZORA_CACHE_ETAG_MAX);

    return ngx_azora_cache_buffer ? NGX_OK : NGX_ERROR;
}


static void
ngx_azora_cache_lock(ngx_azora_cache_conf_t *conf)
{
    ngx_shmtx_lock(&conf->slab->mutex);

    if (conf->zone->busy) {
        /* its last user died before it was done */
        ngx_azora_cache_empty(conf->zone);
    }

    conf->zone->busy = 1;
    ngx_memory_barrier();
}


static void
ngx_azora_cache_unlock(ngx_azora_cache_conf_t *conf)
{
    ngx_memory_barrier();
    conf->zone->busy = 0;

    ngx_shmtx_unlock(&conf->slab->mutex);
}


ngx_int_t
ngx_azora_cache_get(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, ngx_msec_t lease,
    ngx_azora_cache_copy_t *copy, ngx_azora_cache_news_t *news)
{
    uint32_t                  n;
    ngx_int_t                 rc;
    ngx_uint_t                asked;
    ngx_azora_cache_zone_t   *z;
    ngx_azora_cache_entry_t  *e;

    ngx_memzero(copy, sizeof(ngx_azora_cache_copy_t));
    ngx_memzero(news, sizeof(ngx_azora_cache_news_t));

    z = conf->zone;
    rc = NGX_DECLINED;

    ngx_azora_cache_lock(conf);

    n = ngx_azora_cache_find(z, key);

    if (n == 0) {
        n = ngx_azora_cache_add(z, key, news);

    } else {
        ngx_azora_cache_touch(z, n);
    }

    e = ngx_azora_cache_entry(z, n);
    asked = ngx_azora_cache_asked(e, key->generation);

    if (e->filled) {
        copy->known = 1;
        copy->age = ngx_current_msec - (ngx_msec_t) e->born;
        copy->ttl = (ngx_msec_int_t) ((ngx_msec_t) e->fresh - copy->age);

        if (e->generation != key->generation) {
            /* what it tells has changed: not even stale */
            ngx_azora_cache_clear(z, n);
            news->purged = 1;

        } else if (copy->ttl + (ngx_msec_int_t) conf->stale > 0) {
            ngx_azora_cache_read(z, n, ngx_azora_cache_buffer, copy);
            rc = NGX_OK;
        }
    }

    if (rc == NGX_OK && copy->ttl > 0) {
        asked = 1;
    }

    if (!asked) {
        e->ticket = ((uint64_t) ngx_pid << 32) | ++z->tickets;
        e->ticket_generation = key->generation;
        e->ticket_end = ngx_current_msec + lease;
        copy->ticket = e->ticket;
    }

    ngx_azora_cache_unlock(conf);

    return (rc == NGX_DECLINED && asked) ? NGX_AGAIN : rc;
}


/* Whether a living process asks for what is true now. */

static ngx_uint_t
ngx_azora_cache_asked(const ngx_azora_cache_entry_t *e, uint64_t generation)
{
    ngx_pid_t  pid;

    if (e->ticket == 0 || e->ticket_generation != generation
        || (ngx_msec_int_t) ((ngx_msec_t) e->ticket_end - ngx_current_msec)
           <= 0)
    {
        return 0;
    }

    pid = (ngx_pid_t) (e->ticket >> 32);

    return pid == ngx_pid || kill(pid, 0) == 0 || ngx_errno != ESRCH;
}


ngx_int_t
ngx_azora_cache_put(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, uint64_t ticket, const ngx_str_t *body,
    const ngx_str_t *etag, ngx_msec_t age, ngx_msec_t fresh,
    ngx_azora_cache_news_t *news)
{
    uint32_t                  n, need;
    ngx_azora_cache_zone_t   *z;
    ngx_azora_cache_entry_t  *e;

    ngx_memzero(news, sizeof(ngx_azora_cache_news_t));

    z = conf->zone;

    need = ngx_azora_cache_need(body->len);

    if (ticket == 0
        || body->len > NGX_AZORA_CACHE_BODY_MAX
        || etag->len > NGX_AZORA_CACHE_ETAG_MAX
        || need > z->nblocks / NGX_AZORA_CACHE_SHARE)
    {
        return NGX_DECLINED;
    }

    ngx_azora_cache_lock(conf);

    n = ngx_azora_cache_find(z, key);

    if (n == 0) {
        n = ngx_azora_cache_add(z, key, news);

    } else if (ngx_azora_cache_entry(z, n)->ticket != ticket) {
        /* somebody asked later */
        ngx_azora_cache_unlock(conf);
        return NGX_DECLINED;

    } else {
        ngx_azora_cache_touch(z, n);
        ngx_azora_cache_clear(z, n);
    }

    /* the newest is this one, so it is not among those that go */

    while (z->nfree < need) {
        ngx_azora_cache_remove(z, z->oldest);
        news->evicted++;
    }

    ngx_azora_cache_write(z, n, body);

    e = ngx_azora_cache_entry(z, n);

    if (etag->len) {
        /* one that is absent may have no address either */
        ngx_memcpy(e->etag, etag->data, etag->len);
    }

    e->etag_len = (uint16_t) etag->len;
    e->generation = key->generation;
    e->born = ngx_current_msec - age;
    e->fresh = fresh;
    e->ticket = 0;
    e->filled = 1;

    ngx_azora_cache_unlock(conf);

    return NGX_OK;
}


void
ngx_azora_cache_release(ngx_azora_cache_conf_t *conf,
    const ngx_azora_cache_key_t *key, uint64_t ticket)
{
    uint32_t                  n;
    ngx_azora_cache_entry_t  *e;

    ngx_azora_cache_lock(conf);

    n = ngx_azora_cache_find(conf->zone, key);
    e = ngx_azora_cache_entry(conf->zone, n);

    if (n != 0 && ticket != 0 && e->ticket == ticket) {

        if (e->filled) {
            e->ticket = 0;

        } else {
            ngx_azora_cache_remove(conf->zone, n);
        }
    }

    ngx_azora_cache_unlock(conf);
}


void
ngx_azora_cache_state(ngx_azora_cache_conf_t *conf,
    ngx_azora_cache_state_t *state)
{
    ngx_azora_cache_zone_t  *z;

    z = conf->zone;

    ngx_azora_cache_lock(conf);

    state->entries = z->entries;
    state->used = (z->nblocks - 1 - z->nfree) * NGX_AZORA_CACHE_BLOCK;
    state->size = (z->nblocks - 1) * NGX_AZORA_CACHE_BLOCK;

    ngx_azora_cache_unlock(conf);
}
