
/*
 * What the files of the core share among themselves.  Capability modules
 * never include this header.
 */


#ifndef _NGX_AZORA_PRIVATE_H_INCLUDED_
#define _NGX_AZORA_PRIVATE_H_INCLUDED_


#include "ngx_azora.h"


#define NGX_AZORA_VERSION           "0.1.0"

/* whether a client sends the field in the body */
#define ngx_azora_in_body(field)                                              \
    (((field)->flags & (NGX_AZORA_IN_PATH|NGX_AZORA_IN_QUERY|NGX_AZORA_MADE)) \
     == 0)

#define NGX_AZORA_FIELDS_MAX        24
#define NGX_AZORA_PATH_PARAMS_MAX   4
#define NGX_AZORA_ENDPOINTS_MAX     256
#define NGX_AZORA_GENERATIONS_MAX   32
#define NGX_AZORA_METRICS_MAX       256
#define NGX_AZORA_WORKERS_MAX       64
#define NGX_AZORA_JSON_DEPTH_MAX    32
#define NGX_AZORA_ERRORS_MAX        32
#define NGX_AZORA_KEY_LEN_MAX       255
#define NGX_AZORA_TITLE_MAX         80
#define NGX_AZORA_CACHE_SECONDS_MAX 86400
#define NGX_AZORA_CACHE_LABEL_MAX   128


/* Routes: a trie of path segments (ngx_azora_route.c) */

typedef struct ngx_azora_trie_s  ngx_azora_trie_t;

typedef enum {
    NGX_AZORA_MATCH_NONE = 0,       /* no such path: 404 */
    NGX_AZORA_MATCH_PATH,           /* the path exists, the method not: 405 */
    NGX_AZORA_MATCH_ROW
} ngx_azora_match_e;

typedef struct {
    ngx_azora_match_e             result;
    const ngx_azora_endpoint_t   *endpoint;
    ngx_uint_t                    methods;   /* bits of NGX_HTTP_* allowed */
    ngx_uint_t                    nvalues;
    ngx_str_t                     values[NGX_AZORA_PATH_PARAMS_MAX];
} ngx_azora_match_t;


/* Lanes */

typedef struct {
    ngx_uint_t                    connections;  /* per worker */
    ngx_uint_t                    queue;        /* waiting operations */
    ngx_msec_t                    timeout;      /* queueing and running */
    ngx_msec_t                    gather;       /* batch lane only */
} ngx_azora_lane_conf_t;

typedef struct {
    ngx_str_t                     conninfo;     /* empty: no PostgreSQL */
    ngx_azora_lane_conf_t         lanes[NGX_AZORA_LANE_MAX];
    ngx_str_t                     read_conninfo; /* replicas, may be empty */
    struct ngx_azora_pg_target_s *primary;      /* by ngx_azora_pg_conninfo */
    struct ngx_azora_pg_target_s *replicas;     /* NULL: none */
} ngx_azora_pg_conf_t;

typedef struct {
    ngx_str_t                     address;      /* empty: no Redis */
    ngx_flag_t                    tls;
    ngx_str_t                     ca;
    ngx_str_t                     password_file;
    ngx_array_t                   hosts;        /* char *: a socket's path or
                                                   numeric addresses */
    ngx_uint_t                    port;         /* 0: a socket */
    ngx_str_t                     password;
    void                         *ssl;
} ngx_azora_redis_conf_t;

typedef struct {
    ngx_str_t                     certificates; /* CA bundle; empty: Debian's */
    ngx_array_t                  *allow;        /* ngx_cidr_t, NULL: none */
    ngx_uint_t                    running;      /* at once, per worker */
    ngx_uint_t                    queue;        /* waiting for their turn */
    ngx_uint_t                    metrics[NGX_AZORA_FETCH_MAX];
} ngx_azora_fetch_conf_t;

struct ngx_azora_statement_s {
    ngx_azora_lane_e              lane;
    ngx_uint_t                    index;        /* dense */
    ngx_str_t                     name;         /* label of metrics, NUL */
    ngx_str_t                     sql;          /* NUL-terminated */
    ngx_uint_t                    nparams;
};


/* The response cache (ngx_azora_cache.c) */

typedef struct ngx_azora_cache_zone_s  ngx_azora_cache_zone_t;

