
/*
 * What the files of the transform module share among themselves.
 */


#ifndef _NGX_HTTP_AZORA_TRANSFORM_H_INCLUDED_
#define _NGX_HTTP_AZORA_TRANSFORM_H_INCLUDED_


#include "ngx_azora.h"


#define NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX  8


/* "/items/" and "*" and "/secret": the steps of a pointer, unescaped */

typedef struct {
    ngx_str_t                  steps[NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX];
    ngx_uint_t                 nsteps;
    ngx_http_complex_value_t  *value;      /* NULL: remove */
    unsigned                   json:1;     /* value is JSON, not text */
} ngx_http_azora_transform_op_t;


/*
 * ngx_http_azora_transform_json.c: does one operation on a valid JSON text.
 * Everything that it does not name stays as it was written, byte for byte.
 * value is a JSON text or NULL; out, which is not text, gets text's bytes or
 * new ones in pool.  NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_azora_transform_json(ngx_pool_t *pool,
    const ngx_http_azora_transform_op_t *op, const ngx_str_t *value,
    const ngx_str_t *text, ngx_str_t *out);

/* Whether it is valid JSON, with numbers of any length. */
ngx_uint_t ngx_http_azora_transform_valid(const ngx_str_t *text);


#endif /* _NGX_HTTP_AZORA_TRANSFORM_H_INCLUDED_ */
