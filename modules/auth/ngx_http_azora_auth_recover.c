
/* The rows of proving an address and of forgotten passwords. */


#include "ngx_http_azora_auth_mail.h"


static ngx_int_t ngx_http_azora_auth_verify_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


static const ngx_azora_field_t  ngx_http_azora_auth_verify_fields[] = {
    { "token", NGX_AZORA_SECRET, 0, 1, 128, NULL, NULL,
      "What stands behind #token= in the mail's link." },
    { "email", NGX_AZORA_EMAIL, 0, 0, 0, NULL, NULL,
      "Or the address that wants another mail." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_verify_returns[] = {
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_NULLABLE,
      .about = "The address that is proved now; absent with 202." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_forgot_fields[] = {
    { "email", NGX_AZORA_EMAIL, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "The address of the account." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_http_azora_auth_reset_fields[] = {
    { "token", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 1, 128, NULL, NULL,
      "What stands behind #token= in the mail's link." },
    { "new_password", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED, 8,
      NGX_HTTP_AZORA_AUTH_PASSWORD_MAX, NULL, NULL,
      "8 to 1,024 bytes of any characters; common ones are refused." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_recover_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/auth/email/verify",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_verify_fields,
      .returns = ngx_http_azora_auth_verify_returns,
      .function = "identity.verify_email",
      .summary = "Prove an address by its mail, or ask for another mail",
      .prepare = ngx_http_azora_auth_verify_prepare, .cost = 5,
      .answers = "200|202" },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/password/forgot",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_forgot_fields,
      .function = "identity.forgot_password",
      .summary = "Ask for a mail that leads to a new password",
      .cost = 5, .answers = "202" },

    { .method = NGX_HTTP_POST, .path = "/v1/auth/password/reset",
      .flags = NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_auth_reset_fields,
      .function = "identity.reset_password",
      .summary = "Choose a new password by such a mail",
      .prepare = ngx_http_azora_auth_reset_prepare,
      .finish = ngx_http_azora_auth_revoked_finish, .cost = 5,
      .answers = "204" },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_http_azora_auth_recover = {
    NGX_AZORA_ABI,
    "recovery",
    ngx_http_azora_auth_recover_rows,
    NULL,
    NULL,
    "Proving an address, and the way back to an account."
};


ngx_int_t
ngx_http_azora_auth_recover_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    static ngx_str_t  sql = ngx_string("SELECT account, password, tag, email, "
                          "name FROM identity.reset_subject($1::text)");

    conf->reset_subject = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                              "identity.reset_subject", &sql,
                                              1);
    if (conf->reset_subject == NULL) {
        return NGX_ERROR;
    }

    return ngx_azora_register(cf, &ngx_http_azora_auth_recover);
}


static ngx_int_t
ngx_http_azora_auth_verify_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    if (ngx_azora_value(ctx, "token") == NULL) {
        return NGX_OK;
    }

    return (ngx_http_azora_auth_hash_field(ctx, "token") == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}
