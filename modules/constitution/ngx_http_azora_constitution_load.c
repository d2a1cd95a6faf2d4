
/*
 * Loading: each worker asks for the enacted rules at its start and whenever
 * the generation "constitution" moves, builds the new set between requests and
 * swaps it in.  A set that cannot be built is refused with its reason in the
 * log, and the old one stays in force.
 */


#include "ngx_http_azora_constitution.h"


#define NGX_HTTP_AZORA_CONSTITUTION_TURN_NS    2000000ULL  /* of building */
#define NGX_HTTP_AZORA_CONSTITUTION_RETRY_MIN  250         /* ms */
#define NGX_HTTP_AZORA_CONSTITUTION_RETRY_MAX  8000
#define NGX_HTTP_AZORA_CONSTITUTION_CHECK      60000


typedef struct {
    ngx_http_azora_rules_t        *rules;       /* in force */
    ngx_http_azora_rules_t        *next;        /* being built */
    ngx_uint_t                     built;       /* rules of it */
    ngx_http_azora_matcher_t       matcher;
    ngx_azora_op_t                *op;
    ngx_event_t                    timer;       /* asks (again) */
    ngx_event_t                    turn;        /* goes on building */
    ngx_msec_t                     retry;
    unsigned                       running:1;
    unsigned                       moved:1;     /* while it was loading */
} ngx_http_azora_constitution_worker_t;


static void ngx_http_azora_constitution_moved(ngx_uint_t index,
    uint64_t value);
static void ngx_http_azora_constitution_load(ngx_event_t *ev);
static void ngx_http_azora_constitution_loaded(ngx_azora_op_t *op,
    void *data);
static void ngx_http_azora_constitution_build(ngx_event_t *ev);
static void ngx_http_azora_constitution_swap(void);
static void ngx_http_azora_constitution_refuse(u_char *reason);
static void ngx_http_azora_constitution_wait(void);
static void ngx_http_azora_constitution_again(void);
static ngx_int_t ngx_http_azora_constitution_ready(void);


static ngx_http_azora_constitution_worker_t  ngx_http_azora_constitution;

static const ngx_azora_statement_t          *ngx_http_azora_enacted_rules;
static ngx_uint_t                            ngx_http_azora_generation;
static ngx_uint_t                            ngx_http_azora_loads_ok;
static ngx_uint_t                            ngx_http_azora_loads_refused;
static ngx_uint_t                            ngx_http_azora_loads_failed;


ngx_int_t
ngx_http_azora_constitution_load_init(ngx_conf_t *cf)
{
    ngx_str_t            sql = ngx_string("SELECT court.enacted_rules()");
    static const char   *help = "Loads of the enacted rules, by result.";

    ngx_http_azora_enacted_rules = ngx_azora_statement(cf,
                                       NGX_AZORA_LANE_SLOW,
                                       "court.enacted_rules", &sql, 0);
    ngx_http_azora_generation = ngx_azora_generation_index(cf,
                                                           "constitution");
    ngx_http_azora_loads_ok = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                  "azora_constitution_loads_total",
                                  "result=\"ok\"", help);
    ngx_http_azora_loads_refused = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                  "azora_constitution_loads_total",
                                  "result=\"refused\"", help);
    ngx_http_azora_loads_failed = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                  "azora_constitution_loads_total",
                                  "result=\"failed\"", help);

    if (ngx_http_azora_enacted_rules == NULL
        || ngx_http_azora_generation == NGX_AZORA_NONE
        || ngx_http_azora_loads_ok == NGX_AZORA_NONE
        || ngx_http_azora_loads_refused == NGX_AZORA_NONE
        || ngx_http_azora_loads_failed == NGX_AZORA_NONE
        || ngx_azora_on_generation(cf, "constitution",
                                   ngx_http_azora_constitution_moved)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_ready_check(cf, "constitution",
                                 ngx_http_azora_constitution_ready);
}


