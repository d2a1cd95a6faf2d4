
/*
 * The rows of logging in, staying logged in, and one's own account.
 */


#include "ngx_http_azora_auth.h"


static const ngx_azora_field_t  ngx_http_azora_auth_anything[] = {
    { "", NGX_AZORA_OBJECT, .about = "As the schema that it is of has it." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_register_fields[] = {
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The address to log in with." },
    { "password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 8,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX, NULL, NULL,
      "8 to 1,024 bytes of any characters; common ones are refused." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 100, NULL, NULL,
      "How others see you." },
    { "verify", NGX_AZORA_BOOLEAN, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
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
    { "refresh_token", NGX_AZORA_SECRET, NGX_AZORA_NULLABLE, 0, 0, NULL, NULL,
      "For POST /v1/auth/refresh, when asked for in the body." },
    NGX_AZORA_END
};


const ngx_azora_field_t  ngx_http_azora_auth_account_returns[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The account." },
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Its address." },
    { "phone", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Its phone number, when one was confirmed." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "How others see it." },
    { "handle", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, 0, 0, NULL, NULL,
      "A short name that others may pay to, when one was chosen." },
    { "email_verified", NGX_AZORA_BOOLEAN, NGX_AZORA_REQUIRED, 0, 0, NULL,
      NULL, "Whether it proved that the address is its own." },
    { "roles", NGX_AZORA_LIST, 0, 0, 0, NULL, NULL, "What it is here." },
    { "tier", NGX_AZORA_ENUM, .values = NGX_HTTP_AZORA_AUTH_TIERS,
      .about = "What it is entitled to: limits follow from it." },
    { "created_at", NGX_AZORA_TIME, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "Since when." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_change_fields[] = {
    { "current_password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX, .about = "The one of now." },
    { "new_password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 8,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX,
      .about = "8 to 1,024 bytes of any characters; common ones are "
               "refused." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_setup_fields[] = {
    { "token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1, 128,
      .about = "What `scripts/azora admin` printed." },
    { "password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 8,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX,
      .about = "8 to 1,024 bytes of any characters; common ones are "
               "refused." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 100,
      .about = "How others see you." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_update_fields[] = {
    { "name", NGX_AZORA_TEXT, 0, 1, 100, .about = "How others see you." },
    { "handle", NGX_AZORA_TEXT, 0, 3, 30,
      .about = "3 to 30 letters, digits and _, a letter first." },
    { "phone", NGX_AZORA_TEXT, 0, 8, 16,
      .about = "As +254712345678; a code is sent there, and "
               "POST /v1/me/phone/confirm takes it." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_export_returns[] = {
    { "exported_at", NGX_AZORA_TIME, .about = "When." },
    { "account", NGX_AZORA_OBJECT,
      .items = ngx_http_azora_auth_account_returns,
      .about = "The account." },
    { "logins", NGX_AZORA_OBJECT, .about = "How it logs in, and where." },
    { "sessions", NGX_AZORA_LIST, .items = ngx_http_azora_auth_anything,
      .about = "Its sessions, also those that are over." },
    { "learning", NGX_AZORA_OBJECT, .about = "Enrolments and attempts." },
    { "wallets", NGX_AZORA_LIST, .items = ngx_http_azora_auth_anything,
      .about = "Wallets with every movement." },
    { "market", NGX_AZORA_OBJECT,
      .about = "Jobs, applications, contracts, notes." },
    { "decisions", NGX_AZORA_LIST, .items = ngx_http_azora_auth_anything,
      .about = "What the constitution decided." },
    { "webhooks", NGX_AZORA_LIST, .items = ngx_http_azora_auth_anything,
      .about = "Addresses that are told of events." },
    { "activity", NGX_AZORA_LIST, .items = ngx_http_azora_auth_anything,
      .about = "What was journaled." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_introspect_fields[] = {
    { "token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1,
      NGX_HTTP_AZORA_AUTH_TOKEN_MAX,
      .about = "An access token or an API key." },
    { "token_type_hint", NGX_AZORA_TEXT, 0, 0, 64,
      .about = "Taken and not needed." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_introspect_returns[] = {
    { "active", NGX_AZORA_BOOLEAN, NGX_AZORA_REQUIRED,
      .about = "Whether it counts; nothing else is told when it does not." },
    { "token_type", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Bearer or api_key." },
    { "sub", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The account." },
    { "sid", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The session or key." },
    { "scope", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What it may do." },
    { "roles", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What the account is." },
    { "tier", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "What the account is entitled to." },
    { "exp", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "Good until then." },
    { "iat", NGX_AZORA_INTEGER, NGX_AZORA_NULLABLE,
      .about = "Since when." },
    { "iss", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Who issued it." },
    { "aud", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "For whom." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_auth_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/auth/register",
      .flags = NGX_AZORA_PUBLIC|NGX_AZORA_KEY,
      .fields = ngx_http_azora_auth_register_fields,
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.register",
      .summary = "Open an account",
      .prepare = ngx_http_azora_auth_register_prepare, .cost = 10,
      .answers = "201|202" },

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
      .finish = ngx_http_azora_auth_logout_finish, .answers = "204" },

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

    { .method = NGX_HTTP_POST, .path = "/v1/auth/password",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_change_fields,
      .function = "identity.change_password",
      .summary = "Change one's password and end one's other sessions",
      .prepare = ngx_http_azora_auth_change_prepare,
      .finish = ngx_http_azora_auth_revoked_finish, .cost = 5,
      .answers = "204" },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/setup",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_setup_fields,
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.set_up_admin",
      .summary = "Become an admin with a one-time token of the operator",
      .prepare = ngx_http_azora_auth_setup_prepare,
      .finish = ngx_http_azora_auth_revoked_finish, .cost = 5 },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/introspect",
      .flags = NGX_AZORA_USER|NGX_AZORA_FORM, .scope = "introspect",
      .fields = ngx_http_azora_auth_introspect_fields,
      .returns = ngx_http_azora_auth_introspect_returns,
      .summary = "Ask whether a token counts (RFC 7662)",
      .roles = "service",
      .prepare = ngx_http_azora_auth_introspect_prepare,
      .handler = ngx_http_azora_auth_introspect_handler },

    { .method = NGX_HTTP_PATCH, .path = "/v1/me",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_update_fields,
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.update_me",
      .summary = "Change one's name, handle or phone number" },

    { .method = NGX_HTTP_DELETE, .path = "/v1/me",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .function = "identity.erase_me",
      .summary = "Be forgotten",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_GET, .path = "/v1/me/export",
      .flags = NGX_AZORA_USER|NGX_AZORA_SLOW, .scope = "profile:read",
      .returns = ngx_http_azora_auth_export_returns,
      .function = "identity.export_me",
      .summary = "Take everything that is kept about oneself", .cost = 20 },

    { .method = NGX_HTTP_GET, .path = "/.well-known/openid-configuration",
      .flags = NGX_AZORA_PUBLIC,
      .summary = "Where what is (OpenID Connect Discovery, RFC 8414)",
      .handler = ngx_http_azora_auth_discovery_handler },

    { .method = NGX_HTTP_GET, .path = "/.well-known/jwks.json",
      .flags = NGX_AZORA_PUBLIC,
      .summary = "Public keys that verify access tokens (RFC 7517)",
      .handler = ngx_http_azora_auth_jwks_handler,
      .media = "application/jwk-set+json" },

    NGX_AZORA_ROWS_END
};
