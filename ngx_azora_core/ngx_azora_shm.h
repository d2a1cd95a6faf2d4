
/*
 * How the core's shared-memory zone is laid out; for ngx_azora_shm.c and the
 * metrics only.
 *
 * Nothing in the layout depends on the configuration.  What the configuration
 * names (rows, statements, metrics, generations) gets a number in a list that
 * only grows, so a reload with other rows keeps the zone: the old workers go
 * on with the numbers they know, the new ones find theirs by name.
 */


#ifndef _NGX_AZORA_SHM_H_INCLUDED_
#define _NGX_AZORA_SHM_H_INCLUDED_


#include "ngx_azora_private.h"


/* a reload has old and new workers at once: more slots than workers */
#define NGX_AZORA_SLOTS             64

/* histograms per slot: pairs of route and status, statement and outcome */
#define NGX_AZORA_CELLS_MAX         1024

#define NGX_AZORA_METHODS           8     /* of the route "other" */
#define NGX_AZORA_ROUTES_MAX                                                  \
    (NGX_AZORA_METHODS + 2 * NGX_AZORA_ENDPOINTS_MAX)
#define NGX_AZORA_STATEMENTS_MAX    512
#define NGX_AZORA_OUTCOMES          (NGX_AZORA_OP_UNAVAILABLE + 1)

#define NGX_AZORA_CELL_HTTP         1
#define NGX_AZORA_CELL_DB           2
#define NGX_AZORA_CELL_OWN          3     /* a module's histogram */

/* what has no cell of its own is counted here */
#define NGX_AZORA_CELL_HTTP_OTHER   0
#define NGX_AZORA_CELL_DB_OTHER     1
#define NGX_AZORA_CELLS_RESERVED    2

#define ngx_azora_cell_key(kind, index, what)                                 \
    ((uint32_t) (kind) << 24 | (uint32_t) (index) << 8 | (uint32_t) (what))
#define ngx_azora_cell_kind(key)    ((key) >> 24)
#define ngx_azora_cell_index(key)   (((key) >> 8) & 0xffff)
#define ngx_azora_cell_what(key)    ((key) & 0xff)


/* Names by their hash; written by the master alone. */

typedef struct {
    uint32_t                used;
    uint32_t                size;
    uint64_t                hash[NGX_AZORA_ROUTES_MAX];   /* size of them */
} ngx_azora_list_t;


/* A counter whose label's value is known at run time only. */

#define NGX_AZORA_LABELLED_MAX      64
#define NGX_AZORA_LABEL_MAX         64

typedef struct {
    ngx_atomic_t            count;        /* of all processes */
    uint16_t                metric;       /* its number */
    uint16_t                len;
    u_char                  value[NGX_AZORA_LABEL_MAX];
} ngx_azora_labelled_t;


/*
 * What one process counts.  The process's place in NGINX's table is unique
 * among living workers, unlike ngx_worker; should there be more workers than
 * slots two share one, which is why additions are atomic (some 5 ns, as the
 * cache line stays with its core).
 */

typedef struct {
    ngx_atomic_t            pid;          /* whose the gauges are */
    ngx_atomic_t            used;         /* some process ever counted here */
    ngx_atomic_t            lanes[NGX_AZORA_LANE_MAX];  /* connections */
    u_char                  pad[64 - (2 + NGX_AZORA_LANE_MAX)
                                     * sizeof(ngx_atomic_t)];
    ngx_atomic_t            metrics[NGX_AZORA_METRICS_MAX];
    ngx_azora_histogram_t   cells[NGX_AZORA_CELLS_MAX];
} ngx_azora_slot_t;


typedef struct {
    ngx_azora_shm_t         head;

    ngx_azora_list_t        routes;
    ngx_azora_list_t        statements;
    ngx_azora_list_t        metrics;
    ngx_azora_list_t        generations;
    ngx_azora_list_t        breakers;     /* behind the core's own */

    ngx_atomic_t            dropped;      /* counted as "other" for lack of
                                             a cell */
    ngx_atomic_t            slots;        /* 1 + the highest ever used */
    volatile uint32_t       cells;        /* used; grows under the mutex */
    uint32_t                keys[NGX_AZORA_CELLS_MAX];

    /* 1 + the cell, 0: none so far */
    volatile uint16_t       http[NGX_AZORA_ROUTES_MAX][NGX_AZORA_STATUSES];
    volatile uint16_t       db[NGX_AZORA_STATEMENTS_MAX][NGX_AZORA_OUTCOMES];
    volatile uint16_t       own[NGX_AZORA_METRICS_MAX];

    volatile uint32_t       nlabelled;    /* grows under the mutex */
    ngx_azora_labelled_t    labelled[NGX_AZORA_LABELLED_MAX];
} ngx_azora_node_t;


/* The numbers of this cycle's names; NGX_AZORA_UNNAMED: the list was full. */

#define NGX_AZORA_UNNAMED           0xffff

typedef struct ngx_azora_names_s {
    ngx_azora_node_t           *node;
    ngx_azora_slot_t           *slots;

    uint16_t                   *routes;       /* by endpoint */
    uint16_t                   *statements;   /* by statement */
    uint16_t                   *metrics;      /* by metric */
    uint16_t                   *generations;  /* by generation */
    uint16_t                   *breakers;     /* of modules, by breaker */

    /* and back, for the page of metrics; NULL: not in this cycle */
    const ngx_azora_endpoint_t   *endpoint_of[NGX_AZORA_ROUTES_MAX];
    const ngx_azora_statement_t  *statement_of[NGX_AZORA_STATEMENTS_MAX];
} ngx_azora_names_t;


/* This process's slot; NULL outside of workers and before the zone exists. */
ngx_azora_slot_t *ngx_azora_shm_slot(void);

/*
 * The cell of a key, made on first use; when all are taken the reserved one,
 * which modules do not have (NGX_AZORA_NONE), and what is counted there is
 * also counted as dropped.
 */
ngx_uint_t ngx_azora_shm_cell(ngx_azora_names_t *names, uint32_t key,
    volatile uint16_t *place);

/* The counter of a label's value, made on first use; NULL: too many */
ngx_azora_labelled_t *ngx_azora_shm_labelled(ngx_azora_names_t *names,
    uint16_t metric, const u_char *value, size_t len);

/* Whether the process that wrote a slot's gauges lives. */
ngx_uint_t ngx_azora_shm_alive(const ngx_azora_slot_t *slot);

/* FNV-1a, 64 bits */
uint64_t ngx_azora_shm_hash(uint64_t hash, const void *data, size_t len);

#define NGX_AZORA_HASH_START        0xcbf29ce484222325ULL


/* ngx_azora_metrics.c */
extern const uint16_t     ngx_azora_metrics_statuses[NGX_AZORA_STATUSES];
extern const uint64_t     ngx_azora_metrics_bounds[NGX_AZORA_BUCKETS - 1];
extern const char *const  ngx_azora_metrics_methods[NGX_AZORA_METHODS];


#endif /* _NGX_AZORA_SHM_H_INCLUDED_ */
