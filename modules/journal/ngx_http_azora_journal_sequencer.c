
/*
 * The sequencer: gives the journal's entries their numbers, signs the tree
 * over them and publishes it as files.
 *
 * PostgreSQL's numbered entries are the truth; each node's files follow them.
 *
 *   LOAD      the files of this node, up to their checkpoint
 *   STATE     how far PostgreSQL is
 *   FETCH     numbered entries that the files lack
 *   STORE     fetched or committed entries into the files, checkpoint last
 *   IDLE      up to date
 *   PICK      entries without a number, if this process leads
 *   COMMIT    numbers and checkpoint in one transaction, fenced by the size
 *   REFUSED   the files and PostgreSQL contradict each other: a person decides
 *
 * A crash between any two leaves nothing to repair: what was committed is
 * fetched again, what was not is picked again, and a file's bytes have their
 * fixed places.
 */


#include "ngx_http_azora_journal_sequencer.h"

#include <sodium.h>


static void ngx_http_azora_journal_timer_handler(ngx_event_t *ev);
static void ngx_http_azora_journal_loaded(int rc,
    const azora_tlog_tree_t *tree, const char *note, const char *reason);
static void ngx_http_azora_journal_state_done(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_journal_compare(void);
static void ngx_http_azora_journal_fetch(void);
static void ngx_http_azora_journal_fetch_done(ngx_azora_op_t *op, void *data);
static void ngx_http_azora_journal_store_batch(void);
static void ngx_http_azora_journal_stored(int error, const char *path);
static void ngx_http_azora_journal_refuse(const char *reason);
static void ngx_http_azora_journal_refused(ngx_uint_t refused);


ngx_http_azora_journal_sequencer_t  ngx_http_azora_journal_sequencer;


ngx_int_t
ngx_http_azora_journal_init_process(ngx_cycle_t *cycle)
{
    u_char                               id[16], *p;
    ngx_uint_t                           i;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    randombytes_buf(id, sizeof(id));
    p = s->node;

    for (i = 0; i < sizeof(id); i++) {
        p = ngx_sprintf(p, (i == 4 || i == 6 || i == 8 || i == 10)
                           ? "-%02xd" : "%02xd", (ngx_int_t) id[i]);
    }

    *p = '\0';

    ngx_azora_event(&s->timer, ngx_http_azora_journal_timer_handler,
                    cycle->log);
    s->timer.cancelable = 1;

    s->state = NGX_HTTP_AZORA_JOURNAL_LOAD;
    ngx_http_azora_journal_later(1);

    return NGX_OK;
}


/* The one place where the state changes and its work begins. */

void
ngx_http_azora_journal_enter(ngx_http_azora_journal_state_e state)
{
    ngx_int_t                            rc;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    s->state = state;
    rc = NGX_OK;

    switch (state) {

    case NGX_HTTP_AZORA_JOURNAL_LOAD:
        rc = ngx_http_azora_journal_load(ngx_http_azora_journal_loaded);
        break;

    case NGX_HTTP_AZORA_JOURNAL_STATE:
        rc = ngx_http_azora_journal_query(ngx_http_azora_journal_conf->state,
                                          NULL,
                                          ngx_http_azora_journal_state_done);
        break;

    case NGX_HTTP_AZORA_JOURNAL_FETCH:
        ngx_http_azora_journal_fetch();
        break;

    case NGX_HTTP_AZORA_JOURNAL_STORE:
        ngx_http_azora_journal_store_batch();
        break;

    case NGX_HTTP_AZORA_JOURNAL_IDLE:
        ngx_http_azora_journal_later(s->more
                                     ? 1 : NGX_HTTP_AZORA_JOURNAL_INTERVAL);
        break;

    case NGX_HTTP_AZORA_JOURNAL_PICK:
        ngx_http_azora_journal_pick();
        break;

    case NGX_HTTP_AZORA_JOURNAL_COMMIT:
        /* the query is under way */
        break;

    case NGX_HTTP_AZORA_JOURNAL_REFUSED:
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_AGAIN);
        break;
    }

    if (rc != NGX_OK) {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
    }
}


void
ngx_http_azora_journal_later(ngx_msec_t delay)
{
    /* also when the worker is leaving: its gauges end with its work */

    ngx_add_timer(&ngx_http_azora_journal_sequencer.timer, delay);
}


