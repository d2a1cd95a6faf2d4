
/*
 * What was published, by type.  A batch is counted when PostgreSQL has given
 * it numbers, so that a batch that another node was faster with is not.
 */


#include "ngx_http_azora_journal_sequencer.h"


/* the core keeps as many series; a batch rarely has more than a few */
#define NGX_HTTP_AZORA_JOURNAL_TYPES     64
#define NGX_HTTP_AZORA_JOURNAL_TYPE_LEN  64


typedef struct {
    ngx_uint_t    n;
    size_t        len;
    u_char        name[NGX_HTTP_AZORA_JOURNAL_TYPE_LEN];
} ngx_http_azora_journal_type_t;


static ngx_http_azora_journal_type_t
    ngx_http_azora_journal_types[NGX_HTTP_AZORA_JOURNAL_TYPES];
static ngx_uint_t  ngx_http_azora_journal_ntypes;
static ngx_uint_t  ngx_http_azora_journal_other_types;


void
ngx_http_azora_journal_published_begin(void)
{
    ngx_http_azora_journal_ntypes = 0;
    ngx_http_azora_journal_other_types = 0;
}


/* An entry is {"v":1,"type":"...",...: see docs/CHRONICLE.md. */

void
ngx_http_azora_journal_published_add(const ngx_str_t *entry)
{
    size_t                          len;
    u_char                         *p, *end, *last;
    ngx_uint_t                      i;
    ngx_http_azora_journal_type_t  *type;

    static const ngx_str_t  prefix = ngx_string("{\"v\":1,\"type\":\"");

    if (entry->len < prefix.len
        || ngx_memcmp(entry->data, prefix.data, prefix.len) != 0)
    {
        return;
    }

    p = entry->data + prefix.len;
    last = entry->data + entry->len;
    end = ngx_strlchr(p, last, '"');

    if (end == NULL || end - p > NGX_HTTP_AZORA_JOURNAL_TYPE_LEN) {
        return;
    }

    len = end - p;

    for (i = 0; i < ngx_http_azora_journal_ntypes; i++) {
        type = &ngx_http_azora_journal_types[i];

        if (type->len == len && ngx_memcmp(type->name, p, len) == 0) {
            type->n++;
            return;
        }
    }

    if (i == NGX_HTTP_AZORA_JOURNAL_TYPES) {
        ngx_http_azora_journal_other_types++;
        return;
    }

    type = &ngx_http_azora_journal_types[ngx_http_azora_journal_ntypes++];
    type->n = 1;
    type->len = len;
    ngx_memcpy(type->name, p, len);
}


void
ngx_http_azora_journal_published_done(void)
{
    ngx_str_t                       name;
    ngx_uint_t                      i;
    ngx_http_azora_journal_type_t  *type;

    for (i = 0; i < ngx_http_azora_journal_ntypes; i++) {
        type = &ngx_http_azora_journal_types[i];

        name.data = type->name;
        name.len = type->len;

        ngx_azora_metric_count(ngx_http_azora_journal_sequencer.types_metric,
                               &name, type->n);
    }

    if (ngx_http_azora_journal_other_types) {
        ngx_azora_metric_add(ngx_http_azora_journal_sequencer.types_metric,
                             ngx_http_azora_journal_other_types);
    }

    ngx_http_azora_journal_published_begin();
}
