
/* Validation: what its files share. */


#ifndef _NGX_AZORA_FIELD_H_INCLUDED_
#define _NGX_AZORA_FIELD_H_INCLUDED_


#include "ngx_azora_json.h"
#include "ngx_azora_route.h"


#define NGX_AZORA_POINTER_MAX    256

/* RFC 5321, 4.5.3.1.3, less the angle brackets */
#define NGX_AZORA_EMAIL_LEN_MAX  254


#define ngx_azora_is_alnum(c)                                                 \
    (((c) >= '0' && (c) <= '9') || ((c) >= 'A' && (c) <= 'Z')                 \
     || ((c) >= 'a' && (c) <= 'z'))


/* One request's validation: where it is and what it found. */

typedef struct {
    ngx_http_request_t       *request;
    ngx_azora_ctx_t          *ctx;
    const ngx_azora_route_t  *route;
    ngx_uint_t                errors;   /* found; 32 of them are named */
    uint32_t                  seen;     /* fields of the query, by bit */
    size_t                    len;      /* of pointer */
    char                      pointer[NGX_AZORA_POINTER_MAX];
} ngx_azora_validation_t;


/* Why a value is not allowed: reasons known by their address, too. */

extern const char  ngx_azora_field_short[];
extern const char  ngx_azora_field_long[];
extern const char  ngx_azora_field_range[];
extern const char  ngx_azora_field_other[];


/* "a string", "an integer", ...: what a body must hold for a kind */
const char *ngx_azora_field_json_type(ngx_azora_kind_e kind);

/* NULL: n is within the field's bounds; otherwise one of the reasons */
const char *ngx_azora_field_within(const ngx_azora_field_t *field, int64_t n);

/*
 * Names the value at v->pointer as wrong; with a reason about bounds the
 * bounds are said too.
 */
void ngx_azora_field_wrong(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, const char *reason);

/*
 * Sets the pointer from len on: one byte before, the name (cut after 64
 * bytes, escaped by RFC 6901), one byte behind unless it is NUL.
 */
void ngx_azora_field_point(ngx_azora_validation_t *v, size_t len,
    char before, const u_char *name, size_t name_len, char behind);

/* Takes one textual value into ctx->values; NGX_ERROR: out of memory. */
ngx_int_t ngx_azora_field_take(ngx_azora_validation_t *v,
    ngx_uint_t i, const ngx_str_t *in);

/* Checks in files of their own; NULL: it is right, otherwise why not. */
const char *ngx_azora_field_check_email(const ngx_azora_field_t *field,
    const ngx_str_t *in);
const char *ngx_azora_field_check_address(const ngx_azora_field_t *field,
    const ngx_str_t *in);
const char *ngx_azora_field_check_time(const ngx_azora_field_t *field,
    const ngx_str_t *in);

/* ngx_azora_field_query.c; NGX_ERROR: out of memory */
ngx_int_t ngx_azora_field_query(ngx_azora_validation_t *v);


#endif /* _NGX_AZORA_FIELD_H_INCLUDED_ */
