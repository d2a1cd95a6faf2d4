
/* What the files that describe the API share: OpenAPI 3.1 and the page. */


#ifndef _NGX_AZORA_OPENAPI_H_INCLUDED_
#define _NGX_AZORA_OPENAPI_H_INCLUDED_


#include "ngx_azora_private.h"


/* Problems an operation may answer with; bits by position in the table. */

typedef struct {
    ngx_uint_t    status;
    const char   *name;         /* in components.responses */
    const char   *about;
} ngx_azora_api_problem_t;

extern const ngx_azora_api_problem_t  ngx_azora_api_problems[];   /* ends
                                                            with status 0 */

/* the bits of the problems that a row may answer with */
ngx_uint_t ngx_azora_api_row_problems(const ngx_azora_row_t *row);

/*
 * The statuses that a row answers with, separated by "|": its own, or those
 * of its method.  Whether a status, three digits, is among them, and whether
 * all of them are known here.
 */
const char *ngx_azora_api_answers(const ngx_azora_row_t *row);
ngx_uint_t ngx_azora_api_answers_with(const char *answers, ngx_uint_t status);
ngx_uint_t ngx_azora_api_answers_known(const char *answers);

/*
 * The schema of a field, without its description, and of an object of fields:
 * of all of them in a reply, of the body's in a request.  A new reference;
 * NULL: out of memory.
 */
json_t *ngx_azora_api_schema(const ngx_azora_field_t *field,
    ngx_uint_t reply);
json_t *ngx_azora_api_object(const ngx_azora_field_t *fields,
    ngx_uint_t reply);

ngx_uint_t ngx_azora_api_has_body(const ngx_azora_row_t *row);

/* operationId, unique in the document; NULL: out of memory */
json_t *ngx_azora_api_operation_id(ngx_azora_main_conf_t *amcf,
    const ngx_azora_endpoint_t *endpoint);

/* the name of the schema of what rows return, among the components */
json_t *ngx_azora_api_reply_name(ngx_azora_main_conf_t *amcf,
    const ngx_azora_field_t *returns);

/* the responses object of a row; NULL: out of memory */
json_t *ngx_azora_api_responses(ngx_azora_main_conf_t *amcf,
    const ngx_azora_row_t *row);

/* the operation object of a row; NULL: out of memory */
json_t *ngx_azora_api_operation(ngx_azora_main_conf_t *amcf,
    const ngx_azora_endpoint_t *endpoint);

/* "a|b" as an array of strings */
json_t *ngx_azora_api_words(const char *words);

/* '"' 16 hex digits of the text's hash '"' in pool */
ngx_int_t ngx_azora_api_etag(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_str_t *etag);

/* sends a static text with its ETag; If-None-Match is NGINX's to compare */
ngx_int_t ngx_azora_api_send(ngx_http_request_t *r, const char *type,
    ngx_str_t *text, ngx_str_t *etag);

/* ngx_azora_docs.c: builds amcf->docs */
ngx_int_t ngx_azora_docs_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf);


#endif /* _NGX_AZORA_OPENAPI_H_INCLUDED_ */
