
/*
 * A token is looked at when a stream begins.  When tokens are revoked, which
 * moves the generation of sessions, PostgreSQL is asked which: sessions and
 * keys that ended, accounts whose roles changed.
 */


#include "ngx_http_azora_journal_events.h"


#define NGX_HTTP_AZORA_JOURNAL_REVOKED_RETRY  1000    /* ms */

/*
 * Seconds before a stream began in which a revocation counts against it: the
 * worker may not have known of it yet.  One that is closed for a revocation
 * that its token is younger than comes back.
 */
#define NGX_HTTP_AZORA_JOURNAL_REVOKED_BEFORE  2


static void ngx_http_azora_journal_sessions_again(ngx_msec_t delay);
static void ngx_http_azora_journal_sessions_done(ngx_azora_op_t *op,
    void *data);
static void ngx_http_azora_journal_sessions_close(const u_char *target,
    time_t at);


static ngx_uint_t       ngx_http_azora_journal_sessions_due;
static ngx_msec_t       ngx_http_azora_journal_sessions_when;
static uint64_t         ngx_http_azora_journal_sessions_seen;
static uint64_t         ngx_http_azora_journal_sessions_before;
static ngx_azora_op_t  *ngx_http_azora_journal_sessions_op;


void
ngx_http_azora_journal_sessions_moved(ngx_uint_t index, uint64_t value)
{
    ngx_http_azora_journal_sessions_again(0);
    ngx_http_azora_journal_sessions_tick();
}


void
ngx_http_azora_journal_sessions_new(void)
{
    if (!ngx_http_azora_journal_sessions_due) {
        ngx_http_azora_journal_sessions_again(
            NGX_HTTP_AZORA_JOURNAL_REVOKED_RETRY);
    }
}


static void
ngx_http_azora_journal_sessions_again(ngx_msec_t delay)
{
    ngx_http_azora_journal_sessions_due = 1;
    ngx_http_azora_journal_sessions_when = ngx_current_msec + delay;
}


void
ngx_http_azora_journal_sessions_tick(void)
{
    u_char     seen[NGX_INT64_LEN];
    ngx_str_t  param;

    if (!ngx_http_azora_journal_sessions_due
        || ngx_http_azora_journal_sessions_op != NULL
        || ngx_http_azora_journal_clients.n == 0 || ngx_exiting
        || (ngx_msec_int_t) (ngx_http_azora_journal_sessions_when
                             - ngx_current_msec) > 0)
    {
        return;
    }

    ngx_http_azora_journal_sessions_due = 0;

    /* once more what was read last: a stream may have begun meanwhile */

    param.data = seen;
    param.len = ngx_sprintf(seen, "%uL",
                            ngx_http_azora_journal_sessions_before)
                - seen;

    ngx_http_azora_journal_sessions_op =
        ngx_azora_query(ngx_http_azora_journal_conf->revoked, &param, 0,
                        ngx_http_azora_journal_sessions_done, NULL);

    if (ngx_http_azora_journal_sessions_op == NULL) {
        ngx_http_azora_journal_sessions_again(
            NGX_HTTP_AZORA_JOURNAL_REVOKED_RETRY);
    }
}


/* The first row has no target but the generation that the others reach to. */

static void
ngx_http_azora_journal_sessions_done(ngx_azora_op_t *op, void *data)
{
    u_char      target[16];
    ngx_str_t   seq, text, at;
    ngx_uint_t  i, n;

    ngx_http_azora_journal_sessions_op = NULL;

    n = ngx_azora_op_rows(op);

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK || n == 0) {
        ngx_http_azora_journal_sessions_again(
            NGX_HTTP_AZORA_JOURNAL_REVOKED_RETRY);
        return;
    }

    for (i = 0; i < n; i++) {
        seq = ngx_azora_op_value(op, i, 0);
        text = ngx_azora_op_value(op, i, 1);
        at = ngx_azora_op_value(op, i, 2);

        if (text.data == NULL) {
            ngx_http_azora_journal_sessions_before =
                ngx_http_azora_journal_sessions_seen;
            ngx_http_azora_journal_sessions_seen = ngx_atoof(seq.data,
                                                             seq.len);

        } else if (ngx_http_azora_journal_uuid(&text, target) == NGX_OK) {
            ngx_http_azora_journal_sessions_close(target,
                                                  ngx_atotm(at.data, at.len));
        }
    }
}


static void
ngx_http_azora_journal_sessions_close(const u_char *target, time_t at)
{
    ngx_queue_t                       *q, *next;
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    for (q = ngx_queue_head(&clients->clients);
         q != ngx_queue_sentinel(&clients->clients);
         q = next)
    {
        next = ngx_queue_next(q);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, order);

        if (at + NGX_HTTP_AZORA_JOURNAL_REVOKED_BEFORE >= client->opened
            && (ngx_memcmp(client->session, target, 16) == 0
                || ngx_memcmp(client->owner->subject, target, 16) == 0))
        {
            ngx_http_azora_journal_client_close(client);
        }
    }
}
