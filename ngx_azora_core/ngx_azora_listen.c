
/*
 * Generations: named counters that PostgreSQL owns.  Worker 0 hears of them
 * (ngx_azora_listener.c) and stores them in shared memory; every worker looks
 * there for what moved and calls those who watch it.
 */


#include "ngx_azora_listen.h"


/*
 * Half of the 100 ms within which a watcher is called, should the wake that
 * brings it at once be lost.
 */
#define NGX_AZORA_LISTEN_TICK_MS    50


static ngx_int_t ngx_azora_generation_find(const ngx_array_t *generations,
    const u_char *name, size_t len);
static ngx_atomic_t *ngx_azora_generation_place(const ngx_str_t *name);
static void ngx_azora_listen_tick(ngx_event_t *ev);


static ngx_event_t  ngx_azora_listen_timer;
static ngx_uint_t   ngx_azora_listen_first;      /* this is worker 0 */
static ngx_msec_t   ngx_azora_listen_lease;      /* granted by us, or 0 */
static uint64_t     ngx_azora_listen_seen[NGX_AZORA_GENERATIONS_MAX];


ngx_uint_t
ngx_azora_generation_index(ngx_conf_t *cf, const char *name)
{
    ngx_int_t               n;
    ngx_str_t              *generation;
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    n = ngx_azora_generation_find(&amcf->generations, (u_char *) name,
                                  ngx_strlen(name));
    if (n != NGX_DECLINED) {
        return n;
    }

    if (amcf->generations.nelts == NGX_AZORA_GENERATIONS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: generation \"%s\" is one too many, there "
                           "can be %d", name, NGX_AZORA_GENERATIONS_MAX);
        return NGX_AZORA_NONE;
    }

    generation = ngx_array_push(&amcf->generations);
    if (generation == NULL) {
        return NGX_AZORA_NONE;
    }

    generation->data = (u_char *) name;
    generation->len = ngx_strlen(name);

    return amcf->generations.nelts - 1;
}


ngx_int_t
ngx_azora_on_generation(ngx_conf_t *cf, const char *name,
    ngx_azora_generation_pt handler)
{
    ngx_uint_t              index;
    ngx_azora_watcher_t    *watcher;
    ngx_azora_main_conf_t  *amcf;

    index = ngx_azora_generation_index(cf, name);
    if (index == NGX_AZORA_NONE) {
        return NGX_ERROR;
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    watcher = ngx_array_push(&amcf->watchers);
    if (watcher == NULL) {
        return NGX_ERROR;
    }

    watcher->index = index;
    watcher->handler = handler;

    return NGX_OK;
}


uint64_t
ngx_azora_generation(ngx_uint_t index)
{
    return ngx_azora_listening() ? ngx_azora_generation_last(index) : 0;
}


uint64_t
ngx_azora_generation_last(ngx_uint_t index)
{
    ngx_atomic_t  *place;

    place = ngx_azora_shm_generation(index);

    return place ? (uint64_t) *place : 0;
}


ngx_uint_t
ngx_azora_generation_falls(void)
{
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();

    return shm ? (ngx_uint_t) shm->falls : 0;
}


ngx_uint_t
ngx_azora_listening(void)
{
    ngx_msec_t        lease;
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();
    if (shm == NULL) {
        return 0;
    }

    lease = (ngx_msec_t) shm->listening;

    return lease != 0 && (ngx_msec_int_t) (lease - ngx_current_msec) > 0;
}


ngx_msec_t
ngx_azora_listened(void)
{
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();

    return shm ? (ngx_msec_t) shm->listened : 0;
}


uint64_t
ngx_azora_generation_store(const ngx_str_t *name, uint64_t value)
{
    uint64_t       old;
    ngx_atomic_t  *place;

    place = ngx_azora_generation_place(name);
    if (place == NULL) {
        return value;
    }

    old = (uint64_t) *place;

    if (old != value) {
        *place = (ngx_atomic_uint_t) value;
    }

    if (value < old) {
        (void) ngx_atomic_fetch_add(&ngx_azora_shm()->falls, 1);
    }

    return old;
}


void
ngx_azora_generation_hint(const ngx_str_t *name, uint64_t value)
{
    ngx_atomic_t       *place;
    ngx_atomic_uint_t   old;

    if (ngx_azora_listening()) {
        return;
    }

    place = ngx_azora_generation_place(name);
    if (place == NULL) {
        return;
    }

    do {
        old = *place;

        if (value <= (uint64_t) old) {
            return;
        }

    } while (!ngx_atomic_cmp_set(place, old, (ngx_atomic_uint_t) value));
}


ngx_int_t
ngx_azora_generation_parse(u_char *data, size_t len, ngx_str_t *name,
    uint64_t *value)
{
    off_t    n;
    u_char  *blank;

    blank = ngx_strlchr(data, data + len, ' ');

    if (blank == NULL || blank == data) {
        return NGX_DECLINED;
    }

    n = ngx_atoof(blank + 1, data + len - (blank + 1));

    if (n <= 0) {
        return NGX_DECLINED;
    }

    name->data = data;
    name->len = blank - data;
    *value = (uint64_t) n;

    return NGX_OK;
}


void
ngx_azora_generation_confirm(void)
{
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();
    if (shm == NULL) {
        return;
    }

    ngx_azora_listen_lease = ngx_current_msec + NGX_AZORA_LISTEN_LEASE_MS;
    ngx_azora_listen_lease += (ngx_azora_listen_lease == 0);

    shm->listening = ngx_azora_listen_lease;
    shm->listened = ngx_current_msec;
}


void
ngx_azora_generation_withdraw(void)
{
    ngx_msec_t        lease;
    ngx_azora_shm_t  *shm;

    shm = ngx_azora_shm();
    lease = ngx_azora_listen_lease;

    if (shm == NULL || lease == 0) {
        return;
    }

    ngx_azora_listen_lease = 0;

    /* another worker 0 may have confirmed since: a reload has two of them */

    (void) ngx_atomic_cmp_set(&shm->listening, lease, 0);
}


ngx_int_t
ngx_azora_listen_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t     i;
    ngx_atomic_t  *place;

    if (ngx_azora_main_conf->pg.primary == NULL) {
        return NGX_OK;
    }

    /* what moved before this worker lived is no news to it */

    for (i = 0; i < ngx_azora_main_conf->generations.nelts; i++) {
        place = ngx_azora_shm_generation(i);
        ngx_azora_listen_seen[i] = place ? (uint64_t) *place : 0;
    }

    ngx_azora_listen_first = (ngx_worker == 0);

    ngx_azora_event(&ngx_azora_listen_timer, ngx_azora_listen_tick,
                    cycle->log);
    ngx_azora_listen_timer.cancelable = 1;

    ngx_add_timer(&ngx_azora_listen_timer, NGX_AZORA_LISTEN_TICK_MS);

    if (ngx_azora_wake_init_process(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_azora_listen_first) {
        ngx_azora_listener_start(cycle);
    }

    return NGX_OK;
}


void
ngx_azora_listen_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_azora_listen_timer.timer_set) {
        ngx_del_timer(&ngx_azora_listen_timer);
    }

    ngx_azora_wake_exit_process();

    if (ngx_azora_listen_first) {
        ngx_azora_listener_stop();
    }
}


