
/*
 * What the files of the event streams (GET /v1/events) share.
 *
 *   _events.c           the row's handler: who may follow what, and from where
 *   _events_client.c    a client from its first byte to its last
 *   _events_wire.c      writing, over a bare connection or an HTTP/2 stream
 *   _events_ring.c      the last events, fetched once for all of a worker
 *   _events_replay.c    what a client missed, page by page
 *   _events_audience.c  who follows the same
 *   _events_session.c   streams whose token was revoked
 */


#ifndef _NGX_HTTP_AZORA_JOURNAL_EVENTS_H_INCLUDED_
#define _NGX_HTTP_AZORA_JOURNAL_EVENTS_H_INCLUDED_


#include "ngx_http_azora_journal.h"


#define NGX_HTTP_AZORA_JOURNAL_TYPES_MAX     8
#define NGX_HTTP_AZORA_JOURNAL_UUID_LEN      36


typedef struct ngx_http_azora_journal_client_s
    ngx_http_azora_journal_client_t;


/*
 * Bytes for clients: one event, shared by all who get it, or a page of what
 * one client missed.  Freed with the last reference.
 */

typedef struct {
    ngx_uint_t                refs;
    uint64_t                  seq;
    uint64_t                  type;          /* hash of its name */
    u_char                    subject[16];   /* zeroes: nobody's */
    size_t                    len;
    u_char                    data[1];
} ngx_http_azora_journal_event_t;


/* Clients that follow the same: one account's own events, or some types. */

typedef struct {
    ngx_rbtree_node_t         node;          /* of accounts, by their id */
    ngx_queue_t               queue;         /* of lists of types */
    ngx_queue_t               clients;
    ngx_uint_t                refs;
    ngx_uint_t                connections;   /* opened by this account */
    u_char                    subject[16];
    ngx_uint_t                ntypes;        /* 0: an account */
    uint64_t                  types[NGX_HTTP_AZORA_JOURNAL_TYPES_MAX];
    ngx_str_t                 text;          /* the types as SQL has them */
} ngx_http_azora_journal_audience_t;


typedef enum {
    NGX_HTTP_AZORA_JOURNAL_STARTING = 0, /* the header is being sent */
    NGX_HTTP_AZORA_JOURNAL_LIVE,         /* waits for events */
    NGX_HTTP_AZORA_JOURNAL_WRITING,      /* waits until it can write */
    NGX_HTTP_AZORA_JOURNAL_BEHIND,       /* waits for its turn to ask SQL */
    NGX_HTTP_AZORA_JOURNAL_ASKING        /* waits for SQL's answer */
} ngx_http_azora_journal_client_state_e;


/*
 * There are thousands of these: nothing of the request is kept over HTTP/1.x,
 * and of what it has to get only a number.
 */

struct ngx_http_azora_journal_client_s {
    ngx_connection_t                   *connection;
    ngx_http_request_t                 *request;   /* HTTP/2 only, later on */
    ngx_pool_cleanup_t                 *cleanup;   /* of the request's pool */
    ngx_http_azora_journal_audience_t  *audience;
    ngx_http_azora_journal_audience_t  *owner;     /* who connected */
    ngx_queue_t                         peers;     /* in the audience */
    ngx_queue_t                         order;     /* by the last write */
    ngx_queue_t                         turn;      /* starting, or behind */
    uint64_t                            next;      /* number to continue from */
    ngx_http_azora_journal_event_t     *event;     /* being written */
    size_t                              sent;      /* of it */
    ngx_azora_op_t                     *op;
    ngx_buf_t                          *buf;       /* HTTP/2 only */
    ngx_msec_t                          written;   /* time of the last write */
    time_t                              opened;
    ngx_http_azora_journal_client_state_e  state;
    u_char                              session[16];
    unsigned                            ending:1;  /* the worker is */
    unsigned                            check:1;   /* next may be no number */
    unsigned                            page:7;    /* events to ask for */
};


/* What a worker knows of its clients. */

typedef struct {
    ngx_queue_t                         clients;   /* oldest write first */
    ngx_queue_t                         starting;
    ngx_queue_t                         behind;
    ngx_uint_t                          n;
    ngx_uint_t                          asking;
    ngx_msec_t                          paused;    /* SQL failed: until then */
    ngx_uint_t                          is_paused;
    ngx_event_t                         start;     /* posted */
    ngx_event_t                         timer;
} ngx_http_azora_journal_clients_t;


extern ngx_http_azora_journal_clients_t  ngx_http_azora_journal_clients;


/*
 * _events_client.c.  A client is created in its request's handler, which then
 * returns NGX_DONE; it begins from the event loop and may end in any call that
 * writes to it.
 */
ngx_http_azora_journal_client_t *ngx_http_azora_journal_client_create(
    ngx_http_request_t *r, ngx_http_azora_journal_audience_t *audience,
    ngx_http_azora_journal_audience_t *owner, uint64_t next);
