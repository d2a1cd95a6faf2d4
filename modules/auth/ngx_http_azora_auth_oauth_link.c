
/*
 * One's own logins at providers: shown, linked, unlinked.  Linking begins in a
 * session whose login is recent; the way there and back is that of a login,
 * and the cookie of the way says for which session it is.
 */


#include "ngx_http_azora_auth_oauth.h"


static ngx_int_t ngx_http_azora_auth_link_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


static const ngx_azora_field_t  ngx_http_azora_auth_login_id_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The login." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_login_returns[] = {
    { "id", NGX_AZORA_UUID, .about = "The login." },
    { "issuer", NGX_AZORA_TEXT, .about = "The provider." },
    { "subject", NGX_AZORA_TEXT, .about = "Who one is there." },
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_logins_returns[] = {
    { "password", NGX_AZORA_BOOLEAN, .about = "Whether a password logs in." },
    { "second_factor", NGX_AZORA_BOOLEAN,
      .about = "Whether logging in needs a second factor." },
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_auth_login_returns,
      .about = "Logins at providers, oldest first." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_link_fields[] = {
    { "provider", NGX_AZORA_SLUG, NGX_AZORA_REQUIRED, 1, 32,
      .about = "google, or what is configured." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_link_returns[] = {
    { "location", NGX_AZORA_TEXT,
      .about = "Where the browser goes now; it comes back to the callback." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_link_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/me/logins",
      .flags = NGX_AZORA_USER, .scope = "profile:read",
      .returns = ngx_http_azora_auth_logins_returns,
      .function = "identity.list_logins",
      .summary = "Show the ways to log in to one's account" },

    { .method = NGX_HTTP_POST, .path = "/v1/me/logins",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_link_fields,
      .returns = ngx_http_azora_auth_link_returns,
      .function = "identity.begin_link",
      .summary = "Go and link a login at a provider to one's account",
      .prepare = ngx_http_azora_auth_start_prepare,
      .finish = ngx_http_azora_auth_link_finish, .cost = 5 },

    { .method = NGX_HTTP_DELETE, .path = "/v1/me/logins/{id}",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_login_id_fields,
      .function = "identity.unlink_login",
      .summary = "Unlink a login, while another way to log in remains",
      .finish = ngx_http_azora_auth_revoked_finish },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_http_azora_auth_oauth_link = {
    NGX_AZORA_ABI,
    "logins",
    ngx_http_azora_auth_link_rows,
    NULL,
    NULL,
    "The ways to log in to one's account."
};


ngx_int_t
ngx_http_azora_auth_oauth_link_add(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_auth_oauth_link);
}


/* SQL had nothing against it: the browser gets its cookie and its way. */

static ngx_int_t
ngx_http_azora_auth_link_finish(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t  location;

    static ngx_str_t  no_store = ngx_string("no-store");

    if (ngx_http_azora_auth_start_location(r, ctx, &ctx->principal.session,
                                           &location)
        != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->reply.body.data = ngx_pnalloc(r->pool, sizeof("{\"location\":\"\"}")
                                                + location.len);
    if (ctx->reply.body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* a URL that discovery took has no quotes, and ours is escaped */

    ctx->reply.body.len = ngx_sprintf(ctx->reply.body.data,
                                      "{\"location\":\"%V\"}", &location)
                          - ctx->reply.body.data;

    return NGX_OK;
}
