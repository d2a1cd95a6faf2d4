
/*
 * The claims of an access token, RFC 7519 and RFC 9068: each has one type and
 * one meaning, and a token in which one is amiss is no token.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_TEXT_MAX     256    /* jti */
#define NGX_HTTP_AZORA_AUTH_TIER_MAX     32
#define NGX_HTTP_AZORA_AUTH_ROLES_MAX    16
#define NGX_HTTP_AZORA_AUTH_SCOPE_MAX    1024
#define NGX_HTTP_AZORA_AUTH_TIME_MAX     253402300799LL  /* end of 9999 */


typedef struct {
    ngx_http_azora_auth_jwt_t  *jwt;
    u_char                     *last;     /* free bytes of jwt->text */
} ngx_http_azora_auth_claims_t;


static ngx_uint_t ngx_http_azora_auth_audience(json_t *value,
    const ngx_str_t *expected);
static ngx_int_t ngx_http_azora_auth_times(json_t *root,
    const ngx_http_azora_auth_expect_t *expect, time_t now,
    ngx_http_azora_auth_jwt_t *jwt);
static ngx_int_t ngx_http_azora_auth_subject(
    ngx_http_azora_auth_claims_t *claims, json_t *root);
static ngx_int_t ngx_http_azora_auth_rights(
    ngx_http_azora_auth_claims_t *claims, json_t *root);
static ngx_int_t ngx_http_azora_auth_roles(
    ngx_http_azora_auth_claims_t *claims, json_t *roles);


ngx_int_t
ngx_http_azora_auth_claims(json_t *root,
    const ngx_http_azora_auth_expect_t *expect, time_t now,
    ngx_http_azora_auth_jwt_t *jwt)
{
    ngx_http_azora_auth_claims_t  claims;

    if (!ngx_http_azora_auth_claim_equals(json_object_get(root, "iss"),
                                          &expect->issuer))
    {
        return ngx_http_azora_auth_refuse(jwt, "the token is of another "
                                               "issuer");
    }

    if (!ngx_http_azora_auth_audience(json_object_get(root, "aud"),
                                      &expect->audience))
    {
        return ngx_http_azora_auth_refuse(jwt, "the token is for another "
                                               "audience");
    }

    if (ngx_http_azora_auth_times(root, expect, now, jwt) != NGX_OK) {
        return NGX_DECLINED;
    }

    claims.jwt = jwt;
    claims.last = jwt->text;

    if (ngx_http_azora_auth_subject(&claims, root) != NGX_OK
        || ngx_http_azora_auth_rights(&claims, root) != NGX_OK)
    {
        return ngx_http_azora_auth_refuse(jwt, "the token's claims are not "
                                               "well formed");
    }

    return NGX_OK;
}


ngx_uint_t
ngx_http_azora_auth_claim_equals(json_t *value, const ngx_str_t *expected)
{
    return json_is_string(value)
           && json_string_length(value) == expected->len
           && ngx_memcmp(json_string_value(value), expected->data,
                         expected->len)
              == 0;
}


/* RFC 7519 4.1.3: a string, or an array of strings which names us */

static ngx_uint_t
ngx_http_azora_auth_audience(json_t *value, const ngx_str_t *expected)
{
    size_t       i;
    ngx_uint_t   found;

    if (!json_is_array(value)) {
        return ngx_http_azora_auth_claim_equals(value, expected);
    }

    found = 0;

    for (i = 0; i < json_array_size(value); i++) {

        if (!json_is_string(json_array_get(value, i))) {
            return 0;
        }

        found |= ngx_http_azora_auth_claim_equals(json_array_get(value, i),
                                                  expected);
    }

    return found;
}


/* Whole seconds only: neither 1.7e9 nor "1700000000" is a time here. */

static ngx_int_t
ngx_http_azora_auth_time(json_t *value, json_int_t *out)
{
    if (!json_is_integer(value)) {
        return NGX_DECLINED;
    }

    *out = json_integer_value(value);

    return (*out >= 0 && *out <= NGX_HTTP_AZORA_AUTH_TIME_MAX)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_azora_auth_times(json_t *root,
    const ngx_http_azora_auth_expect_t *expect, time_t now,
    ngx_http_azora_auth_jwt_t *jwt)
{
    json_t      *nbf;
    json_int_t   exp, iat, from;

    if (ngx_http_azora_auth_time(json_object_get(root, "exp"), &exp) != NGX_OK
        || ngx_http_azora_auth_time(json_object_get(root, "iat"), &iat)
           != NGX_OK)
    {
        return ngx_http_azora_auth_refuse(jwt, "the token's exp or iat is not "
                                               "a time");
    }

    from = iat;
    nbf = json_object_get(root, "nbf");

    if (nbf != NULL && ngx_http_azora_auth_time(nbf, &from) != NGX_OK) {
        return ngx_http_azora_auth_refuse(jwt, "the token's nbf is not a "
                                               "time");
    }

    if (exp + expect->leeway <= now) {
        return ngx_http_azora_auth_refuse(jwt, "the token has expired");
    }

    if (ngx_max(from, iat) > now + expect->leeway) {
        return ngx_http_azora_auth_refuse(jwt, "the token is not valid yet");
    }

    jwt->identity.principal.expires = (time_t) exp;
    jwt->identity.issued = (time_t) iat;

    return NGX_OK;
}


/* A string claim of min..max bytes without control characters. */

static ngx_int_t
ngx_http_azora_auth_claim(ngx_http_azora_auth_claims_t *claims,
    json_t *value, size_t min, size_t max, ngx_str_t *out)
{
    size_t       len, i;
    const char  *data;

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    data = json_string_value(value);
    len = json_string_length(value);

    if (len < min || len > max
        || len > (size_t) (claims->jwt->text + sizeof(claims->jwt->text)
                           - claims->last))
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < len; i++) {
        if ((u_char) data[i] < 0x20 || data[i] == 0x7f) {
            return NGX_DECLINED;
        }
    }

    out->data = claims->last;
    out->len = len;
    claims->last = ngx_cpymem(claims->last, data, len);

    return NGX_OK;
}


