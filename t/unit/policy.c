
/*
 * The constitution's engine: how texts are read, which literals a pattern
 * needs, how rule sets are refused, and what an evaluation finds.
 */


#include "ngx_azora_test.h"

#include "../../modules/constitution/ngx_http_azora_constitution_text.c"
#include "../../modules/constitution/ngx_http_azora_constitution_syntax.c"
#include "../../modules/constitution/ngx_http_azora_constitution_factor.c"
#include "../../modules/constitution/ngx_http_azora_constitution_scan.c"
#include "../../modules/constitution/ngx_http_azora_constitution_rules.c"
#include "../../modules/constitution/ngx_http_azora_constitution_compile.c"
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


/* how texts are read */

static void
reads(const char *text, const char *fold, const char *skeleton)
{
    ngx_str_t                 got;
    ngx_http_azora_reading_t  reading;

    ngx_http_azora_constitution_read(&matcher, (u_char *) text,
                                     ngx_strlen(text), &reading);
    got.data = matcher.text;
    got.len = reading.len;
    is_str(&got, fold, "fold");

    is_int(reading.foreign, skeleton != NULL, "is there a second reading");

    if (skeleton != NULL) {
        got.data = matcher.skeleton;
        got.len = reading.skeleton_len;
        is_str(&got, skeleton, "skeleton");
    }
}


static void
test_reading(void)
{
    u_char     big[512];
    ngx_str_t  excerpt;

    reads("Plain text, 5 words here.", "Plain text, 5 words here.", NULL);
    reads("a \t b\xc2\xa0\xe3\x80\x80" "c", "a b c", NULL);
    reads(" a \r\n  b\n\n\xe2\x80\xa8 c ", " a\nb\nc ", NULL);
    reads("d\xe2\x80\x8b" "e\xc2\xadp\xe2\x81\xa0o\xef\xbb\xbfsit", "deposit",
          NULL);
    reads("\xef\xbc\xa4\xef\xbd\x85\xef\xbd\x90\xef\xbc\x91", "Dep1", NULL);
    reads("\xf0\x9d\x90\x9d\xf0\x9d\x9f\x8e\xe2\x93\x90\xf0\x9f\x85\xb0",
          "d0aA", NULL);
    reads("don\xe2\x80\x99t \xe2\x80\x9cpay\xe2\x80\x9d \xe2\x80\x94 now",
          "don't \"pay\" - now", NULL);
    reads("\xe2\x84\xaa\xc5\xbf", "Ks", NULL);
    reads("d\xc3\xa9p\xc3\xb4t", "d\xc3\xa9p\xc3\xb4t", "depot");
    reads("de\xcc\x81pot", "de\xcc\x81pot", "depot");
    reads("d\xd0\xb5p\xd0\xbesit", "d\xd0\xb5p\xd0\xbesit", "deposit");
    reads("\xe1\xbb\x8dj\xc3\xa0", "\xe1\xbb\x8dj\xc3\xa0", "oja");
    reads("\xe4\xbb\x95\xe4\xba\x8b", "\xe4\xbb\x95\xe4\xba\x8b",
          "\xe4\xbb\x95\xe4\xba\x8b");

    /* not UTF-8: overlong, a lone continuation, a surrogate, cut short */
    reads("a\xc0\xaf" "b", "a??b", NULL);
    reads("a\x80" "b\xed\xa0\x80", "a?b???", NULL);
    reads("a\xe2\x82", "a??", NULL);
    reads("a\xf5\x80\x80\x80", "a????", NULL);

    excerpt = ngx_http_azora_constitution_excerpt(pool,
                  (u_char *) "call +254 700 123456 \xd9\xa3", 23);
    is_str(&excerpt, "call +### ### ###### #", "digits are masked");

    ngx_memset(big, 'x', sizeof(big));
    ngx_memcpy(big + 38, "\xe4\xbb\x95\xe4\xba\x8b\xe4\xbb\x95", 9);
    excerpt = ngx_http_azora_constitution_excerpt(pool, big, sizeof(big));
    is_int(excerpt.len, 38 + 6, "an excerpt has 40 characters, none cut");
}


/* literals */

static void
factor(const char *pattern, const char *expected)
{
    u_char                            text[1024], *p;
    ngx_str_t                         in, got;
    ngx_uint_t                        i;
    static ngx_http_azora_literals_t  set;

    in.data = (u_char *) pattern;
    in.len = ngx_strlen(pattern);
    p = text;

    if (ngx_http_azora_constitution_factor(&in, &set) == NGX_OK) {
        for (i = 0; i < set.n; i++) {
            p = ngx_slprintf(p, text + sizeof(text), "%s%*s", i ? "|" : "",
                             (size_t) set.items[i].len, set.items[i].data);
        }
    }

    got.data = text;
    got.len = p - text;
    is_str(&got, expected, pattern);
}


