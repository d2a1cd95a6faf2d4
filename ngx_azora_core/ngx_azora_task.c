
/*
 * Tasks: SQL functions that worker 0 calls on the slow lane, when it starts,
 * at an interval, and when a generation moves.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_TASK_START_MS     100

#define NGX_AZORA_TASK_RETRY_MIN    1000
#define NGX_AZORA_TASK_RETRY_MAX    60000
#define NGX_AZORA_TASK_DOUBLINGS    6


struct ngx_azora_task_run_s {
    const ngx_azora_task_t       *task;
    const ngx_azora_statement_t  *statement;
    ngx_uint_t                    generation;   /* or NGX_AZORA_NONE */
    ngx_uint_t                    runs;         /* metrics */
    ngx_uint_t                    failures;

    ngx_azora_op_t               *op;           /* under way */
    ngx_event_t                   timer;
    ngx_uint_t                    failed;       /* times in a row */
    ngx_uint_t                    again;        /* moved while under way */
};


static ngx_int_t ngx_azora_task_prepare(ngx_conf_t *cf,
    ngx_azora_task_run_t *run);
static ngx_int_t ngx_azora_task_metrics(ngx_conf_t *cf,
    ngx_azora_task_run_t *run);
static void ngx_azora_task_moved(ngx_uint_t index, uint64_t value);
static void ngx_azora_task_timer_handler(ngx_event_t *ev);
static void ngx_azora_task_start(ngx_azora_task_run_t *run);
static void ngx_azora_task_done(ngx_azora_op_t *op, void *data);
static void ngx_azora_task_later(ngx_azora_task_run_t *run);


static ngx_uint_t  ngx_azora_task_leader;           /* this is worker 0 */


/* Configuration time: declares the tasks' statements, metrics and watchers. */

