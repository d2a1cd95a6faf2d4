
/*
 * Phone numbers: a code of six digits proves one, and messages go there as
 * mails to a gateway that makes an SMS of each.
 */


#include "ngx_http_azora_auth_mail.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_NUMBER_MAX  16    /* E.164, with its plus */


static ngx_int_t ngx_http_azora_auth_confirm_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static u_char *ngx_http_azora_auth_sms_place(const ngx_str_t *pattern,
    size_t *len, ngx_uint_t *plus);


static const ngx_azora_field_t  ngx_http_azora_auth_confirm_fields[] = {
    { "code", NGX_AZORA_SECRET, NGX_AZORA_REQUIRED,
      NGX_HTTP_AZORA_AUTH_CODE_LEN, NGX_HTTP_AZORA_AUTH_CODE_LEN,
      .about = "The six digits that were sent to the number." },
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_http_azora_auth_phone_rows[] = {

    { .method = NGX_HTTP_POST, .path = "/v1/me/phone/confirm",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .fields = ngx_http_azora_auth_confirm_fields,
      .returns = ngx_http_azora_auth_account_returns,
      .function = "identity.confirm_phone",
      .summary = "Prove that the phone number is one's own",
      .prepare = ngx_http_azora_auth_confirm_prepare, .cost = 5 },

    { .method = NGX_HTTP_DELETE, .path = "/v1/me/phone",
      .flags = NGX_AZORA_USER, .scope = "profile:write",
      .function = "identity.remove_phone",
      .summary = "Remove one's phone number" },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_http_azora_auth_phone = {
    NGX_AZORA_ABI,
    "phone",
    ngx_http_azora_auth_phone_rows,
    NULL,
    NULL,
    "One's phone number."
};


ngx_int_t
ngx_http_azora_auth_phone_add(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_auth_phone);
}


static ngx_int_t
ngx_http_azora_auth_confirm_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    u_char                            hex[2 * crypto_generichash_BYTES];
    ngx_str_t                         text;
    ngx_azora_value_t                *code;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    code = ngx_azora_value(ctx, "code");

    if (code == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_azora_auth_code_hash(conf, &code->text, hex);

    text.data = hex;
    text.len = sizeof(hex);

    return (ngx_azora_set_value(ctx, "code", &text) == NGX_OK)
           ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/*
 * Six digits are found from their plain hash in no time: the key of the vault,
 * where there is one, keeps them from whoever reads the database.
 */

void
ngx_http_azora_auth_code_hash(const ngx_http_azora_auth_main_conf_t *conf,
    const ngx_str_t *code, u_char *hex)
{
    u_char                    hash[crypto_generichash_BYTES];
    const u_char             *key;
    crypto_generichash_state  state;

    static const u_char  purpose[] = "azora phone code";

    key = conf->vault->npeppers ? conf->vault->peppers[0].key : NULL;

    (void) crypto_generichash_init(&state, key, key ? 32 : 0, sizeof(hash));
    (void) crypto_generichash_update(&state, purpose, sizeof(purpose));
    (void) crypto_generichash_update(&state, code->data, code->len);
    (void) crypto_generichash_final(&state, hash, sizeof(hash));
    ngx_hex_dump(hex, hash, sizeof(hash));

    sodium_memzero(&state, sizeof(state));
}


ngx_uint_t
ngx_http_azora_auth_sms_ok(const ngx_str_t *pattern)
{
    size_t      len;
    ngx_uint_t  plus;

    return pattern->len == 0
           || (ngx_http_azora_auth_sms_place(pattern, &len, &plus) != NULL
               && ngx_http_azora_auth_letter_address(pattern));
}


ngx_int_t
ngx_http_azora_auth_sms_address(ngx_pool_t *pool, const ngx_str_t *pattern,
    const ngx_str_t *number, ngx_str_t *address)
{
    u_char      *p, *place;
    size_t       len, skip;
    ngx_uint_t   plus;

    if (pattern->len == 0) {
        return NGX_DECLINED;
    }

    place = ngx_http_azora_auth_sms_place(pattern, &len, &plus);

    if (place == NULL || number->len > NGX_HTTP_AZORA_AUTH_NUMBER_MAX) {
        return NGX_ERROR;
    }

    address->data = ngx_pnalloc(pool, pattern->len + number->len);
    if (address->data == NULL) {
        return NGX_ERROR;
    }

    skip = plus ? 0 : 1;
    p = ngx_cpymem(address->data, pattern->data, place - pattern->data);
    p = ngx_cpymem(p, number->data + skip, number->len - skip);
    p = ngx_cpymem(p, place + len, pattern->data + pattern->len
                                   - (place + len));
    address->len = p - address->data;

    return NGX_OK;
}


/* {number} has the plus, {digits} has not. */

static u_char *
ngx_http_azora_auth_sms_place(const ngx_str_t *pattern, size_t *len,
    ngx_uint_t *plus)
{
    u_char  *p;

    /* configured strings are NUL-terminated */

    p = (u_char *) ngx_strstr(pattern->data, "{number}");
    *plus = (p != NULL);
    *len = sizeof("{number}") - 1;

    return p ? p : (u_char *) ngx_strstr(pattern->data, "{digits}");
}
