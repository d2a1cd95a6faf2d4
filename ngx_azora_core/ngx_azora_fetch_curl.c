
/*
 * libcurl's multi interface on NGINX's event loop: its sockets become NGINX
 * connections, its one timer an NGINX timer.  It is first set up when a
 * worker calls somebody, so a worker that never does holds none of it.
 *
 * libcurl must not be entered from its own callbacks: those only note what
 * happened, and every handler runs after it has returned.
 */


#include "ngx_azora_fetch.h"
#include <openssl/err.h>
#include <pthread.h>


/* idle connections that are kept for the next call */
#define NGX_AZORA_FETCH_KEEP        16


static ngx_int_t ngx_azora_fetch_multi(ngx_log_t *log);
static ngx_int_t ngx_azora_fetch_multi_options(void);
static void ngx_azora_fetch_action(curl_socket_t fd, int events);
static void ngx_azora_fetch_collect(void);
static int ngx_azora_fetch_timer(CURLM *multi, long ms, void *data);
static void ngx_azora_fetch_timer_handler(ngx_event_t *ev);
static int ngx_azora_fetch_socket(CURL *easy, curl_socket_t fd, int what,
    void *data, void *socket);
static void ngx_azora_fetch_watch(ngx_event_t *ev, ngx_int_t event,
    ngx_uint_t wanted);
static void ngx_azora_fetch_release(ngx_connection_t *c);
static ngx_uint_t ngx_azora_fetch_closed(ngx_connection_t *c);
static uintptr_t ngx_azora_fetch_identity(curl_socket_t fd);
static void ngx_azora_fetch_nudge(CURL *easy);
static void ngx_azora_fetch_nudge_handler(ngx_event_t *ev);
static void ngx_azora_fetch_read_handler(ngx_event_t *rev);
static void ngx_azora_fetch_write_handler(ngx_event_t *wev);


static CURLM       *ngx_azora_fetch_curl;
static ngx_event_t  ngx_azora_fetch_curl_timer;

/* connections by their queue, each with its socket's identity as data */
static ngx_queue_t  ngx_azora_fetch_watched;


ngx_int_t
ngx_azora_fetch_curl_start(ngx_azora_fetch_t *fetch)
{
    CURLMcode  rc;

    if (ngx_azora_fetch_multi(fetch->pool->log) == NGX_OK) {
        fetch->easy = ngx_azora_fetch_easy(fetch);
    }

    if (fetch->easy == NULL) {
        fetch->status = NGX_AZORA_FETCH_UNREACHABLE;
        ngx_cpystrn((u_char *) fetch->reason, (u_char *) "out of memory",
                    CURL_ERROR_SIZE);
        return NGX_ERROR;
    }

    /* only sets the timer to now */

    rc = curl_multi_add_handle(ngx_azora_fetch_curl, fetch->easy);

    if (rc != CURLM_OK) {
        fetch->status = NGX_AZORA_FETCH_UNREACHABLE;
        ngx_cpystrn((u_char *) fetch->reason,
                    (u_char *) curl_multi_strerror(rc), CURL_ERROR_SIZE);
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_azora_fetch_curl_stop(ngx_azora_fetch_t *fetch)
{
    long  code;

    if (fetch->easy == NULL) {
        return;
    }

    if (curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &code)
        == CURLE_OK)
    {
        fetch->code = code;
    }

    (void) curl_multi_remove_handle(ngx_azora_fetch_curl, fetch->easy);
    curl_easy_cleanup(fetch->easy);
    fetch->easy = NULL;

    if (fetch->nudge.posted) {
        ngx_delete_posted_event(&fetch->nudge);
    }

    /* what is left there NGINX would take for an error of its own */
    ERR_clear_error();
}


void
ngx_azora_fetch_curl_exit(void)
{
    if (ngx_azora_fetch_curl == NULL) {
        return;
    }

    (void) curl_multi_cleanup(ngx_azora_fetch_curl);
    ngx_azora_fetch_curl = NULL;

    curl_global_cleanup();
    ERR_clear_error();

    if (ngx_azora_fetch_curl_timer.timer_set) {
        ngx_del_timer(&ngx_azora_fetch_curl_timer);
    }
}


static ngx_int_t
ngx_azora_fetch_multi(ngx_log_t *log)
{
    if (ngx_azora_fetch_curl != NULL) {
        return NGX_OK;
    }

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NGX_ERROR;
    }

    ngx_azora_event(&ngx_azora_fetch_curl_timer,
                    ngx_azora_fetch_timer_handler, ngx_cycle->log);

    /* the calls' own deadlines keep an old worker alive, nothing else does */
    ngx_azora_fetch_curl_timer.cancelable = 1;

    ngx_queue_init(&ngx_azora_fetch_watched);

    ngx_azora_fetch_curl = curl_multi_init();

    if (ngx_azora_fetch_curl != NULL
        && ngx_azora_fetch_multi_options() == NGX_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, log, 0, "azora: libcurl cannot be set up");

    if (ngx_azora_fetch_curl != NULL) {
        (void) curl_multi_cleanup(ngx_azora_fetch_curl);
        ngx_azora_fetch_curl = NULL;
    }

    curl_global_cleanup();

    return NGX_ERROR;
}


