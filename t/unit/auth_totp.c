
/*
 * One-time passwords by the vectors of RFC 4226 and RFC 6238, the window
 * around now, and the vault that keeps their secrets.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth_factor.h"


#define KEY_ONE                                                               \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_TWO                                                               \
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"


static const u_char  secret[] = "12345678901234567890";


/* RFC 4226, appendix D */

static void
test_hotp(void)
{
    uint32_t    code;
    ngx_uint_t  i;

    static const uint32_t  codes[] = {
        755224, 287082, 359152, 969429, 338314,
        254676, 287922, 162583, 399871, 520489
    };

    for (i = 0; i < 10; i++) {
        is_int(ngx_http_azora_auth_hotp(secret, 20, i, 6, &code), NGX_OK,
               "counter");
        is_int(code, codes[i], "RFC 4226 D");
    }
}


/* RFC 6238, appendix B, the rows of SHA-1 */

static void
test_totp(void)
{
    uint32_t    code;
    ngx_uint_t  i;

    static const struct {
        uint64_t  time;
        uint32_t  code;
    } rows[] = {
        { 59, 94287082 }, { 1111111109, 7081804 }, { 1111111111, 14050471 },
        { 1234567890, 89005924 }, { 2000000000, 69279037 },
        { 20000000000ULL, 65353130 }
    };

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void) ngx_http_azora_auth_hotp(secret, 20, rows[i].time / 30, 8,
                                        &code);
        is_int(code, rows[i].code, "RFC 6238 B");
    }
}


static uint64_t
test_match_text(const char *text, time_t now)
{
    ngx_str_t  code;

    code.data = (u_char *) text;
    code.len = ngx_strlen(text);

    return ngx_http_azora_auth_totp_match(secret, 20, &code, now);
}


/* 287082 is the code of step 1: 30 s to 59 s */

static void
test_match(void)
{
    is_int(test_match_text("287082", 45), 1, "in its step");
    is_int(test_match_text("287082", 30), 1, "from its first second");
    is_int(test_match_text("287082", 59), 1, "to its last");
    is_int(test_match_text("287082", 89), 1, "one step late");
    is_int(test_match_text("287082", 90), 0, "two steps late");
    is_int(test_match_text("287082", 29), 1, "one step early");
    is_int(test_match_text("081804", 1111111109), 37037036, "leading zeros");
    is_int(test_match_text("287083", 45), 0, "another code");
    is_int(test_match_text("28708", 45), 0, "too short");
    is_int(test_match_text("2870820", 45), 0, "too long");
    is_int(test_match_text("28708a", 45), 0, "no number");
    is_int(test_match_text("", 45), 0, "nothing");
    is_int(test_match_text("287082", -1), 0, "no time");
}


static void
test_texts(void)
{
    u_char     out[64];
    ngx_str_t  got, code;

    /* RFC 4648 10 has "fooba" -> "MZXW6YTB" */

    got.data = out;
    got.len = ngx_http_azora_auth_base32(out, (u_char *) "fooba", 5) - out;
    is_str(&got, "MZXW6YTB", "RFC 4648");
    got.len = ngx_http_azora_auth_base32(out, secret, 20) - out;
    is_str(&got, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "32 characters");

    ngx_str_set(&code, " 12O-34 il");
    got.len = ngx_http_azora_auth_code_plain(&code, out, 8);
    is_str(&got, "1203411", "as people type");
    is_int(ngx_http_azora_auth_code_plain(&code, out, 6), 0, "too long");
}


static void
test_vault_parse(ngx_http_azora_auth_peppers_t *vault, const char *text)
{
    ngx_str_t    s;
    const char  *reason;

    ngx_memzero(vault, sizeof(ngx_http_azora_auth_peppers_t));
    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    (void) ngx_http_azora_auth_peppers_parse(vault, &s, &reason);
}


