
/*
 * The core's shared-memory zone: what the node knows together (generations,
 * breakers) and what its processes count, each in a slot of its own.
 */


#include "ngx_azora_shm.h"


static ngx_int_t ngx_azora_shm_zone(ngx_shm_zone_t *zone, void *data);
static ngx_int_t ngx_azora_shm_create(ngx_shm_zone_t *zone);
static void ngx_azora_shm_fill(ngx_azora_node_t *node);
static ngx_int_t ngx_azora_shm_check(ngx_shm_zone_t *zone,
    const ngx_azora_node_t *node);
static uint64_t ngx_azora_shm_layout(void);
static ngx_int_t ngx_azora_shm_names(ngx_shm_zone_t *zone,
    ngx_azora_main_conf_t *amcf);
static ngx_int_t ngx_azora_shm_name_rows(ngx_azora_names_t *names,
    ngx_azora_main_conf_t *amcf, ngx_pool_t *pool);
static ngx_int_t ngx_azora_shm_name_rest(ngx_azora_names_t *names,
    ngx_azora_main_conf_t *amcf, ngx_pool_t *pool);
static ngx_int_t ngx_azora_shm_name_breakers(ngx_azora_names_t *names,
    ngx_azora_main_conf_t *amcf, ngx_pool_t *pool);
static uint16_t ngx_azora_shm_number(ngx_azora_list_t *list, uint64_t hash);


static size_t
ngx_azora_shm_size(void)
{
    size_t  size;

    size = ngx_align(sizeof(ngx_azora_node_t), 64)
           + NGX_AZORA_SLOTS * ngx_align(sizeof(ngx_azora_slot_t), 64);

    return ngx_align(size, ngx_pagesize);
}


/*
 * Declares the zone.  Its size is a constant, most of which no process ever
 * touches, so that every reload finds a zone of the size it asks for.
 */

ngx_int_t
ngx_azora_shm_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    size_t     size, pages;
    ngx_str_t  name;

    ngx_str_set(&name, "azora");

    size = ngx_azora_shm_size();
    pages = size / ngx_pagesize;

    /* what the slab allocator keeps for itself: a record per page and so on */
    size += pages * sizeof(ngx_slab_page_t) + 8 * ngx_pagesize;
    size += pages / (ngx_pagesize / sizeof(ngx_slab_page_t)) * ngx_pagesize;

    amcf->zone = ngx_shared_memory_add(cf, &name, ngx_align(size, ngx_pagesize),
                                       &ngx_http_azora_module);
    if (amcf->zone == NULL) {
        return NGX_ERROR;
    }

    amcf->zone->init = ngx_azora_shm_zone;
    amcf->zone->data = amcf;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_shm_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_azora_main_conf_t  *amcf = zone->data;

    if (data != NULL) {
        /* a reload: data is what the old cycle's zone->data was */
        zone->data = data;

    } else if (ngx_azora_shm_create(zone) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_azora_shm_check(zone, zone->data) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_azora_shm_names(zone, amcf);
}


static ngx_int_t
ngx_azora_shm_create(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t   *pool;
    ngx_azora_node_t  *node;

    pool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = pool->data;
        return NGX_OK;
    }

    /* fresh pages are zero: clearing them would only make them resident */
    node = ngx_slab_alloc(pool, ngx_azora_shm_size());
    if (node == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "azora: the shared memory zone \"%V\" is too small",
                      &zone->shm.name);
        return NGX_ERROR;
    }

#if (NGX_DEBUG_MALLOC)
    ngx_memzero(node, ngx_azora_shm_size());
#endif

    ngx_azora_shm_fill(node);

    pool->data = node;
    zone->data = node;

    return NGX_OK;
}


static void
ngx_azora_shm_fill(ngx_azora_node_t *node)
{
    node->routes.size = NGX_AZORA_ROUTES_MAX;
    node->routes.used = NGX_AZORA_METHODS;
    node->statements.size = NGX_AZORA_STATEMENTS_MAX;
    node->statements.used = 1;     /* number 0 is "other" */
    node->metrics.size = NGX_AZORA_METRICS_MAX;
    node->generations.size = NGX_AZORA_GENERATIONS_MAX;
    node->breakers.size = NGX_AZORA_BREAKERS_MAX - NGX_AZORA_DEPENDENCY_MAX;

    node->keys[NGX_AZORA_CELL_HTTP_OTHER] =
        ngx_azora_cell_key(NGX_AZORA_CELL_HTTP, NGX_AZORA_METHODS - 1,
                           NGX_AZORA_STATUSES - 1);
    node->keys[NGX_AZORA_CELL_DB_OTHER] =
        ngx_azora_cell_key(NGX_AZORA_CELL_DB, 0, NGX_AZORA_OP_OK);
    node->cells = NGX_AZORA_CELLS_RESERVED;

    node->http[NGX_AZORA_METHODS - 1][NGX_AZORA_STATUSES - 1] =
        NGX_AZORA_CELL_HTTP_OTHER + 1;
    node->db[0][NGX_AZORA_OP_OK] = NGX_AZORA_CELL_DB_OTHER + 1;

    node->head.version = NGX_AZORA_SHM_VERSION;
    node->head.size = sizeof(ngx_azora_shm_t);
    node->head.layout = ngx_azora_shm_layout();

    ngx_memory_barrier();

    node->head.magic = NGX_AZORA_SHM_MAGIC;
}


