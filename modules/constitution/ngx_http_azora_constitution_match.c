
/*
 * Matching: PCRE2 with its limits and a bound on the time that all matches of
 * one evaluation take together.
 */


#include "ngx_http_azora_constitution.h"

#include <time.h>


static int ngx_http_azora_constitution_late(pcre2_callout_block *block,
    void *data);


ngx_int_t
ngx_http_azora_constitution_matcher_init(ngx_http_azora_matcher_t *m,
    ngx_log_t *log)
{
    m->compile = pcre2_compile_context_create(NULL);
    m->match = pcre2_match_context_create(NULL);
    m->data = pcre2_match_data_create(1, NULL);
    m->stack = pcre2_jit_stack_create(32 * 1024, NGX_HTTP_AZORA_JIT_STACK,
                                      NULL);
    m->text = ngx_alloc(2 * NGX_HTTP_AZORA_TEXT_MAX, log);

    if (m->compile == NULL || m->match == NULL || m->data == NULL
        || m->text == NULL)
    {
        ngx_http_azora_constitution_matcher_done(m);
        return NGX_ERROR;
    }

    m->skeleton = m->text + NGX_HTTP_AZORA_TEXT_MAX;

    (void) pcre2_set_match_limit(m->match, NGX_HTTP_AZORA_MATCH_LIMIT);
    (void) pcre2_set_depth_limit(m->match, NGX_HTTP_AZORA_DEPTH_LIMIT);
    (void) pcre2_set_heap_limit(m->match, NGX_HTTP_AZORA_HEAP_LIMIT);
    (void) pcre2_set_callout(m->match, ngx_http_azora_constitution_late, m);

    /* none where this PCRE2 has no JIT */
    if (m->stack != NULL) {
        pcre2_jit_stack_assign(m->match, NULL, m->stack);
    }

    return NGX_OK;
}


void
ngx_http_azora_constitution_matcher_done(ngx_http_azora_matcher_t *m)
{
    /* each of them takes NULL */
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->match);
    pcre2_compile_context_free(m->compile);
    pcre2_jit_stack_free(m->stack);

    if (m->text != NULL) {
        ngx_free(m->text);
    }

    ngx_memzero(m, sizeof(ngx_http_azora_matcher_t));
}


/*
 * PCRE2's limits count anew at each place of a text where a match may begin.
 * So a guarded pattern has a callout in front, which is made at each such
 * place and looks at the time all of them took together.  It costs as much
 * again as the search itself, hence the other one for short texts.
 */

pcre2_code *
ngx_http_azora_constitution_pattern(ngx_http_azora_matcher_t *m,
    const ngx_str_t *pattern, ngx_uint_t guard, int *error, size_t *offset)
{
    u_char            *p, *text;
    pcre2_code        *code;
    static ngx_str_t   callout = ngx_string("(?C1)");

    *error = PCRE2_ERROR_NOMEMORY;
    *offset = 0;

    text = ngx_alloc(callout.len + pattern->len, ngx_cycle->log);
    if (text == NULL) {
        return NULL;
    }

    p = guard ? ngx_cpymem(text, callout.data, callout.len) : text;
    p = ngx_cpymem(p, pattern->data, pattern->len);

    /* the texts are UTF-8 whatever a pattern says about itself */
    code = pcre2_compile(text, p - text,
                         PCRE2_UTF|PCRE2_UCP|PCRE2_NEVER_BACKSLASH_C, error,
                         offset, m->compile);
    if (code != NULL) {
        *error = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);

        /* where no memory can be made executable the interpreter does it */
        if (*error == PCRE2_ERROR_JIT_BADOPTION
            || *error == PCRE2_ERROR_NOMEMORY)
        {
            *error = 0;
        }

        if (*error != 0) {
            pcre2_code_free(code);
            code = NULL;
        }
    }

    ngx_free(text);

    return code;
}


void
ngx_http_azora_constitution_begin(ngx_http_azora_matcher_t *m)
{
    m->until_ns = 0;
    m->steps = 0;
}


/* The thread's own time: a busy machine must not change a decision. */

static int
ngx_http_azora_constitution_late(pcre2_callout_block *block, void *data)
{
    uint64_t                   now;
    struct timespec            ts;
    ngx_http_azora_matcher_t  *m = data;

    if (++m->steps % 16 || clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts) != 0) {
        return 0;
    }

    now = (uint64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;

    if (m->until_ns == 0) {
        m->until_ns = now + NGX_HTTP_AZORA_CPU_NS;
    }

    return (now > m->until_ns) ? PCRE2_ERROR_CALLOUT : 0;
}


ngx_int_t
ngx_http_azora_constitution_match(ngx_http_azora_matcher_t *m,
    const ngx_http_azora_rule_t *rule,
    const ngx_http_azora_reading_t *reading, u_char **at, size_t *left)
{
    int          rc;
    size_t       len;
    u_char      *text;
    pcre2_code  *code;
    PCRE2_SIZE   start;

    text = m->text;
    len = reading->len;
    code = (len > NGX_HTTP_AZORA_SHORT) ? rule->guarded : rule->code;

    for ( ;; ) {

        if (ngx_http_azora_constitution_late(NULL, m) != 0) {
            return NGX_ABORT;
        }

        /* both readings are valid UTF-8, their makers see to it */
        rc = pcre2_match(code, text, len, 0, PCRE2_NO_UTF_CHECK, m->data,
                         m->match);

        if (rc >= 0) {
            /* \K in a look-ahead can set the start behind the end */
            start = ngx_min(pcre2_get_ovector_pointer(m->data)[0], len);
            *at = text + start;
            *left = len - start;
            return NGX_OK;
        }

        if (rc != PCRE2_ERROR_NOMATCH) {
            return NGX_ABORT;
        }

        if (reading->skeleton_len == 0 || text == m->skeleton) {
            return NGX_DECLINED;
        }

        text = m->skeleton;
        len = reading->skeleton_len;
    }
}


void
ngx_http_azora_constitution_candidates(const ngx_http_azora_rules_t *set,
    const ngx_http_azora_matcher_t *m,
    const ngx_http_azora_reading_t *reading, uint64_t *rules)
{
    ngx_memcpy(rules, set->always, set->words * sizeof(uint64_t));

    ngx_http_azora_constitution_scan(set->automaton, m->text, reading->len,
                                     rules);

    if (reading->skeleton_len) {
        ngx_http_azora_constitution_scan(set->automaton, m->skeleton,
                                         reading->skeleton_len, rules);
    }
}
