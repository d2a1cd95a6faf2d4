
/* The rows of administration: accounts of others, services and their keys. */


#include "ngx_http_azora_auth.h"


static const ngx_azora_field_t  ngx_http_azora_auth_list_users_fields[] = {
    { "query", NGX_AZORA_TEXT, NGX_AZORA_IN_QUERY, 1, 100,
      .about = "The beginning of an address, handle or name." },
    { "role", NGX_AZORA_ENUM, NGX_AZORA_IN_QUERY,
      .values = "learner|teacher|guardian|employer|arbiter|auditor|admin|"
                "service",
      .about = "Only who has this role." },
    { "locked", NGX_AZORA_BOOLEAN, NGX_AZORA_IN_QUERY,
      .about = "Only who is locked, or is not." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_user_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The account." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_user[] = {
    { "id", NGX_AZORA_UUID, .about = "The account." },
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_NULLABLE, .about = "Its address." },
    { "name", NGX_AZORA_TEXT, .about = "How others see it." },
    { "handle", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "Its handle." },
    { "roles", NGX_AZORA_LIST, .about = "What it is here." },
    { "tier", NGX_AZORA_ENUM, .values = NGX_HTTP_AZORA_AUTH_TIERS,
      .about = "What it is entitled to." },
    { "locked", NGX_AZORA_BOOLEAN, .about = "Whether it cannot log in." },
    { "lock_reason", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE, .about = "Why." },
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },
    { "erased_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "When its person asked to be forgotten." },
    { "sessions", NGX_AZORA_INTEGER, .about = "How many it has." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_users[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_auth_user,
      .about = "Accounts, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_update_user_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The account." },
    { "roles", NGX_AZORA_LIST, 0, 1, 8,
      .about = "All its roles from now on." },
    { "tier", NGX_AZORA_ENUM, .values = NGX_HTTP_AZORA_AUTH_TIERS,
      .about = "What it is entitled to from now on: limits follow from it." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_lock_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The account." },
    { "reason", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 500,
      .about = "Why, for the journal." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_user_page_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The account." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_user_session_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The account." },
    { "session", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The session." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_service_fields[] = {
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 100,
      .about = "What the program is." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_make_key_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The service." },
    { "name", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 100,
      .about = "What the key is for." },
    { "scopes", NGX_AZORA_LIST, NGX_AZORA_REQUIRED, 1, 32,
      .about = "What it may do, of what the service's roles may." },
    { "expires_in_days", NGX_AZORA_INTEGER, 0, 1, 365,
      .about = "90 when absent." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_key_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The key." },
    NGX_AZORA_END
};

#define NGX_HTTP_AZORA_AUTH_KEY_RETURNS                                       \
    { "id", NGX_AZORA_UUID, .about = "The key." },                            \
    { "account", NGX_AZORA_UUID, .about = "The service." },                   \
    { "name", NGX_AZORA_TEXT, .about = "What it is for." },                   \
    { "scopes", NGX_AZORA_LIST, .about = "What it may do." },                 \
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },                 \
    { "expires_at", NGX_AZORA_TIME, .about = "Good until then." },            \
    { "last_used_at", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,                     \
      .about = "To some minutes." }

static const ngx_azora_field_t  ngx_http_azora_auth_shown_key[] = {
    NGX_HTTP_AZORA_AUTH_KEY_RETURNS,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_keys[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_auth_shown_key,
      .about = "Keys that are good, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_auth_new_key[] = {
    NGX_HTTP_AZORA_AUTH_KEY_RETURNS,
    { "key", NGX_AZORA_SECRET, .about = "The key itself, told once." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_admin_rows[] = {

    { .method = NGX_HTTP_GET, .path = "/v1/admin/users",
      .flags = NGX_AZORA_USER|NGX_AZORA_SLOW,
      .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_list_users_fields,
      .returns = ngx_http_azora_auth_users,
      .function = "identity.list_users",
      .summary = "List and search accounts" },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/users/{id}",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_fields,
      .returns = ngx_http_azora_auth_user,
      .function = "identity.get_user",
      .summary = "Show an account" },

    { .method = NGX_HTTP_PATCH, .path = "/v1/admin/users/{id}",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_update_user_fields,
      .returns = ngx_http_azora_auth_user,
      .function = "identity.update_user",
      .summary = "Change the roles or the tier of an account",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_POST, .path = "/v1/admin/users/{id}/lock",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_lock_fields,
      .function = "identity.lock_user",
      .summary = "Lock an account and end its sessions",
      .finish = ngx_http_azora_auth_revoked_finish, .answers = "204" },

    { .method = NGX_HTTP_POST, .path = "/v1/admin/users/{id}/unlock",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_fields,
      .function = "identity.unlock_user",
      .summary = "Unlock an account", .answers = "204" },

    { .method = NGX_HTTP_DELETE, .path = "/v1/admin/users/{id}/totp",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_fields,
      .function = "identity.remove_user_totp",
      .summary = "Turn off the second factor that somebody lost",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/users/{id}/sessions",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_page_fields,
      .returns = ngx_http_azora_auth_session_list,
      .function = "identity.list_user_sessions",
      .summary = "List the sessions of an account" },

    { .method = NGX_HTTP_DELETE, .path = "/v1/admin/users/{id}/sessions",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_fields,
      .function = "identity.end_user_sessions",
      .summary = "End all sessions of an account",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_DELETE,
      .path = "/v1/admin/users/{id}/sessions/{session}",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_session_fields,
      .function = "identity.end_user_session",
      .summary = "End a session of an account",
      .finish = ngx_http_azora_auth_revoked_finish },

    { .method = NGX_HTTP_POST, .path = "/v1/admin/services",
      .flags = NGX_AZORA_USER|NGX_AZORA_KEY, .scope = "admin",
      .roles = "admin",
      .fields = ngx_http_azora_auth_service_fields,
      .returns = ngx_http_azora_auth_user,
      .function = "identity.make_service",
      .summary = "Make an account for a program" },

    { .method = NGX_HTTP_POST, .path = "/v1/admin/users/{id}/keys",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_make_key_fields,
      .returns = ngx_http_azora_auth_new_key,
      .function = "identity.make_key",
      .summary = "Make an API key of a service" },

    { .method = NGX_HTTP_GET, .path = "/v1/admin/users/{id}/keys",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_user_page_fields,
      .returns = ngx_http_azora_auth_keys,
      .function = "identity.list_keys",
      .summary = "List the API keys of a service" },

    { .method = NGX_HTTP_DELETE, .path = "/v1/admin/keys/{id}",
      .flags = NGX_AZORA_USER, .scope = "admin", .roles = "admin",
      .fields = ngx_http_azora_auth_key_fields,
      .function = "identity.revoke_key",
      .summary = "Revoke an API key at once",
      .finish = ngx_http_azora_auth_revoked_finish },

    NGX_AZORA_ROWS_END
};


const ngx_azora_capability_t  ngx_http_azora_auth_admin = {
    NGX_AZORA_ABI,
    "admin",
    ngx_http_azora_auth_admin_rows,
    NULL,
    NULL,
    "What administrators do: accounts, roles, services and their keys."
};
