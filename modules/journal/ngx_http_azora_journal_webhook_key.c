
/*
 * Secrets of webhooks.  None is stored: each is the HMAC of the webhook's id
 * and the number of its secret with a key that is in a file of the node, so a
 * stolen database can sign nothing.
 */


#include "ngx_http_azora_journal.h"

#include <sodium.h>


/* 64 hexadecimal digits a line; the first line is for new secrets */
#define NGX_HTTP_AZORA_JOURNAL_LINE     64
#define NGX_HTTP_AZORA_JOURNAL_KEY_FILE                                       \
    ((NGX_HTTP_AZORA_JOURNAL_LINE + 2) * NGX_HTTP_AZORA_JOURNAL_WEBHOOK_KEYS  \
     + 2)

#define NGX_HTTP_AZORA_JOURNAL_PREFIX   "whsec_"


static ngx_int_t ngx_http_azora_journal_webhook_key_make(ngx_conf_t *cf,
    ngx_str_t *file);
static ngx_int_t ngx_http_azora_journal_webhook_key_parse(
    ngx_http_azora_journal_conf_t *conf, const char *text, size_t len);
static const char *ngx_http_azora_journal_webhook_url(ngx_str_t *url,
    ngx_uint_t http);


/* Configuration time: reads the keys, and makes the first one. */

