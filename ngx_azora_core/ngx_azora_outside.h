
/*
 * What reaches out of the node: a part of ngx_azora.h, which includes it.
 */


#ifndef _NGX_AZORA_OUTSIDE_H_INCLUDED_
#define _NGX_AZORA_OUTSIDE_H_INCLUDED_


typedef struct ngx_azora_fetch_s     ngx_azora_fetch_t;
typedef struct ngx_azora_job_s       ngx_azora_job_t;


/*
 * Outgoing calls, on the event loop.  TLS is always verified, redirects are
 * never followed, and without NGX_AZORA_FETCH_INTERNAL only addresses of the
 * public Internet (and those of azora_fetch_allow) are connected to, whatever
 * the name resolves to.
 */

typedef enum {
    NGX_AZORA_FETCH_OK = 0,      /* a whole answer, whatever its status; mail:
                                    the server took it */
    NGX_AZORA_FETCH_INVALID,     /* not a URL, method, header or address that
                                    may be used; nothing was sent */
    NGX_AZORA_FETCH_FORBIDDEN,   /* an address that may not be connected to;
                                    nothing was sent */
    NGX_AZORA_FETCH_UNRESOLVED,  /* the name is unknown; nothing was sent */
    NGX_AZORA_FETCH_UNREACHABLE, /* no connection; nothing was sent */
    NGX_AZORA_FETCH_TLS,         /* no trusted TLS; nothing was sent */
    NGX_AZORA_FETCH_TIMEOUT,     /* whether it arrived is unknown, as with all
                                    that follow */
    NGX_AZORA_FETCH_TOO_LARGE,   /* the answer passes the bound */
    NGX_AZORA_FETCH_BROKEN,      /* the answer ended early or is not one */
    NGX_AZORA_FETCH_REJECTED,    /* mail: the server said no; see the code */
    NGX_AZORA_FETCH_ENDED,       /* this worker exits */
    NGX_AZORA_FETCH_MAX
} ngx_azora_fetch_status_e;

/* who is called stands in the configuration: private addresses are right */
#define NGX_AZORA_FETCH_INTERNAL    0x0001
/* mail: without TLS where the server has none */
#define NGX_AZORA_FETCH_PLAIN       0x0002

typedef struct {
    ngx_str_t                  method;       /* "POST"; empty: GET */
    ngx_str_t                  url;          /* http:// or https:// */
    const ngx_str_t           *headers;      /* "Name: value" each */
    ngx_uint_t                 nheaders;
    ngx_str_t                  body;         /* data NULL: none */
    ngx_msec_t                 timeout;      /* waiting for its turn and all
                                                that follows; 0: 15 s */
    ngx_msec_t                 connect_timeout;  /* 0: 5 s */
    size_t                     response_max; /* bytes of the body; 0: 64 kB */
    ngx_uint_t                 flags;
} ngx_azora_fetch_request_t;

typedef struct {
    ngx_str_t                  url;          /* smtp://host:587, smtps:// */
    ngx_str_t                  user;         /* empty: no login */
    ngx_str_t                  password;
    ngx_str_t                  from;         /* envelope, without <> */
    const ngx_str_t           *to;
    ngx_uint_t                 nto;
    ngx_str_t                  message;      /* RFC 5322, lines end in CRLF */
    ngx_msec_t                 timeout;      /* as above */
    ngx_msec_t                 connect_timeout;
    ngx_uint_t                 flags;
} ngx_azora_mail_t;

typedef void (*ngx_azora_fetch_pt)(ngx_azora_fetch_t *fetch, void *data);

/*
 * Begins a call; everything given is copied.  handler is called exactly once,
 * always from the event loop or at the worker's exit, never from within this
 * call, unless the call is cancelled; fetch is freed when handler returns.
 * NULL: out of memory or the queue is full, and nothing will happen.
 */
ngx_azora_fetch_t *ngx_azora_fetch(const ngx_azora_fetch_request_t *request,
    ngx_azora_fetch_pt handler, void *data);