static ngx_int_t
ngx_azora_fetch_multi_options(void)
{
    CURLM  *multi;

    multi = ngx_azora_fetch_curl;

    if (curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION,
                          ngx_azora_fetch_socket)
        != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION,
                             ngx_azora_fetch_timer)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             (long) NGX_AZORA_FETCH_KEEP)
           != CURLM_OK
        || curl_multi_setopt(multi, CURLMOPT_PIPELINING,
                             (long) CURLPIPE_NOTHING)
           != CURLM_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Lets libcurl go on.  It may start a thread that looks a name up: a signal
 * that came to that thread would not wake the worker, so it gets none.
 */

static void
ngx_azora_fetch_action(curl_socket_t fd, int events)
{
    int        running;
    sigset_t   all, before;
    CURLMcode  rc;

    sigfillset(&all);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGSEGV);

    (void) pthread_sigmask(SIG_BLOCK, &all, &before);

    rc = curl_multi_socket_action(ngx_azora_fetch_curl, fd, events, &running);

    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);

    ERR_clear_error();

    if (rc != CURLM_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "azora: libcurl: %s",
                      curl_multi_strerror(rc));
    }

    ngx_azora_fetch_collect();
}


static void
ngx_azora_fetch_collect(void)
{
    int                 left;
    CURLMsg            *message;
    CURLcode            rc;
    ngx_azora_fetch_t  *fetch;

    /* a handler may end the whole of it */

    while (ngx_azora_fetch_curl != NULL) {

        message = curl_multi_info_read(ngx_azora_fetch_curl, &left);
        if (message == NULL) {
            return;
        }

        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        rc = message->data.result;
        fetch = NULL;

        (void) curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE,
                                 &fetch);

        ngx_azora_fetch_finish(fetch, ngx_azora_fetch_outcome(fetch, rc));
    }
}


static int
ngx_azora_fetch_timer(CURLM *multi, long ms, void *data)
{
    /* a timer that is set may be kept as good enough: it is not */

    if (ngx_azora_fetch_curl_timer.timer_set) {
        ngx_del_timer(&ngx_azora_fetch_curl_timer);
    }

    if (ms >= 0) {
        ngx_add_timer(&ngx_azora_fetch_curl_timer, (ngx_msec_t) ms);
    }

    return 0;
}


static void
ngx_azora_fetch_timer_handler(ngx_event_t *ev)
{
    ngx_azora_fetch_action(CURL_SOCKET_TIMEOUT, 0);
}


/*
 * Never -1: that would be the end of all calls.  A socket that cannot be
 * watched is left to its call's deadline.
 */

static int
ngx_azora_fetch_socket(CURL *easy, curl_socket_t fd, int what, void *data,
    void *socket)
{
    ngx_connection_t *c = socket;

    if (what == CURL_POLL_REMOVE) {

        if (c != NULL) {
            if (ngx_azora_fetch_closed(c)) {
                ngx_azora_fetch_nudge(easy);
            }

            ngx_azora_fetch_release(c);
            (void) curl_multi_assign(ngx_azora_fetch_curl, fd, NULL);
        }

        return 0;
    }

    if (c == NULL) {
        c = ngx_get_connection(fd, ngx_cycle->log);
        if (c == NULL) {
            return 0;
        }

        c->read->handler = ngx_azora_fetch_read_handler;
        c->write->handler = ngx_azora_fetch_write_handler;
        c->read->log = ngx_cycle->log;
        c->write->log = ngx_cycle->log;

        c->data = (void *) ngx_azora_fetch_identity(fd);
        ngx_queue_insert_tail(&ngx_azora_fetch_watched, &c->queue);

        if (curl_multi_assign(ngx_azora_fetch_curl, fd, c) != CURLM_OK) {
            ngx_azora_fetch_release(c);
            return 0;
        }
    }

    ngx_azora_fetch_watch(c->read, NGX_READ_EVENT, what & CURL_POLL_IN);
    ngx_azora_fetch_watch(c->write, NGX_WRITE_EVENT, what & CURL_POLL_OUT);

    return 0;
}


