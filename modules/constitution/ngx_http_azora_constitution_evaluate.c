
/*
 * Evaluation: the texts a route's rules look at are read, scanned once for all
 * literals, and only the patterns that can still match are run.
 *
 * All rules are asked, so that a decision names every article it rests on; the
 * strongest effect wins.
 */


#include "ngx_http_azora_constitution.h"


typedef struct {
    const ngx_http_azora_rules_t  *set;
    ngx_http_azora_matcher_t      *m;
    const ngx_http_azora_input_t  *input;
    ngx_pool_t                    *pool;
    ngx_http_azora_verdict_t      *verdict;
    const ngx_http_azora_target_t *target;
    uint64_t                      *done;        /* rules that matched */
    uint64_t                      *found;       /* rules to run */
    size_t                         examined;    /* bytes */
    ngx_uint_t                     texts;
    size_t                         len;         /* of where */
    u_char                         where[NGX_HTTP_AZORA_POINTER_LEN * 4];
} ngx_http_azora_evaluation_t;


static const ngx_http_azora_plan_t *ngx_http_azora_evaluate_plan(
    const ngx_http_azora_rules_t *set, const ngx_str_t *route);
static ngx_int_t ngx_http_azora_evaluate_walk(ngx_http_azora_evaluation_t *e,
    json_t *json, ngx_uint_t depth);
static ngx_int_t ngx_http_azora_evaluate_step(ngx_http_azora_evaluation_t *e,
    const ngx_str_t *name, json_t *json, ngx_uint_t depth);
static ngx_int_t ngx_http_azora_evaluate_text(ngx_http_azora_evaluation_t *e,
    const u_char *text, size_t len);
static ngx_int_t ngx_http_azora_evaluate_reading(
    ngx_http_azora_evaluation_t *e, const ngx_http_azora_reading_t *reading);
static ngx_int_t ngx_http_azora_evaluate_rule(ngx_http_azora_evaluation_t *e,
    ngx_uint_t i, const ngx_http_azora_reading_t *reading);
static ngx_int_t ngx_http_azora_evaluate_matched(
    ngx_http_azora_evaluation_t *e, const ngx_http_azora_rule_t *rule,
    const u_char *at, size_t left);
static ngx_uint_t ngx_http_azora_evaluate_applies(
    const ngx_http_azora_rule_t *rule, const ngx_str_t *roles);


