
/*
 * One-time passwords: HOTP (RFC 4226), TOTP (RFC 6238) with SHA-1, six digits
 * and 30 seconds, which is what every authenticator application can do.
 */


#include "ngx_http_azora_auth_factor.h"
#include <openssl/hmac.h>
#include <sodium.h>


ngx_int_t
ngx_http_azora_auth_hotp(const u_char *secret, size_t len, uint64_t counter,
    ngx_uint_t digits, uint32_t *code)
{
    u_char        message[8], mac[EVP_MAX_MD_SIZE];
    uint32_t      value, modulus;
    ngx_uint_t    i;
    unsigned int  size;

    for (i = 0; i < 8; i++) {
        message[7 - i] = (u_char) (counter >> (8 * i));
    }

    if (HMAC(EVP_sha1(), secret, (int) len, message, sizeof(message), mac,
             &size)
        == NULL
        || size != NGX_HTTP_AZORA_AUTH_TOTP_BYTES)
    {
        return NGX_ERROR;
    }

    i = mac[19] & 0x0f;
    value = (uint32_t) (mac[i] & 0x7f) << 24 | (uint32_t) mac[i + 1] << 16
            | (uint32_t) mac[i + 2] << 8 | mac[i + 3];

    for (modulus = 1; digits > 0; digits--) {
        modulus *= 10;
    }

    *code = value % modulus;

    sodium_memzero(mac, sizeof(mac));

    return NGX_OK;
}


/* All steps are computed and compared whatever fits, in the same time. */

uint64_t
ngx_http_azora_auth_totp_match(const u_char *secret, size_t len,
    const ngx_str_t *code, time_t now)
{
    size_t     i;
    int64_t    step;
    uint32_t   given, right;
    uint64_t   now_step, match, same;

    if (code->len != NGX_HTTP_AZORA_AUTH_TOTP_DIGITS || now < 0) {
        return 0;
    }

    given = 0;

    for (i = 0; i < code->len; i++) {

        if (code->data[i] < '0' || code->data[i] > '9') {
            return 0;
        }

        given = given * 10 + (code->data[i] - '0');
    }

    now_step = (uint64_t) now / NGX_HTTP_AZORA_AUTH_TOTP_STEP;
    match = 0;

    for (step = -NGX_HTTP_AZORA_AUTH_TOTP_WINDOW;
         step <= NGX_HTTP_AZORA_AUTH_TOTP_WINDOW; step++)
    {
        if (ngx_http_azora_auth_hotp(secret, len, now_step + step,
                                     NGX_HTTP_AZORA_AUTH_TOTP_DIGITS, &right)
            != NGX_OK)
        {
            return 0;
        }

        /* all ones where they are equal; the later of two such steps */

        same = 0 - (((uint64_t) (given ^ right) - 1) >> 63);
        match = (match & ~same) | ((now_step + step) & same);
    }

    return match;
}


u_char *
ngx_http_azora_auth_base32(u_char *dst, const u_char *src, size_t len)
{
    size_t    i, bit;
    uint64_t  group;

    static const u_char  alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (i = 0; i < len; i += 5) {

        group = (uint64_t) src[i] << 32 | (uint64_t) src[i + 1] << 24
                | (uint64_t) src[i + 2] << 16 | (uint64_t) src[i + 3] << 8
                | src[i + 4];

        for (bit = 40; bit > 0; bit -= 5) {
            *dst++ = alphabet[group >> (bit - 5) & 0x1f];
        }
    }

    return dst;
}


size_t
ngx_http_azora_auth_code_plain(const ngx_str_t *code, u_char *dst, size_t max)
{
    u_char  ch;
    size_t  i, n;

    n = 0;

    for (i = 0; i < code->len; i++) {

        ch = ngx_tolower(code->data[i]);

        if (ch == ' ' || ch == '-') {
            continue;
        }

        if (n == max) {
            return 0;
        }

        /* the alphabet of recovery codes has none of these letters */

        dst[n++] = (ch == 'o') ? '0' : (ch == 'i' || ch == 'l') ? '1' : ch;
    }

    return n;
}
