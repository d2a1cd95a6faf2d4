
/*
 * What the files of the limit module share among themselves.
 */


#ifndef _NGX_HTTP_AZORA_LIMIT_H_INCLUDED_
#define _NGX_HTTP_AZORA_LIMIT_H_INCLUDED_


#include "ngx_azora.h"


/*
 * The table (ngx_http_azora_limit_table.c): sets of seven cells in two cache
 * lines.  A cell is a key's 64-bit hash and its theoretical arrival time, that
 * is, the time at which its whole allowance will be free again.
 */

#define NGX_HTTP_AZORA_LIMIT_WAYS     7

typedef struct {
    uint64_t                 owner;      /* process that changes keys, or 0 */
    uint64_t                 keys[NGX_HTTP_AZORA_LIMIT_WAYS];
    uint64_t                 tats[NGX_HTTP_AZORA_LIMIT_WAYS];
    uint64_t                 unused;
} ngx_http_azora_limit_set_t;

#define NGX_HTTP_AZORA_LIMIT_MAGIC    0x54494d494c5a41ULL   /* "AZLIMIT" */
#define NGX_HTTP_AZORA_LIMIT_VERSION  1

typedef struct {
    uint64_t                 magic;
    uint32_t                 version;
    uint32_t                 size;       /* of this header */
    uint64_t                 salt[2];
    uint64_t                 nsets;
    uint64_t                 unused[3];  /* sets begin on a cache line */
} ngx_http_azora_limit_table_t;

typedef struct {
    uint64_t                 interval;   /* ns that one request takes */
    uint64_t                 tolerance;  /* ns of work that may be ahead */
} ngx_http_azora_limit_rate_t;

typedef struct {
    uint64_t                 tat;        /* ns, after the charge if any */
    ngx_uint_t               evicted;    /* live keys that had to go: 0, 1 */
} ngx_http_azora_limit_result_t;

/*
 * Lays out an empty table in size zeroed bytes at a cache line.  NGX_ERROR:
 * too small, or no randomness for the salt.
 */
ngx_int_t ngx_http_azora_limit_table_init(ngx_http_azora_limit_table_t *table,
    size_t size);

/* domain separates keys of different rules; never 0 */
uint64_t ngx_http_azora_limit_hash(const ngx_http_azora_limit_table_t *table,
    uint64_t domain, const u_char *data, size_t len);

/*
 * Charges cost (at most tolerance / interval) at the time now.  NGX_OK:
 * charged; NGX_BUSY: it would exceed the rate and nothing was changed;
 * NGX_DECLINED: the set was not to be had, nothing was counted.
 */
ngx_int_t ngx_http_azora_limit_charge(ngx_http_azora_limit_table_t *table,
    uint64_t hash, const ngx_http_azora_limit_rate_t *rate, ngx_uint_t cost,
    uint64_t now, ngx_http_azora_limit_result_t *result);

/* Takes a charge back, because another rule refused the same request. */
void ngx_http_azora_limit_refund(ngx_http_azora_limit_table_t *table,
    uint64_t hash, uint64_t ns);

/* Other nodes were asked, too: a known key's time is at least tat. */
void ngx_http_azora_limit_raise(ngx_http_azora_limit_table_t *table,
    uint64_t hash, uint64_t tat);


/* Configuration */

typedef struct {
    ngx_str_t                      name;
    ngx_http_azora_limit_table_t  *table;
    ngx_uint_t                     shared;      /* by all nodes, in Redis */
    ngx_uint_t                     refused;     /* metrics */
    ngx_uint_t                     dry_run;
    ngx_uint_t                     evicted;
    ngx_uint_t                     alone;
} ngx_http_azora_limit_zone_t;

typedef enum {
    NGX_HTTP_AZORA_LIMIT_ADDRESS = 0,
    NGX_HTTP_AZORA_LIMIT_VALUE,
    NGX_HTTP_AZORA_LIMIT_SUBJECT,
    NGX_HTTP_AZORA_LIMIT_SESSION,
    NGX_HTTP_AZORA_LIMIT_API_KEY
} ngx_http_azora_limit_key_e;

typedef struct {
    ngx_shm_zone_t                *shm_zone;
    ngx_http_azora_limit_key_e     key;
    ngx_http_complex_value_t       value;
    ngx_http_azora_limit_rate_t    rate;
    uint64_t                       domain;
    ngx_uint_t                     quota;       /* requests at once */
    ngx_uint_t                     window;      /* s until all are free */
    ngx_str_t                      tier;        /* empty: any other */
    ngx_str_t                      route;       /* "/v1/a|/v1/b"; empty: all */
    ngx_str_t                      policy;      /* "ip";q=100;w=60 */
    ngx_uint_t                     dry_run;
} ngx_http_azora_limit_rule_t;

