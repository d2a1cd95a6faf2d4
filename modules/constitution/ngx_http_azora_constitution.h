
/*
 * What the files of the constitution module share.
 */


#ifndef _NGX_HTTP_AZORA_CONSTITUTION_H_INCLUDED_
#define _NGX_HTTP_AZORA_CONSTITUTION_H_INCLUDED_


#include "ngx_azora.h"

#define PCRE2_CODE_UNIT_WIDTH  8
#include <pcre2.h>


/* Bounds of a rule set: the tables of the court schema are within them */

#define NGX_HTTP_AZORA_RULES_MAX        1024
#define NGX_HTTP_AZORA_ROUTES_MAX       256     /* different ones */
#define NGX_HTTP_AZORA_POINTERS_MAX     256     /* different ones */
#define NGX_HTTP_AZORA_POINTER_LEN      128     /* bytes */
#define NGX_HTTP_AZORA_SEGMENTS_MAX     8
#define NGX_HTTP_AZORA_PATTERN_LEN      16000   /* bytes */
#define NGX_HTTP_AZORA_EXAMPLES_MAX     64      /* of each sort and rule */
#define NGX_HTTP_AZORA_EXAMPLE_LEN      4000    /* bytes */

/* Bounds of one evaluation */

#define NGX_HTTP_AZORA_TEXT_MAX         65536   /* bytes, all texts */
#define NGX_HTTP_AZORA_TEXTS_MAX        1024
#define NGX_HTTP_AZORA_MATCHES_MAX      16      /* reported */
#define NGX_HTTP_AZORA_EXCERPT_CHARS    40
#define NGX_HTTP_AZORA_CPU_NS           20000000ULL
#define NGX_HTTP_AZORA_SHORT            512     /* bytes, a short text */
#define NGX_HTTP_AZORA_MATCH_LIMIT      50000   /* steps from one place */
#define NGX_HTTP_AZORA_DEPTH_LIMIT      2000
#define NGX_HTTP_AZORA_HEAP_LIMIT       1024    /* KiB */
#define NGX_HTTP_AZORA_JIT_STACK        (256 * 1024)

/* Literals a pattern cannot match without */

#define NGX_HTTP_AZORA_LITERALS_MAX     128     /* of one pattern */
#define NGX_HTTP_AZORA_LITERAL_LEN      24      /* bytes */
#define NGX_HTTP_AZORA_LITERAL_MIN      3
#define NGX_HTTP_AZORA_STATES_MAX       32768   /* of the automaton */

#define NGX_HTTP_AZORA_REASON_LEN       256


typedef enum {
    NGX_HTTP_AZORA_ALLOW = 0,
    NGX_HTTP_AZORA_FLAG,
    NGX_HTTP_AZORA_REVIEW,
    NGX_HTTP_AZORA_DENY
} ngx_http_azora_effect_e;


typedef struct {
    ngx_uint_t                    n;
    struct {
        u_char                    len;
        u_char                    data[NGX_HTTP_AZORA_LITERAL_LEN];
    } items[NGX_HTTP_AZORA_LITERALS_MAX];
} ngx_http_azora_literals_t;


/* A multi-pattern automaton (Aho and Corasick 1975), complete: no failure
   links at run time.  Letters of both cases share a class. */

typedef struct {
    ngx_uint_t                    nstates;
    ngx_uint_t                    nclasses;
    u_char                        classes[256];
    uint16_t                     *next;         /* [state * nclasses + c] */
    uint16_t                     *suffix;       /* next state that reports */
    uint32_t                     *first;        /* of a state's rules */
    uint32_t                     *link;         /* of each literal */
    uint16_t                     *rules;        /* of each literal */
} ngx_http_azora_automaton_t;


typedef struct {
    ngx_str_t                     id;
    ngx_str_t                     article;      /* "XII" */
    ngx_str_t                     title;        /* of the article */
    ngx_str_t                     reason;
    ngx_str_t                     pattern;
    ngx_array_t                   roles;        /* ngx_str_t; empty: any */
    ngx_array_t                   routes;       /* ngx_uint_t; empty: all */
    ngx_array_t                   pointers;     /* ngx_uint_t */
    json_t                       *examples;     /* borrowed, while building */
    pcre2_code                   *code;         /* for short texts */
    pcre2_code                   *guarded;      /* for long ones */
    ngx_http_azora_effect_e       effect;
    unsigned                      shadow:1;
} ngx_http_azora_rule_t;


typedef struct {
    ngx_str_t                     text;         /* as in the rule */
    ngx_uint_t                    nsegments;
    ngx_str_t                     segments[NGX_HTTP_AZORA_SEGMENTS_MAX];
    unsigned                      path:1;       /* the request's path */
} ngx_http_azora_pointer_t;


/* What is to be looked at on a route: a field and the rules that read it */

