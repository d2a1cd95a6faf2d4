
/*
 * How many jobs and events wait, run and are dead, as PostgreSQL has them:
 * worker 0 asks, and every node shows the same.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_JOB_COUNT_START_MS  1000
#define NGX_AZORA_JOB_COUNT_MS        5000

#define NGX_AZORA_JOB_STATES          3

/* kinds of jobs, and the consumers inside the system as one */
#define NGX_AZORA_JOB_QUEUES_MAX      16


typedef struct {
    const char                   *queue;
    ngx_uint_t                    metrics[NGX_AZORA_JOB_STATES];
    ngx_int_t                     shown[NGX_AZORA_JOB_STATES];
} ngx_azora_job_gauge_t;

/* one for a configuration, in its pool */
struct ngx_azora_job_counts_s {
    ngx_azora_job_gauge_t         gauges[NGX_AZORA_JOB_QUEUES_MAX];
    ngx_uint_t                    n;
    const ngx_azora_statement_t  *statement;
    ngx_uint_t                    letters;      /* metric */
};


static ngx_int_t ngx_azora_job_count_queue(ngx_conf_t *cf,
    ngx_azora_job_counts_t *counts, const char *queue);
static void ngx_azora_job_count_handler(ngx_event_t *ev);
static void ngx_azora_job_counted(ngx_azora_op_t *op, void *data);
static void ngx_azora_job_count_row(ngx_azora_op_t *op, ngx_uint_t row,
    ngx_int_t found[][NGX_AZORA_JOB_STATES]);
static void ngx_azora_job_count_letters(ngx_int_t n);


static const char  *ngx_azora_job_states[NGX_AZORA_JOB_STATES] = {
    "waiting", "running", "dead"
};


static ngx_event_t  ngx_azora_job_count_timer;
static ngx_int_t    ngx_azora_job_letters_seen;


ngx_int_t
ngx_azora_job_count_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_str_t                     sql = ngx_string(
                                      "SELECT queue, state, n "
                                      "FROM journal.count_jobs()");
    ngx_uint_t                    i;
    ngx_azora_job_counts_t       *counts;
    const ngx_azora_job_kind_t  **kind;

    counts = ngx_pcalloc(cf->pool, sizeof(ngx_azora_job_counts_t));
    if (counts == NULL) {
        return NGX_ERROR;
    }

    amcf->job_counts = counts;
    kind = amcf->jobs.elts;

    if (ngx_azora_job_count_queue(cf, counts, "consumers") != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < amcf->jobs.nelts; i++) {
        if (ngx_azora_job_count_queue(cf, counts, kind[i]->kind) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    counts->letters = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                       "nexus_dead_letters_total", NULL,
                                       "Events and jobs given up.");

    counts->statement = ngx_azora_statement(cf, NGX_AZORA_LANE_SLOW,
                                            "journal.count_jobs", &sql, 0);

    return (counts->letters != NGX_AZORA_NONE && counts->statement != NULL)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_azora_job_count_queue(ngx_conf_t *cf, ngx_azora_job_counts_t *counts,
    const char *queue)
{
    u_char                 *labels;
    ngx_uint_t              i;
    ngx_azora_job_gauge_t  *gauge;

    if (counts->n == NGX_AZORA_JOB_QUEUES_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: more than %d kinds of jobs",
                           NGX_AZORA_JOB_QUEUES_MAX - 1);
        return NGX_ERROR;
    }

    gauge = &counts->gauges[counts->n++];
    gauge->queue = queue;

    for (i = 0; i < NGX_AZORA_JOB_STATES; i++) {
        labels = ngx_pnalloc(cf->pool, sizeof("queue=\"\",state=\"waiting\"")
                                       + ngx_strlen(queue));
        if (labels == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(labels, "queue=\"%s\",state=\"%s\"%Z", queue,
                           ngx_azora_job_states[i]);

        gauge->metrics[i] = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                             "nexus_jobs", (char *) labels,
                                             "Jobs, and events of consumers.");
        if (gauge->metrics[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


void
ngx_azora_job_count_start(ngx_cycle_t *cycle)
{
    ngx_azora_job_letters_seen = -1;

    ngx_azora_turn_start(&ngx_azora_job_count_timer,
                         ngx_azora_job_count_handler,
                         NGX_AZORA_JOB_COUNT_START_MS, cycle->log);
}


static void
ngx_azora_job_count_handler(ngx_event_t *ev)
{
    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    (void) ngx_azora_query(ngx_azora_main_conf->job_counts->statement, NULL,
                           0, ngx_azora_job_counted, NULL);

    ngx_azora_turn_later(ev, NGX_AZORA_JOB_COUNT_MS);
}


static void
ngx_azora_job_counted(ngx_azora_op_t *op, void *data)
{
    ngx_int_t                found[NGX_AZORA_JOB_QUEUES_MAX]
                                  [NGX_AZORA_JOB_STATES];
    ngx_uint_t               i, j;
    ngx_azora_job_gauge_t   *gauge;
    ngx_azora_job_counts_t  *counts;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        return;
    }

    ngx_memzero(found, sizeof(found));

    for (i = 0; i < ngx_azora_op_rows(op); i++) {
        ngx_azora_job_count_row(op, i, found);
    }

    counts = ngx_azora_main_conf->job_counts;

    for (i = 0; i < counts->n; i++) {
        gauge = &counts->gauges[i];

        for (j = 0; j < NGX_AZORA_JOB_STATES; j++) {
            ngx_azora_metric_add(gauge->metrics[j],
                                 found[i][j] - gauge->shown[j]);
            gauge->shown[j] = found[i][j];
        }
    }
}


static void
ngx_azora_job_count_row(ngx_azora_op_t *op, ngx_uint_t row,
    ngx_int_t found[][NGX_AZORA_JOB_STATES])
{
    ngx_int_t                n;
    ngx_str_t                queue, state, count;
    ngx_uint_t               i, j;
    const char              *name;
    ngx_azora_job_counts_t  *counts;

    queue = ngx_azora_op_value(op, row, 0);
    state = ngx_azora_op_value(op, row, 1);
    count = ngx_azora_op_value(op, row, 2);

    n = ngx_atoi(count.data, count.len);

    if (n == NGX_ERROR) {
        return;
    }

    if (queue.len == 7 && ngx_strncmp(queue.data, "letters", 7) == 0) {
        ngx_azora_job_count_letters(n);
        return;
    }

    counts = ngx_azora_main_conf->job_counts;

    for (i = 0; i < counts->n; i++) {
        name = counts->gauges[i].queue;

        if (queue.len != ngx_strlen(name)
            || ngx_strncmp(queue.data, name, queue.len) != 0)
        {
            continue;
        }

        for (j = 0; j < NGX_AZORA_JOB_STATES; j++) {
            name = ngx_azora_job_states[j];

            if (state.len == ngx_strlen(name)
                && ngx_strncmp(state.data, name, state.len) == 0)
            {
                found[i][j] = n;
            }
        }
    }
}


/* What died before this worker was there it does not count. */

static void
ngx_azora_job_count_letters(ngx_int_t n)
{
    if (ngx_azora_job_letters_seen >= 0 && n > ngx_azora_job_letters_seen) {
        ngx_azora_metric_add(ngx_azora_main_conf->job_counts->letters,
                             n - ngx_azora_job_letters_seen);
    }

    ngx_azora_job_letters_seen = n;
}
