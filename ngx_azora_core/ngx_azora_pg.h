
/*
 * What the files of the PostgreSQL client share: targets (where to connect),
 * connections, lanes and operations.
 */


#ifndef _NGX_AZORA_PG_H_INCLUDED_
#define _NGX_AZORA_PG_H_INCLUDED_


#include "ngx_azora_private.h"
#include <libpq-fe.h>


#define NGX_AZORA_PG_HOSTS_MAX      16
#define NGX_AZORA_PG_PARAMS_MAX     40
#define NGX_AZORA_PG_HOST_LEN       255
#define NGX_AZORA_PG_ADDR_LEN       63
#define NGX_AZORA_PG_PORT_LEN       15
#define NGX_AZORA_PG_OPTIONS_LEN    768

#define NGX_AZORA_PG_SYNC_MAX       256      /* reads under one Sync */
#define NGX_AZORA_PG_INFLIGHT_MAX   256      /* reads per connection */
#define NGX_AZORA_PG_READ_SLOTS     1024     /* each may bring a PREPARE and a
                                                Sync; a power of two */
#define NGX_AZORA_PG_BATCH_MAX      512      /* items per batch call */
#define NGX_AZORA_PG_BATCH_BYTES    (4 * 1024 * 1024)
#define NGX_AZORA_PG_BATCH_BIG      16       /* its successor gathers */
#define NGX_AZORA_PG_ARRAYS_MAX     (NGX_AZORA_FIELDS_MAX + 1)

#define NGX_AZORA_PG_CONNECT_MS     3000     /* one attempt, all its steps */
#define NGX_AZORA_PG_BACKOFF_MIN_MS 50
#define NGX_AZORA_PG_BACKOFF_MAX_MS 5000
#define NGX_AZORA_PG_PROBE_MS       200      /* look at an open breaker */
#define NGX_AZORA_PG_RETRY_MAX      3        /* of a read */
#define NGX_AZORA_PG_PREPARE_MAX    3        /* for one operation */
#define NGX_AZORA_PG_NAMES_MAX      200      /* of one statement */
#define NGX_AZORA_PG_GRACE_MS       1000     /* busy after a deadline */
#define NGX_AZORA_PG_FALLBACK_MS    60000    /* reads on the primary instead */


typedef struct ngx_azora_pg_target_s  ngx_azora_pg_target_t;
typedef struct ngx_azora_pg_conn_s    ngx_azora_pg_conn_t;
typedef struct ngx_azora_pg_lane_s    ngx_azora_pg_lane_t;


/*
 * A connection string after configuration: names are resolved, so that
 * libpq never looks one up inside the event loop.
 */

struct ngx_azora_pg_target_s {
    ngx_uint_t                    nhosts;
    const char                   *host[NGX_AZORA_PG_HOSTS_MAX];
    const char                   *hostaddr[NGX_AZORA_PG_HOSTS_MAX];
    const char                   *port[NGX_AZORA_PG_HOSTS_MAX];

    ngx_uint_t                    nparams;      /* all but hosts and options */
    const char                   *keyword[NGX_AZORA_PG_PARAMS_MAX];
    const char                   *value[NGX_AZORA_PG_PARAMS_MAX];

    const char                   *options;      /* the administrator's or "" */
    ngx_msec_t                    connect_timeout;
};


/*
 * An operation and a copy of its parameters are one allocation.  It is in
 * its lane's list of living operations from the query to its end, and either
 * waits in the lane's queue or is pointed to by *home, its place in what a
 * connection has in flight.
 */

struct ngx_azora_op_s {
    ngx_queue_t                   queue;        /* waiting or finished */
    ngx_queue_t                   live;
    ngx_azora_op_t              **home;         /* NULL unless in flight */

    ngx_azora_pg_lane_t          *lane;
    ngx_azora_pg_conn_t          *conn;         /* with home only */
    const ngx_azora_statement_t  *statement;
    ngx_azora_op_pt               handler;
    void                         *data;

    ngx_msec_t                    deadline;
    uint64_t                      started_ns;

    PGresult                     *result;
    int                           row;          /* batch: our row */
    ngx_azora_op_status_e         status;
    const char                   *reason;       /* without a result */
    ngx_uint_t                    limit;        /* batch: at most so many */
    size_t                        size;         /* of the parameters */

    unsigned                      borrowed:1;   /* result belongs to a batch */
    unsigned                      alone:1;      /* under a Sync of its own */
    unsigned                      prepared:2;   /* so often once more */
    unsigned                      retried:2;    /* so often sent again */
    unsigned                      waiting:1;    /* in the lane's queue */
    unsigned                      done:1;       /* left its lane */
    unsigned                      running:1;    /* its handler is called */

    const char                   *params[];
};


typedef enum {
    NGX_AZORA_PG_SLOT_PREPARE = 0,
    NGX_AZORA_PG_SLOT_QUERY,
    NGX_AZORA_PG_SLOT_SYNC
} ngx_azora_pg_slot_e;

/* One message in flight whose answer libpq will give, in order. */

