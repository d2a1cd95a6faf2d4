
/*
 * The rows of the second factor.  SQL keeps the secrets sealed and decides;
 * here they are made, opened and compared, and SQL gets a verdict in the place
 * of the code, as with passwords:
 *
 *   totp:<time step>:<tag of the secret>[:<the secret sealed anew>]
 *   recovery:<hex SHA-256 of the code>
 *   wrong
 */


#include "ngx_http_azora_auth_factor.h"
#include <sodium.h>


enum {
    NGX_HTTP_AZORA_AUTH_FACTOR_START = 0,
    NGX_HTTP_AZORA_AUTH_FACTOR_LOOKUP,    /* PostgreSQL is asked */
    NGX_HTTP_AZORA_AUTH_FACTOR_READY
};


static ngx_int_t ngx_http_azora_auth_enrol_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_enrol_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_enrol_uri(ngx_http_request_t *r,
    const char *email, const u_char *secret, ngx_str_t *uri);
static ngx_int_t ngx_http_azora_auth_confirm_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_codes_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_mfa_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_factor_lookup(
    ngx_http_azora_auth_ctx_t *actx, const ngx_azora_statement_t *statement,
    const ngx_str_t *param);
static void ngx_http_azora_auth_factor_done(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_auth_factor_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t src);
static ngx_int_t ngx_http_azora_auth_factor_verdict(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx);
static ngx_int_t ngx_http_azora_auth_factor_totp(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, const ngx_str_t *code,
    ngx_str_t *verdict);


