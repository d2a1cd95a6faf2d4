
/*
 * Passwords that a thief tries first: a list of the commonest ones from a
 * file, simple patterns, and what is known of the person.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_LIST_MAX   (4 * 1024 * 1024)  /* bytes */
#define NGX_HTTP_AZORA_AUTH_WORD_MIN   4
#define NGX_HTTP_AZORA_AUTH_LINE_MAX   64
#define NGX_HTTP_AZORA_AUTH_REST_MIN   6    /* letters and digits */
#define NGX_HTTP_AZORA_AUTH_MORE_MAX   6    /* around a word of the list */
#define NGX_HTTP_AZORA_AUTH_FRESH_MIN  3    /* characters that surprise */


static ngx_int_t ngx_http_azora_auth_common_read(ngx_conf_t *cf,
    ngx_str_t *file, ngx_str_t *text);
static void ngx_http_azora_auth_common_add(
    ngx_http_azora_auth_common_t *common, u_char *line, size_t len);
static ngx_uint_t ngx_http_azora_auth_common_has(
    const ngx_http_azora_auth_common_t *common, const u_char *text,
    size_t len);
static ngx_uint_t ngx_http_azora_auth_listed(
    const ngx_http_azora_auth_common_t *common, const u_char *low,
    size_t len);
static ngx_uint_t ngx_http_azora_auth_personal(u_char *s, size_t len,
    const ngx_str_t *words, ngx_uint_t nwords);
static ngx_uint_t ngx_http_azora_auth_pattern(const u_char *s, size_t len);
static ngx_uint_t ngx_http_azora_auth_is_letter(u_char c);
static size_t ngx_http_azora_auth_without_words(u_char *s, size_t len,
    const ngx_str_t *words);
static size_t ngx_http_azora_auth_without(u_char *s, size_t len,
    const u_char *word, size_t n);


ngx_int_t
ngx_http_azora_auth_common_load(ngx_conf_t *cf,
    ngx_http_azora_auth_common_t *common, ngx_str_t *file)
{
    u_char      *p, *end, *line;
    ngx_str_t    text;
    ngx_uint_t   lines, size;

    if (file->len == 0) {
        return NGX_OK;
    }

    if (ngx_http_azora_auth_common_read(cf, file, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    lines = 1;
    end = text.data + text.len;

    for (p = text.data; p < end; p++) {
        lines += (*p == '\n');
    }

    for (size = 64; size < 2 * lines; size *= 2) { /* void */ }

    common->slots = ngx_pcalloc(cf->pool, size * sizeof(uint64_t));
    if (common->slots == NULL) {
        return NGX_ERROR;
    }

    common->mask = size - 1;
    randombytes_buf(common->key, sizeof(common->key));

    for (p = text.data; p < end; p++) {
        line = p;

        while (p < end && *p != '\n') {
            p++;
        }

        if (line[0] != '#') {
            ngx_http_azora_auth_common_add(common, line, p - line);
        }
    }

    ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                  "azora: %ui common passwords from \"%V\"", common->count,
                  file);

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_common_read(ngx_conf_t *cf, ngx_str_t *file,
    ngx_str_t *text)
{
    ssize_t          n;
    ngx_fd_t         fd;
    ngx_file_info_t  info;

    fd = ngx_open_file(file->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot open \"%V\"", file);
        return NGX_ERROR;
    }

    n = -1;

    if (ngx_fd_info(fd, &info) == NGX_FILE_ERROR || !ngx_is_file(&info)
        || ngx_file_size(&info) > NGX_HTTP_AZORA_AUTH_LIST_MAX)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" is not a file of at most 4 MB", file);
        goto done;
    }

    text->len = (size_t) ngx_file_size(&info);
    text->data = ngx_pnalloc(cf->temp_pool, text->len + 1);

    if (text->data != NULL) {
        n = ngx_read_fd(fd, text->data, text->len);
    }

done:

    (void) ngx_close_file(fd);

    return (n >= 0 && (size_t) n == text->len) ? NGX_OK : NGX_ERROR;
}


/* never 0, which marks an empty slot */

static uint64_t
ngx_http_azora_auth_common_hash(const ngx_http_azora_auth_common_t *common,
    const u_char *text, size_t len)
{
    uint64_t  h;

    crypto_shorthash((u_char *) &h, text, len, common->key);

    return h ? h : 1;
}


