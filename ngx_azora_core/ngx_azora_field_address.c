
/*
 * Addresses of people: e-mail, handles, ids.
 */


#include "ngx_azora_field.h"


/* RFC 5321, 4.5.3.1.1; RFC 1035, 2.3.4 */
#define NGX_AZORA_EMAIL_LOCAL_LEN_MAX  64
#define NGX_AZORA_LABEL_LEN_MAX        63
#define NGX_AZORA_HANDLE_LEN_MAX       64


static ngx_uint_t ngx_azora_field_is_domain(const u_char *p,
    const u_char *last);


/*
 * The addresses people have, not all of RFC 5322: an unquoted ASCII local part
 * and a domain of two labels or more.
 */

const char *
ngx_azora_field_check_email(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    u_char         c;
    ngx_uint_t     dot;
    const char    *wrong;
    const u_char  *p, *at, *last;

    wrong = ngx_azora_field_within(field, (int64_t) in->len);

    if (wrong != NULL) {
        return wrong;
    }

    last = in->data + in->len;
    at = memchr(in->data, '@', in->len);

    if (at == NULL || at - in->data > NGX_AZORA_EMAIL_LOCAL_LEN_MAX) {
        goto invalid;
    }

    dot = 1;

    for (p = in->data; p < at; p++) {
        c = *p;

        if (c == '.') {

            if (dot) {
                goto invalid;
            }

            dot = 1;
            continue;
        }

        dot = 0;

        if (!ngx_azora_is_alnum(c)
            && (c == '\0' || ngx_strchr("!#$%&'*+-/=?^_`{|}~", c) == NULL))
        {
            goto invalid;
        }
    }

    if (!dot && ngx_azora_field_is_domain(at + 1, last)) {
        return NULL;
    }

invalid:

    return "is not an e-mail address";
}


/* RFC 1123, 2.1, with at least one dot and a last label that is no number */

static ngx_uint_t
ngx_azora_field_is_domain(const u_char *p, const u_char *last)
{
    ngx_uint_t     labels, letters;
    const u_char  *label;

    labels = 0;

    for ( ;; ) {
        label = p;
        letters = 0;

        while (p < last && (ngx_azora_is_alnum(*p) || *p == '-')) {
            letters += (*p > '9');
            p++;
        }

        if (p == label || p - label > NGX_AZORA_LABEL_LEN_MAX
            || *label == '-' || p[-1] == '-')
        {
            return 0;
        }

        labels++;

        if (p == last) {
            return labels > 1 && letters > 0;
        }

        if (*p++ != '.') {
            return 0;
        }
    }
}


/* Whom: an e-mail address, an account's id, or a handle with or without @. */

const char *
ngx_azora_field_check_address(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    u_char       c;
    size_t       i;
    const char  *wrong;

    wrong = ngx_azora_field_within(field, (int64_t) in->len);

    if (wrong != NULL) {
        return wrong;
    }

    if (in->data[0] != '@' && memchr(in->data, '@', in->len) != NULL) {
        return ngx_azora_field_check_email(field, in);
    }

    i = (in->data[0] == '@');

    if (i == in->len || in->len - i > NGX_AZORA_HANDLE_LEN_MAX
        || !ngx_azora_is_alnum(in->data[i]))
    {
        goto invalid;
    }

    for ( /* void */ ; i < in->len; i++) {
        c = in->data[i];

        if (!ngx_azora_is_alnum(c) && c != '.' && c != '_' && c != '-') {
            goto invalid;
        }
    }

    return NULL;

invalid:

    return "is not an e-mail address, a handle or "
               "an account's id";
}
