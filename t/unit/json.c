
#include "ngx_azora_test.h"
#include "ngx_azora_json.h"


typedef struct {
    const char  *text;
    size_t       len;       /* 0: up to the NUL */
    const char  *reason;    /* NULL: it is taken */
    size_t       offset;
} ngx_azora_json_case_t;


static const ngx_azora_json_case_t  ngx_azora_json_cases[] = {

    /* what is JSON */
    { "{}", 0, NULL, 0 },
    { " \t\r\n{ } ", 0, NULL, 0 },
    { "[]", 0, NULL, 0 },
    { "null", 0, NULL, 0 },
    { "\"\"", 0, NULL, 0 },
    { "-0", 0, NULL, 0 },
    { "0.5e-7", 0, NULL, 0 },
    { "1E+2", 0, NULL, 0 },
    { "123456789012345.0", 0, NULL, 0 },
    { "-0.1234567890123450000000", 0, NULL, 0 },
    { "1234567890123456.0", 0, "a number has more than 15 significant digits, "
      "and would be changed", 0 },
    { "100000000000000000000.0", 0, NULL, 0 },
    { "0.000", 0, NULL, 0 },
    { "12345678901234.5", 0, NULL, 0 },
    { "[1,[2,{\"a\":[]}],true,false,null]", 0, NULL, 0 },
    { "{\"a\":1,\"b\":{\"a\":2}}", 0, NULL, 0 },
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", 0, NULL, 0 },
    { "\"\\ud83d\\ude00\"", 0, NULL, 0 },
    { "\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf\"", 0, NULL,
      0 },
    { "9223372036854775807", 0, NULL, 0 },
    { "-9223372036854775808", 0, NULL, 0 },

    /* where it ends or goes on */
    { "", 0, "it ends where a value should be", 0 },
    { "  ", 0, "it ends where a value should be", 2 },
    { "{", 0, "a name in double quotes is expected here", 1 },
    { "{\"a\"", 0, "a colon is expected here", 4 },
    { "{\"a\":", 0, "it ends where a value should be", 5 },
    { "{\"a\":1", 0, "it ends too early", 6 },
    { "[1", 0, "it ends too early", 2 },
    { "\"a", 0, "it ends within a string", 2 },
    { "\"a\\", 0, "it ends within a string", 3 },
    { "\"\\u12", 0, "it ends within a string", 5 },
    { "{} x", 0, "it goes on after its end", 3 },
    { "1 2", 0, "it goes on after its end", 2 },
    { "{}\0", 3, "it goes on after its end", 2 },

    /* grammar */
    { "{'a':1}", 0, "a name in double quotes is expected here", 1 },
    { "{a:1}", 0, "a name in double quotes is expected here", 1 },
    { "{\"a\":1,}", 0, "a name in double quotes is expected here", 7 },
    { "[1,]", 0, "a value is expected here", 3 },
    { "[1 2]", 0, "a comma or a closing bracket is expected here", 3 },
    { "[1}", 0, "a comma or a closing bracket is expected here", 2 },
    { "{\"a\":1]", 0, "a comma or a closing bracket is expected here", 6 },
    { "{\"a\" 1}", 0, "a colon is expected here", 5 },
    { "tru", 0, "a value is expected here", 0 },
    { "True", 0, "a value is expected here", 0 },
    { "NaN", 0, "a value is expected here", 0 },
    { "[Infinity]", 0, "a value is expected here", 1 },
    { "/* */ {}", 0, "a value is expected here", 0 },
    { "\xef\xbb\xbf{}", 0, "it starts with a byte order mark", 0 },
    { "\xc2\xa0{}", 0, "a value is expected here", 0 },

    /* strings */
    { "\"\n\"", 0, "a string holds a control character that is not escaped",
      1 },
    { "\"a\0b\"", 5, "a string holds a control character that is not escaped",
      2 },
    { "\"\\x\"", 0, "there is no such escape", 2 },
    { "\"\\\0\"", 4, "there is no such escape", 2 },
    { "\"\\u00g0\"", 0,
      "four hexadecimal digits are expected after \\u", 5 },
    { "\"\\u0000\"", 0, "a string holds the character NUL", 1 },
    { "{\"a\\u0000b\":1}", 0, "a string holds the character NUL", 3 },
    { "\"\\ud83d\"", 0, "half of a surrogate pair", 1 },
    { "\"\\ud83dxx\"", 0, "half of a surrogate pair", 1 },
    { "\"\\ud83d\\u0041\"", 0, "half of a surrogate pair", 1 },
    { "\"\\ude00\"", 0, "half of a surrogate pair", 1 },
    { "\"\xff\"", 0, "a string is not UTF-8", 1 },
    { "\"\xc0\xaf\"", 0, "a string is not UTF-8", 1 },
    { "\"\xe0\x80\xaf\"", 0, "a string is not UTF-8", 1 },
    { "\"\xed\xa0\x80\"", 0, "a string is not UTF-8", 1 },
    { "\"\xf4\x90\x80\x80\"", 0, "a string is not UTF-8", 1 },
    { "\"\xf0\x9f\x98\"", 0, "a string is not UTF-8", 1 },
    { "\"\xc3", 0, "a string is not UTF-8", 1 },

    /* numbers */
    { "01", 0, "a number starts with 0", 1 },
    { "-", 0, "a digit is expected here", 1 },
    { "+1", 0, "a value is expected here", 0 },
    { ".5", 0, "a value is expected here", 0 },
    { "1.", 0, "a digit is expected here", 2 },
    { "1.e3", 0, "a digit is expected here", 2 },
    { "1e", 0, "a digit is expected here", 2 },
    { "1e+", 0, "a digit is expected here", 3 },
    { "0x10", 0, "it goes on after its end", 1 },
    { "9223372036854775808", 0, "an integer does not fit 64 bits", 0 },
    { "-9223372036854775809", 0, "an integer does not fit 64 bits", 0 },
    { "[99999999999999999999999999]", 0, "an integer does not fit 64 bits",
      1 },
    { "1e280", 0, "a number is too large or too small", 0 },
    { "0.1e281", 0, "a number is too large or too small", 0 },
    { "1e-282", 0, "a number is too large or too small", 0 },
    { "10e-282", 0, NULL, 0 },
    { "0.001e282", 0, NULL, 0 },
    { "0e999999999999999999999", 0, NULL, 0 },
    { "[1e99999999999999999999999]", 0, "a number is too large or too small",
      1 },
    { "1e-999999999999999999999", 0, "a number is too large or too small",
      0 },
    { "1e279", 0, NULL, 0 },

    /* names */
    { "{\"to\":1,\"to\":2}", 0, "a name appears twice in one object", 8 },
    { "{\"a\":{\"x\\\"y\":1, \"x\\\"y\":2}}", 0,
      "a name appears twice in one object", 16 },
    { "{\"\":1,\"\":2}", 0, "a name appears twice in one object", 6 },
    { "{\"a\":1,\"\\u0061\":2}", 0, "a name appears twice in one object", 7 },

    { NULL, 0, NULL, 0 }
};


