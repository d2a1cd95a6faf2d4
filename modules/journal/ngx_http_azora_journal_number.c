
/*
 * The sequencer's half that only the leader does: entries without a number get
 * one, and a signature over them, in one transaction.
 */


#include "ngx_http_azora_journal_sequencer.h"


static void ngx_http_azora_journal_pick_done(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_journal_commit(ngx_azora_op_t *op);
static void ngx_http_azora_journal_commit_done(ngx_azora_op_t *op,
    void *data);


void
ngx_http_azora_journal_pick(void)
{
    u_char                               batch[NGX_INT_T_LEN];
    ngx_str_t                            params[2];
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    s->began_ns = ngx_azora_now_ns();

    params[0].data = s->node;
    params[0].len = sizeof(s->node) - 1;
    params[1].data = batch;
    params[1].len = ngx_sprintf(batch, "%ui",
                                (ngx_uint_t) NGX_HTTP_AZORA_JOURNAL_BATCH)
                    - batch;

    if (ngx_http_azora_journal_query(ngx_http_azora_journal_conf->pick,
                                     params,
                                     ngx_http_azora_journal_pick_done)
        != NGX_OK)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
    }
}


static void
ngx_http_azora_journal_pick_done(ngx_azora_op_t *op, void *data)
{
    ngx_str_t                            size, oldest;
    ngx_uint_t                           n;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    s->more = 0;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
        return;
    }

    n = ngx_azora_op_rows(op);

    if (n == 0) {
        s->began_ns = 0;

        /* nothing to do, or another leads: its work is to be published too */
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STATE);
        return;
    }

    ngx_http_azora_journal_gauge(&s->pending, n);
    size = ngx_azora_op_value(op, 0, 0);

    if ((uint64_t) ngx_atoof(size.data, size.len) != s->tree.size) {
        ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STATE);
        return;
    }

    s->more = (n == NGX_HTTP_AZORA_JOURNAL_BATCH);
    oldest = ngx_azora_op_value(op, 0, 1);
    ngx_http_azora_journal_oldest(&oldest);

    if (ngx_http_azora_journal_add(op, 2) != NGX_OK
        || ngx_http_azora_journal_commit(op) != NGX_OK)
    {
        ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_RETRY);
        return;
    }

    ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_COMMIT);
}


static ngx_int_t
ngx_http_azora_journal_commit(ngx_azora_op_t *op)
{
    u_char                               base[NGX_INT64_LEN];
    ngx_int_t                            rc;
    ngx_str_t                            params[4], *ids, entry;
    ngx_uint_t                           i, n;
    ngx_pool_t                          *pool;
    azora_tlog_checkpoint_t              checkpoint;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;
    n = ngx_azora_op_rows(op);

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    ids = ngx_palloc(pool, n * sizeof(ngx_str_t));
    if (ids == NULL) {
        goto done;
    }

    ngx_http_azora_journal_published_begin();

    for (i = 0; i < n; i++) {
        ids[i] = ngx_azora_op_value(op, i, 1);
        entry = ngx_azora_op_value(op, i, 2);
        ngx_http_azora_journal_published_add(&entry);
    }

    ngx_memzero(&checkpoint, sizeof(checkpoint));
    ngx_memcpy(checkpoint.origin, ngx_http_azora_journal_conf->key.name,
               sizeof(checkpoint.origin));
    checkpoint.size = s->next.size;
    azora_tlog_root(&s->next, &checkpoint.root);

    s->batch.checkpoint_len =
        azora_tlog_note_sign(&ngx_http_azora_journal_conf->key, &checkpoint,
                             s->batch.checkpoint);

    params[0].data = s->node;
    params[0].len = sizeof(s->node) - 1;
    params[1].data = base;
    params[1].len = ngx_sprintf(base, "%uL", s->tree.size) - base;
    params[2] = ngx_azora_array_literal(pool, ids, n);
    params[3].data = (u_char *) s->batch.checkpoint;
    params[3].len = s->batch.checkpoint_len;

    if (params[2].data != NULL) {
        rc = ngx_http_azora_journal_query(ngx_http_azora_journal_conf->commit,
                                          params,
                                          ngx_http_azora_journal_commit_done);
    }

done:

    ngx_destroy_pool(pool);

    return rc;
}


static void
ngx_http_azora_journal_commit_done(ngx_azora_op_t *op, void *data)
{
    ngx_str_t                            done;
    ngx_http_azora_journal_sequencer_t  *s;

    s = &ngx_http_azora_journal_sequencer;

    if (ngx_azora_op_status(op) == NGX_AZORA_OP_OK
        && ngx_azora_op_rows(op) == 1)
    {
        done = ngx_azora_op_value(op, 0, 0);

        if (done.len == 1 && done.data[0] == 't') {
            ngx_azora_metric_add(s->batches_metric, 1);
            ngx_http_azora_journal_gauge(&s->signed_at, ngx_time());
            ngx_http_azora_journal_gauge(&s->pending, 0);
            ngx_http_azora_journal_oldest(NULL);
            ngx_http_azora_journal_published_done();
            ngx_http_azora_journal_enter(NGX_HTTP_AZORA_JOURNAL_STORE);
            return;
        }
    }

    /* another was faster, or the outcome is unknown: PostgreSQL knows */

    s->began_ns = 0;
    s->state = NGX_HTTP_AZORA_JOURNAL_STATE;
    ngx_http_azora_journal_later(NGX_HTTP_AZORA_JOURNAL_INTERVAL);
}
