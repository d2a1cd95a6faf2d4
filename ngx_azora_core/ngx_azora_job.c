
/*
 * Jobs: worker 0 claims what is due, as much as may run at once, lets the
 * kind's handler do it and reports what became of it.  It looks when the
 * generation "jobs" moves, when a job has ended, and every second.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_JOB_GENERATION    "jobs"

#define NGX_AZORA_JOB_START_MS      100

#define NGX_AZORA_JOB_INTERVAL      1000
#define NGX_AZORA_JOB_RETRY_MAX     30000
#define NGX_AZORA_JOB_DOUBLINGS     5

/* claimed at a time */
#define NGX_AZORA_JOB_BATCH_MAX     64

#define NGX_AZORA_JOB_ERROR_MAX     500


typedef struct ngx_azora_job_run_s  ngx_azora_job_run_t;


struct ngx_azora_job_run_s {
    const ngx_azora_job_kind_t   *kind;
    const ngx_azora_statement_t  *claim;
    const ngx_azora_statement_t  *end;

    ngx_azora_op_t               *op;           /* a claim under way */
    ngx_uint_t                    asked;        /* for so many */
    ngx_event_t                   timer;
    ngx_queue_t                   live;         /* ngx_azora_job_t */
    ngx_uint_t                    nlive;
    ngx_uint_t                    failed;       /* claims, in a row */
    unsigned                      again:1;      /* there may be more */
};


struct ngx_azora_job_s {
    ngx_queue_t                   queue;
    ngx_pool_t                   *pool;
    ngx_azora_job_run_t          *run;
    ngx_str_t                     id;
    ngx_str_t                     lease;
    ngx_str_t                     payload;
    ngx_uint_t                    failures;
    uint64_t                      started_ns;
    unsigned                      late:1;       /* past its first lease */
};


static ngx_int_t ngx_azora_job_statements(ngx_conf_t *cf,
    ngx_azora_job_run_t *run);
static ngx_int_t ngx_azora_job_statement(ngx_conf_t *cf,
    const ngx_azora_statement_t **statement, const char *format,
    const char *function, ngx_uint_t nparams);
static void ngx_azora_job_moved(ngx_uint_t index, uint64_t value);
static void ngx_azora_job_timer_handler(ngx_event_t *ev);
static void ngx_azora_job_claim(ngx_azora_job_run_t *run);
static void ngx_azora_job_claimed(ngx_azora_op_t *op, void *data);
static ngx_azora_job_t *ngx_azora_job_find(ngx_azora_job_run_t *run,
    const ngx_str_t *id);
static void ngx_azora_job_begin(ngx_azora_job_run_t *run, ngx_azora_op_t *op,
    ngx_uint_t row);
static void ngx_azora_job_renew(ngx_azora_job_t *job, const ngx_str_t *lease);
static void ngx_azora_job_ended(ngx_azora_op_t *op, void *data);
static void ngx_azora_job_free(ngx_azora_job_t *job);
static void ngx_azora_job_later(ngx_azora_job_run_t *run);


static ngx_uint_t  ngx_azora_job_leader;            /* this is worker 0 */
static ngx_uint_t  ngx_azora_job_quitting;


ngx_int_t
ngx_azora_job_kind(ngx_conf_t *cf, const ngx_azora_job_kind_t *kind)
{
    ngx_azora_main_conf_t        *amcf;
    const ngx_azora_job_kind_t  **k;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    k = ngx_array_push(&amcf->jobs);
    if (k == NULL) {
        return NGX_ERROR;
    }

    *k = kind;

    return NGX_OK;
}


/* Configuration time: statements, metrics and the watcher. */

