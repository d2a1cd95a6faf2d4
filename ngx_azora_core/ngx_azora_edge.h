
/*
 * A part of ngx_azora.h: what the edge knows now, for GET /v1/admin/edge.
 */


#ifndef _NGX_AZORA_EDGE_H_INCLUDED_
#define _NGX_AZORA_EDGE_H_INCLUDED_


/* A new reference to what is so now; NULL: out of memory. */
typedef json_t *(*ngx_azora_edge_pt)(void);

/* Adds a section.  Configuration time; name is static. */
ngx_int_t ngx_azora_edge_section(ngx_conf_t *cf, const char *name,
    ngx_azora_edge_pt report);

/* All sections, a new reference; NULL: out of memory. */
json_t *ngx_azora_edge_report(void);


#endif /* _NGX_AZORA_EDGE_H_INCLUDED_ */
