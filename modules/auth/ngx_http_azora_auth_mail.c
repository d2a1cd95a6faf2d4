
/*
 * The kind of job "mail".  The job says which template and for whom; SQL finds
 * the address and the words when the mail is made.  A token that the mail may
 * carry is drawn here, and SQL keeps its hash: no link is ever in the
 * database.  A mail made again after a failure has another token.
 *
 * The message goes to an SMTP server, or as a file into a folder.  One to a
 * phone is a mail to a gateway that makes an SMS of it.
 */


#include "ngx_http_azora_auth_mail.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_MAILS_MAX    4       /* at once */
#define NGX_HTTP_AZORA_AUTH_MAIL_LEASE   90000   /* ms */
#define NGX_HTTP_AZORA_AUTH_MAIL_TIME    30000   /* ms for an SMTP server */


typedef struct {
    ngx_azora_job_t                 *job;
    ngx_http_azora_auth_letter_t     letter;
    u_char                           token[NGX_HTTP_AZORA_AUTH_LINK_LEN + 1];
    u_char                           code[NGX_HTTP_AZORA_AUTH_CODE_LEN];
} ngx_http_azora_auth_mail_t;


/* A file being written; owns all its memory. */

typedef struct {
    ngx_thread_task_t                task;
    ngx_azora_job_t                 *job;
    ngx_err_t                        err;
    u_char                          *path;
    u_char                          *temp;
    size_t                           len;
    u_char                          *data;
} ngx_http_azora_auth_mail_file_t;


static void ngx_http_azora_auth_mail_job(ngx_azora_job_t *job);
static ngx_int_t ngx_http_azora_auth_mail_id(ngx_azora_job_t *job,
    ngx_str_t *id);
static void ngx_http_azora_auth_mail_composed(ngx_azora_op_t *op, void *data);
static ngx_int_t ngx_http_azora_auth_mail_to(
    ngx_http_azora_auth_mail_t *mail, ngx_http_azora_auth_main_conf_t *conf,
    ngx_str_t to);
static ngx_int_t ngx_http_azora_auth_mail_copy(ngx_pool_t *pool,
    ngx_str_t *dst, ngx_str_t src);
static void ngx_http_azora_auth_mail_send(ngx_http_azora_auth_mail_t *mail,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *message);
static void ngx_http_azora_auth_mail_sent(ngx_azora_fetch_t *fetch,
    void *data);
static void ngx_http_azora_auth_mail_store(ngx_http_azora_auth_mail_t *mail,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *message);
static void ngx_http_azora_auth_mail_write(void *data, ngx_log_t *log);
static void ngx_http_azora_auth_mail_written(ngx_event_t *ev);


static const ngx_azora_job_kind_t  ngx_http_azora_auth_mail_kind = {
    .kind = "mail",
    .handler = ngx_http_azora_auth_mail_job,
    .running = NGX_HTTP_AZORA_AUTH_MAILS_MAX,
    .lease = NGX_HTTP_AZORA_AUTH_MAIL_LEASE
};


ngx_int_t
ngx_http_azora_auth_mail_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    static ngx_str_t  sql = ngx_string("SELECT address, subject, body FROM "
                          "identity.compose_mail($1::json, $2::text, "
                          "$3::text)");

    conf->mail.compose = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                             "identity.compose_mail", &sql,
                                             3);
    if (conf->mail.compose == NULL) {
        return NGX_ERROR;
    }

    return ngx_azora_job_kind(cf, &ngx_http_azora_auth_mail_kind);
}


static void
ngx_http_azora_auth_mail_job(ngx_azora_job_t *job)
{
    u_char                            raw[32];
    u_char                            hex[2 * NGX_HTTP_AZORA_AUTH_HASH_LEN];
    u_char                            code[2 * NGX_HTTP_AZORA_AUTH_HASH_LEN];
    ngx_str_t                         params[3];
    ngx_http_azora_auth_mail_t       *mail;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_azora_auth_module);

    if (conf->mail.dir.len == 0 && conf->mail.smtp.len == 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora: a mail was not sent, because neither "
                      "azora_mail_smtp nor azora_mail_dir is set");
        ngx_azora_job_end(job, NGX_AZORA_JOB_DONE, "no transport", 0, 0);
        return;
    }

    mail = ngx_pcalloc(ngx_azora_job_pool(job),
                       sizeof(ngx_http_azora_auth_mail_t));

    if (mail == NULL
        || ngx_http_azora_auth_mail_id(job, &mail->letter.id) != NGX_OK)
    {
        ngx_azora_job_end(job, NGX_AZORA_JOB_FAILED, "no memory", 0, 0);
        return;
    }

    mail->job = job;

    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64((char *) mail->token, sizeof(mail->token), raw,
                      sizeof(raw), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(raw, sizeof(raw));

    mail->letter.token.data = mail->token;
    mail->letter.token.len = NGX_HTTP_AZORA_AUTH_LINK_LEN;

    ngx_http_azora_auth_hash_hex(mail->token, NGX_HTTP_AZORA_AUTH_LINK_LEN,
                                 hex);

    mail->letter.code.data = mail->code;
    mail->letter.code.len = ngx_sprintf(mail->code, "%06uD",
                                        randombytes_uniform(1000000))
                            - mail->code;
    ngx_http_azora_auth_code_hash(conf, &mail->letter.code, code);

    params[0] = ngx_azora_job_payload(job);
    params[1].data = hex;
    params[1].len = sizeof(hex);
    params[2].data = code;
    params[2].len = sizeof(code);

    if (ngx_azora_query(conf->mail.compose, params, 0,
                        ngx_http_azora_auth_mail_composed, mail)
        == NULL)
    {
        ngx_azora_job_end(job, NGX_AZORA_JOB_FAILED, "no memory", 0, 0);
    }
}


