
/*
 * Mutated JSON, values, queries and paths against what must hold of any of
 * them.  AZORA_FUZZ_SEED repeats a run, AZORA_FUZZ_SECONDS bounds it.
 */


#include "../unit/ngx_azora_test.h"
#include "ngx_azora_field.h"

#include <time.h>


#define NGX_AZORA_FUZZ_LEN_MAX  600


static const char  *texts[] = {
    "{\"to\":\"ada@example.org\",\"amount\":\"12.50\","
    "\"memo\":\"caf\xc3\xa9\"}",
    "{\"a\":[1,-2.5e+10,true,false,null,\"\\u00e9\\n\\ud83d\\ude00\"],"
    "\"b\":{}}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    "{\"a\":9223372036854775807,\"b\":-9223372036854775808,\"c\":0.1}",
    "{\"items\":[{\"title\":\"t\",\"amount\":\"1\"},{\"title\":\"u\"}],"
    "\"n\":1e279}",
    "\"\xf0\x9f\x98\x80\xe2\x82\xac\"",
    "0.000000000000001"
};

static const char  *values[] = {
    "ada@example.org", "@ada", "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f", "AZR",
    "12.50", "999999999999999.999999999999999999", "draft", "-42",
    "9223372036854775807", "true", "2026-11-20T06:00:00.123Z",
    "2024-02-29t23:59:60+05:30", "a-slug-1", "text\twith caf\xc3\xa9", ""
};

static const char  *paths[] = {
    "/v1/courses", "/v1/courses/a-course", "/v1/courses/search",
    "/v1/courses/c/lessons/7/progress", "/v1/x/x/b/c/d", "/", "//", "/v1/"
};

static const char  *queries[] = {
    "limit=20&q=a+b%C3%A9", "limit=1&limit=2", "&&=&a=b=c&%zz&%", "q=%00",
    "limit"
};

static const char  *pieces[] = {
    "{", "}", "[", "]", "\"", ":", ",", "\\", "\\u0000", "\\ud83d", "e+9999",
    "-", ".", "0", "18446744073709551616", "null", "true", "\xff", "\xc3",
    "\xed\xa0\x80", "\xef\xbb\xbf", "\x7f", "\x01", "%", "%2", "&", "=", "+",
    "/", "..", "@", "T", "z", "{}", "\"a\":1,\"a\":2", "limit=", "\n", "'"
};


#define N(a)  (sizeof(a) / sizeof((a)[0]))

#define FIELD(name, kind, flags, min, max)                                    \
    { name, NGX_AZORA_##kind, flags, min, max, NULL, "draft|active", NULL }


static const ngx_azora_field_t  item[] = {
    FIELD("title", TEXT, NGX_AZORA_REQUIRED, 1, 20),
    FIELD("amount", AMOUNT, 0, 0, 0),
    NGX_AZORA_END
};

static const ngx_azora_field_t  body_fields[] = {
    FIELD("to", ADDRESS, 0, 0, 0),
    FIELD("amount", AMOUNT, 0, 0, 0),
    FIELD("memo", TEXT, 0, 0, 10),
    FIELD("a", LIST, 0, 0, 5),
    FIELD("b", OBJECT, 0, 0, 50),
    FIELD("c", INTEGER, 0, 0, 0),
    FIELD("n", BOOLEAN, 0, 0, 0),
    { "items", NGX_AZORA_LIST, 0, 1, 3, item, NULL, NULL },
    FIELD("limit", INTEGER, NGX_AZORA_IN_QUERY, 1, 100),
    FIELD("q", TEXT, NGX_AZORA_IN_QUERY, 1, 10),
    NGX_AZORA_END
};

static const ngx_azora_field_t  one[] = {
    FIELD("slug", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    NGX_AZORA_END
};

static const ngx_azora_field_t  two[] = {
    FIELD("slug", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    FIELD("number", INTEGER, NGX_AZORA_IN_PATH, 0, 0),
    NGX_AZORA_END
};

static const ngx_azora_field_t  four[] = {
    FIELD("a", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    FIELD("b", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    FIELD("c", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    FIELD("d", SLUG, NGX_AZORA_IN_PATH, 0, 0),
    NGX_AZORA_END
};

#define ROW(verb, uri, takes)                                                 \
    { .method = NGX_HTTP_##verb, .path = uri, .flags = NGX_AZORA_PUBLIC,      \
      .fields = takes, .function = "test.f", .summary = "Tests" }

static const ngx_azora_row_t  rows[] = {
    ROW(POST, "/v1/courses", body_fields),
    ROW(GET, "/v1/courses/search", NULL),
    ROW(GET, "/v1/courses/{slug}", one),
    ROW(GET, "/v1/courses/{slug}/lessons/{number}/progress", two),
    ROW(GET, "/v1/{a}/x/{b}/{c}/{d}", four),
    NGX_AZORA_ROWS_END
};

static const ngx_azora_capability_t  capability = {
    NGX_AZORA_ABI, "test", rows, NULL, NULL, "Tests."
};


static uint64_t               state;
static u_char                *input;        /* of exactly len bytes */
static size_t                 len;
static ngx_azora_main_conf_t  amcf;
static ngx_conf_t            *conf;
static ngx_uint_t             taken[4];


/* Marsaglia's xorshift64: the same everywhere for one seed */

static uint64_t
ngx_azora_fuzz_random(uint64_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;

    return state % below;
}


static void
ngx_azora_fuzz_splice(u_char *buffer, size_t *n, const u_char *piece,
    size_t size)
{
    size_t  at;

    if (*n + size > NGX_AZORA_FUZZ_LEN_MAX) {
        return;
    }

    at = ngx_azora_fuzz_random(*n + 1);
    ngx_memmove(buffer + at + size, buffer + at, *n - at);
    ngx_memcpy(buffer + at, piece, size);
    *n += size;
}


/* One of the texts with up to five changes becomes the input. */

static void
ngx_azora_fuzz_make(const char **corpus, size_t count)
{
    u_char       buffer[NGX_AZORA_FUZZ_LEN_MAX + 1], copy[64];
    size_t       n, at, size;
    uint64_t     changes;
    const char  *text;

    text = corpus[ngx_azora_fuzz_random(count)];
    n = ngx_strlen(text);
    ngx_memcpy(buffer, text, n);

    for (changes = ngx_azora_fuzz_random(6); changes > 0; changes--) {

        switch (ngx_azora_fuzz_random(5)) {

        case 0:
            if (n > 0) {
                buffer[ngx_azora_fuzz_random(n)] ^=
                                          1 << ngx_azora_fuzz_random(8);
            }
            break;

        case 1:
            if (n > 0) {
                buffer[ngx_azora_fuzz_random(n)] =
                                       (u_char) ngx_azora_fuzz_random(256);
            }
            break;

        case 2:
            text = pieces[ngx_azora_fuzz_random(N(pieces))];
            ngx_azora_fuzz_splice(buffer, &n, (u_char *) text,
                                  ngx_strlen(text));
            break;

        case 3:
            at = ngx_azora_fuzz_random(n + 1);
            size = ngx_azora_fuzz_random(ngx_min(n - at, 16) + 1);
            ngx_memmove(buffer + at, buffer + at + size, n - at - size);
            n -= size;
            break;

        default:
            at = ngx_azora_fuzz_random(n + 1);
            size = ngx_azora_fuzz_random(ngx_min(n - at, sizeof(copy)) + 1);
            ngx_memcpy(copy, buffer + at, size);
            ngx_azora_fuzz_splice(buffer, &n, copy, size);
            break;
        }
    }

    free(input);
    input = malloc(n ? n : 1);
    ngx_memcpy(input, buffer, n);
    len = n;
}


/* What the library takes and we do not must be over one of our bounds. */

static ngx_uint_t
ngx_azora_fuzz_is_bound(const char *reason)
{
    return strstr(reason, "too deep") != NULL
           || strstr(reason, "too many values") != NULL
           || strstr(reason, "significant digits") != NULL
           || strstr(reason, "too large or too small") != NULL;
}


static const char *
ngx_azora_fuzz_json(ngx_pool_t *pool)
{
    size_t       offset;
    json_t      *json, *again;
    ngx_str_t    out;
    ngx_uint_t   same;
    const char  *reason;

    ngx_azora_fuzz_make(texts, N(texts));

    reason = NULL;
    offset = len + 1;
    json = ngx_azora_json_parse(input, len, &reason, &offset);

    if (json == NULL) {

        if (reason == NULL || offset > len) {
            return "a refusal has a reason and an offset";
        }

        if (ngx_azora_fuzz_is_bound(reason) || memchr(input, 0, len) != NULL) {
            return NULL;
        }

        again = json_loadb((char *) input, len,
                           JSON_REJECT_DUPLICATES|JSON_DECODE_ANY, NULL);
        json_decref(again);

        return again ? "what the library takes is within a bound" : NULL;
    }

    taken[0]++;

    if (ngx_azora_json_dump(pool, json, &out) != NGX_OK) {
        json_decref(json);
        return "a tree has a text";
    }

    again = ngx_azora_json_parse(out.data, out.len, &reason, &offset);
    same = json_equal(json, again);

    json_decref(json);
    json_decref(again);

    return same ? NULL : "the text of a tree is the tree's";
}


static const char *
ngx_azora_fuzz_value(ngx_pool_t *pool)
{
    ngx_int_t          rc;
    ngx_str_t          in, out, twice;
    const char        *reason;
    ngx_azora_field_t  field;

    ngx_azora_fuzz_make(values, N(values));

    ngx_memzero(&field, sizeof(ngx_azora_field_t));
    field.name = "f";
    field.kind = NGX_AZORA_TEXT + ngx_azora_fuzz_random(NGX_AZORA_OBJECT);
    field.values = "draft|active";

    in.data = input;
    in.len = len;
    reason = NULL;

    rc = ngx_azora_field_text(pool, &field, &in, &out, &reason);

    if (rc == NGX_DECLINED) {
        return reason ? NULL : "a refusal has a reason";
    }

    if (rc != NGX_OK) {
        return "a value is taken or refused";
    }

    taken[1]++;

    if (out.len != in.len || memchr(out.data, 0, out.len) != NULL) {
        return "a value is as long as it came, without NUL";
    }

    if (ngx_azora_field_text(pool, &field, &out, &twice, &reason) != NGX_OK
        || twice.data != out.data)
    {
        return "what came out is in its final form";
    }

    return NULL;
}


/* The template with its values put in must be the path again. */

static const char *
ngx_azora_fuzz_path(ngx_pool_t *pool)
{
    u_char             buffer[NGX_AZORA_FUZZ_LEN_MAX + 64], *p;
    size_t             pos;
    ngx_str_t          path, segment;
    ngx_uint_t         i, param;
    ngx_azora_match_t  match;

    ngx_azora_fuzz_make(paths, N(paths));

    path.data = input;
    path.len = len;

    ngx_azora_route_match(amcf.trie, NGX_HTTP_GET, &path, &match);

    if (match.result != NGX_AZORA_MATCH_ROW) {
        return (match.endpoint == NULL) ? NULL : "no match has no row";
    }

    taken[2]++;
    p = buffer;
    pos = 0;
    i = 0;

    while (ngx_azora_route_segment(&match.endpoint->path, &pos, &segment,
                                   &param)
           == NGX_OK)
    {
        if (param) {
            segment = match.values[i++];
        }

        p = ngx_sprintf(p, "/%V", &segment);
    }

    if (i != match.nvalues || (size_t) (p - buffer) != len
        || ngx_memcmp(buffer, input, len) != 0)
    {
        return "the template and its values are the path";
    }

    return NULL;
}


static const char *
ngx_azora_fuzz_errors(ngx_azora_ctx_t *ctx)
{
    size_t       count;
    json_t      *errors;

    errors = json_loadb((char *) ctx->problem.errors.data,
                        ctx->problem.errors.len, 0, NULL);
    count = json_array_size(errors);
    json_decref(errors);

    return (count > 0 && count <= NGX_AZORA_ERRORS_MAX) ? NULL
               : "errors are a JSON array of 1 to 32";
}


static const char *
ngx_azora_fuzz_request(ngx_pool_t *pool)
{
    size_t                  offset;
    ngx_int_t               rc;
    ngx_uint_t              i;
    const char             *reason;
    ngx_azora_ctx_t        *ctx;
    ngx_http_request_t     *r;
    ngx_azora_endpoint_t  **endpoints;

    r = ngx_azora_test_request(conf, pool);
    ctx = r ? ngx_azora_get_ctx(r) : NULL;

    if (ctx == NULL) {
        return "out of memory";
    }

    endpoints = amcf.endpoints.elts;
    ctx->endpoint = endpoints[0];

    ngx_azora_fuzz_make(texts, 5);
    ctx->body = ngx_azora_json_parse(input, len, &reason, &offset);

    ngx_azora_fuzz_make(queries, N(queries));
    r->args.data = input;
    r->args.len = len;

    rc = ngx_azora_validate_stage(r, ctx);

    if (rc == 422) {
        return ngx_azora_fuzz_errors(ctx);
    }

    if (rc != NGX_OK) {
        return "a request is taken or refused";
    }

    taken[3]++;

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        if (ctx->values[i].text.data != NULL
            && ngx_strlen(ctx->values[i].text.data)
               != ctx->values[i].text.len)
        {
            return "a value ends with its only NUL";
        }
    }

    return NULL;
}


static const char *
ngx_azora_fuzz_one(ngx_uint_t what)
{
    ngx_pool_t  *pool;
    const char  *broken;

    pool = ngx_create_pool(1024, conf->log);
    if (pool == NULL) {
        return "out of memory";
    }

    switch (what) {
    case 0:
        broken = ngx_azora_fuzz_json(pool);
        break;

    case 1:
        broken = ngx_azora_fuzz_value(pool);
        break;

    case 2:
        broken = ngx_azora_fuzz_path(pool);
        break;

    default:
        broken = ngx_azora_fuzz_request(pool);
        break;
    }

    ngx_destroy_pool(pool);

    return broken;
}


static void
ngx_azora_fuzz_show(void)
{
    size_t  i;

    printf("# input:");

    for (i = 0; i < len; i++) {
        printf(" %02x", input[i]);
    }

    printf("\n");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    char                          *env;
    time_t                         end;
    ngx_uint_t                     i, runs;
    const char                    *broken;
    const ngx_azora_capability_t **slot;

    static const char  *names[] = {
        "JSON", "values", "paths", "requests"
    };

    env = getenv("AZORA_FUZZ_SEED");
    state = env ? strtoull(env, NULL, 10) : (uint64_t) time(NULL);
    state = state ? state : 1;
    diag("AZORA_FUZZ_SEED=%llu", (unsigned long long) state);

    env = getenv("AZORA_FUZZ_SECONDS");
    end = time(NULL) + (env ? atoi(env) : 5);

    conf = cf;

    if (ngx_array_init(&amcf.capabilities, cf->pool, 1, sizeof(void *))
        != NGX_OK)
    {
        return;
    }

    slot = ngx_array_push(&amcf.capabilities);
    *slot = &capability;

    if (!ok(ngx_azora_route_init(cf, &amcf) == NGX_OK, "rows")) {
        return;
    }

    broken = NULL;

    for (runs = 0; broken == NULL && (runs % 1024 || time(NULL) < end);
         runs++)
    {
        broken = ngx_azora_fuzz_one(runs % 4);
    }

    diag("%lu inputs", (unsigned long) runs);

    if (!ok(broken == NULL, "%s", broken ? broken : "everything held")) {
        ngx_azora_fuzz_show();
    }

    for (i = 0; i < 4; i++) {
        ok(taken[i] > runs / 400, "%s: %lu were right all the same", names[i],
           (unsigned long) taken[i]);
    }

    free(input);
}