void ngx_http_azora_journal_client_close(
    ngx_http_azora_journal_client_t *client);
/* writes what there is; NGX_ERROR: the client is gone */
ngx_int_t ngx_http_azora_journal_client_go_on(
    ngx_http_azora_journal_client_t *client);
void ngx_http_azora_journal_client_wrote(
    ngx_http_azora_journal_client_t *client);

/*
 * _events_wire.c: NGX_OK: all of client->event was taken; NGX_AGAIN: its
 * write handler goes on; NGX_ERROR: to be closed.
 */
ngx_int_t ngx_http_azora_journal_wire_open(
    ngx_http_azora_journal_client_t *client);
ngx_int_t ngx_http_azora_journal_wire_write(
    ngx_http_azora_journal_client_t *client);
void ngx_http_azora_journal_wire_close(
    ngx_http_azora_journal_client_t *client);

/* _events_ring.c */
ngx_int_t ngx_http_azora_journal_ring_init(ngx_cycle_t *cycle);
void ngx_http_azora_journal_ring_moved(ngx_uint_t index, uint64_t size);
/* a client needs it: it is filled, with what is recent first */
void ngx_http_azora_journal_ring_want(uint64_t size);
/* the number from which on it has everything */
uint64_t ngx_http_azora_journal_ring_first(void);
/* of the log, as far as this worker heard of it; 0: not at all */
uint64_t ngx_http_azora_journal_ring_size(void);
/* the number behind the last it has, which no client that waits still needs */
uint64_t ngx_http_azora_journal_ring_end(void);
/*
 * The next event for an audience from *next on, which it raises to behind the
 * event, or to the end when there is none (NULL).
 */
ngx_http_azora_journal_event_t *ngx_http_azora_journal_ring_find(
    const ngx_http_azora_journal_audience_t *audience, uint64_t *next);
/* retries what failed; every tick */
void ngx_http_azora_journal_ring_tick(void);

/* refs 1 and room for len bytes; NULL: out of memory */
ngx_http_azora_journal_event_t *ngx_http_azora_journal_event_alloc(
    size_t len);
void ngx_http_azora_journal_event_release(
    ngx_http_azora_journal_event_t *event);
/* appends "id: ...\ndata: ...\n\n"; the room is EVENT_ROOM and the text */
#define NGX_HTTP_AZORA_JOURNAL_EVENT_ROOM                                     \
    (sizeof("id: \ndata: \n\n") + NGX_INT64_LEN)
u_char *ngx_http_azora_journal_event_print(u_char *p, uint64_t seq,
    const ngx_str_t *text);
/*
 * Appends "event: gap": from..to are missing and next comes next; at most
 * GAP_ROOM bytes.
 */
#define NGX_HTTP_AZORA_JOURNAL_GAP_ROOM  (128 + 3 * NGX_INT64_LEN)
u_char *ngx_http_azora_journal_gap_print(u_char *p, uint64_t from,
    uint64_t to, uint64_t next, const char *reason);

/* _events_replay.c */
#define NGX_HTTP_AZORA_JOURNAL_PAGE          100
void ngx_http_azora_journal_replay_queue(
    ngx_http_azora_journal_client_t *client);
void ngx_http_azora_journal_replay_leave(
    ngx_http_azora_journal_client_t *client);
void ngx_http_azora_journal_replay_run(void);

/* _events_session.c: closes the clients whose tokens are revoked */
/* a client came: what was revoked just before may not have been known */
void ngx_http_azora_journal_sessions_new(void);
void ngx_http_azora_journal_sessions_moved(ngx_uint_t index, uint64_t value);
void ngx_http_azora_journal_sessions_tick(void);

/* _events_audience.c; the caller owns one reference */
void ngx_http_azora_journal_audience_init(void);
ngx_http_azora_journal_audience_t *ngx_http_azora_journal_audience_account(
    const u_char *subject);
/* text: names separated by commas, checked; NULL: out of memory */
ngx_http_azora_journal_audience_t *ngx_http_azora_journal_audience_types(
    const ngx_str_t *text);
void ngx_http_azora_journal_audience_release(
    ngx_http_azora_journal_audience_t *audience);
ngx_uint_t ngx_http_azora_journal_audience_has(
    const ngx_http_azora_journal_audience_t *audience,
    const ngx_http_azora_journal_event_t *event);
/* lets all who wait for this event go on */
void ngx_http_azora_journal_audience_tell(
    const ngx_http_azora_journal_event_t *event);
uint64_t ngx_http_azora_journal_type_hash(const u_char *name, size_t len);
/* NGX_DECLINED: not a UUID in its text form */
ngx_int_t ngx_http_azora_journal_uuid(const ngx_str_t *text, u_char *id);


#endif /* _NGX_HTTP_AZORA_JOURNAL_EVENTS_H_INCLUDED_ */
