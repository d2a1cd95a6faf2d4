
/*
 * PostgreSQL's array literals, for functions that take many items at once.
 */


#include "ngx_azora_pg.h"


static u_char *ngx_azora_pg_element(u_char *dst, const u_char *text,
    size_t len);


/*
 * Both forms follow "Array Input and Output Syntax" of PostgreSQL's manual:
 * each element in double quotes, backslashes before quotes and backslashes,
 * an unquoted NULL for SQL NULL.
 */

ngx_str_t
ngx_azora_array_literal(ngx_pool_t *pool, const ngx_str_t *items,
    ngx_uint_t n)
{
    u_char      *p;
    size_t       size;
    ngx_str_t    literal;
    ngx_uint_t   i;

    size = 3;

    for (i = 0; i < n; i++) {
        size += items[i].data ? 2 * items[i].len + 3 : 5;
    }

    ngx_str_null(&literal);

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return literal;
    }

    literal.data = p;
    *p++ = '{';

    for (i = 0; i < n; i++) {

        if (i) {
            *p++ = ',';
        }

        p = ngx_azora_pg_element(p, items[i].data, items[i].len);
    }

    *p++ = '}';
    *p = '\0';

    literal.len = p - literal.data;

    return literal;
}


char *
ngx_azora_pg_array(ngx_azora_op_t **ops, ngx_uint_t nops, ngx_uint_t param)
{
    u_char      *p, *literal;
    size_t       size;
    ngx_uint_t   i;
    const char  *text;

    size = 3;

    for (i = 0; i < nops; i++) {
        text = ops[i]->params[param];
        size += text ? 2 * strlen(text) + 3 : 5;
    }

    literal = ngx_alloc(size, ngx_cycle->log);
    if (literal == NULL) {
        return NULL;
    }

    p = literal;
    *p++ = '{';

    for (i = 0; i < nops; i++) {

        if (i) {
            *p++ = ',';
        }

        text = ops[i]->params[param];
        p = ngx_azora_pg_element(p, (const u_char *) text,
                                 text ? strlen(text) : 0);
    }

    *p++ = '}';
    *p = '\0';

    return (char *) literal;
}


static u_char *
ngx_azora_pg_element(u_char *dst, const u_char *text, size_t len)
{
    const u_char  *end;

    if (text == NULL) {
        return ngx_cpymem(dst, "NULL", 4);
    }

    *dst++ = '"';

    for (end = text + len; text < end; text++) {

        if (*text == '"' || *text == '\\') {
            *dst++ = '\\';
        }

        *dst++ = *text;
    }

    *dst++ = '"';

    return dst;
}
