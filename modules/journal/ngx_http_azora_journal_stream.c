
/*
 * Events in a Redis Stream, for programs that read them there.  PostgreSQL is
 * the truth and the stream a copy of its end: an entry's id is the event's
 * number, so Redis itself refuses what it has already, and what it lacks, also
 * when it lost everything, is read again from PostgreSQL.
 *
 *   IDLE    the log moves, or a tick comes            -> ASKING
 *   ASKING  is this node the one that feeds, and what
 *           is the last that the stream has?          -> IDLE | READING
 *   READING the next events out of PostgreSQL         -> IDLE | ADDING
 *   ADDING  each is acknowledged                      -> IDLE | READING
 *
 * Any failure leads to IDLE, where nothing is remembered but the log's size.
 */


#include "ngx_http_azora_journal_events.h"

#include <hiredis/hiredis.h>


#define NGX_HTTP_AZORA_JOURNAL_STREAM        "azora:events"
#define NGX_HTTP_AZORA_JOURNAL_STREAM_MAX    10000
#define NGX_HTTP_AZORA_JOURNAL_STREAM_BATCH  256
#define NGX_HTTP_AZORA_JOURNAL_STREAM_TICK   500     /* ms */


typedef enum {
    NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE = 0,
    NGX_HTTP_AZORA_JOURNAL_STREAM_ASKING,
    NGX_HTTP_AZORA_JOURNAL_STREAM_READING,
    NGX_HTTP_AZORA_JOURNAL_STREAM_ADDING
} ngx_http_azora_journal_stream_state_e;


typedef struct {
    ngx_http_azora_journal_stream_state_e  state;
    uint64_t                               size;       /* of the log */
    uint64_t                               next;       /* to be added */
    uint64_t                               added;      /* of this batch */
    ngx_uint_t                             waiting;    /* acknowledgements */
    ngx_uint_t                             failed;
    ngx_uint_t                             warned;     /* since it worked */
    ngx_event_t                            timer;
    u_char                                 node[32];
} ngx_http_azora_journal_stream_t;


static void ngx_http_azora_journal_stream_moved(ngx_uint_t index,
    uint64_t size);
static void ngx_http_azora_journal_stream_tick(ngx_event_t *ev);
static void ngx_http_azora_journal_stream_ask(void);
static void ngx_http_azora_journal_stream_told(ngx_azora_redis_reply_t *reply,
    void *data);
static void ngx_http_azora_journal_stream_warn(
    ngx_azora_redis_reply_t *reply);
static void ngx_http_azora_journal_stream_read(void);
static void ngx_http_azora_journal_stream_fetched(ngx_azora_op_t *op,
    void *data);
static ngx_int_t ngx_http_azora_journal_stream_add(ngx_azora_op_t *op,
    ngx_uint_t row);
static void ngx_http_azora_journal_stream_acknowledged(
    ngx_azora_redis_reply_t *reply, void *data);


static ngx_http_azora_journal_stream_t  ngx_http_azora_journal_stream;


/*
 * One node at a time feeds: whoever asks while no other did so for 2 seconds.
 * No harm when two do, but twice the work.  The answer is the stream's last
 * id, empty for none; nil: another feeds.
 */

static const ngx_str_t  ngx_http_azora_journal_stream_script = ngx_string(
    "local f = redis.call('GET', KEYS[2]) "
    "if f and f ~= ARGV[1] then return false end "
    "redis.call('SET', KEYS[2], ARGV[1], 'PX', 2000) "
    "local l = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1) "
    "return l[1] and l[1][1] or ''");


/* azora_events_stream KEY|off [maxlen=N]; */

char *
ngx_http_azora_journal_stream_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *data)
{
    ngx_http_azora_journal_conf_t *conf = data;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (conf->stream.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;
    conf->stream = value[1];

    if (ngx_strcmp(value[1].data, "off") == 0) {
        conf->stream.len = 0;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    n = NGX_ERROR;

    if (ngx_strncmp(value[2].data, "maxlen=", 7) == 0) {
        n = ngx_atoi(value[2].data + 7, value[2].len - 7);
    }

    if (n < 1 || n > 100000000) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"azora_events_stream\" "
                           "takes maxlen= from 1 to 100000000", &value[2]);
        return NGX_CONF_ERROR;
    }

    conf->stream_max = n;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_azora_journal_stream_init(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    conf->stream_metric = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                           "nexus_stream_added_total", NULL,
                                           "Events this node has added to "
                                           "the Redis Stream.");

    if (conf->stream_metric == NGX_AZORA_NONE) {
        return NGX_ERROR;
    }

    return ngx_azora_on_generation(cf, "chronicle",
                                   ngx_http_azora_journal_stream_moved);
}


