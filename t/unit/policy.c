
/*
 * The constitution's engine: how rule sets are refused, and what an evaluation
 * finds.
 */


#include "ngx_azora_test.h"

#include "../../modules/constitution/ngx_http_azora_constitution_text.c"
#include "../../modules/constitution/ngx_http_azora_constitution_syntax.c"
#include "../../modules/constitution/ngx_http_azora_constitution_factor.c"
#include "../../modules/constitution/ngx_http_azora_constitution_scan.c"
#include "../../modules/constitution/ngx_http_azora_constitution_rules.c"
#include "../../modules/constitution/ngx_http_azora_constitution_compile.c"
#include "../../modules/constitution/ngx_http_azora_constitution_evaluate.c"
#include "../../modules/constitution/ngx_http_azora_constitution_match.c"


#define RULE(id, effect, pattern, match, no_match)                            \
    "{\"id\":\"" id "\",\"article\":\"VII\",\"article_title\":\"Seven\","      \
    "\"effect\":\"" effect "\",\"routes\":[\"POST /v1/jobs\"],"               \
    "\"pointers\":[\"/title\",\"/description\"],\"pattern\":\"" pattern "\"," \
    "\"reason\":\"No.\",\"examples\":{\"match\":[\"" match "\"],"             \
    "\"no_match\":[\"" no_match "\"]}}"

#define SET(rules)  "{\"generation\":3,\"hash\":\"abc\",\"rules\":[" rules "]}"


static ngx_http_azora_matcher_t  matcher;
static ngx_pool_t               *pool;
static u_char                    reason[NGX_HTTP_AZORA_REASON_LEN];


static ngx_http_azora_rules_t *
build(const char *text, size_t len)
{
    ngx_uint_t               i;
    ngx_http_azora_rules_t  *set;

    set = ngx_http_azora_constitution_rules_parse((u_char *) text, len,
                                                  pool->log, reason);
    if (set == NULL) {
        return NULL;
    }

    for (i = 0; i < set->nrules; i++) {
        if (ngx_http_azora_constitution_rules_compile(set, i, &matcher,
                                                      reason)
            != NGX_OK)
        {
            ngx_http_azora_constitution_rules_destroy(set);
            return NULL;
        }
    }

    if (ngx_http_azora_constitution_rules_finish(set, &matcher, reason)
        != NGX_OK)
    {
        ngx_http_azora_constitution_rules_destroy(set);
        return NULL;
    }

    return set;
}


static void
refused(const char *text, const char *expected, const char *name)
{
    ngx_http_azora_rules_t  *set;

    set = build(text, ngx_strlen(text));

    if (!ok(set == NULL && ngx_strstr(reason, expected) != NULL, "refused: %s",
            name))
    {
        diag("reason: %s", set ? "none, it was taken" : (char *) reason);
    }

    ngx_http_azora_constitution_rules_destroy(set);
}


static void
evaluate(const ngx_http_azora_rules_t *set, const char *route,
    const char *roles, const char *body, ngx_http_azora_verdict_t *verdict)
{
    ngx_str_t               label, who, path;
    ngx_http_azora_input_t  input;

    label.data = (u_char *) route;
    label.len = ngx_strlen(route);
    who.data = (u_char *) roles;
    who.len = ngx_strlen(roles);
    ngx_str_set(&path, "/v1/jobs/deposit");

    input.route = &label;
    input.roles = &who;
    input.path = &path;
    input.body = json_loads(body, 0, NULL);

    if (input.body == NULL
        || ngx_http_azora_constitution_evaluate(set, &matcher, &input, pool,
                                                verdict)
           != NGX_OK)
    {
        verdict->nmatches = NGX_MAX_UINT32_VALUE;
    }

    json_decref(input.body);
}


/* rule sets */