/* Replaced .so files and a reload must never meet another version's memory. */

static ngx_int_t
ngx_azora_shm_check(ngx_shm_zone_t *zone, const ngx_azora_node_t *node)
{
    if (node != NULL
        && node->head.magic == NGX_AZORA_SHM_MAGIC
        && node->head.version == NGX_AZORA_SHM_VERSION
        && node->head.size == sizeof(ngx_azora_shm_t)
        && node->head.layout == ngx_azora_shm_layout())
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                  "azora: the shared memory zone \"%V\" was made by another "
                  "version of the module; restart NGINX or upgrade its binary "
                  "(USR2) instead of reloading", &zone->shm.name);

    return NGX_ERROR;
}


static uint64_t
ngx_azora_shm_layout(void)
{
    const size_t  sizes[] = {
        sizeof(ngx_azora_node_t), sizeof(ngx_azora_slot_t),
        offsetof(ngx_azora_node_t, http), offsetof(ngx_azora_node_t, db),
        offsetof(ngx_azora_slot_t, cells), NGX_AZORA_SLOTS,
        NGX_AZORA_BUCKETS, NGX_AZORA_STATUSES
    };

    return ngx_azora_shm_hash(NGX_AZORA_HASH_START, sizes, sizeof(sizes));
}


uint64_t
ngx_azora_shm_hash(uint64_t hash, const void *data, size_t len)
{
    const u_char  *p, *end;

    p = data;

    for (end = p + len; p < end; p++) {
        hash = (hash ^ *p) * 0x100000001b3ULL;
    }

    return hash;
}