ngx_int_t
ngx_http_azora_constitution_evaluate(const ngx_http_azora_rules_t *set,
    ngx_http_azora_matcher_t *m, const ngx_http_azora_input_t *input,
    ngx_pool_t *pool, ngx_http_azora_verdict_t *verdict)
{
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    const ngx_http_azora_plan_t   *plan;
    ngx_http_azora_target_t       *targets;
    ngx_http_azora_evaluation_t    e;
    uint64_t                       bits[2 * NGX_HTTP_AZORA_RULES_MAX / 64];

    verdict->effect = NGX_HTTP_AZORA_ALLOW;
    verdict->nmatches = 0;
    verdict->undecided = 0;

    plan = ngx_http_azora_evaluate_plan(set, input->route);
    targets = plan->targets.elts;

    ngx_memzero(&e, offsetof(ngx_http_azora_evaluation_t, where));
    e.set = set;
    e.m = m;
    e.input = input;
    e.pool = pool;
    e.verdict = verdict;
    e.done = bits;
    e.found = bits + NGX_HTTP_AZORA_RULES_MAX / 64;

    ngx_memzero(e.done, set->words * sizeof(uint64_t));
    ngx_http_azora_constitution_begin(m);

    for (i = 0; i < plan->targets.nelts; i++) {

        e.target = &targets[i];
        e.len = 0;

        if (e.target->pointer->path) {
            e.len = ngx_cpymem(e.where, "path", 4) - e.where;
            rc = ngx_http_azora_evaluate_text(&e, input->path->data,
                                              input->path->len);
        } else {
            rc = ngx_http_azora_evaluate_walk(&e, input->body, 0);
        }

        if (rc == NGX_ABORT) {
            verdict->undecided = 1;
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


static const ngx_http_azora_plan_t *
ngx_http_azora_evaluate_plan(const ngx_http_azora_rules_t *set,
    const ngx_str_t *route)
{
    ngx_uint_t              i;
    ngx_http_azora_plan_t  *plans;

    plans = set->plans.elts;

    for (i = 0; i + 1 < set->plans.nelts; i++) {
        if (plans[i].route.len == route->len
            && ngx_memcmp(plans[i].route.data, route->data, route->len) == 0)
        {
            break;
        }
    }

    return &plans[i];
}


/*
 * Follows the pointer; where it ends all strings below are looked at, so that
 * "/skills" means each of a list of strings.  The body's depth is bounded by
 * the core.
 */

static ngx_int_t
ngx_http_azora_evaluate_walk(ngx_http_azora_evaluation_t *e, json_t *json,
    ngx_uint_t depth)
{
    void                            *iter;
    u_char                           number[NGX_INT_T_LEN];
    ngx_int_t                        rc;
    ngx_str_t                        name;
    ngx_uint_t                       i, all;
    const ngx_str_t                 *segment;
    const ngx_http_azora_pointer_t  *pointer;

    pointer = e->target->pointer;
    segment = &pointer->segments[depth];

    if (json_is_string(json)) {

        if (depth < pointer->nsegments) {
            return NGX_OK;
        }

        return ngx_http_azora_evaluate_text(e,
                                            (u_char *) json_string_value(json),
                                            json_string_length(json));
    }

    all = depth >= pointer->nsegments
          || (segment->len == 1 && segment->data[0] == '*');

    if (json_is_array(json)) {

        for (i = 0; i < json_array_size(json); i++) {

            name.data = number;
            name.len = ngx_sprintf(number, "%ui", i) - number;

            if (!all && (name.len != segment->len
                         || ngx_memcmp(number, segment->data, name.len) != 0))
            {
                continue;
            }

            rc = ngx_http_azora_evaluate_step(e, &name,
                                              json_array_get(json, i), depth);
            if (rc != NGX_OK) {
                return rc;
            }
        }

        return NGX_OK;
    }

    if (!json_is_object(json)) {
        return NGX_OK;
    }

    if (!all) {
        return ngx_http_azora_evaluate_step(e, segment,
                               json_object_get(json, (char *) segment->data),
                               depth);
    }

    for (iter = json_object_iter(json);
         iter != NULL;
         iter = json_object_iter_next(json, iter))
    {
        name.data = (u_char *) json_object_iter_key(iter);
        name.len = ngx_strlen(name.data);

        rc = ngx_http_azora_evaluate_step(e, &name,
                                          json_object_iter_value(iter),
                                          depth);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* One level down, with the name added to where the text was found. */

static ngx_int_t
ngx_http_azora_evaluate_step(ngx_http_azora_evaluation_t *e,
    const ngx_str_t *name, json_t *json, ngx_uint_t depth)
{
    size_t     i, len;
    ngx_int_t  rc;

    if (json == NULL) {
        return NGX_OK;
    }

    len = e->len;

    /* a name too long to be quoted is cut, not left unexamined */
    if (e->len < sizeof(e->where)) {
        e->where[e->len++] = '/';
    }

    for (i = 0; i < name->len && e->len + 2 <= sizeof(e->where); i++) {

        if (name->data[i] == '~' || name->data[i] == '/') {
            e->where[e->len++] = '~';
            e->where[e->len++] = (name->data[i] == '~') ? '0' : '1';
            continue;
        }

        e->where[e->len++] = name->data[i];
    }

    if (i < name->len) {
        /* never half a character */
        while (e->len > len && (e->where[e->len - 1] & 0xc0) == 0x80) {
            e->len--;
        }

        if (e->len > len && e->where[e->len - 1] >= 0xc0) {
            e->len--;
        }
    }

    rc = ngx_http_azora_evaluate_walk(e, json, depth + 1);

    e->len = len;

    return rc;
}


static ngx_int_t
ngx_http_azora_evaluate_text(ngx_http_azora_evaluation_t *e,
    const u_char *text, size_t len)
{
    ngx_int_t                 rc;
    ngx_http_azora_reading_t  reading;

    if (len > NGX_HTTP_AZORA_TEXT_MAX - e->examined
        || ++e->texts > NGX_HTTP_AZORA_TEXTS_MAX)
    {
        return NGX_ABORT;
    }

    e->examined += len;

    ngx_http_azora_constitution_read(e->m, text, len, &reading);
    ngx_http_azora_constitution_candidates(e->set, e->m, &reading, e->found);

    rc = ngx_http_azora_evaluate_reading(e, &reading);

    if (rc == NGX_OK && reading.lines) {
        ngx_http_azora_constitution_join(e->m, &reading);
        rc = ngx_http_azora_evaluate_reading(e, &reading);
    }

    return rc;
}


static ngx_int_t
ngx_http_azora_evaluate_reading(ngx_http_azora_evaluation_t *e,
    const ngx_http_azora_reading_t *reading)
{
    uint64_t    bits;
    ngx_int_t   rc;
    ngx_uint_t  i, w;

    for (w = 0; w < e->set->words; w++) {

        bits = e->found[w] & e->target->rules[w] & ~e->done[w];

        while (bits) {
            i = w * 64 + __builtin_ctzll(bits);
            bits &= bits - 1;

            rc = ngx_http_azora_evaluate_rule(e, i, reading);
            if (rc != NGX_OK) {
                return rc;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_evaluate_rule(ngx_http_azora_evaluation_t *e, ngx_uint_t i,
    const ngx_http_azora_reading_t *reading)
{
    size_t                        left;
    u_char                       *at;
    ngx_int_t                     rc;
    const ngx_http_azora_rule_t  *rule;

    rule = &e->set->rules[i];

    if (!ngx_http_azora_evaluate_applies(rule, e->input->roles)) {
        return NGX_OK;
    }

    rc = ngx_http_azora_constitution_match(e->m, rule, reading, &at, &left);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    e->done[i / 64] |= (uint64_t) 1 << (i % 64);

    return ngx_http_azora_evaluate_matched(e, rule, at, left);
}


static ngx_int_t
ngx_http_azora_evaluate_matched(ngx_http_azora_evaluation_t *e,
    const ngx_http_azora_rule_t *rule, const u_char *at, size_t left)
{
    ngx_uint_t                 i;
    ngx_http_azora_match_t    *match;
    ngx_http_azora_verdict_t  *verdict;

    verdict = e->verdict;

    if (!rule->shadow && rule->effect > verdict->effect) {
        verdict->effect = rule->effect;
    }

    if (verdict->nmatches < NGX_HTTP_AZORA_MATCHES_MAX) {
        match = &verdict->matches[verdict->nmatches++];

    } else {
        /* a stronger rule takes the place of a weaker one */
        for (i = 0; i < verdict->nmatches; i++) {
            if (!rule->shadow
                && (verdict->matches[i].rule->shadow
                    || verdict->matches[i].rule->effect < rule->effect))
            {
                break;
            }
        }

        if (i == verdict->nmatches) {
            return NGX_OK;
        }

        match = &verdict->matches[i];
    }

    match->rule = rule;
    match->pointer.len = e->len;
    match->pointer.data = ngx_pnalloc(e->pool, e->len + 1);
    match->excerpt = ngx_http_azora_constitution_excerpt(e->pool, at, left);

    if (match->pointer.data == NULL || match->excerpt.data == NULL) {
        return NGX_ERROR;
    }

    *ngx_cpymem(match->pointer.data, e->where, e->len) = '\0';

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_evaluate_applies(const ngx_http_azora_rule_t *rule,
    const ngx_str_t *roles)
{
    ngx_str_t   *role;
    ngx_uint_t   i;

    role = rule->roles.elts;

    for (i = 0; i < rule->roles.nelts; i++) {
        if (ngx_azora_list_has(roles, (char *) role[i].data, role[i].len)) {
            return 1;
        }
    }

    return rule->roles.nelts == 0;
}
