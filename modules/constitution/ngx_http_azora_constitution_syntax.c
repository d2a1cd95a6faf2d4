
/*
 * The syntax of patterns, as far as literals are to be found in them: PCRE2's
 * escapes, classes, kinds of groups and quantifiers.  Whatever is not surely
 * understood is an error, and the pattern is then always run.
 */


#include "ngx_http_azora_constitution_factor.h"


#define NGX_HTTP_AZORA_CLASS_MAX    8


void
ngx_http_azora_constitution_part_empty(ngx_http_azora_part_t *part)
{
    part->exact = 1;
    part->set.n = 1;
    part->set.items[0].len = 0;
}


void
ngx_http_azora_constitution_part_unknown(ngx_http_azora_part_t *part)
{
    part->exact = 0;
    part->set.n = 0;
}


void
ngx_http_azora_constitution_part_char(ngx_http_azora_part_t *part, u_char c)
{
    part->exact = 1;
    part->set.n = 1;
    part->set.items[0].len = 1;
    part->set.items[0].data[0] = ngx_tolower(c);
}


static ngx_uint_t
ngx_http_azora_factor_alnum(u_char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
           || (c >= 'A' && c <= 'Z');
}


/* Steps over what is left up to the character, and over it. */

static ngx_int_t
ngx_http_azora_constitution_skip(ngx_http_azora_reader_t *in, u_char close)
{
    while (in->pos < in->last) {
        if (*in->pos++ == close) {
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* after "\p" or "\P" */

static ngx_int_t
ngx_http_azora_factor_property(ngx_http_azora_reader_t *in)
{
    if (in->pos == in->last) {
        return NGX_ERROR;
    }

    if (*in->pos++ != '{') {
        return NGX_OK;
    }

    return ngx_http_azora_constitution_skip(in, '}');
}


/* after the backslash, outside of a class */

ngx_int_t
ngx_http_azora_constitution_read_escape(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    u_char  c;

    if (in->pos == in->last) {
        return NGX_ERROR;
    }

    c = *in->pos++;

    if (c < 0x80 && !ngx_http_azora_factor_alnum(c)) {
        ngx_http_azora_constitution_part_char(part, c);
        return NGX_OK;
    }

    switch (c) {

    case 'b': case 'B': case 'A': case 'z': case 'Z': case 'G':
        ngx_http_azora_constitution_part_empty(part);
        return NGX_OK;

    case 'd': case 'D': case 'w': case 'W': case 's': case 'S':
    case 'h': case 'H': case 'v': case 'V': case 'R': case 'X':
    case 't': case 'n': case 'r': case 'f': case 'e': case 'a':
        ngx_http_azora_constitution_part_unknown(part);
        return NGX_OK;

    case 'p': case 'P':
        ngx_http_azora_constitution_part_unknown(part);
        return ngx_http_azora_factor_property(in);

    default:
        /* back references, octal and hex codes, quoting, \K ... */
        return NGX_ERROR;
    }
}


/* after the "["; small sets of ASCII characters are worth to be known */

ngx_int_t
ngx_http_azora_constitution_read_class(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    u_char                     c;
    ngx_uint_t                 i, large, first;
    ngx_http_azora_literals_t  *set;

    set = &part->set;
    set->n = 0;
    part->exact = 1;
    large = 0;

    if (in->pos < in->last && *in->pos == '^') {
        in->pos++;
        large = 1;
    }

    for (first = 1; in->pos < in->last; first = 0) {

        c = *in->pos++;

        if (c == ']' && !first) {
            if (large || set->n == 0) {
                ngx_http_azora_constitution_part_unknown(part);
            }
            return NGX_OK;
        }

        if (c == '[' && in->pos < in->last
            && (*in->pos == ':' || *in->pos == '.' || *in->pos == '='))
        {
            return NGX_ERROR;
        }

        if (c == '\\') {
            if (in->pos == in->last) {
                return NGX_ERROR;
            }

            c = *in->pos++;

            if (c == 'Q' || c == 'E' || c == 'c') {
                return NGX_ERROR;
            }

            if (ngx_http_azora_factor_alnum(c)) {
                large = 1;
            }

        } else if (c == '-' && !first) {
            large = 1;
        }

        if (c >= 0x80) {
            large = 1;
        }

        c = ngx_tolower(c);

        for (i = 0; i < set->n; i++) {
            if (set->items[i].data[0] == c) {
                break;
            }
        }

        if (i == NGX_HTTP_AZORA_CLASS_MAX) {
            large = 1;

        } else if (i == set->n) {
            set->items[i].len = 1;
            set->items[i].data[0] = c;
            set->n++;
        }
    }

    return NGX_ERROR;
}


/* "i:" or "i)" after "(?"; c is the first of them */

static ngx_int_t
ngx_http_azora_constitution_read_flags(ngx_http_azora_reader_t *in, u_char c)
{
    for ( ;; ) {
        switch (c) {

        case 'i': case 'm': case 's': case '-':
            break;

        case ':':
            return NGX_OK;

        case ')':
            return NGX_DONE;

        default:
            /* the extended syntax, comments, calls, conditions */
            return NGX_ERROR;
        }

        if (in->pos == in->last) {
            return NGX_ERROR;
        }

        c = *in->pos++;
    }
}


ngx_int_t
ngx_http_azora_constitution_read_group(ngx_http_azora_reader_t *in,
    ngx_uint_t *around)
{
    u_char  c;

    *around = 0;

    if (in->last - in->pos < 2) {
        return NGX_ERROR;
    }

    c = *in->pos++;

    if (c == ':' || c == '>' || c == '|') {
        return NGX_OK;
    }

    if (c == '=' || c == '!') {
        *around = 1;
        return NGX_OK;
    }

    if (c == '<' && (*in->pos == '=' || *in->pos == '!')) {
        in->pos++;
        *around = 1;
        return NGX_OK;
    }

    if (c == '(' && in->last - in->pos > 7
        && ngx_strncmp(in->pos, "DEFINE)", 7) == 0)
    {
        in->pos += 7;
        *around = 1;
        return NGX_OK;
    }

    if (c == '&') {
        return (ngx_http_azora_constitution_skip(in, ')') == NGX_OK)
               ? NGX_DECLINED : NGX_ERROR;
    }

    if (c == 'P' && *in->pos == '<') {
        c = *in->pos++;
    }

    if (c == '<' || c == '\'') {
        return ngx_http_azora_constitution_skip(in, (c == '<') ? '>' : '\'');
    }

    return ngx_http_azora_constitution_read_flags(in, c);
}


/*
 * Verbs that only make a pattern match less; "(*ACCEPT)" and those at the very
 * start of a pattern are not among them.
 */

ngx_int_t
ngx_http_azora_constitution_read_verb(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    size_t             len;
    ngx_uint_t         i;
    static ngx_str_t   verbs[] = {
        ngx_string("*FAIL)"), ngx_string("*F)"), ngx_string("*SKIP)"),
        ngx_string("*PRUNE)"), ngx_string("*COMMIT)"), ngx_string("*THEN)")
    };

    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {

        len = verbs[i].len;

        if ((size_t) (in->last - in->pos) >= len
            && ngx_memcmp(in->pos, verbs[i].data, len) == 0)
        {
            in->pos += len;

            ngx_http_azora_constitution_part_empty(part);

            if (i < 2) {
                /* it never matches */
                part->set.n = 0;
            }

            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* after a "{": n} n,} n,m} and nothing else */

static ngx_int_t
ngx_http_azora_factor_counts(ngx_http_azora_reader_t *in, ngx_uint_t *min,
    ngx_uint_t *max)
{
    ngx_uint_t     n, part;
    const u_char  *start;

    *min = 0;
    part = 0;

    for ( ;; ) {
        n = 0;
        start = in->pos;

        while (in->pos < in->last && *in->pos >= '0' && *in->pos <= '9'
               && in->pos - start < 6)
        {
            n = n * 10 + *in->pos++ - '0';
        }

        if (in->pos == in->last || (part == 0 && in->pos == start)) {
            return NGX_ERROR;
        }

        if (part == 0) {
            *min = n;
        }

        *max = (in->pos == start) ? NGX_MAX_INT_T_VALUE : n;

        if (*in->pos == '}') {
            in->pos++;
            return NGX_OK;
        }

        if (*in->pos != ',' || part) {
            return NGX_ERROR;
        }

        in->pos++;
        part = 1;
    }
}


/* NGX_DECLINED: there is none here */

ngx_int_t
ngx_http_azora_constitution_read_quantifier(ngx_http_azora_reader_t *in,
    ngx_uint_t *min, ngx_uint_t *max)
{
    if (in->pos == in->last) {
        return NGX_DECLINED;
    }

    *min = 0;
    *max = NGX_MAX_INT_T_VALUE;

    switch (*in->pos) {

    case '?':
        *max = 1;
        break;

    case '*':
        break;

    case '+':
        *min = 1;
        break;

    case '{':
        in->pos++;
        if (ngx_http_azora_factor_counts(in, min, max) != NGX_OK) {
            return NGX_ERROR;
        }
        in->pos--;
        break;

    default:
        return NGX_DECLINED;
    }

    in->pos++;

    if (in->pos < in->last && (*in->pos == '?' || *in->pos == '+')) {
        in->pos++;
    }

    return NGX_OK;
}