static ngx_int_t
test_open(const char *keys, const char *owner, const char *text)
{
    u_char                         data[NGX_HTTP_AZORA_AUTH_VAULT_MAX];
    size_t                         len;
    ngx_int_t                      rc;
    ngx_str_t                      who, sealed;
    ngx_http_azora_auth_peppers_t  vault;

    test_vault_parse(&vault, keys);

    who.data = (u_char *) owner;
    who.len = ngx_strlen(owner);
    sealed.data = (u_char *) text;
    sealed.len = ngx_strlen(text);
    len = sizeof(data);

    rc = ngx_http_azora_auth_open(&vault, &who, &sealed, data, &len);

    if (rc == NGX_OK || rc == NGX_DONE) {
        ok(len == 20 && ngx_memcmp(data, secret, 20) == 0,
           "it is what was sealed");
    }

    return rc;
}


static void
test_vault(void)
{
    char                           one[NGX_HTTP_AZORA_AUTH_SEALED_MAX];
    char                           two[NGX_HTTP_AZORA_AUTH_SEALED_MAX];
    size_t                         i;
    ngx_str_t                      who;
    ngx_uint_t                     refused;
    ngx_http_azora_auth_peppers_t  vault;

    static const char  amina[] = "019a9f00-0000-7000-8000-000000000001";
    static const char  bola[] = "019a9f00-0000-7000-8000-000000000002";

    test_vault_parse(&vault, KEY_ONE);
    ngx_str_set(&who, "019a9f00-0000-7000-8000-000000000001");

    is_int(ngx_http_azora_auth_seal(&vault, &who, secret, 20, one), NGX_OK,
           "sealed");
    is_int(ngx_http_azora_auth_seal(&vault, &who, secret, 20, two), NGX_OK,
           "and again");
    ok(ngx_strcmp(one, two) != 0, "differently");
    ok(ngx_strncmp(one, "$azs$630dcd29$", 14) == 0, "with the key's id");

    is_int(test_open(KEY_ONE, amina, one), NGX_OK, "opened");
    is_int(test_open(KEY_TWO "\n" KEY_ONE, amina, one), NGX_DONE,
           "with an older key, and that is said");
    is_int(test_open(KEY_TWO, amina, one), NGX_DECLINED, "without the key");
    is_int(test_open(KEY_ONE, bola, one), NGX_DECLINED, "for another owner");

    refused = 0;

    for (i = 0; one[i] != '\0'; i++) {
        ngx_memcpy(two, one, sizeof(one));
        two[i] = (two[i] == 'A') ? 'B' : 'A';
        refused += (test_open(KEY_ONE, amina, two) == NGX_DECLINED);
        ngx_memcpy(two, one, i);
        two[i] = '\0';
        refused += (test_open(KEY_ONE, amina, two) == NGX_DECLINED);
    }

    is_int(refused, 2 * i, "changed or cut anywhere it opens nothing");

    who.len--;
    is_int(ngx_http_azora_auth_seal(&vault, &who, secret, 20, one), NGX_ERROR,
           "an owner is a UUID");
    who.len++;
    test_vault_parse(&vault, "");
    is_int(ngx_http_azora_auth_seal(&vault, &who, secret, 20, one), NGX_ERROR,
           "no key seals nothing");
}


static void
test_qr(ngx_conf_t *cf)
{
    u_char     large[2048];
    ngx_str_t  text, svg;

    ngx_str_set(&text, "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ");
    is_int(ngx_http_azora_auth_qr(cf->pool, &text, &svg), NGX_OK, "a code");
    ok(ngx_strncmp(svg.data, "<svg ", 5) == 0
       && ngx_strncmp(svg.data + svg.len - 6, "</svg>", 6) == 0, "is an SVG");

    ngx_memset(large, 'x', sizeof(large));
    text.data = large;
    text.len = 900;
    is_int(ngx_http_azora_auth_qr(cf->pool, &text, &svg), NGX_OK, "a large");
    text.len = sizeof(large);
    is_int(ngx_http_azora_auth_qr(cf->pool, &text, &svg), NGX_ERROR,
           "one that is too large");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_hotp();
    test_totp();
    test_match();
    test_texts();
    test_vault();
    test_qr(cf);
}
