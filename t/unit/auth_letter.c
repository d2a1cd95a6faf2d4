
/*
 * Messages: what is filled in, how names outside ASCII are written, and what
 * is never sent.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth_mail.h"


static ngx_http_azora_auth_letter_t  letter;


static void
test_set(ngx_str_t *field, const char *text)
{
    field->data = (u_char *) text;
    field->len = ngx_strlen(text);
}


static void
test_reset(void)
{
    test_set(&letter.service, "Azora");
    test_set(&letter.from, "no-reply@azora.test");
    test_set(&letter.to, "amina@example.org");
    test_set(&letter.subject, "{service}: hello");
    test_set(&letter.body, "Go to {link}/x#{token}\n");
    test_set(&letter.link, "https://azora.test");
    test_set(&letter.token, "{link}");
    test_set(&letter.id, "019a9f00");
    letter.date = 1111111109;
}


static void
test_message(ngx_pool_t *pool)
{
    ngx_str_t  message;

    test_reset();
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_OK,
           "a message");
    is_str(&message,
           "Date: Fri, 18 Mar 2005 01:58:29 +0000\r\n"
           "From: \"Azora\" <no-reply@azora.test>\r\n"
           "To: <amina@example.org>\r\n"
           "Subject: Azora: hello\r\n"
           "Message-ID: <019a9f00@azora.test>\r\n"
           "MIME-Version: 1.0\r\n"
           "Content-Type: text/plain; charset=utf-8\r\n"
           "Auto-Submitted: auto-generated\r\n"
           "Content-Transfer-Encoding: 7bit\r\n"
           "\r\n"
           "Go to https://azora.test/x#{link}\r\n",
           "as it is sent; what is filled in is not filled in again");
}


/* RFC 2047: no line of a subject is longer than 75, none cuts a character */

static void
test_words(ngx_pool_t *pool)
{
    u_char     *p, *end, *last, plain[512];
    ngx_str_t   message, src, dst;
    ngx_uint_t  words, long_ones;

    static const char  name[] =
        "\xc3\x89l\xc3\xa9phants bleus \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
        " \xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b"
        "\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b"
        "\xf0\x9f\x8d\x8b\xf0\x9f\x8d\x8b";

    test_reset();
    test_set(&letter.subject, name);
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_OK,
           "a subject of elephants and mangoes");

    p = (u_char *) ngx_strnstr(message.data, "Subject: ", message.len) + 9;
    last = message.data + message.len;
    dst.data = plain;
    words = 0;
    long_ones = 0;

    while (last - p > 10 && ngx_strncmp(p, "=?utf-8?B?", 10) == 0) {
        end = (u_char *) strstr((char *) p + 10, "?=");
        words++;
        long_ones += (end + 2 - p > 75);

        src.data = p + 10;
        src.len = end - src.data;
        (void) ngx_decode_base64(&dst, &src);
        long_ones += ((dst.data[0] & 0xc0) == 0x80);
        dst.data += dst.len;
        p = end + 2;

        if (ngx_strncmp(p, "\r\n ", 3) == 0) {
            p += 3;
        }
    }

    dst.len = dst.data - plain;
    dst.data = plain;

    ok(words > 1, "is %lu encoded words", (unsigned long) words);
    is_int(long_ones, 0, "none too long, none that begins within a letter");
    is_str(&dst, name, "and they say what was said");
}


static void
test_refused(ngx_pool_t *pool)
{
    size_t      i;
    u_char      line[1001];
    ngx_str_t   message;

    static const char  *addresses[] = {
        "", "amina", "@example.org", "amina@", "a@b@c", "a b@example.org",
        "a@example.org\r\nBcc: b@example.org", "<a@example.org>",
        "a@example.org,b@example.org", "\"a\"@example.org",
        "a(b)@example.org", "\xc3\xa9@example.org", "a@example.org\x7f"
    };

    for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        test_reset();
        test_set(&letter.to, addresses[i]);
        is_int(ngx_http_azora_auth_letter(pool, &letter, &message),
               NGX_DECLINED, "no address");
        test_reset();
        test_set(&letter.from, addresses[i]);
        is_int(ngx_http_azora_auth_letter(pool, &letter, &message),
               NGX_DECLINED, "nor a sender's");
    }

    test_reset();
    test_set(&letter.body, "a\rb");
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_DECLINED,
           "a bare carriage return");

    ngx_memset(line, 'x', sizeof(line));
    letter.body.data = line;
    letter.body.len = 998;
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_OK,
           "a line of 998 characters");
    letter.body.len = 999;
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_DECLINED,
           "is the longest");

    test_reset();
    test_set(&letter.subject, "a\r\nBcc: b@example.org");
    is_int(ngx_http_azora_auth_letter(pool, &letter, &message), NGX_OK,
           "a subject of two lines");
    ok(ngx_strnstr(message.data, "\r\nBcc", message.len) == NULL,
       "becomes one");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_message(cf->pool);
    test_words(cf->pool);
    test_refused(cf->pool);
}
