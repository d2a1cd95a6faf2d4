
/* The directives of outgoing mail. */


#include "ngx_http_azora_auth_mail.h"


#define NGX_HTTP_AZORA_AUTH_SMTP_SECRET_MAX  1024


static ngx_int_t ngx_http_azora_auth_smtp_password(ngx_conf_t *cf,
    ngx_http_azora_auth_mail_conf_t *mail, ngx_str_t *file);


/* azora_mail_smtp URL [user=NAME password_file=FILE] [tls=required|optional] */

char *
ngx_http_azora_auth_set_smtp(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_azora_auth_main_conf_t *amcf = conf;

    ngx_str_t                        *value, file;
    ngx_uint_t                        i;
    ngx_http_azora_auth_mail_conf_t  *mail;

    mail = &amcf->mail;

    if (mail->smtp.len) {
        return "is duplicate";
    }

    value = cf->args->elts;
    mail->smtp = value[1];
    ngx_str_null(&file);

    if (ngx_strncmp(value[1].data, "smtp://", 7) != 0
        && ngx_strncmp(value[1].data, "smtps://", 8) != 0)
    {
        return "takes smtp://host:port or smtps://host:port";
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "user=", 5) == 0) {
            mail->user.data = value[i].data + 5;
            mail->user.len = value[i].len - 5;

        } else if (ngx_strncmp(value[i].data, "password_file=", 14) == 0) {
            file.data = value[i].data + 14;
            file.len = value[i].len - 14;

        } else if (ngx_strcmp(value[i].data, "tls=optional") == 0) {
            mail->plain = 1;

        } else if (ngx_strcmp(value[i].data, "tls=required") == 0) {
            mail->plain = 0;

        } else {
            return "takes a URL, user=<name>, password_file=<file> and "
                   "tls=required or tls=optional";
        }
    }

    if ((mail->user.len == 0) != (file.len == 0)) {
        return "needs both user= and password_file=, or none of them";
    }

    if (mail->user.len && mail->plain) {
        return "sends no password without TLS: remove tls=optional";
    }

    if (file.len
        && ngx_http_azora_auth_smtp_password(cf, mail, &file) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_azora_auth_smtp_password(ngx_conf_t *cf,
    ngx_http_azora_auth_mail_conf_t *mail, ngx_str_t *file)
{
    ngx_int_t  rc;

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = ngx_http_azora_auth_read_file(cf->pool, cf->log, file->data,
                                       NGX_HTTP_AZORA_AUTH_SMTP_SECRET_MAX, 1,
                                       &mail->password);

    while (rc == NGX_OK && mail->password.len
           && (mail->password.data[mail->password.len - 1] == '\n'
               || mail->password.data[mail->password.len - 1] == '\r'))
    {
        mail->password.len--;
    }

    if (rc == NGX_DECLINED || (rc == NGX_OK && mail->password.len == 0)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%V\" of azora_mail_smtp is missing or empty", file);
        return NGX_ERROR;
    }

    return rc;
}


ngx_int_t
ngx_http_azora_auth_mail_init(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    ngx_str_t                        *link;
    ngx_http_azora_auth_mail_conf_t  *mail;

    mail = &conf->mail;
    link = &mail->link;

    if (mail->dir.len && mail->smtp.len) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "mail goes to azora_mail_smtp or to azora_mail_dir, not "
                      "to both");
        return NGX_ERROR;
    }

    if (mail->from.data == NULL) {
        ngx_str_set(&mail->from, "no-reply@localhost");
    }

    if (!ngx_http_azora_auth_letter_address(&mail->from)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_mail_from \"%V\" is not one plain address",
                      &mail->from);
        return NGX_ERROR;
    }

    /* a folder takes everything */

    if (mail->sms.data == NULL && mail->dir.len) {
        ngx_str_set(&mail->sms, "{number}@sms.localhost");
    }

    if (!ngx_http_azora_auth_sms_ok(&mail->sms)) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "azora_sms \"%V\" must be an address with {number} or "
                      "{digits} in it", &mail->sms);
        return NGX_ERROR;
    }

    if (link->data == NULL) {
        *link = conf->expect.issuer;
    }

    while (link->len && link->data[link->len - 1] == '/') {
        link->len--;
    }

    return NGX_OK;
}
