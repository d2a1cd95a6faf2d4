
/*
 * Who calls, signed for a service behind.  Such a token is of another typ and
 * audience than an access token, so it opens nothing here, and it lives for a
 * minute.
 *
 * A signature takes some 20 us, so each worker keeps the last ones for half of
 * their life: a person who asks often is signed for twice a minute.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_IDENTITY_TYP      "azora-identity+jwt"
#define NGX_HTTP_AZORA_AUTH_IDENTITY_LIFETIME 60
#define NGX_HTTP_AZORA_AUTH_IDENTITY_KEPT     30
#define NGX_HTTP_AZORA_AUTH_IDENTITY_MAX      1024
#define NGX_HTTP_AZORA_AUTH_IDENTITY_SLOTS    64


typedef struct {
    u_char      hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    time_t      until;
    uint64_t    ring;
    size_t      len;
    u_char      token[NGX_HTTP_AZORA_AUTH_IDENTITY_MAX];
} ngx_http_azora_auth_identity_t;


static ngx_int_t ngx_http_azora_auth_identity_hash(ngx_http_request_t *r,
    ngx_http_azora_auth_ring_t *ring, const ngx_azora_principal_t *who,
    const ngx_str_t *audience, u_char *hash);
static ngx_int_t ngx_http_azora_auth_identity_make(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_azora_principal_t *who,
    const ngx_str_t *audience, time_t now, ngx_str_t *token);
static ngx_int_t ngx_http_azora_auth_identity_claims(
    const ngx_azora_principal_t *who, const ngx_str_t *issuer,
    const ngx_str_t *audience, time_t now, json_t **claims);
static json_t *ngx_http_azora_auth_identity_words(const ngx_str_t *text);
static json_t *ngx_http_azora_auth_identity_text(const ngx_str_t *text);


/* resident as far as it is used */
static ngx_http_azora_auth_identity_t
    ngx_http_azora_auth_identities[NGX_HTTP_AZORA_AUTH_IDENTITY_SLOTS];


ngx_int_t
ngx_http_azora_auth_sign_identity(ngx_http_request_t *r,
    const ngx_str_t *audience, ngx_str_t *token)
{
    time_t                            now;
    u_char                            hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    ngx_azora_ctx_t                  *ctx;
    ngx_http_azora_auth_identity_t   *slot;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    ctx = ngx_azora_get_ctx(r);

    if (conf->ring.active == NULL) {
        return NGX_DECLINED;
    }

    if (ctx == NULL
        || ngx_http_azora_auth_identity_hash(r, &conf->ring, &ctx->principal,
                                             audience, hash)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    now = ngx_time();
    slot = &ngx_http_azora_auth_identities[hash[0]
                                       % NGX_HTTP_AZORA_AUTH_IDENTITY_SLOTS];

    if (slot->until > now && slot->ring == conf->ring.id
        && slot->until - now <= NGX_HTTP_AZORA_AUTH_IDENTITY_KEPT
        && ngx_memcmp(slot->hash, hash, sizeof(hash)) == 0)
    {
        token->len = slot->len;
        token->data = ngx_pnalloc(r->pool, slot->len);

        if (token->data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(token->data, slot->token, slot->len);
        return NGX_OK;
    }

    if (ngx_http_azora_auth_identity_make(r, conf, &ctx->principal, audience,
                                          now, token)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: the caller's identity could not be signed");
        return NGX_ERROR;
    }

    if (token->len <= NGX_HTTP_AZORA_AUTH_IDENTITY_MAX) {
        slot->until = now + NGX_HTTP_AZORA_AUTH_IDENTITY_KEPT;
        slot->ring = conf->ring.id;
        slot->len = token->len;
        ngx_memcpy(slot->hash, hash, sizeof(hash));
        ngx_memcpy(slot->token, token->data, token->len);
    }

    return NGX_OK;
}


/* SHA-256 of all that the token will say, but for its time */

static ngx_int_t
ngx_http_azora_auth_identity_hash(ngx_http_request_t *r,
    ngx_http_azora_auth_ring_t *ring, const ngx_azora_principal_t *who,
    const ngx_str_t *audience, u_char *hash)
{
    u_char  *p;
    size_t   len;

    len = audience->len + who->subject.len + who->session.len
          + who->roles.len + who->scope.len + who->tier.len + 5;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    /* claims hold no NUL */

    ngx_sprintf(p, "%V%Z%V%Z%V%Z%V%Z%V%Z%V", audience, &who->subject,
                &who->session, &who->roles, &who->scope, &who->tier);

    return ngx_http_azora_auth_digest(ring, p, len, hash);
}


static ngx_int_t
ngx_http_azora_auth_identity_make(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_azora_principal_t *who,
    const ngx_str_t *audience, time_t now, ngx_str_t *token)
{
    char       *text;
    json_t     *claims;
    ngx_int_t   rc;

    if (ngx_http_azora_auth_identity_claims(who, &conf->expect.issuer,
                                            audience, now, &claims)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    text = json_dumps(claims, JSON_COMPACT);
    json_decref(claims);

    if (text == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_auth_sign_compact(r->pool, &conf->ring,
                                          NGX_HTTP_AZORA_AUTH_IDENTITY_TYP,
                                          text, token);
    free(text);

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_identity_claims(const ngx_azora_principal_t *who,
    const ngx_str_t *issuer, const ngx_str_t *audience, time_t now,
    json_t **claims)
{
    int      failed;
    json_t  *root;

    root = json_object();
    if (root == NULL) {
        return NGX_ERROR;
    }

    failed = json_object_set_new(root, "iss",
                                 ngx_http_azora_auth_identity_text(issuer));
    failed |= json_object_set_new(root, "aud",
                                  ngx_http_azora_auth_identity_text(audience));
    failed |= json_object_set_new(root, "sub",
                         ngx_http_azora_auth_identity_text(&who->subject));
    failed |= json_object_set_new(root, "iat", json_integer(now));
    failed |= json_object_set_new(root, "exp",
                  json_integer(now + NGX_HTTP_AZORA_AUTH_IDENTITY_LIFETIME));
    failed |= json_object_set_new(root, "roles",
                         ngx_http_azora_auth_identity_words(&who->roles));
    failed |= json_object_set_new(root, "scope",
                         ngx_http_azora_auth_identity_text(&who->scope));

    if (who->session.len) {
        failed |= json_object_set_new(root, "sid",
                         ngx_http_azora_auth_identity_text(&who->session));
    }

    if (who->tier.len) {
        failed |= json_object_set_new(root, "tier",
                         ngx_http_azora_auth_identity_text(&who->tier));
    }

    if (failed) {
        json_decref(root);
        return NGX_ERROR;
    }

    *claims = root;

    return NGX_OK;
}


/* "learner teacher" -> ["learner", "teacher"], as in access tokens */

static json_t *
ngx_http_azora_auth_identity_words(const ngx_str_t *text)
{
    u_char  *p, *end, *last;
    json_t  *array;

    array = json_array();
    last = text->data + text->len;

    for (p = text->data; array != NULL && p < last; p = end + 1) {
        end = ngx_strlchr(p, last, ' ');
        end = end ? end : last;

        if (end > p
            && json_array_append_new(array,
                                     json_stringn((char *) p, end - p))
               != 0)
        {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


static json_t *
ngx_http_azora_auth_identity_text(const ngx_str_t *text)
{
    return json_stringn(text->len ? (char *) text->data : "", text->len);
}
