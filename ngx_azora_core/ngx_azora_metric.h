
/*
 * A part of ngx_azora.h: metrics.
 */


#ifndef _NGX_AZORA_METRIC_H_INCLUDED_
#define _NGX_AZORA_METRIC_H_INCLUDED_


/* In per-worker slots, summed when scraped. */

typedef enum {
    NGX_AZORA_COUNTER = 0,
    NGX_AZORA_GAUGE,
    NGX_AZORA_HISTOGRAM,         /* of durations, without labels */
    NGX_AZORA_LABELLED           /* a counter for each value of a label */
} ngx_azora_metric_e;

/*
 * Configuration time.  name is the family ("azora_limit_refused_total"),
 * labels is "zone=\"ip\"" or NULL, for LABELLED the name of its label; series
 * of one family share help.  Returns an index, NGX_AZORA_NONE when out of
 * memory (logged).
 */
ngx_uint_t ngx_azora_metric(ngx_conf_t *cf, ngx_azora_metric_e type,
    const char *name, const char *labels, const char *help);
void ngx_azora_metric_add(ngx_uint_t index, ngx_int_t n);
/* of a HISTOGRAM */
void ngx_azora_metric_observe(ngx_uint_t index, uint64_t ns);
/*
 * Adds to a LABELLED counter's series of this value ([A-Za-z0-9._-], at most
 * 64 bytes).  A node has 64 such series; what is beyond counts as "other".
 */
void ngx_azora_metric_count(ngx_uint_t index, const ngx_str_t *value,
    ngx_uint_t n);

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


#endif /* _NGX_AZORA_METRIC_H_INCLUDED_ */
