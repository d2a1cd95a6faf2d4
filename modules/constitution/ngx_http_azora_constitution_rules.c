
/*
 * A rule set as data: what court.enacted_rules() returned is read, checked and
 * laid out.  Any doubt refuses the whole set, because half of a constitution
 * is another constitution.
 */


#include "ngx_http_azora_constitution.h"


static ngx_int_t ngx_http_azora_rules_read(ngx_http_azora_rules_t *set,
    u_char *reason);
static ngx_int_t ngx_http_azora_rules_read_rule(ngx_http_azora_rules_t *set,
    json_t *json, ngx_http_azora_rule_t *rule, u_char *reason);
static ngx_int_t ngx_http_azora_rules_read_effect(json_t *json,
    ngx_http_azora_rule_t *rule);
static ngx_int_t ngx_http_azora_rules_read_roles(ngx_http_azora_rules_t *set,
    json_t *json, ngx_http_azora_rule_t *rule);
static ngx_int_t ngx_http_azora_rules_read_routes(
    ngx_http_azora_rules_t *set, json_t *json, ngx_http_azora_rule_t *rule);
static ngx_int_t ngx_http_azora_rules_read_pointers(
    ngx_http_azora_rules_t *set, json_t *json, ngx_http_azora_rule_t *rule);
static ngx_int_t ngx_http_azora_rules_read_pointer(
    ngx_http_azora_rules_t *set, json_t *json, ngx_uint_t *index);
static ngx_int_t ngx_http_azora_rules_split(ngx_http_azora_rules_t *set,
    ngx_http_azora_pointer_t *pointer);
static ngx_int_t ngx_http_azora_rules_examples(json_t *examples);
static ngx_int_t ngx_http_azora_rules_string(ngx_pool_t *pool, json_t *json,
    size_t max, ngx_str_t *to);


