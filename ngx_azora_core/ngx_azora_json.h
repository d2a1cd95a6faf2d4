
/* JSON beyond ngx_azora_json_parse(): for the core's own files. */


#ifndef _NGX_AZORA_JSON_H_INCLUDED_
#define _NGX_AZORA_JSON_H_INCLUDED_


#include "ngx_azora_private.h"


/* every decimal of so many significant digits survives in a double */
#define NGX_AZORA_JSON_DIGITS_MAX    15


/*
 * ngx_azora_json_parse()'s reason, by address, when *offset is the opening
 * quote of a name that its object has already.
 */
extern const char  ngx_azora_json_duplicate[];

/* Bytes of the UTF-8 character at p < last, RFC 3629; 0: it is none. */
size_t ngx_azora_utf8_len(const u_char *p, const u_char *last);

/*
 * The tree as compact JSON in pool, NUL-terminated.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_azora_json_dump(ngx_pool_t *pool, const json_t *json,
    ngx_str_t *out);


#endif /* _NGX_AZORA_JSON_H_INCLUDED_ */
