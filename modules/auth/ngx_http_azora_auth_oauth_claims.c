
/*
 * ID tokens, OpenID Connect Core 3.1.3.7: of this provider, for us, for this
 * very login, and fresh.  The signature is checked by the verifier of our own
 * access tokens, with the provider's keys.
 */


#include "ngx_http_azora_auth_oauth.h"


#define NGX_HTTP_AZORA_AUTH_ID_LEEWAY   60     /* seconds clocks may differ */
#define NGX_HTTP_AZORA_AUTH_ID_AGE_MAX  600    /* seconds since it was issued */
#define NGX_HTTP_AZORA_AUTH_SUB_MAX     255    /* Core 2 */


static const char *ngx_http_azora_auth_id_wrong(json_t *root,
    const ngx_http_azora_auth_provider_t *provider, const u_char *nonce,
    time_t now);
static ngx_uint_t ngx_http_azora_auth_id_audience(json_t *root,
    const ngx_str_t *client);
static ngx_uint_t ngx_http_azora_auth_id_fresh(json_t *root, time_t now);
static ngx_uint_t ngx_http_azora_auth_id_subject(json_t *sub);


ngx_int_t
ngx_http_azora_auth_id_token(const ngx_http_azora_auth_provider_t *provider,
    const ngx_str_t *token, const u_char *nonce, time_t now, json_t **claims,
    const char **reason)
{
    json_t  *root;

    /* too large for the stack, and nothing waits while it is used */
    static ngx_http_azora_auth_jwt_t  jwt;

    if (ngx_http_azora_auth_jws_open(&provider->keys->ring, token, &jwt)
        != NGX_OK)
    {
        *reason = jwt.reason;
        return jwt.unknown ? NGX_AGAIN : NGX_DECLINED;
    }

    /* RFC 8725 3.11: an access token is not taken for an ID token */

    if (jwt.typ.len
        && !(jwt.typ.len == 3
             && ngx_strncasecmp(jwt.typ.data, (u_char *) "jwt", 3) == 0))
    {
        *reason = "it is not an ID token";
        return NGX_DECLINED;
    }

    root = json_loadb((char *) jwt.payload.data, jwt.payload.len,
                      JSON_REJECT_DUPLICATES, NULL);

    *reason = json_is_object(root)
              ? ngx_http_azora_auth_id_wrong(root, provider, nonce, now)
              : "its claims are not a JSON object";

    if (*reason != NULL) {
        json_decref(root);
        return NGX_DECLINED;
    }

    *claims = root;

    return NGX_OK;
}


static const char *
ngx_http_azora_auth_id_wrong(json_t *root,
    const ngx_http_azora_auth_provider_t *provider, const u_char *nonce,
    time_t now)
{
    ngx_str_t  expected;

    if (!ngx_http_azora_auth_claim_equals(json_object_get(root, "iss"),
                                          &provider->issuer))
    {
        return "it is of another issuer";
    }

    if (!ngx_http_azora_auth_id_audience(root, &provider->client_id)) {
        return "it is for another client";
    }

    expected.data = (u_char *) nonce;
    expected.len = NGX_HTTP_AZORA_AUTH_FLOW_LEN;

    if (!ngx_http_azora_auth_claim_equals(json_object_get(root, "nonce"),
                                          &expected))
    {
        return "it is of another login";
    }

    if (!ngx_http_azora_auth_id_fresh(root, now)) {
        return "it is not of now";
    }

    if (!ngx_http_azora_auth_id_subject(json_object_get(root, "sub"))) {
        return "it names nobody";
    }

    return NULL;
}


/* Ours alone, or the authorized party's that we are. */

static ngx_uint_t
ngx_http_azora_auth_id_audience(json_t *root, const ngx_str_t *client)
{
    size_t      i;
    json_t     *aud, *azp, *value;
    ngx_uint_t  found;

    aud = json_object_get(root, "aud");
    azp = json_object_get(root, "azp");

    if (azp != NULL && !ngx_http_azora_auth_claim_equals(azp, client)) {
        return 0;
    }

    if (!json_is_array(aud)) {
        return ngx_http_azora_auth_claim_equals(aud, client);
    }

    found = 0;

    json_array_foreach(aud, i, value) {
        found |= ngx_http_azora_auth_claim_equals(value, client);
    }

    return found && (json_array_size(aud) == 1 || azp != NULL);
}


static ngx_uint_t
ngx_http_azora_auth_id_fresh(json_t *root, time_t now)
{
    json_t      *exp, *iat, *nbf;
    json_int_t   issued;

    exp = json_object_get(root, "exp");
    iat = json_object_get(root, "iat");
    nbf = json_object_get(root, "nbf");

    if (!json_is_integer(exp) || !json_is_integer(iat)
        || (nbf != NULL && !json_is_integer(nbf)))
    {
        return 0;
    }

    issued = json_integer_value(iat);

    return json_integer_value(exp) > now - NGX_HTTP_AZORA_AUTH_ID_LEEWAY
           && issued <= now + NGX_HTTP_AZORA_AUTH_ID_LEEWAY
           && issued >= now - NGX_HTTP_AZORA_AUTH_ID_AGE_MAX
           && (nbf == NULL
               || json_integer_value(nbf)
                  <= now + NGX_HTTP_AZORA_AUTH_ID_LEEWAY);
}


static ngx_uint_t
ngx_http_azora_auth_id_subject(json_t *sub)
{
    size_t       i, len;
    const char  *text;

    text = json_string_value(sub);
    len = text ? json_string_length(sub) : 0;

    for (i = 0; i < len; i++) {
        if ((u_char) text[i] < 0x20 || (u_char) text[i] >= 0x7f) {
            return 0;
        }
    }

    return len > 0 && len <= NGX_HTTP_AZORA_AUTH_SUB_MAX;
}