static void
ngx_http_azora_journal_timer_handler(ngx_event_t *ev)
{
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (ngx_exiting || ngx_terminate) {
        ngx_http_azora_journal_gauge(&s->size, 0);
        ngx_http_azora_journal_gauge(&s->pending, 0);
        ngx_http_azora_journal_gauge(&s->signed_at, 0);
        ngx_http_azora_journal_gauge(&s->refused, 0);
        ngx_http_azora_journal_gauge(&s->oldest, 0);
        return;
    }

    switch (s->state) {

    case NGX_HTTP_AZORA_JOURNAL_IDLE:
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_PICK);
        break;

    case NGX_HTTP_AZORA_JOURNAL_STORE:
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STORE);
        break;

    case NGX_HTTP_AZORA_JOURNAL_LOAD:
    case NGX_HTTP_AZORA_JOURNAL_REFUSED:
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_LOAD);
        break;

    default:
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STATE);
    }
}


static void
ngx_http_azora_journal_loaded(int rc, const azora_tlog_tree_t *tree,
    const char *note, const char *reason)
{
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (rc != 0) {
        ngx_http_azora_journal_refuse(reason);
        return;
    }

    s->tree = *tree;
    ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STATE);
}


ngx_int_t
ngx_http_azora_journal_query(const ngx_azora_statement_t *statement,
    const ngx_str_t *params, ngx_azora_op_pt handler)
{
    return ngx_azora_query(statement, params, 0, handler, NULL) == NULL
           ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_azora_journal_state_done(ngx_azora_op_t *op, void *data)
{
    ngx_str_t                            size, note, signed_at, pending;
    ngx_str_t                            oldest;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK
        || ngx_azora_op_rows(op) != 1)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
        return;
    }

    size = ngx_azora_op_value(op, 0, 0);
    note = ngx_azora_op_value(op, 0, 1);
    signed_at = ngx_azora_op_value(op, 0, 2);
    pending = ngx_azora_op_value(op, 0, 3);

    s->goal = ngx_atoof(size.data, size.len);
    s->note_len = ngx_min(note.len, sizeof(s->note));

    if (s->note_len) {
        ngx_memcpy(s->note, note.data, s->note_len);
    }

    ngx_http_azora_journal_gauge(&s->pending,
                                 ngx_atoi(pending.data, pending.len));

    oldest = ngx_azora_op_value(op, 0, 4);
    ngx_http_azora_journal_oldest(&oldest);

    if (ngx_http_azora_journal_compare() != NGX_OK) {
        return;
    }

    ngx_http_azora_journal_refused(0);
    ngx_http_azora_journal_gauge(&s->size, s->tree.size);

    if (s->goal == s->tree.size) {
        ngx_http_azora_journal_gauge(&s->signed_at,
                                     ngx_atotm(signed_at.data,
                                               signed_at.len));
    }

    ngx_http_azora_journal_enter(s->goal > s->tree.size
                                 ? NGX_HTTP_AZORA_JOURNAL_FETCH
                                 : NGX_HTTP_AZORA_JOURNAL_IDLE);
}


/*
 * A database that was restored behind what is published would sign another
 * history under the same numbers: two people would hold proofs that contradict
 * each other.  The files are the memory against that.
 */

