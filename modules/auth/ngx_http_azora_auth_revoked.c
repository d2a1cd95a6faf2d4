
/*
 * Tokens that ended before they expire: logouts, changed roles, locked
 * accounts, revoked keys.
 *
 * PostgreSQL numbers each with the value of the generation "sessions" in the
 * order of their commits, and tells every node of that value.  A worker whose
 * list is behind reads what is new before it answers: requests wait for that
 * one query together.  So no request costs a query, and none is answered by a
 * list that is known to be old.
 *
 * When nobody hears PostgreSQL, the list is read once a second.  When that
 * fails too, it counts for azora_auth_stale from when it was last known to be
 * true; then tokens are refused with 503 until PostgreSQL is back.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_FRESH_MS    1000  /* without notifications */
#define NGX_HTTP_AZORA_AUTH_RETRY_MS    1000  /* after a failure */
#define NGX_HTTP_AZORA_AUTH_LOAD_MS     2000

/* by then a notification has come, or its connection counts as lost */
#define NGX_HTTP_AZORA_AUTH_CAUSED_MS   5000

/*
 * The limit of identity.revocations(): so many, and the generation's own row,
 * mean that there are more.  Room is left for those that come later.
 */
#define NGX_HTTP_AZORA_AUTH_ROWS_MAX    49153


/* What this node caused itself, before the notification comes. */

typedef struct {
    ngx_atomic_t                generation;
    ngx_atomic_t                until;        /* ngx_current_msec */
} ngx_http_azora_auth_caused_t;

typedef struct {
    uint64_t                    generation;   /* the list is complete up to
                                                 here; 0: never read */
    ngx_uint_t                  falls;        /* the list is not of before the
                                                 last of so many */
    uint64_t                    started;      /* loads */
    uint64_t                    finished;
    ngx_msec_t                  asked;        /* when the running one began */
    ngx_msec_t                  read;         /* same, of the last good one */
    ngx_msec_t                  known;        /* when the list was last true */
    ngx_msec_t                  failed;
    ngx_uint_t                  whole;        /* the running one reads all */
    ngx_uint_t                  down;         /* the last one failed */
    ngx_azora_op_t             *op;
    ngx_queue_t                 waiting;
} ngx_http_azora_auth_revoked_t;


static ngx_int_t ngx_http_azora_auth_caused_init(ngx_shm_zone_t *zone,
    void *data);
static void ngx_http_azora_auth_moved(ngx_uint_t index, uint64_t value);
static uint64_t ngx_http_azora_auth_latest(
    const ngx_http_azora_auth_main_conf_t *conf);
static ngx_uint_t ngx_http_azora_auth_fell(void);
static ngx_uint_t ngx_http_azora_auth_list_fresh(uint64_t generation);
static ngx_uint_t ngx_http_azora_auth_list_counts(
    const ngx_http_azora_auth_main_conf_t *conf);
static ngx_uint_t ngx_http_azora_auth_retry(void);
static ngx_int_t ngx_http_azora_auth_load(void);
static void ngx_http_azora_auth_loaded(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_auth_load_rows(ngx_azora_op_t *op);
static void ngx_http_azora_auth_wake(void);


static ngx_shm_zone_t                *ngx_http_azora_auth_caused_zone;
static const ngx_azora_statement_t   *ngx_http_azora_auth_statement;
static ngx_http_azora_auth_revoked_t  ngx_http_azora_auth_state;


ngx_int_t
ngx_http_azora_auth_revoked_add(ngx_conf_t *cf)
{
    ngx_shm_zone_t  *zone;

    static ngx_str_t  name = ngx_string("azora_auth_caused");
    static ngx_str_t  sql = ngx_string("SELECT seq, target, epoch, at "
                          "FROM identity.revocations($1::bigint)");

    /* the primary: a standby may not know yet what a node was told */

    ngx_http_azora_auth_statement =
        ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE, "identity.revocations",
                            &sql, 1);
    if (ngx_http_azora_auth_statement == NULL) {
        return NGX_ERROR;
    }

    zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                 &ngx_http_azora_auth_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_http_azora_auth_caused_init;
    ngx_http_azora_auth_caused_zone = zone;

    return ngx_azora_on_generation(cf, "sessions", ngx_http_azora_auth_moved);
}


