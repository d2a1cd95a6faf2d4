
/*
 * Redis joins the nodes and is never the only place where a fact lives.
 *
 * Every worker keeps one connection for commands and asks it for a sign of
 * life; worker 0 keeps one more for Pub/Sub, on which nodes tell each other
 * of generations.  When Redis is away nothing else fails.
 */


#include "ngx_azora_redis.h"


#define NGX_AZORA_REDIS_CHANNEL       "azora:generation"

#define NGX_AZORA_REDIS_CHECK_MS      2000
#define NGX_AZORA_REDIS_ANSWER_MS     1000
#define NGX_AZORA_REDIS_BACKOFF_MIN   100
#define NGX_AZORA_REDIS_BACKOFF_MAX   5000
#define NGX_AZORA_REDIS_DOUBLINGS     6

/* bytes waiting to be sent to a Redis that does not read */
#define NGX_AZORA_REDIS_BACKLOG_MAX   65536
#define NGX_AZORA_REDIS_COMMANDS_MAX  262144

#define NGX_AZORA_REDIS_ARGS_MAX      1032


typedef struct {
    ngx_azora_redis_pt            handler;
    void                         *data;
} ngx_azora_redis_call_t;


static void ngx_azora_redis_start(ngx_cycle_t *cycle,
    ngx_azora_redis_conn_t *conn);
