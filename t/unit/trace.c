
#include "ngx_azora_test.h"
#include "ngx_azora_trace.h"


#define TRACE  "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN   "00f067aa0ba902b7"


typedef struct {
    const char  *value;
    int          sampled;      /* -1: must be refused */
    const char  *name;
} ngx_azora_trace_case_t;


/* W3C Trace Context, section 3.2 */

static const ngx_azora_trace_case_t  ngx_azora_trace_cases[] = {
    { "00-" TRACE "-" SPAN "-01", 1, "sampled" },
    { "00-" TRACE "-" SPAN "-00", 0, "not sampled" },
    { "00-" TRACE "-" SPAN "-03", 1, "further flags" },
    { "00-" TRACE "-" SPAN "-fe", 0, "further flags only" },
    { "00-" TRACE "-" SPAN "-0f", 1, "a flag above nine" },
    { "cc-" TRACE "-" SPAN "-01", 1, "a higher version" },
    { "cc-" TRACE "-" SPAN "-01-what-the-future-brings", 1,
      "a higher version with more behind" },
    { "cc-" TRACE "-" SPAN "-01.what", -1,
      "a higher version with more behind no dash" },
    { "00-" TRACE "-" SPAN "-01-more", -1, "version 00 with more behind" },
    { "00-" TRACE "-" SPAN "-01-", -1, "version 00 with a dash behind" },
    { "ff-" TRACE "-" SPAN "-01", -1, "version ff" },
    { "00-00000000000000000000000000000000-" SPAN "-01", -1,
      "a trace id of zeros" },
    { "00-" TRACE "-0000000000000000-01", -1, "a span id of zeros" },
    { "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", -1,
      "capital letters" },
    { "0G-" TRACE "-" SPAN "-01", -1, "a version that is no number" },
    { "00-" TRACE "-" SPAN "-0g", -1, "flags that are no number" },
    { "00-" TRACE "-" SPAN "-1", -1, "flags of one digit" },
    { "00-" TRACE "-" SPAN, -1, "no flags" },
    { "00_" TRACE "-" SPAN "-01", -1, "another separator" },
    { "00-" TRACE "_" SPAN "-01", -1, "another separator, later" },
    { "00-" TRACE "-" SPAN "_01", -1, "another separator, last" },
    { " 00-" TRACE "-" SPAN "-01", -1, "a blank before" },
    { "", -1, "nothing" },
    { "00", -1, "a version alone" }
};


static void
ngx_azora_test_parse(void)
{
    size_t                         i;
    ngx_int_t                      rc;
    ngx_str_t                      value;
    const ngx_azora_trace_case_t  *c;
    ngx_azora_traceparent_t        trace;

    for (i = 0; i < sizeof(ngx_azora_trace_cases)
                    / sizeof(ngx_azora_trace_cases[0]); i++)
    {
        c = &ngx_azora_trace_cases[i];
        value.data = (u_char *) c->value;
        value.len = ngx_strlen(c->value);

        rc = ngx_azora_trace_parse(&value, &trace);

        if (c->sampled < 0) {
            is_int(rc, NGX_DECLINED, c->name);
            continue;
        }

        ok(rc == NGX_OK
           && ngx_memcmp(trace.trace_id, TRACE, 32) == 0
           && ngx_memcmp(trace.parent_id, SPAN, 16) == 0
           && (int) trace.sampled == c->sampled, "%s", c->name);
    }
}


static void
ngx_azora_test_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_in.headers);

    if (h == NULL) {
        ok(0, "memory for a header");
        return;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->lowcase_key = h->key.data;
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);
}


/* A request with up to three headers after the stage and the making of ids. */

static ngx_azora_ctx_t *
ngx_azora_test_trace(ngx_conf_t *cf, const char *const *headers)
{
    ngx_azora_ctx_t     *ctx;
    ngx_http_request_t  *r;

    r = ngx_azora_test_request(cf, cf->pool);

    for ( /* void */ ; headers[0] != NULL; headers += 2) {
        ngx_azora_test_header(r, headers[0], headers[1]);
    }

    ctx = ngx_azora_get_ctx(r);

    is_int(ngx_azora_trace_stage(r, ctx), NGX_DECLINED, "the stage goes on");
    ngx_azora_trace_ensure(r, ctx);

    return ctx;
}