ngx_http_azora_rules_t *
ngx_http_azora_constitution_rules_parse(const u_char *text, size_t len,
    ngx_log_t *log, u_char *reason)
{
    ngx_pool_t              *pool;
    json_error_t             error;
    ngx_http_azora_rules_t  *set;

    *ngx_sprintf(reason, "out of memory") = '\0';

    pool = ngx_create_pool(16 * 1024, log);
    if (pool == NULL) {
        return NULL;
    }

    set = ngx_pcalloc(pool, sizeof(ngx_http_azora_rules_t));
    if (set == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    set->pool = pool;

    set->json = json_loadb((const char *) text, len, JSON_REJECT_DUPLICATES,
                           &error);
    if (set->json == NULL) {
        *ngx_snprintf(reason, NGX_HTTP_AZORA_REASON_LEN - 1,
                      "not JSON: %s at byte %d", error.text, error.position)
            = '\0';

    } else if (ngx_http_azora_rules_read(set, reason) == NGX_OK) {
        return set;
    }

    ngx_http_azora_constitution_rules_destroy(set);

    return NULL;
}


static ngx_int_t
ngx_http_azora_rules_read(ngx_http_azora_rules_t *set, u_char *reason)
{
    json_t      *list;
    ngx_uint_t   i;

    list = json_object_get(set->json, "rules");

    if (ngx_http_azora_rules_string(set->pool,
                                    json_object_get(set->json, "hash"), 256,
                                    &set->hash)
        != NGX_OK
        || !json_is_array(list)
        || json_array_size(list) > NGX_HTTP_AZORA_RULES_MAX)
    {
        *ngx_sprintf(reason, "it needs a hash and a list of at most %d rules",
                     NGX_HTTP_AZORA_RULES_MAX)
            = '\0';
        return NGX_ERROR;
    }

    set->generation = json_integer_value(json_object_get(set->json,
                                                         "generation"));
    set->nrules = json_array_size(list);
    set->words = (set->nrules + 63) / 64;
    set->rules = ngx_pcalloc(set->pool,
                             (set->nrules + 1)
                             * sizeof(ngx_http_azora_rule_t));
    set->always = ngx_pcalloc(set->pool,
                              (set->words + 1) * sizeof(uint64_t));

    if (set->rules == NULL || set->always == NULL
        || ngx_array_init(&set->routes, set->pool, 16, sizeof(ngx_str_t))
           != NGX_OK
        || ngx_array_init(&set->pointers, set->pool, 16,
                          sizeof(ngx_http_azora_pointer_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < set->nrules; i++) {
        if (ngx_http_azora_rules_read_rule(set, json_array_get(list, i),
                                           &set->rules[i], reason)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_read_rule(ngx_http_azora_rules_t *set, json_t *json,
    ngx_http_azora_rule_t *rule, u_char *reason)
{
    const char  *wrong;
    ngx_pool_t  *pool;

    pool = set->pool;
    wrong = NULL;
    rule->examples = json_object_get(json, "examples");
    rule->shadow = json_is_true(json_object_get(json, "shadow"));

    if (ngx_http_azora_rules_string(pool, json_object_get(json, "id"), 128,
                                    &rule->id)
        != NGX_OK)
    {
        ngx_str_set(&rule->id, "?");
        wrong = "id";

    } else if (ngx_http_azora_rules_string(pool,
                                           json_object_get(json, "article"),
                                           64, &rule->article)
               != NGX_OK)
    {
        wrong = "article";

    } else if (ngx_http_azora_rules_string(pool,
                                           json_object_get(json,
                                                           "article_title"),
                                           1024, &rule->title)
               != NGX_OK)
    {
        wrong = "article_title";

    } else if (ngx_http_azora_rules_string(pool,
                                           json_object_get(json, "reason"),
                                           2048, &rule->reason)
               != NGX_OK)
    {
        wrong = "reason";

    } else if (ngx_http_azora_rules_string(pool,
                                           json_object_get(json, "pattern"),
                                           NGX_HTTP_AZORA_PATTERN_LEN,
                                           &rule->pattern)
               != NGX_OK)
    {
        wrong = "pattern";

    } else if (ngx_http_azora_rules_read_effect(json, rule) != NGX_OK) {
        wrong = "effect";

    } else if (ngx_http_azora_rules_read_roles(set, json, rule) != NGX_OK) {
        wrong = "roles";

    } else if (ngx_http_azora_rules_read_routes(set, json, rule) != NGX_OK) {
        wrong = "routes";

    } else if (ngx_http_azora_rules_read_pointers(set, json, rule) != NGX_OK)
    {
        wrong = "pointers";

    } else if (ngx_http_azora_rules_examples(rule->examples) != NGX_OK) {
        wrong = "examples";
    }

    if (wrong == NULL) {
        return NGX_OK;
    }

    *ngx_snprintf(reason, NGX_HTTP_AZORA_REASON_LEN - 1,
                  "rule \"%V\": its \"%s\" is missing or wrong", &rule->id,
                  wrong)
        = '\0';

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_rules_read_effect(json_t *json, ngx_http_azora_rule_t *rule)
{
    const char  *effect;

    effect = json_string_value(json_object_get(json, "effect"));

    if (effect == NULL) {
        return NGX_ERROR;
    }

    if (ngx_strcmp(effect, "deny") == 0) {
        rule->effect = NGX_HTTP_AZORA_DENY;

    } else if (ngx_strcmp(effect, "review") == 0) {
        rule->effect = NGX_HTTP_AZORA_REVIEW;

    } else if (ngx_strcmp(effect, "flag") == 0) {
        rule->effect = NGX_HTTP_AZORA_FLAG;

    } else {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "roles": only callers who have one of them; optional */

static ngx_int_t
ngx_http_azora_rules_read_roles(ngx_http_azora_rules_t *set, json_t *json,
    ngx_http_azora_rule_t *rule)
{
    json_t      *list;
    ngx_str_t   *role;
    ngx_uint_t   i;

    list = json_object_get(json, "roles");

    if (list == NULL || json_is_null(list)) {
        return NGX_OK;
    }

    if (!json_is_array(list) || json_array_size(list) == 0
        || json_array_size(list) > 16
        || ngx_array_init(&rule->roles, set->pool, 4, sizeof(ngx_str_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < json_array_size(list); i++) {

        role = ngx_array_push(&rule->roles);

        if (role == NULL
            || ngx_http_azora_rules_string(set->pool, json_array_get(list, i),
                                           64, role)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* "routes": "POST /v1/jobs" as the row has it, or "*" alone for all */

static ngx_int_t
ngx_http_azora_rules_read_routes(ngx_http_azora_rules_t *set, json_t *json,
    ngx_http_azora_rule_t *rule)
{
    json_t      *list;
    ngx_str_t    route, *known;
    ngx_uint_t   i, k, *index;

    list = json_object_get(json, "routes");

    if (!json_is_array(list) || json_array_size(list) == 0
        || ngx_array_init(&rule->routes, set->pool, 4, sizeof(ngx_uint_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < json_array_size(list); i++) {

        if (ngx_http_azora_rules_string(set->pool, json_array_get(list, i),
                                        256, &route)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (route.len == 1 && route.data[0] == '*') {
            return (json_array_size(list) == 1) ? NGX_OK : NGX_ERROR;
        }

        known = set->routes.elts;

        for (k = 0; k < set->routes.nelts; k++) {
            if (known[k].len == route.len
                && ngx_memcmp(known[k].data, route.data, route.len) == 0)
            {
                break;
            }
        }

        if (k == set->routes.nelts) {

            if (k == NGX_HTTP_AZORA_ROUTES_MAX) {
                return NGX_ERROR;
            }

            known = ngx_array_push(&set->routes);
            if (known == NULL) {
                return NGX_ERROR;
            }

            *known = route;
        }

        index = ngx_array_push(&rule->routes);
        if (index == NULL) {
            return NGX_ERROR;
        }

        *index = k;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_read_pointers(ngx_http_azora_rules_t *set, json_t *json,
    ngx_http_azora_rule_t *rule)
{
    json_t      *list;
    ngx_uint_t   i, *index;

    list = json_object_get(json, "pointers");

    if (!json_is_array(list) || json_array_size(list) == 0
        || ngx_array_init(&rule->pointers, set->pool, 4, sizeof(ngx_uint_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < json_array_size(list); i++) {

        index = ngx_array_push(&rule->pointers);

        if (index == NULL
            || ngx_http_azora_rules_read_pointer(set, json_array_get(list, i),
                                                 index)
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_rules_read_pointer(ngx_http_azora_rules_t *set, json_t *json,
    ngx_uint_t *index)
{
    ngx_str_t                  text;
    ngx_uint_t                 i;
    ngx_http_azora_pointer_t  *pointer;

    if (ngx_http_azora_rules_string(set->pool, json,
                                    NGX_HTTP_AZORA_POINTER_LEN, &text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    pointer = set->pointers.elts;

    for (i = 0; i < set->pointers.nelts; i++) {
        if (pointer[i].text.len == text.len
            && ngx_memcmp(pointer[i].text.data, text.data, text.len) == 0)
        {
            *index = i;
            return NGX_OK;
        }
    }

    if (i == NGX_HTTP_AZORA_POINTERS_MAX) {
        return NGX_ERROR;
    }

    pointer = ngx_array_push(&set->pointers);
    if (pointer == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(pointer, sizeof(ngx_http_azora_pointer_t));
    pointer->text = text;
    *index = i;

    if (text.len == 4 && ngx_strncmp(text.data, "path", 4) == 0) {
        pointer->path = 1;
        return NGX_OK;
    }

    return ngx_http_azora_rules_split(set, pointer);
}


/* RFC 6901; a segment "*" means every element or member */

static ngx_int_t
ngx_http_azora_rules_split(ngx_http_azora_rules_t *set,
    ngx_http_azora_pointer_t *pointer)
{
    u_char     *p, *last, *to;
    ngx_str_t  *segment;

    p = pointer->text.data;
    last = p + pointer->text.len;

    while (p < last) {

        if (*p++ != '/' || pointer->nsegments == NGX_HTTP_AZORA_SEGMENTS_MAX)
        {
            return NGX_ERROR;
        }

        segment = &pointer->segments[pointer->nsegments++];

        to = ngx_pnalloc(set->pool, last - p + 1);
        if (to == NULL) {
            return NGX_ERROR;
        }

        segment->data = to;

        for ( /* void */ ; p < last && *p != '/'; p++) {

            if (*p == '~') {
                if (++p == last || (*p != '0' && *p != '1')) {
                    return NGX_ERROR;
                }
                *to++ = (*p == '0') ? '~' : '/';
                continue;
            }

            *to++ = *p;
        }

        *to = '\0';
        segment->len = to - segment->data;
    }

    return pointer->nsegments ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_rules_examples(json_t *examples)
{
    json_t             *list;
    ngx_uint_t          i, k;
    static const char  *sorts[] = { "match", "no_match" };

    for (i = 0; i < 2; i++) {

        list = json_object_get(examples, sorts[i]);

        if (!json_is_array(list) || json_array_size(list) == 0
            || json_array_size(list) > NGX_HTTP_AZORA_EXAMPLES_MAX)
        {
            return NGX_ERROR;
        }

        for (k = 0; k < json_array_size(list); k++) {
            if (!json_is_string(json_array_get(list, k))
                || json_string_length(json_array_get(list, k))
                   > NGX_HTTP_AZORA_EXAMPLE_LEN)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* 1..max bytes, copied; an integer is taken as its digits */

static ngx_int_t
ngx_http_azora_rules_string(ngx_pool_t *pool, json_t *json, size_t max,
    ngx_str_t *to)
{
    u_char     number[NGX_INT64_LEN + 1];
    ngx_str_t  from;

    ngx_str_null(to);

    if (json_is_integer(json)) {
        from.data = number;
        from.len = ngx_sprintf(number, "%L",
                               (int64_t) json_integer_value(json))
                   - number;

    } else {
        from.data = (u_char *) json_string_value(json);
        from.len = json_string_length(json);
    }

    if (from.data == NULL || from.len == 0 || from.len > max) {
        return NGX_ERROR;
    }

    to->data = ngx_pstrdup(pool, &from);
    if (to->data == NULL) {
        return NGX_ERROR;
    }

    to->len = from.len;

    return NGX_OK;
}


void
ngx_http_azora_constitution_rules_destroy(ngx_http_azora_rules_t *set)
{
    ngx_uint_t  i;

    if (set == NULL) {
        return;
    }

    if (set->rules != NULL) {
        for (i = 0; i < set->nrules; i++) {
            /* each takes NULL */
            pcre2_code_free(set->rules[i].code);
            pcre2_code_free(set->rules[i].guarded);
        }
    }

    if (set->json != NULL) {
        json_decref(set->json);
    }

    ngx_destroy_pool(set->pool);
}
