
/*
 * Password jobs on the thread pool.
 *
 * Each worker gives the pool a few jobs at a time and keeps the others in a
 * queue of its own, where the job of a client that left costs nothing.  A job
 * owns all its memory: the request may die before the thread is done.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>
#include <sys/resource.h>
#include <sys/syscall.h>


/* in the queue and on a thread together */
#define NGX_HTTP_AZORA_AUTH_DEADLINE  15000

/* a third of the event loop's share when there is not enough for both */
#define NGX_HTTP_AZORA_AUTH_NICE      5


static void ngx_http_azora_auth_job_next(void);
static void ngx_http_azora_auth_job_run(void *data, ngx_log_t *log);
static void ngx_http_azora_auth_job_done(ngx_event_t *ev);
static void ngx_http_azora_auth_job_deadline(ngx_event_t *ev);
static void ngx_http_azora_auth_job_free(ngx_http_azora_auth_job_t *job);
static void ngx_http_azora_auth_job_answer(ngx_http_azora_auth_job_t *job,
    ngx_http_azora_auth_password_e result);


static ngx_queue_t       ngx_http_azora_auth_waiting;
static ngx_queue_t       ngx_http_azora_auth_running;
static ngx_uint_t        ngx_http_azora_auth_nwaiting;
static ngx_uint_t        ngx_http_azora_auth_nrunning;


void
ngx_http_azora_auth_hash_init(void)
{
    ngx_queue_init(&ngx_http_azora_auth_waiting);
    ngx_queue_init(&ngx_http_azora_auth_running);
}


ngx_int_t
ngx_http_azora_auth_hash(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, const ngx_str_t *password,
    const char *stored)
{
    size_t                            len;
    ngx_http_azora_auth_job_t        *job;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_http_azora_auth_nwaiting >= (ngx_uint_t) conf->pool_queue) {
        ngx_azora_metric_add(conf->metric_busy, 1);
        return NGX_BUSY;
    }

    len = stored ? ngx_strlen(stored) : 0;

    if (password->len > NGX_HTTP_AZORA_AUTH_PASSWORD_MAX
        || len >= NGX_HTTP_AZORA_AUTH_PHC_MAX)
    {
        return NGX_ERROR;
    }

    job = ngx_calloc(sizeof(ngx_http_azora_auth_job_t), r->connection->log);
    if (job == NULL) {
        return NGX_ERROR;
    }

    job->actx = actx;
    job->conf = conf;
    job->peppers = conf->peppers;
    job->len = password->len;
    ngx_memcpy(job->password, password->data, password->len);

    if (stored != NULL) {
        job->verify = 1;
        ngx_memcpy(job->stored, stored, len + 1);
    }

    job->task.ctx = job;
    job->task.handler = ngx_http_azora_auth_job_run;
    job->task.event.handler = ngx_http_azora_auth_job_done;
    job->task.event.data = job;
    job->task.event.log = ngx_cycle->log;

    /* not cancelable: a worker that shuts down waits for its jobs */

    ngx_azora_event(&job->deadline, ngx_http_azora_auth_job_deadline,
                    ngx_cycle->log);
    ngx_add_timer(&job->deadline, NGX_HTTP_AZORA_AUTH_DEADLINE);

    ngx_queue_insert_tail(&ngx_http_azora_auth_waiting, &job->queue);
    ngx_http_azora_auth_nwaiting++;
    ngx_azora_metric_add(conf->metric_waiting, 1);

    actx->job = job;

    ngx_http_azora_auth_job_next();

    return NGX_AGAIN;
}


/* Gives the pool what it may have; called whenever a place may be free. */

static void
ngx_http_azora_auth_job_next(void)
{
    ngx_queue_t                *q;
    ngx_http_azora_auth_job_t  *job;

    while (!ngx_queue_empty(&ngx_http_azora_auth_waiting)) {

        q = ngx_queue_head(&ngx_http_azora_auth_waiting);
        job = ngx_queue_data(q, ngx_http_azora_auth_job_t, queue);

        if (ngx_http_azora_auth_nrunning
            >= (ngx_uint_t) job->conf->pool_threads)
        {
            return;
        }

        if (ngx_thread_task_post(job->conf->pool, &job->task) != NGX_OK) {
            /* the pool is full of others' work: our jobs keep their turn */
            return;
        }

        ngx_queue_remove(q);
        ngx_http_azora_auth_nwaiting--;
        ngx_azora_metric_add(job->conf->metric_waiting, -1);

        ngx_queue_insert_tail(&ngx_http_azora_auth_running, q);
        ngx_http_azora_auth_nrunning++;
        job->running = 1;
    }
}


