
/*
 * The rows of logging in, staying logged in, and one's own account.
 */


#include "ngx_http_azora_auth.h"


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
    { "refresh", NGX_AZORA_ENUM, 0, 0, 0, NULL, "cookie|body",
      "Where the refresh token goes: body is for apps without cookies." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_refresh_fields[] = {
    { "refresh_token", NGX_AZORA_SECRET, 0, 1, 128, NULL, NULL,
      "The refresh token, when it is not in the cookie." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_logout_fields[] = {
    { "all", NGX_AZORA_BOOLEAN, NGX_AZORA_IN_QUERY, 0, 0, NULL, NULL,
      "Ends every session of the account." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_sessions_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_session_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH, 0, 0, NULL,
      NULL, "The session." },
    NGX_AZORA_END
};


const ngx_azora_field_t  ngx_http_azora_auth_session[] = {
    { "id", NGX_AZORA_UUID, .about = "The session." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was opened." },
    { "last_seen_at", NGX_AZORA_TIME, .about = "When it was last renewed." },
    { "expires_at", NGX_AZORA_TIME, .about = "When it ends at the latest." },
    { "network", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "The network it was opened from, not the address." },
    { "agent", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What the program calls itself." },
    { "current", NGX_AZORA_BOOLEAN, .about = "Whether it is this one." },
    NGX_AZORA_END
};


const ngx_azora_field_t  ngx_http_azora_auth_session_list[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_auth_session,
      .about = "Living sessions, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


const ngx_azora_field_t  ngx_http_azora_auth_token_returns[] = {
    { "access_token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "A signed JWT (RFC 9068) for the Authorization header." },
    { "token_type", NGX_AZORA_ENUM, NGX_AZORA_REQUIRED, 0, 0, NULL, "Bearer",
      "How to send it." },
    { "expires_in", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Seconds until it expires." },
    { "refresh_token", NGX_AZORA_SECRET, 0, 0, 0, NULL, NULL,
      "For POST /v1/auth/refresh, when asked for in the body." },
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
      .prepare = ngx_http_azora_auth_register_prepare, .cost = 10 },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/login",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_login_fields,
      .returns = ngx_http_azora_auth_token_returns,
      .function = "identity.login",
      .summary = "Log in with e-mail address and password",
      .prepare = ngx_http_azora_auth_login_prepare,
      .finish = ngx_http_azora_auth_login_finish, .cost = 10 },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/refresh",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_refresh_fields,
      .returns = ngx_http_azora_auth_token_returns,
      .function = "identity.refresh",
      .summary = "Exchange a refresh token for new tokens",
      .prepare = ngx_http_azora_auth_refresh_prepare,
      .finish = ngx_http_azora_auth_refresh_finish },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/logout",
      .flags = NGX_AZORA_USER,
      .fields = ngx_http_azora_auth_logout_fields,
      .function = "identity.logout",
      .summary = "End this session, or all of one's sessions",
      .finish = ngx_http_azora_auth_logout_finish },

    { .method = NGX_HTTP_GET, .path = "/v1/auth/sessions",
      .flags = NGX_AZORA_USER, .scope = "profile:read",
      .fields = ngx_http_azora_auth_sessions_fields,
      .returns = ngx_http_azora_auth_session_list,
      .function = "identity.list_sessions",
      .summary = "List one's sessions" },

    { .method = NGX_HTTP_DELETE, .path = "/v1/auth/sessions",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .function = "identity.end_other_sessions",
      .summary = "End all of one's other sessions",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_DELETE, .path = "/v1/auth/sessions/{id}",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_session_fields,
      .function = "identity.end_session",
      .summary = "End one of one's sessions",
      .finish = ngx_http_azora_auth_revoked_finish },

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
