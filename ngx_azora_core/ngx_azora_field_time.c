
/*
 * Times: RFC 3339, 5.6, within what PostgreSQL's timestamptz takes.
 */


#include "ngx_azora_field.h"


/* 2026-01-02T03:04:05 */
#define NGX_AZORA_TIME_LEN_MIN     19
#define NGX_AZORA_TIME_PLACES_MAX  9


static ngx_uint_t ngx_azora_field_time_digits(const u_char *p,
    const char *layout);
static ngx_uint_t ngx_azora_field_time_number(const u_char *p, size_t len);
static ngx_uint_t ngx_azora_field_time_date(const u_char *p);
static ngx_uint_t ngx_azora_field_time_offset(const u_char *p,
    const u_char *last);


static const char  ngx_azora_field_no_time[] =
    "is not a time such as 2026-01-02T03:04:05Z";


const char *
ngx_azora_field_check_time(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    const u_char  *p, *last, *point;

    p = in->data;
    last = in->data + in->len;

    if (in->len < NGX_AZORA_TIME_LEN_MIN + 1
        || !ngx_azora_field_time_digits(p, "dddd-dd-ddTdd:dd:dd"))
    {
        return ngx_azora_field_no_time;
    }

    /* second 60 is a leap second; PostgreSQL makes it the next minute's 0 */

    if (!ngx_azora_field_time_date(p)
        || ngx_azora_field_time_number(p + 11, 2) > 23
        || ngx_azora_field_time_number(p + 14, 2) > 59
        || ngx_azora_field_time_number(p + 17, 2) > 60)
    {
        return "is not a time that exists";
    }

    p += NGX_AZORA_TIME_LEN_MIN;

    if (*p == '.') {
        point = p++;

        while (p < last && *p >= '0' && *p <= '9') {
            p++;
        }

        if (p - point < 2 || p - point > NGX_AZORA_TIME_PLACES_MAX + 1) {
            return ngx_azora_field_no_time;
        }
    }

    return ngx_azora_field_time_offset(p, last) ? NULL
                                                : ngx_azora_field_no_time;
}


/* d: a digit; T: T or t; anything else: itself */

static ngx_uint_t
ngx_azora_field_time_digits(const u_char *p, const char *layout)
{
    for ( /* void */ ; *layout; layout++, p++) {

        if (*layout == 'd') {

            if (*p < '0' || *p > '9') {
                return 0;
            }

            continue;
        }

        if (*p != (u_char) *layout && !(*layout == 'T' && *p == 't')) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_azora_field_time_number(const u_char *p, size_t len)
{
    ngx_uint_t  n;

    for (n = 0; len > 0; len--) {
        n = n * 10 + (*p++ - '0');
    }

    return n;
}


static ngx_uint_t
ngx_azora_field_time_date(const u_char *p)
{
    ngx_uint_t  year, month, day, days;

    static const u_char  lengths[] = {
        31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    year = ngx_azora_field_time_number(p, 4);
    month = ngx_azora_field_time_number(p + 5, 2);
    day = ngx_azora_field_time_number(p + 8, 2);

    if (year == 0 || month == 0 || month > 12 || day == 0) {
        return 0;
    }

    days = lengths[month - 1];

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) {
        days++;
    }

    return day <= days;
}


/* Z, +hh:mm or -hh:mm up to the end; PostgreSQL takes less than 16 hours */

static ngx_uint_t
ngx_azora_field_time_offset(const u_char *p, const u_char *last)
{
    if (last - p == 1) {
        return *p == 'Z' || *p == 'z';
    }

    return last - p == 6
           && (*p == '+' || *p == '-')
           && ngx_azora_field_time_digits(p + 1, "dd:dd")
           && ngx_azora_field_time_number(p + 1, 2) < 16
           && ngx_azora_field_time_number(p + 4, 2) < 60;
}
