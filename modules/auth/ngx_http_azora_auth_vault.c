
/*
 * The vault: XSalsa20-Poly1305 (libsodium's secretbox) with a random nonce.
 * Stored form: "$azs$<key's id>$<base64url of nonce and box>"; the box holds
 * the owner's id before the secret.  Keys and their ids are those of a file
 * in the form of the peppers'.
 */


#include "ngx_http_azora_auth_factor.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_VAULT      "$azs$"
#define NGX_HTTP_AZORA_AUTH_VAULT_LEN  (sizeof(NGX_HTTP_AZORA_AUTH_VAULT) - 1)

#define NGX_HTTP_AZORA_AUTH_VAULT_FILE_MAX  4096

#define NGX_HTTP_AZORA_AUTH_PLAIN_MAX                                         \
    (NGX_HTTP_AZORA_AUTH_OWNER_LEN + NGX_HTTP_AZORA_AUTH_VAULT_MAX)
#define NGX_HTTP_AZORA_AUTH_BOX_MAX                                           \
    (crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES                  \
     + NGX_HTTP_AZORA_AUTH_PLAIN_MAX)


static const ngx_http_azora_auth_pepper_t *ngx_http_azora_auth_vault_key(
    const ngx_http_azora_auth_peppers_t *vault, const u_char *id);


ngx_int_t
ngx_http_azora_auth_vault_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_int_t    rc;
    ngx_str_t    text;
    const char  *reason;

    conf->vault = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_auth_peppers_t));
    if (conf->vault == NULL) {
        return NGX_ERROR;
    }

    if (conf->vault_file.len == 0) {
        return NGX_OK;
    }

    rc = ngx_http_azora_auth_read_file(cf->pool, cf->log,
                                       conf->vault_file.data,
                                       NGX_HTTP_AZORA_AUTH_VAULT_FILE_MAX, 1,
                                       &text);
    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    /* never made here: nothing would open what another key sealed */

    if (rc == NGX_DECLINED || text.len == 0) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_vault \"%V\" is missing or empty; for a "
                      "new installation: (umask 077; openssl rand -hex 32 > "
                      "%V)", &conf->vault_file, &conf->vault_file);
        return NGX_ERROR;
    }

    if (ngx_http_azora_auth_peppers_parse(conf->vault, &text, &reason)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_auth_vault \"%V\" cannot be used: %s",
                      &conf->vault_file, reason);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_seal(const ngx_http_azora_auth_peppers_t *vault,
    const ngx_str_t *owner, const u_char *data, size_t len, char *out)
{
    int                                  rc;
    u_char                               plain[NGX_HTTP_AZORA_AUTH_PLAIN_MAX];
    u_char                               box[NGX_HTTP_AZORA_AUTH_BOX_MAX];
    size_t                               size;
    const ngx_http_azora_auth_pepper_t  *key;

    if (vault->npeppers == 0 || owner->len != NGX_HTTP_AZORA_AUTH_OWNER_LEN
        || len > NGX_HTTP_AZORA_AUTH_VAULT_MAX)
    {
        return NGX_ERROR;
    }

    key = &vault->peppers[0];

    ngx_memcpy(plain, owner->data, owner->len);
    ngx_memcpy(plain + owner->len, data, len);

    randombytes_buf(box, crypto_secretbox_NONCEBYTES);

    rc = crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, plain,
                               owner->len + len, box, key->key);

    sodium_memzero(plain, sizeof(plain));

    if (rc != 0) {
        return NGX_ERROR;
    }

    size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES
           + owner->len + len;

    ngx_memcpy(out, NGX_HTTP_AZORA_AUTH_VAULT, NGX_HTTP_AZORA_AUTH_VAULT_LEN);
    out += NGX_HTTP_AZORA_AUTH_VAULT_LEN;
    ngx_memcpy(out, key->id, NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN);
    out += NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN;
    *out++ = '$';

    sodium_bin2base64(out, NGX_HTTP_AZORA_AUTH_SEALED_MAX
                           - NGX_HTTP_AZORA_AUTH_VAULT_LEN
                           - NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN - 1,
                      box, size, sodium_base64_VARIANT_URLSAFE_NO_PADDING);

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_open(const ngx_http_azora_auth_peppers_t *vault,
    const ngx_str_t *owner, const ngx_str_t *sealed, u_char *data,
    size_t *len)
{
    u_char                               plain[NGX_HTTP_AZORA_AUTH_PLAIN_MAX];
    u_char                               box[NGX_HTTP_AZORA_AUTH_BOX_MAX];
    size_t                               size, room, prefix;
    ngx_int_t                            rc;
    const ngx_http_azora_auth_pepper_t  *key;

    room = *len;
    prefix = NGX_HTTP_AZORA_AUTH_VAULT_LEN
             + NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN + 1;

    if (owner->len != NGX_HTTP_AZORA_AUTH_OWNER_LEN || sealed->len <= prefix
        || ngx_strncmp(sealed->data, NGX_HTTP_AZORA_AUTH_VAULT,
                       NGX_HTTP_AZORA_AUTH_VAULT_LEN)
           != 0
        || sealed->data[prefix - 1] != '$')
    {
        return NGX_DECLINED;
    }

    key = ngx_http_azora_auth_vault_key(vault,
                              sealed->data + NGX_HTTP_AZORA_AUTH_VAULT_LEN);

    if (key == NULL
        || ngx_http_azora_auth_base64url(sealed->data + prefix,
                                         sealed->len - prefix, box,
                                         sizeof(box), &size)
           != NGX_OK
        || size < crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES
                  + owner->len
        || crypto_secretbox_open_easy(plain, box + crypto_secretbox_NONCEBYTES,
                                      size - crypto_secretbox_NONCEBYTES, box,
                                      key->key)
           != 0)
    {
        return NGX_DECLINED;
    }

    size -= crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES
            + owner->len;
    rc = NGX_DECLINED;

    if (size <= room && ngx_memcmp(plain, owner->data, owner->len) == 0) {
        ngx_memcpy(data, plain + owner->len, size);
        *len = size;
        rc = (key == &vault->peppers[0]) ? NGX_OK : NGX_DONE;
    }

    sodium_memzero(plain, sizeof(plain));

    return rc;
}


static const ngx_http_azora_auth_pepper_t *
ngx_http_azora_auth_vault_key(const ngx_http_azora_auth_peppers_t *vault,
    const u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < vault->npeppers; i++) {
        if (ngx_memcmp(vault->peppers[i].id, id,
                       NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN)
            == 0)
        {
            return &vault->peppers[i];
        }
    }

    return NULL;
}
