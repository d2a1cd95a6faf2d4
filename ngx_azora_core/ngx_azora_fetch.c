
/*
 * Calls to other servers: each has a deadline of its own, so many run at once
 * and the rest wait in a queue that has an end.  libcurl does the talking.
 */


#include "ngx_azora_fetch.h"


#define NGX_AZORA_FETCH_TIMEOUT_MS  15000
#define NGX_AZORA_FETCH_CONNECT_MS  5000
#define NGX_AZORA_FETCH_RESPONSE    (64 * 1024)

#define NGX_AZORA_FETCH_HEADERS_MAX 64
#define NGX_AZORA_FETCH_URL_MAX     8192


static ngx_azora_fetch_t *ngx_azora_fetch_create(ngx_azora_fetch_pt handler,
    void *data);
static ngx_azora_fetch_t *ngx_azora_fetch_submit(ngx_azora_fetch_t *fetch,
    ngx_int_t rc, ngx_msec_t timeout);
static ngx_int_t ngx_azora_fetch_text(ngx_azora_fetch_t *fetch, char **dst,
    const ngx_str_t *src, size_t max);
static ngx_int_t ngx_azora_fetch_copy(ngx_azora_fetch_t *fetch, char **dst,
    const ngx_str_t *src, size_t max);
static ngx_int_t ngx_azora_fetch_lines(ngx_azora_fetch_t *fetch,
    const ngx_str_t *lines, ngx_uint_t n);
static ngx_int_t ngx_azora_fetch_payload(ngx_azora_fetch_t *fetch,
    const ngx_str_t *payload);
static void ngx_azora_fetch_free(ngx_azora_fetch_t *fetch);
static void ngx_azora_fetch_wake(void);
static void ngx_azora_fetch_start_handler(ngx_event_t *ev);
static void ngx_azora_fetch_deadline_handler(ngx_event_t *ev);


static ngx_queue_t  ngx_azora_fetch_waiting;
static ngx_queue_t  ngx_azora_fetch_running;
static ngx_uint_t   ngx_azora_fetch_nwaiting;
static ngx_uint_t   ngx_azora_fetch_nrunning;
static ngx_event_t  ngx_azora_fetch_start;
static ngx_uint_t   ngx_azora_fetch_ended;


void
ngx_azora_fetch_init_process(ngx_cycle_t *cycle)
{
    ngx_queue_init(&ngx_azora_fetch_waiting);
    ngx_queue_init(&ngx_azora_fetch_running);

    ngx_azora_event(&ngx_azora_fetch_start, ngx_azora_fetch_start_handler,
                    cycle->log);
}


void
ngx_azora_fetch_exit_process(ngx_cycle_t *cycle)
{
    ngx_queue_t  *queues[] = {
        &ngx_azora_fetch_running, &ngx_azora_fetch_waiting
    };

    ngx_uint_t          i;
    ngx_azora_fetch_t  *fetch;

    ngx_azora_fetch_ended = 1;

    for (i = 0; i < 2; i++) {
        while (!ngx_queue_empty(queues[i])) {
            fetch = ngx_queue_data(ngx_queue_head(queues[i]),
                                   ngx_azora_fetch_t, queue);
            ngx_azora_fetch_finish(fetch, NGX_AZORA_FETCH_ENDED);
        }
    }

    ngx_azora_fetch_curl_exit();
}


