
/*
 * Verified tokens in shared memory: a set-associative table keyed by the
 * token's SHA-256, so that a hit stands for a signature that was verified.
 *
 * Readers take no lock: a cell has a sequence number that is odd while it is
 * written, and a reader that saw it odd or changed takes a miss.  A writer
 * owns its cell by its process id; the cell of a worker that died while
 * writing is taken over by the next writer.
 *
 * Expiry and the ring's keys are compared at each hit.  A cell also says with
 * which generation of sessions its token was last known to live; with another
 * one the caller looks at the revocations and puts it here anew, which costs
 * far less than a signature.
 */


#include "ngx_http_azora_auth.h"
#include <signal.h>


#define NGX_HTTP_AZORA_AUTH_CACHE_MAGIC    0x6e656b6f74ULL   /* "token" */
#define NGX_HTTP_AZORA_AUTH_CACHE_VERSION  2
#define NGX_HTTP_AZORA_AUTH_CELL           512
#define NGX_HTTP_AZORA_AUTH_WAYS           4
#define NGX_HTTP_AZORA_AUTH_STRINGS        5


typedef struct {
    uint64_t                   seq;         /* odd while it is written */
    uint64_t                   owner;       /* writer's pid, 0 without */
    u_char                     hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    uint64_t                   ring;
    uint64_t                   generation;
    int64_t                    expires;     /* Unix seconds, 0: empty */
    int64_t                    issued;
    uint64_t                   epoch;
    uint16_t                   len[NGX_HTTP_AZORA_AUTH_STRINGS];
    u_char                     text[NGX_HTTP_AZORA_AUTH_CELL - 98];
} ngx_http_azora_auth_cell_t;


_Static_assert(sizeof(ngx_http_azora_auth_cell_t) == NGX_HTTP_AZORA_AUTH_CELL,
               "a cell is eight cache lines");


typedef struct {
    uint64_t                   magic;
    uint32_t                   version;
    uint32_t                   cell;        /* bytes */
    uint64_t                   nsets;
    ngx_http_azora_auth_cell_t *cells;      /* same address in each process */
} ngx_http_azora_auth_table_t;


struct ngx_http_azora_auth_cache_s {
    ngx_http_azora_auth_table_t  *table;
};


static ngx_int_t ngx_http_azora_auth_cache_init(ngx_shm_zone_t *zone,
    void *data);
static ngx_http_azora_auth_cell_t *ngx_http_azora_auth_cache_set(
    ngx_http_azora_auth_table_t *table, const u_char *hash);
static ngx_int_t ngx_http_azora_auth_cell_lock(
    ngx_http_azora_auth_cell_t *cell);


ngx_int_t
ngx_http_azora_auth_cache_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("azora_auth");

    if (conf->cache_size == 0) {
        return NGX_OK;
    }

    conf->cache = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_auth_cache_t));
    if (conf->cache == NULL) {
        return NGX_ERROR;
    }

    zone = ngx_shared_memory_add(cf, &name, conf->cache_size,
                                 &ngx_http_azora_auth_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_azora_auth_cache_init;
    zone->data = conf->cache;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_cache_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_azora_auth_cache_t *old = data;

    size_t                        size;
    ngx_slab_pool_t              *slab;
    ngx_http_azora_auth_cache_t  *cache;
    ngx_http_azora_auth_table_t  *table;

    cache = zone->data;
    slab = (ngx_slab_pool_t *) zone->shm.addr;

    table = old ? old->table : (zone->shm.exists ? slab->data : NULL);

    if (table != NULL) {

        if (table->magic != NGX_HTTP_AZORA_AUTH_CACHE_MAGIC
            || table->version != NGX_HTTP_AZORA_AUTH_CACHE_VERSION
            || table->cell != sizeof(ngx_http_azora_auth_cell_t))
        {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "zone \"%V\" is of another version of Azora: "
                          "restart NGINX", &zone->shm.name);
            return NGX_ERROR;
        }

        cache->table = table;
        return NGX_OK;
    }

    table = ngx_slab_calloc(slab, sizeof(ngx_http_azora_auth_table_t));
    if (table == NULL) {
        return NGX_ERROR;
    }

    /* all pages that are left, in one piece */

    size = slab->pfree * ngx_pagesize;
    table->nsets = size / (NGX_HTTP_AZORA_AUTH_WAYS * NGX_HTTP_AZORA_AUTH_CELL);
    table->cells = ngx_slab_alloc(slab, size);

    if (table->cells == NULL || table->nsets == 0) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "zone \"%V\" is too small", &zone->shm.name);
        return NGX_ERROR;
    }

    /*
     * Fresh shared memory is zero and its pages are not there yet: nothing is
     * written here, so that an unused cache costs no memory.
     */

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(table->cells, size);
#endif

    table->cell = sizeof(ngx_http_azora_auth_cell_t);
    table->version = NGX_HTTP_AZORA_AUTH_CACHE_VERSION;
    table->magic = NGX_HTTP_AZORA_AUTH_CACHE_MAGIC;

    slab->data = table;
    cache->table = table;

    return NGX_OK;
}


/* Any 32 bits of a SHA-256 are as good as any others. */

static ngx_http_azora_auth_cell_t *
ngx_http_azora_auth_cache_set(ngx_http_azora_auth_table_t *table,
    const u_char *hash)
{
    uint32_t  h;

    ngx_memcpy(&h, hash, sizeof(h));

    return &table->cells[((h * table->nsets) >> 32)
                         * NGX_HTTP_AZORA_AUTH_WAYS];
}


