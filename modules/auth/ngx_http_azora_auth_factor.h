
/*
 * The second factor: one-time passwords (RFC 4226, RFC 6238), the vault that
 * keeps their secrets, and the picture that hands one to a telephone.
 */


#ifndef _NGX_HTTP_AZORA_AUTH_FACTOR_H_INCLUDED_
#define _NGX_HTTP_AZORA_AUTH_FACTOR_H_INCLUDED_


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_TOTP_BYTES    20    /* of a secret, RFC 4226 4 R6 */
#define NGX_HTTP_AZORA_AUTH_TOTP_DIGITS   6
#define NGX_HTTP_AZORA_AUTH_TOTP_STEP     30    /* seconds */
#define NGX_HTTP_AZORA_AUTH_TOTP_WINDOW   1     /* steps to either side */
#define NGX_HTTP_AZORA_AUTH_BASE32_LEN    32    /* of such a secret */

#define NGX_HTTP_AZORA_AUTH_RECOVERY_LEN  23    /* characters: 115 bits */

#define NGX_HTTP_AZORA_AUTH_OWNER_LEN     36    /* a UUID */
#define NGX_HTTP_AZORA_AUTH_VAULT_MAX    64    /* bytes that are sealed */
#define NGX_HTTP_AZORA_AUTH_SEALED_MAX    256   /* "$azs$<key's id>$..." */

/* what SQL is told of a code */
#define NGX_HTTP_AZORA_AUTH_VERDICT_MAX                                       \
    (NGX_HTTP_AZORA_AUTH_SEALED_MAX + 64)


/*
 * ngx_http_azora_auth_totp.c.  hotp: the value of RFC 4226 5.3, digits is 1
 * to 9; NGX_ERROR: the library failed.
 */
ngx_int_t ngx_http_azora_auth_hotp(const u_char *secret, size_t len,
    uint64_t counter, ngx_uint_t digits, uint32_t *code);
/*
 * The time step (RFC 6238 4.2) that code stands for, at most one before or
 * after that of now (Unix seconds); 0: the code is wrong.
 */
uint64_t ngx_http_azora_auth_totp_match(const u_char *secret, size_t len,
    const ngx_str_t *code, time_t now);
/* RFC 4648 6 without padding; len is a multiple of 5; returns the end */
u_char *ngx_http_azora_auth_base32(u_char *dst, const u_char *src, size_t len);
/*
 * A code as people type it: without blanks and dashes, in lower case, letters
 * that look like digits as digits.  Returns its length, 0: more than max.
 */
size_t ngx_http_azora_auth_code_plain(const ngx_str_t *code, u_char *dst,
    size_t max);


/*
 * ngx_http_azora_auth_vault.c: small secrets encrypted at rest, under keys
 * that are not in the database, and bound to their owner's id: a row moved to
 * another account opens nothing.  The first key of the vault seals.
 *
 * seal: out holds SEALED_MAX bytes and gets a C string.  open: *len is the
 * room in data and then the length; NGX_DONE: opened, but sealed with an
 * older key; NGX_DECLINED: an unknown key, or not what was sealed.
 */
ngx_int_t ngx_http_azora_auth_seal(const ngx_http_azora_auth_peppers_t *vault,
    const ngx_str_t *owner, const u_char *data, size_t len, char *out);
/* Reads conf->vault_file; without it nothing can be sealed. */
ngx_int_t ngx_http_azora_auth_vault_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
ngx_int_t ngx_http_azora_auth_open(const ngx_http_azora_auth_peppers_t *vault,
    const ngx_str_t *owner, const ngx_str_t *sealed, u_char *data,
    size_t *len);


/*
 * ngx_http_azora_auth_qr.c: text as a QR code (ISO/IEC 18004), an SVG in
 * memory of pool.  NGX_ERROR: out of memory, or the text is too long.
 */
ngx_int_t ngx_http_azora_auth_qr(ngx_pool_t *pool, const ngx_str_t *text,
    ngx_str_t *svg);


/* ngx_http_azora_auth_factor.c: statements and rows, from preconfiguration */
ngx_int_t ngx_http_azora_auth_factor_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);


#endif /* _NGX_HTTP_AZORA_AUTH_FACTOR_H_INCLUDED_ */
