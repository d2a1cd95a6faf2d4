
/*
 * JSON text -> tree (RFC 8259), bounded.
 *
 * One pass of our own proves the text before the library builds anything: the
 * grammar, UTF-8, depth, the number of values, numbers that survive.  So a
 * hostile text costs one scan and no allocation, and every refusal has a
 * sentence of ours and an offset.  The library is left to find duplicate names.
 */


#include "ngx_azora_json.h"


/*
 * Names count too.  A body of 256k of "0," would make 128k allocations; a long
 * list of small objects has a value for each eight bytes or more.
 */
#define NGX_AZORA_JSON_VALUES_MAX   8192
#define NGX_AZORA_JSON_VALUE_BYTES  8


#if (NGX_AZORA_JSON_DEPTH_MAX > 32)
#error "ngx_azora_json_scan_t.objects has 32 bits"
#endif


static ngx_int_t ngx_azora_json_scan(ngx_azora_json_scan_t *s);
static ngx_int_t ngx_azora_json_value(ngx_azora_json_scan_t *s,
    ngx_uint_t *open);
static ngx_int_t ngx_azora_json_open(ngx_azora_json_scan_t *s,
    ngx_uint_t *open);
static ngx_int_t ngx_azora_json_next(ngx_azora_json_scan_t *s,
    ngx_uint_t *done);
static ngx_int_t ngx_azora_json_name(ngx_azora_json_scan_t *s);
static ngx_int_t ngx_azora_json_string(ngx_azora_json_scan_t *s);
static ngx_int_t ngx_azora_json_escape(ngx_azora_json_scan_t *s);
static ngx_int_t ngx_azora_json_unicode(ngx_azora_json_scan_t *s,
    ngx_uint_t *code);
static ngx_int_t ngx_azora_json_word(ngx_azora_json_scan_t *s,
    const char *word, size_t len);
static void ngx_azora_json_space(ngx_azora_json_scan_t *s);
static size_t ngx_azora_json_name_start(const u_char *data, size_t end);


const char  ngx_azora_json_duplicate[] = "a name appears twice in one object";


json_t *
ngx_azora_json_parse(const u_char *data, size_t len, const char **reason,
    size_t *offset)
{
    json_t                 *root;
    json_error_t            error;
    ngx_azora_json_scan_t   s;

    ngx_memzero(&s, sizeof(ngx_azora_json_scan_t));

    s.pos = data;
    s.last = data + len;
    s.values_max = ngx_max(NGX_AZORA_JSON_VALUES_MAX,
                           len / NGX_AZORA_JSON_VALUE_BYTES);

    if (ngx_azora_json_scan(&s) != NGX_OK) {
        *reason = s.reason;
        *offset = s.pos - data;
        return NULL;
    }

    root = json_loadb((const char *) data, len,
                      JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, &error);

    if (root != NULL) {
        return root;
    }

    *offset = 0;

    if (json_error_code(&error) == json_error_duplicate_key) {
        *reason = ngx_azora_json_duplicate;
        *offset = ngx_azora_json_name_start(data, (size_t) error.position);
        return NULL;
    }

    *reason = "it could not be read";

    return NULL;
}


/* The name that ends with the quote before end; its opening quote. */

static size_t
ngx_azora_json_name_start(const u_char *data, size_t end)
{
    size_t  i, slashes;

    if (end < 2) {
        return 0;
    }

    for (i = end - 2; i > 0; i--) {

        if (data[i] != '"') {
            continue;
        }

        for (slashes = 0; slashes < i && data[i - 1 - slashes] == '\\'; )
        {
            slashes++;
        }

        if (slashes % 2 == 0) {
            return i;
        }
    }

    return 0;
}