ngx_int_t
ngx_http_azora_auth_cache_get(ngx_http_azora_auth_cache_t *cache,
    const u_char *hash, uint64_t ring, time_t now, ngx_pool_t *pool,
    ngx_http_azora_auth_proof_t *identity, uint64_t *generation)
{
    size_t                       size;
    u_char                      *p;
    uint64_t                     seq;
    ngx_str_t                   *s[NGX_HTTP_AZORA_AUTH_STRINGS];
    ngx_uint_t                   i, way;
    ngx_azora_principal_t       *principal;
    ngx_http_azora_auth_cell_t  *cell;
    uint16_t                     len[NGX_HTTP_AZORA_AUTH_STRINGS];

    principal = &identity->principal;
    cell = ngx_http_azora_auth_cache_set(cache->table, hash);

    for (way = 0; way < NGX_HTTP_AZORA_AUTH_WAYS; way++, cell++) {

        seq = __atomic_load_n(&cell->seq, __ATOMIC_ACQUIRE);

        if ((seq & 1)
            || ngx_memcmp(cell->hash, hash, NGX_HTTP_AZORA_AUTH_HASH_LEN)
               != 0)
        {
            continue;
        }

        if (cell->ring != ring || cell->expires <= now) {
            return NGX_DECLINED;
        }

        *generation = cell->generation;
        identity->epoch = cell->epoch;
        identity->issued = (time_t) cell->issued;
        principal->expires = (time_t) cell->expires;
        ngx_memcpy(len, cell->len, sizeof(len));
        size = 0;

        for (i = 0; i < NGX_HTTP_AZORA_AUTH_STRINGS; i++) {
            size += len[i];
        }

        if (size > sizeof(cell->text)) {
            /* lengths of two writes */
            return NGX_DECLINED;
        }

        p = ngx_pnalloc(pool, size);
        if (p == NULL) {
            return NGX_DECLINED;
        }

        ngx_memcpy(p, cell->text, size);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);

        if (__atomic_load_n(&cell->seq, __ATOMIC_RELAXED) != seq) {
            return NGX_DECLINED;
        }

        s[0] = &principal->subject;
        s[1] = &principal->session;
        s[2] = &principal->roles;
        s[3] = &principal->scope;
        s[4] = &principal->tier;

        for (i = 0; i < NGX_HTTP_AZORA_AUTH_STRINGS; i++) {
            s[i]->data = p;
            s[i]->len = len[i];
            p += len[i];
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


void
ngx_http_azora_auth_cache_put(ngx_http_azora_auth_cache_t *cache,
    const u_char *hash, uint64_t ring, uint64_t generation, time_t now,
    const ngx_http_azora_auth_proof_t *identity)
{
    size_t                       size;
    u_char                      *p;
    int64_t                      oldest, age;
    ngx_uint_t                   i, way;
    ngx_http_azora_auth_cell_t  *cell, *victim;
    const ngx_str_t             *s[NGX_HTTP_AZORA_AUTH_STRINGS];
    const ngx_azora_principal_t *principal;

    principal = &identity->principal;

    s[0] = &principal->subject;
    s[1] = &principal->session;
    s[2] = &principal->roles;
    s[3] = &principal->scope;
    s[4] = &principal->tier;

    size = 0;

    for (i = 0; i < NGX_HTTP_AZORA_AUTH_STRINGS; i++) {
        size += s[i]->len;
    }

    if (size > sizeof(cell->text)) {
        return;
    }

    /* the same token, else one that is of no use, else the first to expire */

    cell = ngx_http_azora_auth_cache_set(cache->table, hash);
    victim = cell;
    oldest = INT64_MAX;

    for (way = 0; way < NGX_HTTP_AZORA_AUTH_WAYS; way++, cell++) {

        if (ngx_memcmp(cell->hash, hash, NGX_HTTP_AZORA_AUTH_HASH_LEN) == 0) {
            victim = cell;
            break;
        }

        age = (cell->expires <= now || cell->ring != ring) ? 0
                                                           : cell->expires;

        if (age < oldest) {
            oldest = age;
            victim = cell;
        }
    }

    if (ngx_http_azora_auth_cell_lock(victim) != NGX_OK) {
        return;
    }

    ngx_memcpy(victim->hash, hash, NGX_HTTP_AZORA_AUTH_HASH_LEN);
    victim->ring = ring;
    victim->generation = generation;
    victim->expires = principal->expires;
    victim->issued = identity->issued;
    victim->epoch = identity->epoch;
    p = victim->text;

    for (i = 0; i < NGX_HTTP_AZORA_AUTH_STRINGS; i++) {
        victim->len[i] = (uint16_t) s[i]->len;
        p = ngx_cpymem(p, s[i]->data, s[i]->len);
    }

    __atomic_fetch_add(&victim->seq, 1, __ATOMIC_RELEASE);
    __atomic_store_n(&victim->owner, 0, __ATOMIC_RELEASE);
}


/* NGX_BUSY: another process writes here; a cache may forget. */

static ngx_int_t
ngx_http_azora_auth_cell_lock(ngx_http_azora_auth_cell_t *cell)
{
    uint64_t  owner;

    owner = 0;

    while (!__atomic_compare_exchange_n(&cell->owner, &owner,
                                        (uint64_t) ngx_pid, 0,
                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    {
        if (owner == 0) {
            continue;
        }

        if (kill((ngx_pid_t) owner, 0) == 0 || ngx_errno != ESRCH) {
            return NGX_BUSY;
        }
    }

    /* a writer that died may have left the number odd */

    __atomic_store_n(&cell->seq, __atomic_load_n(&cell->seq, __ATOMIC_RELAXED)
                                 | 1,
                     __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);

    return NGX_OK;
}
