
/* The page's text while it grows; ngx_azora_docs*.c only. */


#ifndef _NGX_AZORA_DOCS_H_INCLUDED_
#define _NGX_AZORA_DOCS_H_INCLUDED_


#include "ngx_azora_private.h"


typedef struct {
    u_char      *start;
    u_char      *last;
    u_char      *end;
    ngx_log_t   *log;
    ngx_uint_t   failed;        /* out of memory; what follows is dropped */
} ngx_azora_docs_t;


/* appends HTML as it is; a text escaped; a number */
void ngx_azora_docs_raw(ngx_azora_docs_t *docs, const char *html);
void ngx_azora_docs_text(ngx_azora_docs_t *docs, const char *text);
void ngx_azora_docs_number(ngx_azora_docs_t *docs, int64_t n);

/* ngx_azora_docs_row.c */
void ngx_azora_docs_row(ngx_azora_docs_t *docs,
    const ngx_azora_endpoint_t *endpoint);


#endif /* _NGX_AZORA_DOCS_H_INCLUDED_ */