static ngx_int_t
ngx_azora_json_scan(ngx_azora_json_scan_t *s)
{
    ngx_uint_t  open, done;

    if (s->last - s->pos >= 3 && ngx_memcmp(s->pos, "\xef\xbb\xbf", 3) == 0) {
        return ngx_azora_json_fail(s, "it starts with a byte order mark");
    }

    do {
        if (ngx_azora_json_value(s, &open) != NGX_OK) {
            return NGX_ERROR;
        }

        if (open) {
            done = 0;
            continue;
        }

        if (ngx_azora_json_next(s, &done) != NGX_OK) {
            return NGX_ERROR;
        }

    } while (!done);

    return NGX_OK;
}


/* open: an object or array has begun and a value of it follows. */

static ngx_int_t
ngx_azora_json_value(ngx_azora_json_scan_t *s, ngx_uint_t *open)
{
    *open = 0;

    ngx_azora_json_space(s);

    if (s->pos == s->last) {
        return ngx_azora_json_fail(s, "it ends where a value should be");
    }

    if (++s->values > s->values_max) {
        return ngx_azora_json_fail(s, "it has too many values");
    }

    switch (*s->pos) {

    case '{':
    case '[':
        return ngx_azora_json_open(s, open);

    case '"':
        return ngx_azora_json_string(s);

    case 't':
        return ngx_azora_json_word(s, "true", 4);

    case 'f':
        return ngx_azora_json_word(s, "false", 5);

    case 'n':
        return ngx_azora_json_word(s, "null", 4);

    default:
        break;
    }

    if (*s->pos == '-' || ngx_azora_is_digit(*s->pos)) {
        return ngx_azora_json_number(s);
    }

    return ngx_azora_json_fail(s, "a value is expected here");
}


static ngx_int_t
ngx_azora_json_open(ngx_azora_json_scan_t *s, ngx_uint_t *open)
{
    u_char    close;
    uint32_t  bit;

    if (s->depth == NGX_AZORA_JSON_DEPTH_MAX) {
        return ngx_azora_json_fail(s, "it is nested too deep");
    }

    bit = (uint32_t) 1 << s->depth;

    if (*s->pos++ == '{') {
        s->objects |= bit;
        close = '}';

    } else {
        s->objects &= ~bit;
        close = ']';
    }

    ngx_azora_json_space(s);

    if (s->pos < s->last && *s->pos == close) {
        s->pos++;
        return NGX_OK;
    }

    s->depth++;
    *open = 1;

    return (close == '}') ? ngx_azora_json_name(s) : NGX_OK;
}


/* After a value: closes what ends here, up to a comma or the end of the text */

static ngx_int_t
ngx_azora_json_next(ngx_azora_json_scan_t *s, ngx_uint_t *done)
{
    ngx_uint_t  object;

    for ( ;; ) {
        ngx_azora_json_space(s);

        if (s->depth == 0) {
            *done = 1;

            return (s->pos == s->last) ? NGX_OK
                     : ngx_azora_json_fail(s, "it goes on after its end");
        }

        if (s->pos == s->last) {
            return ngx_azora_json_fail(s, "it ends too early");
        }

        object = s->objects & ((uint32_t) 1 << (s->depth - 1));

        if (*s->pos == ',') {
            s->pos++;
            *done = 0;

            return object ? ngx_azora_json_name(s) : NGX_OK;
        }

        if (*s->pos != (object ? '}' : ']')) {
            return ngx_azora_json_fail(s, "a comma or a closing bracket is "
                                          "expected here");
        }

        s->pos++;
        s->depth--;
    }
}


/* "name": */

