
/*
 * What a process has of the zone: its slot, and the histograms in it.
 */


#include "ngx_azora_shm.h"
#include <signal.h>


#define NGX_AZORA_SHM_TICK          1000   /* ms between looks at the lanes */


static ngx_azora_slot_t *ngx_azora_shm_claim(ngx_azora_names_t *names);
static void ngx_azora_shm_forget_gauges(ngx_azora_slot_t *slot);
static void ngx_azora_shm_tick(ngx_event_t *ev);


static ngx_azora_slot_t   *ngx_azora_own_slot;
static ngx_azora_names_t  *ngx_azora_own_names;
static ngx_pid_t           ngx_azora_own_pid;
static ngx_event_t         ngx_azora_tick_event;


ngx_azora_slot_t *
ngx_azora_shm_slot(void)
{
    ngx_azora_names_t  *names;

    if (ngx_azora_main_conf == NULL) {
        return NULL;
    }

    names = ngx_azora_main_conf->names;

    if (ngx_azora_own_names == names && ngx_azora_own_pid == ngx_pid) {
        return ngx_azora_own_slot;
    }

    if (names == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NULL;
    }

    /* a new process, or a reload without a master process */
    ngx_azora_own_slot = ngx_azora_shm_claim(names);
    ngx_azora_own_names = names;
    ngx_azora_own_pid = ngx_pid;

    return ngx_azora_own_slot;
}


static ngx_azora_slot_t *
ngx_azora_shm_claim(ngx_azora_names_t *names)
{
    ngx_uint_t         n;
    ngx_atomic_uint_t  slots;
    ngx_azora_slot_t  *slot;

    n = (ngx_uint_t) ngx_process_slot % NGX_AZORA_SLOTS;
    slot = &names->slots[n];

    if (slot->pid != (ngx_atomic_uint_t) ngx_pid) {

        if (!ngx_azora_shm_alive(slot)) {
            ngx_azora_shm_forget_gauges(slot);
        }

        slot->pid = ngx_pid;
        slot->used = 1;
    }

    do {
        slots = names->node->slots;

    } while (slots < n + 1
             && !ngx_atomic_cmp_set(&names->node->slots, slots, n + 1));

    return slot;
}


/* A gauge tells of a living process; counters outlive theirs. */

static void
ngx_azora_shm_forget_gauges(ngx_azora_slot_t *slot)
{
    ngx_uint_t           i;
    ngx_azora_names_t   *names;
    ngx_azora_metric_t  *metrics;

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        slot->lanes[i] = 0;
    }

    names = ngx_azora_main_conf->names;
    metrics = ngx_azora_main_conf->metrics.elts;

    for (i = 0; i < ngx_azora_main_conf->metrics.nelts; i++) {

        if (metrics[i].type == NGX_AZORA_GAUGE
            && names->metrics[i] != NGX_AZORA_UNNAMED)
        {
            slot->metrics[names->metrics[i]] = 0;
        }
    }
}


ngx_uint_t
ngx_azora_shm_alive(const ngx_azora_slot_t *slot)
{
    ngx_pid_t  pid;

    pid = (ngx_pid_t) slot->pid;

    if (pid == 0) {
        return 0;
    }

    return pid == ngx_pid || kill(pid, 0) == 0 || ngx_errno != ESRCH;
}