static ngx_int_t
ngx_azora_shm_names(ngx_shm_zone_t *zone, ngx_azora_main_conf_t *amcf)
{
    ngx_pool_t         *pool;
    ngx_azora_names_t  *names;

    /* the array's pool is the cycle's */
    pool = amcf->endpoints.pool;

    names = ngx_pcalloc(pool, sizeof(ngx_azora_names_t));
    if (names == NULL) {
        return NGX_ERROR;
    }

    names->node = zone->data;
    names->slots = (ngx_azora_slot_t *)
                       ((u_char *) names->node
                        + ngx_align(sizeof(ngx_azora_node_t), 64));

    if (ngx_azora_shm_name_rows(names, amcf, pool) != NGX_OK
        || ngx_azora_shm_name_rest(names, amcf, pool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    amcf->names = names;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_shm_name_rows(ngx_azora_names_t *names, ngx_azora_main_conf_t *amcf,
    ngx_pool_t *pool)
{
    uint64_t                  hash;
    ngx_uint_t                i;
    ngx_azora_endpoint_t    **endpoints;
    ngx_azora_statement_t   **statements;

    endpoints = amcf->endpoints.elts;

    names->routes = ngx_palloc(pool, (amcf->endpoints.nelts + 1)
                                     * sizeof(uint16_t));
    names->statements = ngx_palloc(pool, (amcf->statements.nelts + 1)
                                         * sizeof(uint16_t));

    if (names->routes == NULL || names->statements == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < amcf->endpoints.nelts; i++) {
        hash = ngx_azora_shm_hash(NGX_AZORA_HASH_START,
                                  endpoints[i]->label.data,
                                  endpoints[i]->label.len);

        names->routes[i] = ngx_azora_shm_number(&names->node->routes, hash);

        if (names->routes[i] != NGX_AZORA_UNNAMED) {
            names->endpoint_of[names->routes[i]] = endpoints[i];
        }
    }

    statements = amcf->statements.elts;

    for (i = 0; i < amcf->statements.nelts; i++) {
        hash = ngx_azora_shm_hash(NGX_AZORA_HASH_START,
                                  statements[i]->name.data,
                                  statements[i]->name.len);

        names->statements[i] = ngx_azora_shm_number(&names->node->statements,
                                                    hash);

        if (names->statements[i] == NGX_AZORA_UNNAMED) {
            names->statements[i] = 0;

        } else {
            names->statement_of[names->statements[i]] = statements[i];
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_shm_name_rest(ngx_azora_names_t *names, ngx_azora_main_conf_t *amcf,
    ngx_pool_t *pool)
{
    uint64_t             hash;
    ngx_str_t           *generations;
    ngx_uint_t           i;
    ngx_azora_metric_t  *metrics;

    metrics = amcf->metrics.elts;
    generations = amcf->generations.elts;

    names->metrics = ngx_palloc(pool, (amcf->metrics.nelts + 1)
                                      * sizeof(uint16_t));
    names->generations = ngx_palloc(pool, (amcf->generations.nelts + 1)
                                          * sizeof(uint16_t));

    if (names->metrics == NULL || names->generations == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < amcf->metrics.nelts; i++) {
        /* the NUL between keeps "a" "bc" apart from "ab" "c" */
        hash = ngx_azora_shm_hash(NGX_AZORA_HASH_START, metrics[i].name,
                                  ngx_strlen(metrics[i].name) + 1);

        if (metrics[i].labels != NULL) {
            hash = ngx_azora_shm_hash(hash, metrics[i].labels,
                                      ngx_strlen(metrics[i].labels));
        }

        names->metrics[i] = ngx_azora_shm_number(&names->node->metrics, hash);
    }

    for (i = 0; i < amcf->generations.nelts; i++) {
        hash = ngx_azora_shm_hash(NGX_AZORA_HASH_START, generations[i].data,
                                  generations[i].len);

        names->generations[i] =
            ngx_azora_shm_number(&names->node->generations, hash);
    }

    return ngx_azora_shm_name_breakers(names, amcf, pool);
}


static ngx_int_t
ngx_azora_shm_name_breakers(ngx_azora_names_t *names,
    ngx_azora_main_conf_t *amcf, ngx_pool_t *pool)
{
    uint64_t                   hash;
    ngx_uint_t                 i;
    ngx_azora_breaker_conf_t  *b;

    b = amcf->breakers.elts;

    names->breakers = ngx_palloc(pool, (amcf->breakers.nelts + 1)
                                       * sizeof(uint16_t));
    if (names->breakers == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < amcf->breakers.nelts; i++) {
        hash = ngx_azora_shm_hash(NGX_AZORA_HASH_START, b[i].name,
                                  ngx_strlen(b[i].name));

        names->breakers[i] = ngx_azora_shm_number(&names->node->breakers,
                                                  hash);
    }

    return NGX_OK;
}


/* The number of a name in a list; only the master comes here. */

static uint16_t
ngx_azora_shm_number(ngx_azora_list_t *list, uint64_t hash)
{
    uint32_t  i;

    for (i = 0; i < list->used; i++) {
        if (list->hash[i] == hash) {
            return i;
        }
    }

    if (list->used == list->size) {
        return NGX_AZORA_UNNAMED;
    }

    list->hash[i] = hash;

    ngx_memory_barrier();

    list->used = i + 1;

    return i;
}


/* Where a module's breaker is; not below BREAKERS_MAX: it has no place. */

uint16_t
ngx_azora_shm_breaker(ngx_uint_t index)
{
    uint16_t  number;

    number = ngx_azora_main_conf->names->breakers[index];

    return (number == NGX_AZORA_UNNAMED) ? NGX_AZORA_UNNAMED
                                         : number + NGX_AZORA_DEPENDENCY_MAX;
}


/* The node's part of the zone; NULL before the zone exists. */

ngx_azora_shm_t *
ngx_azora_shm(void)
{
    if (ngx_azora_main_conf == NULL || ngx_azora_main_conf->names == NULL) {
        return NULL;
    }

    return &ngx_azora_main_conf->names->node->head;
}


/*
 * The place of a generation, by its index in this cycle.  NULL before the
 * zone exists, for an unknown index, and when reloads brought more names than
 * there are places.
 */

ngx_atomic_t *
ngx_azora_shm_generation(ngx_uint_t index)
{
    ngx_azora_names_t  *names;

    if (ngx_azora_main_conf == NULL || ngx_azora_main_conf->names == NULL
        || index >= ngx_azora_main_conf->generations.nelts)
    {
        return NULL;
    }

    names = ngx_azora_main_conf->names;

    if (names->generations[index] == NGX_AZORA_UNNAMED) {
        return NULL;
    }

    return &names->node->head.generations[names->generations[index]];
}
