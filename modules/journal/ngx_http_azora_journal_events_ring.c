
/*
 * The last events, as text ready to be sent.  A worker fetches each range of
 * numbers once, however many clients it has; one event is one piece of memory
 * however many get it.  Without clients nothing is fetched.
 */


#include "ngx_http_azora_journal_events.h"


#define NGX_HTTP_AZORA_JOURNAL_RING        512
#define NGX_HTTP_AZORA_JOURNAL_RING_FETCH  256
#define NGX_HTTP_AZORA_JOURNAL_RING_BYTES  (4 * 1024 * 1024)

/* ms for which a smaller log must stand before it is believed */
#define NGX_HTTP_AZORA_JOURNAL_RING_FALLEN 3000


typedef struct {
    uint64_t                         first;     /* oldest number it has */
    uint64_t                         end;       /* behind the newest */
    uint64_t                         size;      /* of the log, as known */
    ngx_msec_t                       fell;      /* it seemed smaller since */
    ngx_uint_t                       fallen;
    size_t                           bytes;
    ngx_azora_op_t                  *op;
    ngx_http_azora_journal_event_t  *events[NGX_HTTP_AZORA_JOURNAL_RING];
} ngx_http_azora_journal_ring_t;


static void ngx_http_azora_journal_ring_fill(void);
static void ngx_http_azora_journal_ring_filled(ngx_azora_op_t *op,
    void *data);
static ngx_int_t ngx_http_azora_journal_ring_add(ngx_azora_op_t *op,
    ngx_uint_t row);
static void ngx_http_azora_journal_ring_drop(void);
static void ngx_http_azora_journal_ring_reset(uint64_t first);
static void ngx_http_azora_journal_ring_missed(uint64_t from);
static void ngx_http_azora_journal_ring_rewound(uint64_t size);


static ngx_http_azora_journal_ring_t  *ngx_http_azora_journal_ring;


ngx_int_t
ngx_http_azora_journal_ring_init(ngx_cycle_t *cycle)
{
    ngx_http_azora_journal_ring =
        ngx_pcalloc(cycle->pool, sizeof(ngx_http_azora_journal_ring_t));

    return ngx_http_azora_journal_ring == NULL ? NGX_ERROR : NGX_OK;
}


ngx_http_azora_journal_event_t *
ngx_http_azora_journal_event_alloc(size_t len)
{
    ngx_http_azora_journal_event_t  *event;

    event = ngx_alloc(sizeof(ngx_http_azora_journal_event_t) + len,
                      ngx_cycle->log);
    if (event != NULL) {
        ngx_memzero(event, sizeof(ngx_http_azora_journal_event_t));
        event->refs = 1;
        event->len = len;
    }

    return event;
}


void
ngx_http_azora_journal_event_release(ngx_http_azora_journal_event_t *event)
{
    if (--event->refs == 0) {
        ngx_free(event);
    }
}


/*
 * A line end would end the field.  JSON has them between its tokens only, where
 * a blank does as well.
 */

u_char *
ngx_http_azora_journal_event_print(u_char *p, uint64_t seq,
    const ngx_str_t *text)
{
    size_t  i;

    p = ngx_sprintf(p, "id: %uL\ndata: ", seq);

    for (i = 0; i < text->len; i++) {
        *p++ = (text->data[i] == '\n' || text->data[i] == '\r')
               ? ' ' : text->data[i];
    }

    *p++ = '\n';
    *p++ = '\n';

    return p;
}


u_char *
ngx_http_azora_journal_gap_print(u_char *p, uint64_t from, uint64_t to,
    uint64_t next, const char *reason)
{
    p = ngx_sprintf(p, "event: gap\n");

    if (next > 0) {
        p = ngx_sprintf(p, "id: %uL\n", next - 1);
    }

    return ngx_sprintf(p, "data: {\"reason\":\"%s\",\"from\":%uL,"
                          "\"to\":%uL}\n\n", reason, from, to);
}


void
ngx_http_azora_journal_ring_moved(ngx_uint_t index, uint64_t size)
{
    ngx_http_azora_journal_ring_t  *ring;

    ring = ngx_http_azora_journal_ring;

    if (ring == NULL || ngx_exiting) {
        return;
    }

    /*
     * In a reload two processes report it, and what one read may be older than
     * what the other was told.
     */

    if (size < ring->end) {

        if (!ring->fallen) {
            ring->fallen = 1;
            ring->fell = ngx_current_msec;
        }

        return;
    }

    ring->fallen = 0;
    ring->size = size;

    if (ngx_http_azora_journal_clients.n == 0) {
        return;
    }

    if (ring->end == 0 && ring->op == NULL
        && size > NGX_HTTP_AZORA_JOURNAL_RING)
    {
        /* these clients came before anything was known of the log */

        ngx_http_azora_journal_ring_reset(size - NGX_HTTP_AZORA_JOURNAL_RING);
        ngx_http_azora_journal_ring_missed(0);
    }

    ngx_http_azora_journal_ring_fill();
}


