
/*
 * Audiences: the clients of a worker that follow the same, so that an event
 * finds them without a look at all the others.
 */


#include "ngx_http_azora_journal_events.h"


static void ngx_http_azora_journal_audience_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_int_t ngx_http_azora_journal_audience_order(const u_char *subject,
    ngx_rbtree_node_t *node);
static ngx_http_azora_journal_audience_t *
    ngx_http_azora_journal_audience_find(const u_char *subject);
static ngx_http_azora_journal_audience_t *
    ngx_http_azora_journal_audience_new(const ngx_str_t *text);
static void ngx_http_azora_journal_audience_wake(
    ngx_http_azora_journal_audience_t *audience,
    const ngx_http_azora_journal_event_t *event);


static ngx_rbtree_t       ngx_http_azora_journal_accounts;
static ngx_rbtree_node_t  ngx_http_azora_journal_accounts_sentinel;
static ngx_queue_t        ngx_http_azora_journal_lists;


void
ngx_http_azora_journal_audience_init(void)
{
    ngx_rbtree_init(&ngx_http_azora_journal_accounts,
                    &ngx_http_azora_journal_accounts_sentinel,
                    ngx_http_azora_journal_audience_insert);

    ngx_queue_init(&ngx_http_azora_journal_lists);
}


static void
ngx_http_azora_journal_audience_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t                  **p;
    ngx_http_azora_journal_audience_t   *audience;

    audience = (ngx_http_azora_journal_audience_t *) node;

    for ( ;; ) {
        p = ngx_http_azora_journal_audience_order(audience->subject, temp) < 0
            ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_int_t
ngx_http_azora_journal_audience_order(const u_char *subject,
    ngx_rbtree_node_t *node)
{
    ngx_http_azora_journal_audience_t  *audience;

    audience = (ngx_http_azora_journal_audience_t *) node;

    return ngx_memcmp(subject, audience->subject, sizeof(audience->subject));
}


static ngx_http_azora_journal_audience_t *
ngx_http_azora_journal_audience_find(const u_char *subject)
{
    ngx_int_t           rc;
    ngx_rbtree_node_t  *node, *sentinel;

    node = ngx_http_azora_journal_accounts.root;
    sentinel = ngx_http_azora_journal_accounts.sentinel;

    while (node != sentinel) {

        rc = ngx_http_azora_journal_audience_order(subject, node);

        if (rc == 0) {
            return (ngx_http_azora_journal_audience_t *) node;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


ngx_http_azora_journal_audience_t *
ngx_http_azora_journal_audience_account(const u_char *subject)
{
    ngx_str_t                           none = ngx_null_string;
    ngx_http_azora_journal_audience_t  *audience;

    audience = ngx_http_azora_journal_audience_find(subject);

    if (audience != NULL) {
        audience->refs++;
        return audience;
    }

    audience = ngx_http_azora_journal_audience_new(&none);
    if (audience == NULL) {
        return NULL;
    }

    ngx_memcpy(audience->subject, subject, 16);

    ngx_rbtree_insert(&ngx_http_azora_journal_accounts, &audience->node);

    return audience;
}


ngx_http_azora_journal_audience_t *
ngx_http_azora_journal_audience_types(const ngx_str_t *text)
{
    u_char                             *p, *end, *last;
    ngx_queue_t                        *q;
    ngx_http_azora_journal_audience_t  *audience;

    for (q = ngx_queue_head(&ngx_http_azora_journal_lists);
         q != ngx_queue_sentinel(&ngx_http_azora_journal_lists);
         q = ngx_queue_next(q))
    {
        audience = ngx_queue_data(q, ngx_http_azora_journal_audience_t,
                                  queue);

        if (audience->text.len == text->len + 2
            && ngx_memcmp(audience->text.data + 1, text->data, text->len)
               == 0)
        {
            audience->refs++;
            return audience;
        }
    }

    audience = ngx_http_azora_journal_audience_new(text);
    if (audience == NULL) {
        return NULL;
    }

    last = text->data + text->len;

    for (p = text->data;
         p < last && audience->ntypes < NGX_HTTP_AZORA_JOURNAL_TYPES_MAX;
         p = end + 1)
    {
        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        audience->types[audience->ntypes++] =
            ngx_http_azora_journal_type_hash(p, end - p);
    }

    ngx_queue_insert_tail(&ngx_http_azora_journal_lists, &audience->queue);

    return audience;
}


/* The text becomes an array of PostgreSQL: {a,b}; names need no quotes. */

static ngx_http_azora_journal_audience_t *
ngx_http_azora_journal_audience_new(const ngx_str_t *text)
{
    u_char                             *p;
    ngx_http_azora_journal_audience_t  *audience;

    audience = ngx_calloc(sizeof(ngx_http_azora_journal_audience_t)
                          + text->len + 2, ngx_cycle->log);
    if (audience == NULL) {
        return NULL;
    }

    audience->refs = 1;
    ngx_queue_init(&audience->clients);

    if (text->len) {
        p = (u_char *) (audience + 1);

        audience->text.data = p;
        audience->text.len = text->len + 2;

        *p++ = '{';
        p = ngx_cpymem(p, text->data, text->len);
        *p = '}';
    }

    return audience;
}


void
ngx_http_azora_journal_audience_release(
    ngx_http_azora_journal_audience_t *audience)
{
    if (--audience->refs != 0) {
        return;
    }

    if (audience->ntypes) {
        ngx_queue_remove(&audience->queue);

    } else {
        ngx_rbtree_delete(&ngx_http_azora_journal_accounts, &audience->node);
    }

    ngx_free(audience);
}


ngx_uint_t
ngx_http_azora_journal_audience_has(
    const ngx_http_azora_journal_audience_t *audience,
    const ngx_http_azora_journal_event_t *event)
{
    ngx_uint_t  i;

    if (audience->ntypes == 0) {
        return ngx_memcmp(audience->subject, event->subject, 16) == 0;
    }

    for (i = 0; i < audience->ntypes; i++) {
        if (audience->types[i] == event->type) {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_azora_journal_audience_tell(
    const ngx_http_azora_journal_event_t *event)
{
    ngx_queue_t                        *q, *next;
    ngx_http_azora_journal_audience_t  *audience;

    audience = ngx_http_azora_journal_audience_find(event->subject);

    if (audience != NULL) {
        ngx_http_azora_journal_audience_wake(audience, event);
    }

    for (q = ngx_queue_head(&ngx_http_azora_journal_lists);
         q != ngx_queue_sentinel(&ngx_http_azora_journal_lists);
         q = next)
    {
        next = ngx_queue_next(q);
        audience = ngx_queue_data(q, ngx_http_azora_journal_audience_t,
                                  queue);

        if (ngx_http_azora_journal_audience_has(audience, event)) {
            ngx_http_azora_journal_audience_wake(audience, event);
        }
    }
}


/* A client that ends takes itself out, and the last one the audience. */

static void
ngx_http_azora_journal_audience_wake(
    ngx_http_azora_journal_audience_t *audience,
    const ngx_http_azora_journal_event_t *event)
{
    ngx_queue_t                      *q, *next;
    ngx_http_azora_journal_client_t  *client;

    audience->refs++;

    for (q = ngx_queue_head(&audience->clients);
         q != ngx_queue_sentinel(&audience->clients);
         q = next)
    {
        next = ngx_queue_next(q);
        client = ngx_queue_data(q, ngx_http_azora_journal_client_t, peers);

        /* who waits has seen, or not asked for, what was before this event */

        if (client->state == NGX_HTTP_AZORA_JOURNAL_LIVE
            && client->next <= event->seq)
        {
            client->next = event->seq;
            (void) ngx_http_azora_journal_client_go_on(client);
        }
    }

    ngx_http_azora_journal_audience_release(audience);
}


/* FNV-1a; types are the system's own names and not a client's */

uint64_t
ngx_http_azora_journal_type_hash(const u_char *name, size_t len)
{
    size_t    i;
    uint64_t  hash;

    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < len; i++) {
        hash = (hash ^ name[i]) * 0x100000001b3ULL;
    }

    return hash;
}


ngx_int_t
ngx_http_azora_journal_uuid(const ngx_str_t *text, u_char *id)
{
    size_t      i;
    ngx_int_t   n;
    ngx_uint_t  k;

    if (text->len != NGX_HTTP_AZORA_JOURNAL_UUID_LEN) {
        return NGX_DECLINED;
    }

    for (i = 0, k = 0; i + 1 < text->len; i += 2) {

        if (text->data[i] == '-') {
            i++;
        }

        n = ngx_hextoi(text->data + i, 2);

        if (n == NGX_ERROR || k == 16) {
            return NGX_DECLINED;
        }

        id[k++] = (u_char) n;
    }

    return (k == 16) ? NGX_OK : NGX_DECLINED;
}