static void
ngx_azora_test_case(const ngx_azora_json_case_t *c)
{
    u_char      *text;
    size_t       len, offset;
    json_t      *json;
    const char  *reason;

    /* an allocation of its very size, so that a sanitizer sees its end */

    len = c->len ? c->len : ngx_strlen(c->text);
    text = malloc(len ? len : 1);
    ngx_memcpy(text, c->text, len);

    reason = NULL;
    offset = 0;
    json = ngx_azora_json_parse(text, len, &reason, &offset);

    if (c->reason == NULL) {
        ok(json != NULL, "text %ld is taken%s%s",
           (long) (c - ngx_azora_json_cases), json ? "" : ": ",
           json ? "" : reason);

    } else {
        if (!ok(json == NULL && ngx_strcmp(reason, c->reason) == 0
                && offset == c->offset,
                "text %ld is refused: %s at %lu",
                (long) (c - ngx_azora_json_cases), c->reason,
                (unsigned long) c->offset))
        {
            diag("got %s at %lu", json ? "a tree" : reason,
                 (unsigned long) offset);
        }
    }

    json_decref(json);
    free(text);
}


static json_t *
ngx_azora_test_nested(size_t depth, const char *open, const char *close,
    const char **reason)
{
    char    *text, *p;
    size_t   i, offset;
    json_t  *json;

    text = malloc(depth * (ngx_strlen(open) + ngx_strlen(close)) + 2);
    p = text;

    for (i = 0; i < depth; i++) {
        p = stpcpy(p, open);
    }

    *p++ = '1';

    for (i = 0; i < depth; i++) {
        p = stpcpy(p, close);
    }

    json = ngx_azora_json_parse((u_char *) text, p - text, reason, &offset);
    free(text);

    return json;
}


