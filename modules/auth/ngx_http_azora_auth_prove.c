
/*
 * Steps around passwords: the stored hash is looked up, verified on a thread,
 * and SQL gets a verdict in the place of the password.
 */


#include "ngx_http_azora_auth_mail.h"
#include <sodium.h>


/* A hint: the queue drains hundreds of hashes in that time. */
#define NGX_HTTP_AZORA_AUTH_RETRY_AFTER  "2"


enum {
    NGX_HTTP_AZORA_AUTH_START = 0,
    NGX_HTTP_AZORA_AUTH_LOOKUP,          /* PostgreSQL is asked */
    NGX_HTTP_AZORA_AUTH_VERIFYING,       /* on a thread */
    NGX_HTTP_AZORA_AUTH_PROVED,          /* or not: the verdict stands */
    NGX_HTTP_AZORA_AUTH_MAKING,          /* a new hash, on a thread */
    NGX_HTTP_AZORA_AUTH_READY
};


static ngx_int_t ngx_http_azora_auth_prove(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *field, ngx_uint_t own);
static ngx_int_t ngx_http_azora_auth_lookup(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx, ngx_uint_t own);
static ngx_int_t ngx_http_azora_auth_ask(ngx_http_azora_auth_ctx_t *actx,
    const ngx_azora_statement_t *statement, const ngx_str_t *param,
    ngx_uint_t named);