void
ngx_http_azora_journal_ring_want(uint64_t size)
{
    ngx_http_azora_journal_ring_t  *ring;

    ring = ngx_http_azora_journal_ring;

    if (size > ring->size) {
        ring->size = size;
    }

    if (ngx_http_azora_journal_clients.n == 0 && ring->op == NULL
        && ring->size - ring->end >= NGX_HTTP_AZORA_JOURNAL_RING)
    {
        /* what comes next is far behind: those who come back need the last */

        ngx_http_azora_journal_ring_reset(ring->size
                                          - NGX_HTTP_AZORA_JOURNAL_RING);
    }

    ngx_http_azora_journal_ring_fill();
}


uint64_t
ngx_http_azora_journal_ring_first(void)
{
    return ngx_http_azora_journal_ring->first;
}


uint64_t
ngx_http_azora_journal_ring_size(void)
{
    return ngx_http_azora_journal_ring->size;
}


uint64_t
ngx_http_azora_journal_ring_end(void)
{
    return ngx_http_azora_journal_ring->end;
}


void
ngx_http_azora_journal_ring_tick(void)
{
    uint64_t                        size;
    ngx_http_azora_journal_ring_t  *ring;

    ring = ngx_http_azora_journal_ring;

    if (ring->fallen
        && ngx_current_msec - ring->fell > NGX_HTTP_AZORA_JOURNAL_RING_FALLEN)
    {
        size = ngx_azora_generation(ngx_http_azora_journal_conf->chronicle);

        if (size != 0 && size < ring->end) {
            ngx_http_azora_journal_ring_rewound(size);
        }

        ring->fallen = 0;
    }

    if (ngx_http_azora_journal_clients.n > 0) {
        ngx_http_azora_journal_ring_fill();
    }
}


ngx_http_azora_journal_event_t *
ngx_http_azora_journal_ring_find(
    const ngx_http_azora_journal_audience_t *audience, uint64_t *next)
{
    uint64_t                         seq;
    ngx_http_azora_journal_ring_t   *ring;
    ngx_http_azora_journal_event_t  *event;

    ring = ngx_http_azora_journal_ring;

    for (seq = *next; seq < ring->end; seq++) {
        event = ring->events[seq % NGX_HTTP_AZORA_JOURNAL_RING];

        if (ngx_http_azora_journal_audience_has(audience, event)) {
            *next = seq + 1;
            event->refs++;
            return event;
        }
    }

    *next = seq;

    return NULL;
}


static void
ngx_http_azora_journal_ring_fill(void)
{
    u_char                          first[NGX_INT64_LEN];
    u_char                          batch[NGX_INT_T_LEN];
    ngx_str_t                       params[3];
    ngx_http_azora_journal_ring_t  *ring;

    ring = ngx_http_azora_journal_ring;

    if (ring->op != NULL || ring->end >= ring->size || ngx_exiting) {
        return;
    }

    params[0] = ngx_http_azora_journal_conf->source;
    params[1].data = first;
    params[1].len = ngx_sprintf(first, "%uL", ring->end) - first;
    params[2].data = batch;
    params[2].len = ngx_sprintf(batch, "%uL",
                                ngx_min(ring->size - ring->end,
                                        NGX_HTTP_AZORA_JOURNAL_RING_FETCH))
                    - batch;

    /* out of memory: the next tick tries again */

    ring->op = ngx_azora_query(ngx_http_azora_journal_conf->events, params, 0,
                               ngx_http_azora_journal_ring_filled, NULL);
}


static void
ngx_http_azora_journal_ring_filled(ngx_azora_op_t *op, void *data)
{
    uint64_t                         seq, end;
    ngx_uint_t                       i, n;
    ngx_http_azora_journal_ring_t   *ring;
    ngx_http_azora_journal_event_t  *event;

    ring = ngx_http_azora_journal_ring;
    ring->op = NULL;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK || ngx_exiting) {
        return;
    }

    n = ngx_azora_op_rows(op);
    seq = ring->end;

    for (i = 0; i < n; i++) {
        if (ngx_http_azora_journal_ring_add(op, i) != NGX_OK) {
            break;
        }
    }

    if (seq < ring->first) {
        /* the batch was so large that its first events are gone again */
        ngx_http_azora_journal_ring_missed(seq);
        seq = ring->first;
    }

    for (end = ring->end; seq < end; seq++) {
        event = ring->events[seq % NGX_HTTP_AZORA_JOURNAL_RING];
        event->refs++;
        ngx_http_azora_journal_audience_tell(event);
        ngx_http_azora_journal_event_release(event);
    }

    if (i > 0 && ngx_http_azora_journal_clients.n > 0) {
        ngx_http_azora_journal_ring_fill();
    }
}


