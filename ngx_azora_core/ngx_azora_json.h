
/* JSON beyond ngx_azora_json_parse(): for the core's own files. */


#ifndef _NGX_AZORA_JSON_H_INCLUDED_
#define _NGX_AZORA_JSON_H_INCLUDED_


#include "ngx_azora_private.h"


/* every decimal of so many significant digits survives in a double */
#define NGX_AZORA_JSON_DIGITS_MAX    15


#define ngx_azora_is_digit(c)  ((c) >= '0' && (c) <= '9')


/* The scan of a text; pos is where it is, and where it failed. */

typedef struct {
    const u_char  *pos;
    const u_char  *last;
    const char    *reason;
    ngx_uint_t     values;
    ngx_uint_t     values_max;
    ngx_uint_t     depth;
    uint32_t       objects;     /* bit n: the container at depth n + 1 is one */
} ngx_azora_json_scan_t;


/*
 * ngx_azora_json_parse()'s reason, by address, when *offset is the opening
 * quote of a name that its object has already.
 */
extern const char  ngx_azora_json_duplicate[];

/* Scans a number at s->pos, which is at a digit or a minus. */
ngx_int_t ngx_azora_json_number(ngx_azora_json_scan_t *s);

/* Gives the reason; always NGX_ERROR. */
ngx_int_t ngx_azora_json_fail(ngx_azora_json_scan_t *s, const char *reason);

/* Bytes of the UTF-8 character at p < last, RFC 3629; 0: it is none. */
size_t ngx_azora_utf8_len(const u_char *p, const u_char *last);


/*
 * ngx_azora_body_form.c: application/x-www-form-urlencoded as an object of
 * strings; NULL with the reason and the byte.
 */
ngx_uint_t ngx_azora_form_is(const ngx_str_t *type);
json_t *ngx_azora_form_parse(ngx_pool_t *pool, const u_char *data, size_t len,
    const char **reason, size_t *offset);


#endif /* _NGX_AZORA_JSON_H_INCLUDED_ */
