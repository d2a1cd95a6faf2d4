
#include "ngx_azora_test.h"
#include "ngx_azora_route.h"

#include <time.h>


#define NGX_AZORA_TEST_GETS  100000


#define A10  "aaaaaaaaaa"

#define FIELD(name, kind, flags, min, max)                                    \
    { name, NGX_AZORA_##kind, flags, min, max, NULL, NULL, NULL }

#define REQ   NGX_AZORA_REQUIRED
#define PATH  NGX_AZORA_IN_PATH
#define QUERY NGX_AZORA_IN_QUERY


static const ngx_azora_field_t  milestone[] = {
    FIELD("title", TEXT, REQ, 1, 5),
    FIELD("amount", AMOUNT, REQ, 0, 0),
    FIELD("weeks", INTEGER, 0, 1, 52),
    NGX_AZORA_END
};

static const ngx_azora_field_t  fields[] = {
    FIELD("id", UUID, PATH, 0, 0),
    FIELD("to", ADDRESS, REQ, 0, 0),
    FIELD("memo", TEXT, 0, 0, 4),
    FIELD("name", TEXT, 0, 1, 100),
    FIELD("count", INTEGER, 0, -5, 5),
    FIELD("done", BOOLEAN, 0, 0, 0),
    { "milestones", NGX_AZORA_LIST, 0, 1, 3, milestone, NULL, NULL },
    { "skills", NGX_AZORA_LIST, 0, 0, 2, NULL, NULL, NULL },
    FIELD("answers", OBJECT, 0, 0, 40),
    FIELD("limit", INTEGER, QUERY, 1, 100),
    FIELD("q", TEXT, QUERY, 1, 10),
    NGX_AZORA_END
};

static const ngx_azora_field_t  slug[] = {
    FIELD("slug", SLUG, PATH, 0, 0),
    NGX_AZORA_END
};

static const ngx_azora_row_t  rows[] = {
    { .method = NGX_HTTP_POST, .path = "/v1/things/{id}",
      .flags = NGX_AZORA_PUBLIC, .fields = fields,
      .function = "test.f", .summary = "Tests" },
    { .method = NGX_HTTP_GET, .path = "/v1/courses/{slug}",
      .flags = NGX_AZORA_PUBLIC, .fields = slug,
      .function = "test.f", .summary = "Tests" },
    NGX_AZORA_ROWS_END
};

static const ngx_azora_capability_t  capability = {
    NGX_AZORA_ABI, "test", rows, NULL, NULL, "Tests."
};


#define UUID  "018f5e2e-7b1c-7cc3-98c4-dc0c0c07398f"


typedef struct {
    const char  *name;
    const char  *id;
    const char  *args;
    const char  *body;
    const char  *result;    /* values, or errors when it starts with a [ */
} ngx_azora_stage_case_t;


static const ngx_azora_stage_case_t  stages[] = {

    { "the least", UUID, "", "{\"to\":\"@ada\"}", "id=" UUID ";to=@ada;" },

    { "all kinds", UUID, "limit=20&q=a+b%C3%A9",
      "{\"q\":null,\"to\":\"ada\",\"memo\":\"\",\"name\":\"x\",\"count\":-5,"
      "\"done\":false,\"skills\":[\"c\",\"sql\"],\"answers\":{\"a\":[0.1]},"
      "\"milestones\":[{\"title\":\"t\",\"amount\":\"1.5\",\"weeks\":null}]}",
      "[{\"pointer\":\"/q\",\"detail\":\"is not known here\"}]" },

    { "all kinds once more", UUID, "limit=20&q=a+b%C3%A9",
      "{\"to\":\"ada\",\"memo\":\"\",\"name\":\"x\",\"count\":-5,"
      "\"done\":false,\"skills\":[\"c\", \"sql\"],\"answers\":{\"a\":[0.1]},"
      "\"milestones\":[{\"title\":\"t\",\"amount\":\"1.5\",\"weeks\":null}]}",
      "id=" UUID ";to=ada;memo=;name=x;count=-5;done=false;"
      "milestones=[{\"title\":\"t\",\"amount\":\"1.5\",\"weeks\":null}];"
      "skills=[\"c\",\"sql\"];answers={\"a\":[0.1]};limit=20;q=a b\xc3\xa9;" },

    { "no body", UUID, "", NULL,
      "[{\"pointer\":\"/to\",\"detail\":\"is required\"}]" },

    { "null is absent", UUID, "", "{\"to\":null,\"memo\":null}",
      "[{\"pointer\":\"/to\",\"detail\":\"is required\"}]" },

    { "everything at once", "x", "limit=0&limit=2&nope=1&q=%zz&%ff=1",
      "{\"to\":1,\"memo\":\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\","
      "\"name\":\" \",\"count\":1.5,\"done\":\"true\",\"milestones\":{},"
      "\"skills\":[\"a\",\"b\",\"c\"],\"answers\":[],\"a/b~c\":1}",
      "[{\"pointer\":\"{id}\",\"detail\":\"is not a UUID\"},"
      "{\"pointer\":\"/to\",\"detail\":\"must be a string\"},"
      "{\"pointer\":\"/memo\",\"detail\":\"is too long: 0 to 4 characters are "
      "allowed\"},"
      "{\"pointer\":\"/name\",\"detail\":\"is blank\"},"
      "{\"pointer\":\"/count\",\"detail\":\"must be an integer\"},"
      "{\"pointer\":\"/done\",\"detail\":\"must be true or false\"},"
      "{\"pointer\":\"/milestones\",\"detail\":\"must be an array\"},"
      "{\"pointer\":\"/skills\",\"detail\":\"is too long: 0 to 2 items are "
      "allowed\"},"
      "{\"pointer\":\"/answers\",\"detail\":\"must be an object\"},"
      "{\"pointer\":\"/a~1b~0c\",\"detail\":\"is not known here\"},"
      "{\"pointer\":\"?limit\",\"detail\":\"is out of range: 1 to 100 is "
      "allowed\"},"
      "{\"pointer\":\"?limit\",\"detail\":\"is given twice\"},"
      "{\"pointer\":\"?nope\",\"detail\":\"is not known here\"},"
      "{\"pointer\":\"?q\",\"detail\":\"is not percent-encoded\"},"
      "{\"pointer\":\"?\",\"detail\":\"is not known here\"}]" },

    { "inside lists", UUID, "",
      "{\"to\":\"a\",\"skills\":[\"\",1],\"milestones\":[1,"
      "{\"title\":\"123456\",\"amount\":5,\"weeks\":53,\"x\":{\"y\":1}},"
      "{\"title\":\"t\",\"amount\":\"1\",\"weeks\":\"1\"}]}",
      "[{\"pointer\":\"/milestones/0\",\"detail\":\"must be an object\"},"
      "{\"pointer\":\"/milestones/1/title\",\"detail\":\"is too long: 1 to 5 "
      "characters are allowed\"},"
      "{\"pointer\":\"/milestones/1/amount\",\"detail\":\"must be a string, "
      "never a number\"},"
      "{\"pointer\":\"/milestones/1/weeks\",\"detail\":\"is out of range: 1 to "
      "52 is allowed\"},"
      "{\"pointer\":\"/milestones/1/x\",\"detail\":\"is not known here\"},"
      "{\"pointer\":\"/milestones/2/weeks\",\"detail\":\"must be an "
      "integer\"},"
      "{\"pointer\":\"/skills/0\",\"detail\":\"is too short: 1 to 200 "
      "characters are allowed\"},"
      "{\"pointer\":\"/skills/1\",\"detail\":\"must be a string\"}]" },

    { "an object's size", UUID, "",
      "{\"to\":\"a\",\"answers\":{\"a\":\"0123456789012345678901234567890\"}}",
      "id=" UUID ";to=a;"
      "answers={\"a\":\"0123456789012345678901234567890\"};" },

    { "a larger object", UUID, "",
      "{\"to\":\"a\",\"answers\":{\"a\":\"012345678901234567890123456789012\"}"
      "}",
      "[{\"pointer\":\"/answers\",\"detail\":\"is too long: 0 to 40 bytes are "
      "allowed\"}]" },

    { "empty pieces of a query", UUID, "&&limit=7&", "{\"to\":\"a\"}",
      "id=" UUID ";to=a;limit=7;" },

    { "a parameter without a value", UUID, "limit&q=", "{\"to\":\"a\"}",
      "[{\"pointer\":\"?limit\",\"detail\":\"is not an integer\"},"
      "{\"pointer\":\"?q\",\"detail\":\"is too short: 1 to 10 characters are "
      "allowed\"}]" },

    { "NUL in a query", UUID, "q=a%00b", "{\"to\":\"a\"}",
      "[{\"pointer\":\"?q\",\"detail\":\"has a control character\"}]" },

    { "a body's field in the query", UUID, "to=b&id=1", "{\"to\":\"a\"}",
      "[{\"pointer\":\"?to\",\"detail\":\"is not known here\"},"
      "{\"pointer\":\"?id\",\"detail\":\"is not known here\"}]" },

    { "a path's field in the body", UUID, "", "{\"to\":\"a\",\"id\":\"x\"}",
      "[{\"pointer\":\"/id\",\"detail\":\"is not known here\"}]" },

    { "a percent at the end", UUID, "q=a%2", "{\"to\":\"a\"}",
      "[{\"pointer\":\"?q\",\"detail\":\"is not percent-encoded\"}]" },

    { "a long name", UUID,
      A10 A10 A10 A10 A10 A10 "aaa\xc3\xa9\xc3\xa9=1", "{\"to\":\"a\"}",
      "[{\"pointer\":\"?" A10 A10 A10 A10 A10 A10 "aaa\","
      "\"detail\":\"is not known here\"}]" },

    { NULL, NULL, NULL, NULL, NULL }
};


static ngx_azora_ctx_t *
ngx_azora_test_ctx(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_azora_main_conf_t *amcf, const ngx_azora_stage_case_t *c)
{
    size_t                  offset;
    const char             *reason;
    ngx_azora_ctx_t        *ctx;
    ngx_http_request_t     *r;
    ngx_azora_endpoint_t  **endpoints;

    r = ngx_azora_test_request(cf, pool);
    if (r == NULL) {
        return NULL;
    }

    r->args.data = (u_char *) c->args;
    r->args.len = ngx_strlen(c->args);

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    endpoints = amcf->endpoints.elts;
    ctx->endpoint = endpoints[0];
    ctx->path_values = ngx_pcalloc(pool, sizeof(ngx_str_t));

    if (ctx->path_values == NULL) {
        return NULL;
    }

    ctx->path_values[0].data = (u_char *) c->id;
    ctx->path_values[0].len = ngx_strlen(c->id);

    if (c->body != NULL) {
        ctx->body = ngx_azora_json_parse((u_char *) c->body,
                                         ngx_strlen(c->body), &reason,
                                         &offset);

        if (ctx->body == NULL) {
            diag("%s at %lu", reason, (unsigned long) offset);
            return NULL;
        }
    }

    return ctx;
}


static void
ngx_azora_test_stage(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_azora_main_conf_t *amcf, const ngx_azora_stage_case_t *c)
{
    u_char            buffer[4096], *p;
    ngx_int_t         rc;
    ngx_str_t         got;
    ngx_uint_t        i;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_test_ctx(cf, pool, amcf, c);

    if (!ok(ctx != NULL, "%s", c->name)) {
        return;
    }

    rc = ngx_azora_validate_stage(ctx->request, ctx);

    if (c->result[0] == '[') {
        is_int(rc, 422, "  is refused");
        is_str(&ctx->problem.errors, c->result, "  errors");
        return;
    }

    if (!is_int(rc, NGX_OK, "  is taken")) {
        diag("%.*s", (int) ctx->problem.errors.len, ctx->problem.errors.data);
        return;
    }

    p = buffer;

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        if (ctx->values[i].text.data == NULL) {
            continue;
        }

        p = ngx_slprintf(p, buffer + sizeof(buffer), "%s=%V;", fields[i].name,
                         &ctx->values[i].text);

        if (ctx->values[i].text.data[ctx->values[i].text.len] != '\0') {
            ok(0, "  %s ends with a NUL", fields[i].name);
        }
    }

    got.data = buffer;
    got.len = p - buffer;

    is_str(&got, c->result, "  values");
}