/* The same for a mail, RFC 5321. */
ngx_azora_fetch_t *ngx_azora_send_mail(const ngx_azora_mail_t *mail,
    ngx_azora_fetch_pt handler, void *data);

/*
 * The asker left: handler is never called, fetch is freed.  What was sent is
 * sent.  Not to be called for the fetch whose handler runs.
 */
void ngx_azora_fetch_cancel(ngx_azora_fetch_t *fetch);

/* Valid inside handler only; bytes belong to the fetch. */
ngx_azora_fetch_status_e ngx_azora_fetch_status(ngx_azora_fetch_t *fetch);
/* "timeout", "tls", ...: for logs and metrics */
const char *ngx_azora_fetch_status_name(ngx_azora_fetch_status_e status);
/* the answer's HTTP status, or the last SMTP reply code; 0: none came */
ngx_uint_t ngx_azora_fetch_code(ngx_azora_fetch_t *fetch);
ngx_str_t ngx_azora_fetch_body(ngx_azora_fetch_t *fetch);
/* the first header of that name; NGX_DECLINED: there is none */
ngx_int_t ngx_azora_fetch_header(ngx_azora_fetch_t *fetch, const char *name,
    ngx_str_t *value);
/* what went wrong, a few words; "" when nothing did */
const char *ngx_azora_fetch_reason(ngx_azora_fetch_t *fetch);


/*
 * Jobs: what SQL enqueued (journal.enqueue) and NGINX has to do outside.
 * Worker 0 of each node claims them and calls the kind's handler, which ends
 * the job sooner or later, in the same call or from an event.  A job is done
 * at least once: whoever does not end it within the lease is taken for dead,
 * and it is claimed again.  A node that claims what it still does renews the
 * lease instead of beginning it twice.
 */

typedef enum {
    NGX_AZORA_JOB_DONE = 0,      /* it goes */
    NGX_AZORA_JOB_FAILED,        /* counted: again later, or dead */
    NGX_AZORA_JOB_REJECTED       /* dead at once: it can never succeed */
} ngx_azora_job_outcome_e;

typedef void (*ngx_azora_job_pt)(ngx_azora_job_t *job);

typedef struct {
    const char                *kind;         /* "mail" */
    const char                *claim;        /* NULL: "journal.claim_jobs" */
    const char                *end;          /* NULL: "journal.end_job" */
    ngx_azora_job_pt           handler;
    ngx_uint_t               (*ready)(void); /* whether this node can do any
                                                now; NULL: always */
    ngx_uint_t                 running;      /* at once, per node */
    ngx_msec_t                 lease;        /* longer than any attempt */
} ngx_azora_job_kind_t;

/* Registers a kind, static; to be called from preconfiguration. */
ngx_int_t ngx_azora_job_kind(ngx_conf_t *cf, const ngx_azora_job_kind_t *kind);

/* NUL-terminated JSON; lives until the job is ended */
ngx_str_t ngx_azora_job_payload(ngx_azora_job_t *job);
/* how often it failed before */
ngx_uint_t ngx_azora_job_failures(ngx_azora_job_t *job);
/* for what its handler needs; destroyed when the job has ended */
ngx_pool_t *ngx_azora_job_pool(ngx_azora_job_t *job);

/*
 * Reports what became of the job, which is not to be touched afterwards.
 * error is a short text for people (copied, without secrets), code the
 * other side's status or 0, retry_after seconds that it asked for or 0.
 */
void ngx_azora_job_end(ngx_azora_job_t *job, ngx_azora_job_outcome_e outcome,
    const char *error, ngx_uint_t code, ngx_uint_t retry_after);

/* Not now and no failure: it is claimed again when its lease has ended. */
void ngx_azora_job_leave(ngx_azora_job_t *job);


#endif /* _NGX_AZORA_OUTSIDE_H_INCLUDED_ */
