
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
    const ngx_str_t           *directive;  /* for the log */
    unsigned                   json:1;     /* value is JSON, not text */
} ngx_http_azora_transform_op_t;


/* which way what is changed goes */

#define NGX_HTTP_AZORA_TRANSFORM_ANSWER   0
#define NGX_HTTP_AZORA_TRANSFORM_REQUEST  1
#define NGX_HTTP_AZORA_TRANSFORM_WAYS     2

typedef struct {
    ngx_array_t               *ops[NGX_HTTP_AZORA_TRANSFORM_WAYS];
                                           /* NULL: not given */
    ngx_uint_t                 other;      /* requests that are no JSON pass */
    size_t                     max;
} ngx_http_azora_transform_conf_t;


typedef struct {
    ngx_str_t                  body;       /* of the answer, so far */
    unsigned                   begun:1;    /* the answer is held back */
    unsigned                   done:1;
    unsigned                   read:1;     /* the request's body is there */
} ngx_http_azora_transform_ctx_t;


extern ngx_module_t  ngx_http_azora_transform_module;


/* The request's context, made where there is none; NULL: out of memory. */
ngx_http_azora_transform_ctx_t *ngx_http_azora_transform_ctx(
    ngx_http_request_t *r);

/* ngx_http_azora_transform_answer.c: puts the filters in */
void ngx_http_azora_transform_answers(void);

/* ngx_http_azora_transform_request.c: PRECONTENT */
ngx_int_t ngx_http_azora_transform_request(ngx_http_request_t *r);

/*
 * ngx_http_azora_transform_ops.c: does all operations on a valid JSON text,
 * which is replaced.  NGX_DECLINED, logged: a value is no JSON.
 */
ngx_int_t ngx_http_azora_transform_all(ngx_http_request_t *r,
    const ngx_array_t *ops, ngx_str_t *text);


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
