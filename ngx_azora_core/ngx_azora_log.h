
/* What a log line is made of; ngx_azora_log.c and the variables. */


#ifndef _NGX_AZORA_LOG_H_INCLUDED_
#define _NGX_AZORA_LOG_H_INCLUDED_


#include "ngx_azora_private.h"


/* more than the longest line: all parts of it are bounded */
#define NGX_AZORA_LOG_LINE_MAX      2048


/* Writes a part at dst, which has room for any; returns its end. */
typedef u_char *(*ngx_azora_log_pt)(ngx_http_request_t *r, u_char *dst);

typedef enum {
    NGX_AZORA_LOG_TIMESTAMP = 0,    /* RFC 3339, UTC, milliseconds */
    NGX_AZORA_LOG_ADDRESS,          /* the client's network */
    NGX_AZORA_LOG_PATH,             /* without the query, printable */
    NGX_AZORA_LOG_LINE,             /* the whole line */
    NGX_AZORA_LOG_PARTS
} ngx_azora_log_part_e;

extern const ngx_azora_log_pt  ngx_azora_log_parts[NGX_AZORA_LOG_PARTS];

/* the status as it is logged, 0: none was sent */
ngx_uint_t ngx_azora_log_status(const ngx_http_request_t *r);


#endif /* _NGX_AZORA_LOG_H_INCLUDED_ */