ngx_azora_fetch_t *
ngx_azora_fetch(const ngx_azora_fetch_request_t *request,
    ngx_azora_fetch_pt handler, void *data)
{
    ngx_int_t           rc;
    ngx_str_t           method;
    ngx_azora_fetch_t  *fetch;

    fetch = ngx_azora_fetch_create(handler, data);
    if (fetch == NULL) {
        return NULL;
    }

    ngx_str_set(&method, "GET");

    if (request->method.len) {
        method = request->method;
    }

    fetch->flags = request->flags;

    fetch->connect_timeout = request->connect_timeout
                             ? request->connect_timeout
                             : NGX_AZORA_FETCH_CONNECT_MS;

    fetch->response_max = request->response_max ? request->response_max
                                                : NGX_AZORA_FETCH_RESPONSE;

    rc = ngx_azora_fetch_text(fetch, &fetch->method, &method, 32);

    if (rc == NGX_OK) {
        rc = ngx_azora_fetch_text(fetch, &fetch->url, &request->url,
                                  NGX_AZORA_FETCH_URL_MAX);
    }

    if (rc == NGX_OK) {
        rc = ngx_azora_fetch_lines(fetch, request->headers,
                                   request->nheaders);
    }

    if (rc == NGX_OK) {
        rc = ngx_azora_fetch_payload(fetch, &request->body);
    }

    return ngx_azora_fetch_submit(fetch, rc, request->timeout);
}


ngx_azora_fetch_t *
ngx_azora_send_mail(const ngx_azora_mail_t *mail, ngx_azora_fetch_pt handler,
    void *data)
{
    ngx_int_t           rc;
    ngx_azora_fetch_t  *fetch;

    fetch = ngx_azora_fetch_create(handler, data);
    if (fetch == NULL) {
        return NULL;
    }

    fetch->mail = 1;
    fetch->flags = mail->flags;
    fetch->response_max = NGX_AZORA_FETCH_RESPONSE;

    fetch->connect_timeout = mail->connect_timeout
                             ? mail->connect_timeout
                             : NGX_AZORA_FETCH_CONNECT_MS;

    rc = ngx_azora_fetch_text(fetch, &fetch->url, &mail->url,
                              NGX_AZORA_FETCH_URL_MAX);

    if (rc == NGX_OK) {
        rc = ngx_azora_fetch_text(fetch, &fetch->from, &mail->from, 320);
    }

    if (rc == NGX_OK && mail->user.len) {
        rc = ngx_azora_fetch_copy(fetch, &fetch->user, &mail->user, 1024);
    }

    if (rc == NGX_OK && mail->user.len) {
        rc = ngx_azora_fetch_copy(fetch, &fetch->password, &mail->password,
                                  1024);
    }

    if (rc == NGX_OK) {
        rc = mail->nto ? ngx_azora_fetch_lines(fetch, mail->to, mail->nto)
                       : NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        rc = ngx_azora_fetch_payload(fetch, &mail->message);
    }

    return ngx_azora_fetch_submit(fetch, rc, mail->timeout);
}


