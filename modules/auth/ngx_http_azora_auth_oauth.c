
/*
 * The rows of logging in at somebody else's: a browser is sent there, comes
 * back with a code, and the ID token that the code buys says who it is.  What
 * that means here is decided by identity.oauth_login().
 */


#include "ngx_http_azora_auth_oauth.h"
#include <sodium.h>


enum {
    NGX_HTTP_AZORA_AUTH_OAUTH_START = 0,
    NGX_HTTP_AZORA_AUTH_OAUTH_METADATA,
    NGX_HTTP_AZORA_AUTH_OAUTH_TOKEN,
    NGX_HTTP_AZORA_AUTH_OAUTH_KEYS,
    NGX_HTTP_AZORA_AUTH_OAUTH_DONE
};


static ngx_int_t ngx_http_azora_auth_start_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_auth_callback_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_callback_check(
    ngx_http_azora_auth_flow_t *flow, ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_callback_open(
    ngx_http_azora_auth_flow_t *flow, ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_callback_values(
    ngx_http_azora_auth_flow_t *flow, ngx_azora_ctx_t *ctx, json_t *claims);
static ngx_int_t ngx_http_azora_auth_callback_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_http_azora_auth_refused(ngx_http_request_t *r,
    const char *detail);
static ngx_http_azora_auth_flow_t *ngx_http_azora_auth_get_flow(
    ngx_http_request_t *r, ngx_azora_ctx_t *ctx, ngx_int_t *status);
static void ngx_http_azora_auth_flow_cleanup(void *data);


static const ngx_azora_field_t  ngx_http_azora_auth_start_fields[] = {
    { "provider", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH, 1, 32,
      NULL, NULL, "Where to log in: google, or what is configured." },
    NGX_AZORA_END
};


/* what else providers add is of no use here, RFC 6749 4.1.2 */

static const ngx_azora_field_t  ngx_http_azora_auth_callback_fields[] = {
    { "provider", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH, 1, 32,
      NULL, NULL, "Where the browser was." },
    { "code", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 2048, NULL, NULL,
      "What the tokens are given for." },
    { "state", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 128, NULL, NULL,
      "That of the start." },
    { "iss", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 256, NULL, NULL,
      "The provider's issuer (RFC 9207)." },
    { "error", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 128, NULL, NULL,
      "Why there is no code." },
    { "claims", NGX_AZORA_TEXT, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
    { "refresh", NGX_AZORA_TEXT, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
    { "link", NGX_AZORA_UUID, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_oauth_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/auth/oauth/{provider}/start",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_start_fields,
      .summary = "Go and log in at a provider (for browsers)",
      .prepare = ngx_http_azora_auth_start_prepare,
      .handler = ngx_http_azora_auth_start_handler, .answers = "303|503" },

    { .method = NGX_HTTP_GET, .path = "/v1/auth/oauth/{provider}/callback",
      .flags = NGX_AZORA_PUBLIC|NGX_AZORA_WRITE|NGX_AZORA_ANY_QUERY,
      .fields = ngx_http_azora_auth_callback_fields,
      .returns = ngx_http_azora_auth_token_returns,
      .function = "identity.oauth_login",
      .summary = "Come back from a provider and be logged in",
      .prepare = ngx_http_azora_auth_callback_prepare,
      .finish = ngx_http_azora_auth_callback_finish, .cost = 5,
      .answers = "200|204|303" },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_http_azora_auth_oauth = {
    NGX_AZORA_ABI,
    "oauth",
    ngx_http_azora_auth_oauth_rows,
    NULL,
    NULL,
    "Logging in with an account at Google or another OpenID provider."
};


ngx_int_t
ngx_http_azora_auth_oauth_add(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_auth_oauth);
}


ngx_int_t
ngx_http_azora_auth_start_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_azora_auth_flow_t  *flow;

    flow = ngx_http_azora_auth_get_flow(r, ctx, &rc);
    if (flow == NULL) {
        return rc;
    }

    if (flow->step == NGX_HTTP_AZORA_AUTH_OAUTH_METADATA) {
        return flow->status;
    }

    flow->step = NGX_HTTP_AZORA_AUTH_OAUTH_METADATA;

    return ngx_http_azora_auth_oauth_metadata(flow);
}


static ngx_int_t
ngx_http_azora_auth_start_handler(ngx_http_request_t *r)
{
    ngx_str_t  location, body;

    static ngx_str_t  json = ngx_string("application/json");
    static ngx_str_t  no_store = ngx_string("no-store");
    static ngx_str_t  nobody = ngx_null_string;

    if (ngx_http_azora_auth_start_location(r, ngx_azora_get_ctx(r), &nobody,
                                           &location)
        != NGX_OK
        || ngx_azora_add_header(r, "Location", &location) != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_str_set(&body, "{}");

    return ngx_azora_send(r, NGX_HTTP_SEE_OTHER, &json, &body);
}


/* Core 3.1.2.1 */

ngx_int_t
ngx_http_azora_auth_start_location(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const ngx_str_t *session, ngx_str_t *location)
{
    u_char                           *p;
    u_char                            challenge[NGX_HTTP_AZORA_AUTH_FLOW_LEN
                                                + 1];
    ngx_int_t                         rc;
    ngx_str_t                        *authorize;
    ngx_http_azora_auth_flow_t       *flow;
    ngx_http_azora_auth_provider_t   *provider;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    flow = ngx_http_azora_auth_get_flow(r, ctx, &rc);

    if (flow == NULL || flow->provider->metadata == NULL) {
        return NGX_ERROR;
    }

    flow->session = *session;

    if (ngx_http_azora_auth_flow_new(flow, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    provider = flow->provider;
    authorize = &provider->metadata->authorize;
    ngx_http_azora_auth_flow_challenge(flow, challenge);

    location->data = ngx_pnalloc(r->pool, authorize->len + 512
                                 + 3 * (provider->client_id.len
                                        + provider->redirect.len
                                        + provider->scope.len));
    if (location->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(location->data, "%V%sresponse_type=code&client_id=",
                    authorize,
                    ngx_strlchr(authorize->data,
                                authorize->data + authorize->len, '?')
                    ? "&" : "?");
    p = (u_char *) ngx_escape_uri(p, provider->client_id.data,
                                  provider->client_id.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    p = ngx_cpymem(p, "&redirect_uri=", sizeof("&redirect_uri=") - 1);
    p = (u_char *) ngx_escape_uri(p, provider->redirect.data,
                                  provider->redirect.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    p = ngx_cpymem(p, "&scope=", sizeof("&scope=") - 1);
    p = (u_char *) ngx_escape_uri(p, provider->scope.data,
                                  provider->scope.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    p = ngx_sprintf(p, "&state=%s&nonce=%s&code_challenge=%s"
                    "&code_challenge_method=S256",
                    flow->state, flow->nonce, challenge);
    location->len = p - location->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_callback_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_azora_auth_flow_t  *flow;

    flow = ngx_http_azora_auth_get_flow(r, ctx, &rc);
    if (flow == NULL) {
        return rc;
    }

    rc = flow->status;

    while (rc == NGX_OK) {

        switch (flow->step) {

        case NGX_HTTP_AZORA_AUTH_OAUTH_START:
            rc = ngx_http_azora_auth_callback_check(flow, ctx);
            if (rc == NGX_OK) {
                rc = ngx_http_azora_auth_oauth_metadata(flow);
            }
            break;

        case NGX_HTTP_AZORA_AUTH_OAUTH_METADATA:

            /* RFC 9207 2.4: a provider that says so names itself always */

            if (flow->provider->metadata->iss
                && ngx_azora_value(ctx, "iss") == NULL)
            {
                return ngx_http_azora_auth_refused(r, "The answer does not "
                                                      "name its issuer.");
            }

            rc = ngx_http_azora_auth_oauth_token(flow,
                                       &ngx_azora_value(ctx, "code")->text);
            break;

        case NGX_HTTP_AZORA_AUTH_OAUTH_TOKEN:
            rc = ngx_http_azora_auth_oauth_keys(flow, 0);
            break;

        case NGX_HTTP_AZORA_AUTH_OAUTH_KEYS:
            rc = ngx_http_azora_auth_callback_open(flow, ctx);

            if (rc == NGX_AGAIN) {
                return rc;
            }

            break;

        default: /* NGX_HTTP_AZORA_AUTH_OAUTH_DONE */
            return NGX_OK;
        }

        if (rc == NGX_OK || rc == NGX_AGAIN) {
            flow->step++;
        }
    }

    return rc;
}


/* Whether this browser began this login, and what the provider says to it. */

static ngx_int_t
ngx_http_azora_auth_callback_check(ngx_http_azora_auth_flow_t *flow,
    ngx_azora_ctx_t *ctx)
{
    ngx_azora_value_t                *state, *iss;
    ngx_http_request_t               *r;
    ngx_http_azora_auth_main_conf_t  *conf;

    r = flow->request;
    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    state = ngx_azora_value(ctx, "state");
    iss = ngx_azora_value(ctx, "iss");

    if (state == NULL || state->text.len != NGX_HTTP_AZORA_AUTH_FLOW_LEN
        || ngx_http_azora_auth_flow_old(flow, conf) != NGX_OK
        || sodium_memcmp(state->text.data, flow->state,
                         NGX_HTTP_AZORA_AUTH_FLOW_LEN)
           != 0)
    {
        return ngx_http_azora_auth_refused(r, "This browser did not begin "
                                              "this login, or too long ago. "
                                              "Begin again.");
    }

    if (iss != NULL
        && (iss->text.len != flow->provider->issuer.len
            || ngx_memcmp(iss->text.data, flow->provider->issuer.data,
                          iss->text.len)
               != 0))
    {
        return ngx_http_azora_auth_refused(r, "The answer is of another "
                                              "issuer.");
    }

    if (ngx_azora_value(ctx, "error") != NULL
        || ngx_azora_value(ctx, "code") == NULL)
    {
        return ngx_http_azora_auth_refused(r, "The provider did not log you "
                                              "in.");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_callback_open(ngx_http_azora_auth_flow_t *flow,
    ngx_azora_ctx_t *ctx)
{
    json_t      *claims;
    ngx_int_t    rc;
    const char  *reason;

    rc = ngx_http_azora_auth_id_token(flow->provider, &flow->id_token,
                                      flow->nonce, ngx_time(), &claims,
                                      &reason);

    if (rc == NGX_AGAIN && !flow->again) {
        /* the provider may have changed its keys */
        flow->again = 1;
        return ngx_http_azora_auth_oauth_keys(flow, 1);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, flow->request->connection->log, 0,
                      "azora: an ID token of \"%V\" is refused: %s",
                      &flow->provider->name, reason);
        return ngx_http_azora_auth_refused(flow->request,
                                           "The provider's ID token is not "
                                           "good.");
    }

    rc = ngx_http_azora_auth_callback_values(flow, ctx, claims);
    json_decref(claims);

    return rc;
}


/* SQL sees who it is, and nothing of the exchange. */

static ngx_int_t
ngx_http_azora_auth_callback_values(ngx_http_azora_auth_flow_t *flow,
    ngx_azora_ctx_t *ctx, json_t *claims)
{
    char                       *text;
    json_t                     *root;
    ngx_int_t                   rc;
    ngx_str_t                   value;
    ngx_http_azora_auth_ctx_t  *actx;

    static ngx_str_t  nothing = ngx_string("");

    actx = ngx_http_azora_auth_get_ctx(flow->request);

    root = json_pack("{s:O,s:O,s:O?,s:O?,s:O?}",
                     "iss", json_object_get(claims, "iss"),
                     "sub", json_object_get(claims, "sub"),
                     "email", json_object_get(claims, "email"),
                     "email_verified",
                     json_object_get(claims, "email_verified"),
                     "name", json_object_get(claims, "name"));
    text = json_dumps(root, JSON_COMPACT);

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (actx != NULL && text != NULL) {
        value.data = (u_char *) text;
        value.len = ngx_strlen(text);

        if (ngx_azora_set_value(ctx, "claims", &value) == NGX_OK
            && ngx_azora_set_value(ctx, "code", &nothing) == NGX_OK
            && ngx_azora_set_value(ctx, "state", &nothing) == NGX_OK
            && (flow->session.len == 0
                || ngx_azora_set_value(ctx, "link", &flow->session) == NGX_OK)
            && ngx_http_azora_auth_refresh_draw(flow->request, ctx, actx)
               == NGX_OK)
        {
            rc = NGX_OK;
        }
    }

    free(text);
    json_decref(root);

    return rc;
}


/* The cookie of the login goes; with azora_oauth_return so does the browser. */

static ngx_int_t
ngx_http_azora_auth_callback_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_int_t                         rc;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_http_azora_auth_flow_forget(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* who linked a login was logged in before and gets no other tokens */

    rc = (ngx_azora_value(ctx, "link") == NULL)
         ? ngx_http_azora_auth_login_finish(r, ctx) : NGX_OK;

    if (rc == NGX_OK && conf->oauth_return.len) {
        /* the page there exchanges the refresh token's cookie */
        ctx->reply.status = NGX_HTTP_SEE_OTHER;
        ctx->reply.location = conf->oauth_return;
        ngx_str_set(&ctx->reply.body, "{}");
    }

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_refused(ngx_http_request_t *r, const char *detail)
{
    return ngx_azora_problem(r, NGX_HTTP_UNAUTHORIZED, "login-refused", "%s",
                             detail);
}


/* NULL: *status is what the request ends with */

static ngx_http_azora_auth_flow_t *
ngx_http_azora_auth_get_flow(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_int_t *status)
{
    ngx_uint_t                        i;
    ngx_azora_value_t                *name;
    ngx_pool_cleanup_t               *cln;
    ngx_http_azora_auth_flow_t       *flow;
    ngx_http_azora_auth_provider_t   *provider;
    ngx_http_azora_auth_main_conf_t  *conf;

    *status = NGX_HTTP_INTERNAL_SERVER_ERROR;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_azora_auth_flow_cleanup) {
            return cln->data;
        }
    }

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    name = ngx_azora_value(ctx, "provider");
    provider = conf->providers ? conf->providers->elts : NULL;

    for (i = 0; name && provider && i < conf->providers->nelts; i++) {
        if (provider[i].name.len == name->text.len
            && ngx_memcmp(provider[i].name.data, name->text.data,
                          name->text.len)
               == 0)
        {
            break;
        }
    }

    if (name == NULL || provider == NULL || i == conf->providers->nelts) {
        *status = ngx_azora_problem(r, NGX_HTTP_NOT_FOUND, "not-found",
                                    "There is no such provider here.");
        return NULL;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_azora_auth_flow_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_azora_auth_flow_cleanup;
    flow = cln->data;
    ngx_memzero(flow, sizeof(ngx_http_azora_auth_flow_t));
    flow->request = r;
    flow->provider = &provider[i];

    return flow;
}


/* The browser left. */

static void
ngx_http_azora_auth_flow_cleanup(void *data)
{
    ngx_http_azora_auth_flow_t *flow = data;

    if (flow->fetch != NULL) {
        ngx_azora_fetch_cancel(flow->fetch);
        flow->fetch = NULL;
    }
}