static void
ngx_azora_fetch_watch(ngx_event_t *ev, ngx_int_t event, ngx_uint_t wanted)
{
    if (wanted && !ev->active) {
        (void) ngx_add_event(ev, event, NGX_LEVEL_EVENT);

    } else if (!wanted && ev->active) {
        (void) ngx_del_event(ev, event, 0);
    }
}


void
ngx_azora_fetch_curl_opened(curl_socket_t fd)
{
    ngx_uint_t         in, out;
    ngx_queue_t       *q;
    ngx_connection_t  *c;

    for (q = ngx_queue_head(&ngx_azora_fetch_watched);
         q != ngx_queue_sentinel(&ngx_azora_fetch_watched);
         q = ngx_queue_next(q))
    {
        c = ngx_queue_data(q, ngx_connection_t, queue);

        if (c->fd != fd) {
            continue;
        }

        in = c->read->active;
        out = c->write->active;

        (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_CLOSE_EVENT);
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, NGX_CLOSE_EVENT);

        c->data = (void *) ngx_azora_fetch_identity(fd);
        ngx_azora_fetch_watch(c->read, NGX_READ_EVENT, in);
        ngx_azora_fetch_watch(c->write, NGX_WRITE_EVENT, out);

        return;
    }
}


static void
ngx_azora_fetch_release(ngx_connection_t *c)
{
    if (ngx_azora_fetch_closed(c)) {
        (void) ngx_del_event(c->read, NGX_READ_EVENT, NGX_CLOSE_EVENT);
        (void) ngx_del_event(c->write, NGX_WRITE_EVENT, NGX_CLOSE_EVENT);

    } else {
        ngx_azora_fetch_watch(c->read, NGX_READ_EVENT, 0);
        ngx_azora_fetch_watch(c->write, NGX_WRITE_EVENT, 0);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    ngx_queue_remove(&c->queue);
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;
}


/*
 * libcurl tells before it closes a socket, but for one whose connection never
 * came about (7.88, and seen up to 8.6).
 */

static ngx_uint_t
ngx_azora_fetch_closed(ngx_connection_t *c)
{
    return ngx_azora_fetch_identity(c->fd) != (uintptr_t) c->data;
}


/* No two sockets have the same; 0: no descriptor. */

static uintptr_t
ngx_azora_fetch_identity(curl_socket_t fd)
{
    struct stat  st;

    return (fstat(fd, &st) == 0) ? (uintptr_t) st.st_ino : 0;
}


/*
 * Where it closes so, libcurl 7.88 also forgets to go on to the next address
 * before the whole call's time is over.  The end of a pause makes it go on.
 */

static void
ngx_azora_fetch_nudge(CURL *easy)
{
    ngx_azora_fetch_t  *fetch;

    fetch = NULL;

    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch) != CURLE_OK
        || fetch == NULL)
    {
        return;
    }

    fetch->nudge.handler = ngx_azora_fetch_nudge_handler;
    fetch->nudge.data = fetch;
    fetch->nudge.log = fetch->pool->log;

    ngx_post_event(&fetch->nudge, &ngx_posted_events);
}


static void
ngx_azora_fetch_nudge_handler(ngx_event_t *ev)
{
    ngx_azora_fetch_t  *fetch;

    fetch = ev->data;

    (void) curl_easy_pause(fetch->easy, CURLPAUSE_RECV);
    (void) curl_easy_pause(fetch->easy, CURLPAUSE_CONT);
}


static void
ngx_azora_fetch_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    ngx_azora_fetch_action(c->fd, CURL_CSELECT_IN);
}


static void
ngx_azora_fetch_write_handler(ngx_event_t *wev)
{
    ngx_connection_t  *c;

    c = wev->data;

    ngx_azora_fetch_action(c->fd, CURL_CSELECT_OUT);
}
