
/*
 * What the files of the Redis client share.
 */


#ifndef _NGX_AZORA_REDIS_H_INCLUDED_
#define _NGX_AZORA_REDIS_H_INCLUDED_


#include "ngx_azora_listen.h"

#include <hiredis/hiredis.h>
#include <hiredis/async.h>


typedef struct ngx_azora_redis_conn_s  ngx_azora_redis_conn_t;

typedef enum {
    NGX_AZORA_REDIS_CLOSED = 0,      /* the timer opens it */
    NGX_AZORA_REDIS_CONNECTING,      /* until the first answer; a deadline */
    NGX_AZORA_REDIS_READY,           /* the timer asks for a sign of life */
    NGX_AZORA_REDIS_ASKING           /* it was asked; a deadline */
} ngx_azora_redis_state_e;

struct ngx_azora_redis_conn_s {
    ngx_azora_redis_state_e       state;
    ngx_uint_t                    subscriber;   /* worker 0's for Pub/Sub */
    redisAsyncContext            *context;      /* freed by hiredis */
    ngx_connection_t             *connection;
    ngx_event_t                   timer;
    ngx_uint_t                    attempts;     /* failed in a row */
    ngx_uint_t                    address;      /* of the host's, in turn */
    ngx_uint_t                    tried;        /* addresses in vain so far */
    ngx_uint_t                    entered;      /* the breaker let it pass */
    ngx_uint_t                    down;         /* it was logged */
};


/* ngx_azora_redis_event.c: a hiredis context on NGINX's event loop */

/*
 * Begins a connection that never blocks.  NGX_ERROR: logged at info.  Its end,
 * whatever the reason, is told by ngx_azora_redis_gone().
 */
ngx_int_t ngx_azora_redis_connect(ngx_azora_redis_conn_t *conn,
    ngx_azora_redis_conf_t *conf);

/* Ends the connection, at the latest when hiredis returns. */
void ngx_azora_redis_free(ngx_azora_redis_conn_t *conn);


/* ngx_azora_redis.c */

/* hiredis frees the context; reason is valid during the call only */
void ngx_azora_redis_gone(ngx_azora_redis_conn_t *conn, const char *reason);
void ngx_azora_redis_failed(ngx_azora_redis_conn_t *conn, const char *reason);


#endif /* _NGX_AZORA_REDIS_H_INCLUDED_ */
