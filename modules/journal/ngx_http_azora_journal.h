
/* What the files of the journal capability share. */


#ifndef _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_
#define _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_


#include "ngx_azora.h"
#include "azora_tlog.h"


#define NGX_HTTP_AZORA_JOURNAL_WEBHOOK_KEYS  8

/* a key that makes the secrets of webhooks */
typedef struct {
    u_char                        id[8];        /* hexadecimal */
    u_char                        key[32];
} ngx_http_azora_journal_webhook_key_t;


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

    ngx_str_t                     webhook_key_file;
    ngx_flag_t                    webhook_http; /* not https:// alone */
    ngx_http_azora_journal_webhook_key_t
                                  webhook_keys[
                                      NGX_HTTP_AZORA_JOURNAL_WEBHOOK_KEYS];
    ngx_uint_t                    nwebhook_keys;    /* the first for new */

    const ngx_azora_statement_t  *state;
    const ngx_azora_statement_t  *entries;
    const ngx_azora_statement_t  *pick;
    const ngx_azora_statement_t  *commit;

    ngx_str_t                     source;       /* of events */
    ngx_msec_t                    lifetime;     /* of a stream */
    ngx_msec_t                    heartbeat;
    ngx_uint_t                    streams;      /* per worker; 0: half of its
                                                   connections */
    ngx_uint_t                    per_account;  /* and worker */
    ngx_uint_t                    chronicle;    /* generation: the log's size */
    ngx_uint_t                    streams_metric;
    ngx_uint_t                    refused_metric;
    ngx_str_t                     stream;       /* Redis' key; empty: none */
    ngx_uint_t                    stream_max;
    ngx_uint_t                    stream_metric;
    const ngx_azora_statement_t  *events;
    const ngx_azora_statement_t  *missed;
    const ngx_azora_statement_t  *revoked;
} ngx_http_azora_journal_conf_t;


extern ngx_http_azora_journal_conf_t  *ngx_http_azora_journal_conf;
extern ngx_module_t                    ngx_http_azora_journal_module;
extern const ngx_azora_row_t           ngx_http_azora_journal_rows[];

/* one module may be several capabilities: their rows are in their own files */
extern const ngx_azora_capability_t    ngx_http_azora_journal_jobs;
extern const ngx_azora_capability_t    ngx_http_azora_journal_audit;
extern const ngx_azora_capability_t    ngx_http_azora_journal_webhooks;


/* _key.c: reads or makes the signing key; as root, before workers exist */
ngx_int_t ngx_http_azora_journal_key(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);

/*
 * _key.c: a file with a secret, of at most size - 1 bytes; NGX_DECLINED: there
 * is none.  What is made never replaces what is there.
 */
ngx_int_t ngx_http_azora_journal_secret_read(ngx_conf_t *cf, ngx_str_t *file,
    char *text, size_t size, size_t *len);
ngx_int_t ngx_http_azora_journal_secret_make(ngx_conf_t *cf, ngx_str_t *file,
    const char *text);

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

/* _events.c: GET /v1/events */
ngx_int_t ngx_http_azora_journal_events_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_azora_journal_events_init(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
void ngx_http_azora_journal_events_unset(ngx_http_azora_journal_conf_t *conf);
void ngx_http_azora_journal_events_defaults(
    ngx_http_azora_journal_conf_t *conf);

/* _stream.c: events in a Redis Stream */
char *ngx_http_azora_journal_stream_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
ngx_int_t ngx_http_azora_journal_stream_init(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
void ngx_http_azora_journal_stream_defaults(
    ngx_http_azora_journal_conf_t *conf);
void ngx_http_azora_journal_stream_init_process(ngx_cycle_t *cycle);

/* _events_client.c: every worker */
ngx_int_t ngx_http_azora_journal_events_init_process(ngx_cycle_t *cycle);

/* _receipt.c */
ngx_int_t ngx_http_azora_journal_receipt(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* _webhook_key.c: secrets of webhooks, and the steps that need them */
#define NGX_HTTP_AZORA_JOURNAL_SECRET   32
ngx_int_t ngx_http_azora_journal_webhook_keys(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
/* NGX_DECLINED: the key is not here */
ngx_int_t ngx_http_azora_journal_webhook_secret(const char *key,
    const char *webhook, json_int_t version, u_char *secret);
ngx_int_t ngx_http_azora_journal_webhook_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_journal_webhook_check(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_journal_webhook_show(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* _webhook.c: sends events */
ngx_int_t ngx_http_azora_journal_webhook_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_AZORA_JOURNAL_H_INCLUDED_ */
