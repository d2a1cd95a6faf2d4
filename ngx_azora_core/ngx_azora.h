
/*
 * The only public header of the Azora core.
 *
 * A capability module fills an ngx_azora_capability_t with its rows, stages
 * and tasks and hands it to ngx_azora_register() in its preconfiguration
 * callback; everything else a module may use of the core is declared here.
 */


#ifndef _NGX_AZORA_H_INCLUDED_
#define _NGX_AZORA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>


/*
 * Raised whenever a structure below changes, so that a capability built
 * against another core is refused at load instead of corrupting memory.
 */
#define NGX_AZORA_ABI               4


typedef struct ngx_azora_ctx_s       ngx_azora_ctx_t;
typedef struct ngx_azora_row_s       ngx_azora_row_t;
typedef struct ngx_azora_field_s     ngx_azora_field_t;
typedef struct ngx_azora_endpoint_s  ngx_azora_endpoint_t;
typedef struct ngx_azora_statement_s ngx_azora_statement_t;
typedef struct ngx_azora_op_s        ngx_azora_op_t;


/*
 * Stages, in the order in which a request passes them.  The order is this
 * enumeration and never the order in which modules are loaded.
 */
typedef enum {
    NGX_AZORA_STAGE_TRACE = 0,       /* POST_READ */
    NGX_AZORA_STAGE_ROUTE,           /* PREACCESS */
    NGX_AZORA_STAGE_LIMIT_ADDRESS,   /* PREACCESS */
    NGX_AZORA_STAGE_GUARD,           /* PREACCESS */
    NGX_AZORA_STAGE_FOUND,           /* PREACCESS */
    NGX_AZORA_STAGE_AUTH,            /* ACCESS, and all that follow */
    NGX_AZORA_STAGE_AUTHORIZE,
    NGX_AZORA_STAGE_LIMIT_PRINCIPAL,
    NGX_AZORA_STAGE_BODY,
    NGX_AZORA_STAGE_VALIDATE,
    NGX_AZORA_STAGE_POLICY,
    NGX_AZORA_STAGE_PREPARE,
    NGX_AZORA_STAGE_MAX
} ngx_azora_stage_e;


/*
 * A stage returns
 *   NGX_OK or NGX_DECLINED  go on with the next stage;
 *   NGX_AGAIN               the stage waits; it calls ngx_azora_resume() later
 *                           and is then entered again, so it keeps its state;
 *   an HTTP status          the request ends; with ngx_azora_problem() the
 *                           reason is given, otherwise the status speaks.
 * ctx is never NULL.  Stages run in main requests only.
 */