static ngx_int_t
ngx_azora_generation_find(const ngx_array_t *generations, const u_char *name,
    size_t len)
{
    ngx_str_t   *generation;
    ngx_uint_t   i;

    generation = generations->elts;

    for (i = 0; i < generations->nelts; i++) {
        if (generation[i].len == len
            && ngx_memcmp(generation[i].data, name, len) == 0)
        {
            return i;
        }
    }

    return NGX_DECLINED;
}


static ngx_atomic_t *
ngx_azora_generation_place(const ngx_str_t *name)
{
    ngx_int_t  n;

    n = ngx_azora_generation_find(&ngx_azora_main_conf->generations,
                                  name->data, name->len);

    return (n == NGX_DECLINED) ? NULL : ngx_azora_shm_generation(n);
}


static void
ngx_azora_listen_tick(ngx_event_t *ev)
{
    ngx_azora_shm_t  *shm;

    if (ngx_exiting) {
        return;
    }

    shm = ngx_azora_shm();

    if (ngx_azora_listen_lease && shm && shm->listening == 0) {
        /* withdrawn by the worker 0 of the configuration before ours */
        shm->listening = ngx_azora_listen_lease;
    }

    ngx_azora_generation_look();

    ngx_add_timer(ev, NGX_AZORA_LISTEN_TICK_MS);
}


void
ngx_azora_generation_look(void)
{
    uint64_t              value;
    ngx_uint_t            i, k;
    ngx_atomic_t         *place;
    ngx_azora_watcher_t  *watcher;

    watcher = ngx_azora_main_conf->watchers.elts;

    for (i = 0; i < ngx_azora_main_conf->generations.nelts; i++) {

        place = ngx_azora_shm_generation(i);
        value = place ? (uint64_t) *place : 0;

        if (value == ngx_azora_listen_seen[i]) {
            continue;
        }

        ngx_azora_listen_seen[i] = value;

        for (k = 0; k < ngx_azora_main_conf->watchers.nelts; k++) {
            if (watcher[k].index == i) {
                watcher[k].handler(i, value);
            }
        }
    }
}