typedef struct {
    size_t                        size;         /* of the zone, 0: off */
    ngx_msec_t                    stale;        /* how long after its time */
    ngx_msec_t                    redis;        /* to wait for it, 0: never */
    ngx_slab_pool_t              *slab;
    ngx_azora_cache_zone_t       *zone;         /* NULL: off */
} ngx_azora_cache_conf_t;


/* Breakers, in shared memory (ngx_azora_breaker.c), by number */

typedef enum {
    NGX_AZORA_DEPENDENCY_POSTGRES = 0,
    NGX_AZORA_DEPENDENCY_REDIS,
    NGX_AZORA_DEPENDENCY_MAX         /* the first one of a module */
} ngx_azora_dependency_e;

#define NGX_AZORA_BREAKERS_MAX      32

typedef enum {
    NGX_AZORA_BREAKER_CLOSED = 0,
    NGX_AZORA_BREAKER_OPEN,
    NGX_AZORA_BREAKER_HALF_OPEN
} ngx_azora_breaker_state_e;

/* state, failures in a row and the next probe's time, changed as one */
typedef struct {
    uint64_t                      word;
} ngx_azora_breaker_t;

/* a breaker that a module asked for */
typedef struct {
    const char                   *name;
    ngx_uint_t                    failures;     /* in a row open it */
} ngx_azora_breaker_conf_t;

/* the label of metrics; NULL: there is no such breaker */
const char *ngx_azora_breaker_name(ngx_uint_t breaker);


/*
 * The core's shared-memory zone (ngx_azora_shm.c): a header, generations and
 * breakers for the node, then one slot of counters per worker.
 */

#define NGX_AZORA_SHM_MAGIC         0x41524f5a41ULL   /* "AZORA" */
#define NGX_AZORA_SHM_VERSION       2

#define NGX_AZORA_STATUSES          32   /* tracked statuses and "other" */
#define NGX_AZORA_BUCKETS           15   /* 14 bounds and +Inf */

typedef struct {
    uint64_t                      count[NGX_AZORA_BUCKETS];
    uint64_t                      sum_ns;
} ngx_azora_histogram_t;

typedef struct {
    uint64_t                      magic;
    uint32_t                      version;
    uint32_t                      size;         /* of this header */
    uint64_t                      layout;       /* hash of counts below */
    ngx_atomic_t                  generations[NGX_AZORA_GENERATIONS_MAX];
    ngx_atomic_t                  falls;        /* of generations */
    ngx_atomic_t                  listening;    /* generations are true until
                                                   then, ms; 0: they are not */
    ngx_atomic_t                  listened;     /* when they last were, ms */
    ngx_azora_breaker_t           breakers[NGX_AZORA_BREAKERS_MAX];
} ngx_azora_shm_t;


/* Main configuration */

typedef struct {
    ngx_array_t                   capabilities; /* ngx_azora_capability_t * */
    ngx_azora_stage_pt            stages[NGX_AZORA_STAGE_MAX];
    ngx_array_t                   endpoints;    /* ngx_azora_endpoint_t * */
    ngx_azora_trie_t             *trie;
    ngx_array_t                   statements;   /* ngx_azora_statement_t * */
    ngx_array_t                   tasks;        /* ngx_azora_task_t * */
    struct ngx_azora_task_run_s  *task_runs;    /* one for each of them */
    ngx_array_t                   generations;  /* ngx_str_t */
    ngx_array_t                   watchers;     /* ngx_azora_watcher_t */
    ngx_array_t                   metrics;      /* ngx_azora_metric_t */
    ngx_array_t                   checks;       /* ngx_azora_check_t */
    ngx_array_t                   breakers;     /* ngx_azora_breaker_conf_t */
    ngx_array_t                   sections;     /* ngx_azora_section_t */
    ngx_azora_pg_conf_t           pg;
    ngx_azora_redis_conf_t        redis;
    ngx_azora_fetch_conf_t        fetch;
    ngx_azora_cache_conf_t        cache;
    ngx_array_t                   jobs;         /* ngx_azora_job_kind_t * */
    struct ngx_azora_job_run_s   *job_runs;     /* one for each of them */
    struct ngx_azora_job_counts_s *job_counts;
    ngx_uint_t                    connections;  /* an address may have in a
                                                   worker, 0: any number */
    ngx_array_t                  *connections_except;  /* ngx_cidr_t */
    ngx_shm_zone_t               *zone;
    ngx_str_t                     openapi;      /* the document */
    ngx_str_t                     openapi_etag;
    ngx_str_t                     docs;         /* the page */
    ngx_str_t                     docs_etag;
    ngx_str_t                     docs_policy;  /* Content-Security-Policy */
    struct ngx_azora_names_s     *names;        /* of this cycle, in shm */
    ngx_azora_signer_pt           signer;       /* or NULL */
} ngx_azora_main_conf_t;