/* 300 wrong values: the first 32 are named, all of those found counted */

static void
ngx_azora_test_many(ngx_conf_t *cf, ngx_pool_t *pool,
    ngx_azora_main_conf_t *amcf)
{
    char                    *p, *body, *args;
    json_t                  *errors;
    size_t                   i;
    ngx_azora_ctx_t         *ctx;
    ngx_azora_stage_case_t   c;

    body = ngx_palloc(pool, 8192);
    args = ngx_palloc(pool, 8192);

    if (body == NULL || args == NULL) {
        ok(0, "out of memory");
        return;
    }

    p = stpcpy(body, "{\"to\":\"a\"");

    for (i = 0; i < 300; i++) {
        p += sprintf(p, ",\"unknown%d\":1", (int) i);
    }

    strcpy(p, "}");
    p = args;

    for (i = 0; i < 300; i++) {
        p += sprintf(p, "&unknown%d=1", (int) i);
    }

    c.id = UUID;
    c.args = args;
    c.body = body;

    ctx = ngx_azora_test_ctx(cf, pool, amcf, &c);

    if (!ok(ctx != NULL, "300 unknown members and parameters")) {
        return;
    }

    is_int(ngx_azora_validate_stage(ctx->request, ctx), 422, "  are refused");

    errors = json_loadb((char *) ctx->problem.errors.data,
                        ctx->problem.errors.len, 0, NULL);

    is_int(json_array_size(errors), 32, "  32 are named");
    json_decref(errors);
}


