
/*
 * The cache's blocks: an answer is a chain of them, its entry stands at the
 * beginning of the first.
 */


#include "ngx_azora_cache_zone.h"


#define NGX_AZORA_CACHE_FIRST                                                 \
    (NGX_AZORA_CACHE_BLOCK - sizeof(ngx_azora_cache_entry_t))


static uint32_t ngx_azora_cache_take(ngx_azora_cache_zone_t *z);
static void ngx_azora_cache_give(ngx_azora_cache_zone_t *z, uint32_t n);
static void ngx_azora_cache_link(ngx_azora_cache_zone_t *z, uint32_t n);
static void ngx_azora_cache_unlink(ngx_azora_cache_zone_t *z, uint32_t n);


ngx_azora_cache_entry_t *
ngx_azora_cache_entry(ngx_azora_cache_zone_t *z, uint32_t n)
{
    return (ngx_azora_cache_entry_t *) &z->blocks[n];
}


void
ngx_azora_cache_empty(ngx_azora_cache_zone_t *z)
{
    ngx_memzero(z->chains, z->nchains * sizeof(uint32_t));

    z->free = 0;
    z->unused = 1;
    z->nfree = z->nblocks - 1;
    z->newest = 0;
    z->oldest = 0;
    z->entries = 0;
}


static uint32_t
ngx_azora_cache_take(ngx_azora_cache_zone_t *z)
{
    uint32_t  n;

    z->nfree--;

    if (z->free == 0) {
        return z->unused++;
    }

    n = z->free;
    z->free = z->blocks[n].next;

    return n;
}


static void
ngx_azora_cache_give(ngx_azora_cache_zone_t *z, uint32_t n)
{
    z->blocks[n].next = z->free;
    z->free = n;
    z->nfree++;
}


uint32_t
ngx_azora_cache_find(ngx_azora_cache_zone_t *z,
    const ngx_azora_cache_key_t *key)
{
    uint32_t                  n;
    ngx_azora_cache_entry_t  *e;

    n = z->chains[key->hash & (z->nchains - 1)];

    while (n != 0) {
        e = ngx_azora_cache_entry(z, n);

        if (e->hash == key->hash
            && e->label_len == key->label.len
            && ngx_memcmp(e->fingerprint, key->fingerprint,
                          NGX_AZORA_CACHE_FINGERPRINT) == 0
            && ngx_memcmp(e->label, key->label.data, key->label.len) == 0)
        {
            break;
        }

        n = e->chain;
    }

    return n;
}


uint32_t
ngx_azora_cache_add(ngx_azora_cache_zone_t *z,
    const ngx_azora_cache_key_t *key, ngx_azora_cache_news_t *news)
{
    uint32_t                  n, *chain;
    ngx_azora_cache_entry_t  *e;

    if (z->nfree == 0) {
        ngx_azora_cache_remove(z, z->oldest);
        news->evicted++;
    }

    n = ngx_azora_cache_take(z);

    e = ngx_azora_cache_entry(z, n);
    ngx_memzero(e, sizeof(ngx_azora_cache_entry_t));

    e->hash = key->hash;
    e->label_len = (uint16_t) key->label.len;
    ngx_memcpy(e->label, key->label.data, key->label.len);
    ngx_memcpy(e->fingerprint, key->fingerprint, NGX_AZORA_CACHE_FINGERPRINT);

    chain = &z->chains[key->hash & (z->nchains - 1)];
    e->chain = *chain;
    *chain = n;

    ngx_azora_cache_link(z, n);
    z->entries++;

    return n;
}


void
ngx_azora_cache_touch(ngx_azora_cache_zone_t *z, uint32_t n)
{
    if (z->newest != n) {
        ngx_azora_cache_unlink(z, n);
        ngx_azora_cache_link(z, n);
    }
}


static void
ngx_azora_cache_link(ngx_azora_cache_zone_t *z, uint32_t n)
{
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);
    e->newer = 0;
    e->older = z->newest;

    if (z->newest) {
        ngx_azora_cache_entry(z, z->newest)->newer = n;

    } else {
        z->oldest = n;
    }

    z->newest = n;
}


static void
ngx_azora_cache_unlink(ngx_azora_cache_zone_t *z, uint32_t n)
{
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);

    if (e->newer) {
        ngx_azora_cache_entry(z, e->newer)->older = e->older;

    } else {
        z->newest = e->older;
    }

    if (e->older) {
        ngx_azora_cache_entry(z, e->older)->newer = e->newer;

    } else {
        z->oldest = e->newer;
    }
}


void
ngx_azora_cache_remove(ngx_azora_cache_zone_t *z, uint32_t n)
{
    uint32_t                 *chain;
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);

    ngx_azora_cache_clear(z, n);
    ngx_azora_cache_unlink(z, n);

    chain = &z->chains[e->hash & (z->nchains - 1)];

    while (*chain != n) {
        chain = &ngx_azora_cache_entry(z, *chain)->chain;
    }

    *chain = e->chain;

    ngx_azora_cache_give(z, n);
    z->entries--;
}


void
ngx_azora_cache_clear(ngx_azora_cache_zone_t *z, uint32_t n)
{
    uint32_t                  i, next;
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);

    for (i = e->next; i != 0; i = next) {
        next = z->blocks[i].next;
        ngx_azora_cache_give(z, i);
    }

    e->next = 0;
    e->len = 0;
    e->filled = 0;
}


uint32_t
ngx_azora_cache_need(size_t len)
{
    size_t  block;

    block = sizeof(((ngx_azora_cache_block_t *) 0)->data);

    return (len <= NGX_AZORA_CACHE_FIRST)
           ? 0 : (len - NGX_AZORA_CACHE_FIRST + block - 1) / block;
}


void
ngx_azora_cache_read(ngx_azora_cache_zone_t *z, uint32_t n,
    u_char *buffer, ngx_azora_cache_copy_t *copy)
{
    size_t                    size, left;
    u_char                   *p;
    uint32_t                  i;
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);
    p = buffer;

    copy->body.data = p;
    copy->body.len = e->len;

    left = e->len;
    size = ngx_min(left, NGX_AZORA_CACHE_FIRST);
    p = ngx_cpymem(p, e + 1, size);
    left -= size;

    for (i = e->next; i != 0; i = z->blocks[i].next) {
        size = ngx_min(left, sizeof(z->blocks[i].data));
        p = ngx_cpymem(p, z->blocks[i].data, size);
        left -= size;
    }

    copy->etag.data = p;
    copy->etag.len = e->etag_len;
    ngx_memcpy(p, e->etag, e->etag_len);
}


void
ngx_azora_cache_write(ngx_azora_cache_zone_t *z, uint32_t n,
    const ngx_str_t *body)
{
    size_t                    size, left;
    u_char                   *p;
    uint32_t                  i, *last;
    ngx_azora_cache_entry_t  *e;

    e = ngx_azora_cache_entry(z, n);
    e->len = (uint32_t) body->len;

    left = body->len;
    size = ngx_min(left, NGX_AZORA_CACHE_FIRST);
    ngx_memcpy(e + 1, body->data, size);
    p = body->data + size;
    left -= size;

    last = &e->next;

    while (left != 0) {
        i = ngx_azora_cache_take(z);

        size = ngx_min(left, sizeof(z->blocks[i].data));
        ngx_memcpy(z->blocks[i].data, p, size);
        z->blocks[i].next = 0;
        p += size;
        left -= size;

        *last = i;
        last = &z->blocks[i].next;
    }
}
