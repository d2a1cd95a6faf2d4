
/*
 * The constitution's engine: how texts are read, and which literals a pattern
 * needs.
 */


#include "ngx_azora_test.h"

#include "../../modules/constitution/ngx_http_azora_constitution_text.c"
#include "../../modules/constitution/ngx_http_azora_constitution_syntax.c"
#include "../../modules/constitution/ngx_http_azora_constitution_factor.c"
#include "../../modules/constitution/ngx_http_azora_constitution_scan.c"
#include "../../modules/constitution/ngx_http_azora_constitution_evaluate.c"
#include "../../modules/constitution/ngx_http_azora_constitution_match.c"


static ngx_http_azora_matcher_t  matcher;
static ngx_pool_t               *pool;


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
    factor("no[^.]*+(*SKIP)(*FAIL)|deposit", "deposit");
    factor("(?:deposit(*F))?fee", "fee");

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
    factor("(?:(*ACCEPT)|a)deposit", "");
    factor("(?:deposit(*F))+", "");
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
        "(?=a)", "(?!b)", "(?i)", "\xc3\xa9", "(?&g)",
        "(*F)", "(*SKIP)", "(*SKIP)(*FAIL)"
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

    ok(filtered > 800 && matched > 800, "enough was tried");
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

    ngx_http_azora_constitution_matcher_done(&matcher);
    ngx_destroy_pool(pool);
}