typedef ngx_int_t (*ngx_azora_stage_pt)(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/*
 * The last touch on a successful SQL reply before it is sent: may replace
 * ctx->reply.body (memory from r->pool), status, etag and location.
 * Returns NGX_OK or an HTTP status.
 */
typedef ngx_int_t (*ngx_azora_finish_pt)(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


/* Kinds of fields; the comment gives the wire form, the SQL type, min..max */

typedef enum {
    NGX_AZORA_TEXT = 1,     /* string, text, characters */
    NGX_AZORA_SECRET,       /* string, text, bytes; never logged or echoed */
    NGX_AZORA_EMAIL,        /* string of at most 254 bytes, text */
    NGX_AZORA_SLUG,         /* [a-z0-9-], text, bytes (1..64) */
    NGX_AZORA_ADDRESS,      /* e-mail, handle or account id, text (1..254) */
    NGX_AZORA_CURRENCY,     /* [A-Z0-9]{3,8}, text */
    NGX_AZORA_AMOUNT,       /* decimal string > 0, never a float, text */
    NGX_AZORA_ENUM,         /* one of .values, text */
    NGX_AZORA_INTEGER,      /* integer (also digits in path/query), bigint */
    NGX_AZORA_BOOLEAN,      /* true | false, boolean */
    NGX_AZORA_UUID,         /* string, uuid */
    NGX_AZORA_TIME,         /* RFC 3339, timestamptz */
    NGX_AZORA_LIST,         /* array of .items objects (or strings), jsonb */
    NGX_AZORA_OBJECT,       /* any object, jsonb, bytes as sent */
    NGX_AZORA_ANY           /* any value; replies only */
} ngx_azora_kind_e;


#define NGX_AZORA_REQUIRED          0x0001
#define NGX_AZORA_IN_PATH           0x0002
#define NGX_AZORA_IN_QUERY          0x0004
#define NGX_AZORA_NULLABLE          0x0008   /* replies only */
#define NGX_AZORA_MADE              0x0010   /* never a client's: the row's
                                                prepare gives it with
                                                ngx_azora_set_value() */

struct ngx_azora_field_s {
    const char                *name;
    ngx_azora_kind_e           kind;
    ngx_uint_t                 flags;
    int64_t                    min;     /* min == max == 0: the kind's own */
    int64_t                    max;
    const ngx_azora_field_t   *items;   /* LIST: fields of each object; NULL:
                                           a list of strings; in replies also
                                           one field named "": a list of its
                                           kind, and OBJECT: its fields */
    const char                *values;  /* ENUM: "draft|active|closed" */
    const char                *about;   /* one sentence for OpenAPI */
};

#define NGX_AZORA_END  { NULL, 0, 0, 0, 0, NULL, NULL, NULL }

/* the two query fields every list takes */
#define NGX_AZORA_PAGE                                                        \
    { "limit", NGX_AZORA_INTEGER, NGX_AZORA_IN_QUERY, 1, 100, NULL, NULL,     \
      "Items per page, 20 when absent." },                                    \
    { "cursor", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 512, NULL, NULL,       \
      "The next of the previous page." }


/* ngx_azora_row_t.flags */

#define NGX_AZORA_PUBLIC            0x0001   /* no token needed or read */
#define NGX_AZORA_USER              0x0002   /* a valid token */
#define NGX_AZORA_KEY               0x0010   /* takes an Idempotency-Key */
#define NGX_AZORA_KEY_REQUIRED      0x0030   /* 400 without one */
#define NGX_AZORA_POLICY            0x0040   /* the constitution looks at it */
#define NGX_AZORA_BATCH             0x0100   /* batch lane; .function is the
                                                array form */
#define NGX_AZORA_SLOW              0x0200   /* slow lane */
#define NGX_AZORA_WRITE             0x0400   /* a GET that writes */
#define NGX_AZORA_STREAM            0x0800   /* a GET whose handler answers
                                                with text/event-stream */
#define NGX_AZORA_HIDDEN            0x1000   /* not in OpenAPI */
#define NGX_AZORA_FORM              0x2000   /* the body may be a form, too */
#define NGX_AZORA_ANY_QUERY         0x4000   /* unknown parameters of the query
                                                are passed over */

struct ngx_azora_row_s {
    ngx_uint_t                 method;       /* NGX_HTTP_GET, ... */
    const char                *path;         /* "/v1/wallets/{currency}" */
    ngx_uint_t                 flags;
    const char                *scope;        /* "wallet:read" or NULL */
    const ngx_azora_field_t   *fields;       /* NULL: none */
    const ngx_azora_field_t   *returns;      /* documented reply; NULL: none */
    const char                *function;     /* "ledger.get_wallet" */
    const char                *summary;      /* OpenAPI summary */
    const char                *roles;        /* "teacher|admin"; NULL: any */
    const char                *version;      /* generation that gives the
                                                ETag, or NULL */
    ngx_azora_stage_pt         prepare;      /* asynchronous step or NULL */
    ngx_azora_finish_pt        finish;       /* or NULL */
    ngx_http_handler_pt        handler;      /* content made in C instead of
                                                by SQL, or NULL */
    ngx_uint_t                 cost;         /* rate-limit cost, 0 means 1 */
    const char                *media;        /* "text/csv": a GET's other type
                                                (a handler's only one); NULL */
    ngx_uint_t                 cache;        /* seconds it is kept, 0: none */
    const char                *answers;      /* "200|202"; NULL: the method's */
};

#define NGX_AZORA_ROWS_END  { 0 }


typedef struct {
    ngx_azora_stage_e          stage;
    ngx_azora_stage_pt         handler;      /* NULL ends the list */
} ngx_azora_stage_t;


/*
 * An SQL function run in the background on the slow lane by worker 0, every
 * interval and whenever the generation moves.  It RETURNS int, the number of
 * things it did: a positive answer runs it again at once.  It must take an
 * advisory lock itself, because every node runs it.
 */
typedef struct {
    const char                *function;     /* "ledger.consume_rewards" */
    const char                *generation;   /* or NULL */
    ngx_msec_t                 interval;
    ngx_uint_t                 batch;        /* its only argument */
} ngx_azora_task_t;


typedef struct {
    ngx_uint_t                 abi;          /* NGX_AZORA_ABI */
    const char                *name;         /* "wallet" */
    const ngx_azora_row_t     *rows;         /* ends with ROWS_END, or NULL */
    const ngx_azora_stage_t   *stages;       /* ends with a NULL handler */
    const ngx_azora_task_t    *tasks;        /* ends with a NULL function */
    const char                *about;        /* OpenAPI tag description */
} ngx_azora_capability_t;


/*
 * Registers a capability; to be called from preconfiguration.  The structure
 * and all it points to must be static.  NGX_ERROR (logged) on an ABI mismatch
 * or when two modules claim one stage.
 */
ngx_int_t ngx_azora_register(ngx_conf_t *cf,
    const ngx_azora_capability_t *capability);

/*
 * Defines the NGINX module of a capability that has no directives: all it
 * does is to register itself.
 */
#define NGX_AZORA_MODULE(module, capability)                                  \
                                                                              \
static ngx_int_t                                                              \
module##_register(ngx_conf_t *cf)                                             \
{                                                                             \
    return ngx_azora_register(cf, &capability);                               \
}                                                                             \
                                                                              \
static ngx_http_module_t  module##_ctx = {                                    \
    module##_register, NULL, NULL, NULL, NULL, NULL, NULL, NULL               \
};                                                                            \
                                                                              \
ngx_module_t  module = {                                                      \
    NGX_MODULE_V1,                                                            \
    &module##_ctx, NULL, NGX_HTTP_MODULE,                                     \
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,                                 \
    NGX_MODULE_V1_PADDING                                                     \
}


/* Who calls.  Strings live as long as the request; all empty: anonymous. */

typedef struct {
    ngx_str_t                  subject;      /* account UUID, 36 characters */
    ngx_str_t                  session;      /* session UUID or empty */
    ngx_str_t                  roles;        /* "learner teacher" */
    ngx_str_t                  scope;        /* "wallet:read wallet:write" */
    ngx_str_t                  tier;         /* "free", ... or empty */
    time_t                     expires;      /* of the token, Unix seconds */
} ngx_azora_principal_t;


/* A validated parameter: data == NULL means absent (SQL NULL). */

typedef struct {
    ngx_str_t                  text;         /* NUL-terminated, PostgreSQL's
                                                text form of the value */
    json_t                    *json;         /* borrowed from ctx->body; NULL
                                                for path and query fields */
} ngx_azora_value_t;


typedef struct {
    ngx_uint_t                 status;
    ngx_str_t                  name;         /* "insufficient-funds" */
    ngx_str_t                  detail;
    ngx_str_t                  errors;       /* ready JSON array or empty */
    ngx_uint_t                 nerrors;
    ngx_str_t                  members;      /* ready `,"k":v,"k":v` or empty */
} ngx_azora_problem_t;


typedef struct {
    ngx_uint_t                 status;
    ngx_str_t                  body;         /* JSON text */
    ngx_str_t                  etag;         /* with its quotes, or empty */
    ngx_str_t                  location;
    ngx_str_t                  type;         /* empty: application/json */
} ngx_azora_reply_t;


/* The request's context: one per main request, zeroed, in r->pool. */

struct ngx_azora_ctx_s {
    ngx_http_request_t        *request;
    const ngx_azora_endpoint_t *endpoint;    /* NULL when no row matched */
    ngx_azora_principal_t      principal;
    ngx_str_t                 *path_values;  /* by order in the template */
    json_t                    *body;         /* owned, freed with r->pool */
    ngx_http_event_handler_pt  body_handler; /* NGINX's, while it is read */
    ngx_azora_value_t         *values;       /* one per field of the row */
    ngx_str_t                  idempotency_key;
    u_char                     fingerprint[64];  /* hex, of the parameters */
    ngx_str_t                  request_id;       /* see $azora_request_id */
    ngx_azora_problem_t        problem;
    ngx_azora_reply_t          reply;
    uint64_t                   generation;   /* of the row's version when it
                                                was asked, 0: none */
    ngx_azora_op_t            *op;           /* in flight for this request */

    u_char                     trace_id[32];     /* lower-case hex, no NUL */
    u_char                     parent_id[16];    /* the caller's span or 0s */
    u_char                     span_id[16];      /* ours */
    uint64_t                   started_ns;       /* CLOCK_MONOTONIC */

    ngx_uint_t                 stage;        /* the stage to run next */

    unsigned                   traced:1;     /* trace_id and span_id made */
    unsigned                   trace_sampled:1;
    unsigned                   waiting:1;    /* a stage returned NGX_AGAIN */
    unsigned                   body_ready:1;
    unsigned                   replied:1;    /* our own reply is being sent */
    unsigned                   fingerprinted:1;
    unsigned                   problem_body:1;   /* replaces NGINX's page */
    unsigned                   problem_sent:1;
    unsigned                   media:1;          /* the row's other type */
};


/* A row after configuration: what the core derived from it. */

struct ngx_azora_endpoint_s {
    const ngx_azora_row_t     *row;
    const ngx_azora_capability_t *capability;
    ngx_uint_t                 index;        /* dense, for metrics */
    ngx_uint_t                 nfields;
    ngx_str_t                  method;       /* "POST" */
    ngx_str_t                  path;         /* the template */
    ngx_str_t                  label;        /* "POST /v1/..." */
    ngx_uint_t                 generation;   /* index or NGX_AZORA_NONE */
    const ngx_azora_statement_t *plain;
    const ngx_azora_statement_t *keyed;      /* with idempotency, or NULL */
};

#define NGX_AZORA_NONE              ((ngx_uint_t) -1)


/* The request's context, created on first use; NULL: out of memory. */
ngx_azora_ctx_t *ngx_azora_get_ctx(ngx_http_request_t *r);

/*
 * Continues a request whose stage returned NGX_AGAIN.  To be called from an
 * event handler; r may be freed when it returns.
 */
void ngx_azora_resume(ngx_http_request_t *r);

/* The value of a field by name, NULL when absent or unknown. */
ngx_azora_value_t *ngx_azora_value(ngx_azora_ctx_t *ctx, const char *name);

/*
 * Replaces a parameter's text before the call (data is copied into r->pool
 * and NUL-terminated).  NGX_ERROR: no such field or out of memory.
 */
ngx_int_t ngx_azora_set_value(ngx_azora_ctx_t *ctx, const char *name,
    ngx_str_t *text);

/* Whether a blank-separated list holds the word. */
ngx_uint_t ngx_azora_list_has(const ngx_str_t *list, const char *word,
    size_t len);


/*
 * Whether the token has each of the blank-separated scopes: NGX_OK, or 403 as
 * RFC 6750, section 3.1, says.
 */
ngx_int_t ngx_azora_authorize_scope(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const ngx_str_t *scopes);


/*
 * Gives the reason of a refusal and returns status, to be returned by the
 * stage.  fmt is ngx_sprintf's; RFC 9457.  The first problem of a request
 * wins.  name is a static string such as "insufficient-funds"; its title
 * and explanation come from the core's table (ngx_azora_problems.c).  A 401
 * that another token would mend also says so in WWW-Authenticate.
 */
ngx_int_t ngx_azora_problem(ngx_http_request_t *r, ngx_uint_t status,
    const char *name, const char *fmt, ...);

/* Adds {"pointer","detail"} to the problem's errors; bounded to 32. */
void ngx_azora_problem_error(ngx_http_request_t *r, const char *pointer,
    const char *fmt, ...);

/* Adds a ready `"name":<json>` member to the problem. */
void ngx_azora_problem_member(ngx_http_request_t *r, const char *name,
    ngx_str_t *json);

/* Appends s as a JSON string with quotes; dst NULL: returns the length. */
u_char *ngx_azora_json_quote(u_char *dst, const u_char *s, size_t len);

/*
 * The tree as compact JSON in pool, NUL-terminated.  NGX_ERROR: there is no
 * tree, or no memory.
 */
ngx_int_t ngx_azora_json_dump(ngx_pool_t *pool, const json_t *json,
    ngx_str_t *out);

/*
 * Sends a complete JSON answer (body in r->pool or static) and finalizes
 * nothing: returns what a content handler returns.
 */
ngx_int_t ngx_azora_send(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *content_type, ngx_str_t *body);

/*
 * The whole of an answer's body, which may be empty, as what filters take; it
 * is not copied.  NULL: out of memory.
 */
ngx_chain_t *ngx_azora_chain(ngx_http_request_t *r, const ngx_str_t *body);

/*
 * For stages and handlers that read a body themselves.  is_json: whether a
 * Content-Type says JSON in UTF-8, or a merge patch of a PATCH.  text: the
 * whole body that NGINX has read, in one piece that lives as long as the
 * request.  NGX_OK; 413, as too_large() answers, with more than max bytes;
 * 500.
 */
ngx_uint_t ngx_azora_body_is_json(ngx_http_request_t *r,
    const ngx_str_t *type);
ngx_int_t ngx_azora_body_text(ngx_http_request_t *r, size_t max,
    ngx_str_t *body);
ngx_int_t ngx_azora_body_too_large(ngx_http_request_t *r, size_t max);


/* PostgreSQL */

typedef enum {
    NGX_AZORA_LANE_READ = 0,
    NGX_AZORA_LANE_WRITE,
    NGX_AZORA_LANE_BATCH,
    NGX_AZORA_LANE_SLOW,
    NGX_AZORA_LANE_MAX
} ngx_azora_lane_e;

typedef enum {
    NGX_AZORA_OP_OK = 0,
    NGX_AZORA_OP_REFUSED,        /* SQLSTATE class AZ */
    NGX_AZORA_OP_ERROR,          /* any other SQL error */
    NGX_AZORA_OP_TIMEOUT,        /* the deadline passed; the effect of a write
                                    is unknown */
    NGX_AZORA_OP_LOST,           /* the connection broke while it was in
                                    flight; same for writes */
    NGX_AZORA_OP_UNAVAILABLE     /* never sent: down, breaker open, queue
                                    full; certainly no effect */
} ngx_azora_op_status_e;

/*
 * Declares a statement; configuration time only.  sql uses $1..$n and is
 * copied.  The batch lane's parameters are arrays: callers give one element
 * each.  NULL: out of memory.
 */
const ngx_azora_statement_t *ngx_azora_statement(ngx_conf_t *cf,
    ngx_azora_lane_e lane, const char *name, ngx_str_t *sql,
    ngx_uint_t nparams);

typedef void (*ngx_azora_op_pt)(ngx_azora_op_t *op, void *data);

/*
 * Queues a statement.  params (nparams strings, data NULL = SQL NULL, all
 * without NUL bytes) are copied.  handler is called exactly once, always from
 * the event loop and never from within this call, unless the operation is
 * detached; the operation is freed when handler returns.  timeout 0: the
 * lane's.  NULL: out of memory.
 */
ngx_azora_op_t *ngx_azora_query(const ngx_azora_statement_t *statement,
    const ngx_str_t *params, ngx_msec_t timeout, ngx_azora_op_pt handler,
    void *data);

/* The asker left: the result will be discarded, handler never called. */
void ngx_azora_detach(ngx_azora_op_t *op);

/* Valid inside handler only. */
ngx_azora_op_status_e ngx_azora_op_status(ngx_azora_op_t *op);
ngx_uint_t ngx_azora_op_rows(ngx_azora_op_t *op);
/* data NULL: SQL NULL; bytes belong to the operation */
ngx_str_t ngx_azora_op_value(ngx_azora_op_t *op, ngx_uint_t row,
    ngx_uint_t column);
/* of a failed operation: SQLSTATE (5 characters, "" when there is none),
   primary message, DETAIL, HINT, and the JSON object of what else a refusal
   tells, each possibly empty */
const char *ngx_azora_op_sqlstate(ngx_azora_op_t *op);
const char *ngx_azora_op_message(ngx_azora_op_t *op);
const char *ngx_azora_op_detail(ngx_azora_op_t *op);
const char *ngx_azora_op_hint(ngx_azora_op_t *op);
const char *ngx_azora_op_members(ngx_azora_op_t *op);
/* seconds a client should wait before it tries again, 1.. */
ngx_uint_t ngx_azora_op_retry_after(ngx_azora_op_t *op);

/*
 * The text of azora.caller for a statement of a module's own, in r->pool;
 * to be used from stage AUTH on.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_azora_caller(ngx_http_request_t *r, ngx_str_t *literal);

/*
 * Turns a failed operation into a problem (class AZ -> its status and name,
 * otherwise 503 or 500 without a word of SQL) and returns the status.
 */
ngx_int_t ngx_azora_op_problem(ngx_http_request_t *r, ngx_azora_op_t *op);

/* A text array literal {"a","b",NULL} of n strings in pool; {NULL,0}: ENOMEM */
ngx_str_t ngx_azora_array_literal(ngx_pool_t *pool, const ngx_str_t *items,
    ngx_uint_t n);


/*
 * Who calls, signed for a service behind: a JWS (RFC 7515) that lives for a
 * minute and is no access token.  One module can sign (auth); others ask the
 * core.  Configuration time.
 */
typedef ngx_int_t (*ngx_azora_signer_pt)(ngx_http_request_t *r,
    const ngx_str_t *audience, ngx_str_t *token);
void ngx_azora_signer(ngx_conf_t *cf, ngx_azora_signer_pt signer);

/*
 * token is in memory that outlives the request.  NGX_DECLINED: nobody can
 * sign; NGX_ERROR is logged.
 */
ngx_int_t ngx_azora_sign_identity(ngx_http_request_t *r,
    const ngx_str_t *audience, ngx_str_t *token);


/* Generations: named counters that PostgreSQL owns and every worker sees. */

/* configuration time: the index of a generation (registered once by name) */
ngx_uint_t ngx_azora_generation_index(ngx_conf_t *cf, const char *name);

/* 0: unknown, because nobody listens at the moment; never cache then */
uint64_t ngx_azora_generation(ngx_uint_t index);

/* what it was when somebody listened last, true or not by now; 0: nobody did */
uint64_t ngx_azora_generation_last(ngx_uint_t index);

/*
 * How often this node saw a generation fall, as it does when a backup is
 * restored: numbers of before mean nothing then, also where they come again
 * before somebody looks.
 */
ngx_uint_t ngx_azora_generation_falls(void);

/* ngx_current_msec when this node's generations were last true; 0: never */
ngx_msec_t ngx_azora_listened(void);

/* Called in each worker within 100 ms after a generation moved. */
typedef void (*ngx_azora_generation_pt)(ngx_uint_t index, uint64_t value);
ngx_int_t ngx_azora_on_generation(ngx_conf_t *cf, const char *name,
    ngx_azora_generation_pt handler);


/* A readiness check: /readyz asks every one.  NGX_OK or NGX_DECLINED. */
typedef ngx_int_t (*ngx_azora_ready_pt)(void);
ngx_int_t ngx_azora_ready_check(ngx_conf_t *cf, const char *name,
    ngx_azora_ready_pt check);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t ngx_azora_now_ns(void);

/*
 * Makes an event that belongs to no connection, for a timer or to be posted;
 * it must be neither when it is made.  A worker that is to exit waits for its
 * timer unless the caller sets ev->cancelable.
 */
void ngx_azora_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log);


extern ngx_module_t  ngx_http_azora_module;


#include "ngx_azora_command.h"
#include "ngx_azora_edge.h"
#include "ngx_azora_header.h"
#include "ngx_azora_metric.h"
#include "ngx_azora_outside.h"


#endif /* _NGX_AZORA_H_INCLUDED_ */