typedef struct {
    const ngx_http_azora_pointer_t  *pointer;
    uint64_t                     *rules;
} ngx_http_azora_target_t;

typedef struct {
    ngx_str_t                     route;        /* empty: all other routes */
    ngx_array_t                   targets;
} ngx_http_azora_plan_t;


typedef struct {
    ngx_pool_t                   *pool;
    json_t                       *json;         /* while building */
    uint64_t                      generation;
    ngx_str_t                     hash;
    ngx_uint_t                    nrules;
    ngx_uint_t                    words;        /* of a bitmap of rules */
    ngx_http_azora_rule_t        *rules;
    uint64_t                     *always;
    ngx_array_t                   routes;       /* ngx_str_t */
    ngx_array_t                   pointers;     /* ngx_http_azora_pointer_t */
    ngx_array_t                   plans;        /* the last: other routes */
    ngx_http_azora_automaton_t   *automaton;
} ngx_http_azora_rules_t;


/* What one worker needs to run patterns: one at a time, so one of each */

typedef struct {
    pcre2_compile_context        *compile;
    pcre2_match_context          *match;
    pcre2_match_data             *data;
    pcre2_jit_stack              *stack;
    u_char                       *text;         /* NGX_HTTP_AZORA_TEXT_MAX */
    u_char                       *skeleton;     /* the same */
    uint64_t                      until_ns;     /* of the thread's time; 0:
                                                   not looked at yet */
    ngx_uint_t                    steps;        /* since it was looked at */
} ngx_http_azora_matcher_t;


/* A text in the matcher's buffers */

typedef struct {
    size_t                        len;
    size_t                        skeleton_len; /* 0: there is none */
    unsigned                      foreign:1;    /* something beyond ASCII */
    unsigned                      lines:1;      /* more than one */
} ngx_http_azora_reading_t;


typedef struct {
    const ngx_str_t              *route;        /* "POST /v1/jobs" */
    const ngx_str_t              *path;
    const ngx_str_t              *roles;        /* "learner teacher" */
    json_t                       *body;         /* or NULL */
} ngx_http_azora_input_t;

typedef struct {
    const ngx_http_azora_rule_t  *rule;
    ngx_str_t                     pointer;
    ngx_str_t                     excerpt;      /* redacted */
} ngx_http_azora_match_t;

typedef struct {
    ngx_http_azora_effect_e       effect;       /* the strongest */
    ngx_uint_t                    nmatches;
    ngx_http_azora_match_t        matches[NGX_HTTP_AZORA_MATCHES_MAX];
    unsigned                      undecided:1;  /* a bound was hit */
} ngx_http_azora_verdict_t;


/* ngx_http_azora_constitution_text.c */

/*
 * What a person reads: compatibility letters, invisible characters and white
 * space are made plain, see the file.  dst holds at least len bytes and gets
 * valid UTF-8.
 */
size_t ngx_http_azora_constitution_fold(u_char *dst, const u_char *src,
    size_t len, ngx_http_azora_reading_t *reading);

/* The second reading: marks removed, look-alikes replaced by Latin letters. */
size_t ngx_http_azora_constitution_skeleton(u_char *dst, const u_char *src,
    size_t len);

/* Both, into the matcher's buffers; at most NGX_HTTP_AZORA_TEXT_MAX bytes. */
void ngx_http_azora_constitution_read(ngx_http_azora_matcher_t *m,
    const u_char *text, size_t len, ngx_http_azora_reading_t *reading);

/* Makes one line of all lines. */
void ngx_http_azora_constitution_join(ngx_http_azora_matcher_t *m,
    const ngx_http_azora_reading_t *reading);

/* At most 40 characters from src, digits masked, in pool; {0, NULL}: ENOMEM */
ngx_str_t ngx_http_azora_constitution_excerpt(ngx_pool_t *pool,
    const u_char *src, size_t len);


/* ngx_http_azora_constitution_factor.c */

/*
 * Literals (lower case) of which every text that matches the pattern holds at
 * least one.  NGX_DECLINED: none are known, the pattern must always be run.
 */
ngx_int_t ngx_http_azora_constitution_factor(const ngx_str_t *pattern,
    ngx_http_azora_literals_t *literals);


/* ngx_http_azora_constitution_scan.c */

/*
 * rules[i] are the literals of rule i, or NULL.  In pool.  NULL: out of
 * memory.  A rule whose literals would make it too large gets its bit in
 * always.
 */
ngx_http_azora_automaton_t *ngx_http_azora_constitution_automaton(
    ngx_pool_t *pool, ngx_http_azora_literals_t **rules, ngx_uint_t n,
    uint64_t *always);

/* Sets the bits of the rules whose literals occur. */
void ngx_http_azora_constitution_scan(
    const ngx_http_azora_automaton_t *automaton, const u_char *text,
    size_t len, uint64_t *rules);


/* ngx_http_azora_constitution_rules.c */