typedef struct {
    ngx_uint_t                    index;
    ngx_azora_generation_pt       handler;
} ngx_azora_watcher_t;

typedef struct {
    ngx_azora_metric_e            type;
    const char                   *name;
    const char                   *labels;
    const char                   *help;
} ngx_azora_metric_t;

typedef struct {
    const char                   *name;
    ngx_azora_ready_pt            check;
} ngx_azora_check_t;

typedef struct {
    const char                   *name;
    ngx_azora_edge_pt             report;
} ngx_azora_section_t;


/* Location configuration */

typedef struct {
    ngx_flag_t                    api;          /* rows are served here */
    ngx_flag_t                    problem;      /* errors as problem+json */
    size_t                        body_max;     /* bytes of a JSON body */
    ngx_msec_t                    body_timeout; /* of a whole body, 0: none */
    ngx_uint_t                    headers_max;  /* fields, 0: any number */
    ngx_flag_t                    path_strict;
} ngx_azora_loc_conf_t;


/*
 * This cycle's main configuration: set in init_module, read in workers.
 * NULL before.
 */
extern ngx_azora_main_conf_t  *ngx_azora_main_conf;


/* ngx_azora_stage.c */
ngx_int_t ngx_azora_stage_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);

ngx_int_t ngx_azora_prepare_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* ngx_azora_edge.c: the core's sections of GET /v1/admin/edge */
ngx_int_t ngx_azora_edge_init(ngx_conf_t *cf);

/* ngx_azora_guard.c */
ngx_int_t ngx_azora_guard_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);

/* ngx_azora_accept.c: how many connections an address may have */
char *ngx_azora_accept_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_azora_accept_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
void ngx_azora_accept_init_module(ngx_cycle_t *cycle);

/* ngx_azora_route.c: configuration time, then lock-free matching */
ngx_int_t ngx_azora_route_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
void ngx_azora_route_match(const ngx_azora_trie_t *trie, ngx_uint_t method,
    const ngx_str_t *path, ngx_azora_match_t *match);
ngx_int_t ngx_azora_route_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
ngx_int_t ngx_azora_found_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
ngx_int_t ngx_azora_authorize_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* ngx_azora_body.c */
ngx_int_t ngx_azora_body_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);

/*
 * ngx_azora_json.c: text -> tree, with the core's bounds (depth, duplicate
 * keys, NUL, UTF-8, numbers).  NULL: *reason is a static sentence and
 * *offset the byte where it went wrong.
 */
json_t *ngx_azora_json_parse(const u_char *data, size_t len,
    const char **reason, size_t *offset);

/* ngx_azora_field.c */
ngx_int_t ngx_azora_validate_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/*
 * Checks one textual value against a field.  NGX_OK and *out in PostgreSQL's
 * text form (pool memory or the input itself), or NGX_DECLINED and *reason, a
 * static sentence; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_azora_field_text(ngx_pool_t *pool,
    const ngx_azora_field_t *field, const ngx_str_t *in, ngx_str_t *out,
    const char **reason);
/* "text", "bigint", "jsonb", ...: the SQL type of a kind */
const char *ngx_azora_field_sql_type(ngx_azora_kind_e kind);
/* the bounds that hold: the field's, or its kind's own where it gives none */
void ngx_azora_field_bounds(const ngx_azora_field_t *field, int64_t *min,
    int64_t *max);

/* ngx_azora_call.c */
ngx_int_t ngx_azora_call_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_int_t ngx_azora_call_handler(ngx_http_request_t *r);
ngx_azora_lane_e ngx_azora_call_lane(const ngx_azora_row_t *row);
/* sends the row's statement with the request's parameters; NULL: no memory */
ngx_azora_op_t *ngx_azora_call_query(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_azora_op_pt handler, void *data);

/* ngx_azora_result.c: the operation's answer becomes the response */
void ngx_azora_result_handler(ngx_azora_op_t *op, void *data);
/* ends the request with it, or with rc when that is no NGX_OK */
void ngx_azora_result_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_op_t *op, ngx_int_t rc);
/* the reply as it is in the operation; NGX_DECLINED: there is none */
ngx_int_t ngx_azora_result_reply(ngx_azora_op_t *op, ngx_azora_reply_t *reply);