ngx_int_t
ngx_http_azora_journal_webhook_keys(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    char       text[NGX_HTTP_AZORA_JOURNAL_KEY_FILE];
    size_t     len;
    ngx_int_t  rc;

    if (conf->webhook_key_file.len == 0) {
        return NGX_OK;
    }

    if (ngx_conf_full_name(cf->cycle, &conf->webhook_key_file, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_journal_secret_read(cf, &conf->webhook_key_file, text,
                                            sizeof(text), &len);

    if (rc == NGX_DECLINED) {
        rc = ngx_http_azora_journal_webhook_key_make(cf,
                                                     &conf->webhook_key_file);
        if (rc == NGX_OK) {
            /* what another process made at the same moment counts */
            rc = ngx_http_azora_journal_secret_read(cf,
                                                    &conf->webhook_key_file,
                                                    text, sizeof(text), &len);
        }
    }

    if (rc == NGX_OK
        && ngx_http_azora_journal_webhook_key_parse(conf, text, len)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" does not hold 1 to %d lines of %d "
                           "hexadecimal digits", &conf->webhook_key_file,
                           NGX_HTTP_AZORA_JOURNAL_WEBHOOK_KEYS,
                           NGX_HTTP_AZORA_JOURNAL_LINE);
        rc = NGX_ERROR;
    }

    sodium_memzero(text, sizeof(text));

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_journal_webhook_key_make(ngx_conf_t *cf, ngx_str_t *file)
{
    char       text[NGX_HTTP_AZORA_JOURNAL_LINE + 2];
    u_char     key[NGX_HTTP_AZORA_JOURNAL_SECRET];
    ngx_int_t  rc;

    randombytes_buf(key, sizeof(key));

    (void) sodium_bin2hex(text, sizeof(text), key, sizeof(key));
    text[NGX_HTTP_AZORA_JOURNAL_LINE] = '\n';
    text[NGX_HTTP_AZORA_JOURNAL_LINE + 1] = '\0';

    rc = ngx_http_azora_journal_secret_make(cf, file, text);

    sodium_memzero(text, sizeof(text));
    sodium_memzero(key, sizeof(key));

    return rc;
}


static ngx_int_t
ngx_http_azora_journal_webhook_key_parse(ngx_http_azora_journal_conf_t *conf,
    const char *text, size_t len)
{
    size_t                                 n;
    u_char                                 hash[crypto_hash_sha256_BYTES];
    const char                            *last;
    ngx_http_azora_journal_webhook_key_t  *key;

    last = text + len;
    conf->nwebhook_keys = 0;

    while (text < last) {

        if (conf->nwebhook_keys == NGX_HTTP_AZORA_JOURNAL_WEBHOOK_KEYS
            || last - text < NGX_HTTP_AZORA_JOURNAL_LINE)
        {
            return NGX_ERROR;
        }

        key = &conf->webhook_keys[conf->nwebhook_keys++];

        if (sodium_hex2bin(key->key, sizeof(key->key), text,
                           NGX_HTTP_AZORA_JOURNAL_LINE, NULL, &n, NULL)
            != 0
            || n != sizeof(key->key))
        {
            return NGX_ERROR;
        }

        /* its name is of no use to guess it */

        crypto_hash_sha256(hash, key->key, sizeof(key->key));
        (void) ngx_hex_dump(key->id, hash, sizeof(key->id) / 2);

        text += NGX_HTTP_AZORA_JOURNAL_LINE;

        if (text < last && *text++ != '\n') {
            return NGX_ERROR;
        }
    }

    return conf->nwebhook_keys ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_azora_journal_webhook_secret(const char *key, const char *webhook,
    json_int_t version, u_char *secret)
{
    size_t                                 len;
    u_char                                 text[128];
    ngx_uint_t                             i;
    crypto_auth_hmacsha256_state           state;
    ngx_http_azora_journal_conf_t         *conf;
    ngx_http_azora_journal_webhook_key_t  *k;

    conf = ngx_http_azora_journal_conf;

    if (key == NULL || webhook == NULL || ngx_strlen(key) != sizeof(k->id)) {
        return NGX_DECLINED;
    }

    for (i = 0; i < conf->nwebhook_keys; i++) {
        k = &conf->webhook_keys[i];

        if (ngx_memcmp(k->id, key, sizeof(k->id)) != 0) {
            continue;
        }

        len = ngx_snprintf(text, sizeof(text), "azora webhook %s %L", webhook,
                           (int64_t) version)
              - text;

        crypto_auth_hmacsha256_init(&state, k->key, sizeof(k->key));
        crypto_auth_hmacsha256_update(&state, text, len);
        crypto_auth_hmacsha256_final(&state, secret);

        sodium_memzero(&state, sizeof(state));

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* The step before a webhook is made or gets a new secret. */

ngx_int_t
ngx_http_azora_journal_webhook_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_str_t                       id;
    ngx_http_azora_journal_conf_t  *conf;

    conf = ngx_http_azora_journal_conf;

    if (conf->nwebhook_keys == 0) {
        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "webhooks-off",
                                 "This node has no key for webhooks.");
    }

    id.data = conf->webhook_keys[0].id;
    id.len = sizeof(conf->webhook_keys[0].id);

    if (ngx_azora_set_value(ctx, "key", &id) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_journal_webhook_check(r, ctx);
}


/* Whether the address, if there is one, may be called at all. */

ngx_int_t
ngx_http_azora_journal_webhook_check(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    const char         *reason;
    ngx_azora_value_t  *url;

    url = ngx_azora_value(ctx, "url");

    if (url == NULL || url->text.data == NULL) {
        return NGX_OK;
    }

    reason = ngx_http_azora_journal_webhook_url(&url->text,
                                   ngx_http_azora_journal_conf->webhook_http);
    if (reason == NULL) {
        return NGX_OK;
    }

    ngx_azora_problem_error(r, "/url", "%s", reason);

    return ngx_azora_problem(r, 422, "validation-failed",
                             "One field is wrong.");
}


static const char *
ngx_http_azora_journal_webhook_url(ngx_str_t *url, ngx_uint_t http)
{
    u_char  *p, *last, *host;

    p = url->data;
    last = p + url->len;

    if (url->len > 8 && ngx_strncmp(p, "https://", 8) == 0) {
        p += 8;

    } else if (url->len > 7 && ngx_strncmp(p, "http://", 7) == 0) {

        if (!http) {
            return "must begin with https://";
        }

        p += 7;

    } else {
        return "must begin with https://";
    }

    for (host = p; p < last && *p != '/' && *p != '?'; p++) {
        if (*p == '@') {
            return "must hold no user and password";
        }
    }

    if (p == host) {
        return "names no host";
    }

    for (p = host; p < last; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '#' || *p == '<' || *p == '>'
            || *p == '"' || *p == '\\')
        {
            return "holds what a URL cannot: encode it";
        }
    }

    return NULL;
}


/* The last touch on an answer that shows a secret. */

ngx_int_t
ngx_http_azora_journal_webhook_show(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    char       text[sizeof(NGX_HTTP_AZORA_JOURNAL_PREFIX) + 64];
    json_t    *body;
    u_char     secret[NGX_HTTP_AZORA_JOURNAL_SECRET];
    ngx_int_t  rc;

    body = json_loadb((char *) ctx->reply.body.data, ctx->reply.body.len, 0,
                      NULL);
    if (body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (ngx_http_azora_journal_webhook_secret(
            json_string_value(json_object_get(body, "key")),
            json_string_value(json_object_get(body, "id")),
            json_integer_value(json_object_get(body, "version")), secret)
        == NGX_OK)
    {
        ngx_memcpy(text, NGX_HTTP_AZORA_JOURNAL_PREFIX,
                   sizeof(NGX_HTTP_AZORA_JOURNAL_PREFIX));
        (void) sodium_bin2base64(
                   text + sizeof(NGX_HTTP_AZORA_JOURNAL_PREFIX) - 1, 64,
                   secret, sizeof(secret), sodium_base64_VARIANT_ORIGINAL);

        if (json_object_del(body, "key") == 0
            && json_object_del(body, "version") == 0
            && json_object_set_new(body, "secret", json_string(text)) == 0
            && ngx_azora_json_dump(r->pool, body, &ctx->reply.body) == NGX_OK)
        {
            rc = NGX_OK;
        }
    }

    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(text, sizeof(text));

    json_decref(body);

    return rc;
}