/*
 * Reads what court.enacted_rules() returned.  NULL: reason (of
 * NGX_HTTP_AZORA_REASON_LEN bytes, NUL-terminated) says why.
 */
ngx_http_azora_rules_t *ngx_http_azora_constitution_rules_parse(
    const u_char *text, size_t len, ngx_log_t *log, u_char *reason);

/* ngx_http_azora_constitution_compile.c */

/* Compiles rule i and runs it on its examples; NGX_ERROR and reason. */
ngx_int_t ngx_http_azora_constitution_rules_compile(
    ngx_http_azora_rules_t *set, ngx_uint_t i, ngx_http_azora_matcher_t *m,
    u_char *reason);

/* The last step: automaton and plans; the set is ready for evaluation. */
ngx_int_t ngx_http_azora_constitution_rules_finish(
    ngx_http_azora_rules_t *set, ngx_http_azora_matcher_t *m, u_char *reason);

void ngx_http_azora_constitution_rules_destroy(ngx_http_azora_rules_t *set);


/* ngx_http_azora_constitution_match.c */

ngx_int_t ngx_http_azora_constitution_matcher_init(
    ngx_http_azora_matcher_t *m, ngx_log_t *log);
void ngx_http_azora_constitution_matcher_done(ngx_http_azora_matcher_t *m);

/*
 * Compiles a pattern; guard: with what bounds its time on long texts.  NULL:
 * *error and *offset are PCRE2's.
 */
pcre2_code *ngx_http_azora_constitution_pattern(ngx_http_azora_matcher_t *m,
    const ngx_str_t *pattern, ngx_uint_t guard, int *error, size_t *offset);

/* From here on matches have their time anew. */
void ngx_http_azora_constitution_begin(ngx_http_azora_matcher_t *m);

/*
 * Runs one rule on the text and, if there is one, on its skeleton.  NGX_OK: it
 * matches, *at is where (in the matcher's buffers) and *left how much is left
 * from there; NGX_DECLINED: it does not; NGX_ABORT: a limit.
 */
ngx_int_t ngx_http_azora_constitution_match(ngx_http_azora_matcher_t *m,
    const ngx_http_azora_rule_t *rule,
    const ngx_http_azora_reading_t *reading, u_char **at, size_t *left);

/* Sets the bits of the rules that can match. */
void ngx_http_azora_constitution_candidates(
    const ngx_http_azora_rules_t *set, const ngx_http_azora_matcher_t *m,
    const ngx_http_azora_reading_t *reading, uint64_t *rules);


/* ngx_http_azora_constitution_evaluate.c */

/* NGX_OK, or NGX_ERROR: out of memory.  Strings of the verdict in pool. */
ngx_int_t ngx_http_azora_constitution_evaluate(
    const ngx_http_azora_rules_t *set, ngx_http_azora_matcher_t *m,
    const ngx_http_azora_input_t *input, ngx_pool_t *pool,
    ngx_http_azora_verdict_t *verdict);


/* ngx_http_azora_constitution_load.c */

ngx_int_t ngx_http_azora_constitution_load_init(ngx_conf_t *cf);
ngx_int_t ngx_http_azora_constitution_load_process(ngx_cycle_t *cycle);
void ngx_http_azora_constitution_load_exit(void);

/* The rules in force in this worker; NULL: none were loaded yet. */
const ngx_http_azora_rules_t *ngx_http_azora_constitution_rules(void);
ngx_http_azora_matcher_t *ngx_http_azora_constitution_matcher(void);


/* ngx_http_azora_constitution_stage.c */

typedef enum {
    NGX_HTTP_AZORA_CONSTITUTION_OFF = 0,
    NGX_HTTP_AZORA_CONSTITUTION_ON,
    NGX_HTTP_AZORA_CONSTITUTION_SHADOW
} ngx_http_azora_constitution_mode_e;

typedef struct {
    ngx_uint_t                    mode;
} ngx_http_azora_constitution_loc_conf_t;

ngx_int_t ngx_http_azora_constitution_stage_init(ngx_conf_t *cf);
ngx_int_t ngx_http_azora_constitution_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


/* ngx_http_azora_constitution_evidence.c: JSON texts in pool, NUL-terminated;
   NGX_ERROR: out of memory */

/* ["rule", ...] */
ngx_int_t ngx_http_azora_constitution_rule_names(ngx_pool_t *pool,
    const ngx_http_azora_verdict_t *verdict, ngx_str_t *json);
/* redacted; body may be NULL */
ngx_int_t ngx_http_azora_constitution_evidence(ngx_pool_t *pool,
    const ngx_http_azora_verdict_t *verdict, json_t *body, ngx_str_t *json);


extern const ngx_azora_row_t  ngx_http_azora_constitution_rows[];
extern ngx_module_t           ngx_http_azora_constitution_module;


#endif /* _NGX_HTTP_AZORA_CONSTITUTION_H_INCLUDED_ */