ngx_int_t
ngx_azora_job_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t                    i;
    ngx_azora_job_run_t          *run;
    const ngx_azora_job_kind_t  **kind;

    if (ngx_azora_job_count_init(cf, amcf) != NGX_OK) {
        return NGX_ERROR;
    }

    if (amcf->jobs.nelts == 0) {
        return NGX_OK;
    }

    run = ngx_pcalloc(cf->pool, amcf->jobs.nelts * sizeof(ngx_azora_job_run_t));
    if (run == NULL) {
        return NGX_ERROR;
    }

    amcf->job_runs = run;
    kind = amcf->jobs.elts;

    for (i = 0; i < amcf->jobs.nelts; i++) {
        run[i].kind = kind[i];

        if (ngx_azora_job_statements(cf, &run[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_azora_on_generation(cf, NGX_AZORA_JOB_GENERATION,
                                   ngx_azora_job_moved);
}


static ngx_int_t
ngx_azora_job_statements(ngx_conf_t *cf, ngx_azora_job_run_t *run)
{
    const char  *claim, *end;

    claim = run->kind->claim ? run->kind->claim : "journal.claim_jobs";
    end = run->kind->end ? run->kind->end : "journal.end_job";

    if (ngx_azora_job_statement(cf, &run->claim,
                                "SELECT id, lease, failures, payload FROM %s("
                                "kind => $1::text, batch => $2::int, "
                                "lease_ms => $3::int)%Z", claim, 3)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_job_statement(cf, &run->end,
                                   "SELECT %s(id => $1::uuid, "
                                   "lease => $2::uuid, outcome => $3::text, "
                                   "error => $4::text, code => $5::int, "
                                   "retry_after => $6::int, "
                                   "took_ms => $7::int)%Z", end, 7);
}


/* On the write lane: a report must not wait for a task on the slow one. */

static ngx_int_t
ngx_azora_job_statement(ngx_conf_t *cf,
    const ngx_azora_statement_t **statement, const char *format,
    const char *function, ngx_uint_t nparams)
{
    ngx_str_t  sql;

    sql.data = ngx_pnalloc(cf->pool, ngx_strlen(format)
                                     + ngx_strlen(function));
    if (sql.data == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(sql.data, format, function);
    sql.len = ngx_strlen(sql.data);

    *statement = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE, function, &sql,
                                     nparams);

    return *statement ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_azora_job_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    ngx_azora_job_run_t  *run;

    if (ngx_worker != 0 || ngx_azora_main_conf->pg.primary == NULL) {
        return NGX_OK;
    }

    ngx_azora_job_leader = 1;
    run = ngx_azora_main_conf->job_runs;

    for (i = 0; i < ngx_azora_main_conf->jobs.nelts; i++) {
        ngx_queue_init(&run[i].live);
        ngx_azora_turn_start(&run[i].timer, ngx_azora_job_timer_handler,
                             NGX_AZORA_JOB_START_MS, cycle->log);
    }

    ngx_azora_job_count_start(cycle);

    return NGX_OK;
}


void
ngx_azora_job_quit(void)
{
    ngx_azora_job_quitting = 1;
}


void
ngx_azora_job_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t            i;
    ngx_queue_t          *q, *next;
    ngx_azora_job_run_t  *run;

    if (!ngx_azora_job_leader) {
        return;
    }

    run = ngx_azora_main_conf->job_runs;

    for (i = 0; i < ngx_azora_main_conf->jobs.nelts; i++) {
        for (q = ngx_queue_head(&run[i].live);
             q != ngx_queue_sentinel(&run[i].live);
             q = next)
        {
            next = ngx_queue_next(q);
            ngx_azora_job_free(ngx_queue_data(q, ngx_azora_job_t, queue));
        }
    }
}


static void
ngx_azora_job_moved(ngx_uint_t index, uint64_t value)
{
    ngx_uint_t            i;
    ngx_azora_job_run_t  *run;

    if (!ngx_azora_job_leader) {
        return;
    }

    run = ngx_azora_main_conf->job_runs;

    for (i = 0; i < ngx_azora_main_conf->jobs.nelts; i++) {
        if (run[i].failed == 0) {
            ngx_azora_job_claim(&run[i]);
        }
    }
}


static void
ngx_azora_job_timer_handler(ngx_event_t *ev)
{
    ngx_azora_job_claim((ngx_azora_job_run_t *)
                        ((u_char *) ev
                         - offsetof(ngx_azora_job_run_t, timer)));
}


static void
ngx_azora_job_claim(ngx_azora_job_run_t *run)
{
    u_char      batch[NGX_INT_T_LEN], lease[NGX_INT_T_LEN];
    ngx_str_t   params[3];
    ngx_uint_t  room;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    if (run->op != NULL) {
        /* its end looks again */
        run->again = 1;
        return;
    }

    if (run->nlive >= run->kind->running) {
        /* an end that was reported looks at once, one that was not does not */
        ngx_azora_job_later(run);
        return;
    }

    if (run->kind->ready && !run->kind->ready()) {
        ngx_azora_job_later(run);
        return;
    }

    if (run->timer.timer_set) {
        ngx_del_timer(&run->timer);
    }

    room = ngx_min(run->kind->running - run->nlive, NGX_AZORA_JOB_BATCH_MAX);

    params[0].data = (u_char *) run->kind->kind;
    params[0].len = ngx_strlen(run->kind->kind);
    params[1].data = batch;
    params[1].len = ngx_sprintf(batch, "%ui", room) - batch;
    params[2].data = lease;
    params[2].len = ngx_sprintf(lease, "%M", run->kind->lease) - lease;

    run->again = 0;
    run->asked = room;
    run->op = ngx_azora_query(run->claim, params, 0, ngx_azora_job_claimed,
                              run);

    if (run->op == NULL) {
        run->failed++;
        ngx_azora_job_later(run);
    }
}


static void
ngx_azora_job_claimed(ngx_azora_op_t *op, void *data)
{
    ngx_azora_job_run_t *run = data;

    ngx_uint_t        i, n;
    ngx_str_t         id, lease;
    ngx_azora_job_t  *job;

    run->op = NULL;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        ngx_log_error(ngx_azora_turn_level(op, run->failed),
                      run->timer.log, 0,
                      "azora: no jobs of kind %s can be claimed: %s",
                      run->kind->kind, ngx_azora_op_message(op));

        run->failed++;
        ngx_azora_job_later(run);
        return;
    }

    run->failed = 0;
    n = ngx_azora_op_rows(op);

    if (n == run->asked) {
        run->again = 1;
    }

    for (i = 0; i < n; i++) {
        id = ngx_azora_op_value(op, i, 0);
        job = ngx_azora_job_find(run, &id);

        if (job == NULL) {
            ngx_azora_job_begin(run, op, i);
            continue;
        }

        lease = ngx_azora_op_value(op, i, 1);
        ngx_azora_job_renew(job, &lease);
    }

    if (run->again && run->nlive < run->kind->running) {
        ngx_azora_job_claim(run);
        return;
    }

    ngx_azora_job_later(run);
}


static ngx_azora_job_t *
ngx_azora_job_find(ngx_azora_job_run_t *run, const ngx_str_t *id)
{
    ngx_queue_t      *q;
    ngx_azora_job_t  *job;

    for (q = ngx_queue_head(&run->live);
         q != ngx_queue_sentinel(&run->live);
         q = ngx_queue_next(q))
    {
        job = ngx_queue_data(q, ngx_azora_job_t, queue);

        if (job->id.len == id->len
            && ngx_memcmp(job->id.data, id->data, id->len) == 0)
        {
            return job;
        }
    }

    return NULL;
}


static void
ngx_azora_job_begin(ngx_azora_job_run_t *run, ngx_azora_op_t *op,
    ngx_uint_t row)
{
    ngx_int_t         n;
    ngx_str_t         id, lease, failures, payload;
    ngx_pool_t       *pool;
    ngx_azora_job_t  *job;

    id = ngx_azora_op_value(op, row, 0);
    lease = ngx_azora_op_value(op, row, 1);
    failures = ngx_azora_op_value(op, row, 2);
    payload = ngx_azora_op_value(op, row, 3);

    pool = ngx_create_pool(4096, run->timer.log);
    if (pool == NULL) {
        return;
    }

    job = ngx_pcalloc(pool, sizeof(ngx_azora_job_t));

    if (job == NULL
        || ngx_azora_copy(pool, &job->id, &id) != NGX_OK
        || ngx_azora_copy(pool, &job->lease, &lease) != NGX_OK
        || ngx_azora_copy(pool, &job->payload, &payload) != NGX_OK)
    {
        /* its lease ends by itself */
        ngx_destroy_pool(pool);
        return;
    }

    n = ngx_atoi(failures.data, failures.len);

    job->pool = pool;
    job->run = run;
    job->failures = (n > 0) ? n : 0;
    job->started_ns = ngx_azora_now_ns();

    ngx_queue_insert_tail(&run->live, &job->queue);
    run->nlive++;

    run->kind->handler(job);
}


/*
 * A claim that finds what this process still does is a new lease for it and
 * not a second job: its report counts if it names the lease that runs.
 */

static void
ngx_azora_job_renew(ngx_azora_job_t *job, const ngx_str_t *lease)
{
    if (lease->len == job->lease.len) {
        ngx_memcpy(job->lease.data, lease->data, lease->len);
    }

    if (!job->late) {
        job->late = 1;
        ngx_log_error(NGX_LOG_WARN, job->run->timer.log, 0,
                      "azora: job %V (%s) takes longer than its lease of "
                      "%M ms", &job->id, job->run->kind->kind,
                      job->run->kind->lease);
    }
}


ngx_str_t
ngx_azora_job_payload(ngx_azora_job_t *job)
{
    return job->payload;
}


ngx_uint_t
ngx_azora_job_failures(ngx_azora_job_t *job)
{
    return job->failures;
}


ngx_pool_t *
ngx_azora_job_pool(ngx_azora_job_t *job)
{
    return job->pool;
}


void
ngx_azora_job_end(ngx_azora_job_t *job, ngx_azora_job_outcome_e outcome,
    const char *error, ngx_uint_t code, ngx_uint_t retry_after)
{
    static ngx_str_t  outcomes[] = {
        ngx_string("done"), ngx_string("failed"), ngx_string("rejected")
    };

    u_char     numbers[3][NGX_INT_T_LEN];
    ngx_str_t  params[7];

    if (ngx_azora_job_quitting) {
        ngx_azora_job_free(job);
        return;
    }

    params[0] = job->id;
    params[1] = job->lease;
    params[2] = outcomes[outcome];
    params[3].data = (u_char *) error;
    params[3].len = ngx_min(ngx_strlen(error), NGX_AZORA_JOB_ERROR_MAX);
    params[4].data = numbers[0];
    params[4].len = ngx_sprintf(numbers[0], "%ui", code) - numbers[0];
    params[5].data = numbers[1];
    params[5].len = ngx_sprintf(numbers[1], "%ui", retry_after) - numbers[1];
    params[6].data = numbers[2];
    params[6].len = ngx_sprintf(numbers[2], "%uL",
                                (ngx_azora_now_ns() - job->started_ns)
                                / 1000000)
                    - numbers[2];

    if (ngx_azora_query(job->run->end, params, 0, ngx_azora_job_ended, job)
        == NULL)
    {
        ngx_azora_job_free(job);
    }
}


void
ngx_azora_job_leave(ngx_azora_job_t *job)
{
    ngx_azora_job_free(job);
}


static void
ngx_azora_job_ended(ngx_azora_op_t *op, void *data)
{
    ngx_azora_job_t *job = data;

    ngx_str_t             became;
    ngx_azora_job_run_t  *run;

    run = job->run;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        ngx_log_error(NGX_LOG_ERR, run->timer.log, 0,
                      "azora: what became of job %V (%s) could not be "
                      "reported, it will be done again: %s", &job->id,
                      run->kind->kind, ngx_azora_op_message(op));

    } else if (ngx_azora_op_rows(op) == 1) {
        became = ngx_azora_op_value(op, 0, 0);

        if (became.len == 4 && ngx_strncmp(became.data, "dead", 4) == 0) {
            ngx_log_error(NGX_LOG_WARN, run->timer.log, 0,
                          "azora: job %V (%s) was given up", &job->id,
                          run->kind->kind);
        }
    }

    ngx_azora_job_free(job);

    /* the next of its lane may wait for this end alone */
    ngx_azora_job_claim(run);
}


static void
ngx_azora_job_free(ngx_azora_job_t *job)
{
    ngx_queue_remove(&job->queue);
    job->run->nlive--;

    ngx_destroy_pool(job->pool);
}


static void
ngx_azora_job_later(ngx_azora_job_run_t *run)
{
    ngx_msec_t  delay;

    delay = NGX_AZORA_JOB_INTERVAL;

    if (run->failed) {
        delay <<= ngx_min(run->failed, NGX_AZORA_JOB_DOUBLINGS);
        delay = ngx_min(delay, NGX_AZORA_JOB_RETRY_MAX);
    }

    ngx_azora_turn_later(&run->timer, delay);
}