static ngx_int_t
ngx_http_azora_auth_caused_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t  *slab;

    slab = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL || zone->shm.exists) {
        zone->data = data ? data : slab->data;
        return NGX_OK;
    }

    slab->data = ngx_slab_calloc(slab, sizeof(ngx_http_azora_auth_caused_t));
    zone->data = slab->data;

    return zone->data ? NGX_OK : NGX_ERROR;
}


void
ngx_http_azora_auth_revoked_init(void)
{
    ngx_memzero(&ngx_http_azora_auth_state,
                sizeof(ngx_http_azora_auth_revoked_t));
    ngx_queue_init(&ngx_http_azora_auth_state.waiting);
    ngx_http_azora_auth_list_reset();
}


uint64_t
ngx_http_azora_auth_generation(const ngx_http_azora_auth_main_conf_t *conf)
{
    return ngx_azora_generation(conf->sessions)
           ? ngx_http_azora_auth_latest(conf) : 0;
}


/* The last one that this node heard of or caused. */

static uint64_t
ngx_http_azora_auth_latest(const ngx_http_azora_auth_main_conf_t *conf)
{
    uint64_t                       generation;
    ngx_http_azora_auth_caused_t  *caused;

    generation = ngx_azora_generation_last(conf->sessions);
    caused = ngx_http_azora_auth_caused_zone->data;

    if (caused != NULL && (uint64_t) caused->generation > generation
        && (ngx_msec_int_t) ((ngx_msec_t) caused->until - ngx_current_msec)
           > 0)
    {
        generation = (uint64_t) caused->generation;
    }

    return generation;
}


/*
 * A restored backup makes the numbers begin again from an earlier one: what is
 * marked with such a number must not meet its namesake.
 */

uint64_t
ngx_http_azora_auth_stamp(uint64_t generation)
{
    return (generation == 0)
           ? 0
           : generation + ((uint64_t) ngx_azora_generation_falls() << 48);
}


ngx_int_t
ngx_http_azora_auth_revoked_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    off_t                          value;
    ngx_atomic_uint_t              old;
    ngx_http_azora_auth_caused_t  *caused;

    value = ngx_atoof(ctx->reply.etag.data, ctx->reply.etag.len);
    ngx_str_null(&ctx->reply.etag);
    caused = ngx_http_azora_auth_caused_zone->data;

    if (value <= 0 || caused == NULL) {
        return NGX_OK;
    }

    for ( ;; ) {
        old = caused->generation;

        /* an old one may be of a time before a backup was restored */

        if ((ngx_atomic_uint_t) value <= old
            && (ngx_msec_int_t) ((ngx_msec_t) caused->until
                                 - ngx_current_msec) > 0)
        {
            break;
        }

        if (ngx_atomic_cmp_set(&caused->generation, old,
                               (ngx_atomic_uint_t) value))
        {
            break;
        }
    }

    caused->until = ngx_current_msec + NGX_HTTP_AZORA_AUTH_CAUSED_MS;

    return NGX_OK;
}


/* PostgreSQL told of a value: read before somebody has to wait for it. */

static void
ngx_http_azora_auth_moved(ngx_uint_t index, uint64_t value)
{
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (state->generation != 0 && !ngx_http_azora_auth_list_fresh(value)
        && state->op == NULL && !ngx_exiting)
    {
        (void) ngx_http_azora_auth_load();
    }
}


