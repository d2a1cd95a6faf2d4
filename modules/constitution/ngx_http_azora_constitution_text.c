
/*
 * How a text is read.
 *
 * First reading (fold).  Letters that Unicode calls compatible with ASCII
 * (full-width, circled, squared, mathematical) become ASCII; typographic
 * quotes and dashes become ' " and -; characters nobody sees are dropped; any
 * run of white space becomes one space, or one line feed where it breaks a
 * line.  Case is kept, because a pattern decides about it with (?i).  Letters
 * with diacritics are kept as they are.
 *
 * Second reading (skeleton), made only of texts with something beyond ASCII:
 * diacritics are dropped, and Cyrillic, Greek and African letters become the
 * Latin letter they look like, so that "deposit" with Cyrillic vowels reads as
 * what it pretends to be.
 *
 * Both are read twice where they have several lines: a line may be a sentence
 * of its own, or may be broken in the middle of one.  A rule matches when it
 * matches any of these readings.
 */


#include "ngx_http_azora_constitution.h"


#define NGX_HTTP_AZORA_CODE_BAD  0xffffffff     /* not UTF-8 */


typedef struct {
    uint32_t     first;
    uint32_t     last;
} ngx_http_azora_range_t;


/* the Latin letter each code looks like; '.': none */

static const char  ngx_http_azora_latin[] =      /* from U+00C0 */
    "AAAAAAACEEEEIIIIDNOOOOO.OUUUUYTsaaaaaaaceeeeiiiidnooooo.ouuuuyty"
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIi..JjKkkLlLlLl."
    ".LlNnNnNn.NnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZz."
    "bBBb..OCcDDDd..EEFfG...IKkl..Nn.Oo..Pp.....tTtTUu.VYyZz........."
    ".............AaIiOoUuUuUuUuUueAaAaAaGgGgKkOoOo..j...Gg..NnAaAaOo"
    "AaAaEeEeIiIiOoOoRrRrUuUuSsTt..Hh.d..ZzAaEeOoOoOoOoYylntj..ACcLT."
    "...BU.EeJj..RrYyaa.bocdd.e.e....gg....h.iiilll.m.mnnno......rrr."
    "r.s.....tu.v...yzz.......b..h..l................";

static const char  ngx_http_azora_greek_cyrillic[] =   /* from U+0370 */
    "......................A.EHI.O.Y.iAB..EZH.IK.MN.O.P..TY.X..IYae.i"
    "uab..e...ik..n.o.p..tu.x.wiuouw................................."
    "..cj.....C......EE...SIIJ...K.Y.A.B..E.Z..K.MHO.PCTY.X.........."
    "a.br.e....k.mhonpcty.x..........ee.r.siij...k.y................."
    "..............................................................Yy"
    "..........Hh....I..............lAaAa..Ee......Z.......Oo......Yy"
    "YyYy.............d........................QqWw..................";

static const char  ngx_http_azora_latin_additional[] =   /* from U+1E00 */
    "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMm"
    "MmMmNnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVv"
    "WwWwWwWwWwXxXxYyZzZzZzhtwy....S.AaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEe"
    "EeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOoUuUuUuUuUuUuUuYyYyYyYy......";


/* default-ignorable codes and controls, UAX #44 */

static const ngx_http_azora_range_t  ngx_http_azora_invisible[] = {
    { 0x0000, 0x0008 }, { 0x000e, 0x001f }, { 0x007f, 0x0084 },
    { 0x0086, 0x009f }, { 0x00ad, 0x00ad }, { 0x034f, 0x034f },
    { 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },
    { 0x180b, 0x180f }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
    { 0x2060, 0x206f }, { 0x3164, 0x3164 }, { 0xfe00, 0xfe0f },
    { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xfffb },
    { 0xe0000, 0xe0fff }
};

static const ngx_http_azora_range_t  ngx_http_azora_spaces[] = {
    { 0x0009, 0x0009 }, { 0x0020, 0x0020 }, { 0x00a0, 0x00a0 },
    { 0x1680, 0x1680 }, { 0x2000, 0x200a }, { 0x202f, 0x202f },
    { 0x205f, 0x205f }, { 0x3000, 0x3000 }
};

static const ngx_http_azora_range_t  ngx_http_azora_breaks[] = {
    { 0x000a, 0x000d }, { 0x0085, 0x0085 }, { 0x2028, 0x2029 }
};