static void ngx_azora_redis_timer_handler(ngx_event_t *ev);
static void ngx_azora_redis_open(ngx_azora_redis_conn_t *conn);
static ngx_int_t ngx_azora_redis_ask(ngx_azora_redis_conn_t *conn);
static void ngx_azora_redis_auth_handler(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_azora_redis_ping_handler(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_azora_redis_message_handler(redisAsyncContext *ac,
    void *reply, void *data);
static void ngx_azora_redis_call_handler(redisAsyncContext *ac, void *reply,
    void *data);
static void ngx_azora_redis_alive(ngx_azora_redis_conn_t *conn);
static void ngx_azora_redis_later(ngx_azora_redis_conn_t *conn);


static ngx_azora_redis_conn_t  ngx_azora_redis_commands;
static ngx_azora_redis_conn_t  ngx_azora_redis_messages;
static ngx_uint_t              ngx_azora_redis_stopped;


ngx_int_t
ngx_azora_redis_init_process(ngx_cycle_t *cycle)
{
    if (ngx_azora_main_conf->redis.address.len == 0) {
        return NGX_OK;
    }

    ngx_azora_redis_start(cycle, &ngx_azora_redis_commands);

    if (ngx_worker == 0) {
        ngx_azora_redis_messages.subscriber = 1;
        ngx_azora_redis_start(cycle, &ngx_azora_redis_messages);
    }

    return NGX_OK;
}


void
ngx_azora_redis_exit_process(ngx_cycle_t *cycle)
{
    ngx_azora_redis_stopped = 1;

    ngx_azora_redis_free(&ngx_azora_redis_commands);
    ngx_azora_redis_free(&ngx_azora_redis_messages);
}


/* Whether this worker could use Redis now. */

ngx_uint_t
ngx_azora_redis_connected(void)
{
    return ngx_azora_redis_commands.state == NGX_AZORA_REDIS_READY
           || ngx_azora_redis_commands.state == NGX_AZORA_REDIS_ASKING;
}


void
ngx_azora_redis_publish(const ngx_str_t *name, uint64_t value)
{
    size_t              len;
    redisAsyncContext  *ac;
    u_char              text[NGX_AZORA_HINT_MAX];

    ac = ngx_azora_redis_commands.context;

    if (!ngx_azora_redis_connected() || ac == NULL
        || name->len > NGX_AZORA_HINT_MAX - 1 - NGX_INT64_LEN
        || sdslen(ac->c.obuf) > NGX_AZORA_REDIS_BACKLOG_MAX)
    {
        return;
    }

    len = ngx_sprintf(text, "%V %uL", name, value) - text;

    (void) redisAsyncCommand(ac, NULL, NULL,
                             "PUBLISH " NGX_AZORA_REDIS_CHANNEL " %b", text,
                             len);
}


ngx_uint_t
ngx_azora_redis_usable(void)
{
    redisAsyncContext  *ac;

    ac = ngx_azora_redis_commands.context;

    return ac != NULL && ngx_azora_redis_connected()
           && sdslen(ac->c.obuf) <= NGX_AZORA_REDIS_COMMANDS_MAX;
}


ngx_int_t
ngx_azora_redis_command(const ngx_str_t *args, ngx_uint_t nargs,
    ngx_azora_redis_pt handler, void *data)
{
    ngx_uint_t               i;
    ngx_azora_redis_call_t  *call;

    static size_t       lengths[NGX_AZORA_REDIS_ARGS_MAX];
    static const char  *values[NGX_AZORA_REDIS_ARGS_MAX];

    if (nargs > NGX_AZORA_REDIS_ARGS_MAX || !ngx_azora_redis_usable()) {
        return NGX_DECLINED;
    }

    call = ngx_alloc(sizeof(ngx_azora_redis_call_t), ngx_cycle->log);
    if (call == NULL) {
        return NGX_DECLINED;
    }

    call->handler = handler;
    call->data = data;

    for (i = 0; i < nargs; i++) {
        values[i] = (const char *) args[i].data;
        lengths[i] = args[i].len;
    }

    if (redisAsyncCommandArgv(ngx_azora_redis_commands.context,
                              ngx_azora_redis_call_handler, call, nargs,
                              values, lengths)
        != REDIS_OK)
    {
        ngx_free(call);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static void
ngx_azora_redis_call_handler(redisAsyncContext *ac, void *reply, void *data)
{
    ngx_azora_redis_call_t  call;

    call = *(ngx_azora_redis_call_t *) data;
    ngx_free(data);

    call.handler(reply, call.data);
}


static void
ngx_azora_redis_start(ngx_cycle_t *cycle, ngx_azora_redis_conn_t *conn)
{
    ngx_azora_event(&conn->timer, ngx_azora_redis_timer_handler, cycle->log);
    conn->timer.cancelable = 1;

    ngx_add_timer(&conn->timer, 1);
}


static void
ngx_azora_redis_timer_handler(ngx_event_t *ev)
{
    ngx_azora_redis_conn_t  *conn;

    conn = (ngx_azora_redis_conn_t *)
               ((u_char *) ev - offsetof(ngx_azora_redis_conn_t, timer));

    switch (conn->state) {

    case NGX_AZORA_REDIS_CLOSED:
        ngx_azora_redis_open(conn);
        break;

    case NGX_AZORA_REDIS_READY:
        if (ngx_azora_redis_ask(conn) == NGX_OK) {
            conn->state = NGX_AZORA_REDIS_ASKING;
            ngx_add_timer(&conn->timer, NGX_AZORA_REDIS_ANSWER_MS);
        }

        break;

    default:
        ngx_azora_redis_failed(conn, "no answer in time");
        ngx_azora_redis_free(conn);
    }
}


static void
ngx_azora_redis_open(ngx_azora_redis_conn_t *conn)
{
    redisAsyncContext       *ac;
    ngx_azora_redis_conf_t  *conf;

    conf = &ngx_azora_main_conf->redis;

    if (ngx_exiting) {
        return;
    }

    if (!conn->entered
        && ngx_azora_breaker_enter(NGX_AZORA_DEPENDENCY_REDIS) != NGX_OK)
    {
        ngx_add_timer(&conn->timer, NGX_AZORA_REDIS_BACKOFF_MIN);
        return;
    }

    conn->entered = 1;

    conn->state = NGX_AZORA_REDIS_CONNECTING;

    if (ngx_azora_redis_connect(conn, conf) != NGX_OK) {
        ngx_azora_redis_later(conn);
        return;
    }

    ngx_add_timer(&conn->timer, NGX_AZORA_REDIS_ANSWER_MS);

    /* hiredis keeps commands until it is connected, in this order */

    ac = conn->context;

    if (conf->password.len
        && redisAsyncCommand(ac, ngx_azora_redis_auth_handler, conn,
                             "AUTH %b", conf->password.data,
                             conf->password.len)
           != REDIS_OK)
    {
        ngx_azora_redis_failed(conn, "AUTH cannot be sent");
        ngx_azora_redis_free(conn);
        return;
    }

    (void) ngx_azora_redis_ask(conn);
}


/*
 * Asks for a sign of life; NGX_ERROR: the connection was given up.  In Pub/Sub
 * that is to subscribe once more, since hiredis before 1.0 keeps the callback
 * of a PING for ever there.
 */

static ngx_int_t
ngx_azora_redis_ask(ngx_azora_redis_conn_t *conn)
{
    int  rc;

    if (conn->subscriber) {
        rc = redisAsyncCommand(conn->context, ngx_azora_redis_message_handler,
                               conn, "SUBSCRIBE " NGX_AZORA_REDIS_CHANNEL);

    } else {
        rc = redisAsyncCommand(conn->context, ngx_azora_redis_ping_handler,
                               conn, "PING");
    }

    if (rc == REDIS_OK) {
        return NGX_OK;
    }

    ngx_azora_redis_failed(conn, "a command cannot be sent");
    ngx_azora_redis_free(conn);

    return NGX_ERROR;
}


static void
ngx_azora_redis_auth_handler(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply *answer = reply;

    if (answer && answer->type == REDIS_REPLY_ERROR) {
        ngx_azora_redis_failed(data, answer->str);
        redisAsyncFree(ac);
    }
}


static void
ngx_azora_redis_ping_handler(redisAsyncContext *ac, void *reply, void *data)
{
    redisReply *answer = reply;

    if (answer == NULL) {
        /* the connection is gone, which its end tells */
        return;
    }

    if (answer->type == REDIS_REPLY_STATUS) {
        ngx_azora_redis_alive(data);
        return;
    }

    /* NOAUTH, LOADING, MASTERDOWN: it lives but cannot be used */

    ngx_azora_redis_failed(data, answer->type == REDIS_REPLY_ERROR
                                 ? answer->str : "no PONG to a PING");
    redisAsyncFree(ac);
}


static void
ngx_azora_redis_message_handler(redisAsyncContext *ac, void *reply,
    void *data)
{
    uint64_t     value;
    ngx_str_t    name;
    redisReply  *answer = reply, *text;

    if (answer == NULL) {
        return;
    }

    if (answer->type == REDIS_REPLY_ERROR) {
        ngx_azora_redis_failed(data, answer->str);
        redisAsyncFree(ac);
        return;
    }

    if (answer->elements != 3 || answer->element[0]->str == NULL) {
        return;
    }

    if (ngx_strcasecmp((u_char *) answer->element[0]->str,
                       (u_char *) "subscribe")
        == 0)
    {
        ngx_azora_redis_alive(data);
        return;
    }

    text = answer->element[2];

    if (text->type == REDIS_REPLY_STRING
        && ngx_azora_generation_parse((u_char *) text->str, text->len, &name,
                                      &value)
           == NGX_OK)
    {
        ngx_azora_generation_hint(&name, value);
    }
}


static void
ngx_azora_redis_alive(ngx_azora_redis_conn_t *conn)
{
    if (conn->down) {
        ngx_log_error(NGX_LOG_NOTICE, conn->timer.log, 0,
                      "azora: Redis answers again");
    }

    conn->down = 0;
    conn->attempts = 0;
    conn->tried = 0;
    conn->entered = 0;
    conn->state = NGX_AZORA_REDIS_READY;

    ngx_azora_breaker_report(NGX_AZORA_DEPENDENCY_REDIS, 1);

    ngx_add_timer(&conn->timer, NGX_AZORA_REDIS_CHECK_MS);
}


/*
 * Logs and counts why a connection is about to end.  Where the host has
 * several addresses it has failed when all of them have.
 */

void
ngx_azora_redis_failed(ngx_azora_redis_conn_t *conn, const char *reason)
{
    ngx_uint_t  level;

    level = conn->down ? NGX_LOG_INFO : NGX_LOG_WARN;

    if (conn->state == NGX_AZORA_REDIS_CONNECTING) {
        conn->address++;
        conn->tried++;
    }

    if (conn->state == NGX_AZORA_REDIS_CONNECTING
        && conn->tried < ngx_azora_main_conf->redis.hosts.nelts)
    {
        level = NGX_LOG_INFO;

    } else {
        conn->down = 1;
        conn->tried = 0;
        conn->entered = 0;
        conn->attempts++;

        ngx_azora_breaker_report(NGX_AZORA_DEPENDENCY_REDIS, 0);
    }

    conn->state = NGX_AZORA_REDIS_CLOSED;

    ngx_log_error(level, conn->timer.log, 0, "azora: Redis: %s", reason);
}


void
ngx_azora_redis_gone(ngx_azora_redis_conn_t *conn, const char *reason)
{
    if (conn->state != NGX_AZORA_REDIS_CLOSED && !ngx_exiting
        && !ngx_azora_redis_stopped)
    {
        ngx_azora_redis_failed(conn, reason);
    }

    conn->state = NGX_AZORA_REDIS_CLOSED;

    ngx_azora_redis_later(conn);
}


static void
ngx_azora_redis_later(ngx_azora_redis_conn_t *conn)
{
    ngx_msec_t  delay;

    if (ngx_exiting || ngx_azora_redis_stopped) {
        return;
    }

    delay = (ngx_msec_t) NGX_AZORA_REDIS_BACKOFF_MIN
            << ngx_min(conn->attempts, NGX_AZORA_REDIS_DOUBLINGS);
    delay = ngx_min(delay, NGX_AZORA_REDIS_BACKOFF_MAX);

    ngx_add_timer(&conn->timer, delay / 2 + ngx_random() % (delay / 2));
}