static const ngx_azora_field_t  ngx_http_azora_auth_enrol_fields[] = {
    { "sealed", NGX_AZORA_TEXT, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_enrol_returns[] = {
    { "secret", NGX_AZORA_SECRET, .about = "In base32, to be typed." },
    { "uri", NGX_AZORA_SECRET,
      .about = "otpauth://, for an authenticator on the same device." },
    { "qr_svg", NGX_AZORA_SECRET,
      .about = "The same as a QR code, an SVG image." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_confirm_fields[] = {
    { "code", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 6, 32, NULL, NULL,
      "The six digits that the authenticator shows now." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_codes_returns[] = {
    { "recovery_codes", NGX_AZORA_LIST,
      .about = "Ten codes, each good for one login without the authenticator. "
               "They are shown this once." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_mfa_fields[] = {
    { "mfa_token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1, 128, NULL, NULL,
      "The mfa_token of the problem that the login answered." },
    { "code", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 6, 64, NULL, NULL,
      "Six digits of the authenticator, or a recovery code." },
    { "refresh", NGX_AZORA_ENUM, 0, 0, 0, NULL, "cookie|body",
      "Where the refresh token goes: body is for apps without cookies." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_factor_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/auth/mfa",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_mfa_fields,
      .returns = ngx_http_azora_auth_token_returns,
      .function = "identity.mfa",
      .summary = "Complete a login with the second factor",
      .prepare = ngx_http_azora_auth_mfa_prepare,
      .finish = ngx_http_azora_auth_login_finish, .cost = 5 },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/totp",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_enrol_fields,
      .returns = ngx_http_azora_auth_enrol_returns,
      .function = "identity.enrol_totp",
      .summary = "Get a secret for an authenticator",
      .prepare = ngx_http_azora_auth_enrol_prepare,
      .finish = ngx_http_azora_auth_enrol_finish },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/totp/confirm",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_confirm_fields,
      .returns = ngx_http_azora_auth_codes_returns,
      .function = "identity.confirm_totp",
      .summary = "Turn the second factor on by a first code",
      .prepare = ngx_http_azora_auth_confirm_prepare,
      .finish = ngx_http_azora_auth_codes_finish },

    { .method = NGX_HTTP_DELETE, .path = "/v1/auth/totp",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .function = "identity.remove_totp",
      .summary = "Turn the second factor off",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/recovery-codes",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .returns = ngx_http_azora_auth_codes_returns,
      .function = "identity.new_recovery_codes",
      .summary = "Get new recovery codes in the place of the old",
      .finish = ngx_http_azora_auth_codes_finish },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_http_azora_auth_factor = {
    NGX_AZORA_ABI,
    "second-factor",
    ngx_http_azora_auth_factor_rows,
    NULL,
    NULL,
    "One-time codes of an authenticator beside the password."
};


ngx_int_t
ngx_http_azora_auth_factor_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    static ngx_str_t  challenge = ngx_string("SELECT account, sealed, tag "
                          "FROM identity.challenge_secret($1::text)");
    static ngx_str_t  own = ngx_string("SELECT account, sealed, tag "
                          "FROM identity.totp_secret($1::uuid)");

    /* the primary: a standby may not have the row yet */

    conf->challenge = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                          "identity.challenge_secret",
                                          &challenge, 1);
    conf->totp = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                     "identity.totp_secret", &own, 1);

    if (conf->challenge == NULL || conf->totp == NULL) {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_http_azora_auth_factor);
}


/* Draws a secret; SQL gets it sealed. */

static ngx_int_t
ngx_http_azora_auth_enrol_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    char                              sealed[NGX_HTTP_AZORA_AUTH_SEALED_MAX];
    ngx_str_t                         value;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (conf->vault->npeppers == 0) {
        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "second-factor-off",
                                 "This server has no key to keep secrets "
                                 "under: azora_auth_vault is not set.");
    }

    randombytes_buf(actx->secret, sizeof(actx->secret));

    if (ngx_http_azora_auth_seal(conf->vault, &ctx->principal.subject,
                                 actx->secret, sizeof(actx->secret), sealed)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    value.data = (u_char *) sealed;
    value.len = ngx_strlen(sealed);

    return (ngx_azora_set_value(ctx, "sealed", &value) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* {"email":...} becomes what an authenticator needs. */

static ngx_int_t
ngx_http_azora_auth_enrol_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    u_char                     *p, base32[NGX_HTTP_AZORA_AUTH_BASE32_LEN];
    size_t                      len;
    json_t                     *root;
    ngx_int_t                   rc;
    ngx_str_t                   uri, svg;
    ngx_http_azora_auth_ctx_t  *actx;

    static ngx_str_t  no_store = ngx_string("no-store");

    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);
    root = json_loadb((char *) ctx->reply.body.data, ctx->reply.body.len, 0,
                      NULL);

    (void) ngx_http_azora_auth_base32(base32, actx->secret,
                                      sizeof(actx->secret));
    sodium_memzero(actx->secret, sizeof(actx->secret));

    rc = ngx_http_azora_auth_enrol_uri(r,
                              json_string_value(json_object_get(root,
                                                                "email")),
                              base32, &uri);
    json_decref(root);

    if (rc != NGX_OK
        || ngx_http_azora_auth_qr(r->pool, &uri, &svg) != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = sizeof("{\"secret\":\"\",\"uri\":,\"qr_svg\":}") + sizeof(base32)
          + (size_t) ngx_azora_json_quote(NULL, uri.data, uri.len)
          + (size_t) ngx_azora_json_quote(NULL, svg.data, svg.len);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.body.data = p;
    p = ngx_sprintf(p, "{\"secret\":\"%*s\",\"uri\":", sizeof(base32),
                    base32);
    p = ngx_azora_json_quote(p, uri.data, uri.len);
    p = ngx_cpymem(p, ",\"qr_svg\":", sizeof(",\"qr_svg\":") - 1);
    p = ngx_azora_json_quote(p, svg.data, svg.len);
    *p++ = '}';
    ctx->reply.body.len = p - ctx->reply.body.data;

    return NGX_OK;
}


/* The form that authenticators read; parameters in the order of its authors */

static ngx_int_t
ngx_http_azora_auth_enrol_uri(ngx_http_request_t *r, const char *email,
    const u_char *secret, ngx_str_t *uri)
{
    size_t                            len, room;
    u_char                           *p, *name, *who;
    ngx_http_azora_auth_main_conf_t  *conf;

    if (email == NULL) {
        return NGX_ERROR;
    }

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    len = ngx_strlen(email);
    room = 3 * (len + conf->name.len);

    name = ngx_pnalloc(r->pool, room);
    uri->data = ngx_pnalloc(r->pool, 2 * room + 128);

    if (name == NULL || uri->data == NULL) {
        return NGX_ERROR;
    }

    who = (u_char *) ngx_escape_uri(name, conf->name.data, conf->name.len,
                                    NGX_ESCAPE_URI_COMPONENT);
    p = (u_char *) ngx_escape_uri(who, (u_char *) email, len,
                                  NGX_ESCAPE_URI_COMPONENT);

    uri->len = ngx_sprintf(uri->data, "otpauth://totp/%*s:%*s?secret=%*s"
                           "&issuer=%*s&algorithm=SHA1&digits=%d&period=%d",
                           (size_t) (who - name), name,
                           (size_t) (p - who), who,
                           (size_t) NGX_HTTP_AZORA_AUTH_BASE32_LEN, secret,
                           (size_t) (who - name), name,
                           NGX_HTTP_AZORA_AUTH_TOTP_DIGITS,
                           NGX_HTTP_AZORA_AUTH_TOTP_STEP)
               - uri->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_confirm_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (actx->state) {

    case NGX_HTTP_AZORA_AUTH_FACTOR_START:
        return ngx_http_azora_auth_factor_lookup(actx, conf->totp,
                                                 &ctx->principal.subject);

    case NGX_HTTP_AZORA_AUTH_FACTOR_LOOKUP:
        return ngx_http_azora_auth_factor_verdict(r, ctx, actx);

    default: /* NGX_HTTP_AZORA_AUTH_FACTOR_READY */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_azora_auth_codes_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    static ngx_str_t  no_store = ngx_string("no-store");

    if (ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_auth_revoked_finish(r, ctx);
}


static ngx_int_t
ngx_http_azora_auth_mfa_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (actx->state) {

    case NGX_HTTP_AZORA_AUTH_FACTOR_START:

        if (ngx_http_azora_auth_refresh_draw(r, ctx, actx) != NGX_OK
            || ngx_http_azora_auth_hash_field(ctx, "mfa_token") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_azora_auth_factor_lookup(actx, conf->challenge,
                                    &ngx_azora_value(ctx, "mfa_token")->text);

    case NGX_HTTP_AZORA_AUTH_FACTOR_LOOKUP:
        return ngx_http_azora_auth_factor_verdict(r, ctx, actx);

    default: /* NGX_HTTP_AZORA_AUTH_FACTOR_READY */
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_azora_auth_factor_lookup(ngx_http_azora_auth_ctx_t *actx,
    const ngx_azora_statement_t *statement, const ngx_str_t *param)
{
    actx->op = ngx_azora_query(statement, param, 0,
                               ngx_http_azora_auth_factor_done, actx);
    if (actx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->state = NGX_HTTP_AZORA_AUTH_FACTOR_LOOKUP;

    return NGX_AGAIN;
}


/* account, sealed, tag; no row: there is no such challenge or secret */

static void
ngx_http_azora_auth_factor_done(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    ngx_http_request_t  *r;

    r = actx->request;

    actx->op = NULL;
    actx->status = NGX_OK;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        actx->status = ngx_azora_op_problem(r, op);

    } else if (ngx_azora_op_rows(op) > 0
               && (ngx_http_azora_auth_factor_copy(r->pool, &actx->account,
                                     ngx_azora_op_value(op, 0, 0))
                   != NGX_OK
                   || ngx_http_azora_auth_factor_copy(r->pool, &actx->made,
                                        ngx_azora_op_value(op, 0, 1))
                      != NGX_OK
                   || ngx_http_azora_auth_factor_copy(r->pool, &actx->tag,
                                        ngx_azora_op_value(op, 0, 2))
                      != NGX_OK))
    {
        actx->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_azora_resume(r);
}


static ngx_int_t
ngx_http_azora_auth_factor_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t src)
{
    dst->len = src.len;
    dst->data = ngx_pstrdup(pool, &src);

    return dst->data ? NGX_OK : NGX_ERROR;
}


/* Puts the verdict in the place of the code. */

static ngx_int_t
ngx_http_azora_auth_factor_verdict(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx)
{
    u_char              plain[NGX_HTTP_AZORA_AUTH_RECOVERY_LEN];
    u_char              hash[crypto_hash_sha256_BYTES];
    u_char              text[NGX_HTTP_AZORA_AUTH_VERDICT_MAX];
    ngx_int_t           rc;
    ngx_str_t           code, verdict;
    ngx_azora_value_t  *value;

    value = ngx_azora_value(ctx, "code");

    if (actx->status != NGX_OK || value == NULL) {
        return actx->status ? actx->status : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    code.data = plain;
    code.len = ngx_http_azora_auth_code_plain(&value->text, plain,
                                              sizeof(plain));
    verdict.data = text;
    verdict.len = ngx_sprintf(text, "wrong") - text;
    rc = NGX_OK;

    if (code.len == NGX_HTTP_AZORA_AUTH_RECOVERY_LEN) {
        (void) crypto_hash_sha256(hash, plain, sizeof(plain));
        verdict.len = ngx_hex_dump(ngx_cpymem(text, "recovery:",
                                              sizeof("recovery:") - 1),
                                   hash, sizeof(hash))
                      - text;

    } else if (actx->made.len) {
        rc = ngx_http_azora_auth_factor_totp(r, actx, &code, &verdict);
    }

    if (rc != NGX_OK
        || ngx_azora_set_value(ctx, "code", &verdict) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->state = NGX_HTTP_AZORA_AUTH_FACTOR_READY;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_factor_totp(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, const ngx_str_t *code,
    ngx_str_t *verdict)
{
    char                              sealed[NGX_HTTP_AZORA_AUTH_SEALED_MAX];
    size_t                            len;
    uint64_t                          step;
    ngx_int_t                         rc;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    len = sizeof(actx->secret);
    sealed[0] = '\0';

    rc = ngx_http_azora_auth_open(conf->vault, &actx->account, &actx->made,
                                  actx->secret, &len);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: the one-time secret of account %V cannot be "
                      "opened: its key is not in azora_auth_vault, or the "
                      "row was changed", &actx->account);
        return NGX_ERROR;
    }

    step = ngx_http_azora_auth_totp_match(actx->secret, len, code,
                                          ngx_time());

    if (rc == NGX_DONE
        && ngx_http_azora_auth_seal(conf->vault, &actx->account, actx->secret,
                                    len, sealed)
           != NGX_OK)
    {
        sealed[0] = '\0';
    }

    sodium_memzero(actx->secret, sizeof(actx->secret));

    if (step != 0) {
        verdict->len = ngx_snprintf(verdict->data,
                                    NGX_HTTP_AZORA_AUTH_VERDICT_MAX,
                                    "totp:%uL:%V:%s", step, &actx->tag,
                                    sealed)
                       - verdict->data;
    }

    return NGX_OK;
}