/* marks that are drawn over the letter before them */

static const ngx_http_azora_range_t  ngx_http_azora_marks[] = {
    { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x1ab0, 0x1aff },
    { 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe20, 0xfe2f }
};

#define ngx_http_azora_within(code, ranges)                                   \
    ngx_http_azora_constitution_within(code, ranges,                          \
                                       sizeof(ranges) / sizeof(ranges[0]))


static ngx_uint_t
ngx_http_azora_constitution_within(uint32_t code,
    const ngx_http_azora_range_t *ranges, ngx_uint_t n)
{
    ngx_uint_t  i;

    for (i = 0; i < n && code >= ranges[i].first; i++) {
        if (code <= ranges[i].last) {
            return 1;
        }
    }

    return 0;
}


/* RFC 3629, section 4.  *n: bytes taken, 1 when they are not UTF-8. */

static uint32_t
ngx_http_azora_constitution_decode(const u_char *p, size_t len, size_t *n)
{
    size_t    i, more;
    uint32_t  code, least;

    *n = 1;

    if (p[0] < 0x80) {
        return p[0];
    }

    if (p[0] >= 0xc2 && p[0] < 0xe0) {
        more = 1;
        code = p[0] & 0x1f;
        least = 0x80;

    } else if (p[0] >= 0xe0 && p[0] < 0xf0) {
        more = 2;
        code = p[0] & 0x0f;
        least = 0x800;

    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        more = 3;
        code = p[0] & 0x07;
        least = 0x10000;

    } else {
        return NGX_HTTP_AZORA_CODE_BAD;
    }

    if (len <= more) {
        return NGX_HTTP_AZORA_CODE_BAD;
    }

    for (i = 1; i <= more; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return NGX_HTTP_AZORA_CODE_BAD;
        }
        code = (code << 6) | (p[i] & 0x3f);
    }

    if (code < least || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return NGX_HTTP_AZORA_CODE_BAD;
    }

    *n = more + 1;

    return code;
}


static u_char
ngx_http_azora_constitution_letter(uint32_t i)
{
    return (i < 26) ? 'A' + i : 'a' + (i - 26);
}


/* The ASCII character a code beyond ASCII stands for, or the code itself. */

static uint32_t
ngx_http_azora_constitution_plain(uint32_t code)
{
    if (code >= 0xff01 && code <= 0xff5e) {      /* full width */
        return code - 0xff01 + '!';
    }

    if (code >= 0x1d400 && code <= 0x1d6a3) {    /* mathematical */
        return ngx_http_azora_constitution_letter((code - 0x1d400) % 52);
    }

    if (code >= 0x1d7ce && code <= 0x1d7ff) {
        return '0' + (code - 0x1d7ce) % 10;
    }

    if (code >= 0x24b6 && code <= 0x24e9) {      /* circled */
        return ngx_http_azora_constitution_letter(code - 0x24b6);
    }

    if (code >= 0x249c && code <= 0x24b5) {      /* in parentheses */
        return 'a' + (code - 0x249c);
    }

    if (code >= 0x1f130 && code <= 0x1f189       /* squared and circled */
        && (code - 0x1f130) % 32 < 26)
    {
        return 'A' + (code - 0x1f130) % 32;
    }

    if (code >= 0x2010 && code <= 0x2015) {
        return '-';
    }

    switch (code) {

    /* the two letters beyond ASCII whose other case is an ASCII letter: with
       them gone, an ASCII literal can be searched byte by byte */
    case 0x017f:
        return 's';
    case 0x212a:
        return 'K';

    case 0x2018: case 0x2019: case 0x201b: case 0x02bc: case 0x2032:
        return '\'';

    case 0x201c: case 0x201d: case 0x201e: case 0x201f: case 0x2033:
        return '"';

    case 0x2212:
        return '-';

    default:
        return code;
    }
}