void
ngx_http_azora_journal_stream_defaults(ngx_http_azora_journal_conf_t *conf)
{
    if (conf->stream.data == NULL) {
        ngx_str_set(&conf->stream, NGX_HTTP_AZORA_JOURNAL_STREAM);
    }

    if (conf->stream_max == 0) {
        conf->stream_max = NGX_HTTP_AZORA_JOURNAL_STREAM_MAX;
    }
}


/* Worker 0 */

void
ngx_http_azora_journal_stream_init_process(ngx_cycle_t *cycle)
{
    u_char                           *p;
    ngx_uint_t                        i;
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;

    if (ngx_http_azora_journal_conf->stream.len == 0) {
        return;
    }

    for (i = 0, p = s->node; i < 4; i++) {
        p = ngx_sprintf(p, "%08xD", (uint32_t) ngx_random());
    }

    ngx_azora_event(&s->timer, ngx_http_azora_journal_stream_tick, cycle->log);
    s->timer.cancelable = 1;

    ngx_add_timer(&s->timer, NGX_HTTP_AZORA_JOURNAL_STREAM_TICK);
}


static void
ngx_http_azora_journal_stream_moved(ngx_uint_t index, uint64_t size)
{
    ngx_http_azora_journal_stream.size = size;

    if (ngx_http_azora_journal_stream.timer.handler != NULL) {
        ngx_http_azora_journal_stream_ask();
    }
}


/* Also while nothing happens: Redis may have lost what it had. */

static void
ngx_http_azora_journal_stream_tick(ngx_event_t *ev)
{
    uint64_t  size;

    if (ngx_exiting) {
        return;
    }

    size = ngx_azora_generation(ngx_http_azora_journal_conf->chronicle);

    if (size != 0) {
        ngx_http_azora_journal_stream.size = size;
    }

    ngx_http_azora_journal_stream_ask();

    ngx_add_timer(ev, NGX_HTTP_AZORA_JOURNAL_STREAM_TICK);
}


static void
ngx_http_azora_journal_stream_ask(void)
{
    u_char                            feeder[256];
    ngx_str_t                         args[6];
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;

    if (s->state != NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE || s->size == 0
        || ngx_exiting)
    {
        return;
    }

    ngx_str_set(&args[0], "EVAL");
    args[1] = ngx_http_azora_journal_stream_script;
    ngx_str_set(&args[2], "2");
    args[3] = ngx_http_azora_journal_conf->stream;
    args[4].data = feeder;
    args[4].len = ngx_snprintf(feeder, sizeof(feeder), "%V:feeder", &args[3])
                  - feeder;
    args[5].data = s->node;
    args[5].len = sizeof(s->node);

    if (ngx_azora_redis_command(args, 6, ngx_http_azora_journal_stream_told,
                                NULL)
        == NGX_OK)
    {
        s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_ASKING;
    }
}


static void
ngx_http_azora_journal_stream_told(ngx_azora_redis_reply_t *reply, void *data)
{
    u_char                           *dash;
    uint64_t                          max;
    ngx_int_t                         last;
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;
    s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE;

    if (reply == NULL || reply->type == REDIS_REPLY_NIL || ngx_exiting) {
        return;
    }

    if (reply->type != REDIS_REPLY_STRING) {
        ngx_http_azora_journal_stream_warn(reply);
        return;
    }

    s->next = 0;
    max = ngx_http_azora_journal_conf->stream_max;

    if (reply->len) {
        dash = ngx_strlchr((u_char *) reply->str,
                           (u_char *) reply->str + reply->len, '-');
        last = dash ? ngx_atoi((u_char *) reply->str,
                               dash - (u_char *) reply->str)
                    : NGX_ERROR;

        /* not one of ours, or behind a log that was restored */

        if (last == NGX_ERROR) {
            return;
        }

        s->next = last + 1;
    }

    if (s->size > max && s->next < s->size - max) {
        /* more than it keeps */
        s->next = s->size - max;
    }

    ngx_http_azora_journal_stream_read();
}


