
#include "ngx_azora_test.h"


typedef struct {
    ngx_azora_kind_e  kind;
    const char       *in;
    const char       *out;      /* NULL: refused; "=": the same as in */
    const char       *reason;   /* a part of it */
} ngx_azora_scalar_case_t;


#define OK(kind, in)           { NGX_AZORA_##kind, in, "=", NULL }
#define AS(kind, in, out)      { NGX_AZORA_##kind, in, out, NULL }
#define NO(kind, in, reason)   { NGX_AZORA_##kind, in, NULL, reason }

#define A10  "aaaaaaaaaa"
#define A64  A10 A10 A10 A10 A10 A10 "aaaa"


static const ngx_azora_scalar_case_t  scalars[] = {
    OK(TEXT, ""),
    OK(TEXT, "a\tb\r\nc"),
    OK(TEXT, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
    NO(TEXT, "a\x01", "control"),
    NO(TEXT, "a\x1b[0m", "control"),
    NO(TEXT, "a\x7f", "control"),
    NO(TEXT, "\xff", "UTF-8"),
    NO(TEXT, "\xc3", "UTF-8"),
    NO(TEXT, "\xed\xa0\x80", "UTF-8"),

    OK(SECRET, "correct horse \x01 battery"),
    NO(SECRET, "", "short"),
    NO(SECRET, "\xff", "UTF-8"),

    OK(EMAIL, "ada@example.org"),
    OK(EMAIL, "a.b+c_d@sub.example-1.org"),
    OK(EMAIL, "ADA@EXAMPLE.ORG"),
    OK(EMAIL, A64 "@example.org"),
    NO(EMAIL, A64 "a@example.org", "not an e-mail"),
    NO(EMAIL, "", "short"),
    NO(EMAIL, "ada", "not an e-mail"),
    NO(EMAIL, "@example.org", "not an e-mail"),
    NO(EMAIL, "ada@", "not an e-mail"),
    NO(EMAIL, "ada@example", "not an e-mail"),
    NO(EMAIL, "ada@example.", "not an e-mail"),
    NO(EMAIL, "ada@.org", "not an e-mail"),
    NO(EMAIL, "ada@-a.org", "not an e-mail"),
    NO(EMAIL, "ada@a-.org", "not an e-mail"),
    NO(EMAIL, "ada@127.0.0.1", "not an e-mail"),
    NO(EMAIL, "ada@[127.0.0.1]", "not an e-mail"),
    NO(EMAIL, "ada@" A64 ".org", "not an e-mail"),
    NO(EMAIL, ".ada@example.org", "not an e-mail"),
    NO(EMAIL, "ada.@example.org", "not an e-mail"),
    NO(EMAIL, "a..b@example.org", "not an e-mail"),
    NO(EMAIL, "a b@example.org", "not an e-mail"),
    NO(EMAIL, "a@b@example.org", "not an e-mail"),
    NO(EMAIL, "a@example.org\n", "not an e-mail"),
    NO(EMAIL, "\"a\"@example.org", "not an e-mail"),
    NO(EMAIL, "\xc3\xa9@example.org", "not an e-mail"),

    OK(SLUG, "a-1"),
    NO(SLUG, "", "short"),
    NO(SLUG, "A", "other characters"),
    NO(SLUG, "a b", "other characters"),
    NO(SLUG, A64 "a", "long"),

    OK(ADDRESS, "ada@example.org"),
    OK(ADDRESS, "@ada"),
    OK(ADDRESS, "ada.l-1_x"),
    OK(ADDRESS, "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f"),
    NO(ADDRESS, "", "short"),
    NO(ADDRESS, "@", "not an e-mail"),
    NO(ADDRESS, "@@a", "not an e-mail"),
    NO(ADDRESS, "-a", "not an e-mail"),
    NO(ADDRESS, "a/b", "not an e-mail"),
    NO(ADDRESS, "a@b", "not an e-mail"),
    NO(ADDRESS, A64 "a", "not an e-mail"),

    OK(CURRENCY, "AZR"),
    OK(CURRENCY, "USDT2024"),
    NO(CURRENCY, "azr", "code"),
    NO(CURRENCY, "AZ", "short"),
    NO(CURRENCY, "AZRAZRAZR", "long"),
    NO(CURRENCY, "AZ R", "code"),

    OK(AMOUNT, "12.50"),
    OK(AMOUNT, "0.000000000000000001"),
    OK(AMOUNT, "999999999999999.999999999999999999"),
    OK(AMOUNT, "007"),
    NO(AMOUNT, "", "amount such as"),
    NO(AMOUNT, "0", "greater than zero"),
    NO(AMOUNT, "0.00", "greater than zero"),
    NO(AMOUNT, "-1", "amount such as"),
    NO(AMOUNT, "+1", "amount such as"),
    NO(AMOUNT, "1.", "amount such as"),
    NO(AMOUNT, ".5", "amount such as"),
    NO(AMOUNT, "1.2.3", "amount such as"),
    NO(AMOUNT, "1e3", "amount such as"),
    NO(AMOUNT, "1,5", "amount such as"),
    NO(AMOUNT, " 1", "amount such as"),
    NO(AMOUNT, "1 ", "amount such as"),
    NO(AMOUNT, "NaN", "amount such as"),
    NO(AMOUNT, "1000000000000000", "more than 15"),
    NO(AMOUNT, "1.0000000000000000000", "18 after"),
    NO(AMOUNT, "\xd9\xa1", "amount such as"),

    OK(ENUM, "draft"),
    OK(ENUM, "closed"),
    NO(ENUM, "", "none of"),
    NO(ENUM, "draf", "none of"),
    NO(ENUM, "drafts", "none of"),
    NO(ENUM, "draft|active", "none of"),
    NO(ENUM, "Draft", "none of"),

    OK(INTEGER, "0"),
    OK(INTEGER, "-7"),
    OK(INTEGER, "9223372036854775807"),
    OK(INTEGER, "-9223372036854775808"),
    NO(INTEGER, "9223372036854775808", "out of range"),
    NO(INTEGER, "-9223372036854775809", "out of range"),
    NO(INTEGER, "99999999999999999999", "out of range"),
    NO(INTEGER, "18446744073709551616", "out of range"),
    NO(INTEGER, "", "not an integer"),
    NO(INTEGER, "-", "not an integer"),
    NO(INTEGER, "-0", "not an integer"),
    NO(INTEGER, "01", "not an integer"),
    NO(INTEGER, "+1", "not an integer"),
    NO(INTEGER, "1.0", "not an integer"),
    NO(INTEGER, "1e2", "not an integer"),
    NO(INTEGER, "0x10", "not an integer"),
    NO(INTEGER, " 1", "not an integer"),

    OK(BOOLEAN, "true"),
    OK(BOOLEAN, "false"),
    NO(BOOLEAN, "", "true nor false"),
    NO(BOOLEAN, "1", "true nor false"),
    NO(BOOLEAN, "True", "true nor false"),

    OK(UUID, "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f"),
    AS(UUID, "018F5E2E-7B1C-7CC3-98C4-DC0C0C07398F",
       "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f"),
    NO(UUID, "", "UUID"),
    NO(UUID, "018f5e2e7b1c7cc398c4dc0c0c07398f", "UUID"),
    NO(UUID, "{018f5e2e-7b1c-7cc3-98c4-dc0c0c0739}", "UUID"),
    NO(UUID, "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398g", "UUID"),
    NO(UUID, "018f5e2e-7b1c-7cc3-98c4+dc0c0c07398f", "UUID"),
    NO(UUID, "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f ", "UUID"),

    OK(TIME, "2026-11-20T06:00:00Z"),
    OK(TIME, "2024-02-29T23:59:59.123456789+05:30"),
    OK(TIME, "2000-02-29T00:00:00-12:00"),
    OK(TIME, "2016-12-31T23:59:60Z"),
    AS(TIME, "2026-11-20t06:00:00z", "2026-11-20T06:00:00Z"),
    NO(TIME, "2026-11-20", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00", "a time such as"),
    NO(TIME, "2026-11-20 06:00:00Z", "a time such as"),
    NO(TIME, "2026-11-20T06:00Z", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00.Z", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00.1234567890Z", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00+0530", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00+16:00", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00+05:60", "a time such as"),
    NO(TIME, "2026-11-20T06:00:00Z ", "a time such as"),
    NO(TIME, "0000-01-01T00:00:00Z", "exists"),
    NO(TIME, "2026-13-01T00:00:00Z", "exists"),
    NO(TIME, "2026-00-01T00:00:00Z", "exists"),
    NO(TIME, "2026-02-29T00:00:00Z", "exists"),
    NO(TIME, "1900-02-29T00:00:00Z", "exists"),
    NO(TIME, "2026-04-31T00:00:00Z", "exists"),
    NO(TIME, "2026-01-00T00:00:00Z", "exists"),
    NO(TIME, "2026-01-01T24:00:00Z", "exists"),
    NO(TIME, "2026-01-01T00:60:00Z", "exists"),
    NO(TIME, "2026-01-01T00:00:61Z", "exists"),
    NO(TIME, "now", "a time such as"),
    NO(TIME, "infinity", "a time such as"),

    NO(LIST, "[]", "only be given in a body"),
    NO(OBJECT, "{}", "only be given in a body")
};


static void
ngx_azora_test_scalars(ngx_pool_t *pool)
{
    u_char                         *copy;
    ngx_int_t                       rc;
    ngx_str_t                       in, out;
    ngx_uint_t                      i;
    const char                     *reason, *expected;
    ngx_azora_field_t               field;
    const ngx_azora_scalar_case_t  *c;

    for (i = 0; i < sizeof(scalars) / sizeof(scalars[0]); i++) {
        c = &scalars[i];

        ngx_memzero(&field, sizeof(ngx_azora_field_t));
        field.name = "f";
        field.kind = c->kind;
        field.values = "draft|active|closed";

        /* neither a NUL behind it nor a byte more */

        in.len = ngx_strlen(c->in);
        copy = malloc(in.len ? in.len : 1);
        ngx_memcpy(copy, c->in, in.len);
        in.data = copy;

        reason = "";
        rc = ngx_azora_field_text(pool, &field, &in, &out, &reason);

        if (c->out == NULL) {
            if (!ok(rc == NGX_DECLINED && strstr(reason, c->reason) != NULL,
                    "value %lu of kind %d is refused: %s", (unsigned long) i,
                    (int) c->kind, c->reason))
            {
                diag("rc %ld, %s", (long) rc, rc == NGX_OK ? "" : reason);
            }

        } else {
            expected = (c->out[0] == '=') ? c->in : c->out;

            ok(rc == NGX_OK && out.len == ngx_strlen(expected)
               && ngx_memcmp(out.data, expected, out.len) == 0,
               "value %lu of kind %d is taken%s%s", (unsigned long) i,
               (int) c->kind, rc == NGX_OK ? "" : ": ",
               rc == NGX_OK ? "" : reason);
        }

        free(copy);
    }
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(4096, cf->log);

    if (!ok(pool != NULL, "a pool")) {
        return;
    }

    ngx_azora_test_scalars(pool);
    ngx_destroy_pool(pool);
}