/* NGX_DECLINED: not the number that comes next; it is asked for again. */

static ngx_int_t
ngx_http_azora_journal_ring_add(ngx_azora_op_t *op, ngx_uint_t row)
{
    u_char                          *p;
    ngx_str_t                        seq, type, subject, text;
    ngx_http_azora_journal_ring_t   *ring;
    ngx_http_azora_journal_event_t  *event;

    ring = ngx_http_azora_journal_ring;

    seq = ngx_azora_op_value(op, row, 0);
    type = ngx_azora_op_value(op, row, 1);
    subject = ngx_azora_op_value(op, row, 2);
    text = ngx_azora_op_value(op, row, 3);

    if ((uint64_t) ngx_atoof(seq.data, seq.len) != ring->end) {
        return NGX_DECLINED;
    }

    event = ngx_http_azora_journal_event_alloc(
                text.len + ngx_max(NGX_HTTP_AZORA_JOURNAL_EVENT_ROOM,
                                   NGX_HTTP_AZORA_JOURNAL_GAP_ROOM));
    if (event == NULL) {
        return NGX_ERROR;
    }

    event->seq = ring->end;
    event->type = ngx_http_azora_journal_type_hash(type.data, type.len);

    if (subject.data != NULL) {
        (void) ngx_http_azora_journal_uuid(&subject, event->subject);
    }

    p = (text.data != NULL)
        ? ngx_http_azora_journal_event_print(event->data, event->seq, &text)
        : ngx_http_azora_journal_gap_print(event->data, event->seq,
                                           event->seq, event->seq + 1,
                                           "erased");
    event->len = p - event->data;

    while (ring->end - ring->first == NGX_HTTP_AZORA_JOURNAL_RING
           || (ring->end > ring->first
               && ring->bytes + event->len > NGX_HTTP_AZORA_JOURNAL_RING_BYTES))
    {
        ngx_http_azora_journal_ring_drop();
    }

    ring->bytes += event->len;
    ring->events[ring->end++ % NGX_HTTP_AZORA_JOURNAL_RING] = event;

    return NGX_OK;
}


static void
ngx_http_azora_journal_ring_drop(void)
{
    ngx_http_azora_journal_ring_t    *ring;
    ngx_http_azora_journal_event_t  **event;

    ring = ngx_http_azora_journal_ring;
    event = &ring->events[ring->first++ % NGX_HTTP_AZORA_JOURNAL_RING];

    ring->bytes -= (*event)->len;
    ngx_http_azora_journal_event_release(*event);
    *event = NULL;
}


static void
ngx_http_azora_journal_ring_reset(uint64_t first)
{
    ngx_http_azora_journal_ring_t  *ring;

    ring = ngx_http_azora_journal_ring;

    while (ring->first < ring->end) {
        ngx_http_azora_journal_ring_drop();
    }

    ring->first = first;
    ring->end = first;
}


/* Whoever waits has seen what was before, and has to ask for the rest. */

static void
ngx_http_azora_journal_ring_missed(uint64_t from)
{
    ngx_queue_t                      *q, *next;
    ngx_http_azora_journal_client_t  *client;

    for (q = ngx_queue_head(&ngx_http_azora_journal_clients.clients);
         q != ngx_queue_sentinel(&ngx_http_azora_journal_clients.clients);
         q = next)
    {
        next = ngx_queue_next(q);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, order);

        if (client->state == NGX_HTTP_AZORA_JOURNAL_LIVE) {
            client->next = ngx_max(client->next, from);
            (void) ngx_http_azora_journal_client_go_on(client);
        }
    }
}


/*
 * PostgreSQL was restored to an earlier time: what clients hold of the numbers
 * behind it is void, which each is told by its own question.
 */

static void
ngx_http_azora_journal_ring_rewound(uint64_t size)
{
    ngx_queue_t                      *q, *next;
    ngx_http_azora_journal_ring_t    *ring;
    ngx_http_azora_journal_client_t  *client;

    ring = ngx_http_azora_journal_ring;

    if (ring->op != NULL) {
        ngx_azora_detach(ring->op);
        ring->op = NULL;
    }

    ngx_http_azora_journal_ring_reset(size);
    ring->size = size;

    for (q = ngx_queue_head(&ngx_http_azora_journal_clients.clients);
         q != ngx_queue_sentinel(&ngx_http_azora_journal_clients.clients);
         q = next)
    {
        next = ngx_queue_next(q);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, order);
        client->check = 1;

        if (client->state == NGX_HTTP_AZORA_JOURNAL_LIVE) {
            (void) ngx_http_azora_journal_client_go_on(client);
        }
    }
}