ngx_int_t
ngx_http_azora_auth_revoked(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *identity)
{
    ngx_http_azora_auth_ctx_t      *actx;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (ngx_http_azora_auth_list_fresh(ngx_http_azora_auth_generation(conf)))
    {
        state->known = ngx_current_msec;
        goto known;
    }

    actx = ngx_http_azora_auth_get_ctx(r);
    if (actx == NULL) {
        return NGX_ERROR;
    }

    if (actx->load == 0 && ngx_http_azora_auth_retry()) {

        /* a query that runs already may have begun too early for us */

        actx->load = state->started + 1;

        if (state->op == NULL && ngx_http_azora_auth_load() != NGX_OK) {
            return NGX_ERROR;
        }

        actx->queued = 1;
        ngx_queue_insert_tail(&state->waiting, &actx->queue);

        return NGX_AGAIN;
    }

    /* asked for this request, or just failed for another */

    if (actx->load != 0 && !state->down && state->generation != 0) {
        goto known;
    }

    if (!ngx_http_azora_auth_list_counts(conf)) {
        return NGX_BUSY;
    }

known:

    return ngx_http_azora_auth_list_has(identity) ? NGX_DECLINED : NGX_OK;
}


/* Whether a backup was restored: what was read is of another past. */

static ngx_uint_t
ngx_http_azora_auth_fell(void)
{
    return ngx_http_azora_auth_state.falls != ngx_azora_generation_falls();
}


static ngx_uint_t
ngx_http_azora_auth_list_fresh(uint64_t generation)
{
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (state->generation == 0 || ngx_http_azora_auth_fell()) {
        return 0;
    }

    if (generation != 0) {
        return state->generation >= generation;
    }

    return !state->down
           && ngx_current_msec - state->read < NGX_HTTP_AZORA_AUTH_FRESH_MS;
}


/* Whether it was true so lately that it is one still. */

static ngx_uint_t
ngx_http_azora_auth_list_counts(const ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_msec_t                      known, listened;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (state->generation == 0 || ngx_http_azora_auth_fell()) {
        return 0;
    }

    known = state->known;
    listened = ngx_azora_listened();

    /* nothing moved after it was read: true as long as somebody listened */

    if (state->generation >= ngx_http_azora_auth_latest(conf)
        && listened != 0 && (ngx_msec_int_t) (listened - known) > 0)
    {
        known = listened;
    }

    return ngx_current_msec - known <= (ngx_msec_t) conf->stale * 1000;
}


static ngx_uint_t
ngx_http_azora_auth_retry(void)
{
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    return !state->down || ngx_current_msec - state->failed
                           >= NGX_HTTP_AZORA_AUTH_RETRY_MS;
}


void
ngx_http_azora_auth_revoked_prepare(void)
{
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (state->generation == 0 && state->op == NULL
        && ngx_http_azora_auth_retry())
    {
        (void) ngx_http_azora_auth_load();
    }
}


/* Asks for what is new; everybody who waits by now is served by it. */

static ngx_int_t
ngx_http_azora_auth_load(void)
{
    u_char                          text[NGX_INT64_LEN];
    ngx_str_t                       after;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    if (ngx_http_azora_auth_fell()) {
        state->falls = ngx_azora_generation_falls();
        state->generation = 0;
    }

    state->started++;
    state->asked = ngx_current_msec;
    state->whole = (state->generation == 0);

    after.data = text;
    after.len = ngx_sprintf(text, "%uL", state->generation) - text;

    if (state->whole) {
        ngx_http_azora_auth_list_reset();
    }

    state->op = ngx_azora_query(ngx_http_azora_auth_statement, &after,
                                NGX_HTTP_AZORA_AUTH_LOAD_MS,
                                ngx_http_azora_auth_loaded, NULL);

    return state->op ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_azora_auth_loaded(ngx_azora_op_t *op, void *data)
{
    ngx_int_t                       rc;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;
    state->op = NULL;

    rc = NGX_ERROR;

    if (ngx_azora_op_status(op) == NGX_AZORA_OP_OK) {
        rc = ngx_http_azora_auth_load_rows(op);

        if (rc == NGX_AGAIN) {
            /* too much is new, or all is: all of it, which is bounded */
            state->generation = 0;
            state->started--;

            if (ngx_http_azora_auth_load() == NGX_OK) {
                return;
            }
        }
    }

    if (rc != NGX_OK) {
        if (!state->down) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                          "azora: revoked tokens are not known at the "
                          "moment: PostgreSQL did not tell");
        }

        state->failed = ngx_current_msec;
        state->down = 1;

    } else {
        state->down = 0;
        state->read = state->asked;
        state->known = state->asked;
    }

    state->finished = state->started;

    ngx_http_azora_auth_wake();
}