/* ngx_azora_cache.c */
char *ngx_azora_cache_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_int_t ngx_azora_cache_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_int_t ngx_azora_cache_init_process(ngx_cycle_t *cycle);
/* NGX_DECLINED: the row is not cached; else what a content handler returns */
ngx_int_t ngx_azora_cache_handler(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* fills ctx->fingerprint, once, before any parameter is replaced */
ngx_int_t ngx_azora_call_fingerprint(ngx_azora_ctx_t *ctx);

/* ngx_azora_reply.c */
ngx_int_t ngx_azora_reply_send(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
/* NGX_OK: the client's copy is current by the row's generation */
ngx_int_t ngx_azora_etag_known(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
ngx_int_t ngx_azora_reply_not_modified(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* ngx_azora_util.c */
/* the length of the UTF-8 sequence at s (s < last), 0: not UTF-8 */
size_t ngx_azora_utf8_length(const u_char *s, const u_char *last);
/* copies JSON without the white space between its tokens */
ngx_int_t ngx_azora_json_compact(ngx_pool_t *pool, ngx_str_t *dst,
    const ngx_str_t *src);
/* copies with a NUL behind; a value without data stays without */
ngx_int_t ngx_azora_copy(ngx_pool_t *pool, ngx_str_t *dst,
    const ngx_str_t *src);

/* ngx_azora_problem_filter.c */
ngx_int_t ngx_azora_problem_init(ngx_conf_t *cf);

/* ngx_azora_problem.c */
/* RFC 9457 3.2: an object of what else the problem tells, or NULL; names are
   the function's own, not a client's */
void ngx_azora_problem_members(ngx_http_request_t *r, json_t *members);
/* name, detail and pointer are copied; pointer may be empty */
ngx_int_t ngx_azora_problem_from_sql(ngx_http_request_t *r,
    ngx_uint_t status, const ngx_str_t *name, const ngx_str_t *detail,
    const ngx_str_t *pointer);

/* ngx_azora_problems.c */
ngx_int_t ngx_azora_problem_page(ngx_http_request_t *r);
/* what is known of a problem's name; NULL: nothing */
typedef struct {
    const char                   *name;
    const char                   *title;
    const char                   *about;
} ngx_azora_problem_text_t;
const ngx_azora_problem_text_t *ngx_azora_problem_text(const ngx_str_t *name);

/* ngx_azora_media.c: both do nothing for rows with JSON only */
/* whether the other type is wanted, in ctx->media and the field "format" */
ngx_int_t ngx_azora_media_choose(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
/* unpacks a reply in it */
ngx_int_t ngx_azora_media_take(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);

/* ngx_azora_openapi.c: builds amcf->openapi at configuration time */
ngx_int_t ngx_azora_openapi_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_int_t ngx_azora_openapi_handler(ngx_http_request_t *r);
ngx_int_t ngx_azora_docs_handler(ngx_http_request_t *r);

/* ngx_azora_trace.c: trace context and $azora_... variables */
ngx_int_t ngx_azora_trace_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);
ngx_int_t ngx_azora_trace_variables(ngx_conf_t *cf);
/* our traceparent for upstreams and events, 55 bytes; returns its end */
#define NGX_AZORA_TRACEPARENT_LEN   55
u_char *ngx_azora_trace_parent(const ngx_azora_ctx_t *ctx, u_char *dst);
/* how long the request took so far, in nanoseconds; ctx may be NULL */
uint64_t ngx_azora_trace_duration(const ngx_http_request_t *r,
    const ngx_azora_ctx_t *ctx);
/* for variables and logs, which also see requests that ended early */
ngx_azora_ctx_t *ngx_azora_trace_late_ctx(ngx_http_request_t *r);
/* makes the ids and ctx->request_id if they were not needed so far */
void ngx_azora_trace_ensure(ngx_http_request_t *r, ngx_azora_ctx_t *ctx);

/* ngx_azora_shm.c, ngx_azora_metrics.c */
ngx_int_t ngx_azora_shm_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_azora_shm_t *ngx_azora_shm(void);   /* NULL before the zone exists */
/* where a generation lives: the place outlives reloads, the index does not */
ngx_atomic_t *ngx_azora_shm_generation(ngx_uint_t index);
uint16_t ngx_azora_shm_breaker(ngx_uint_t index);
ngx_int_t ngx_azora_shm_init_process(ngx_cycle_t *cycle);
void ngx_azora_shm_exit_process(ngx_cycle_t *cycle);
ngx_int_t ngx_azora_metrics_log_handler(ngx_http_request_t *r);
ngx_int_t ngx_azora_metrics_handler(ngx_http_request_t *r);
/* duration of one statement on a lane, for db_client_operation_duration */
void ngx_azora_metrics_statement(const ngx_azora_statement_t *statement,
    uint64_t ns, ngx_azora_op_status_e status);

/* ngx_azora_health.c */
/* for handlers that answer GET and HEAD only; discards a body */
ngx_int_t ngx_azora_status_get(ngx_http_request_t *r);
ngx_int_t ngx_azora_livez_handler(ngx_http_request_t *r);
ngx_int_t ngx_azora_readyz_handler(ngx_http_request_t *r);

/* ngx_azora_lane_conf.c */
void ngx_azora_lane_unset(ngx_azora_pg_conf_t *conf);
void ngx_azora_lane_defaults(ngx_azora_pg_conf_t *conf);
char *ngx_azora_lane_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_azora_pg*.c */
char *ngx_azora_pg_conninfo(ngx_conf_t *cf, ngx_azora_pg_conf_t *conf);
ngx_int_t ngx_azora_pg_init_process(ngx_cycle_t *cycle);
void ngx_azora_pg_exit_process(ngx_cycle_t *cycle);
/* whether the operation went through the read lane */
ngx_uint_t ngx_azora_op_reads(const ngx_azora_op_t *op);
/* live connections of a lane in this worker */
ngx_uint_t ngx_azora_pg_connected(ngx_azora_lane_e lane);

/* ngx_azora_listen.c, ngx_azora_task.c: worker 0 */
/* whether generations are true now */
ngx_uint_t ngx_azora_listening(void);
ngx_int_t ngx_azora_wake_init_module(ngx_cycle_t *cycle);
ngx_int_t ngx_azora_listen_init_process(ngx_cycle_t *cycle);
void ngx_azora_listen_exit_process(ngx_cycle_t *cycle);
typedef struct ngx_azora_task_run_s  ngx_azora_task_run_t;
ngx_int_t ngx_azora_task_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_int_t ngx_azora_task_init_process(ngx_cycle_t *cycle);

/* ngx_azora_redis_conf.c, ngx_azora_redis.c */
char *ngx_azora_redis_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_azora_redis_configure(ngx_conf_t *cf, ngx_azora_redis_conf_t *conf);
ngx_int_t ngx_azora_redis_init_process(ngx_cycle_t *cycle);
void ngx_azora_redis_exit_process(ngx_cycle_t *cycle);
ngx_uint_t ngx_azora_redis_connected(void);

/* ngx_azora_turn.c: what worker 0 asks PostgreSQL by itself, now and then */
/* rings within spread ms, and keeps no worker that is to exit */
void ngx_azora_turn_start(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_msec_t spread, ngx_log_t *log);
/* rings again after delay ms, more or less; never in one that is to exit */
void ngx_azora_turn_later(ngx_event_t *ev, ngx_msec_t delay);
/* at which level to log a question that failed, after so many that did */
ngx_uint_t ngx_azora_turn_level(ngx_azora_op_t *op, ngx_uint_t failed);

/* ngx_azora_job.c: worker 0 */
ngx_int_t ngx_azora_job_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);
ngx_int_t ngx_azora_job_init_process(ngx_cycle_t *cycle);
/* from then on nothing is reported: other nodes claim what is under way */
void ngx_azora_job_quit(void);
void ngx_azora_job_exit_process(ngx_cycle_t *cycle);

/* ngx_azora_job_count.c */
typedef struct ngx_azora_job_counts_s  ngx_azora_job_counts_t;
ngx_int_t ngx_azora_job_count_init(ngx_conf_t *cf,
    ngx_azora_main_conf_t *amcf);
void ngx_azora_job_count_start(ngx_cycle_t *cycle);

/* ngx_azora_fetch*.c */
char *ngx_azora_fetch_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_azora_fetch_allow_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_azora_fetch_certificates_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_azora_fetch_configure(ngx_conf_t *cf,
    ngx_azora_fetch_conf_t *conf);
void ngx_azora_fetch_init_process(ngx_cycle_t *cycle);
/* calls the handlers of all that is under way */
void ngx_azora_fetch_exit_process(ngx_cycle_t *cycle);


#endif /* _NGX_AZORA_PRIVATE_H_INCLUDED_ */
