
/*
 * A part of ngx_azora.h: commands to Redis, which travel on the connection that
 * each worker keeps and are answered in their order; and circuit breakers of
 * whatever a module depends on.
 */


#ifndef _NGX_AZORA_COMMAND_H_INCLUDED_
#define _NGX_AZORA_COMMAND_H_INCLUDED_


/* hiredis' redisReply: <hiredis/hiredis.h> tells what is in it */
typedef struct redisReply  ngx_azora_redis_reply_t;

/* reply NULL: the connection is gone; it is freed when the handler returns */
typedef void (*ngx_azora_redis_pt)(ngx_azora_redis_reply_t *reply,
    void *data);

/* Whether a command could be sent now. */
ngx_uint_t ngx_azora_redis_usable(void);

/*
 * Queues a command; what is queued in one turn of the event loop leaves in
 * one write.  handler is called exactly once, from the event loop, and must
 * not block: there is no deadline but that a silent Redis loses its connection
 * within seconds.  NGX_DECLINED: not connected, or too much waits to be sent.
 */
ngx_int_t ngx_azora_redis_command(const ngx_str_t *args, ngx_uint_t nargs,
    ngx_azora_redis_pt handler, void *data);


/*
 * A breaker that the workers of the node share, also across reloads; name is
 * its label in metrics.  Configuration time.  It opens after so many failures
 * in a row (0: 5).  NGX_AZORA_NONE: too many, or out of memory; logged.
 */
ngx_uint_t ngx_azora_breaker(ngx_conf_t *cf, const char *name,
    ngx_uint_t failures);

/*
 * Whether the dependency may be used now.  NGX_OK: yes, and how that ended has
 * to be reported; NGX_BUSY: it is open, answer at once.  While it is open one
 * caller at a time gets NGX_OK, as a probe.
 */
ngx_int_t ngx_azora_breaker_enter(ngx_uint_t breaker);
void ngx_azora_breaker_report(ngx_uint_t breaker, ngx_uint_t success);

/* 0: closed, 1: open, 2: half-open */
ngx_uint_t ngx_azora_breaker_state(ngx_uint_t breaker);

/* seconds until it makes sense to try again, 1.. */
ngx_uint_t ngx_azora_breaker_retry_after(ngx_uint_t breaker);


#endif /* _NGX_AZORA_COMMAND_H_INCLUDED_ */
