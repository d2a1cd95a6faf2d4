
/*
 * What a client missed comes from PostgreSQL, a page at a time.  Few of a
 * worker's clients ask at once, so that thousands which come back after a
 * failure wait in line instead of filling the lane.
 */


#include "ngx_http_azora_journal_events.h"


#define NGX_HTTP_AZORA_JOURNAL_ASKING_MAX  2
#define NGX_HTTP_AZORA_JOURNAL_PAGE_BYTES  65536   /* kept for each client */
#define NGX_HTTP_AZORA_JOURNAL_PAUSE       1000    /* ms after a failure */


static ngx_int_t ngx_http_azora_journal_replay_ask(
    ngx_http_azora_journal_client_t *client);
static void ngx_http_azora_journal_replay_done(ngx_azora_op_t *op,
    void *data);
static ngx_int_t ngx_http_azora_journal_replay_page(
    ngx_http_azora_journal_client_t *client, ngx_azora_op_t *op);
static u_char *ngx_http_azora_journal_replay_row(u_char *p,
    ngx_azora_op_t *op, ngx_uint_t row, ngx_uint_t n, uint64_t *erased);
static void ngx_http_azora_journal_replay_pause(void);
static uint64_t ngx_http_azora_journal_replay_number(ngx_azora_op_t *op,
    ngx_uint_t row, ngx_uint_t column);


void
ngx_http_azora_journal_replay_queue(ngx_http_azora_journal_client_t *client)
{
    client->state = NGX_HTTP_AZORA_JOURNAL_BEHIND;

    ngx_queue_insert_tail(&ngx_http_azora_journal_clients.behind,
                          &client->turn);

    ngx_http_azora_journal_replay_run();
}


/* The client ends, wherever it is. */

void
ngx_http_azora_journal_replay_leave(ngx_http_azora_journal_client_t *client)
{
    if (client->state == NGX_HTTP_AZORA_JOURNAL_BEHIND) {
        ngx_queue_remove(&client->turn);
        return;
    }

    if (client->op != NULL) {
        ngx_azora_detach(client->op);
        client->op = NULL;
        ngx_http_azora_journal_clients.asking--;
    }
}


void
ngx_http_azora_journal_replay_run(void)
{
    ngx_queue_t                       *q;
    ngx_http_azora_journal_client_t   *client;
    ngx_http_azora_journal_clients_t  *clients;

    clients = &ngx_http_azora_journal_clients;

    if (clients->is_paused
        && (ngx_msec_int_t) (clients->paused - ngx_current_msec) > 0)
    {
        return;
    }

    clients->is_paused = 0;

    while (clients->asking < NGX_HTTP_AZORA_JOURNAL_ASKING_MAX
           && !ngx_queue_empty(&clients->behind))
    {
        q = ngx_queue_head(&clients->behind);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, turn);

        if (ngx_http_azora_journal_replay_ask(client) != NGX_OK) {
            ngx_http_azora_journal_replay_pause();
            return;
        }

        ngx_queue_remove(q);
        client->state = NGX_HTTP_AZORA_JOURNAL_ASKING;
        clients->asking++;
    }
}


static ngx_int_t
ngx_http_azora_journal_replay_ask(ngx_http_azora_journal_client_t *client)
{
    u_char                              first[NGX_INT64_LEN];
    u_char                              batch[NGX_INT_T_LEN];
    u_char                              id[32], *p, *h;
    ngx_str_t                           params[5];
    ngx_uint_t                          i;
    u_char                              uuid[NGX_HTTP_AZORA_JOURNAL_UUID_LEN];
    ngx_http_azora_journal_audience_t  *audience;

    audience = client->audience;

    params[0] = ngx_http_azora_journal_conf->source;
    params[1].data = first;
    params[1].len = ngx_sprintf(first, "%uL", client->next) - first;
    ngx_str_null(&params[2]);
    ngx_str_null(&params[3]);
    params[4].data = batch;
    params[4].len = ngx_sprintf(batch, "%ui", (ngx_uint_t) client->page)
                    - batch;

    if (audience->ntypes) {
        params[3] = audience->text;

    } else {
        ngx_hex_dump(id, audience->subject, sizeof(audience->subject));

        for (i = 0, p = uuid, h = id; i < 16; i++) {

            if (i == 4 || i == 6 || i == 8 || i == 10) {
                *p++ = '-';
            }

            *p++ = *h++;
            *p++ = *h++;
        }

        params[2].data = uuid;
        params[2].len = sizeof(uuid);
    }

    client->op = ngx_azora_query(ngx_http_azora_journal_conf->missed, params,
                                 0, ngx_http_azora_journal_replay_done,
                                 client);

    return client->op == NULL ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_azora_journal_replay_done(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_journal_client_t *client = data;

    client->op = NULL;
    ngx_http_azora_journal_clients.asking--;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK
        || ngx_azora_op_rows(op) == 0
        || ngx_http_azora_journal_replay_page(client, op) != NGX_OK)
    {
        client->state = NGX_HTTP_AZORA_JOURNAL_BEHIND;
        ngx_queue_insert_head(&ngx_http_azora_journal_clients.behind,
                              &client->turn);
        ngx_http_azora_journal_replay_pause();
        return;
    }

    (void) ngx_http_azora_journal_client_go_on(client);

    ngx_http_azora_journal_replay_run();
}


