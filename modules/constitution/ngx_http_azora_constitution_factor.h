
/*
 * What the two files that read patterns for literals share.
 */


#ifndef _NGX_HTTP_AZORA_CONSTITUTION_FACTOR_H_INCLUDED_
#define _NGX_HTTP_AZORA_CONSTITUTION_FACTOR_H_INCLUDED_


#include "ngx_http_azora_constitution.h"


typedef struct {
    const u_char                  *pos;
    const u_char                  *last;
    ngx_uint_t                     depth;       /* of groups */
} ngx_http_azora_reader_t;


/*
 * A part of the pattern.  exact: it matches these strings and no others, or
 * never when there are none.  Otherwise a text it matches holds one of them,
 * if there are any.
 */

typedef struct {
    ngx_http_azora_literals_t      set;
    ngx_uint_t                     exact;
} ngx_http_azora_part_t;


/*
 * ngx_http_azora_constitution_syntax.c: each reads on from in->pos; NGX_ERROR
 * means that the pattern is not understood.
 */

void ngx_http_azora_constitution_part_empty(ngx_http_azora_part_t *part);
void ngx_http_azora_constitution_part_unknown(ngx_http_azora_part_t *part);
void ngx_http_azora_constitution_part_char(ngx_http_azora_part_t *part,
    u_char c);

/* after a backslash outside of a class */
ngx_int_t ngx_http_azora_constitution_read_escape(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part);

/* after a "[" */
ngx_int_t ngx_http_azora_constitution_read_class(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part);

/*
 * After "(?": NGX_OK before the group's content, *around when it takes no text
 * here; NGX_DONE after flags such as "(?i)"; NGX_DECLINED after a call of
 * another group.
 */
ngx_int_t ngx_http_azora_constitution_read_group(ngx_http_azora_reader_t *in,
    ngx_uint_t *around);

/* at the "*" after a "(" */
ngx_int_t ngx_http_azora_constitution_read_verb(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part);

/* NGX_DECLINED: there is none here */
ngx_int_t ngx_http_azora_constitution_read_quantifier(
    ngx_http_azora_reader_t *in, ngx_uint_t *min, ngx_uint_t *max);


#endif /* _NGX_HTTP_AZORA_CONSTITUTION_FACTOR_H_INCLUDED_ */
