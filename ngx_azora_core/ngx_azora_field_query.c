
/*
 * The query string: application/x-www-form-urlencoded names and values, each
 * name once, each one a field of the row.
 */


#include "ngx_azora_field.h"


#if (NGX_AZORA_FIELDS_MAX > 32)
#error "ngx_azora_validation_t.seen has 32 bits"
#endif


static ngx_int_t ngx_azora_field_query_pair(ngx_azora_validation_t *v,
    const u_char *p, const u_char *last);
static ngx_int_t ngx_azora_field_query_decode(ngx_pool_t *pool,
    const u_char *p, const u_char *last, ngx_str_t *out);
static ngx_int_t ngx_azora_field_query_hex(const u_char *p);
static ngx_uint_t ngx_azora_field_query_index(
    const ngx_azora_endpoint_t *endpoint, const ngx_str_t *name);
static void ngx_azora_field_query_point(ngx_azora_validation_t *v,
    const ngx_str_t *name);
static void ngx_azora_field_query_required(ngx_azora_validation_t *v);


ngx_int_t
ngx_azora_field_query(ngx_azora_validation_t *v)
{
    const u_char  *p, *end, *last;

    p = v->request->args.data;
    last = p + v->request->args.len;

    while (p < last && v->errors < NGX_AZORA_ERRORS_MAX) {

        end = memchr(p, '&', last - p);

        if (end == NULL) {
            end = last;
        }

        if (end != p && ngx_azora_field_query_pair(v, p, end) != NGX_OK) {
            return NGX_ERROR;
        }

        p = end + 1;
    }

    ngx_azora_field_query_required(v);

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_query_pair(ngx_azora_validation_t *v, const u_char *p,
    const u_char *last)
{
    ngx_int_t      rc;
    ngx_str_t      name, value;
    ngx_uint_t     i;
    const u_char  *equals;

    equals = memchr(p, '=', last - p);

    if (equals == NULL) {
        equals = last;
    }

    rc = ngx_azora_field_query_decode(v->request->pool, p, equals, &name);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_str_null(&name);
        ngx_azora_field_query_point(v, &name);
        ngx_azora_field_wrong(v, NULL, "is not percent-encoded");
        return NGX_OK;
    }

    ngx_azora_field_query_point(v, &name);

    i = ngx_azora_field_query_index(v->ctx->endpoint, &name);

    if (i == NGX_AZORA_NONE) {

        if (!(v->ctx->endpoint->row->flags & NGX_AZORA_ANY_QUERY)) {
            ngx_azora_field_wrong(v, NULL, "is not known here");
        }

        return NGX_OK;
    }

    if (v->seen & ((uint32_t) 1 << i)) {
        ngx_azora_field_wrong(v, NULL, "is given twice");
        return NGX_OK;
    }

    v->seen |= (uint32_t) 1 << i;

    p = ngx_min(equals + 1, last);

    rc = ngx_azora_field_query_decode(v->request->pool, p, last, &value);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_azora_field_wrong(v, NULL, "is not percent-encoded");
        return NGX_OK;
    }

    return ngx_azora_field_take(v, i, &value);
}


/* NGX_DECLINED: a % without two hexadecimal digits */

static ngx_int_t
ngx_azora_field_query_decode(ngx_pool_t *pool, const u_char *p,
    const u_char *last, ngx_str_t *out)
{
    u_char     *dst;
    ngx_int_t   byte;

    dst = ngx_pnalloc(pool, last - p + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    out->data = dst;

    for ( /* void */ ; p < last; p++) {

        if (*p == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*p != '%') {
            *dst++ = *p;
            continue;
        }

        byte = (last - p > 2) ? ngx_azora_field_query_hex(p + 1) : NGX_ERROR;

        if (byte == NGX_ERROR) {
            return NGX_DECLINED;
        }

        *dst++ = (u_char) byte;
        p += 2;
    }

    *dst = '\0';
    out->len = dst - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_query_hex(const u_char *p)
{
    u_char      c;
    ngx_int_t   byte;
    ngx_uint_t  i;

    byte = 0;

    for (i = 0; i < 2; i++) {

        if (p[i] >= '0' && p[i] <= '9') {
            byte = byte * 16 + (p[i] - '0');
            continue;
        }

        c = p[i] | 0x20;

        if (c < 'a' || c > 'f') {
            return NGX_ERROR;
        }

        byte = byte * 16 + (c - 'a' + 10);
    }

    return byte;
}


static ngx_uint_t
ngx_azora_field_query_index(const ngx_azora_endpoint_t *endpoint,
    const ngx_str_t *name)
{
    ngx_uint_t                i;
    const ngx_azora_field_t  *field;

    for (i = 0; i < endpoint->nfields; i++) {

        field = &endpoint->row->fields[i];

        if ((field->flags & NGX_AZORA_IN_QUERY)
            && ngx_strlen(field->name) == name->len
            && ngx_memcmp(field->name, name->data, name->len) == 0)
        {
            return i;
        }
    }

    return NGX_AZORA_NONE;
}


/* "?name", or "?" where the name cannot be shown */

static void
ngx_azora_field_query_point(ngx_azora_validation_t *v, const ngx_str_t *name)
{
    size_t  i, len;

    for (i = 0; i < name->len; i += len) {

        len = ngx_azora_utf8_len(name->data + i, name->data + name->len);

        if (len == 0 || name->data[i] < 0x20) {
            ngx_azora_field_point(v, 0, '?', name->data, 0, '\0');
            return;
        }
    }

    ngx_azora_field_point(v, 0, '?', name->data, name->len, '\0');
}


static void
ngx_azora_field_query_required(ngx_azora_validation_t *v)
{
    ngx_str_t                 name;
    ngx_uint_t                i;
    const ngx_azora_field_t  *field;

    for (i = 0; i < v->ctx->endpoint->nfields; i++) {

        field = &v->ctx->endpoint->row->fields[i];

        if ((field->flags & NGX_AZORA_IN_QUERY)
            && (field->flags & NGX_AZORA_REQUIRED)
            && !(v->seen & ((uint32_t) 1 << i)))
        {
            name.data = (u_char *) field->name;
            name.len = ngx_strlen(name.data);
            ngx_azora_field_query_point(v, &name);
            ngx_azora_field_wrong(v, NULL, "is required");
        }
    }
}