typedef struct {
    ngx_azora_pg_slot_e           kind;
    ngx_uint_t                    answered;
    const ngx_azora_statement_t  *statement;
    ngx_azora_op_t               *op;           /* read lane; NULL: gone */
} ngx_azora_pg_slot_t;


typedef enum {
    NGX_AZORA_PG_CLOSED = 0,
    NGX_AZORA_PG_CONNECTING,
    NGX_AZORA_PG_READY
} ngx_azora_pg_state_e;

/* Server-side names are never used twice within a connection. */

typedef struct {
    uint16_t                      ready;        /* or about to be */
    uint16_t                      number;
    char                          name[16];
} ngx_azora_pg_prepared_t;


struct ngx_azora_pg_conn_s {
    ngx_azora_pg_lane_t          *lane;
    ngx_uint_t                    index;        /* within the lane */
    ngx_azora_pg_state_e          state;
    PGconn                       *pg;
    ngx_connection_t             *connection;
    ngx_event_t                   timer;        /* of the state */
    ngx_uint_t                    attempts;     /* failed in a row */
    ngx_uint_t                    turn;         /* which host comes first */
    ngx_msec_t                    opened;       /* when this one began */

    ngx_azora_pg_prepared_t      *prepared;     /* per statement */
    ngx_uint_t                    nstatements;

    ngx_azora_pg_slot_t          *slots;        /* ring, a power of two */
    ngx_uint_t                    mask;
    ngx_uint_t                    head;
    ngx_uint_t                    tail;
    ngx_uint_t                    inflight;     /* queries, not messages */
    ngx_uint_t                    unsynced;     /* queries since a Sync */

    PGresult                     *error;        /* first of this Sync */
    PGresult                     *result;       /* waits for its Sync */
    const ngx_azora_statement_t  *current;      /* what was sent last */
    ngx_azora_op_t              **ops;          /* all lanes but read */
    ngx_uint_t                    nops;

    unsigned                      replica:1;    /* connected by replicas */
    unsigned                      fallback:1;   /* next one: the primary */
    unsigned                      overdue:1;    /* a deadline passed here */
    unsigned                      orphan:1;     /* an asker left */
    unsigned                      closing:1;    /* once it is idle */
    unsigned                      parked:1;     /* do not connect again */
    unsigned                      broken:1;     /* a send failed */
    unsigned                      proven:1;     /* has answered something */
    unsigned                      undone:1;     /* ended by the server before
                                                   the statement's result */
};


struct ngx_azora_pg_lane_s {
    ngx_azora_lane_e              lane;
    const char                   *name;
    ngx_uint_t                    queue_max;
    ngx_msec_t                    timeout;
    const ngx_azora_pg_target_t  *primary;
    const ngx_azora_pg_target_t  *replicas;

    ngx_queue_t                   waiting;
    ngx_uint_t                    nwaiting;
    ngx_queue_t                   live;

    ngx_event_t                   flush;        /* posted, once a turn */
    ngx_event_t                   timer;        /* the nearest deadline */
    ngx_msec_t                    nearest;

    ngx_event_t                   gather;       /* batch: its end */
    ngx_msec_t                    gather_ms;
    ngx_uint_t                    expected;     /* until so many wait */

    ngx_uint_t                    connected;
    ngx_uint_t                    nconns;
    ngx_azora_pg_conn_t          *conns;
    ngx_uint_t                    down;         /* failure was logged */
};


#define ngx_azora_pg_is_batch(l)     ((l)->lane == NGX_AZORA_LANE_BATCH)
#define ngx_azora_pg_is_read(l)      ((l)->lane == NGX_AZORA_LANE_READ)
#define ngx_azora_pg_used(conn)      ((conn)->tail - (conn)->head)


/* ngx_azora_pg_target.c */

/*
 * Begins a connection attempt that never blocks.  attempt rotates the hosts,
 * so that a silent one does not stop the way to the next.  PQfinish is the
 * caller's; NULL: out of memory.
 */
PGconn *ngx_azora_pg_start(const ngx_azora_pg_target_t *target,
    const char *application, ngx_msec_t statement_timeout,
    ngx_uint_t attempt);


/* ngx_azora_pg.c */

/* the operation's end: the handler is called and the operation freed */
void ngx_azora_pg_finish(ngx_azora_op_t *op, ngx_azora_op_status_e status);
/* the same, but from a posted event: safe in the middle of anything */
void ngx_azora_pg_finish_later(ngx_azora_op_t *op,
    ngx_azora_op_status_e status, const char *reason);


/* PostgreSQL is back: connections do not wait for their turn to try */
void ngx_azora_pg_recovered(void);


/* ngx_azora_pg_lane.c */

ngx_int_t ngx_azora_pg_lane_init(ngx_azora_pg_lane_t *lane,
    ngx_cycle_t *cycle, ngx_azora_lane_conf_t *conf, ngx_uint_t nstatements);