static void
test_factors(void)
{
    factor("deposit", "deposit");
    factor("(?i)Deposit", "deposit");
    factor("\\bapplication\\s+fees?\\b", "application");
    factor("(?:pay|send) me", "pay me|send me");
    factor("refundable.{0,20}deposit", "refundable");
    factor("fee.*deposit", "deposit");
    factor("(?:foo|bar)+baz", "baz");
    factor("colou?r", "colour|color");
    factor("[Dd]eposit", "deposit");
    factor("de[a-z]posit", "posit");
    factor("a(?=b)bc(?!d)", "abc");
    factor("(?<=x)abc", "abc");
    factor("\\$100\\.00", "$100.00");
    factor("(?<name>long)est", "longest");
    factor("d\xc3\xa9posit", "posit");
    factor("a long literal that does not fit into one piece",
           "a long literal that does");
    factor("ab{2}cde", "cde");
    factor("(?:ab){1}cd", "abcd");
    factor("\\p{Lu}name", "name");
    factor("(?i:Passport) or", "passport or");
    factor("(?(DEFINE)(?<gap>never))a(?&gap)*fee of", "fee of");

    /* never sure, so always run */
    factor("", "");
    factor("ab", "");
    factor("deposit|fee|", "");
    factor("deposit|x", "");
    factor("(deposit)?", "");
    factor("(deposit)*", "");
    factor("(deposit){0,3}", "");
    factor("a\\x41bcdef", "");
    factor("(a)\\1bcd", "");
    factor("(?x)de posit", "");
    factor("\\Qdeposit\\E", "");
    factor("(?(1)foo|bar)deposit", "");
    factor("(*UCP)deposit", "");
    factor("deposit(?#comment)*", "");
    factor("depo{,3}sit", "");
    factor("[[:alpha:]]deposit", "");
    factor("(((((((((((((deposit)))))))))))))", "");
    factor("deposit\\", "");
    factor("deposit[", "");
    factor("(deposit", "");
    factor("deposit)", "");
}


/*
 * What a pattern matches the literals must find: random patterns against
 * random texts of a small alphabet, with a fixed seed.
 */

static uint32_t  seed;


static uint32_t
chance(uint32_t n)
{
    seed = seed * 1664525 + 1013904223;

    return (seed >> 8) % n;
}


static u_char *
random_pattern(u_char *p, u_char *last, ngx_uint_t depth)
{
    ngx_uint_t          i, n;
    static const char  *atoms[] = {
        "a", "b", "c", "k", "s", "A", "S", "abc", "kas", "[ab]", "[^a]",
        "[a-c]", "[kS]", ".", "\\s", "\\w", "\\b", "^", "$", " ", "\\.",
        "(?=a)", "(?!b)", "(?i)", "\xc3\xa9", "(?&g)"
    };
    static const char  *quantifiers[] = {
        "", "", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}", "+?", "*+"
    };
    static const char  *groups[] = { "(", "(?:", "(?i:", "(?>", "(?<=", "(?=" };

    n = 1 + chance(4);

    for (i = 0; i < n && last - p > 64; i++) {

        if (depth && chance(3) == 0) {
            p = ngx_sprintf(p, "%s", groups[chance(chance(3) ? 3 : 6)]);
            p = random_pattern(p, last - 8, depth - 1);
            *p++ = ')';

        } else {
            p = ngx_sprintf(p, "%s",
                            atoms[chance(sizeof(atoms) / sizeof(atoms[0]))]);
        }

        p = ngx_sprintf(p, "%s", quantifiers[chance(12)]);

        if (chance(6) == 0 && i + 1 < n) {
            *p++ = '|';
        }
    }

    return p;
}