static ngx_int_t
ngx_azora_json_name(ngx_azora_json_scan_t *s)
{
    ngx_azora_json_space(s);

    if (s->pos == s->last || *s->pos != '"') {
        return ngx_azora_json_fail(s, "a name in double quotes is expected "
                                      "here");
    }

    if (++s->values > s->values_max) {
        return ngx_azora_json_fail(s, "it has too many values");
    }

    if (ngx_azora_json_string(s) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_azora_json_space(s);

    if (s->pos == s->last || *s->pos != ':') {
        return ngx_azora_json_fail(s, "a colon is expected here");
    }

    s->pos++;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_json_string(ngx_azora_json_scan_t *s)
{
    u_char  c;
    size_t  len;

    s->pos++;

    while (s->pos < s->last) {

        c = *s->pos;

        if (c == '"') {
            s->pos++;
            return NGX_OK;
        }

        if (c == '\\') {
            if (ngx_azora_json_escape(s) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        if (c < 0x20) {
            return ngx_azora_json_fail(s, "a string holds a control character "
                                          "that is not escaped");
        }

        len = ngx_azora_utf8_len(s->pos, s->last);

        if (len == 0) {
            return ngx_azora_json_fail(s, "a string is not UTF-8");
        }

        s->pos += len;
    }

    return ngx_azora_json_fail(s, "it ends within a string");
}


static ngx_int_t
ngx_azora_json_escape(ngx_azora_json_scan_t *s)
{
    ngx_uint_t     code, low;
    const u_char  *start;

    start = s->pos++;

    if (s->pos == s->last) {
        return ngx_azora_json_fail(s, "it ends within a string");
    }

    if (*s->pos != 'u') {

        if (*s->pos == '\0' || ngx_strchr("\"\\/bfnrt", *s->pos) == NULL) {
            return ngx_azora_json_fail(s, "there is no such escape");
        }

        s->pos++;
        return NGX_OK;
    }

    if (ngx_azora_json_unicode(s, &code) != NGX_OK) {
        return NGX_ERROR;
    }

    if (code >= 0xd800 && code <= 0xdbff) {

        if (s->last - s->pos < 2 || s->pos[0] != '\\' || s->pos[1] != 'u') {
            s->pos = start;
            return ngx_azora_json_fail(s, "half of a surrogate pair");
        }

        s->pos++;

        if (ngx_azora_json_unicode(s, &low) != NGX_OK) {
            return NGX_ERROR;
        }

        code = (low >= 0xdc00 && low <= 0xdfff) ? 0x10000 : 0xdc00;
    }

    if (code >= 0xdc00 && code <= 0xdfff) {
        s->pos = start;
        return ngx_azora_json_fail(s, "half of a surrogate pair");
    }

    if (code == 0) {
        /* PostgreSQL's text cannot hold it */
        s->pos = start;
        return ngx_azora_json_fail(s, "a string holds the character NUL");
    }

    return NGX_OK;
}


/* uXXXX */

static ngx_int_t
ngx_azora_json_unicode(ngx_azora_json_scan_t *s, ngx_uint_t *code)
{
    u_char      c;
    ngx_uint_t  i;

    *code = 0;

    for (i = 0; i < 4; i++) {

        if (++s->pos >= s->last) {
            s->pos = s->last;
            return ngx_azora_json_fail(s, "it ends within a string");
        }

        c = *s->pos;

        if (ngx_azora_is_digit(c)) {
            *code = *code * 16 + (c - '0');
            continue;
        }

        c |= 0x20;

        if (c < 'a' || c > 'f') {
            return ngx_azora_json_fail(s, "four hexadecimal digits are "
                                          "expected after \\u");
        }

        *code = *code * 16 + (c - 'a' + 10);
    }

    s->pos++;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_json_word(ngx_azora_json_scan_t *s, const char *word, size_t len)
{
    if ((size_t) (s->last - s->pos) < len
        || ngx_memcmp(s->pos, word, len) != 0)
    {
        return ngx_azora_json_fail(s, "a value is expected here");
    }

    s->pos += len;

    return NGX_OK;
}


static void
ngx_azora_json_space(ngx_azora_json_scan_t *s)
{
    while (s->pos < s->last
           && (*s->pos == ' ' || *s->pos == '\n' || *s->pos == '\r'
               || *s->pos == '\t'))
    {
        s->pos++;
    }
}


ngx_int_t
ngx_azora_json_fail(ngx_azora_json_scan_t *s, const char *reason)
{
    s->reason = reason;

    return NGX_ERROR;
}
