
/*
 * The rows of identity, and what C does for them beside the SQL call: hash a
 * password before, sign a token after.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


/* A hint: the queue drains hundreds of hashes in that time. */
#define NGX_HTTP_AZORA_AUTH_RETRY_AFTER  "2"


enum {
    NGX_HTTP_AZORA_AUTH_START = 0,
    NGX_HTTP_AZORA_AUTH_LOOKUP,
    NGX_HTTP_AZORA_AUTH_HASHING,
    NGX_HTTP_AZORA_AUTH_READY
};


static ngx_int_t ngx_http_azora_auth_register_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_login_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_login_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_credential(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx);
static void ngx_http_azora_auth_credential_done(ngx_azora_op_t *op,
    void *data);
static ngx_int_t ngx_http_azora_auth_start_hash(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *stored);
static void ngx_http_azora_auth_wipe_request(ngx_http_request_t *r,
    ngx_azora_value_t *password);
static ngx_int_t ngx_http_azora_auth_login_verdict(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx);
static ngx_int_t ngx_http_azora_auth_busy(ngx_http_request_t *r);
static ngx_http_azora_auth_ctx_t *ngx_http_azora_auth_get_ctx(
    ngx_http_request_t *r);
static void ngx_http_azora_auth_ctx_cleanup(void *data);


