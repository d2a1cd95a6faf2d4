
/*
 * The page of metrics, shared by the files that print it.
 */


#ifndef _NGX_AZORA_METRICS_PAGE_H_INCLUDED_
#define _NGX_AZORA_METRICS_PAGE_H_INCLUDED_


#include "ngx_azora_shm.h"


typedef struct {
    ngx_http_request_t       *request;
    const ngx_azora_names_t  *names;
    ngx_uint_t                nslots;
    ngx_chain_t              *chain;
    ngx_chain_t              *tail;
    ngx_buf_t                *buf;
    off_t                     size;
    ngx_uint_t                failed;     /* out of memory */
} ngx_azora_page_t;


/* ngx_azora_metrics_page.c; fmt is ngx_sprintf's, and less than a line */
void ngx_azora_page_print(ngx_azora_page_t *page, const char *fmt, ...);
void ngx_azora_page_family(ngx_azora_page_t *page, const char *name,
    const char *type, const char *help);
/* prints nothing while there is no observation; labels may be empty */
void ngx_azora_page_histogram(ngx_azora_page_t *page, ngx_str_t *name,
    ngx_uint_t cell, ngx_str_t *labels);

/* ngx_azora_metrics_module.c: what modules count */
void ngx_azora_page_metrics(ngx_azora_page_t *page);


#endif /* _NGX_AZORA_METRICS_PAGE_H_INCLUDED_ */