/* The same at each attempt: who gets two copies can tell. */

static ngx_int_t
ngx_http_azora_auth_mail_id(ngx_azora_job_t *job, ngx_str_t *id)
{
    size_t      i;
    json_t     *root;
    ngx_int_t   rc;
    ngx_str_t   payload, value;

    payload = ngx_azora_job_payload(job);
    root = json_loadb((char *) payload.data, payload.len, 0, NULL);

    value.data = (u_char *) json_string_value(json_object_get(root,
                                                              "message"));
    value.len = value.data ? ngx_strlen(value.data) : 0;
    rc = value.len ? NGX_OK : NGX_ERROR;

    /* it becomes the name of a file */

    for (i = 0; i < value.len; i++) {
        if (!(value.data[i] >= '0' && value.data[i] <= '9')
            && !(value.data[i] >= 'a' && value.data[i] <= 'f')
            && value.data[i] != '-')
        {
            rc = NGX_ERROR;
        }
    }

    if (rc == NGX_OK) {
        rc = ngx_http_azora_auth_mail_copy(ngx_azora_job_pool(job), id, value);
    }

    json_decref(root);

    return rc;
}


static void
ngx_http_azora_auth_mail_composed(ngx_azora_op_t *op, void *data)
{
    ngx_http_azora_auth_mail_t *mail = data;

    ngx_int_t                         rc;
    ngx_str_t                         message;
    ngx_pool_t                       *pool;
    ngx_http_azora_auth_letter_t     *letter;
    ngx_http_azora_auth_main_conf_t  *conf;

    pool = ngx_azora_job_pool(mail->job);
    letter = &mail->letter;

    if (ngx_azora_op_status(op) != NGX_AZORA_OP_OK) {
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_FAILED,
                          "the database did not compose it", 0, 0);
        return;
    }

    if (ngx_azora_op_rows(op) == 0) {
        /* nobody has the address, or enough was sent */
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_DONE, "nobody", 0, 0);
        return;
    }

    conf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_azora_auth_module);
    letter->service = conf->name;
    letter->from = conf->mail.from;
    letter->link = conf->mail.link;
    letter->date = ngx_time();

    rc = ngx_http_azora_auth_mail_to(mail, conf, ngx_azora_op_value(op, 0, 0));

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "azora: a message to a phone was not sent, because "
                      "azora_sms is not set");
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_DONE, "no transport", 0,
                          0);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_http_azora_auth_mail_copy(pool, &letter->subject,
                                           ngx_azora_op_value(op, 0, 1));
    }

    if (rc == NGX_OK) {
        rc = ngx_http_azora_auth_mail_copy(pool, &letter->body,
                                           ngx_azora_op_value(op, 0, 2));
    }

    if (rc == NGX_OK) {
        rc = ngx_http_azora_auth_letter(pool, letter, &message);
    }

    sodium_memzero(mail->token, sizeof(mail->token));
    sodium_memzero(mail->code, sizeof(mail->code));

    if (rc == NGX_OK) {
        ngx_http_azora_auth_mail_send(mail, conf, &message);
        return;
    }

    ngx_azora_job_end(mail->job,
                      (rc == NGX_DECLINED) ? NGX_AZORA_JOB_REJECTED
                                           : NGX_AZORA_JOB_FAILED,
                      "no message can be made of it", 0, 0);
}


/* A phone's number (E.164) becomes the address of the gateway. */

static ngx_int_t
ngx_http_azora_auth_mail_to(ngx_http_azora_auth_mail_t *mail,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t to)
{
    ngx_pool_t  *pool;

    pool = ngx_azora_job_pool(mail->job);

    /* an address of mail may begin so, too */

    if (to.len && to.data[0] == '+'
        && ngx_strlchr(to.data, to.data + to.len, '@') == NULL)
    {
        return ngx_http_azora_auth_sms_address(pool, &conf->mail.sms, &to,
                                               &mail->letter.to);
    }

    return ngx_http_azora_auth_mail_copy(pool, &mail->letter.to, to);
}


static ngx_int_t
ngx_http_azora_auth_mail_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t src)
{
    dst->len = src.len;
    dst->data = ngx_pnalloc(pool, src.len + 1);

    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src.data, src.len);
    dst->data[src.len] = '\0';

    return NGX_OK;
}