static void
ngx_http_azora_journal_stream_warn(ngx_azora_redis_reply_t *reply)
{
    if (!ngx_http_azora_journal_stream.warned) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "journal: Redis does not take events: %s",
                      reply->type == REDIS_REPLY_ERROR ? reply->str
                                                       : "an odd answer");
    }

    ngx_http_azora_journal_stream.warned = 1;
}


static void
ngx_http_azora_journal_stream_read(void)
{
    u_char                            first[NGX_INT64_LEN];
    u_char                            batch[NGX_INT_T_LEN];
    ngx_str_t                         params[3];
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;

    if (s->next >= s->size || ngx_exiting) {
        s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE;
        return;
    }

    params[0] = ngx_http_azora_journal_conf->source;
    params[1].data = first;
    params[1].len = ngx_sprintf(first, "%uL", s->next) - first;
    params[2].data = batch;
    params[2].len = ngx_sprintf(batch, "%d",
                                NGX_HTTP_AZORA_JOURNAL_STREAM_BATCH)
                    - batch;

    s->state = (ngx_azora_query(ngx_http_azora_journal_conf->events, params,
                                0, ngx_http_azora_journal_stream_fetched,
                                NULL)
                == NULL)
               ? NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE
               : NGX_HTTP_AZORA_JOURNAL_STREAM_READING;
}


static void
ngx_http_azora_journal_stream_fetched(ngx_azora_op_t *op, void *data)
{
    ngx_uint_t                        i, n;
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;
    s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE;
    s->waiting = 0;
    s->failed = 0;
    s->added = 0;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK || ngx_exiting) {
        return;
    }

    n = ngx_azora_op_rows(op);

    for (i = 0; i < n; i++) {

        /* too much waits to be sent: the rest comes with the next look */

        if (ngx_http_azora_journal_stream_add(op, i) != NGX_OK) {
            break;
        }

        s->waiting++;
    }

    if (s->waiting) {
        s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_ADDING;
    }
}


/*
 * An id of 0-0 is none in Redis, so the first event ever is 0-1; it still
 * stands before 1-0.
 */

static ngx_int_t
ngx_http_azora_journal_stream_add(ngx_azora_op_t *op, ngx_uint_t row)
{
    u_char                           max[NGX_INT_T_LEN];
    u_char                           id[NGX_INT64_LEN + 2];
    ngx_str_t                        seq, args[10];
    ngx_http_azora_journal_conf_t   *conf;

    conf = ngx_http_azora_journal_conf;
    seq = ngx_azora_op_value(op, row, 0);

    ngx_str_set(&args[0], "XADD");
    args[1] = conf->stream;
    ngx_str_set(&args[2], "MAXLEN");
    ngx_str_set(&args[3], "~");
    args[4].data = max;
    args[4].len = ngx_sprintf(max, "%ui", conf->stream_max) - max;
    args[5].data = id;
    args[5].len = ngx_sprintf(id, "%V-%d", &seq,
                              seq.len == 1 && seq.data[0] == '0')
                  - id;
    ngx_str_set(&args[6], "type");
    args[7] = ngx_azora_op_value(op, row, 1);
    ngx_str_set(&args[8], "event");
    args[9] = ngx_azora_op_value(op, row, 3);

    if (args[9].data == NULL) {
        ngx_str_set(&args[8], "gap");
        ngx_str_set(&args[9], "erased");
    }

    return ngx_azora_redis_command(args, 10,
                                   ngx_http_azora_journal_stream_acknowledged,
                                   NULL);
}


/* Redis refuses what it has, which is as good as having it added. */

static void
ngx_http_azora_journal_stream_acknowledged(ngx_azora_redis_reply_t *reply,
    void *data)
{
    ngx_http_azora_journal_stream_t  *s;

    s = &ngx_http_azora_journal_stream;

    if (reply == NULL) {
        s->failed = 1;

    } else if (reply->type == REDIS_REPLY_ERROR) {

        if (ngx_strstr(reply->str, "equal or smaller") == NULL) {
            ngx_http_azora_journal_stream_warn(reply);
            s->failed = 1;
        }

    } else {
        s->added++;
        s->warned = 0;
    }

    if (--s->waiting != 0) {
        return;
    }

    s->state = NGX_HTTP_AZORA_JOURNAL_STREAM_IDLE;

    if (s->added) {
        ngx_azora_metric_add(ngx_http_azora_journal_conf->stream_metric,
                             s->added);
    }

    if (s->failed) {
        /* the tick asks again, not at once */
        s->failed = 0;
        return;
    }

    ngx_http_azora_journal_stream_ask();
}