ngx_int_t
ngx_http_azora_constitution_load_process(ngx_cycle_t *cycle)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;
    ngx_memzero(w, sizeof(ngx_http_azora_constitution_worker_t));

    if (ngx_http_azora_constitution_matcher_init(&w->matcher, cycle->log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_azora_event(&w->timer, ngx_http_azora_constitution_load, cycle->log);
    w->timer.cancelable = 1;

    ngx_azora_event(&w->turn, ngx_http_azora_constitution_build, cycle->log);

    w->retry = NGX_HTTP_AZORA_CONSTITUTION_RETRY_MIN;
    w->running = 1;

    ngx_add_timer(&w->timer, 1);

    return NGX_OK;
}


void
ngx_http_azora_constitution_load_exit(void)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    if (!w->running) {
        return;
    }

    w->running = 0;

    /* an operation in flight ended with the core, which exits first */
    w->op = NULL;

    if (w->timer.timer_set) {
        ngx_del_timer(&w->timer);
    }

    if (w->turn.posted) {
        ngx_delete_posted_event(&w->turn);
    }

    ngx_http_azora_constitution_rules_destroy(w->next);
    ngx_http_azora_constitution_rules_destroy(w->rules);
    w->next = NULL;
    w->rules = NULL;

    ngx_http_azora_constitution_matcher_done(&w->matcher);
}


const ngx_http_azora_rules_t *
ngx_http_azora_constitution_rules(void)
{
    return ngx_http_azora_constitution.rules;
}


ngx_http_azora_matcher_t *
ngx_http_azora_constitution_matcher(void)
{
    return &ngx_http_azora_constitution.matcher;
}


static ngx_int_t
ngx_http_azora_constitution_ready(void)
{
    return (!ngx_http_azora_constitution.running
            || ngx_http_azora_constitution.rules != NULL)
           ? NGX_OK : NGX_DECLINED;
}


static void
ngx_http_azora_constitution_moved(ngx_uint_t index, uint64_t value)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    if (!w->running) {
        return;
    }

    if (w->op != NULL || w->next != NULL) {
        w->moved = 1;
        return;
    }

    if (w->rules != NULL && w->rules->generation >= value) {
        return;
    }

    ngx_add_timer(&w->timer, 1);
}


static void
ngx_http_azora_constitution_load(ngx_event_t *ev)
{
    uint64_t                               current;
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    if (!w->running || ngx_exiting || w->op != NULL || w->next != NULL) {
        return;
    }

    current = ngx_azora_generation(ngx_http_azora_generation);

    if (w->rules != NULL && current != 0
        && w->rules->generation >= current)
    {
        w->moved = 0;
        ngx_http_azora_constitution_wait();
        return;
    }

    w->moved = 0;
    w->op = ngx_azora_query(ngx_http_azora_enacted_rules, NULL, 0,
                            ngx_http_azora_constitution_loaded, NULL);

    if (w->op == NULL) {
        ngx_http_azora_constitution_again();
    }
}


static void
ngx_http_azora_constitution_loaded(ngx_azora_op_t *op, void *data)
{
    u_char                                 reason[NGX_HTTP_AZORA_REASON_LEN];
    ngx_str_t                              value;
    ngx_uint_t                             level;
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;
    w->op = NULL;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK
        || ngx_azora_op_rows(op) != 1)
    {
        ngx_azora_metric_add(ngx_http_azora_loads_failed, 1);

        /* at a start the connections are still being made */
        level = (w->retry < NGX_HTTP_AZORA_CONSTITUTION_RETRY_MAX)
                ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, ngx_cycle->log, 0,
                      "constitution: the enacted rules cannot be read: "
                      "%s %s", ngx_azora_op_sqlstate(op),
                      ngx_azora_op_message(op));

        ngx_http_azora_constitution_again();
        return;
    }

    value = ngx_azora_op_value(op, 0, 0);

    w->next = ngx_http_azora_constitution_rules_parse(value.data, value.len,
                                                      ngx_cycle->log, reason);
    if (w->next == NULL) {
        ngx_http_azora_constitution_refuse(reason);
        return;
    }

    if (w->rules != NULL
        && w->rules->hash.len == w->next->hash.len
        && ngx_memcmp(w->rules->hash.data, w->next->hash.data,
                      w->next->hash.len)
           == 0)
    {
        w->rules->generation = w->next->generation;

        ngx_http_azora_constitution_rules_destroy(w->next);
        w->next = NULL;

        ngx_http_azora_constitution_wait();
        return;
    }

    w->built = 0;

    ngx_post_event(&w->turn, &ngx_posted_events);
}


