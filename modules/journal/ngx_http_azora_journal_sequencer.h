
/* What the sequencer's files share. */


#ifndef _NGX_HTTP_AZORA_JOURNAL_SEQUENCER_H_INCLUDED_
#define _NGX_HTTP_AZORA_JOURNAL_SEQUENCER_H_INCLUDED_


#include "ngx_http_azora_journal.h"


#define NGX_HTTP_AZORA_JOURNAL_INTERVAL   100      /* ms */
#define NGX_HTTP_AZORA_JOURNAL_RETRY      1000     /* ms, after a failure */
#define NGX_HTTP_AZORA_JOURNAL_AGAIN      10000    /* ms, after a refusal */
#define NGX_HTTP_AZORA_JOURNAL_BATCH      4096     /* entries */


typedef enum {
    NGX_HTTP_AZORA_JOURNAL_LOAD = 0,
    NGX_HTTP_AZORA_JOURNAL_STATE,
    NGX_HTTP_AZORA_JOURNAL_FETCH,
    NGX_HTTP_AZORA_JOURNAL_STORE,
    NGX_HTTP_AZORA_JOURNAL_IDLE,
    NGX_HTTP_AZORA_JOURNAL_PICK,
    NGX_HTTP_AZORA_JOURNAL_COMMIT,
    NGX_HTTP_AZORA_JOURNAL_REFUSED
} ngx_http_azora_journal_state_e;


/* What a gauge last said; the core only adds to them. */
typedef struct {
    ngx_uint_t                      metric;
    ngx_int_t                       value;
} ngx_http_azora_journal_gauge_t;


typedef struct {
    ngx_http_azora_journal_state_e  state;
    ngx_event_t                     timer;
    u_char                          node[37];     /* of this process */

    azora_tlog_tree_t               tree;         /* as the files are */
    azora_tlog_tree_t               next;         /* with the batch */
    azora_tlog_batch_t              batch;
    uint64_t                        goal;         /* PostgreSQL's size */
    char                            note[AZORA_TLOG_NOTE_MAX];  /* its note */
    size_t                          note_len;
    unsigned                        more:1;       /* the pick was full */

    uint64_t                        began_ns;     /* the pass, or 0 */

    ngx_http_azora_journal_gauge_t  size;
    ngx_http_azora_journal_gauge_t  pending;
    ngx_http_azora_journal_gauge_t  signed_at;
    ngx_http_azora_journal_gauge_t  refused;
    ngx_http_azora_journal_gauge_t  oldest;       /* seconds */
    ngx_uint_t                      batches_metric;
    ngx_uint_t                      pass_metric;
    ngx_uint_t                      types_metric;
} ngx_http_azora_journal_sequencer_t;


extern ngx_http_azora_journal_sequencer_t  ngx_http_azora_journal_sequencer;


/* _sequencer.c: the one place where the state changes and its work begins */
void ngx_http_azora_journal_enter(ngx_http_azora_journal_state_e state);
void ngx_http_azora_journal_later(ngx_msec_t delay);
ngx_int_t ngx_http_azora_journal_query(
    const ngx_azora_statement_t *statement, const ngx_str_t *params,
    ngx_azora_op_pt handler);

/* _sequencer.c: the rows' entries become a batch on a copy of the tree */
ngx_int_t ngx_http_azora_journal_add(ngx_azora_op_t *op, ngx_uint_t column);

/* _number.c */
void ngx_http_azora_journal_pick(void);

/* _status.c */
void ngx_http_azora_journal_gauge(ngx_http_azora_journal_gauge_t *gauge,
    ngx_int_t value);
/* how old the oldest entry is that has no number; by its UUIDv7, or none */
void ngx_http_azora_journal_oldest(const ngx_str_t *id);

/* _published.c: a batch's types, counted when it has its numbers */
void ngx_http_azora_journal_published_begin(void);
void ngx_http_azora_journal_published_add(const ngx_str_t *entry);
void ngx_http_azora_journal_published_done(void);


#endif /* _NGX_HTTP_AZORA_JOURNAL_SEQUENCER_H_INCLUDED_ */
