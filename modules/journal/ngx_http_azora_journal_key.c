
/*
 * The key that signs checkpoints: made at the first start, mode 0600, read by
 * the master before workers exist.  The text is Go's note format, so that other
 * tools can use it.
 */


#include "ngx_http_azora_journal.h"

#include <sodium.h>


static ngx_int_t ngx_http_azora_journal_key_read(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);
static ngx_int_t ngx_http_azora_journal_key_make(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf);


ngx_int_t
ngx_http_azora_journal_key(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    ngx_int_t  rc;

    if (conf->previous_text.len
        && (azora_tlog_vkey_parse(&conf->previous,
                                  (char *) conf->previous_text.data,
                                  conf->previous_text.len)
            != 0
            || ngx_strlen(conf->previous.name) != conf->origin.len
            || ngx_memcmp(conf->previous.name, conf->origin.data,
                          conf->origin.len)
               != 0))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora_chronicle_previous \"%V\" is no verifier "
                           "key of the log \"%V\"", &conf->previous_text,
                           &conf->origin);
        return NGX_ERROR;
    }

    rc = ngx_http_azora_journal_key_read(cf, conf);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    if (ngx_http_azora_journal_key_make(cf, conf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* what another process made at the same moment counts */

    return ngx_http_azora_journal_key_read(cf, conf);
}


/* NGX_DECLINED: there is no such file. */

static ngx_int_t
ngx_http_azora_journal_key_read(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    char       text[AZORA_TLOG_NOTE_MAX];
    size_t     len;
    ngx_int_t  rc;

    rc = ngx_http_azora_journal_secret_read(cf, &conf->key_file, text,
                                            sizeof(text), &len);
    if (rc != NGX_OK) {
        return rc;
    }

    if (azora_tlog_skey_parse(&conf->key, text, len) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds no key of a log", &conf->key_file);
        rc = NGX_ERROR;

    } else if (conf->origin.len != ngx_strlen(conf->key.name)
               || ngx_memcmp(conf->origin.data, conf->key.name,
                             conf->origin.len)
                  != 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the key in \"%V\" belongs to the log \"%s\", "
                           "azora_chronicle_origin says \"%V\"",
                           &conf->key_file, conf->key.name, &conf->origin);
        rc = NGX_ERROR;
    }

    sodium_memzero(text, sizeof(text));

    return rc;
}


ngx_int_t
ngx_http_azora_journal_secret_read(ngx_conf_t *cf, ngx_str_t *file,
    char *text, size_t size, size_t *len)
{
    int          fd;
    ssize_t      n;
    ngx_int_t    rc;
    struct stat  st;

    fd = open((char *) file->data, O_RDONLY|O_CLOEXEC);

    if (fd == -1) {
        if (ngx_errno == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot open \"%V\"", file);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (fstat(fd, &st) == -1 || (st.st_mode & (S_IRWXG|S_IRWXO))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" holds a secret but others may open it: "
                           "its mode must be 0600", file);

    } else {
        n = read(fd, text, size);

        if (n <= 0 || (size_t) n == size) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" is empty, too long or cannot be read",
                               file);

        } else {
            *len = n;
            rc = NGX_OK;
        }
    }

    (void) close(fd);

    return rc;
}


static ngx_int_t
ngx_http_azora_journal_key_make(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    char              name[AZORA_TLOG_NAME_MAX + 1];
    char              text[AZORA_TLOG_NOTE_MAX];
    ngx_int_t         rc;
    azora_tlog_key_t  key;

    if (conf->origin.len > AZORA_TLOG_NAME_MAX) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) name, conf->origin.data,
                       conf->origin.len + 1);

    if (azora_tlog_key_make(&key, name, NULL) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" cannot be a log's name: no blanks, no "
                           "\"+\", at most %d bytes", &conf->origin,
                           AZORA_TLOG_NAME_MAX);
        return NGX_ERROR;
    }

    azora_tlog_skey_print(&key, text);
    sodium_memzero(&key, sizeof(key));

    rc = ngx_http_azora_journal_secret_make(cf, &conf->key_file, text);

    sodium_memzero(text, sizeof(text));

    return rc;
}


ngx_int_t
ngx_http_azora_journal_secret_make(ngx_conf_t *cf, ngx_str_t *file,
    const char *text)
{
    int         fd;
    u_char     *temporary, *p;
    ngx_int_t   rc;

    temporary = ngx_pnalloc(cf->pool, file->len + sizeof(".new.")
                                      + NGX_INT64_LEN);
    if (temporary == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(temporary, "%V.new.%P", file, ngx_pid);
    *p = '\0';

    rc = NGX_ERROR;

    fd = open((char *) temporary, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    /* link() and not rename(): an existing key is never replaced */

    if (fd != -1
        && write(fd, text, ngx_strlen(text)) == (ssize_t) ngx_strlen(text)
        && fsync(fd) == 0
        && (link((char *) temporary, (char *) file->data) == 0
            || ngx_errno == NGX_EEXIST))
    {
        rc = NGX_OK;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "cannot make the key \"%V\"", file);
    }

    if (fd != -1) {
        (void) close(fd);
        (void) unlink((char *) temporary);
    }

    return rc;
}


ngx_int_t
ngx_http_azora_journal_open(const char *note, size_t len,
    azora_tlog_checkpoint_t *checkpoint, const char **reason)
{
    const char                     *other;
    ngx_http_azora_journal_conf_t  *conf;

    conf = ngx_http_azora_journal_conf;

    if (azora_tlog_note_open(&conf->key, note, len, checkpoint, reason) == 0)
    {
        return NGX_OK;
    }

    if (conf->previous.name[0] != '\0'
        && azora_tlog_note_open(&conf->previous, note, len, checkpoint,
                                &other)
           == 0)
    {
        return NGX_OK;
    }

    return NGX_DECLINED;
}