static void
test_refusals(void)
{
    refused("{", "not JSON", "no JSON");
    refused("[]", "needs a hash", "not an object");
    refused("{\"hash\":\"x\",\"rules\":{}}", "needs a hash", "rules no list");
    refused(SET("{}"), "\"id\"", "a rule without an id");
    refused(SET(RULE("r", "maybe", "fee", "fee", "free")), "\"effect\"",
            "an unknown effect");
    refused(SET(RULE("r", "deny", "fee(", "fee", "free")), "pattern",
            "a pattern that is none");
    refused(SET(RULE("r", "deny", "fee\\\\Cs", "fee", "free")), "pattern",
            "a pattern that matches half characters");
    refused(SET(RULE("r", "deny", "fee", "free", "x")),
            "match example 1 does not match", "an example not matched");
    refused(SET(RULE("r", "deny", "fee", "fee", "coffee")),
            "no_match example 1 matches", "an example matched");
    refused(SET(RULE("r", "deny", "^(a+)+$", "a",
                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")),
            "more steps", "an example that takes forever");
    refused(SET("{\"id\":\"r\",\"article\":7,\"article_title\":\"S\","
                "\"effect\":\"deny\",\"routes\":[\"*\",\"POST /x\"],"
                "\"pointers\":[\"/a\"],\"pattern\":\"x\",\"reason\":\"n\"}"),
            "\"routes\"", "all routes and one more");
    refused(SET("{\"id\":\"r\",\"article\":7,\"article_title\":\"S\","
                "\"effect\":\"deny\",\"routes\":[\"*\"],"
                "\"pointers\":[\"a\"],\"pattern\":\"x\",\"reason\":\"n\"}"),
            "\"pointers\"", "a pointer that does not start with a slash");
    refused(SET("{\"id\":\"r\",\"article\":7,\"article_title\":\"S\","
                "\"effect\":\"deny\",\"routes\":[\"*\"],"
                "\"pointers\":[\"/a~2\"],\"pattern\":\"x\",\"reason\":\"n\"}"),
            "\"pointers\"", "a pointer with a bad escape");
    refused(SET("{\"id\":\"r\",\"article\":7,\"article_title\":\"S\","
                "\"effect\":\"deny\",\"routes\":[\"*\"],"
                "\"pointers\":[\"/a\"],\"pattern\":\"x\",\"reason\":\"n\","
                "\"examples\":{\"match\":[\"x\"]}}"),
            "\"examples\"", "no example that must not match");
    refused(SET("{\"id\":\"r\",\"id\":\"s\"}"), "not JSON", "a doubled member");
}


static const char  rules_text[] = SET(
    RULE("deposit", "deny", "(?i)\\\\bdeposits?\\\\b", "A Deposit", "depose")
    ","
    RULE("fee", "flag", "(?i)fee of \\\\d+", "fee of 20", "free of charge")
    ","
    "{\"id\":\"every\",\"article\":16,\"article_title\":\"No mock\","
    "\"effect\":\"review\",\"routes\":[\"*\"],"
    "\"pointers\":[\"/parts/*/title\",\"/skills\",\"/a~1b\"],"
    "\"pattern\":\"lorem\",\"reason\":\"r\","
    "\"examples\":{\"match\":[\"lorem\"],\"no_match\":[\"x\"]}},"
    "{\"id\":\"lines\",\"article\":16,\"article_title\":\"N\","
    "\"effect\":\"flag\",\"routes\":[\"POST /v1/lines\"],"
    "\"pointers\":[\"/title\"],\"pattern\":\"(?m)^fee$\",\"reason\":\"r\","
    "\"examples\":{\"match\":[\"fee\"],\"no_match\":[\"a fee\"]}},"
    "{\"id\":\"guard\",\"article\":\"IX\",\"article_title\":\"N\","
    "\"effect\":\"deny\",\"routes\":[\"POST /v1/guarded\"],"
    "\"roles\":[\"learner\",\"guardian\"],\"pointers\":[\"/text\"],"
    "\"pattern\":\"secret\",\"reason\":\"r\","
    "\"examples\":{\"match\":[\"secret\"],\"no_match\":[\"x\"]}},"
    "{\"id\":\"path\",\"article\":\"X\",\"article_title\":\"N\","
    "\"effect\":\"flag\",\"shadow\":true,\"routes\":[\"POST /v1/path\"],"
    "\"pointers\":[\"path\"],\"pattern\":\"/jobs/[a-z]+\",\"reason\":\"r\","
    "\"examples\":{\"match\":[\"/jobs/x\"],\"no_match\":[\"x\"]}}");


static void
test_evaluation(void)
{
    ngx_http_azora_rules_t    *set;
    ngx_http_azora_verdict_t   v;

    set = build(rules_text, sizeof(rules_text) - 1);

    if (!ok(set != NULL, "a rule set is taken")) {
        diag("%s", reason);
        return;
    }

    is_int(set->generation, 3, "its generation");

    evaluate(set, "POST /v1/jobs", "", "{\"title\":\"Plain work\"}", &v);
    ok(v.nmatches == 0 && v.effect == NGX_HTTP_AZORA_ALLOW, "allowed");

    evaluate(set, "POST /v1/jobs", "",
             "{\"title\":\"ok\",\"description\":\"Send a DEPOSIT of 500.\"}",
             &v);
    is_int(v.effect, NGX_HTTP_AZORA_DENY, "denied");
    is_int(v.nmatches, 1, "by one rule");
    is_str(&v.matches[0].rule->id, "deposit", "by its id");
    is_str(&v.matches[0].pointer, "/description", "where it was");
    is_str(&v.matches[0].excerpt, "DEPOSIT of ###.", "what it was, masked");

    evaluate(set, "POST /v1/jobs", "",
             "{\"title\":\"fee of 10\",\"description\":\"a deposit\"}", &v);
    ok(v.effect == NGX_HTTP_AZORA_DENY && v.nmatches == 2,
       "deny overrides flag, and both are named");

    evaluate(set, "POST /v1/jobs", "", "{\"title\":\"d\xd0\xb5p\xd0\xbesit\"}",
             &v);
    is_int(v.effect, NGX_HTTP_AZORA_DENY, "letters that look alike");

    evaluate(set, "POST /v1/jobs", "",
             "{\"title\":\"d\\u200be\\u00adposit\"}", &v);
    is_int(v.effect, NGX_HTTP_AZORA_DENY, "characters nobody sees");

    /* a line break is a break, and is none */
    evaluate(set, "POST /v1/jobs", "", "{\"title\":\"work\\ndeposit\"}", &v);
    is_int(v.effect, NGX_HTTP_AZORA_DENY, "a word on a line of its own");
    evaluate(set, "POST /v1/jobs", "", "{\"title\":\"fee\\r\\n of 9\"}", &v);
    is_int(v.effect, NGX_HTTP_AZORA_FLAG, "a phrase broken over two lines");
    is_str(&v.matches[0].excerpt, "fee of #", "and its excerpt");
    evaluate(set, "POST /v1/lines", "", "{\"title\":\"an offer:\\nfee\"}",
             &v);
    is_int(v.effect, NGX_HTTP_AZORA_FLAG, "a line that is a sentence");

    evaluate(set, "POST /v1/other", "", "{\"title\":\"deposit\"}", &v);
    is_int(v.nmatches, 0, "another route");

    evaluate(set, "POST /v1/other", "",
             "{\"parts\":[{\"title\":\"a\"},{\"title\":\"lorem\"}]}", &v);
    is_int(v.effect, NGX_HTTP_AZORA_REVIEW, "a wildcard on every route");
    is_str(&v.matches[0].pointer, "/parts/1/title", "which element it was");

    evaluate(set, "POST /v1/other", "",
             "{\"skills\":[\"x\",{\"deep\":[\"lorem\"]}]}", &v);
    is_str(&v.matches[0].pointer, "/skills/1/deep/0", "strings below");

    evaluate(set, "POST /v1/other", "", "{\"a/b\":\"lorem\"}", &v);
    is_str(&v.matches[0].pointer, "/a~1b", "an escaped name");

    evaluate(set, "POST /v1/other", "", "{\"parts\":\"lorem\"}", &v);
    is_int(v.nmatches, 0, "a pointer that leads deeper than the value");

    evaluate(set, "POST /v1/guarded", "teacher", "{\"text\":\"secret\"}", &v);
    is_int(v.nmatches, 0, "a role the rule does not name");
    evaluate(set, "POST /v1/guarded", "teacher guardian",
             "{\"text\":\"secret\"}", &v);
    is_int(v.nmatches, 1, "one that it names");

    evaluate(set, "POST /v1/path", "", "{}", &v);
    ok(v.nmatches == 1 && v.effect == NGX_HTTP_AZORA_ALLOW,
       "a rule in shadow is named and has no effect");
    is_str(&v.matches[0].pointer, "path", "the path itself");

    ngx_http_azora_constitution_rules_destroy(set);
}


static void
test_bounds(void)
{
    char                      *body;
    clock_t                    cpu;
    ngx_uint_t                 i;
    ngx_http_azora_rules_t    *set;
    ngx_http_azora_verdict_t   v;
    static const char          text[] = SET(
        RULE("slow", "deny", "^(?:a+)+$", "a", "b") ","
        "{\"id\":\"all\",\"article\":1,\"article_title\":\"N\","
        "\"effect\":\"deny\",\"routes\":[\"POST /v1/all\"],"
        "\"pointers\":[\"/*\"],\"pattern\":\"x\",\"reason\":\"r\","
        "\"examples\":{\"match\":[\"x\"],\"no_match\":[\"y\"]}},"
        "{\"id\":\"wide\",\"article\":1,\"article_title\":\"N\","
        "\"effect\":\"deny\",\"routes\":[\"POST /v1/wide\"],"
        "\"pointers\":[\"/t\"],\"reason\":\"r\","
        "\"pattern\":\"a(?:.{0,100}?a){2}[z0-9]\","
        "\"examples\":{\"match\":[\"aaaz\"],\"no_match\":[\"aaay\"]}}");

    set = build(text, sizeof(text) - 1);

    if (!ok(set != NULL, "patterns that backtrack are taken")) {
        diag("%s", reason);
        return;
    }

    body = malloc(200000);

    (void) ngx_sprintf((u_char *) body, "{\"title\":\"%*sb\"}%Z", (size_t) 40,
                       "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    evaluate(set, "POST /v1/jobs", "", body, &v);
    is_int(v.undecided, 1, "a text that takes too many steps");

    ngx_memset(body, 'y', 70000);
    ngx_memcpy(body, "{\"a\":\"", 6);
    ngx_memcpy(body + 70000, "\"}", 3);
    evaluate(set, "POST /v1/all", "", body, &v);
    is_int(v.undecided, 1, "a text that is too long");

    /* few steps from each place, but many places */
    ngx_memset(body, 'a', 60000);
    ngx_memcpy(body, "{\"t\":\"", 6);
    ngx_memcpy(body + 60000, "\"}", 3);
    cpu = clock();
    evaluate(set, "POST /v1/wide", "", body, &v);
    is_int(v.undecided, 1, "a text that takes too long in all");
    ok(clock() - cpu < CLOCKS_PER_SEC / 2, "it did not take that long");

    i = ngx_sprintf((u_char *) body, "{\"l\":[") - (u_char *) body;
    while (i < 8000) {
        i += ngx_sprintf((u_char *) body + i, "\"y\",") - (u_char *) body - i;
    }
    (void) ngx_sprintf((u_char *) body + i, "\"y\"]}%Z");
    evaluate(set, "POST /v1/all", "", body, &v);
    is_int(v.undecided, 1, "too many texts");

    /* a member's name of 1,000 bytes is cut between characters */
    i = ngx_sprintf((u_char *) body, "{\"") - (u_char *) body;
    while (i < 1000) {
        i += ngx_sprintf((u_char *) body + i, "\xe4\xbb\x95")
             - (u_char *) body - i;
    }
    (void) ngx_sprintf((u_char *) body + i, "\":\"x\"}%Z");
    evaluate(set, "POST /v1/all", "", body, &v);
    ok(v.nmatches == 1 && v.matches[0].pointer.len <= 512
       && (v.matches[0].pointer.len - 1) % 3 == 0, "a long name is cut");

    free(body);
    ngx_http_azora_constitution_rules_destroy(set);
}


static uint32_t  seed;


static uint32_t
chance(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (seed >> 8) % n;
}


/* Damaged rule sets and texts that are not UTF-8, with a fixed seed. */

static void
test_damage(void)
{
    char                      *text;
    u_char                     bytes[64];
    size_t                     len;
    ngx_uint_t                 i, k, taken, invalid;
    pcre2_code                *any;
    PCRE2_SIZE                 offset;
    int                        error;
    ngx_http_azora_rules_t    *set;
    ngx_http_azora_verdict_t   v;
    ngx_http_azora_reading_t   reading;
    static const char          parts[] =
        "\xe2\x80\x8b\xf0\x9f\x85\xb0\xc3 \n";

    seed = 20261121;
    taken = invalid = 0;
    text = malloc(sizeof(rules_text));

    for (i = 0; i < 3000; i++) {
        ngx_memcpy(text, rules_text, sizeof(rules_text));

        for (k = 1 + chance(3); k > 0; k--) {
            text[chance(sizeof(rules_text) - 1)]
                = chance(3) ? "\"\\{}[]():,*+?|/a0"[chance(18)]
                            : (char) chance(256);
        }

        len = chance(8) ? sizeof(rules_text) - 1
                        : chance(sizeof(rules_text) - 1);
        set = build(text, len);

        if (set != NULL) {
            taken++;
            evaluate(set, "POST /v1/jobs", "x",
                     "{\"title\":\"a deposit fee of 3\",\"skills\":[\"a\"]}",
                     &v);
            ngx_http_azora_constitution_rules_destroy(set);
        }
    }

    free(text);
    ok(taken > 10 && taken < 2000, "damaged sets are taken or refused");

    any = pcre2_compile((u_char *) "x", 1, PCRE2_UTF, &error, &offset, NULL);

    for (i = 0; i < 20000; i++) {

        len = 1 + chance(sizeof(bytes) - 1);

        for (k = 0; k < len; k++) {
            bytes[k] = chance(2) ? (u_char) chance(256)
                                 : (u_char) parts[chance(10)];
        }

        ngx_http_azora_constitution_read(&matcher, bytes, len, &reading);

        /* without PCRE2_NO_UTF_CHECK a match tells what is not UTF-8 */
        invalid += pcre2_match(any, matcher.text, reading.len, 0, 0,
                               matcher.data, NULL)
                   < PCRE2_ERROR_PARTIAL;
        invalid += pcre2_match(any, matcher.skeleton, reading.skeleton_len, 0,
                               0, matcher.data, NULL)
                   < PCRE2_ERROR_PARTIAL;
        invalid += reading.len > len || reading.skeleton_len > reading.len;
    }

    pcre2_code_free(any);
    is_int(invalid, 0, "whatever comes, what is read is UTF-8 and no longer");
}


/* How long it takes; only a wild excess fails, the machine is shared. */

static void
test_speed(void)
{
    u_char                    *p, *text;
    uint64_t                   start, best[2];
    ngx_uint_t                 i, k, n;
    ngx_http_azora_rules_t    *set;
    ngx_http_azora_verdict_t   v;
    json_t                    *body[2];
    ngx_str_t                  label, none;
    ngx_http_azora_input_t     input;
    ngx_pool_t                *own;
    static const char         *words[] = {
        "deposit", "registration", "processing", "training", "passport",
        "certificate", "interview", "uniform", "equipment", "insurance"
    };
    static const char          sentence[] =
        "We look for a careful person who keeps our books, answers customers "
        "and writes a short report each week. ";

    text = malloc(400000);
    p = ngx_sprintf(text, "{\"generation\":1,\"hash\":\"h\",\"rules\":[");

    for (i = 0; i < 318; i++) {
        p = ngx_sprintf(p, "%s{\"id\":\"r%ui\",\"article\":1,"
                        "\"article_title\":\"N\",\"effect\":\"flag\","
                        "\"routes\":[\"POST /v1/jobs\"],"
                        "\"pointers\":[\"/description\"],\"pattern\":\""
                        "(?i)\\\\b(?:pay|send|transfer)\\\\b.{0,40}"
                        "\\\\b%s%ui\\\\b|%s%ui\\\\s+(?:fee|charge)s?\","
                        "\"reason\":\"r\",\"examples\":{\"match\":"
                        "[\"pay a %s%ui\"],\"no_match\":[\"x\"]}}",
                        i ? "," : "", i, words[i % 10], i, words[i % 10], i,
                        words[i % 10], i);
    }

    p = ngx_sprintf(p, "]}");
    set = build((char *) text, p - text);

    if (!ok(set != NULL, "318 rules are taken")) {
        diag("%s", reason);
        return;
    }

    /* 0.5 kB: where nothing can match, and with words of many rules */
    for (k = 0; k < 2; k++) {
        p = ngx_sprintf(text, "{\"description\":\"");

        for (i = 0; i < 5; i++) {
            p = ngx_sprintf(p, "%s%s", sentence,
                            k ? "Pay deposit10 send training33 fee. " : "");
        }

        (void) ngx_sprintf(p, "\"}%Z");
        body[k] = json_loads((char *) text, 0, NULL);
    }

    ngx_str_set(&label, "POST /v1/jobs");
    ngx_str_null(&none);
    input.route = &label;
    input.roles = &none;
    input.path = &none;

    for (k = 0; k < 2; k++) {
        best[k] = (uint64_t) -1;
        input.body = body[k];

        for (n = 0; n < 200; n++) {
            own = ngx_create_pool(4096, pool->log);
            start = ngx_azora_now_ns();
            (void) ngx_http_azora_constitution_evaluate(set, &matcher, &input,
                                                        own, &v);
            best[k] = ngx_min(best[k], ngx_azora_now_ns() - start);
            ngx_destroy_pool(own);
        }

        json_decref(body[k]);
    }

    diag("318 rules: nothing can match %lu ns, words of rules %lu ns",
         (unsigned long) best[0], (unsigned long) best[1]);

    ok(best[0] < 100000, "nothing can match: far below 100 us");
    ok(best[1] < 1000000, "with words of rules: far below 1 ms");

    free(text);
    ngx_http_azora_constitution_rules_destroy(set);
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    pool = ngx_create_pool(4096, cf->log);

    if (pool == NULL
        || ngx_http_azora_constitution_matcher_init(&matcher, cf->log)
           != NGX_OK)
    {
        ok(0, "memory");
        return;
    }

    test_refusals();
    test_evaluation();
    test_bounds();
    test_damage();
    test_speed();

    ngx_http_azora_constitution_matcher_done(&matcher);
    ngx_destroy_pool(pool);
}