/* A UUID in PostgreSQL's own spelling, which is where it goes. */

static ngx_int_t
ngx_http_azora_auth_uuid(ngx_http_azora_auth_claims_t *claims, json_t *value,
    ngx_str_t *out)
{
    size_t  i;

    if (ngx_http_azora_auth_claim(claims, value, 36, 36, out) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = 0; i < 36; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (out->data[i] != '-') {
                return NGX_DECLINED;
            }

        } else if (!(out->data[i] >= '0' && out->data[i] <= '9')
                   && !(out->data[i] >= 'a' && out->data[i] <= 'f'))
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* A role or tier: it may become an element of an SQL array literal. */

static ngx_int_t
ngx_http_azora_auth_word(ngx_http_azora_auth_claims_t *claims, json_t *value,
    ngx_str_t *out)
{
    size_t  i;

    if (ngx_http_azora_auth_claim(claims, value, 1,
                                  NGX_HTTP_AZORA_AUTH_TIER_MAX, out)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    for (i = 0; i < out->len; i++) {
        if (!(out->data[i] >= 'a' && out->data[i] <= 'z')
            && !(out->data[i] >= '0' && out->data[i] <= '9')
            && out->data[i] != '_' && out->data[i] != '-')
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* Who: the account, its epoch and the session; a jti must be there. */

static ngx_int_t
ngx_http_azora_auth_subject(ngx_http_azora_auth_claims_t *claims,
    json_t *root)
{
    json_t                 *sid, *epoch;
    ngx_str_t               jti;
    ngx_azora_principal_t  *principal;

    principal = &claims->jwt->identity.principal;

    if (ngx_http_azora_auth_uuid(claims, json_object_get(root, "sub"),
                                 &principal->subject)
        != NGX_OK
        || ngx_http_azora_auth_claim(claims, json_object_get(root, "jti"), 1,
                                     NGX_HTTP_AZORA_AUTH_TEXT_MAX, &jti)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    epoch = json_object_get(root, "epoch");

    if (epoch != NULL) {
        if (!json_is_integer(epoch) || json_integer_value(epoch) < 0) {
            return NGX_DECLINED;
        }

        claims->jwt->identity.epoch = (uint64_t) json_integer_value(epoch);
    }

    sid = json_object_get(root, "sid");

    return (sid == NULL) ? NGX_OK
                         : ngx_http_azora_auth_uuid(claims, sid,
                                                    &principal->session);
}


/* What they may: scope, tier and roles, all optional. */

static ngx_int_t
ngx_http_azora_auth_rights(ngx_http_azora_auth_claims_t *claims, json_t *root)
{
    size_t                  i;
    json_t                 *scope, *tier;
    ngx_azora_principal_t  *principal;

    principal = &claims->jwt->identity.principal;
    scope = json_object_get(root, "scope");
    tier = json_object_get(root, "tier");

    if (scope != NULL
        && ngx_http_azora_auth_claim(claims, scope, 0,
                                     NGX_HTTP_AZORA_AUTH_SCOPE_MAX,
                                     &principal->scope)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    /* RFC 6749 3.3 */

    for (i = 0; i < principal->scope.len; i++) {
        if (principal->scope.data[i] >= 0x7f
            || principal->scope.data[i] == '"'
            || principal->scope.data[i] == '\\')
        {
            return NGX_DECLINED;
        }
    }

    if (tier != NULL
        && ngx_http_azora_auth_word(claims, tier, &principal->tier) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    return ngx_http_azora_auth_roles(claims, json_object_get(root, "roles"));
}


/* ["learner", "teacher"] -> "learner teacher" */

static ngx_int_t
ngx_http_azora_auth_roles(ngx_http_azora_auth_claims_t *claims, json_t *roles)
{
    size_t      i;
    ngx_str_t   role, *out;

    out = &claims->jwt->identity.principal.roles;

    if (roles == NULL) {
        return NGX_OK;
    }

    if (!json_is_array(roles)
        || json_array_size(roles) > NGX_HTTP_AZORA_AUTH_ROLES_MAX)
    {
        return NGX_DECLINED;
    }

    out->data = claims->last;

    for (i = 0; i < json_array_size(roles); i++) {

        if (i > 0) {
            if (claims->last
                == claims->jwt->text + sizeof(claims->jwt->text))
            {
                return NGX_DECLINED;
            }

            *claims->last++ = ' ';
        }

        if (ngx_http_azora_auth_word(claims, json_array_get(roles, i), &role)
            != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    out->len = claims->last - out->data;

    return NGX_OK;
}