size_t
ngx_http_azora_constitution_fold(u_char *dst, const u_char *src, size_t len,
    ngx_http_azora_reading_t *reading)
{
    u_char        *p;
    size_t         n;
    uint32_t       code;
    const u_char  *last;

    p = dst;
    last = src + len;
    reading->foreign = 0;
    reading->lines = 0;

    for ( /* void */ ; src < last; src += n) {

        if (*src > ' ' && *src < 0x7f) {
            *p++ = *src;
            n = 1;
            continue;
        }

        code = ngx_http_azora_constitution_decode(src, last - src, &n);

        if (code == NGX_HTTP_AZORA_CODE_BAD) {
            *p++ = '?';
            continue;
        }

        if (ngx_http_azora_within(code, ngx_http_azora_spaces)) {
            if (p == dst || (p[-1] != ' ' && p[-1] != LF)) {
                *p++ = ' ';
            }
            continue;
        }

        if (ngx_http_azora_within(code, ngx_http_azora_breaks)) {
            if (p > dst && (p[-1] == ' ' || p[-1] == LF)) {
                p--;
            }
            *p++ = LF;
            reading->lines = 1;
            continue;
        }

        if (ngx_http_azora_within(code, ngx_http_azora_invisible)) {
            continue;
        }

        code = ngx_http_azora_constitution_plain(code);

        if (code < 0x80) {
            *p++ = (u_char) code;
            continue;
        }

        p = ngx_cpymem(p, src, n);
        reading->foreign = 1;
    }

    return p - dst;
}


size_t
ngx_http_azora_constitution_skeleton(u_char *dst, const u_char *src,
    size_t len)
{
    char           c;
    u_char        *p;
    size_t         n;
    uint32_t       code;
    const u_char  *last;

    p = dst;
    last = src + len;

    for ( /* void */ ; src < last; src += n) {

        code = ngx_http_azora_constitution_decode(src, last - src, &n);

        if (ngx_http_azora_within(code, ngx_http_azora_marks)) {
            continue;
        }

        c = '.';

        if (code >= 0x00c0 && code < 0x02b0) {
            c = ngx_http_azora_latin[code - 0x00c0];

        } else if (code >= 0x0370 && code < 0x0530) {
            c = ngx_http_azora_greek_cyrillic[code - 0x0370];

        } else if (code >= 0x1e00 && code < 0x1f00) {
            c = ngx_http_azora_latin_additional[code - 0x1e00];
        }

        if (c != '.') {
            *p++ = (u_char) c;
            continue;
        }

        p = ngx_cpymem(p, src, n);
    }

    return p - dst;
}


void
ngx_http_azora_constitution_read(ngx_http_azora_matcher_t *m,
    const u_char *text, size_t len, ngx_http_azora_reading_t *reading)
{
    reading->len = ngx_http_azora_constitution_fold(m->text, text, len,
                                                    reading);
    reading->skeleton_len = 0;

    if (reading->foreign) {
        reading->skeleton_len = ngx_http_azora_constitution_skeleton(
                                    m->skeleton, m->text, reading->len);
    }
}


void
ngx_http_azora_constitution_join(ngx_http_azora_matcher_t *m,
    const ngx_http_azora_reading_t *reading)
{
    size_t  i;

    for (i = 0; i < reading->len; i++) {
        if (m->text[i] == LF) {
            m->text[i] = ' ';
        }
    }

    for (i = 0; i < reading->skeleton_len; i++) {
        if (m->skeleton[i] == LF) {
            m->skeleton[i] = ' ';
        }
    }
}


ngx_str_t
ngx_http_azora_constitution_excerpt(ngx_pool_t *pool, const u_char *src,
    size_t len)
{
    u_char      *p;
    size_t       n, i;
    uint32_t     code;
    ngx_str_t    excerpt;
    ngx_uint_t   chars;

    for (i = 0, chars = 0;
         i < len && chars < NGX_HTTP_AZORA_EXCERPT_CHARS;
         i += n, chars++)
    {
        (void) ngx_http_azora_constitution_decode(src + i, len - i, &n);
    }

    excerpt.len = 0;
    excerpt.data = ngx_pnalloc(pool, i + 1);
    if (excerpt.data == NULL) {
        return excerpt;
    }

    len = i;
    p = excerpt.data;

    for (i = 0; i < len; i += n) {

        code = ngx_http_azora_constitution_decode(src + i, len - i, &n);

        if ((code >= '0' && code <= '9')
            || (code >= 0x0660 && code <= 0x0669)      /* Arabic */
            || (code >= 0x06f0 && code <= 0x06f9)
            || (code >= 0x0966 && code <= 0x096f))     /* Devanagari */
        {
            *p++ = '#';
            continue;
        }

        if (code == LF) {
            *p++ = ' ';
            continue;
        }

        p = ngx_cpymem(p, src + i, n);
    }

    excerpt.len = p - excerpt.data;

    return excerpt;
}
