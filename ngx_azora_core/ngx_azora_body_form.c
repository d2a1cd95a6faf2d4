
/*
 * A form as a body: application/x-www-form-urlencoded, for the few rows whose
 * specification asks for it (RFC 7662, RFC 6749).  It becomes a JSON object of
 * strings, which is then validated as any other.
 */


#include "ngx_azora_json.h"


#define NGX_AZORA_FORM_MEMBERS_MAX  64


static json_t *ngx_azora_form_text(u_char *dst, const u_char *p, size_t len);
static ngx_int_t ngx_azora_form_decode(u_char *dst, const u_char *p,
    size_t len, size_t *out);


ngx_uint_t
ngx_azora_form_is(const ngx_str_t *type)
{
    static const char  form[] = "application/x-www-form-urlencoded";

    return type->len >= sizeof(form) - 1
           && ngx_strncasecmp(type->data, (u_char *) form, sizeof(form) - 1)
              == 0
           && (type->len == sizeof(form) - 1
               || type->data[sizeof(form) - 1] == ';'
               || type->data[sizeof(form) - 1] == ' ');
}


json_t *
ngx_azora_form_parse(ngx_pool_t *pool, const u_char *data, size_t len,
    const char **reason, size_t *offset)
{
    size_t         name_len;
    u_char        *buf;
    json_t        *root, *name, *value;
    ngx_uint_t     n;
    const u_char  *p, *last, *end, *equals;

    root = json_object();
    buf = ngx_pnalloc(pool, len + 1);
    *reason = "it does not fit into memory";
    *offset = 0;

    if (root == NULL || buf == NULL) {
        goto failed;
    }

    last = data + len;
    n = 0;

    for (p = data; p < last; p = end + 1) {

        end = memchr(p, '&', last - p);
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        *offset = p - data;

        if (++n > NGX_AZORA_FORM_MEMBERS_MAX) {
            *reason = "the form has too many members";
            goto failed;
        }

        equals = memchr(p, '=', end - p);
        name_len = (equals ? equals : end) - p;

        name = ngx_azora_form_text(buf, p, name_len);
        value = ngx_azora_form_text(buf, equals ? equals + 1 : end,
                                    equals ? end - equals - 1 : 0);

        if (name == NULL || value == NULL
            || json_object_get(root, json_string_value(name)) != NULL
            || json_object_set(root, json_string_value(name), value) != 0)
        {
            *reason = "a member of the form is not UTF-8, or is there twice";
            json_decref(name);
            json_decref(value);
            goto failed;
        }

        json_decref(name);
        json_decref(value);
    }

    return root;

failed:

    json_decref(root);

    return NULL;
}


/* NULL: no UTF-8, a NUL, or an escape that is none */

static json_t *
ngx_azora_form_text(u_char *dst, const u_char *p, size_t len)
{
    size_t  n;

    if (ngx_azora_form_decode(dst, p, len, &n) != NGX_OK) {
        return NULL;
    }

    return json_stringn((char *) dst, n);
}


static ngx_int_t
ngx_azora_form_decode(u_char *dst, const u_char *p, size_t len, size_t *out)
{
    ngx_int_t      c;
    u_char        *start;
    const u_char  *last;

    start = dst;
    last = p + len;

    while (p < last) {

        if (*p == '%') {
            c = (last - p >= 3) ? ngx_hextoi((u_char *) p + 1, 2)
                                : NGX_ERROR;

            if (c <= 0) {
                return NGX_ERROR;
            }

            *dst++ = (u_char) c;
            p += 3;
            continue;
        }

        if (*p == '\0') {
            return NGX_ERROR;
        }

        *dst++ = (*p == '+') ? ' ' : *p;
        p++;
    }

    *out = dst - start;

    return NGX_OK;
}
