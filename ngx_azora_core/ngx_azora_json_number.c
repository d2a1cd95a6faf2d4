
/*
 * Numbers of JSON text: integers of 64 bits; others of at most 15 significant
 * digits, all of which a double gives back, and a power of ten within +-280.
 * What is beyond is refused, because it would come out changed.
 */


#include "ngx_azora_json.h"


#define NGX_AZORA_JSON_EXPONENT_MAX  280


static ngx_int_t ngx_azora_json_real(ngx_azora_json_scan_t *s,
    const u_char *start);
static ngx_int_t ngx_azora_json_significant(const u_char *p,
    const u_char *last, ngx_int_t *scale);
static ngx_int_t ngx_azora_json_exponent(ngx_azora_json_scan_t *s,
    ngx_int_t *exponent);


ngx_int_t
ngx_azora_json_number(ngx_azora_json_scan_t *s)
{
    uint64_t       n, max;
    ngx_uint_t     digits, overflow;
    const u_char  *start;

    start = s->pos;
    max = INT64_MAX;

    if (*s->pos == '-') {
        s->pos++;
        max++;
    }

    if (s->pos == s->last || !ngx_azora_is_digit(*s->pos)) {
        return ngx_azora_json_fail(s, "a digit is expected here");
    }

    n = 0;
    digits = 0;
    overflow = 0;

    if (*s->pos == '0') {
        s->pos++;

        if (s->pos < s->last && ngx_azora_is_digit(*s->pos)) {
            return ngx_azora_json_fail(s, "a number starts with 0");
        }

    } else {
        for ( /* void */ ; s->pos < s->last && ngx_azora_is_digit(*s->pos);
             s->pos++)
        {
            if (++digits > 19) {
                overflow = 1;
                continue;
            }

            n = n * 10 + (*s->pos - '0');
        }
    }

    if (s->pos < s->last
        && (*s->pos == '.' || *s->pos == 'e' || *s->pos == 'E'))
    {
        return ngx_azora_json_real(s, start);
    }

    if (overflow || n > max) {
        s->pos = start;
        return ngx_azora_json_fail(s, "an integer does not fit 64 bits");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_json_real(ngx_azora_json_scan_t *s, const u_char *start)
{
    ngx_int_t      digits, scale, exponent;
    const u_char  *last;

    if (*s->pos == '.') {
        s->pos++;

        if (s->pos == s->last || !ngx_azora_is_digit(*s->pos)) {
            return ngx_azora_json_fail(s, "a digit is expected here");
        }

        while (s->pos < s->last && ngx_azora_is_digit(*s->pos)) {
            s->pos++;
        }
    }

    last = s->pos;

    if (ngx_azora_json_exponent(s, &exponent) != NGX_OK) {
        return NGX_ERROR;
    }

    digits = ngx_azora_json_significant(start, last, &scale);

    if (digits > NGX_AZORA_JSON_DIGITS_MAX) {
        s->pos = start;
        return ngx_azora_json_fail(s, "a number has more than 15 significant "
                                      "digits, and would be changed");
    }

    scale += exponent;

    if (digits > 0 && ngx_abs(scale) > NGX_AZORA_JSON_EXPONENT_MAX) {
        s->pos = start;
        return ngx_azora_json_fail(s, "a number is too large or too small");
    }

    return NGX_OK;
}


/*
 * The number of digits from the first to the last that is not 0; the value is
 * 0.ddd times 10 to the scale.
 */

static ngx_int_t
ngx_azora_json_significant(const u_char *p, const u_char *last,
    ngx_int_t *scale)
{
    ngx_int_t   count, significant;
    ngx_uint_t  point;

    count = 0;
    significant = 0;
    point = 0;
    *scale = 0;

    for ( /* void */ ; p < last; p++) {

        if (*p == '-') {
            continue;
        }

        if (*p == '.') {
            point = 1;
            continue;
        }

        if (count == 0 && *p == '0') {
            *scale -= point;
            continue;
        }

        count++;
        *scale += !point;

        if (*p != '0') {
            significant = count;
        }
    }

    return significant;
}


/* What follows an e; 0 without one, and no more than needs be told apart. */

static ngx_int_t
ngx_azora_json_exponent(ngx_azora_json_scan_t *s, ngx_int_t *exponent)
{
    ngx_uint_t  negative;

    *exponent = 0;

    if (s->pos == s->last || (*s->pos != 'e' && *s->pos != 'E')) {
        return NGX_OK;
    }

    s->pos++;
    negative = 0;

    if (s->pos < s->last && (*s->pos == '+' || *s->pos == '-')) {
        negative = (*s->pos == '-');
        s->pos++;
    }

    if (s->pos == s->last || !ngx_azora_is_digit(*s->pos)) {
        return ngx_azora_json_fail(s, "a digit is expected here");
    }

    for ( /* void */ ; s->pos < s->last && ngx_azora_is_digit(*s->pos);
         s->pos++)
    {
        /* beyond the scale that any text of a body can have by its length */

        if (*exponent < NGX_MAX_INT_T_VALUE / 16) {
            *exponent = *exponent * 10 + (*s->pos - '0');
        }
    }

    if (negative) {
        *exponent = -*exponent;
    }

    return NGX_OK;
}