/* seq, target, epoch, at; without a target: the generation itself */

static ngx_int_t
ngx_http_azora_auth_load_rows(ngx_azora_op_t *op)
{
    off_t                           at;
    u_char                          target[16];
    int64_t                         epoch;
    uint64_t                        generation;
    ngx_str_t                       value;
    ngx_uint_t                      i, n;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;
    generation = 0;
    at = 0;
    n = ngx_azora_op_rows(op);

    if (ngx_http_azora_auth_fell()
        || (n > NGX_HTTP_AZORA_AUTH_ROWS_MAX && !state->whole))
    {
        return NGX_AGAIN;
    }

    for (i = 0; i < n; i++) {

        value = ngx_azora_op_value(op, i, 1);

        if (value.data == NULL) {
            value = ngx_azora_op_value(op, i, 0);
            generation = (uint64_t) ngx_atoof(value.data, value.len);
            continue;
        }

        if (ngx_http_azora_auth_list_uuid(&value, target) != NGX_OK) {
            return NGX_ERROR;
        }

        value = ngx_azora_op_value(op, i, 2);
        epoch = value.data ? ngx_atoof(value.data, value.len)
                           : NGX_HTTP_AZORA_AUTH_ENDED_ALL;

        value = ngx_azora_op_value(op, i, 3);
        at = ngx_atoof(value.data, value.len);

        switch (ngx_http_azora_auth_list_add(target, epoch, at, ngx_time(),
                                             ngx_cycle->log))
        {
        case NGX_OK:
            break;

        case NGX_DECLINED:
            return state->whole ? NGX_ERROR : NGX_AGAIN;

        default:
            return NGX_ERROR;
        }
    }

    if (generation == 0) {
        return NGX_ERROR;
    }

    if (n > NGX_HTTP_AZORA_AUTH_ROWS_MAX) {
        /* newest first: what is older than the last of them was left out */
        ngx_http_azora_auth_list_floor((time_t) at);
    }

    state->generation = generation;

    return NGX_OK;
}


/* Resumes those whose load is over; others need one more. */

static void
ngx_http_azora_auth_wake(void)
{
    ngx_queue_t                    *q, done;
    ngx_http_azora_auth_ctx_t      *actx;
    ngx_http_azora_auth_revoked_t  *state;

    state = &ngx_http_azora_auth_state;

    ngx_queue_init(&done);

    while (!ngx_queue_empty(&state->waiting)) {
        q = ngx_queue_head(&state->waiting);
        actx = ngx_queue_data(q, ngx_http_azora_auth_ctx_t, queue);

        if (actx->load > state->finished) {
            /* they came in order */
            break;
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&done, q);
    }

    if (!ngx_queue_empty(&state->waiting) && state->op == NULL
        && ngx_http_azora_auth_load() != NGX_OK)
    {
        /* out of memory: they are told that nobody knows */
        state->down = 1;
        state->failed = ngx_current_msec;
        ngx_queue_add(&done, &state->waiting);
        ngx_queue_init(&state->waiting);
    }

    /* whoever is resumed may end others, which take themselves out */

    while (!ngx_queue_empty(&done)) {
        q = ngx_queue_head(&done);
        actx = ngx_queue_data(q, ngx_http_azora_auth_ctx_t, queue);

        ngx_queue_remove(q);
        actx->queued = 0;

        ngx_azora_resume(actx->request);
    }
}
