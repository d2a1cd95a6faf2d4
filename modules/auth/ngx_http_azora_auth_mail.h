
/* Outgoing mail: what its files share. */


#ifndef _NGX_HTTP_AZORA_AUTH_MAIL_H_INCLUDED_
#define _NGX_HTTP_AZORA_AUTH_MAIL_H_INCLUDED_


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_LINK_LEN      43    /* base64url of 32 bytes */
#define NGX_HTTP_AZORA_AUTH_CODE_LEN      6     /* digits */
#define NGX_HTTP_AZORA_AUTH_MAIL_MAX      16384 /* bytes of a body's template */
#define NGX_HTTP_AZORA_AUTH_ADDRESS_MAX   254   /* RFC 5321 4.5.3.1.3 */


/* What becomes a message; strings live as long as the pool. */

typedef struct {
    ngx_str_t    service;                       /* our name */
    ngx_str_t    from;                          /* an address */
    ngx_str_t    to;
    ngx_str_t    subject;                       /* UTF-8, templates */
    ngx_str_t    body;
    ngx_str_t    link;                          /* for {link} */
    ngx_str_t    token;                         /* for {token} */
    ngx_str_t    code;                          /* for {code} */
    ngx_str_t    id;                            /* of the message, a UUID */
    time_t       date;
} ngx_http_azora_auth_letter_t;


/*
 * ngx_http_azora_auth_letter.c: the message as RFC 5322 wants it, plain text
 * in UTF-8, in memory of pool.  NGX_DECLINED: an address or text that cannot
 * be sent; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_azora_auth_letter(ngx_pool_t *pool,
    const ngx_http_azora_auth_letter_t *letter, ngx_str_t *message);
/* Whether it is one plain address that a header can hold. */
ngx_uint_t ngx_http_azora_auth_letter_address(const ngx_str_t *address);

/* ngx_http_azora_auth_mail.c: the kind of job, from preconfiguration */
ngx_int_t ngx_http_azora_auth_mail_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);

/*
 * ngx_http_azora_auth_phone.c: rows, from preconfiguration; what SQL keeps of a
 * code (64 hex digits); the address of the gateway for a number, in memory of
 * pool, NGX_DECLINED: there is no gateway.
 */
ngx_int_t ngx_http_azora_auth_phone_add(ngx_conf_t *cf);
void ngx_http_azora_auth_code_hash(
    const ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *code,
    u_char *hex);
ngx_int_t ngx_http_azora_auth_sms_address(ngx_pool_t *pool,
    const ngx_str_t *pattern, const ngx_str_t *number, ngx_str_t *address);
/* Whether an azora_sms can be used; it may be empty. */
ngx_uint_t ngx_http_azora_auth_sms_ok(const ngx_str_t *pattern);

/* ngx_http_azora_auth_recover.c: rows and statements, from preconfiguration */
ngx_int_t ngx_http_azora_auth_recover_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
/* ngx_http_azora_auth_prove.c: "new_password" by the token of a mail */
ngx_int_t ngx_http_azora_auth_reset_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* ngx_http_azora_auth_mail_conf.c */
char *ngx_http_azora_auth_set_smtp(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* Defaults and checks; NGX_ERROR is logged. */
ngx_int_t ngx_http_azora_auth_mail_init(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);


#endif /* _NGX_HTTP_AZORA_AUTH_MAIL_H_INCLUDED_ */
