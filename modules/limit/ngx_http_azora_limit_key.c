
/*
 * Which rules are for a request, and by what each of them counts it.
 */


#include "ngx_http_azora_limit.h"


static ngx_uint_t ngx_http_azora_limit_by_key(ngx_http_request_t *r);
static ngx_uint_t ngx_http_azora_limit_routed(
    const ngx_http_azora_limit_rule_t *rule, const ngx_azora_ctx_t *ctx);
static void ngx_http_azora_limit_address(ngx_http_request_t *r,
    ngx_str_t *key);


ngx_uint_t
ngx_http_azora_limit_exempt(ngx_http_request_t *r,
    ngx_http_azora_limit_conf_t *conf)
{
    if (conf->exempt == NULL) {
        return 0;
    }

    return ngx_cidr_match(r->connection->sockaddr, conf->exempt) == NGX_OK;
}


/*
 * A rule with a tier is for the subjects of that tier, and one without for
 * those whose tier no rule of the same zone names.
 */

ngx_uint_t
ngx_http_azora_limit_applies(ngx_http_azora_limit_conf_t *conf,
    ngx_http_azora_limit_rule_t *rule, ngx_azora_ctx_t *ctx,
    ngx_azora_stage_e stage)
{
    ngx_str_t                    *tier;
    ngx_uint_t                    i;
    ngx_http_azora_limit_rule_t  *other;

    if (rule->route.len && !ngx_http_azora_limit_routed(rule, ctx)) {
        return 0;
    }

    if (rule->key == NGX_HTTP_AZORA_LIMIT_ADDRESS
        || rule->key == NGX_HTTP_AZORA_LIMIT_VALUE)
    {
        return stage == NGX_AZORA_STAGE_LIMIT_ADDRESS;
    }

    if (stage != NGX_AZORA_STAGE_LIMIT_PRINCIPAL
        || ctx->principal.subject.len == 0)
    {
        return 0;
    }

    if (rule->key == NGX_HTTP_AZORA_LIMIT_API_KEY) {
        return ngx_http_azora_limit_by_key(ctx->request);
    }

    tier = &ctx->principal.tier;

    if (rule->tier.len) {
        return rule->tier.len == tier->len
               && ngx_memcmp(rule->tier.data, tier->data, tier->len) == 0;
    }

    other = conf->rules->elts;

    for (i = 0; tier->len && i < conf->rules->nelts; i++) {
        if (other[i].shm_zone == rule->shm_zone
            && other[i].tier.len == tier->len
            && ngx_memcmp(other[i].tier.data, tier->data, tier->len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


/*
 * Whether who calls, whose identity was proved before, did so with an API key:
 * as a Bearer or, where there is none, in a header of its own.
 */

static ngx_uint_t
ngx_http_azora_limit_by_key(ngx_http_request_t *r)
{
    u_char           *p, *last;
    ngx_str_t         value;
    ngx_table_elt_t  *h;

    h = r->headers_in.authorization;

    if (h != NULL) {
        p = h->value.data + ngx_min(sizeof("Bearer") - 1, h->value.len);
        last = h->value.data + h->value.len;

        while (p < last && *p == ' ') {
            p++;
        }

        return last - p > 4 && ngx_strncmp(p, "azk_", 4) == 0;
    }

    return ngx_azora_request_header(r, "X-API-Key", &value) == NGX_OK;
}


/* Whether the request's row is one of those that the rule is for. */

static ngx_uint_t
ngx_http_azora_limit_routed(const ngx_http_azora_limit_rule_t *rule,
    const ngx_azora_ctx_t *ctx)
{
    u_char           *p, *end, *last;
    const ngx_str_t  *path;

    if (ctx->endpoint == NULL) {
        return 0;
    }

    path = &ctx->endpoint->path;
    last = rule->route.data + rule->route.len;

    for (p = rule->route.data; p < last; p = end + 1) {
        end = ngx_strlchr(p, last, '|');
        end = end ? end : last;

        if ((size_t) (end - p) == path->len
            && ngx_memcmp(p, path->data, path->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_http_azora_limit_key(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_limit_rule_t *rule, ngx_str_t *key)
{
    switch (rule->key) {

    case NGX_HTTP_AZORA_LIMIT_ADDRESS:
        ngx_http_azora_limit_address(r, key);
        break;

    case NGX_HTTP_AZORA_LIMIT_SUBJECT:
        *key = ctx->principal.subject;
        break;

    case NGX_HTTP_AZORA_LIMIT_SESSION:
    case NGX_HTTP_AZORA_LIMIT_API_KEY:
        /* of a key it is the key's own id, so that nothing secret is kept */
        *key = ctx->principal.session;
        break;

    default:
        if (ngx_http_complex_value(r, &rule->value, key) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return key->len ? NGX_OK : NGX_DECLINED;
}


/*
 * IPv6 clients are told apart by their /64, the least that a site is given
 * (RFC 6177), or one client would have 2^64 allowances.
 */

static void
ngx_http_azora_limit_address(ngx_http_request_t *r, ngx_str_t *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (r->connection->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) r->connection->sockaddr;
        key->data = (u_char *) &sin->sin_addr;
        key->len = 4;
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) r->connection->sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            key->data = &sin6->sin6_addr.s6_addr[12];
            key->len = 4;
            break;
        }

        key->data = sin6->sin6_addr.s6_addr;
        key->len = 8;
        break;
#endif

    default:
        ngx_str_set(key, "unix:");
    }
}