static const ngx_azora_field_t  ngx_http_azora_auth_register_fields[] = {
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The address to log in with." },
    { "password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 8,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX, NULL, NULL,
      "8 to 1,024 bytes of any characters; common ones are refused." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 100, NULL, NULL,
      "How others see you." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_login_fields[] = {
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The address of the account." },
    { "password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX, NULL, NULL, "Its password." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_token_returns[] = {
    { "access_token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "A signed JWT (RFC 9068) for the Authorization header." },
    { "token_type", NGX_AZORA_ENUM, NGX_AZORA_REQUIRED, 0, 0, NULL, "Bearer",
      "How to send it." },
    { "expires_in", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Seconds until it expires." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_account_returns[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The account." },
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Its address." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "How others see it." },
    { "roles", NGX_AZORA_LIST, 0, 0, 0, NULL, NULL, "What it is here." },
    { "created_at", NGX_AZORA_TIME, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Since when." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_auth_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/auth/register",
      .flags = NGX_AZORA_PUBLIC|NGX_AZORA_KEY,
      .fields = ngx_http_azora_auth_register_fields,
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.register",
      .summary = "Open an account",
      .prepare = ngx_http_azora_auth_register_prepare, .cost = 5 },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/login",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_login_fields,
      .returns = ngx_http_azora_auth_token_returns,
      .function = "identity.login",
      .summary = "Log in with e-mail address and password",
      .prepare = ngx_http_azora_auth_login_prepare,
      .finish = ngx_http_azora_auth_login_finish, .cost = 5 },

    { .method = NGX_HTTP_GET, .path = "/v1/me",
      .flags = NGX_AZORA_USER, .scope = "profile:read",
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.me",
      .summary = "Show one's own account" },

    { .method = NGX_HTTP_GET, .path = "/.well-known/jwks.json",
      .flags = NGX_AZORA_PUBLIC,
      .summary = "Public keys that verify access tokens (RFC 7517)",
      .handler = ngx_http_azora_auth_jwks_handler },

    NGX_AZORA_ROWS_END
};


static ngx_int_t
ngx_http_azora_auth_register_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_str_t                         words[2];
    const char                       *reason;
    ngx_azora_value_t                *email, *password, *name;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    actx = ngx_http_azora_auth_get_ctx(r);
    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (actx->state == NGX_HTTP_AZORA_AUTH_HASHING) {

        if (actx->result == NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY) {
            return ngx_http_azora_auth_busy(r);
        }

        if (actx->result != NGX_HTTP_AZORA_AUTH_PASSWORD_OK
            || ngx_azora_set_value(ctx, "password", &actx->made) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        actx->state = NGX_HTTP_AZORA_AUTH_READY;
        return NGX_OK;
    }

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    email = ngx_azora_value(ctx, "email");
    password = ngx_azora_value(ctx, "password");
    name = ngx_azora_value(ctx, "name");

    if (email == NULL || password == NULL || name == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    words[0] = email->text;
    words[1] = name->text;

    reason = ngx_http_azora_auth_common_check(&conf->common, &password->text,
                                              words, 2);
    if (reason != NULL) {
        ngx_http_azora_auth_wipe_request(r, password);
        ngx_azora_problem_error(r, "/password", "%s", reason);
        return ngx_azora_problem(r, 422, "common-password", "%s", reason);
    }

    return ngx_http_azora_auth_start_hash(r, ctx, actx, NULL);
}


static ngx_int_t
ngx_http_azora_auth_login_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    actx = ngx_http_azora_auth_get_ctx(r);
    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (actx->state) {

    case NGX_HTTP_AZORA_AUTH_START:
        return ngx_http_azora_auth_credential(r, ctx, actx);

    case NGX_HTTP_AZORA_AUTH_LOOKUP:

        if (actx->status != NGX_OK) {
            return actx->status;
        }

        /* an unknown account must take the same time as a known one */

        conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

        return ngx_http_azora_auth_start_hash(r, ctx, actx,
                              actx->made.data ? (char *) actx->made.data
                                              : conf->peppers->dummy);

    case NGX_HTTP_AZORA_AUTH_HASHING:
        return ngx_http_azora_auth_login_verdict(r, ctx, actx);

    default: /* NGX_HTTP_AZORA_AUTH_READY */
        return NGX_OK;
    }
}


/* Asks for the stored hash. */

static ngx_int_t
ngx_http_azora_auth_credential(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx)
{
    ngx_azora_value_t                *email;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    email = ngx_azora_value(ctx, "email");
    if (email == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->op = ngx_azora_query(conf->credential, &email->text, 0,
                               ngx_http_azora_auth_credential_done, actx);
    if (actx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->state = NGX_HTTP_AZORA_AUTH_LOOKUP;

    return NGX_AGAIN;
}


static void
ngx_http_azora_auth_credential_done(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    ngx_str_t            stored;
    ngx_http_request_t  *r;

    r = actx->request;

    actx->op = NULL;
    actx->status = NGX_OK;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        actx->status = ngx_azora_op_problem(r, op);

    } else if (ngx_azora_op_rows(op) > 0) {

        /* account, password, wait_seconds */
        stored = ngx_azora_op_value(op, 0, 1);

        if (stored.data != NULL) {
            actx->made.data = ngx_pnalloc(r->pool, stored.len + 1);

            if (actx->made.data == NULL) {
                actx->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

            } else {
                ngx_memcpy(actx->made.data, stored.data, stored.len);
                actx->made.data[stored.len] = '\0';
                actx->made.len = stored.len;
            }
        }
    }

    ngx_azora_resume(r);
}


static ngx_int_t
ngx_http_azora_auth_start_hash(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *stored)
{
    ngx_int_t           rc;
    ngx_azora_value_t  *password;

    password = ngx_azora_value(ctx, "password");
    if (password == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_azora_auth_hash(r, actx, &password->text, stored);

    ngx_http_azora_auth_wipe_request(r, password);

    if (rc == NGX_BUSY) {
        return ngx_http_azora_auth_busy(r);
    }

    if (rc == NGX_AGAIN) {
        actx->state = NGX_HTTP_AZORA_AUTH_HASHING;
        ngx_str_null(&actx->made);
    }

    return rc;
}


/*
 * The job has its own copy of the password, and nobody else needs one: not a
 * core file, and not a log format that somebody gives $request_body to.
 */

static void
ngx_http_azora_auth_wipe_request(ngx_http_request_t *r,
    ngx_azora_value_t *password)
{
    ngx_chain_t  *cl;

    if (password->json != NULL) {
        sodium_memzero((char *) json_string_value(password->json),
                       json_string_length(password->json));
    }

    sodium_memzero(password->text.data, password->text.len);

    if (r->request_body == NULL) {
        return;
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (ngx_buf_in_memory(cl->buf)) {
            sodium_memzero(cl->buf->start, cl->buf->last - cl->buf->start);
        }
    }
}


/* What identity.login() is told instead of the password. */

static ngx_int_t
ngx_http_azora_auth_login_verdict(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx)
{
    ngx_str_t  verdict;

    switch (actx->result) {

    case NGX_HTTP_AZORA_AUTH_PASSWORD_OK:
        ngx_str_set(&verdict, "ok");
        break;

    case NGX_HTTP_AZORA_AUTH_PASSWORD_BAD:
        ngx_str_set(&verdict, "bad");
        break;

    case NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH:
        verdict.len = sizeof("rehash:") - 1 + actx->made.len;
        verdict.data = ngx_pnalloc(r->pool, verdict.len);
        if (verdict.data == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        ngx_sprintf(verdict.data, "rehash:%V", &actx->made);
        break;

    case NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY:
        return ngx_http_azora_auth_busy(r);

    default:
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: a password could not be verified: no memory, "
                      "or its stored form names a pepper that is not in "
                      "azora_auth_pepper, or asks for too much");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->state = NGX_HTTP_AZORA_AUTH_READY;

    return (ngx_azora_set_value(ctx, "password", &verdict) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static ngx_int_t
ngx_http_azora_auth_login_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    u_char                           *p;
    size_t                            len;
    ngx_str_t                         token;
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  no_store = ngx_string("no-store");

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_http_azora_auth_sign(r, conf, &ctx->reply.body, &token)
        != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    len = sizeof("{\"access_token\":\"\",\"token_type\":\"Bearer\","
                 "\"expires_in\":}") + token.len + NGX_TIME_T_LEN;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.body.data = p;
    p = ngx_sprintf(p, "{\"access_token\":\"%V\",\"token_type\":\"Bearer\","
                    "\"expires_in\":%T}", &token, conf->lifetime);
    ctx->reply.body.len = p - ctx->reply.body.data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_busy(ngx_http_request_t *r)
{
    static ngx_str_t  wait = ngx_string(NGX_HTTP_AZORA_AUTH_RETRY_AFTER);

    if (ngx_azora_add_header(r, "Retry-After", &wait) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE, "busy",
                             "Too many passwords are being checked at the "
                             "moment. Nothing was done; try again in "
                             NGX_HTTP_AZORA_AUTH_RETRY_AFTER " s.");
}


static ngx_http_azora_auth_ctx_t *
ngx_http_azora_auth_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t         *cln;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);
    if (actx != NULL) {
        return actx;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_azora_auth_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    actx = cln->data;
    ngx_memzero(actx, sizeof(ngx_http_azora_auth_ctx_t));
    actx->request = r;
    cln->handler = ngx_http_azora_auth_ctx_cleanup;

    ngx_http_set_ctx(r, actx, ngx_http_azora_auth_module);

    return actx;
}


/* The client left while something was under way for it. */

static void
ngx_http_azora_auth_ctx_cleanup(void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    if (actx->op != NULL) {
        ngx_azora_detach(actx->op);
        actx->op = NULL;
    }

    ngx_http_azora_auth_hash_forget(actx);
}