static void
ngx_http_azora_auth_common_add(ngx_http_azora_auth_common_t *common,
    u_char *line, size_t len)
{
    u_char      low[NGX_HTTP_AZORA_AUTH_LINE_MAX];
    uint64_t    h;
    ngx_uint_t  i;

    if (len > 0 && line[len - 1] == '\r') {
        len--;
    }

    if (len < NGX_HTTP_AZORA_AUTH_WORD_MIN || len > sizeof(low)) {
        return;
    }

    ngx_strlow(low, line, len);
    h = ngx_http_azora_auth_common_hash(common, low, len);

    for (i = h & common->mask; common->slots[i]; i = (i + 1) & common->mask) {
        if (common->slots[i] == h) {
            return;
        }
    }

    common->slots[i] = h;
    common->count++;
}


static ngx_uint_t
ngx_http_azora_auth_common_has(const ngx_http_azora_auth_common_t *common,
    const u_char *text, size_t len)
{
    uint64_t    h;
    ngx_uint_t  i;

    if (common->count == 0) {
        return 0;
    }

    h = ngx_http_azora_auth_common_hash(common, text, len);

    for (i = h & common->mask; common->slots[i]; i = (i + 1) & common->mask) {
        if (common->slots[i] == h) {
            return 1;
        }
    }

    return 0;
}


const char *
ngx_http_azora_auth_common_check(const ngx_http_azora_auth_common_t *common,
    const ngx_str_t *password, const ngx_str_t *words, ngx_uint_t nwords)
{
    u_char       low[NGX_HTTP_AZORA_AUTH_PASSWORD_MAX];
    size_t       len;
    const char  *reason;

    len = ngx_min(password->len, sizeof(low));
    ngx_strlow(low, password->data, len);

    reason = NULL;

    if (ngx_http_azora_auth_pattern(low, len)) {
        reason = "This password is a simple pattern.";

    } else if (ngx_http_azora_auth_listed(common, low, len)) {
        reason = "This password is one of those that are tried first.";

    } else if (ngx_http_azora_auth_personal(low, len, words, nwords)) {
        reason = "This password is little more than your own name or "
                 "address.";
    }

    sodium_memzero(low, sizeof(low));

    return reason;
}


/*
 * A word of the list, also with a few characters before or behind it and
 * with look-alikes for letters: what guessers try as well.
 */

static ngx_uint_t
ngx_http_azora_auth_listed(const ngx_http_azora_auth_common_t *common,
    const u_char *low, size_t len)
{
    u_char         word[NGX_HTTP_AZORA_AUTH_LINE_MAX + 1];
    size_t         n, i;
    ngx_uint_t     found;
    const u_char  *like;

    static const u_char  from[] = "0134578@$!";
    static const u_char  first[] = "oieastbasi";
    static const u_char  second[] = "olgastbasl";

    if (ngx_http_azora_auth_common_has(common, low, len)) {
        return 1;
    }

    n = len;

    while (n > 0 && (*low < 'a' || *low > 'z') && *low < 0x80) {
        low++;
        n--;
    }

    while (n > 0 && (low[n - 1] < 'a' || low[n - 1] > 'z')
           && low[n - 1] < 0x80)
    {
        n--;
    }

    if (n < NGX_HTTP_AZORA_AUTH_WORD_MIN || n >= sizeof(word)
        || len - n > NGX_HTTP_AZORA_AUTH_MORE_MAX)
    {
        return 0;
    }

    found = ngx_http_azora_auth_common_has(common, low, n);

    for (like = first; !found; like = second) {

        for (i = 0; i < n; i++) {
            const u_char  *p = (u_char *) strchr((char *) from, low[i]);

            word[i] = (p && *p) ? like[p - from] : low[i];
        }

        found = ngx_http_azora_auth_common_has(common, word, n);

        if (like == second) {
            break;
        }
    }

    sodium_memzero(word, sizeof(word));

    return found;
}


/* Without the person's own words enough must be left; s is used up. */

