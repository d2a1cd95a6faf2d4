
/*
 * From a rule set as data to one that runs: each pattern is compiled and tried
 * on the examples its rule carries, then the automaton of all literals and the
 * plan of each route are made.
 *
 * Compiling a pattern costs some 100 us, so the caller does it rule by rule
 * and lets requests pass in between.
 */


#include "ngx_http_azora_constitution.h"


static ngx_int_t ngx_http_azora_rules_try(ngx_http_azora_rule_t *rule,
    ngx_http_azora_matcher_t *m, const char *sort, ngx_uint_t expected,
    u_char *reason);
static ngx_int_t ngx_http_azora_rules_automaton(ngx_http_azora_rules_t *set);
static ngx_int_t ngx_http_azora_rules_try_scan(ngx_http_azora_rules_t *set,
    ngx_uint_t i, ngx_http_azora_matcher_t *m, uint64_t *found);
static ngx_int_t ngx_http_azora_rules_plans(ngx_http_azora_rules_t *set);
static ngx_int_t ngx_http_azora_rules_plan(ngx_http_azora_rules_t *set,
    ngx_uint_t route, ngx_http_azora_plan_t *plan);
static ngx_uint_t ngx_http_azora_rules_has(const ngx_array_t *list,
    ngx_uint_t value);


