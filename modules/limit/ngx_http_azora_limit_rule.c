
/*
 * One azora_limit directive.
 */


#include "ngx_http_azora_limit.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_LIMIT_COUNT_MAX   1000000

/* ns; some 36 years of work ahead keep all sums far from overflow */
#define NGX_HTTP_AZORA_LIMIT_AHEAD_MAX   ((uint64_t) 1 << 60)


static char *ngx_http_azora_limit_rule_argument(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *arg, ngx_str_t *rate);
static char *ngx_http_azora_limit_rule_key(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *key);
static char *ngx_http_azora_limit_rule_finish(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *rate);
static uint64_t ngx_http_azora_limit_rule_domain(
    const ngx_http_azora_limit_rule_t *rule);
static ngx_int_t ngx_http_azora_limit_rule_rate(ngx_str_t *text,
    ngx_uint_t *count, uint64_t *period);


/*
 * zone=ip [key=address] rate=100r/m [burst=100] [tier=free] [route=/v1/a|/v1/b]
 * [dry_run]
 */

char *
ngx_http_azora_limit_parse_rule(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule)
{
    char        *rv;
    ngx_str_t   *value, rate;
    ngx_uint_t   i;

    value = cf->args->elts;
    ngx_str_null(&rate);

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_http_azora_limit_rule_argument(cf, rule, &value[i], &rate);

        if (rv == NGX_CONF_OK) {
            continue;
        }

        if (rv != NGX_CONF_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"azora_limit\": \"%V\" %s", &value[i], rv);
        }

        return NGX_CONF_ERROR;
    }

    return ngx_http_azora_limit_rule_finish(cf, rule, &rate);
}


static char *
ngx_http_azora_limit_rule_argument(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *arg, ngx_str_t *rate)
{
    ngx_int_t   n;
    ngx_str_t   text, name;

    if (ngx_strcmp(arg->data, "dry_run") == 0) {
        rule->dry_run = 1;
        return NGX_CONF_OK;
    }

    text.data = (u_char *) ngx_strchr(arg->data, '=');

    if (text.data == NULL) {
        return "is not known";
    }

    text.data++;
    text.len = arg->data + arg->len - text.data;

    if (text.len == 0) {
        return "has no value";
    }

    name.data = arg->data;
    name.len = text.data - arg->data;

    if (name.len == 5 && ngx_strncmp(name.data, "zone=", 5) == 0) {
        rule->shm_zone = ngx_shared_memory_add(cf, &text, 0,
                                               &ngx_http_azora_limit_module);
        return rule->shm_zone ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (name.len == 4 && ngx_strncmp(name.data, "key=", 4) == 0) {
        return ngx_http_azora_limit_rule_key(cf, rule, &text);
    }

    if (name.len == 5 && ngx_strncmp(name.data, "rate=", 5) == 0) {
        *rate = text;
        return NGX_CONF_OK;
    }

    if (name.len == 6 && ngx_strncmp(name.data, "burst=", 6) == 0) {
        n = ngx_atoi(text.data, text.len);

        if (n < 1 || n > NGX_HTTP_AZORA_LIMIT_COUNT_MAX) {
            return "must be a number from 1 to 1000000";
        }

        rule->quota = n;
        return NGX_CONF_OK;
    }

    if (name.len == 5 && ngx_strncmp(name.data, "tier=", 5) == 0) {
        rule->tier = text;
        return NGX_CONF_OK;
    }

    if (name.len == 6 && ngx_strncmp(name.data, "route=", 6) == 0) {
        rule->route = text;
        return NGX_CONF_OK;
    }

    return "is not known";
}


static char *
ngx_http_azora_limit_rule_key(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *key)
{
    ngx_http_compile_complex_value_t  ccv;

    if (ngx_strcmp(key->data, "address") == 0) {
        rule->key = NGX_HTTP_AZORA_LIMIT_ADDRESS;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(key->data, "subject") == 0) {
        rule->key = NGX_HTTP_AZORA_LIMIT_SUBJECT;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(key->data, "session") == 0) {
        rule->key = NGX_HTTP_AZORA_LIMIT_SESSION;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(key->data, "api_key") == 0) {
        rule->key = NGX_HTTP_AZORA_LIMIT_API_KEY;
        return NGX_CONF_OK;
    }

    if (ngx_http_script_variables_count(key) == 0) {
        return "is neither address, subject, session, api_key nor has it a "
               "variable";
    }

    rule->key = NGX_HTTP_AZORA_LIMIT_VALUE;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = key;
    ccv.complex_value = &rule->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK) ? NGX_CONF_OK
                                                            : NGX_CONF_ERROR;
}


