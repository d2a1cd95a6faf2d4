
/* Small helpers that several files of the core and the modules need. */


#include "ngx_azora_private.h"


void
ngx_azora_event(ngx_event_t *ev, ngx_event_handler_pt handler,
    ngx_log_t *log)
{
    /* NGINX's debug log takes the data of a timer for a connection */
    static ngx_connection_t  nobody = { .fd = (ngx_socket_t) -1 };

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = handler;
    ev->data = &nobody;
    ev->log = log;
}


ngx_int_t
ngx_azora_add_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}


ngx_uint_t
ngx_azora_request_headers(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    ngx_uint_t            n;
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at = { &r->headers_in.headers.part, 0 };

    n = 0;

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (ngx_azora_header_is(h, name) && n++ == 0) {
            *value = h->value;
        }
    }

    return n;
}


ngx_int_t
ngx_azora_request_header(ngx_http_request_t *r, const char *name,
    ngx_str_t *value)
{
    return ngx_azora_request_headers(r, name, value) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_azora_copy(ngx_pool_t *pool, ngx_str_t *dst, const ngx_str_t *src)
{
    u_char  *p;

    if (src->data == NULL) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, src->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, src->data, src->len);
    p[src->len] = '\0';

    dst->data = p;
    dst->len = src->len;

    return NGX_OK;
}


/*
 * PostgreSQL writes JSON with blanks; on a metered line each of them costs, so
 * the body is copied without any that stand outside strings.
 */

ngx_int_t
ngx_azora_json_compact(ngx_pool_t *pool, ngx_str_t *dst,
    const ngx_str_t *src)
{
    u_char  *p, *from, *last, *end;

    p = ngx_pnalloc(pool, src->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    dst->data = p;
    from = src->data;
    last = src->data + src->len;

    while (from < last) {

        if (*from == '"') {
            end = from + 1;

            while (end < last && *end != '"') {
                end += (*end == '\\') ? 2 : 1;
            }

            end = ngx_min(end + 1, last);
            p = ngx_cpymem(p, from, end - from);
            from = end;
            continue;
        }

        if (*from != ' ' && *from != '\n' && *from != '\r' && *from != '\t') {
            *p++ = *from;
        }

        from++;
    }

    *p = '\0';
    dst->len = p - dst->data;

    return NGX_OK;
}


ngx_uint_t
ngx_azora_list_has(const ngx_str_t *list, const char *word, size_t len)
{
    u_char  *p, *last, *end;

    last = list->data + list->len;

    for (p = list->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ' ');
        if (end == NULL) {
            end = last;
        }

        if ((size_t) (end - p) == len && ngx_memcmp(p, word, len) == 0) {
            return 1;
        }
    }

    return 0;
}


uint64_t
ngx_azora_now_ns(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}


/* RFC 8259, section 7; what is not UTF-8 becomes U+FFFD */

u_char *
ngx_azora_json_quote(u_char *dst, const u_char *s, size_t len)
{
    size_t         i, n, size;
    const u_char  *last;

    static const u_char  hex[] = "0123456789abcdef";
    static const u_char  replacement[] = { 0xef, 0xbf, 0xbd };

    size = 2;
    last = s + len;

    if (dst) {
        *dst++ = '"';
    }

    while (s < last) {

        if (*s >= 0x80) {
            n = ngx_azora_utf8_length(s, last);

            if (dst == NULL) {
                size += n ? n : sizeof(replacement);

            } else {
                dst = n ? ngx_cpymem(dst, s, n)
                        : ngx_cpymem(dst, replacement, sizeof(replacement));
            }

            s += n ? n : 1;
            continue;
        }

        n = (*s == '"' || *s == '\\') ? 2 : (*s < 0x20 || *s == 0x7f) ? 6 : 1;

        if (dst == NULL) {
            size += n;
            s++;
            continue;
        }

        if (n == 2) {
            *dst++ = '\\';
        }

        if (n == 6) {
            dst = ngx_cpymem(dst, "\\u00", 4);
            i = *s++;
            *dst++ = hex[i >> 4];
            *dst++ = hex[i & 0xf];
            continue;
        }

        *dst++ = *s++;
    }

    if (dst == NULL) {
        return (u_char *) size;
    }

    *dst++ = '"';

    return dst;
}


/* RFC 3629: the length of the sequence at s, 0 when there is none */

size_t
ngx_azora_utf8_length(const u_char *s, const u_char *last)
{
    size_t  i, n;
    u_char  low, high;

    low = 0x80;
    high = 0xbf;

    if (s[0] < 0x80) {
        return 1;
    }

    if (s[0] >= 0xc2 && s[0] <= 0xdf) {
        n = 2;

    } else if (s[0] >= 0xe0 && s[0] <= 0xef) {
        n = 3;
        low = (s[0] == 0xe0) ? 0xa0 : 0x80;
        high = (s[0] == 0xed) ? 0x9f : 0xbf;    /* no surrogates */

    } else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        n = 4;
        low = (s[0] == 0xf0) ? 0x90 : 0x80;
        high = (s[0] == 0xf4) ? 0x8f : 0xbf;

    } else {
        return 0;
    }

    if ((size_t) (last - s) < n || s[1] < low || s[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


void
ngx_azora_signer(ngx_conf_t *cf, ngx_azora_signer_pt signer)
{
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);
    amcf->signer = signer;
}


ngx_int_t
ngx_azora_sign_identity(ngx_http_request_t *r, const ngx_str_t *audience,
    ngx_str_t *token)
{
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_azora_module);

    return amcf->signer ? amcf->signer(r, audience, token) : NGX_DECLINED;
}