static void
ngx_azora_test_stage(ngx_conf_t *cf)
{
    u_char            text[NGX_AZORA_TRACEPARENT_LEN], span[16];
    ngx_azora_ctx_t  *ctx;

    static const char *const  none[] = { NULL };
    static const char *const  given[] = {
        "traceparent", "00-" TRACE "-" SPAN "-01",
        "x-request-id", "order.17_a-b", NULL
    };
    static const char *const  twice[] = {
        "traceparent", "00-" TRACE "-" SPAN "-01",
        "traceparent", "00-" TRACE "-" SPAN "-01", NULL
    };
    static const char *const  bad_id[] = {
        "x-request-id", "a\"b}cdefgh", NULL
    };
    static const char *const  short_id[] = { "x-request-id", "1234567", NULL };

    ctx = ngx_azora_test_trace(cf, none);
    ok(ngx_memcmp(ctx->parent_id, "0000000000000000", 16) == 0,
       "a new trace has no parent");
    ok(ctx->request_id.len == 32
       && ngx_memcmp(ctx->request_id.data, ctx->trace_id, 32) == 0,
       "the request's id is the trace's");

    ngx_memcpy(span, ctx->span_id, 16);
    ngx_azora_trace_ensure(ctx->request, ctx);
    ok(ngx_memcmp(span, ctx->span_id, 16) == 0, "ids are made once");

    ok(ngx_azora_trace_parent(ctx, text) == text + sizeof(text)
       && ngx_memcmp(text, "00-", 3) == 0
       && ngx_memcmp(text + 3, ctx->trace_id, 32) == 0
       && ngx_memcmp(text + 36, ctx->span_id, 16) == 0
       && ngx_memcmp(text + 52, "-00", 3) == 0,
       "what is sent on names our span, unsampled");

    ctx = ngx_azora_test_trace(cf, given);
    ok(ngx_memcmp(ctx->trace_id, TRACE, 32) == 0, "the caller's trace");
    ok(ngx_memcmp(ctx->parent_id, SPAN, 16) == 0, "the caller's span");
    ok(ngx_memcmp(ctx->span_id, SPAN, 16) != 0, "a span of our own");
    is_str(&ctx->request_id, "order.17_a-b", "the caller's request id");
    ngx_azora_trace_parent(ctx, text);
    ok(ngx_memcmp(text + 52, "-01", 3) == 0, "sampled stays sampled");

    ctx = ngx_azora_test_trace(cf, twice);
    ok(ngx_memcmp(ctx->trace_id, TRACE, 32) != 0,
       "two traceparents are none");

    ctx = ngx_azora_test_trace(cf, bad_id);
    is_int(ctx->request_id.len, 32, "an id that could break a log is no id");

    ctx = ngx_azora_test_trace(cf, short_id);
    is_int(ctx->request_id.len, 32, "nor one too short to be unique");
}


static void
ngx_azora_test_unique(ngx_conf_t *cf)
{
    u_char               seen[256][32];
    ngx_uint_t           i, k, same;
    ngx_azora_ctx_t      ctx;
    ngx_http_request_t  *r;

    r = ngx_azora_test_request(cf, cf->pool);
    same = 0;

    for (i = 0; i < 256; i++) {
        ngx_memzero(&ctx, sizeof(ctx));
        ngx_azora_trace_ensure(r, &ctx);
        ngx_memcpy(seen[i], ctx.trace_id, 32);

        for (k = 0; k < i; k++) {
            same += (ngx_memcmp(seen[k], seen[i], 32) == 0);
        }
    }

    is_int(same, 0, "256 traces, 256 ids");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_azora_test_parse();
    ngx_azora_test_stage(cf);
    ngx_azora_test_unique(cf);
}