ngx_uint_t
ngx_azora_shm_cell(ngx_azora_names_t *names, uint32_t key,
    volatile uint16_t *place)
{
    uint32_t           cell;
    ngx_slab_pool_t   *pool;
    ngx_azora_node_t  *node;

    if (*place != 0) {
        return *place - 1;
    }

    node = names->node;
    pool = (ngx_slab_pool_t *) ngx_azora_main_conf->zone->shm.addr;

    if (node->cells == NGX_AZORA_CELLS_MAX) {
        (void) ngx_atomic_fetch_add(&node->dropped, 1);

        if (ngx_azora_cell_kind(key) == NGX_AZORA_CELL_OWN) {
            return NGX_AZORA_NONE;
        }

        return ngx_azora_cell_kind(key) == NGX_AZORA_CELL_HTTP
               ? NGX_AZORA_CELL_HTTP_OTHER : NGX_AZORA_CELL_DB_OTHER;
    }

    ngx_shmtx_lock(&pool->mutex);

    /* another process may have been here, or have died between two writes */
    for (cell = 0; cell < node->cells; cell++) {
        if (node->keys[cell] == key) {
            break;
        }
    }

    if (cell == node->cells && cell < NGX_AZORA_CELLS_MAX) {
        node->keys[cell] = key;
        ngx_memory_barrier();
        node->cells = cell + 1;
    }

    if (cell < NGX_AZORA_CELLS_MAX) {
        ngx_memory_barrier();
        *place = cell + 1;
    }

    ngx_shmtx_unlock(&pool->mutex);

    if (cell == NGX_AZORA_CELLS_MAX) {
        return ngx_azora_shm_cell(names, key, place);
    }

    return cell;
}


ngx_azora_labelled_t *
ngx_azora_shm_labelled(ngx_azora_names_t *names, uint16_t metric,
    const u_char *value, size_t len)
{
    uint32_t               i;
    ngx_slab_pool_t       *pool;
    ngx_azora_node_t      *node;
    ngx_azora_labelled_t  *labelled;

    node = names->node;
    labelled = node->labelled;
    i = 0;

again:

    for ( /* void */ ; i < node->nlabelled; i++) {
        if (labelled[i].metric == metric && labelled[i].len == len
            && ngx_memcmp(labelled[i].value, value, len) == 0)
        {
            return &labelled[i];
        }
    }

    if (i == NGX_AZORA_LABELLED_MAX) {
        return NULL;
    }

    pool = (ngx_slab_pool_t *) ngx_azora_main_conf->zone->shm.addr;

    ngx_shmtx_lock(&pool->mutex);

    if (i == node->nlabelled) {
        labelled[i].metric = metric;
        labelled[i].len = len;
        ngx_memcpy(labelled[i].value, value, len);
        labelled[i].count = 0;
        ngx_memory_barrier();
        node->nlabelled = i + 1;
    }

    ngx_shmtx_unlock(&pool->mutex);

    goto again;
}


/*
 * Only its own process can ask libpq for a lane's connections, so each writes
 * them down for whoever is asked for the metrics.
 */

ngx_int_t
ngx_azora_shm_init_process(ngx_cycle_t *cycle)
{
    if (ngx_azora_shm_slot() == NULL) {
        return NGX_OK;
    }

    ngx_azora_event(&ngx_azora_tick_event, ngx_azora_shm_tick, cycle->log);
    ngx_azora_tick_event.cancelable = 1;

    ngx_add_timer(&ngx_azora_tick_event, NGX_AZORA_SHM_TICK);

    return NGX_OK;
}


static void
ngx_azora_shm_tick(ngx_event_t *ev)
{
    ngx_uint_t         i;
    ngx_azora_slot_t  *slot;

    slot = ngx_azora_shm_slot();

    if (slot == NULL) {
        return;
    }

    for (i = 0; i < NGX_AZORA_LANE_MAX; i++) {
        slot->lanes[i] = ngx_azora_pg_connected(i);
    }

    ngx_add_timer(ev, NGX_AZORA_SHM_TICK);
}


void
ngx_azora_shm_exit_process(ngx_cycle_t *cycle)
{
    ngx_azora_slot_t  *slot;

    slot = ngx_azora_shm_slot();

    if (slot == NULL) {
        return;
    }

    if (ngx_azora_tick_event.timer_set) {
        ngx_del_timer(&ngx_azora_tick_event);
    }

    if (slot->pid == (ngx_atomic_uint_t) ngx_pid) {
        slot->pid = 0;
    }
}
