
/*
 * A part of ngx_azora.h: headers of a request and of its answer.
 */


#ifndef _NGX_AZORA_HEADER_H_INCLUDED_
#define _NGX_AZORA_HEADER_H_INCLUDED_


/*
 * Walks over a list of headers, those that were taken out of an answer (their
 * hash is 0) among them; NULL: there are no more.  It begins as { part, 0 }
 * with the list's first part.
 */
typedef struct {
    ngx_list_part_t  *part;
    ngx_uint_t        i;
} ngx_azora_headers_t;

static ngx_inline ngx_table_elt_t *
ngx_azora_header_next(ngx_azora_headers_t *at)
{
    while (at->part != NULL && at->i == at->part->nelts) {
        at->part = at->part->next;
        at->i = 0;
    }

    return at->part ? (ngx_table_elt_t *) at->part->elts + at->i++ : NULL;
}

/* Whether a header has that name, in any case. */
static ngx_inline ngx_uint_t
ngx_azora_header_is(const ngx_table_elt_t *h, const char *name)
{
    size_t  len;

    len = ngx_strlen(name);

    return h->key.len == len
           && ngx_strncasecmp(h->key.data, (u_char *) name, len) == 0;
}

/*
 * How many headers of that name, in any case, the request has; value is that
 * of the first and stays as it was when there is none.
 */
ngx_uint_t ngx_azora_request_headers(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* The same for who takes the first; NGX_DECLINED: there is none. */
ngx_int_t ngx_azora_request_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);

/* Adds a response header; name is static, value must outlive the request. */
ngx_int_t ngx_azora_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value);


#endif /* _NGX_AZORA_HEADER_H_INCLUDED_ */