static void
ngx_azora_test_bounds(void)
{
    size_t       n, offset;
    char        *text;
    json_t      *json;
    const char  *reason;

    json = ngx_azora_test_nested(32, "[", "]", &reason);
    ok(json != NULL, "32 arrays");
    json_decref(json);

    json = ngx_azora_test_nested(16, "{\"a\":[", "]}", &reason);
    ok(json != NULL, "16 objects with arrays");
    json_decref(json);

    json = ngx_azora_test_nested(33, "[", "]", &reason);
    ok(json == NULL && ngx_strcmp(reason, "it is nested too deep") == 0,
       "33 arrays");

    json = ngx_azora_test_nested(100000, "{\"a\":", "}", &reason);
    ok(json == NULL && ngx_strcmp(reason, "it is nested too deep") == 0,
       "100,000 objects");

    n = 300000;
    text = malloc(n);
    ngx_memset(text, '0', n);
    text[0] = '[';

    for (offset = 2; offset < n; offset += 2) {
        text[offset] = ',';
    }

    text[n - 1] = ']';

    json = ngx_azora_json_parse((u_char *) text, n, &reason, &offset);
    ok(json == NULL && ngx_strcmp(reason, "it has too many values") == 0,
       "150,000 values: %s", json ? "a tree" : reason);

    ngx_memset(text, '0', n);
    text[1] = '.';
    text[n - 1] = '1';

    json = ngx_azora_json_parse((u_char *) text, n, &reason, &offset);
    ok(json == NULL
       && ngx_strcmp(reason, "a number is too large or too small") == 0,
       "300,000 places: %s", json ? "a tree" : reason);

    free(text);
}


static void
ngx_azora_test_dump(ngx_pool_t *pool)
{
    size_t       offset;
    json_t      *json;
    ngx_str_t    out;
    const char  *reason;

    static const char  text[] =
        "{ \"a\" : [ 0.1, 12.50, 1.0, -3, \"\\u00e9\\n\\\"\" ], \"b\": {} }";

    json = ngx_azora_json_parse((u_char *) text, sizeof(text) - 1, &reason,
                                &offset);

    is_int(ngx_azora_json_dump(pool, json, &out), NGX_OK, "dumps");
    is_str(&out, "{\"a\":[0.1,12.5,1.0,-3,\"\xc3\xa9\\n\\\"\"],\"b\":{}}",
           "compact, in order, numbers as they were");
    is_int(out.data[out.len], 0, "NUL-terminated");

    json_decref(json);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    const ngx_azora_json_case_t  *c;

    for (c = ngx_azora_json_cases; c->text != NULL; c++) {
        ngx_azora_test_case(c);
    }

    ngx_azora_test_bounds();
    ngx_azora_test_dump(cf->pool);
}