static ngx_int_t
ngx_http_azora_journal_compare(void)
{
    const char                          *reason;
    azora_tlog_hash_t                    root;
    azora_tlog_checkpoint_t              checkpoint;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (s->goal < s->tree.size) {
        ngx_http_azora_journal_refuse("PostgreSQL is behind the checkpoint "
                                      "that was published");
        return NGX_ERROR;
    }

    if (s->goal == 0) {
        return NGX_OK;
    }

    if (ngx_http_azora_journal_open(s->note, s->note_len, &checkpoint,
                                    &reason)
        != NGX_OK)
    {
        ngx_http_azora_journal_refuse("PostgreSQL's checkpoint is not of "
                                      "this key");
        return NGX_ERROR;
    }

    if (s->goal > s->tree.size) {
        return NGX_OK;
    }

    azora_tlog_root(&s->tree, &root);

    if (checkpoint.size != s->goal
        || ngx_memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
    {
        ngx_http_azora_journal_refuse("the files and PostgreSQL have "
                                      "different roots for one size");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_azora_journal_fetch(void)
{
    u_char                               first[NGX_INT64_LEN];
    u_char                               batch[NGX_INT_T_LEN];
    uint64_t                             n;
    ngx_str_t                            params[2];
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    n = ngx_min(s->goal - s->tree.size, NGX_HTTP_AZORA_JOURNAL_BATCH);

    params[0].data = first;
    params[0].len = ngx_sprintf(first, "%uL", s->tree.size) - first;
    params[1].data = batch;
    params[1].len = ngx_sprintf(batch, "%uL", n) - batch;

    if (ngx_http_azora_journal_query(ngx_http_azora_journal_conf->entries,
                                     params,
                                     ngx_http_azora_journal_fetch_done)
        != NGX_OK)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
    }
}


static void
ngx_http_azora_journal_fetch_done(ngx_azora_op_t *op, void *data)
{
    uint64_t                             n;
    azora_tlog_hash_t                    root;
    const char                          *reason;
    azora_tlog_checkpoint_t              checkpoint;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    n = ngx_min(s->goal - s->tree.size, NGX_HTTP_AZORA_JOURNAL_BATCH);

    /* a replica may not have them all yet */

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK
        || ngx_azora_op_rows(op) != n
        || ngx_http_azora_journal_add(op, 1) != NGX_OK)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
        return;
    }

    if (s->next.size == s->goal) {
        azora_tlog_root(&s->next, &root);

        if (ngx_http_azora_journal_open(s->note, s->note_len, &checkpoint,
                                        &reason)
            != NGX_OK
            || checkpoint.size != s->goal
            || ngx_memcmp(&root, &checkpoint.root, sizeof(root)) != 0)
        {
            ngx_http_azora_journal_refuse("PostgreSQL's entries do not make "
                                          "the root of its checkpoint");
            return;
        }

        ngx_memcpy(s->batch.checkpoint, s->note, s->note_len);
        s->batch.checkpoint_len = s->note_len;
    }

    ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STORE);
}


/* The rows' entries become a batch on a copy of the tree. */

ngx_int_t
ngx_http_azora_journal_add(ngx_azora_op_t *op, ngx_uint_t column)
{
    ngx_str_t                            entry;
    ngx_uint_t                           i, n;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    s->next = s->tree;

    azora_tlog_batch_free(&s->batch);
    azora_tlog_batch_init(&s->batch, &s->tree);

    n = ngx_azora_op_rows(op);

    for (i = 0; i < n; i++) {
        entry = ngx_azora_op_value(op, i, column);

        if (azora_tlog_batch_add(&s->batch, &s->next, entry.data, entry.len)
            != 0)
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "chronicle: an entry of %uz bytes cannot be added",
                          entry.len);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_http_azora_journal_store_batch(void)
{
    if (ngx_http_azora_journal_store(&ngx_http_azora_journal_sequencer.batch,
                                     ngx_http_azora_journal_stored)
        != NGX_OK)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
    }
}


static void
ngx_http_azora_journal_stored(int error, const char *path)
{
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (error != 0) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, error,
                      "chronicle: cannot write \"%s\", will try again", path);
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
        return;
    }

    s->tree = s->next;
    azora_tlog_batch_free(&s->batch);

    ngx_http_azora_journal_gauge(&s->size, s->tree.size);

    if (s->began_ns != 0) {
        ngx_azora_metric_observe(s->pass_metric,
                                 ngx_azora_now_ns() - s->began_ns);
        s->began_ns = 0;
    }

    if (ngx_exiting || ngx_terminate) {
        ngx_http_azora_journal_later(1);
        return;
    }

    ngx_http_azora_journal_enter(s->tree.size < s->goal
                                 ? NGX_HTTP_AZORA_JOURNAL_FETCH
                                 : NGX_HTTP_AZORA_JOURNAL_IDLE);
}


static void
ngx_http_azora_journal_refuse(const char *reason)
{
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                  "chronicle: nothing is signed or published: %s; files of "
                  "%uL entries in \"%V\", PostgreSQL has %uL", reason,
                  s->tree.size, &ngx_http_azora_journal_conf->dir, s->goal);

    ngx_http_azora_journal_refused(1);
    ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_REFUSED);
}


/* Every worker answers /readyz, so all must know. */

static void
ngx_http_azora_journal_refused(ngx_uint_t refused)
{
    *(ngx_atomic_t *) ngx_http_azora_journal_conf->zone->data = refused;
    ngx_http_azora_journal_gauge(&ngx_http_azora_journal_sequencer.refused,
                                 refused);
}