static void ngx_http_azora_auth_lookup_done(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_auth_copy(ngx_pool_t *pool, ngx_str_t *dst,
    const ngx_str_t *src);
static ngx_int_t ngx_http_azora_auth_start_hash(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *field, const char *stored);
static void ngx_http_azora_auth_wipe_request(ngx_http_request_t *r,
    ngx_azora_value_t *password);
static ngx_int_t ngx_http_azora_auth_verdict(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *field);
static ngx_int_t ngx_http_azora_auth_choice(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const char *field, const ngx_str_t *words);
static ngx_int_t ngx_http_azora_auth_make(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *field);
static ngx_int_t ngx_http_azora_auth_made(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx,
    const char *field);
static ngx_int_t ngx_http_azora_auth_busy(ngx_http_request_t *r);


ngx_int_t
ngx_http_azora_auth_register_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  verify = ngx_string("true");

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (conf->verify_email
        && ngx_azora_set_value(ctx, "verify", &verify) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_auth_setup_prepare(r, ctx);
}


ngx_int_t
ngx_http_azora_auth_setup_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   words[2];
    ngx_azora_value_t          *email, *name;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_azora_auth_get_ctx(r);
    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (actx->state == NGX_HTTP_AZORA_AUTH_MAKING) {
        return ngx_http_azora_auth_made(r, ctx, actx, "password");
    }

    email = ngx_azora_value(ctx, "email");
    name = ngx_azora_value(ctx, "name");

    if (name == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    words[0] = email ? email->text : name->text;
    words[1] = name->text;

    rc = ngx_http_azora_auth_choice(r, ctx, "password", words);

    return (rc == NGX_OK) ? ngx_http_azora_auth_make(r, ctx, actx, "password")
                          : rc;
}


ngx_int_t
ngx_http_azora_auth_login_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL
        || (actx->state == NGX_HTTP_AZORA_AUTH_START
            && ngx_http_azora_auth_refresh_draw(r, ctx, actx) != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_auth_prove(r, ctx, actx, "password", 0);
}


/*
 * The new password is looked at before the current one, and hashed whether
 * that one was right or not: neither an answer nor its time may tell who is
 * locked out, or guesses in a session that is not theirs, more than SQL does.
 */

ngx_int_t
ngx_http_azora_auth_change_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_int_t                   rc;
    ngx_str_t                   words[2];
    ngx_azora_value_t          *current;
    ngx_http_azora_auth_ctx_t  *actx;

    actx = ngx_http_azora_auth_get_ctx(r);
    current = ngx_azora_value(ctx, "current_password");

    if (actx == NULL || current == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (actx->state == NGX_HTTP_AZORA_AUTH_LOOKUP && actx->email.len) {

        words[0] = actx->email;
        words[1] = actx->name;

        rc = ngx_http_azora_auth_choice(r, ctx, "new_password", words);

        if (rc != NGX_OK) {
            ngx_http_azora_auth_wipe_request(r, current);
            return rc;
        }
    }

    rc = ngx_http_azora_auth_prove(r, ctx, actx, "current_password", 1);

    if (rc != NGX_OK) {
        return rc;
    }

    return (actx->state == NGX_HTTP_AZORA_AUTH_MAKING)
           ? ngx_http_azora_auth_made(r, ctx, actx, "new_password")
           : ngx_http_azora_auth_make(r, ctx, actx, "new_password");
}


ngx_int_t
ngx_http_azora_auth_reset_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_str_t                         words[2];
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_azora_auth_get_ctx(r);

    if (actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    switch (actx->state) {

    case NGX_HTTP_AZORA_AUTH_START:

        if (ngx_http_azora_auth_hash_field(ctx, "token") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_azora_auth_ask(actx, conf->reset_subject,
                                       &ngx_azora_value(ctx, "token")->text,
                                       1);

    case NGX_HTTP_AZORA_AUTH_LOOKUP:

        if (actx->status != NGX_OK) {
            return actx->status;
        }

        if (actx->email.len == 0) {
            /* no thread for tokens of no use */
            return ngx_azora_problem(r, NGX_HTTP_NOT_FOUND, "link-over",
                                     "The link is not complete, was used, or "
                                     "is older than an hour. Ask for another "
                                     "one.");
        }

        words[0] = actx->email;
        words[1] = actx->name;

        rc = ngx_http_azora_auth_choice(r, ctx, "new_password", words);

        return (rc == NGX_OK)
               ? ngx_http_azora_auth_make(r, ctx, actx, "new_password") : rc;

    case NGX_HTTP_AZORA_AUTH_MAKING:
        return ngx_http_azora_auth_made(r, ctx, actx, "new_password");

    default: /* NGX_HTTP_AZORA_AUTH_READY */
        return NGX_OK;
    }
}


/*
 * NGX_OK: the field holds the verdict.  own: of the caller's account, not of
 * the one that the field "email" names.
 */

static ngx_int_t
ngx_http_azora_auth_prove(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *field, ngx_uint_t own)
{
    const char                       *stored;
    ngx_http_azora_auth_main_conf_t  *conf;

    switch (actx->state) {

    case NGX_HTTP_AZORA_AUTH_START:
        return ngx_http_azora_auth_lookup(r, ctx, actx, own);

    case NGX_HTTP_AZORA_AUTH_LOOKUP:

        if (actx->status != NGX_OK) {
            return actx->status;
        }

        /* an unknown account must take the same time as a known one */

        conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
        stored = actx->made.data ? (char *) actx->made.data
                                 : conf->peppers->dummy;
        actx->state = NGX_HTTP_AZORA_AUTH_VERIFYING;

        return ngx_http_azora_auth_start_hash(r, ctx, actx, field, stored);

    case NGX_HTTP_AZORA_AUTH_VERIFYING:
        return ngx_http_azora_auth_verdict(r, ctx, actx, field);

    default: /* NGX_HTTP_AZORA_AUTH_PROVED and later */
        return NGX_OK;
    }
}


/* Asks for the stored hash. */

static ngx_int_t
ngx_http_azora_auth_lookup(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, ngx_uint_t own)
{
    ngx_azora_value_t                *email;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (own) {
        return ngx_http_azora_auth_ask(actx, conf->own_credential,
                                       &ctx->principal.subject, 1);
    }

    email = ngx_azora_value(ctx, "email");
    if (email == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_azora_auth_ask(actx, conf->credential, &email->text, 0);
}


/* named: the answer also has the e-mail address and the name. */

static ngx_int_t
ngx_http_azora_auth_ask(ngx_http_azora_auth_ctx_t *actx,
    const ngx_azora_statement_t *statement, const ngx_str_t *param,
    ngx_uint_t named)
{
    actx->op = ngx_azora_query(statement, param, 0,
                               ngx_http_azora_auth_lookup_done, actx);
    if (actx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->own = named;
    actx->state = NGX_HTTP_AZORA_AUTH_LOOKUP;

    return NGX_AGAIN;
}


static void
ngx_http_azora_auth_lookup_done(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_auth_ctx_t *actx = data;

    ngx_str_t            value;
    ngx_uint_t           i;
    ngx_http_request_t  *r;

    /* account, password, tag, and of one's own e-mail address and name */

    ngx_str_t           *to[] = { &actx->made, &actx->tag, &actx->email,
                                  &actx->name };

    r = actx->request;

    actx->op = NULL;
    actx->status = NGX_OK;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        actx->status = ngx_azora_op_problem(r, op);

    } else if (ngx_azora_op_rows(op) > 0) {

        for (i = 0; i < (actx->own ? 4 : 2); i++) {
            value = ngx_azora_op_value(op, 0, i + 1);

            if (ngx_http_azora_auth_copy(r->pool, to[i], &value) != NGX_OK) {
                actx->status = NGX_HTTP_INTERNAL_SERVER_ERROR;
            }
        }
    }

    ngx_azora_resume(r);
}


/* With a NUL behind; SQL NULL stays NULL. */

static ngx_int_t
ngx_http_azora_auth_copy(ngx_pool_t *pool, ngx_str_t *dst,
    const ngx_str_t *src)
{
    ngx_str_null(dst);

    if (src->data == NULL) {
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(pool, src->len + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->data[src->len] = '\0';
    dst->len = src->len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_start_hash(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *field, const char *stored)
{
    ngx_int_t           rc;
    ngx_azora_value_t  *password;

    password = ngx_azora_value(ctx, field);
    if (password == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_azora_auth_hash(r, actx, &password->text, stored);

    ngx_http_azora_auth_wipe_request(r, password);

    if (rc == NGX_BUSY) {
        return ngx_http_azora_auth_busy(r);
    }

    if (rc == NGX_AGAIN) {
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


/* What identity.password_proved() is told instead of the password. */

static ngx_int_t
ngx_http_azora_auth_verdict(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *field)
{
    u_char     *p;
    ngx_str_t   verdict;

    p = ngx_pnalloc(r->pool, sizeof("rehash::") + actx->tag.len
                             + actx->made.len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    verdict.data = p;

    switch (actx->result) {

    case NGX_HTTP_AZORA_AUTH_PASSWORD_OK:
        p = ngx_sprintf(p, "ok:%V", &actx->tag);
        break;

    case NGX_HTTP_AZORA_AUTH_PASSWORD_BAD:
        p = ngx_cpymem(p, "bad", sizeof("bad") - 1);
        break;

    case NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH:
        p = ngx_sprintf(p, "rehash:%V:%V", &actx->tag, &actx->made);
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

    verdict.len = p - verdict.data;
    actx->state = NGX_HTTP_AZORA_AUTH_PROVED;

    return (ngx_azora_set_value(ctx, field, &verdict) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* Whether a password may be chosen; words are of who chooses, two. */

static ngx_int_t
ngx_http_azora_auth_choice(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const char *field, const ngx_str_t *words)
{
    u_char                            pointer[32];
    const char                       *reason;
    ngx_azora_value_t                *password;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    password = ngx_azora_value(ctx, field);
    if (password == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    reason = ngx_http_azora_auth_common_check(&conf->common, &password->text,
                                              words, 2);
    if (reason == NULL) {
        return NGX_OK;
    }

    ngx_http_azora_auth_wipe_request(r, password);
    ngx_snprintf(pointer, sizeof(pointer), "/%s%Z", field);
    ngx_azora_problem_error(r, (char *) pointer, "%s", reason);

    return ngx_azora_problem(r, 422, "common-password", "%s", reason);
}


/* Begins to hash a password that somebody chose. */

static ngx_int_t
ngx_http_azora_auth_make(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *field)
{
    actx->state = NGX_HTTP_AZORA_AUTH_MAKING;

    return ngx_http_azora_auth_start_hash(r, ctx, actx, field, NULL);
}


/* The new hash stands in the field. */

static ngx_int_t
ngx_http_azora_auth_made(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_http_azora_auth_ctx_t *actx, const char *field)
{
    if (actx->result == NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY) {
        return ngx_http_azora_auth_busy(r);
    }

    if (actx->result != NGX_HTTP_AZORA_AUTH_PASSWORD_OK
        || ngx_azora_set_value(ctx, field, &actx->made) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    actx->state = NGX_HTTP_AZORA_AUTH_READY;

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