void ngx_azora_pg_lane_exit(ngx_azora_pg_lane_t *lane);
void ngx_azora_pg_lane_add(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op);
void ngx_azora_pg_lane_remove(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op);
/* sends what waits at the end of this event-loop turn */
void ngx_azora_pg_lane_wake(ngx_azora_pg_lane_t *lane);
/* puts a sent operation back in front: it had no effect */
void ngx_azora_pg_lane_again(ngx_azora_pg_lane_t *lane, ngx_azora_op_t *op);
/* nobody can serve what waits: answers all of it */
void ngx_azora_pg_lane_fail(ngx_azora_pg_lane_t *lane, const char *reason);


/* the operation is in flight on conn from now on (all lanes but read) */
void ngx_azora_pg_take(ngx_azora_pg_conn_t *conn, ngx_azora_op_t *op);


/* ngx_azora_pg_conn.c */

void ngx_azora_pg_conn_open(ngx_azora_pg_conn_t *conn);
void ngx_azora_pg_conn_free(ngx_azora_pg_conn_t *conn);
/* a closed connection that waits for its next attempt tries soon */
void ngx_azora_pg_conn_hurry(ngx_azora_pg_conn_t *conn);
/* reason NULL: libpq's */
void ngx_azora_pg_conn_lost(ngx_azora_pg_conn_t *conn, const char *reason);
/* closes an idle connection that is asked to close, or a leaving worker's */
void ngx_azora_pg_conn_idle(ngx_azora_pg_conn_t *conn);
/* a deadline passed in flight: the connection gets a little more time */
void ngx_azora_pg_conn_overdue(ngx_azora_pg_conn_t *conn);
/* an asker left while its statement runs */
void ngx_azora_pg_conn_orphan(ngx_azora_pg_conn_t *conn, ngx_msec_t deadline);
/* results come again */
void ngx_azora_pg_conn_alive(ngx_azora_pg_conn_t *conn);
void ngx_azora_pg_conn_event_handler(ngx_event_t *ev);


/* ngx_azora_pg_io.c */

/* waits for one kind of event; the reverse may follow a closed socket */
ngx_int_t ngx_azora_pg_conn_watch(ngx_azora_pg_conn_t *conn,
    ngx_uint_t writing);
void ngx_azora_pg_conn_unwatch(ngx_azora_pg_conn_t *conn);
/* queues one statement; NGX_ERROR: nothing was sent, conn is broken */
ngx_int_t ngx_azora_pg_conn_send(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *const *params,
    ngx_azora_op_t *op);
/* ends what was queued with a Sync and sends it all; NGX_ERROR: broken */
ngx_int_t ngx_azora_pg_conn_sync(ngx_azora_pg_conn_t *conn);
ngx_int_t ngx_azora_pg_conn_flush(ngx_azora_pg_conn_t *conn);
/* conn may be closed when it returns */
void ngx_azora_pg_conn_read(ngx_azora_pg_conn_t *conn);
void ngx_azora_pg_conn_log(ngx_azora_pg_conn_t *conn, ngx_uint_t level,
    const char *what, const char *reason);
void ngx_azora_pg_notice(void *data, const PGresult *res);


/* ngx_azora_pg_result.c */

/* takes all results that have arrived; NGX_ERROR: the connection is lost */
ngx_int_t ngx_azora_pg_results(ngx_azora_pg_conn_t *conn);
ngx_uint_t ngx_azora_pg_succeeded(const PGresult *res);
/* SQLSTATE, "00000" when there is none */
const char *ngx_azora_pg_state(const PGresult *res);
/* whether the statement must be prepared again; it will be */
ngx_uint_t ngx_azora_pg_stale(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state);
/* whether others were in the way, so that trying again may help */
ngx_uint_t ngx_azora_pg_conflict(const char *state);
/* what a failure means to the asker; logs it */
ngx_azora_op_status_e ngx_azora_pg_classify(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement, const char *state, PGresult *res);

#define ngx_azora_pg_class(state, class)                                      \
    ((state)[0] == (class)[0] && (state)[1] == (class)[1])


/* ngx_azora_pg_batch.c */

/* whether the next batch is big enough, or has waited long enough */
ngx_uint_t ngx_azora_pg_batch_gathered(ngx_azora_pg_lane_t *lane);
void ngx_azora_pg_batch_gather_handler(ngx_event_t *ev);
/* takes the next batch out of the queue, then sends it: NGX_ERROR as above */
void ngx_azora_pg_take_batch(ngx_azora_pg_conn_t *conn);
ngx_int_t ngx_azora_pg_send_arrays(ngx_azora_pg_conn_t *conn);
void ngx_azora_pg_batch_result(ngx_azora_pg_conn_t *conn,
    const ngx_azora_statement_t *statement);


/* ngx_azora_pg_array.c */

/* an array literal over the params[n] of ops, malloc'ed; NULL: ENOMEM */
char *ngx_azora_pg_array(ngx_azora_op_t **ops, ngx_uint_t nops,
    ngx_uint_t param);


#endif /* _NGX_AZORA_PG_H_INCLUDED_ */