static void
test_differential(void)
{
    int                               error;
    u_char                            text[64], fold[64], pattern[512];
    size_t                            len, k;
    uint64_t                          found, always;
    ngx_str_t                         in;
    ngx_uint_t                        i, j, tried, filtered, matched, missed;
    pcre2_code                       *code;
    PCRE2_SIZE                        offset;
    ngx_pool_t                       *own;
    static const char                *letters[] = {
        "a", "b", "c", "k", "s", "A", "B", "K", "S", " ", ".", "\xc3\xa9",
        "\xe2\x84\xaa", "\xc5\xbf", "abc", "kas", "KaS"
    };
    ngx_http_azora_reading_t          reading;
    ngx_http_azora_literals_t        *sets[1];
    static ngx_http_azora_literals_t  set;
    ngx_http_azora_automaton_t       *automaton;

    seed = 20261120;
    tried = filtered = matched = missed = 0;

    for (i = 0; i < 40000; i++) {

        in.data = pattern;
        in.len = ngx_sprintf(pattern, "(?(DEFINE)(?<g>a|bc|))") - pattern;
        in.len = random_pattern(pattern + in.len, pattern + sizeof(pattern), 3)
                 - pattern;

        code = pcre2_compile(in.data, in.len,
                             PCRE2_UTF|PCRE2_UCP
                             |(chance(2) ? PCRE2_CASELESS : 0),
                             &error, &offset, NULL);
        if (code == NULL) {
            continue;
        }

        tried++;

        if (ngx_http_azora_constitution_factor(&in, &set) != NGX_OK) {
            pcre2_code_free(code);
            continue;
        }

        filtered++;
        sets[0] = &set;
        own = ngx_create_pool(4096, pool->log);
        automaton = ngx_http_azora_constitution_automaton(own, sets, 1,
                                                          &always);

        for (j = 0; j < 40; j++) {

            len = 0;

            for (k = 1 + chance(12); k > 0; k--) {
                len = ngx_sprintf(text + len, "%s", letters[chance(17)])
                      - text;
            }

            len = ngx_http_azora_constitution_fold(fold, text, len, &reading);

            if (pcre2_match(code, fold, len, 0, 0, matcher.data,
                            matcher.match)
                < 0)
            {
                continue;
            }

            matched++;
            found = 0;
            ngx_http_azora_constitution_scan(automaton, fold, len, &found);

            if (!(found & 1) && ++missed < 10) {
                diag("missed: /%.*s/ in '%.*s'", (int) in.len, in.data,
                     (int) len, fold);
            }
        }

        ngx_destroy_pool(own);
        pcre2_code_free(code);
    }

    diag("seed 20261120: %lu patterns, %lu with literals, %lu matches",
         (unsigned long) tried, (unsigned long) filtered,
         (unsigned long) matched);

    ok(filtered > 1000 && matched > 1000, "enough was tried");
    is_int(missed, 0, "the literals miss no match");
}


static void
test_automaton(void)
{
    uint64_t                          found[3], always[3];
    ngx_uint_t                        i;
    ngx_http_azora_automaton_t       *a;
    static ngx_http_azora_literals_t  sets[3];
    ngx_http_azora_literals_t        *rules[130];

    ngx_memzero(rules, sizeof(rules));
    ngx_memzero(always, sizeof(always));

    sets[0].n = 2;
    sets[0].items[0].len = 3;
    ngx_memcpy(sets[0].items[0].data, "she", 3);
    sets[0].items[1].len = 4;
    ngx_memcpy(sets[0].items[1].data, "hers", 4);
    sets[1].n = 1;
    sets[1].items[0].len = 3;
    ngx_memcpy(sets[1].items[0].data, "his", 3);
    sets[2] = sets[0];
    sets[2].n = 1;

    rules[0] = &sets[0];
    rules[70] = &sets[1];
    rules[129] = &sets[2];

    a = ngx_http_azora_constitution_automaton(pool, rules, 130, always);

    ngx_memzero(found, sizeof(found));
    ngx_http_azora_constitution_scan(a, (u_char *) "usHErS", 6, found);
    ok(found[0] == 1 && found[1] == 0 && found[2] == 2,
       "overlapping literals are found in any case");

    ngx_memzero(found, sizeof(found));
    ngx_http_azora_constitution_scan(a, (u_char *) "hers this", 9, found);
    ok(found[0] == 1 && found[1] == 64 && found[2] == 0,
       "only what occurs is found");

    /* more literals than states: the rest is always run */
    for (i = 0; i < NGX_HTTP_AZORA_LITERALS_MAX; i++) {
        sets[0].items[i].len = NGX_HTTP_AZORA_LITERAL_LEN;
        ngx_memset(sets[0].items[i].data, 'a' + i % 26,
                   NGX_HTTP_AZORA_LITERAL_LEN);
    }

    sets[0].n = NGX_HTTP_AZORA_LITERALS_MAX;

    for (i = 0; i < 130; i++) {
        rules[i] = &sets[0];
    }

    ngx_memzero(always, sizeof(always));
    a = ngx_http_azora_constitution_automaton(pool, rules, 130, always);
    ok(a != NULL && !(always[0] & 1) && (always[2] & 2),
       "an automaton that would be too large leaves rules out");
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
    ngx_uint_t                 i;
    ngx_http_azora_rules_t    *set;
    ngx_http_azora_verdict_t   v;
    static const char          text[] = SET(
        RULE("slow", "deny", "^(?:a+)+$", "a", "b") ","
        "{\"id\":\"all\",\"article\":1,\"article_title\":\"N\","
        "\"effect\":\"deny\",\"routes\":[\"POST /v1/all\"],"
        "\"pointers\":[\"/*\"],\"pattern\":\"x\",\"reason\":\"r\","
        "\"examples\":{\"match\":[\"x\"],\"no_match\":[\"y\"]}}");

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

    test_reading();
    test_factors();
    test_automaton();
    test_differential();
    test_refusals();
    test_evaluation();
    test_bounds();
    test_damage();
    test_speed();

    ngx_http_azora_constitution_matcher_done(&matcher);
    ngx_destroy_pool(pool);
}