ngx_int_t
ngx_http_azora_constitution_rules_compile(ngx_http_azora_rules_t *set,
    ngx_uint_t i, ngx_http_azora_matcher_t *m, u_char *reason)
{
    int                     error;
    u_char                  text[128];
    size_t                  offset;
    ngx_http_azora_rule_t  *rule;

    rule = &set->rules[i];

    rule->code = ngx_http_azora_constitution_pattern(m, &rule->pattern, 0,
                                                     &error, &offset);
    if (rule->code != NULL) {
        rule->guarded = ngx_http_azora_constitution_pattern(m, &rule->pattern,
                                                            1, &error,
                                                            &offset);
    }

    if (rule->guarded == NULL) {
        if (pcre2_get_error_message(error, text, sizeof(text)) < 0) {
            text[0] = '\0';
        }
        *ngx_snprintf(reason, NGX_HTTP_AZORA_REASON_LEN - 1,
                      "rule \"%V\": %s at byte %uz of its pattern",
                      &rule->id, text, offset)
            = '\0';
        return NGX_ERROR;
    }

    if (ngx_http_azora_rules_try(rule, m, "match", 1, reason) != NGX_OK
        || ngx_http_azora_rules_try(rule, m, "no_match", 0, reason) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_try(ngx_http_azora_rule_t *rule,
    ngx_http_azora_matcher_t *m, const char *sort, ngx_uint_t expected,
    u_char *reason)
{
    size_t                     left;
    json_t                    *list, *example;
    u_char                    *at;
    ngx_int_t                  rc;
    ngx_uint_t                 i;
    ngx_http_azora_reading_t   reading;

    list = json_object_get(rule->examples, sort);

    for (i = 0; i < json_array_size(list); i++) {

        example = json_array_get(list, i);

        ngx_http_azora_constitution_read(m,
                                 (u_char *) json_string_value(example),
                                 json_string_length(example), &reading);
        ngx_http_azora_constitution_begin(m);

        rc = ngx_http_azora_constitution_match(m, rule, &reading, &at, &left);

        if (rc == NGX_DECLINED && reading.lines) {
            ngx_http_azora_constitution_join(m, &reading);
            rc = ngx_http_azora_constitution_match(m, rule, &reading, &at,
                                                   &left);
        }

        if (rc == (expected ? NGX_OK : NGX_DECLINED)) {
            continue;
        }

        *ngx_snprintf(reason, NGX_HTTP_AZORA_REASON_LEN - 1,
                      "rule \"%V\": its %s example %ui %s", &rule->id, sort,
                      i + 1,
                      (rc == NGX_ABORT) ? "takes more steps than allowed"
                      : expected ? "does not match" : "matches")
            = '\0';

        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_constitution_rules_finish(ngx_http_azora_rules_t *set,
    ngx_http_azora_matcher_t *m, u_char *reason)
{
    uint64_t    *found;
    ngx_uint_t   i;

    *ngx_sprintf(reason, "out of memory") = '\0';

    found = ngx_palloc(set->pool, (set->words + 1) * sizeof(uint64_t));

    if (found == NULL
        || ngx_http_azora_rules_automaton(set) != NGX_OK
        || ngx_http_azora_rules_plans(set) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < set->nrules; i++) {
        if (ngx_http_azora_rules_try_scan(set, i, m, found) != NGX_OK) {
            *ngx_snprintf(reason, NGX_HTTP_AZORA_REASON_LEN - 1,
                          "rule \"%V\": the prefilter misses an example",
                          &set->rules[i].id)
                = '\0';
            return NGX_ERROR;
        }

        set->rules[i].examples = NULL;
    }

    json_decref(set->json);
    set->json = NULL;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_automaton(ngx_http_azora_rules_t *set)
{
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_pool_t                  *pool;
    ngx_http_azora_literals_t  **literals, *found;

    /* the sets of literals are large and needed here only */
    pool = ngx_create_pool(16 * 1024, set->pool->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    literals = ngx_pcalloc(pool, (set->nrules + 1) * sizeof(*literals));
    if (literals == NULL) {
        goto done;
    }

    for (i = 0; i < set->nrules; i++) {

        found = ngx_palloc(pool, sizeof(ngx_http_azora_literals_t));
        if (found == NULL) {
            goto done;
        }

        if (ngx_http_azora_constitution_factor(&set->rules[i].pattern, found)
            == NGX_OK)
        {
            literals[i] = found;

        } else {
            set->always[i / 64] |= (uint64_t) 1 << (i % 64);
        }
    }

    set->automaton = ngx_http_azora_constitution_automaton(set->pool,
                                                           literals,
                                                           set->nrules,
                                                           set->always);
    if (set->automaton != NULL) {
        rc = NGX_OK;
    }

done:

    ngx_destroy_pool(pool);

    return rc;
}


/* Both halves must agree: what a pattern matches, its literals must find. */

static ngx_int_t
ngx_http_azora_rules_try_scan(ngx_http_azora_rules_t *set, ngx_uint_t i,
    ngx_http_azora_matcher_t *m, uint64_t *found)
{
    json_t                    *list, *example;
    ngx_uint_t                 k;
    ngx_http_azora_reading_t   reading;

    list = json_object_get(set->rules[i].examples, "match");

    for (k = 0; k < json_array_size(list); k++) {

        example = json_array_get(list, k);

        ngx_http_azora_constitution_read(m,
                                 (u_char *) json_string_value(example),
                                 json_string_length(example), &reading);
        ngx_http_azora_constitution_candidates(set, m, &reading, found);

        if (!(found[i / 64] & ((uint64_t) 1 << (i % 64)))) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_plans(ngx_http_azora_rules_t *set)
{
    ngx_str_t              *routes;
    ngx_uint_t              i;
    ngx_http_azora_plan_t  *plan;

    routes = set->routes.elts;

    if (ngx_array_init(&set->plans, set->pool, set->routes.nelts + 1,
                       sizeof(ngx_http_azora_plan_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i <= set->routes.nelts; i++) {

        plan = ngx_array_push(&set->plans);
        if (plan == NULL) {
            return NGX_ERROR;
        }

        if (i < set->routes.nelts) {
            plan->route = routes[i];

        } else {
            ngx_str_null(&plan->route);
        }

        if (ngx_http_azora_rules_plan(set, i, plan) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_plan(ngx_http_azora_rules_t *set, ngx_uint_t route,
    ngx_http_azora_plan_t *plan)
{
    uint64_t                  *rules;
    ngx_uint_t                 i, k, some;
    ngx_http_azora_rule_t     *rule;
    ngx_http_azora_target_t   *target;
    ngx_http_azora_pointer_t  *pointers;

    pointers = set->pointers.elts;

    if (ngx_array_init(&plan->targets, set->pool, 4,
                       sizeof(ngx_http_azora_target_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < set->pointers.nelts; i++) {

        rules = ngx_pcalloc(set->pool, (set->words + 1) * sizeof(uint64_t));
        if (rules == NULL) {
            return NGX_ERROR;
        }

        for (k = 0, some = 0; k < set->nrules; k++) {

            rule = &set->rules[k];

            if (!ngx_http_azora_rules_has(&rule->pointers, i)
                || (rule->routes.nelts
                    && !ngx_http_azora_rules_has(&rule->routes, route)))
            {
                continue;
            }

            rules[k / 64] |= (uint64_t) 1 << (k % 64);
            some = 1;
        }

        if (!some) {
            continue;
        }

        target = ngx_array_push(&plan->targets);
        if (target == NULL) {
            return NGX_ERROR;
        }

        target->pointer = &pointers[i];
        target->rules = rules;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_rules_has(const ngx_array_t *list, ngx_uint_t value)
{
    ngx_uint_t  i, *values;

    values = list->elts;

    for (i = 0; i < list->nelts; i++) {
        if (values[i] == value) {
            return 1;
        }
    }

    return 0;
}
