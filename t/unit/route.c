
#include "ngx_azora_test.h"
#include "ngx_azora_route.h"

#include <time.h>


#define NGX_AZORA_TEST_MATCHES  2000000


static const ngx_azora_field_t  by_slug[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};

static const ngx_azora_field_t  by_id[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};

/* declared in another order than the template's */

static const ngx_azora_field_t  by_lesson[] = {
    { "number", NGX_AZORA_INTEGER, NGX_AZORA_IN_PATH, 1, 999, NULL, NULL,
      NULL },
    { "done", NGX_AZORA_BOOLEAN, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL, NULL },
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};

static const ngx_azora_field_t  by_four[] = {
    { "a", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    { "b", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    { "c", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    { "d", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};


#define ROW(verb, uri, flag, takes)                                           \
    { .method = verb, .path = uri, .flags = flag, .fields = takes,            \
      .function = "test.f", .summary = "Tests" }

#define PUBLIC(method, path, fields)                                          \
    ROW(NGX_HTTP_##method, path, NGX_AZORA_PUBLIC, fields)


static const ngx_azora_row_t  rows[] = {
    PUBLIC(GET, "/v1/courses", NULL),
    PUBLIC(POST, "/v1/courses", NULL),
    PUBLIC(GET, "/v1/courses/{slug}", by_slug),
    PUBLIC(DELETE, "/v1/courses/{slug}", by_slug),
    PUBLIC(POST, "/v1/courses/search", NULL),
    PUBLIC(PUT, "/v1/courses/{slug}/lessons/{number}/progress", by_lesson),
    PUBLIC(GET, "/v1/courses/search/recent", NULL),
    PUBLIC(GET, "/v1/courses/{slug}/lessons", by_slug),
    PUBLIC(GET, "/v1/jobs/{id}", by_id),
    PUBLIC(GET, "/v1/{a}/x/{b}/{c}/{d}", by_four),
    PUBLIC(GET, "/.well-known/jwks.json", NULL),
    NGX_AZORA_ROWS_END
};

static const ngx_azora_capability_t  capability = {
    NGX_AZORA_ABI, "test", rows, NULL, NULL, "Tests."
};


typedef struct {
    ngx_uint_t         method;
    const char        *path;
    ngx_azora_match_e  result;
    const char        *expected;    /* the row's path, or Allow */
    const char        *values;      /* separated by blanks */
} ngx_azora_route_case_t;


#define NONE  NGX_AZORA_MATCH_NONE
#define PATH  NGX_AZORA_MATCH_PATH
#define FOUND NGX_AZORA_MATCH_ROW


static const ngx_azora_route_case_t  cases[] = {
    { NGX_HTTP_GET, "/v1/courses", FOUND, "/v1/courses", "" },
    { NGX_HTTP_HEAD, "/v1/courses", FOUND, "/v1/courses", "" },
    { NGX_HTTP_GET, "/v1/courses/", NONE, "", "" },
    { NGX_HTTP_GET, "/v1//courses", NONE, "", "" },
    { NGX_HTTP_GET, "//v1/courses", NONE, "", "" },
    { NGX_HTTP_GET, "/v1/course", NONE, "", "" },
    { NGX_HTTP_GET, "/v1/coursess", NONE, "", "" },
    { NGX_HTTP_GET, "/V1/courses", NONE, "", "" },
    { NGX_HTTP_GET, "/v1", NONE, "", "" },
    { NGX_HTTP_GET, "/", NONE, "", "" },
    { NGX_HTTP_GET, "", NONE, "", "" },
    { NGX_HTTP_GET, "v1/courses", NONE, "", "" },
    { NGX_HTTP_GET, "/v1/courses/c", FOUND, "/v1/courses/{slug}", "c" },
    { NGX_HTTP_GET, "/v1/courses/{slug}", FOUND, "/v1/courses/{slug}",
      "{slug}" },
    { NGX_HTTP_PUT, "/v1/courses/c/lessons/7/progress", FOUND,
      "/v1/courses/{slug}/lessons/{number}/progress", "c 7" },

    /* literal first, yet the parameter's branch when it has no such row */
    { NGX_HTTP_POST, "/v1/courses/search", FOUND, "/v1/courses/search", "" },
    { NGX_HTTP_GET, "/v1/courses/search", FOUND, "/v1/courses/{slug}",
      "search" },
    { NGX_HTTP_GET, "/v1/courses/search/recent", FOUND,
      "/v1/courses/search/recent", "" },
    { NGX_HTTP_GET, "/v1/courses/search/lessons", FOUND,
      "/v1/courses/{slug}/lessons", "search" },
    { NGX_HTTP_GET, "/v1/courses/x/p/q/r", FOUND, "/v1/{a}/x/{b}/{c}/{d}",
      "courses p q r" },

    { NGX_HTTP_PATCH, "/v1/courses", PATH, "GET, HEAD, POST, OPTIONS", "" },
    { NGX_HTTP_PATCH, "/v1/courses/search", PATH,
      "GET, HEAD, POST, DELETE, OPTIONS", "" },
    { NGX_HTTP_GET, "/v1/courses/c/lessons/7/progress", PATH, "PUT, OPTIONS",
      "" },
    { NGX_HTTP_OPTIONS, "/v1/jobs/1", PATH, "GET, HEAD, OPTIONS", "" },
    { NGX_HTTP_UNKNOWN, "/v1/jobs/1", PATH, "GET, HEAD, OPTIONS", "" },
    { NGX_HTTP_OPTIONS, "/v1/jobs", NONE, "", "" },
    { NGX_HTTP_GET, "/.well-known/jwks.json", FOUND, "/.well-known/jwks.json",
      "" },
    { 0, NULL, NONE, NULL, NULL }
};


/* one row that must be refused, and a word of why */

typedef struct {
    ngx_azora_row_t   rows[3];
    const char       *why;
} ngx_azora_wrong_t;


#define FIELD(name, kind, flags, min, max)                                    \
    { name, kind, flags, min, max, NULL, NULL, NULL }

#define FIELDS(var, ...)                                                      \
    static const ngx_azora_field_t  var[] = { __VA_ARGS__, NGX_AZORA_END }

FIELDS(f_twice, FIELD("a", NGX_AZORA_TEXT, 0, 0, 0),
       FIELD("a", NGX_AZORA_TEXT, 0, 0, 0));
FIELDS(f_name, FIELD("A-b", NGX_AZORA_TEXT, 0, 0, 0));
FIELDS(f_kind, FIELD("a", 99, 0, 0, 0));
FIELDS(f_enum, FIELD("a", NGX_AZORA_ENUM, 0, 0, 0));
FIELDS(f_list, FIELD("a", NGX_AZORA_LIST, 0, 0, 0));
FIELDS(f_bounds, FIELD("a", NGX_AZORA_TEXT, 0, 5, 4));
FIELDS(f_negative, FIELD("a", NGX_AZORA_TEXT, 0, -1, 4));
FIELDS(f_amount, FIELD("a", NGX_AZORA_AMOUNT, 0, 1, 4));
FIELDS(f_body, FIELD("a", NGX_AZORA_TEXT, 0, 0, 0));
FIELDS(f_both, FIELD("a", NGX_AZORA_TEXT,
                     NGX_AZORA_IN_PATH|NGX_AZORA_IN_QUERY, 0, 0));
FIELDS(f_object, FIELD("a", NGX_AZORA_OBJECT, NGX_AZORA_IN_QUERY, 0, 0));
FIELDS(f_secret, FIELD("a", NGX_AZORA_SECRET, NGX_AZORA_IN_QUERY, 0, 0));
FIELDS(f_null, FIELD("a", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, 0, 0));
FIELDS(f_made, FIELD("a", NGX_AZORA_TEXT, NGX_AZORA_MADE, 0, 0));
FIELDS(f_other, FIELD("b", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0));
FIELDS(f_more, FIELD("a", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0),
       FIELD("b", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0));
FIELDS(f_five, FIELD("a", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0),
       FIELD("b", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0),
       FIELD("c", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0),
       FIELD("d", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0),
       FIELD("e", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0));

static const ngx_azora_field_t  f_items[] = {
    { "a", NGX_AZORA_LIST, 0, 1, 2, f_twice, NULL, NULL },
    NGX_AZORA_END
};

static const ngx_azora_field_t  f_cycle[] = {
    { "a", NGX_AZORA_LIST, 0, 1, 2, f_cycle, NULL, NULL },
    NGX_AZORA_END
};

static const ngx_azora_field_t  f_25[26] = {
#define F(n)  FIELD(n, NGX_AZORA_TEXT, 0, 0, 0)
    F("a"), F("b"), F("c"), F("d"), F("e"), F("f"), F("g"), F("h"), F("i"),
    F("j"), F("k"), F("l"), F("m"), F("n"), F("o"), F("p"), F("q"), F("r"),
    F("s"), F("t"), F("u"), F("v"), F("w"), F("x"), F("y"),
    NGX_AZORA_END
};


#define CACHED(verb, flag, seconds)                                           \
    { .method = NGX_HTTP_##verb, .path = "/p", .flags = NGX_AZORA_##flag,     \
      .function = "test.f", .summary = "Tests", .cache = seconds }


static ngx_int_t
ngx_azora_test_handler(ngx_http_request_t *r)
{
    return NGX_DECLINED;
}


#define HANDLED(verb, flag, reply)                                            \
    { .method = NGX_HTTP_##verb, .path = "/p",                                \
      .flags = NGX_AZORA_PUBLIC|flag, .handler = ngx_azora_test_handler,      \
      .returns = reply, .summary = "Tests" }

#define BAD(row, why)         { { row, NGX_AZORA_ROWS_END }, why }
#define POST(fields)          PUBLIC(POST, "/p", fields)


static const ngx_azora_wrong_t  wrongs[] = {
    BAD(ROW(NGX_HTTP_POST, "/p", 0, NULL), "either PUBLIC or USER"),
    BAD(ROW(NGX_HTTP_POST, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_USER, NULL),
        "either PUBLIC or USER"),
    BAD(ROW(NGX_HTTP_GET, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_KEY, NULL),
        "Idempotency-Key"),
    BAD(ROW(NGX_HTTP_GET, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_BATCH, NULL),
        "batch"),
    BAD(ROW(NGX_HTTP_OPTIONS, "/p", NGX_AZORA_PUBLIC, NULL), "method"),
    BAD(PUBLIC(GET, "p", NULL), "segments"),
    BAD(PUBLIC(GET, "/", NULL), "segments"),
    BAD(PUBLIC(GET, "", NULL), "segments"),
    BAD(PUBLIC(GET, "/p/", NULL), "segments"),
    BAD(PUBLIC(GET, "/p//q", NULL), "segments"),
    BAD(PUBLIC(GET, "/p/{a", f_other), "segments"),
    BAD(PUBLIC(GET, "/p/{}", NULL), "segments"),
    BAD(PUBLIC(GET, "/p/x{a}", NULL), "segments"),
    BAD(PUBLIC(GET, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17", NULL),
        "segments"),
    BAD(PUBLIC(GET, "/p/{a}", NULL), "\"{a}\" has no field"),
    BAD(PUBLIC(GET, "/p/{a}", f_other), "\"{a}\" has no field"),
    BAD(PUBLIC(GET, "/p/{a}/{a}", f_more), "\"{a}\" has no field"),
    BAD(PUBLIC(GET, "/p/{a}", f_more), "2 fields are in the path"),
    BAD(PUBLIC(GET, "/p/{a}/{b}/{c}/{d}/{e}", f_five), "more than 4"),
    BAD(PUBLIC(GET, "/p", f_body), "GET and DELETE do not have"),
    BAD(PUBLIC(DELETE, "/p", f_body), "GET and DELETE do not have"),
    BAD(POST(f_twice), "two fields \"a\""),
    BAD(POST(f_name), "has a name"),
    BAD(POST(f_kind), "unknown kind"),
    BAD(POST(f_enum), "without values"),
    BAD(POST(f_list), "without a bound"),
    BAD(POST(f_bounds), "minimum above"),
    BAD(POST(f_negative), "negative"),
    BAD(POST(f_amount), "no bounds"),
    BAD(POST(f_both), "path and in the query"),
    BAD(POST(f_object), "only a body"),
    BAD(POST(f_secret), "secret"),
    BAD(POST(f_made), "only the row's prepare"),
    BAD(POST(f_items), "two fields \"a\""),
    BAD(POST(f_cycle), "nested too deep"),
    BAD(POST(f_25), "more than 24 fields"),
    { { CACHED(POST, PUBLIC, 60), NGX_AZORA_ROWS_END }, "can be cached" },
    { { CACHED(GET, USER, 60), NGX_AZORA_ROWS_END }, "can be cached" },
    { { CACHED(GET, PUBLIC|NGX_AZORA_WRITE, 60), NGX_AZORA_ROWS_END },
      "can be cached" },
    { { CACHED(GET, PUBLIC, 86401), NGX_AZORA_ROWS_END }, "than a day" },
    BAD(ROW(NGX_HTTP_POST, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_WRITE, NULL),
        "WRITE is for a GET"),
    BAD(ROW(NGX_HTTP_POST, "/p",
            NGX_AZORA_PUBLIC|NGX_AZORA_BATCH|NGX_AZORA_SLOW, NULL),
        "batch and the slow lane"),
    BAD(ROW(NGX_HTTP_GET, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_FORM, NULL),
        "FORM and POLICY"),
    BAD(ROW(NGX_HTTP_DELETE, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_POLICY, NULL),
        "FORM and POLICY"),
    BAD(ROW(NGX_HTTP_GET, "/p", NGX_AZORA_PUBLIC|NGX_AZORA_STREAM, NULL),
        "GET with a handler"),
    BAD(HANDLED(GET, NGX_AZORA_SLOW, NULL), "a handler calls no SQL"),
    BAD(HANDLED(GET, NGX_AZORA_STREAM|NGX_AZORA_WRITE, NULL),
        "a handler calls no SQL"),
    BAD(HANDLED(POST, NGX_AZORA_KEY, NULL), "a handler calls no SQL"),
    BAD(HANDLED(GET, NGX_AZORA_HIDDEN, f_other), "describes no reply"),
    BAD(POST(f_null), "only members of replies"),
    { { POST(NULL), POST(f_body), NGX_AZORA_ROWS_END },
      "has a row of this method and path" },
    { { PUBLIC(GET, "/p/{slug}", by_slug), PUBLIC(PUT, "/p/{id}", by_id),
        NGX_AZORA_ROWS_END }, "another row calls" }
};


static ngx_int_t
ngx_azora_test_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf,
    const ngx_azora_capability_t *what)
{
    const ngx_azora_capability_t  **slot;

    ngx_memzero(amcf, sizeof(ngx_azora_main_conf_t));

    if (ngx_array_init(&amcf->capabilities, cf->pool, 1, sizeof(void *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    slot = ngx_array_push(&amcf->capabilities);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = what;

    return ngx_azora_route_init(cf, amcf);
}


static void
ngx_azora_test_matches(ngx_azora_main_conf_t *amcf)
{
    u_char                         buffer[256], *p;
    ngx_str_t                      path, got;
    ngx_uint_t                     i;
    ngx_azora_match_t              match;
    const ngx_azora_route_case_t  *c;

    for (c = cases; c->path != NULL; c++) {

        path.data = (u_char *) c->path;
        path.len = ngx_strlen(c->path);

        ngx_azora_route_match(amcf->trie, c->method, &path, &match);

        if (!is_int(match.result, c->result, c->path)
            || match.result == NONE)
        {
            continue;
        }

        if (match.result == PATH) {
            p = ngx_azora_route_methods(buffer, match.methods);
            got.data = buffer;
            got.len = p - buffer;
            is_str(&got, c->expected, "  Allow");
            ok(match.endpoint == NULL, "  no row");
            continue;
        }

        is_str(&match.endpoint->path, c->expected, "  template");

        p = buffer;

        for (i = 0; i < match.nvalues; i++) {
            p = ngx_sprintf(p, "%s%V", i ? " " : "", &match.values[i]);
        }

        got.data = buffer;
        got.len = p - buffer;
        is_str(&got, c->values, "  values");
    }
}


static void
ngx_azora_test_endpoints(ngx_azora_main_conf_t *amcf)
{
    ngx_azora_route_t      *route;
    ngx_azora_endpoint_t  **endpoints, *e;

    endpoints = amcf->endpoints.elts;

    is_int(amcf->endpoints.nelts, sizeof(rows) / sizeof(rows[0]) - 1,
           "one endpoint a row");

    e = endpoints[5];
    route = (ngx_azora_route_t *) e;

    is_int(e->index, 5, "dense index");
    is_int(e->nfields, 3, "fields counted");
    is_str(&e->method, "PUT", "method");
    is_str(&e->label, "PUT /v1/courses/{slug}/lessons/{number}/progress",
           "label");
    ok(e->capability == &capability && e->row == &rows[5], "row");
    ok(e->generation == NGX_AZORA_NONE, "no generation");
    is_int(route->positions[0], 1, "number is second in the path");
    ok(route->positions[1] == NGX_AZORA_NONE, "done is not in the path");
    is_int(route->positions[2], 0, "slug is first in the path");
}


static u_char  ngx_azora_test_line[NGX_MAX_ERROR_STR + 1];


static void
ngx_azora_test_writer(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    (void) ngx_cpystrn(ngx_azora_test_line, buf,
                       ngx_min(len + 1, sizeof(ngx_azora_test_line)));
}


static void
ngx_azora_test_wrongs(ngx_conf_t *cf)
{
    ngx_log_t                log;
    ngx_conf_t               conf;
    ngx_uint_t               i;
    ngx_azora_capability_t   bad;
    ngx_azora_main_conf_t    amcf;

    ngx_memzero(&log, sizeof(ngx_log_t));
    log.log_level = NGX_LOG_EMERG;
    log.writer = ngx_azora_test_writer;

    conf = *cf;
    conf.log = &log;

    bad = capability;

    for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {

        bad.rows = wrongs[i].rows;
        ngx_azora_test_line[0] = '\0';

        if (!ok(ngx_azora_test_init(&conf, &amcf, &bad) == NGX_ERROR
                && strstr((char *) ngx_azora_test_line, "[emerg]") != NULL
                && strstr((char *) ngx_azora_test_line, wrongs[i].why)
                   != NULL,
                "refused: %s", wrongs[i].why))
        {
            diag("row %lu: %s", (unsigned long) i, ngx_azora_test_line);
        }
    }
}


static void
ngx_azora_test_speed(ngx_azora_main_conf_t *amcf)
{
    double             ns;
    ngx_str_t          path;
    ngx_uint_t         i, found;
    struct timespec    start, end;
    ngx_azora_match_t  match;

    ngx_str_set(&path, "/v1/courses/a-course-of-some-length");
    found = 0;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);

    for (i = 0; i < NGX_AZORA_TEST_MATCHES; i++) {
        ngx_azora_route_match(amcf->trie, NGX_HTTP_GET, &path, &match);
        found += match.nvalues;
    }

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);

    ns = ((end.tv_sec - start.tv_sec) * 1e9 + end.tv_nsec - start.tv_nsec)
         / NGX_AZORA_TEST_MATCHES;

    diag("%.0f ns for a path with one parameter", ns);

    /* many times what it takes, so that only a mistake in kind is seen */
    ok(found == NGX_AZORA_TEST_MATCHES
       && ns < (getenv("SANITIZE") ? 20000 : 1000),
       "a match is cheap");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    ngx_azora_main_conf_t  amcf;

    if (!is_int(ngx_azora_test_init(cf, &amcf, &capability), NGX_OK,
                "the rows are taken"))
    {
        return;
    }

    ngx_azora_test_matches(&amcf);
    ngx_azora_test_endpoints(&amcf);
    ngx_azora_test_wrongs(cf);
    ngx_azora_test_speed(&amcf);
}