static void
ngx_http_azora_constitution_build(ngx_event_t *ev)
{
    u_char                                 reason[NGX_HTTP_AZORA_REASON_LEN];
    uint64_t                               until;
    ngx_int_t                              rc;
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;
    until = ngx_azora_now_ns() + NGX_HTTP_AZORA_CONSTITUTION_TURN_NS;

    while (w->built < w->next->nrules) {

        if (ngx_azora_now_ns() > until) {
            ngx_post_event(&w->turn, &ngx_posted_next_events);
            return;
        }

        rc = ngx_http_azora_constitution_rules_compile(w->next, w->built,
                                                       &w->matcher, reason);
        if (rc != NGX_OK) {
            ngx_http_azora_constitution_refuse(reason);
            return;
        }

        w->built++;
    }

    rc = ngx_http_azora_constitution_rules_finish(w->next, &w->matcher,
                                                  reason);
    if (rc != NGX_OK) {
        ngx_http_azora_constitution_refuse(reason);
        return;
    }

    ngx_http_azora_constitution_swap();
}


static void
ngx_http_azora_constitution_swap(void)
{
    ngx_uint_t                             i;
    ngx_http_azora_rules_t                *old;
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    /* an evaluation never waits, so nobody is using the old set */
    old = w->rules;
    w->rules = w->next;
    w->next = NULL;

    ngx_http_azora_constitution_rules_destroy(old);

    ngx_azora_metric_add(ngx_http_azora_loads_ok, 1);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "constitution: %ui rules in force, hash %V",
                  w->rules->nrules, &w->rules->hash);

    for (i = 0; i < w->rules->nrules; i++) {
        if (w->rules->rules[i].effect == NGX_HTTP_AZORA_REVIEW) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "constitution: rule \"%V\" asks for a review; there "
                          "is no queue for it yet, so it only flags",
                          &w->rules->rules[i].id);
        }
    }

    ngx_http_azora_constitution_wait();
}


static void
ngx_http_azora_constitution_refuse(u_char *reason)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    ngx_http_azora_constitution_rules_destroy(w->next);
    w->next = NULL;

    ngx_azora_metric_add(ngx_http_azora_loads_refused, 1);

    ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                  "constitution: the enacted rules are refused: %s; %s",
                  reason, w->rules ? "those before stay in force"
                                   : "there are none in force");

    if (w->rules != NULL) {
        /* only a change can cure it, and a change moves the generation */
        ngx_http_azora_constitution_wait();
        return;
    }

    w->retry = NGX_HTTP_AZORA_CONSTITUTION_RETRY_MAX;
    ngx_http_azora_constitution_again();
}


/* Until the generation moves, or a look is due because nobody listens. */

static void
ngx_http_azora_constitution_wait(void)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    if (ngx_exiting) {
        return;
    }

    w->retry = NGX_HTTP_AZORA_CONSTITUTION_RETRY_MIN;

    ngx_add_timer(&w->timer,
                  w->moved ? 1 : NGX_HTTP_AZORA_CONSTITUTION_CHECK);
}


/* Nothing could be asked. */

static void
ngx_http_azora_constitution_again(void)
{
    ngx_http_azora_constitution_worker_t  *w;

    w = &ngx_http_azora_constitution;

    if (ngx_exiting) {
        return;
    }

    if (w->moved) {
        ngx_add_timer(&w->timer, 1);
        return;
    }

    /* with jitter, or all workers would ask at the same moments */
    ngx_add_timer(&w->timer, w->retry + ngx_random() % (w->retry / 2));

    w->retry = ngx_min(w->retry * 2, NGX_HTTP_AZORA_CONSTITUTION_RETRY_MAX);
}
