
/*
 * A kind of job for tests: the payload says what happens to it, and the error
 * log that it was begun.
 */


#include <ngx_azora.h>


static ngx_int_t ngx_azora_probe_init(ngx_conf_t *cf);
static void ngx_azora_probe_job(ngx_azora_job_t *job);
static void ngx_azora_probe_end_after(ngx_azora_job_t *job,
    ngx_msec_t delay, ngx_uint_t leave);
static void ngx_azora_probe_timer(ngx_event_t *ev);


typedef struct {
    ngx_event_t       timer;
    ngx_azora_job_t  *job;
    ngx_uint_t        leave;
} ngx_azora_probe_wait_t;


static ngx_connection_t  ngx_azora_probe_nobody = { .fd = (ngx_socket_t) -1 };
static ngx_uint_t        ngx_azora_probe_left;


static const ngx_azora_job_kind_t  ngx_azora_probe_kind = {
    .kind = "probe",
    .handler = ngx_azora_probe_job,
    .running = 4,
    .lease = 2000
};


static const ngx_azora_capability_t  ngx_azora_probe = {
    .abi = NGX_AZORA_ABI,
    .name = "probe",
    .about = "For tests."
};


static ngx_http_module_t  ngx_azora_probe_module_ctx = {
    ngx_azora_probe_init, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


ngx_module_t  ngx_azora_probe_module = {
    NGX_MODULE_V1,
    &ngx_azora_probe_module_ctx, NULL, NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


ngx_module_t  *ngx_modules[] = { &ngx_azora_probe_module, NULL };
char  *ngx_module_names[] = { "ngx_azora_probe_module", NULL };

/* the core's configuration is made before ours */
char  *ngx_module_order[] = {
    "ngx_http_azora_module", "ngx_azora_probe_module", NULL
};


static ngx_int_t
ngx_azora_probe_init(ngx_conf_t *cf)
{
    if (ngx_azora_job_kind(cf, &ngx_azora_probe_kind) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_azora_probe);
}


/* {"do": "done|fail|reject|later|hold|wait|late|leave", "name": "..."} */

static void
ngx_azora_probe_job(ngx_azora_job_t *job)
{
    ngx_str_t  payload;

    payload = ngx_azora_job_payload(job);

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "probe: %ui %V", ngx_azora_job_failures(job), &payload);

    if (ngx_strstr(payload.data, "\"done\"")) {
        ngx_azora_job_end(job, NGX_AZORA_JOB_DONE, "", 0, 0);

    } else if (ngx_strstr(payload.data, "\"fail\"")) {
        ngx_azora_job_end(job, NGX_AZORA_JOB_FAILED, "it failed", 500, 0);

    } else if (ngx_strstr(payload.data, "\"reject\"")) {
        ngx_azora_job_end(job, NGX_AZORA_JOB_REJECTED, "never", 400, 0);

    } else if (ngx_strstr(payload.data, "\"later\"")) {
        ngx_azora_job_end(job, NGX_AZORA_JOB_FAILED, "busy", 503, 7200);

    } else if (ngx_strstr(payload.data, "\"wait\"")) {
        ngx_azora_probe_end_after(job, 200, 0);

    } else if (ngx_strstr(payload.data, "\"do\" : \"late\"")) {
        ngx_azora_probe_end_after(job, 2 * ngx_azora_probe_kind.lease, 0);

    } else if (ngx_strstr(payload.data, "\"leave\"")) {
        /* as many as may run, after the next look for others */
        if (ngx_azora_probe_left++ < ngx_azora_probe_kind.running) {
            ngx_azora_probe_end_after(job, 1500, 1);
        } else {
            ngx_azora_job_end(job, NGX_AZORA_JOB_DONE, "", 0, 0);
        }
    }

    /* what is held is never ended */
}


static void
ngx_azora_probe_end_after(ngx_azora_job_t *job, ngx_msec_t delay,
    ngx_uint_t leave)
{
    ngx_azora_probe_wait_t  *wait;

    wait = ngx_pcalloc(ngx_azora_job_pool(job),
                       sizeof(ngx_azora_probe_wait_t));
    if (wait == NULL) {
        return;
    }

    wait->job = job;
    wait->leave = leave;
    wait->timer.handler = ngx_azora_probe_timer;
    wait->timer.data = &ngx_azora_probe_nobody;
    wait->timer.log = ngx_cycle->log;

    ngx_add_timer(&wait->timer, delay);
}


static void
ngx_azora_probe_timer(ngx_event_t *ev)
{
    ngx_azora_probe_wait_t  *wait;

    wait = (ngx_azora_probe_wait_t *)
               ((u_char *) ev - offsetof(ngx_azora_probe_wait_t, timer));

    if (wait->leave) {
        ngx_azora_job_leave(wait->job);
        return;
    }

    ngx_azora_job_end(wait->job, NGX_AZORA_JOB_DONE, "", 0, 0);
}