/* What a GET with one parameter costs from the path to its values. */

static void
ngx_azora_test_speed(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    double               ns;
    ngx_int_t            rc;
    ngx_str_t            path;
    ngx_uint_t           i;
    ngx_pool_t          *pool;
    struct timespec      start, end;
    ngx_azora_ctx_t     *ctx;
    ngx_azora_match_t    match;
    ngx_http_request_t  *r;

    pool = ngx_create_pool(16384, cf->log);
    r = ngx_azora_test_request(cf, pool);
    ctx = ngx_azora_get_ctx(r);

    ngx_str_set(&path, "/v1/courses/mobile-money-safety");
    rc = NGX_OK;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);

    for (i = 0; rc == NGX_OK && i < NGX_AZORA_TEST_GETS; i++) {
        ngx_azora_route_match(amcf->trie, NGX_HTTP_GET, &path, &match);
        ctx->endpoint = match.endpoint;
        ctx->path_values = match.values;
        rc = ngx_azora_validate_stage(r, ctx);
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    ngx_destroy_pool(pool);

    ns = ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec)
         / NGX_AZORA_TEST_GETS;

    diag("%.0f ns for a GET with one parameter", ns);

    /* several times what it takes, so that only a mistake in kind is seen */
    ok(rc == NGX_OK && ns < (getenv("SANITIZE") ? 50000 : 2000),
       "a GET is cheap");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_pool_t                     *pool;
    ngx_azora_main_conf_t           amcf;
    const ngx_azora_capability_t  **slot;
    const ngx_azora_stage_case_t   *c;

    ngx_memzero(&amcf, sizeof(ngx_azora_main_conf_t));

    if (ngx_array_init(&amcf.capabilities, cf->pool, 1, sizeof(void *))
        != NGX_OK)
    {
        return;
    }

    slot = ngx_array_push(&amcf.capabilities);
    *slot = &capability;

    if (!is_int(ngx_azora_route_init(cf, &amcf), NGX_OK, "the rows are taken"))
    {
        return;
    }

    for (c = stages; c->name != NULL; c++) {
        pool = ngx_create_pool(4096, cf->log);
        ngx_azora_test_stage(cf, pool, &amcf, c);
        ngx_destroy_pool(pool);
    }

    pool = ngx_create_pool(4096, cf->log);
    ngx_azora_test_many(cf, pool, &amcf);
    ngx_destroy_pool(pool);

    ngx_azora_test_speed(cf, &amcf);
}