/* On a thread. */

static void
ngx_http_azora_auth_job_run(void *data, ngx_log_t *log)
{
    ngx_http_azora_auth_job_t *job = data;

    static __thread ngx_uint_t  polite;

    if (!polite && job->conf->pool_own) {
        /*
         * Of this thread only: 10 ms of hashing must not delay the event
         * loop, and logins must go on when the machine is busy.
         */
        (void) setpriority(PRIO_PROCESS, (id_t) syscall(SYS_gettid),
                           NGX_HTTP_AZORA_AUTH_NICE);
        polite = 1;
    }

    if (job->verify) {
        job->result = ngx_http_azora_auth_password_verify(job->peppers,
                                                          job->stored,
                                                          job->password,
                                                          job->len);
    }

    if (!job->verify || job->result == NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH) {

        if (ngx_http_azora_auth_password_hash(job->peppers, job->password,
                                              job->len, job->made)
            != NGX_HTTP_AZORA_AUTH_PASSWORD_OK)
        {
            job->result = NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED;
        }
    }

    sodium_memzero(job->password, sizeof(job->password));
}


static void
ngx_http_azora_auth_job_done(ngx_event_t *ev)
{
    ngx_http_azora_auth_job_t *job = ev->data;

    ngx_azora_metric_add(job->conf->metric_hashed, 1);

    ngx_queue_remove(&job->queue);
    ngx_http_azora_auth_nrunning--;

    ngx_http_azora_auth_job_next();
    ngx_http_azora_auth_job_answer(job, job->result);
    ngx_http_azora_auth_job_free(job);
}


/*
 * A job still in the queue is given up.  One that runs cannot be stopped: its
 * client gets an answer and job_done() frees it.
 */

static void
ngx_http_azora_auth_job_deadline(ngx_event_t *ev)
{
    ngx_http_azora_auth_job_t  *job;

    job = (ngx_http_azora_auth_job_t *)
              ((u_char *) ev - offsetof(ngx_http_azora_auth_job_t, deadline));

    if (job->running) {
        ngx_http_azora_auth_job_answer(job,
                                       NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY);
        ngx_add_timer(&job->deadline, NGX_HTTP_AZORA_AUTH_DEADLINE);
        return;
    }

    ngx_queue_remove(&job->queue);
    ngx_http_azora_auth_nwaiting--;
    ngx_azora_metric_add(job->conf->metric_waiting, -1);
    ngx_azora_metric_add(job->conf->metric_busy, 1);

    ngx_http_azora_auth_job_answer(job, NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY);
    ngx_http_azora_auth_job_free(job);
}


/* Resumes the request, if it is still there, which may free it. */

static void
ngx_http_azora_auth_job_answer(ngx_http_azora_auth_job_t *job,
    ngx_http_azora_auth_password_e result)
{
    size_t                      len;
    ngx_http_request_t         *r;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = job->actx;

    if (actx == NULL) {
        return;
    }

    job->actx = NULL;
    r = actx->request;

    actx->job = NULL;
    actx->result = result;

    len = ngx_strlen(job->made);

    if (result <= NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH && len > 0) {
        actx->made.data = ngx_pnalloc(r->pool, len + 1);

        if (actx->made.data == NULL) {
            actx->result = NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED;

        } else {
            ngx_memcpy(actx->made.data, job->made, len + 1);
            actx->made.len = len;
        }
    }

    ngx_azora_resume(r);
}


static void
ngx_http_azora_auth_job_free(ngx_http_azora_auth_job_t *job)
{
    if (job->deadline.timer_set) {
        ngx_del_timer(&job->deadline);
    }

    sodium_memzero(job, sizeof(ngx_http_azora_auth_job_t));
    ngx_free(job);
}


void
ngx_http_azora_auth_hash_forget(ngx_http_azora_auth_ctx_t *actx)
{
    ngx_http_azora_auth_job_t  *job;

    job = actx->job;

    if (job == NULL) {
        return;
    }

    actx->job = NULL;
    job->actx = NULL;

    if (!job->running) {
        ngx_queue_remove(&job->queue);
        ngx_http_azora_auth_nwaiting--;
        ngx_azora_metric_add(job->conf->metric_waiting, -1);
        ngx_http_azora_auth_job_free(job);
    }
}