/* NGX_ERROR: out of memory, or no progress */

static ngx_int_t
ngx_http_azora_journal_replay_page(ngx_http_azora_journal_client_t *client,
    ngx_azora_op_t *op)
{
    u_char                          *p;
    size_t                           len;
    uint64_t                         size, upto, erased;
    ngx_uint_t                       i, n;
    ngx_http_azora_journal_event_t  *page;

    n = ngx_azora_op_rows(op);
    size = ngx_http_azora_journal_replay_number(op, 0, 0);
    upto = ngx_http_azora_journal_replay_number(op, 0, 1);

    if (!client->check && client->next < size && upto <= client->next) {
        return NGX_ERROR;
    }

    len = NGX_HTTP_AZORA_JOURNAL_GAP_ROOM;
    client->page = ngx_min(2 * client->page, NGX_HTTP_AZORA_JOURNAL_PAGE);

    for (i = 0; i < n; i++) {

        if (i > 0 && len + ngx_azora_op_value(op, i, 3).len
                     > NGX_HTTP_AZORA_JOURNAL_PAGE_BYTES)
        {
            /* the rest is asked for again when this is read */
            upto = ngx_http_azora_journal_replay_number(op, i, 2);
            n = i;
            client->page = i;
            break;
        }

        len += ngx_azora_op_value(op, i, 3).len
               + ngx_max(NGX_HTTP_AZORA_JOURNAL_EVENT_ROOM,
                         NGX_HTTP_AZORA_JOURNAL_GAP_ROOM);
    }

    page = ngx_http_azora_journal_event_alloc(len);
    if (page == NULL) {
        return NGX_ERROR;
    }

    p = page->data;

    if (client->next > size) {
        p = ngx_http_azora_journal_gap_print(p, size, client->next - 1, size,
                                             "ahead");
        upto = size;
    }

    erased = 0;

    for (i = 0; i < n; i++) {
        if (ngx_azora_op_value(op, i, 2).data != NULL) {
            p = ngx_http_azora_journal_replay_row(p, op, i, n, &erased);
        }
    }

    page->len = p - page->data;

    if (page->len == 0) {
        ngx_http_azora_journal_event_release(page);
        page = NULL;
    }

    client->event = page;
    client->next = upto;
    client->check = 0;

    return NGX_OK;
}


/* Erased events that follow each other in the answer are one gap. */

static u_char *
ngx_http_azora_journal_replay_row(u_char *p, ngx_azora_op_t *op,
    ngx_uint_t row, ngx_uint_t n, uint64_t *erased)
{
    uint64_t    seq;
    ngx_str_t   text;
    ngx_uint_t  more;

    seq = ngx_http_azora_journal_replay_number(op, row, 2);
    text = ngx_azora_op_value(op, row, 3);

    if (text.data != NULL) {
        return ngx_http_azora_journal_event_print(p, seq, &text);
    }

    if (*erased == 0) {
        /* 1 more than its number, which may be 0 */
        *erased = seq + 1;
    }

    more = (row + 1 < n
            && ngx_azora_op_value(op, row + 1, 3).data == NULL);

    if (!more) {
        p = ngx_http_azora_journal_gap_print(p, *erased - 1, seq, seq + 1,
                                             "erased");
        *erased = 0;
    }

    return p;
}


static void
ngx_http_azora_journal_replay_pause(void)
{
    ngx_http_azora_journal_clients.is_paused = 1;
    ngx_http_azora_journal_clients.paused = ngx_current_msec
                                            + NGX_HTTP_AZORA_JOURNAL_PAUSE;
}


static uint64_t
ngx_http_azora_journal_replay_number(ngx_azora_op_t *op, ngx_uint_t row,
    ngx_uint_t column)
{
    ngx_str_t  value;

    value = ngx_azora_op_value(op, row, column);

    return (value.data == NULL) ? 0 : (uint64_t) ngx_atoof(value.data,
                                                           value.len);
}
