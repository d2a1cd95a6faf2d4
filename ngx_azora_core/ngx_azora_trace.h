
/* The parser of traceparent, apart so that t/unit/trace.c can reach it. */


#ifndef _NGX_AZORA_TRACE_H_INCLUDED_
#define _NGX_AZORA_TRACE_H_INCLUDED_


#include "ngx_azora_private.h"


typedef struct {
    u_char       trace_id[32];
    u_char       parent_id[16];
    ngx_uint_t   sampled;
} ngx_azora_traceparent_t;

/* NGX_OK, or NGX_DECLINED when the value must be ignored */
ngx_int_t ngx_azora_trace_parse(const ngx_str_t *value,
    ngx_azora_traceparent_t *trace);


#endif /* _NGX_AZORA_TRACE_H_INCLUDED_ */
