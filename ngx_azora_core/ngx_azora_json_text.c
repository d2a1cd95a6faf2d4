
/*
 * JSON's small change: characters, and a tree back to text.
 */


#include "ngx_azora_json.h"


/* Bytes of the character at p by RFC 3629: no overlong form, no surrogate. */

size_t
ngx_azora_utf8_len(const u_char *p, const u_char *last)
{
    u_char  low, high;
    size_t  i, len;

    if (p[0] < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        len = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        len = 3;
        low = (p[0] == 0xe0) ? 0xa0 : low;
        high = (p[0] == 0xed) ? 0x9f : high;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        len = 4;
        low = (p[0] == 0xf0) ? 0x90 : low;
        high = (p[0] == 0xf4) ? 0x8f : high;

    } else {
        return 0;
    }

    if ((size_t) (last - p) < len || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < len; i++) {
        if (p[i] < 0x80 || p[i] > 0xbf) {
            return 0;
        }
    }

    return len;
}


/* Compact text of a tree in pool; numbers keep the digits they came with. */

ngx_int_t
ngx_azora_json_dump(ngx_pool_t *pool, const json_t *json, ngx_str_t *out)
{
    size_t  len, flags;

    flags = JSON_COMPACT|JSON_ENCODE_ANY
            |JSON_REAL_PRECISION(NGX_AZORA_JSON_DIGITS_MAX);

    len = json_dumpb(json, NULL, 0, flags);

    if (len == 0) {
        return NGX_ERROR;
    }

    out->data = ngx_pnalloc(pool, len + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    out->len = json_dumpb(json, (char *) out->data, len, flags);

    if (out->len != len) {
        return NGX_ERROR;
    }

    out->data[len] = '\0';

    return NGX_OK;
}