#define NGX_HTTP_AZORA_LIMIT_RULES_MAX  16

typedef struct {
    ngx_array_t                   *rules;       /* NULL: not given here */
    ngx_array_t                   *exempt;      /* ngx_cidr_t */
    ngx_uint_t                     log_level;
    ngx_flag_t                     off;
} ngx_http_azora_limit_conf_t;


typedef struct {
    ngx_uint_t                     asked;       /* metrics */
    ngx_uint_t                     flushes;
    ngx_msec_t                     timeout;     /* of an answer of Redis */
} ngx_http_azora_limit_main_conf_t;


/* A request */

typedef struct ngx_http_azora_limit_ctx_s  ngx_http_azora_limit_ctx_t;

/* What one rule said of the request. */

typedef struct {
    ngx_queue_t                    queue;       /* in an entry of a batch */
    ngx_uint_t                     queued;      /* it is */
    ngx_uint_t                     counted;     /* in Redis, too */
    ngx_http_azora_limit_ctx_t    *lctx;
    ngx_http_azora_limit_rule_t   *rule;
    ngx_http_azora_limit_zone_t   *zone;
    uint64_t                       hash;
    uint64_t                       ns;          /* charged */
    uint64_t                       cost;        /* so many requests */
    u_char                         name[16];    /* of a shared key */
    ngx_http_azora_limit_result_t  result;
    ngx_int_t                      rc;
} ngx_http_azora_limit_verdict_t;

/* One for each request that was limited; survives internal redirects. */

struct ngx_http_azora_limit_ctx_s {
    ngx_queue_t                    queue;       /* ready to go on */
    ngx_http_request_t            *request;
    uint64_t                       started;     /* ns */
    ngx_uint_t                     done;        /* stages passed, bits */
    ngx_table_elt_t               *policy;      /* our headers so far */
    ngx_table_elt_t               *limit;
    ngx_http_azora_limit_verdict_t  *verdicts;  /* that wait for Redis */
    ngx_uint_t                     nverdicts;
    ngx_uint_t                     waiting;     /* how many of them do */
    unsigned                       ready:1;     /* in the queue above */
};


/*
 * ngx_http_azora_limit_rule.c: the arguments of one azora_limit directive into
 * a zeroed rule; returns what a directive's handler does.
 */
char *ngx_http_azora_limit_parse_rule(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule);

/* ngx_http_azora_limit_key.c */
ngx_uint_t ngx_http_azora_limit_exempt(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf);
/* whether the rule is for this request, at this stage */
ngx_uint_t ngx_http_azora_limit_applies(ngx_http_azora_limit_conf_t *conf,
    ngx_http_azora_limit_rule_t *rule, ngx_azora_ctx_t *ctx,
    ngx_azora_stage_e stage);
/* NGX_DECLINED: the request has no such key and the rule does not count it */
ngx_int_t ngx_http_azora_limit_key(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_limit_rule_t *rule, ngx_str_t *key);

/* ngx_http_azora_limit_shared.c */

/* the key's name in Redis, the same on every node */
void ngx_http_azora_limit_shared_name(ngx_http_azora_limit_verdict_t *v,
    const ngx_str_t *key);
/*
 * Asks Redis about a verdict that this node would let pass.  NGX_AGAIN: it
 * will be told, and when the last of the request's is, the request resumes;
 * NGX_DECLINED: Redis cannot be asked, the node decides alone.
 */
ngx_int_t ngx_http_azora_limit_shared_ask(ngx_http_azora_limit_verdict_t *v);
/* Takes a charge back; sent with the next question. */
void ngx_http_azora_limit_shared_refund(ngx_http_azora_limit_verdict_t *v);
/* The request is freed. */
void ngx_http_azora_limit_shared_forget(ngx_http_azora_limit_ctx_t *lctx);
void ngx_http_azora_limit_shared_init(ngx_cycle_t *cycle);

/* ngx_http_azora_limit_stage.c */
ngx_int_t ngx_http_azora_limit_address_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_limit_principal_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


extern ngx_module_t  ngx_http_azora_limit_module;


/* ngx_http_azora_limit_edge.c: the zones, for GET /v1/admin/edge */
json_t *ngx_http_azora_limit_edge(void);


#endif /* _NGX_HTTP_AZORA_LIMIT_H_INCLUDED_ */
