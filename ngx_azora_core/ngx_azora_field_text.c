
/*
 * The kinds of fields: one check of a textual value for each.  Path, query and
 * body pass through the same checks.
 */


#include "ngx_azora_field.h"


#define NGX_AZORA_AMOUNT_DIGITS_MAX    15
#define NGX_AZORA_AMOUNT_PLACES_MAX    18

#define NGX_AZORA_UUID_LEN             36


/* NULL: the value is right; otherwise why not */
typedef const char *(*ngx_azora_field_check_pt)(
    const ngx_azora_field_t *field, const ngx_str_t *in);

typedef struct {
    const char                *sql;
    const char                *json;
    int64_t                    min;      /* where the field gives no bounds */
    int64_t                    max;
    ngx_azora_field_check_pt   check;    /* NULL: there is no textual form */
} ngx_azora_field_kind_t;


static const char *ngx_azora_field_check_text(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_secret(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_slug(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_currency(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_amount(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_enum(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_integer(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_boolean(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static const char *ngx_azora_field_check_uuid(
    const ngx_azora_field_t *field, const ngx_str_t *in);
static ngx_int_t ngx_azora_field_fold(ngx_pool_t *pool, const ngx_str_t *in,
    u_char case_bit, ngx_str_t *out);


const char  ngx_azora_field_short[] = "is too short";
const char  ngx_azora_field_long[] = "is too long";
const char  ngx_azora_field_range[] = "is out of range";
const char  ngx_azora_field_other[] = "is none of the values allowed";


/* by ngx_azora_kind_e */

static const ngx_azora_field_kind_t  ngx_azora_field_kinds[] = {
    { "text", "a string", 0, 0, NULL },
    { "text", "a string", 0, 1000, ngx_azora_field_check_text },
    { "text", "a string", 1, 1024, ngx_azora_field_check_secret },
    { "text", "a string", 3, NGX_AZORA_EMAIL_LEN_MAX,
      ngx_azora_field_check_email },
    { "text", "a string", 1, 64, ngx_azora_field_check_slug },
    { "text", "a string", 1, NGX_AZORA_EMAIL_LEN_MAX,
      ngx_azora_field_check_address },
    { "text", "a string", 3, 8, ngx_azora_field_check_currency },
    { "text", "a string, never a number", 0, 0,
      ngx_azora_field_check_amount },
    { "text", "a string", 0, 0, ngx_azora_field_check_enum },
    { "bigint", "an integer", INT64_MIN, INT64_MAX,
      ngx_azora_field_check_integer },
    { "boolean", "true or false", 0, 0, ngx_azora_field_check_boolean },
    { "uuid", "a string", 0, 0, ngx_azora_field_check_uuid },
    { "timestamptz", "a string", 0, 0, ngx_azora_field_check_time },
    { "jsonb", "an array", 0, 0, NULL },
    { "jsonb", "an object", 0, 65536, NULL }
};


const char *
ngx_azora_field_sql_type(ngx_azora_kind_e kind)
{
    return ngx_azora_field_kinds[kind].sql;
}


const char *
ngx_azora_field_json_type(ngx_azora_kind_e kind)
{
    return ngx_azora_field_kinds[kind].json;
}


void
ngx_azora_field_bounds(const ngx_azora_field_t *field, int64_t *min,
    int64_t *max)
{
    const ngx_azora_field_kind_t  *kind;

    kind = &ngx_azora_field_kinds[field->kind];

    *min = field->min;
    *max = field->max;

    if (field->min == 0 && field->max == 0) {
        *min = kind->min;
        *max = kind->max;
    }
}


const char *
ngx_azora_field_within(const ngx_azora_field_t *field, int64_t n)
{
    int64_t  min, max;

    ngx_azora_field_bounds(field, &min, &max);

    if (n >= min && n <= max) {
        return NULL;
    }

    if (field->kind == NGX_AZORA_INTEGER) {
        return ngx_azora_field_range;
    }

    return (n < min) ? ngx_azora_field_short : ngx_azora_field_long;
}


ngx_int_t
ngx_azora_field_text(ngx_pool_t *pool, const ngx_azora_field_t *field,
    const ngx_str_t *in, ngx_str_t *out, const char **reason)
{
    ngx_azora_field_check_pt  check;

    *out = *in;
    *reason = "can only be given in a body";

    check = ngx_azora_field_kinds[field->kind].check;

    if (check == NULL) {
        return NGX_DECLINED;
    }

    *reason = check(field, in);

    if (*reason != NULL) {
        return NGX_DECLINED;
    }

    /* equal ids are to be equal text; PostgreSQL expects T and Z */

    if (field->kind == NGX_AZORA_UUID) {
        return ngx_azora_field_fold(pool, in, 0x20, out);
    }

    if (field->kind == NGX_AZORA_TIME) {
        return ngx_azora_field_fold(pool, in, 0, out);
    }

    return NGX_OK;
}


/* Letters get the case bit given; copies when one had another. */

static ngx_int_t
ngx_azora_field_fold(ngx_pool_t *pool, const ngx_str_t *in, u_char case_bit,
    ngx_str_t *out)
{
    size_t  i;

    for (i = 0; i < in->len; i++) {
        if (in->data[i] > '@' && (in->data[i] & 0x20) != case_bit) {
            break;
        }
    }

    if (i == in->len) {
        return NGX_OK;
    }

    out->data = ngx_pnalloc(pool, in->len + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < in->len; i++) {
        out->data[i] = in->data[i];

        if (in->data[i] > '@') {
            out->data[i] = (in->data[i] & ~0x20) | case_bit;
        }
    }

    out->data[in->len] = '\0';

    return NGX_OK;
}


/*
 * Bounds are characters.  Tabs and line ends are text; other controls are not:
 * they forge lines in logs and terminals.
 */

static const char *
ngx_azora_field_check_text(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    size_t         len;
    int64_t        min, max, n;
    ngx_uint_t     blank;
    const u_char  *p, *last;

    n = 0;
    blank = 1;
    last = in->data + in->len;

    for (p = in->data; p < last; p += len, n++) {

        len = ngx_azora_utf8_len(p, last);

        if (len == 0) {
            return "is not UTF-8";
        }

        if (*p > 0x20 && *p != 0x7f) {
            blank = 0;
            continue;
        }

        if (*p != ' ' && *p != '\t' && *p != '\n' && *p != '\r') {
            return "has a control character";
        }
    }

    ngx_azora_field_bounds(field, &min, &max);

    if (blank && n > 0 && min > 0) {
        return "is blank";
    }

    return ngx_azora_field_within(field, n);
}


/* Any characters; bounds are bytes, because hashing takes time by bytes. */

static const char *
ngx_azora_field_check_secret(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    size_t         len;
    const u_char  *p, *last;

    last = in->data + in->len;

    for (p = in->data; p < last; p += len) {

        len = ngx_azora_utf8_len(p, last);

        if (len == 0 || *p == '\0') {
            return "is not UTF-8";
        }
    }

    return ngx_azora_field_within(field, (int64_t) in->len);
}


static const char *
ngx_azora_field_check_slug(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < in->len; i++) {
        c = in->data[i];

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') {
            return "has other characters than a-z, "
               "0-9 and -";
        }
    }

    return ngx_azora_field_within(field, (int64_t) in->len);
}


static const char *
ngx_azora_field_check_currency(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < in->len; i++) {
        c = in->data[i];

        if ((c < 'A' || c > 'Z') && (c < '0' || c > '9')) {
            return "is not a currency's code such "
               "as AZR";
        }
    }

    return ngx_azora_field_within(field, (int64_t) in->len);
}


/* Digits, and after a point more of them: what numeric takes and nobody
   misreads.  The currency's own number of places is the ledger's to know. */

static const char *
ngx_azora_field_check_amount(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    ngx_uint_t     positive;
    const u_char  *p, *last, *point;

    last = in->data + in->len;
    positive = 0;
    point = NULL;

    for (p = in->data; p < last; p++) {

        if (*p >= '0' && *p <= '9') {
            positive |= (*p != '0');
            continue;
        }

        if (*p != '.' || point != NULL) {
            goto invalid;
        }

        point = p;
    }

    if (point == NULL) {
        point = last;

    } else if (last - point == 1) {
        goto invalid;
    }

    if (point == in->data) {
        goto invalid;
    }

    if (point - in->data > NGX_AZORA_AMOUNT_DIGITS_MAX
        || last - point > NGX_AZORA_AMOUNT_PLACES_MAX + 1)
    {
        return "has more than 15 digits before or "
               "18 after the point";
    }

    if (!positive) {
        return "must be greater than zero";
    }

    return NULL;

invalid:

    return "is not an amount such as 12.50";
}


static const char *
ngx_azora_field_check_enum(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    size_t       len;
    const char  *word, *end;

    for (word = field->values; /* void */ ; word = end + 1) {

        end = strchr(word, '|');
        len = (end != NULL) ? (size_t) (end - word) : ngx_strlen(word);

        if (len == in->len && ngx_memcmp(word, in->data, len) == 0) {
            return NULL;
        }

        if (end == NULL) {
            break;
        }
    }

    return ngx_azora_field_other;
}


/* Canonical decimal digits only, so that one number has one spelling. */

static const char *
ngx_azora_field_check_integer(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    uint64_t       n, max;
    const u_char  *p, *last;

    p = in->data;
    last = in->data + in->len;
    max = INT64_MAX;

    if (p < last && *p == '-') {
        p++;
        max++;
    }

    if (p == last || (*p == '0' && in->len > 1)) {
        goto invalid;
    }

    if (last - p > 19) {
        return ngx_azora_field_range;
    }

    for (n = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            goto invalid;
        }

        n = n * 10 + (*p - '0');
    }

    if (n > max) {
        return ngx_azora_field_range;
    }

    return ngx_azora_field_within(field, (in->data[0] == '-')
                                         ? (int64_t) (0 - n) : (int64_t) n);

invalid:

    return "is not an integer";
}


static const char *
ngx_azora_field_check_boolean(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    if ((in->len == 4 && ngx_memcmp(in->data, "true", 4) == 0)
        || (in->len == 5 && ngx_memcmp(in->data, "false", 5) == 0))
    {
        return NULL;
    }

    return "is neither true nor false";
}


/* RFC 9562, 4 */

static const char *
ngx_azora_field_check_uuid(const ngx_azora_field_t *field,
    const ngx_str_t *in)
{
    u_char  c;
    size_t  i;

    if (in->len != NGX_AZORA_UUID_LEN) {
        return "is not a UUID";
    }

    for (i = 0; i < NGX_AZORA_UUID_LEN; i++) {
        c = in->data[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {

            if (c != '-') {
                return "is not a UUID";
            }

            continue;
        }

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'f')) {
            return "is not a UUID";
        }
    }

    return NULL;
}
