
/*
 * What the generations, the listener and Redis share.
 */


#ifndef _NGX_AZORA_LISTEN_H_INCLUDED_
#define _NGX_AZORA_LISTEN_H_INCLUDED_


#include "ngx_azora_private.h"


/*
 * How long generations count as true after PostgreSQL last confirmed them,
 * and how often it is asked to.  A lease instead of a flag, because a worker
 * that is killed cannot clear a flag.
 */
#define NGX_AZORA_LISTEN_LEASE_MS   2500
#define NGX_AZORA_LISTEN_CHECK_MS   1000

/* a NAMEDATALEN of PostgreSQL and the digits of a bigint */
#define NGX_AZORA_HINT_MAX          (64 + 1 + NGX_INT64_LEN)


/* ngx_azora_listen.c */

/*
 * Stores what PostgreSQL said.  Its word is final: a value may also fall,
 * when a backup was restored.  Returns the value before, 0 when there was
 * none; unknown names are passed over as if nothing had moved.
 */
uint64_t ngx_azora_generation_store(const ngx_str_t *name, uint64_t value);

/* What another node heard, of use only while nobody listens here. */
void ngx_azora_generation_hint(const ngx_str_t *name, uint64_t value);

/* "name value"; NGX_DECLINED: something else */
ngx_int_t ngx_azora_generation_parse(u_char *data, size_t len,
    ngx_str_t *name, uint64_t *value);

/* looks for what moved and calls those who watch it; any worker */
void ngx_azora_generation_look(void);

/* ngx_azora_wake.c: lets all workers of this cycle look, without waiting */
void ngx_azora_wake_all(void);
ngx_int_t ngx_azora_wake_init_process(ngx_cycle_t *cycle);
void ngx_azora_wake_exit_process(void);

/* worker 0: generations are true from now on, or no longer */
void ngx_azora_generation_confirm(void);
void ngx_azora_generation_withdraw(void);

/* ngx_azora_listener.c: worker 0's connection */
void ngx_azora_listener_start(ngx_cycle_t *cycle);
void ngx_azora_listener_stop(void);

/* ngx_azora_redis.c: tells the other nodes, if there is Redis */
void ngx_azora_redis_publish(const ngx_str_t *name, uint64_t value);


#endif /* _NGX_AZORA_LISTEN_H_INCLUDED_ */
