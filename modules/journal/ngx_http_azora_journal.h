
/* What the files of the journal capability share. */


#ifndef _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_


#include "ngx_azora.h"
#include "azora_tlog.h"


typedef struct {
    ngx_str_t                     dir;          /* NUL-terminated; empty: no
                                                   Chronicle on this node */
    ngx_str_t                     key_file;
    ngx_str_t                     origin;
    ngx_thread_pool_t            *pool;
    ngx_shm_zone_t               *zone;         /* NULL: no Chronicle */
    azora_tlog_key_t              key;
    ngx_str_t                     previous_text;
    azora_tlog_key_t              previous;     /* verifier; no name: none */

    const ngx_azora_statement_t  *state;
    const ngx_azora_statement_t  *entries;
    const ngx_azora_statement_t  *pick;
    const ngx_azora_statement_t  *commit;
} ngx_http_azora_journal_conf_t;


extern ngx_http_azora_journal_conf_t  *ngx_http_azora_journal_conf;
extern ngx_module_t                    ngx_http_azora_journal_module;
extern const ngx_azora_row_t           ngx_http_azora_journal_rows[];

/* one module may be several capabilities: their rows are in their own files */
extern const ngx_azora_capability_t    ngx_http_azora_journal_jobs;


/* _key.c: reads or makes the signing key; as root, before workers exist */
ngx_int_t ngx_http_azora_journal_key(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);

/* _status.c: what others see of the sequencer */
ngx_int_t ngx_http_azora_journal_metrics(ngx_conf_t *cf);
ngx_int_t ngx_http_azora_journal_zone(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
ngx_int_t ngx_http_azora_journal_ready(void);

/*
 * _key.c: opens a checkpoint that this key or the previous one signed; NGX_OK,
 * or NGX_DECLINED and *reason.  Any thread.
 */
ngx_int_t ngx_http_azora_journal_open(const char *note, size_t len,
    azora_tlog_checkpoint_t *checkpoint, const char **reason);

/* _sequencer.c: worker 0 */
ngx_int_t ngx_http_azora_journal_init_process(ngx_cycle_t *cycle);

/* _store.c: the log's files on the thread pool */
typedef void (*ngx_http_azora_journal_stored_pt)(int error, const char *path);
ngx_int_t ngx_http_azora_journal_store(const azora_tlog_batch_t *batch,
    ngx_http_azora_journal_stored_pt handler);
typedef void (*ngx_http_azora_journal_loaded_pt)(int rc,
    const azora_tlog_tree_t *tree, const char *note, const char *reason);
ngx_int_t ngx_http_azora_journal_load(
    ngx_http_azora_journal_loaded_pt handler);

/* _files.c: serves checkpoint, vkey and tiles */
ngx_int_t ngx_http_azora_journal_files_handler(ngx_http_request_t *r);

/* _receipt.c */
ngx_int_t ngx_http_azora_journal_receipt(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


#endif /* _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_ */
