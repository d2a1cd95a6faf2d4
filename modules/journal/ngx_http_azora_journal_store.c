
/*
 * The log's files on the thread pool: loading at the start and storing batches
 * wait for disks, which the event loop must not.
 */


#include "ngx_http_azora_journal.h"


typedef struct {
    const azora_tlog_batch_t          *batch;     /* the sequencer's */
    ngx_http_azora_journal_stored_pt   stored;
    ngx_http_azora_journal_loaded_pt   loaded;
    int                                rc;
    const char                        *reason;
    char                               path[1024];
    char                               note[AZORA_TLOG_NOTE_MAX];
    azora_tlog_tree_t                  tree;
} ngx_http_azora_journal_job_t;


static ngx_int_t ngx_http_azora_journal_post(ngx_thread_task_t *task);
static void ngx_http_azora_journal_thread(void *data, ngx_log_t *log);
static void ngx_http_azora_journal_done(ngx_event_t *ev);


/* The sequencer has one job at a time, so one task serves for ever. */
static ngx_thread_task_t  *ngx_http_azora_journal_task;


ngx_int_t
ngx_http_azora_journal_store(const azora_tlog_batch_t *batch,
    ngx_http_azora_journal_stored_pt handler)
{
    ngx_http_azora_journal_job_t  *job;

    job = ngx_http_azora_journal_task->ctx;
    job->batch = batch;
    job->stored = handler;

    return ngx_http_azora_journal_post(ngx_http_azora_journal_task);
}


ngx_int_t
ngx_http_azora_journal_load(ngx_http_azora_journal_loaded_pt handler)
{
    ngx_http_azora_journal_job_t  *job;

    if (ngx_http_azora_journal_task == NULL) {
        ngx_http_azora_journal_task =
            ngx_thread_task_alloc(ngx_cycle->pool,
                                  sizeof(ngx_http_azora_journal_job_t));
        if (ngx_http_azora_journal_task == NULL) {
            return NGX_ERROR;
        }
    }

    job = ngx_http_azora_journal_task->ctx;
    job->batch = NULL;
    job->loaded = handler;

    return ngx_http_azora_journal_post(ngx_http_azora_journal_task);
}


static ngx_int_t
ngx_http_azora_journal_post(ngx_thread_task_t *task)
{
    task->handler = ngx_http_azora_journal_thread;
    task->event.handler = ngx_http_azora_journal_done;
    task->event.data = task->ctx;

    return ngx_thread_task_post(ngx_http_azora_journal_conf->pool, task);
}


/* On a thread. */

static void
ngx_http_azora_journal_thread(void *data, ngx_log_t *log)
{
    char                           *dir;
    const char                     *reason;
    ngx_http_azora_journal_conf_t  *conf;
    ngx_http_azora_journal_job_t   *job = data;

    dir = (char *) ngx_http_azora_journal_conf->dir.data;
    job->path[0] = '\0';

    if (job->batch != NULL) {
        job->rc = azora_tlog_batch_store(job->batch, dir, job->path,
                                         sizeof(job->path));
        return;
    }

    conf = ngx_http_azora_journal_conf;
    job->rc = azora_tlog_load(&job->tree, &conf->key, dir, job->note,
                              &job->reason);

    if (job->rc != 0 && conf->previous.name[0] != '\0'
        && azora_tlog_load(&job->tree, &conf->previous, dir, job->note,
                           &reason)
           == 0)
    {
        job->rc = 0;
    }
}


static void
ngx_http_azora_journal_done(ngx_event_t *ev)
{
    ngx_http_azora_journal_job_t  *job = ev->data;

    if (job->batch != NULL) {
        job->stored(job->rc, job->path);
        return;
    }

    job->loaded(job->rc, &job->tree, job->note, job->reason);
}
