
/*
 * A part of ngx_azora.h: commands to Redis.  They travel on the connection
 * that each worker keeps, and are answered in their order.
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


#endif /* _NGX_AZORA_COMMAND_H_INCLUDED_ */