static char *
ngx_http_azora_limit_rule_finish(ngx_conf_t *cf,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *rate)
{
    u_char      *p;
    uint64_t     period;
    ngx_uint_t   count;

    if (rule->shm_zone == NULL) {
        return "needs zone=";
    }

    if (ngx_http_azora_limit_rule_rate(rate, &count, &period) != NGX_OK) {
        return "needs rate=, such as 10r/s, 100r/m, 1000r/h or 5000r/d";
    }

    if (rule->tier.len && rule->key != NGX_HTTP_AZORA_LIMIT_SUBJECT
        && rule->key != NGX_HTTP_AZORA_LIMIT_SESSION)
    {
        return "takes tier= with key=subject or key=session only";
    }

    if (rule->quota == 0) {
        rule->quota = count;
    }

    rule->rate.interval = period / count;

    if (rule->quota > NGX_HTTP_AZORA_LIMIT_AHEAD_MAX / rule->rate.interval) {
        return "has a burst that takes too long to come back";
    }

    rule->rate.tolerance = rule->quota * rule->rate.interval;
    rule->window = (rule->rate.tolerance + 999999999) / 1000000000;

    rule->domain = ngx_http_azora_limit_rule_domain(rule);

    p = ngx_pnalloc(cf->pool, rule->shm_zone->shm.name.len
                              + sizeof("\"\";q=;w=") + 2 * NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    rule->policy.data = p;
    rule->policy.len = ngx_sprintf(p, "\"%V\";q=%ui;w=%ui",
                                   &rule->shm_zone->shm.name, rule->quota,
                                   rule->window)
                       - p;

    return NGX_CONF_OK;
}


/*
 * Rules of one zone count apart when their keys or rates differ; on every node
 * the same.
 */

static uint64_t
ngx_http_azora_limit_rule_domain(const ngx_http_azora_limit_rule_t *rule)
{
    uint64_t          numbers[3], domain[2];
    const ngx_str_t  *text;

    numbers[0] = rule->rate.interval;
    numbers[1] = rule->quota;
    numbers[2] = rule->key;
    text = &rule->value.value;

    (void) crypto_generichash((u_char *) domain, sizeof(domain), text->data,
                              text->len, (u_char *) numbers, sizeof(numbers));

    return domain[0];
}


/* "100r/m" -> 100 and 60 s in ns */

static ngx_int_t
ngx_http_azora_limit_rule_rate(ngx_str_t *text, ngx_uint_t *count,
    uint64_t *period)
{
    ngx_int_t  n;

    if (text->len < 4
        || ngx_strncmp(text->data + text->len - 3, "r/", 2) != 0)
    {
        return NGX_ERROR;
    }

    n = ngx_atoi(text->data, text->len - 3);

    if (n < 1 || n > NGX_HTTP_AZORA_LIMIT_COUNT_MAX) {
        return NGX_ERROR;
    }

    *count = n;

    switch (text->data[text->len - 1]) {

    case 's':
        *period = 1000000000ULL;
        return NGX_OK;

    case 'm':
        *period = 60 * 1000000000ULL;
        return NGX_OK;

    case 'h':
        *period = 3600 * 1000000000ULL;
        return NGX_OK;

    case 'd':
        *period = 86400 * 1000000000ULL;
        return NGX_OK;

    default:
        return NGX_ERROR;
    }
}