static ngx_azora_fetch_t *
ngx_azora_fetch_create(ngx_azora_fetch_pt handler, void *data)
{
    ngx_pool_t              *pool;
    ngx_azora_fetch_t       *fetch;
    ngx_azora_fetch_conf_t  *conf;

    conf = &ngx_azora_main_conf->fetch;

    /* together: those that will run begin to do so a moment later */

    if (ngx_azora_fetch_ended
        || ngx_azora_fetch_nwaiting + ngx_azora_fetch_nrunning
           >= conf->queue + conf->running)
    {
        return NULL;
    }

    pool = ngx_create_pool(2048, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    fetch = ngx_pcalloc(pool, sizeof(ngx_azora_fetch_t));
    if (fetch == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    fetch->pool = pool;
    fetch->handler = handler;
    fetch->data = data;

    ngx_azora_event(&fetch->timer, ngx_azora_fetch_deadline_handler,
                    ngx_cycle->log);

    return fetch;
}


/* What cannot be asked is told as any other outcome is: later. */

static ngx_azora_fetch_t *
ngx_azora_fetch_submit(ngx_azora_fetch_t *fetch, ngx_int_t rc,
    ngx_msec_t timeout)
{
    if (rc == NGX_ERROR) {
        ngx_destroy_pool(fetch->pool);
        return NULL;
    }

    if (rc == NGX_DECLINED) {
        fetch->status = NGX_AZORA_FETCH_INVALID;
        ngx_cpystrn((u_char *) fetch->reason,
                    (u_char *) "not a URL, method, header or address",
                    CURL_ERROR_SIZE);
    }

    ngx_queue_insert_tail(&ngx_azora_fetch_waiting, &fetch->queue);
    ngx_azora_fetch_nwaiting++;

    /* not cancelable: a worker that ends waits for what it asked */

    ngx_add_timer(&fetch->timer,
                  timeout ? timeout : NGX_AZORA_FETCH_TIMEOUT_MS);

    ngx_azora_fetch_wake();

    return fetch;
}


/*
 * Copies a word that becomes a part of a protocol's line: nothing in it may
 * begin another line or another word.
 */

static ngx_int_t
ngx_azora_fetch_text(ngx_azora_fetch_t *fetch, char **dst,
    const ngx_str_t *src, size_t max)
{
    size_t  i;

    for (i = 0; i < src->len; i++) {
        if (src->data[i] == ' ' || src->data[i] == '<' || src->data[i] == '>')
        {
            return NGX_DECLINED;
        }
    }

    return ngx_azora_fetch_copy(fetch, dst, src, max);
}


/* A name or password, which SASL encodes: blanks are as good as letters. */

static ngx_int_t
ngx_azora_fetch_copy(ngx_azora_fetch_t *fetch, char **dst,
    const ngx_str_t *src, size_t max)
{
    size_t  i;

    if (src->len == 0 || src->len > max) {
        return NGX_DECLINED;
    }

    for (i = 0; i < src->len; i++) {
        if (src->data[i] < ' ' || src->data[i] == 0x7f) {
            return NGX_DECLINED;
        }
    }

    *dst = ngx_pnalloc(fetch->pool, src->len + 1);
    if (*dst == NULL) {
        return NGX_ERROR;
    }

    ngx_cpystrn((u_char *) *dst, src->data, src->len + 1);

    return NGX_OK;
}


/* Headers or recipients, in order. */

static ngx_int_t
ngx_azora_fetch_lines(ngx_azora_fetch_t *fetch, const ngx_str_t *lines,
    ngx_uint_t n)
{
    size_t              j;
    ngx_uint_t          i;
    struct curl_slist  *item, **last;

    if (n > NGX_AZORA_FETCH_HEADERS_MAX) {
        return NGX_DECLINED;
    }

    last = &fetch->list;

    for (i = 0; i < n; i++) {

        for (j = 0; j < lines[i].len; j++) {
            if (lines[i].data[j] < ' ' || lines[i].data[j] == 0x7f
                || (fetch->mail && (lines[i].data[j] == ' '
                                    || lines[i].data[j] == '<'
                                    || lines[i].data[j] == '>')))
            {
                return NGX_DECLINED;
            }
        }

        item = ngx_pcalloc(fetch->pool, sizeof(struct curl_slist));
        if (item == NULL) {
            return NGX_ERROR;
        }

        item->data = ngx_pnalloc(fetch->pool, lines[i].len + 1);
        if (item->data == NULL) {
            return NGX_ERROR;
        }

        ngx_cpystrn((u_char *) item->data, lines[i].data, lines[i].len + 1);

        *last = item;
        last = &item->next;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_fetch_payload(ngx_azora_fetch_t *fetch, const ngx_str_t *payload)
{
    if (payload->data == NULL) {
        return NGX_OK;
    }

    fetch->payload.data = ngx_pnalloc(fetch->pool, payload->len + 1);
    if (fetch->payload.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(fetch->payload.data, payload->data, payload->len);
    fetch->payload.len = payload->len;

    return NGX_OK;
}


void
ngx_azora_fetch_cancel(ngx_azora_fetch_t *fetch)
{
    ngx_azora_fetch_free(fetch);
    ngx_destroy_pool(fetch->pool);
    ngx_azora_fetch_wake();
}


void
ngx_azora_fetch_finish(ngx_azora_fetch_t *fetch,
    ngx_azora_fetch_status_e status)
{
    fetch->status = status;

    ngx_azora_fetch_free(fetch);
    ngx_azora_metric_add(ngx_azora_main_conf->fetch.metrics[status], 1);

    fetch->handler(fetch, fetch->data);

    ngx_destroy_pool(fetch->pool);
    ngx_azora_fetch_wake();
}


/* Takes it out of everything; its memory stays. */

static void
ngx_azora_fetch_free(ngx_azora_fetch_t *fetch)
{
    ngx_azora_fetch_curl_stop(fetch);

    ngx_queue_remove(&fetch->queue);

    if (fetch->running) {
        ngx_azora_fetch_nrunning--;

    } else {
        ngx_azora_fetch_nwaiting--;
    }

    if (fetch->timer.timer_set) {
        ngx_del_timer(&fetch->timer);
    }
}


/* The next turn of the loop, so that no handler runs inside its own call. */

static void
ngx_azora_fetch_wake(void)
{
    if (!ngx_azora_fetch_ended && !ngx_azora_fetch_start.posted
        && !ngx_queue_empty(&ngx_azora_fetch_waiting))
    {
        ngx_post_event(&ngx_azora_fetch_start, &ngx_posted_next_events);
    }
}


static void
ngx_azora_fetch_start_handler(ngx_event_t *ev)
{
    ngx_azora_fetch_t  *fetch;

    while (!ngx_queue_empty(&ngx_azora_fetch_waiting)
           && ngx_azora_fetch_nrunning < ngx_azora_main_conf->fetch.running)
    {
        fetch = ngx_queue_data(ngx_queue_head(&ngx_azora_fetch_waiting),
                               ngx_azora_fetch_t, queue);

        if (fetch->status != NGX_AZORA_FETCH_OK) {
            ngx_azora_fetch_finish(fetch, fetch->status);
            continue;
        }

        ngx_queue_remove(&fetch->queue);
        ngx_azora_fetch_nwaiting--;

        ngx_queue_insert_tail(&ngx_azora_fetch_running, &fetch->queue);
        ngx_azora_fetch_nrunning++;
        fetch->running = 1;

        if (ngx_azora_fetch_curl_start(fetch) != NGX_OK) {
            ngx_azora_fetch_finish(fetch, fetch->status);
        }
    }
}


static void
ngx_azora_fetch_deadline_handler(ngx_event_t *ev)
{
    ngx_azora_fetch_t  *fetch;

    fetch = (ngx_azora_fetch_t *) ((u_char *) ev
                                   - offsetof(ngx_azora_fetch_t, timer));

    ngx_cpystrn((u_char *) fetch->reason,
                fetch->running ? (u_char *) "no whole answer in time"
                               : (u_char *) "its turn did not come in time",
                CURL_ERROR_SIZE);

    ngx_azora_fetch_finish(fetch, NGX_AZORA_FETCH_TIMEOUT);
}


ngx_azora_fetch_status_e
ngx_azora_fetch_status(ngx_azora_fetch_t *fetch)
{
    return fetch->status;
}


ngx_uint_t
ngx_azora_fetch_code(ngx_azora_fetch_t *fetch)
{
    return fetch->code;
}


ngx_str_t
ngx_azora_fetch_body(ngx_azora_fetch_t *fetch)
{
    return fetch->body;
}


const char *
ngx_azora_fetch_reason(ngx_azora_fetch_t *fetch)
{
    return fetch->reason;
}


ngx_int_t
ngx_azora_fetch_header(ngx_azora_fetch_t *fetch, const char *name,
    ngx_str_t *value)
{
    size_t   len;
    u_char  *p, *end, *last;

    len = ngx_strlen(name);
    p = fetch->head.data;
    last = p + fetch->head.len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, LF);
        if (end == NULL) {
            break;
        }

        if ((size_t) (end - p) <= len || p[len] != ':'
            || ngx_strncasecmp(p, (u_char *) name, len) != 0)
        {
            continue;
        }

        p += len + 1;

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        value->data = p;
        value->len = end - p;

        while (value->len && value->data[value->len - 1] <= ' ') {
            value->len--;
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}