ngx_int_t
ngx_azora_task_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t                i;
    ngx_azora_task_run_t     *run;
    const ngx_azora_task_t  **task;

    if (amcf->tasks.nelts == 0) {
        return NGX_OK;
    }

    run = ngx_pcalloc(cf->pool,
                      amcf->tasks.nelts * sizeof(ngx_azora_task_run_t));
    if (run == NULL) {
        return NGX_ERROR;
    }

    amcf->task_runs = run;
    task = amcf->tasks.elts;

    for (i = 0; i < amcf->tasks.nelts; i++) {
        run[i].task = task[i];

        if (ngx_azora_task_prepare(cf, &run[i]) != NGX_OK
            || ngx_azora_task_metrics(cf, &run[i]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_task_prepare(ngx_conf_t *cf, ngx_azora_task_run_t *run)
{
    ngx_str_t                sql;
    ngx_uint_t               i;
    ngx_azora_main_conf_t   *amcf;
    const ngx_azora_task_t  *task;

    task = run->task;

    sql.data = ngx_pnalloc(cf->pool, sizeof("SELECT (batch => $1::int)")
                                     + ngx_strlen(task->function));
    if (sql.data == NULL) {
        return NGX_ERROR;
    }

    sql.len = ngx_sprintf(sql.data, "SELECT %s(batch => $1::int)",
                          task->function)
              - sql.data;

    run->statement = ngx_azora_statement(cf, NGX_AZORA_LANE_SLOW,
                                         task->function, &sql, 1);
    if (run->statement == NULL) {
        return NGX_ERROR;
    }

    run->generation = NGX_AZORA_NONE;

    if (task->generation == NULL) {
        return NGX_OK;
    }

    run->generation = ngx_azora_generation_index(cf, task->generation);

    if (run->generation == NGX_AZORA_NONE) {
        return NGX_ERROR;
    }

    /* one watcher serves all tasks of a generation */

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    for (i = 0; &amcf->task_runs[i] != run; i++) {
        if (amcf->task_runs[i].generation == run->generation) {
            return NGX_OK;
        }
    }

    return ngx_azora_on_generation(cf, task->generation, ngx_azora_task_moved);
}


static ngx_int_t
ngx_azora_task_metrics(ngx_conf_t *cf, ngx_azora_task_run_t *run)
{
    u_char  *labels;

    labels = ngx_pnalloc(cf->pool, sizeof("task=\"\"")
                                   + ngx_strlen(run->task->function));
    if (labels == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(labels, "task=\"%s\"%Z", run->task->function);

    run->runs = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                 "azora_task_runs_total", (char *) labels,
                                 "Runs of a background task that succeeded.");

    run->failures = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                     "azora_task_failures_total",
                                     (char *) labels,
                                     "Runs of a background task that failed.");

    if (run->runs == NGX_AZORA_NONE || run->failures == NGX_AZORA_NONE) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_azora_task_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t             i;
    ngx_azora_task_run_t  *run;

    if (ngx_worker != 0 || ngx_azora_main_conf->pg.primary == NULL) {
        return NGX_OK;
    }

    ngx_azora_task_leader = 1;

    run = ngx_azora_main_conf->task_runs;

    for (i = 0; i < ngx_azora_main_conf->tasks.nelts; i++) {
        ngx_azora_turn_start(&run[i].timer, ngx_azora_task_timer_handler,
                             NGX_AZORA_TASK_START_MS, cycle->log);
    }

    return NGX_OK;
}


static void
ngx_azora_task_moved(ngx_uint_t index, uint64_t value)
{
    ngx_uint_t             i;
    ngx_azora_task_run_t  *run;

    if (!ngx_azora_task_leader) {
        return;
    }

    run = ngx_azora_main_conf->task_runs;

    for (i = 0; i < ngx_azora_main_conf->tasks.nelts; i++) {

        if (run[i].generation != index) {
            continue;
        }

        if (run[i].op != NULL) {
            /* it may have looked before the event it is woken for */
            run[i].again = 1;

        } else if (run[i].failed == 0) {
            ngx_azora_task_start(&run[i]);
        }
    }
}


static void
ngx_azora_task_timer_handler(ngx_event_t *ev)
{
    ngx_azora_task_start((ngx_azora_task_run_t *)
                         ((u_char *) ev
                          - offsetof(ngx_azora_task_run_t, timer)));
}


static void
ngx_azora_task_start(ngx_azora_task_run_t *run)
{
    u_char     batch[NGX_INT_T_LEN];
    ngx_str_t  param;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    if (run->timer.timer_set) {
        ngx_del_timer(&run->timer);
    }

    param.data = batch;
    param.len = ngx_sprintf(batch, "%ui", run->task->batch) - batch;

    run->again = 0;
    run->op = ngx_azora_query(run->statement, &param, 0, ngx_azora_task_done,
                              run);

    if (run->op == NULL) {
        run->failed++;
        ngx_azora_metric_add(run->failures, 1);
        ngx_azora_task_later(run);
    }
}


static void
ngx_azora_task_done(ngx_azora_op_t *op, void *data)
{
    ngx_azora_task_run_t *run = data;

    ngx_str_t  value;

    run->op = NULL;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        ngx_log_error(ngx_azora_turn_level(op, run->failed),
                      run->timer.log, 0, "azora: task %s failed: %s",
                      run->task->function, ngx_azora_op_message(op));

        run->failed++;
        ngx_azora_metric_add(run->failures, 1);
        ngx_azora_task_later(run);
        return;
    }

    run->failed = 0;
    ngx_azora_metric_add(run->runs, 1);

    if (ngx_azora_op_rows(op) == 1) {
        value = ngx_azora_op_value(op, 0, 0);

        if (value.data && ngx_atoi(value.data, value.len) > 0) {
            run->again = 1;
        }
    }

    if (run->again) {
        /* a query of its own, so requests have their turn in between */
        ngx_azora_task_start(run);
        return;
    }

    ngx_azora_task_later(run);
}


static void
ngx_azora_task_later(ngx_azora_task_run_t *run)
{
    ngx_msec_t  delay;

    delay = run->task->interval;

    if (run->failed) {
        delay = (ngx_msec_t) NGX_AZORA_TASK_RETRY_MIN
                << ngx_min(run->failed - 1, NGX_AZORA_TASK_DOUBLINGS);
        delay = ngx_min(delay, NGX_AZORA_TASK_RETRY_MAX);

    } else if (delay == 0) {
        /* woken by its generation only */
        return;
    }

    ngx_azora_turn_later(&run->timer, delay);
}