static ngx_uint_t
ngx_http_azora_auth_personal(u_char *s, size_t len, const ngx_str_t *words,
    ngx_uint_t nwords)
{
    size_t      rest, letters, i;

    rest = ngx_http_azora_auth_without(s, len, (u_char *) "azora", 5);

    for (i = 0; i < nwords; i++) {
        rest = ngx_http_azora_auth_without_words(s, rest, &words[i]);
    }

    for (letters = 0, i = 0; i < rest; i++) {
        letters += ngx_http_azora_auth_is_letter(s[i]);
    }

    return rest < len && letters < NGX_HTTP_AZORA_AUTH_REST_MIN;
}


static ngx_uint_t
ngx_http_azora_auth_is_letter(u_char c)
{
    return c >= 0x80 || (c >= '0' && c <= '9')
           || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}


/* Cuts what an e-mail address or a name is made of. */

static size_t
ngx_http_azora_auth_without_words(u_char *s, size_t len,
    const ngx_str_t *words)
{
    size_t   n;
    u_char  *p, *last, *start;
    u_char   word[NGX_HTTP_AZORA_AUTH_LINE_MAX];

    last = words->data + words->len;

    for (p = words->data; p < last; p++) {

        for (start = p; p < last && ngx_http_azora_auth_is_letter(*p); p++) {
            /* void */
        }

        n = p - start;

        if (n >= NGX_HTTP_AZORA_AUTH_WORD_MIN && n <= sizeof(word)) {
            ngx_strlow(word, start, n);
            len = ngx_http_azora_auth_without(s, len, word, n);
        }
    }

    return len;
}


/* Where a character is on the usual keyboard; 0 when it is not. */

static ngx_uint_t
ngx_http_azora_auth_place(u_char c)
{
    ngx_uint_t   row;
    const char  *p;

    static const char *const  rows[] = {
        "1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./"
    };

    for (row = 0; row < 4; row++) {
        p = strchr(rows[row], c);

        if (c != '\0' && p != NULL) {
            return (row + 1) * 16 + (p - rows[row]);
        }
    }

    return 0;
}


/* Whether b follows from a: the same, the next one, a neighbouring key. */

static ngx_uint_t
ngx_http_azora_auth_follows(u_char a, u_char b)
{
    ngx_int_t   step, rows, columns;
    ngx_uint_t  from, to;

    step = (ngx_int_t) b - a;

    if (step >= -1 && step <= 1) {
        return 1;
    }

    from = ngx_http_azora_auth_place(a);
    to = ngx_http_azora_auth_place(b);

    if (from == 0 || to == 0) {
        return 0;
    }

    rows = (ngx_int_t) (to / 16) - (ngx_int_t) (from / 16);
    columns = (ngx_int_t) (to % 16) - (ngx_int_t) (from % 16);

    /* 1-4-7 on the keypad of a telephone */

    return (rows >= -1 && rows <= 1 && columns >= -1 && columns <= 1)
           || (from / 16 == 1 && to / 16 == 1
               && (step == 3 || step == -3));
}


/*
 * A piece repeated, or a text most of whose characters follow from the one
 * before or the one before that ("1q2w3e4r", "a1b2c3d4").
 */

static ngx_uint_t
ngx_http_azora_auth_pattern(const u_char *s, size_t len)
{
    size_t      i, period;
    ngx_uint_t  fresh;

    for (period = 1; period <= len / 2; period++) {

        for (i = period; i < len && s[i] == s[i - period]; i++) { /* void */ }

        if (i == len) {
            return 1;
        }
    }

    for (fresh = 0, i = 0; i < len; i++) {
        if ((i < 1 || !ngx_http_azora_auth_follows(s[i - 1], s[i]))
            && (i < 2 || !ngx_http_azora_auth_follows(s[i - 2], s[i])))
        {
            fresh++;
        }
    }

    return fresh <= NGX_HTTP_AZORA_AUTH_FRESH_MIN;
}


/* Cuts every occurrence of the word out of s; returns the new length. */

static size_t
ngx_http_azora_auth_without(u_char *s, size_t len, const u_char *word,
    size_t n)
{
    size_t  from, to;

    for (from = 0, to = 0; from < len; /* void */ ) {

        if (len - from >= n && ngx_memcmp(s + from, word, n) == 0) {
            from += n;
            continue;
        }

        s[to++] = s[from++];
    }

    return to;
}