static void
ngx_http_azora_auth_mail_send(ngx_http_azora_auth_mail_t *mail,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *message)
{
    ngx_azora_mail_t  request;

    if (conf->mail.dir.len) {
        ngx_http_azora_auth_mail_store(mail, conf, message);
        return;
    }

    ngx_memzero(&request, sizeof(ngx_azora_mail_t));

    request.url = conf->mail.smtp;
    request.user = conf->mail.user;
    request.password = conf->mail.password;
    request.from = mail->letter.from;
    request.to = &mail->letter.to;
    request.nto = 1;
    request.message = *message;
    request.timeout = NGX_HTTP_AZORA_AUTH_MAIL_TIME;
    request.flags = NGX_AZORA_FETCH_INTERNAL
                    | (conf->mail.plain ? NGX_AZORA_FETCH_PLAIN : 0);

    if (ngx_azora_send_mail(&request, ngx_http_azora_auth_mail_sent, mail)
        == NULL)
    {
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_FAILED, "busy", 0, 0);
    }
}


static void
ngx_http_azora_auth_mail_sent(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_http_azora_auth_mail_t *mail = data;

    ngx_uint_t                code;
    ngx_azora_job_outcome_e   outcome;
    ngx_azora_fetch_status_e  status;

    status = ngx_azora_fetch_status(fetch);
    code = ngx_azora_fetch_code(fetch);

    if (status == NGX_AZORA_FETCH_ENDED) {
        /* not a failure: the lease ends, and another process sends it */
        return;
    }

    /* RFC 5321 4.2.1: a 5yz is final */

    outcome = (status == NGX_AZORA_FETCH_OK) ? NGX_AZORA_JOB_DONE
              : (status == NGX_AZORA_FETCH_REJECTED && code >= 500
                 && code < 600) ? NGX_AZORA_JOB_REJECTED
                                : NGX_AZORA_JOB_FAILED;

    ngx_azora_job_end(mail->job, outcome, ngx_azora_fetch_status_name(status),
                      code, 0);
}


static void
ngx_http_azora_auth_mail_store(ngx_http_azora_auth_mail_t *mail,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *message)
{
    u_char                           *p;
    size_t                            len;
    ngx_http_azora_auth_mail_file_t  *file;

    len = conf->mail.dir.len + mail->letter.id.len + sizeof("/.eml.new");

    file = ngx_calloc(sizeof(ngx_http_azora_auth_mail_file_t) + 2 * len
                      + message->len, ngx_cycle->log);
    if (file == NULL) {
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_FAILED, "no memory", 0, 0);
        return;
    }

    file->path = (u_char *) (file + 1);
    file->temp = file->path + len;
    file->data = file->temp + len;
    file->len = message->len;
    file->job = mail->job;

    p = ngx_sprintf(file->path, "%V/%V.eml", &conf->mail.dir,
                    &mail->letter.id);
    *p = '\0';
    p = ngx_sprintf(file->temp, "%s.new", file->path);
    *p = '\0';
    ngx_memcpy(file->data, message->data, message->len);

    file->task.ctx = file;
    file->task.handler = ngx_http_azora_auth_mail_write;
    file->task.event.handler = ngx_http_azora_auth_mail_written;
    file->task.event.data = file;
    file->task.event.log = ngx_cycle->log;

    if (ngx_thread_task_post(conf->pool, &file->task) != NGX_OK) {
        ngx_free(file);
        ngx_azora_job_end(mail->job, NGX_AZORA_JOB_FAILED, "busy", 0, 0);
    }
}


/* On a thread: a file under its final name is a whole one. */

static void
ngx_http_azora_auth_mail_write(void *data, ngx_log_t *log)
{
    ngx_http_azora_auth_mail_file_t *file = data;

    int  fd;

    fd = open((char *) file->temp, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);

    if (fd == -1) {
        file->err = ngx_errno;
        return;
    }

    if (write(fd, file->data, file->len) != (ssize_t) file->len) {
        file->err = ngx_errno ? ngx_errno : NGX_ENOSPC;
    }

    if (close(fd) == -1 && file->err == 0) {
        file->err = ngx_errno;
    }

    if (file->err == 0
        && rename((char *) file->temp, (char *) file->path) == -1)
    {
        file->err = ngx_errno;
    }

    if (file->err) {
        (void) unlink((char *) file->temp);
    }
}


static void
ngx_http_azora_auth_mail_written(ngx_event_t *ev)
{
    ngx_http_azora_auth_mail_file_t *file = ev->data;

    if (file->err) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, file->err,
                      "azora: the mail \"%s\" cannot be written", file->path);
    }

    ngx_azora_job_end(file->job,
                      file->err ? NGX_AZORA_JOB_FAILED : NGX_AZORA_JOB_DONE,
                      file->err ? "the file cannot be written" : "", 0, 0);

    sodium_memzero(file->data, file->len);
    ngx_free(file);
}
