
/*
 * Messages of plain text, RFC 5322 with MIME (RFC 2045): small, in UTF-8, one
 * recipient.  Lines stay as the template has them, as none is longer than a
 * mail's may be.
 */


#include "ngx_http_azora_auth_mail.h"


/* RFC 2047 2: an encoded word has at most 75 characters */
#define NGX_HTTP_AZORA_AUTH_WORD_MAX  39    /* bytes of one, before base64 */
#define NGX_HTTP_AZORA_AUTH_LINE_MAX  998   /* RFC 5322 2.1.1 */


static ngx_int_t ngx_http_azora_auth_letter_fill(ngx_pool_t *pool,
    const ngx_http_azora_auth_letter_t *letter, const ngx_str_t *text,
    ngx_str_t *out);
static ngx_uint_t ngx_http_azora_auth_letter_ascii(const ngx_str_t *text);
static ngx_int_t ngx_http_azora_auth_letter_lines(ngx_pool_t *pool,
    const ngx_str_t *text, ngx_str_t *out);
static u_char *ngx_http_azora_auth_letter_word(u_char *p,
    const ngx_str_t *text);
static size_t ngx_http_azora_auth_letter_word_len(const ngx_str_t *text);


ngx_int_t
ngx_http_azora_auth_letter(ngx_pool_t *pool,
    const ngx_http_azora_auth_letter_t *letter, ngx_str_t *message)
{
    size_t       len;
    u_char      *p, date[sizeof("Mon, 28 Sep 1970 06:00:00 GMT")];
    ngx_int_t    rc;
    ngx_str_t    subject, text, body, domain;
    const char  *quote;

    static const char  head[] =
        "MIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Auto-Submitted: auto-generated\r\n";

    if (!ngx_http_azora_auth_letter_address(&letter->from)
        || !ngx_http_azora_auth_letter_address(&letter->to)
        || letter->body.len > NGX_HTTP_AZORA_AUTH_MAIL_MAX)
    {
        return NGX_DECLINED;
    }

    if (ngx_http_azora_auth_letter_fill(pool, letter, &letter->subject,
                                        &subject)
        != NGX_OK
        || ngx_http_azora_auth_letter_fill(pool, letter, &letter->body, &text)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_auth_letter_lines(pool, &text, &body);
    if (rc != NGX_OK) {
        return rc;
    }

    domain.data = ngx_strlchr(letter->from.data,
                              letter->from.data + letter->from.len, '@')
                  + 1;
    domain.len = letter->from.data + letter->from.len - domain.data;

    len = sizeof(head) + 256 + letter->from.len + letter->to.len
          + ngx_http_azora_auth_letter_word_len(&letter->service)
          + ngx_http_azora_auth_letter_word_len(&subject)
          + letter->id.len + domain.len + body.len;

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    message->data = p;

    /* RFC 5322 3.3 calls GMT obsolete */

    (void) ngx_http_time(date, letter->date);

    quote = ngx_http_azora_auth_letter_ascii(&letter->service) ? "\"" : "";

    p = ngx_sprintf(p, "Date: %*s+0000\r\nFrom: %s", (size_t) 26, date,
                    quote);
    p = ngx_http_azora_auth_letter_word(p, &letter->service);
    p = ngx_sprintf(p, "%s <%V>\r\nTo: <%V>\r\nSubject: ", quote,
                    &letter->from, &letter->to);
    p = ngx_http_azora_auth_letter_word(p, &subject);
    p = ngx_sprintf(p, "\r\nMessage-ID: <%V@%V>\r\n%s"
                    "Content-Transfer-Encoding: %s\r\n\r\n",
                    &letter->id, &domain, head,
                    ngx_http_azora_auth_letter_ascii(&body) ? "7bit" : "8bit");
    p = ngx_cpymem(p, body.data, body.len);

    message->len = p - message->data;

    return NGX_OK;
}


/* Nothing that could end a header line or be a second address. */

ngx_uint_t
ngx_http_azora_auth_letter_address(const ngx_str_t *address)
{
    size_t      i;
    ngx_uint_t  at;

    at = 0;

    for (i = 0; i < address->len; i++) {

        if (address->data[i] <= ' ' || address->data[i] >= 0x7f
            || ngx_strchr("<>()[]\\,;:\"", address->data[i]))
        {
            return 0;
        }

        at += (address->data[i] == '@');
    }

    return at == 1 && address->len <= NGX_HTTP_AZORA_AUTH_ADDRESS_MAX
           && address->data[0] != '@'
           && address->data[address->len - 1] != '@';
}


/* Replaces the names in braces. */

static ngx_int_t
ngx_http_azora_auth_letter_fill(ngx_pool_t *pool,
    const ngx_http_azora_auth_letter_t *letter, const ngx_str_t *text,
    ngx_str_t *out)
{
    size_t      i, len, room;
    u_char     *p;
    ngx_uint_t  n, pass;

    struct {
        ngx_str_t         name;
        const ngx_str_t  *value;
    } names[] = {
        { ngx_string("{service}"), &letter->service },
        { ngx_string("{link}"), &letter->link },
        { ngx_string("{token}"), &letter->token },
        { ngx_string("{code}"), &letter->code }
    };

    p = NULL;
    room = 0;

    for (pass = 0; pass < 2; pass++) {

        len = 0;

        for (i = 0; i < text->len; /* void */ ) {

            for (n = 0; n < 4; n++) {
                if (text->len - i >= names[n].name.len
                    && ngx_memcmp(text->data + i, names[n].name.data,
                                  names[n].name.len)
                       == 0)
                {
                    break;
                }
            }

            if (n == 4) {
                if (p != NULL) {
                    p[len] = text->data[i];
                }

                len++;
                i++;
                continue;
            }

            if (p != NULL) {
                ngx_memcpy(p + len, names[n].value->data,
                           names[n].value->len);
            }

            len += names[n].value->len;
            i += names[n].name.len;
        }

        if (pass == 0) {
            room = len + 1;
            p = ngx_pnalloc(pool, room);
            if (p == NULL) {
                return NGX_ERROR;
            }
        }
    }

    out->data = p;
    out->len = room - 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_auth_letter_ascii(const ngx_str_t *text)
{
    size_t  i;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


/* Lines end in CRLF and are not too long; other control characters are not. */

static ngx_int_t
ngx_http_azora_auth_letter_lines(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_str_t *out)
{
    u_char  *p;
    size_t   i, line;

    p = ngx_pnalloc(pool, 2 * text->len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;
    line = 0;

    for (i = 0; i < text->len; i++) {

        if (text->data[i] == '\n') {
            *p++ = '\r';
            *p++ = '\n';
            line = 0;
            continue;
        }

        if ((text->data[i] < ' ' && text->data[i] != '\t')
            || ++line > NGX_HTTP_AZORA_AUTH_LINE_MAX)
        {
            return NGX_DECLINED;
        }

        *p++ = text->data[i];
    }

    out->len = p - out->data;

    return NGX_OK;
}


/*
 * A phrase or an unstructured text: as it is, or as encoded words (RFC 2047),
 * cut between characters.
 */

static u_char *
ngx_http_azora_auth_letter_word(u_char *p, const ngx_str_t *text)
{
    size_t     i, n;
    ngx_str_t  part, out;

    if (ngx_http_azora_auth_letter_ascii(text)) {

        for (i = 0; i < text->len; i++) {
            *p++ = (text->data[i] < ' ') ? ' ' : text->data[i];
        }

        return p;
    }

    for (i = 0; i < text->len; i += n) {

        n = ngx_min(text->len - i, NGX_HTTP_AZORA_AUTH_WORD_MAX);

        while (i + n < text->len && n > 1
               && (text->data[i + n] & 0xc0) == 0x80)
        {
            n--;
        }

        part.data = text->data + i;
        part.len = n;

        p = ngx_cpymem(p, i ? "\r\n =?utf-8?B?" : "=?utf-8?B?",
                       i ? 13 : 10);
        out.data = p;
        ngx_encode_base64(&out, &part);
        p = ngx_cpymem(p + out.len, "?=", 2);
    }

    return p;
}


static size_t
ngx_http_azora_auth_letter_word_len(const ngx_str_t *text)
{
    /* a word has at least 36 bytes: a character has at most four */

    return 2 * text->len + (text->len / 36 + 1) * 20;
}
