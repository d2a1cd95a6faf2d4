
/*
 * Files with keys: a secret is read only when nobody but its owner can, and
 * written at once or not at all.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


static ngx_int_t ngx_http_azora_auth_examine(ngx_log_t *log, int fd,
    u_char *path, size_t max, ngx_uint_t secret, struct stat *st);
static void ngx_http_azora_auth_wipe(void *data);


ngx_int_t
ngx_http_azora_auth_read_file(ngx_pool_t *pool, ngx_log_t *log,
    u_char *path, size_t max, ngx_uint_t secret, ngx_str_t *out)
{
    int                  fd;
    ssize_t              n;
    ngx_int_t            rc;
    ngx_str_t           *text;
    struct stat          st;
    ngx_pool_cleanup_t  *cln;

    fd = open((char *) path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == -1) {
        if (ngx_errno == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "cannot open \"%s\"",
                      path);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_http_azora_auth_examine(log, fd, path, max, secret, &st)
        != NGX_OK)
    {
        goto done;
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_str_t));
    if (cln == NULL) {
        goto done;
    }

    text = cln->data;
    text->len = (size_t) st.st_size;
    text->data = ngx_pcalloc(pool, text->len + 1);
    if (text->data == NULL) {
        goto done;
    }

    cln->handler = ngx_http_azora_auth_wipe;

    n = read(fd, text->data, text->len);

    if (n != (ssize_t) text->len) {
        ngx_log_error(NGX_LOG_EMERG, log, (n == -1) ? ngx_errno : 0,
                      "cannot read \"%s\"", path);
        goto done;
    }

    *out = *text;
    rc = NGX_OK;

done:

    (void) close(fd);

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_examine(ngx_log_t *log, int fd, u_char *path, size_t max,
    ngx_uint_t secret, struct stat *st)
{
    if (fstat(fd, st) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "cannot stat \"%s\"",
                      path);
        return NGX_ERROR;
    }

    if (!S_ISREG(st->st_mode)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "\"%s\" is not a regular file",
                      path);
        return NGX_ERROR;
    }

    if (secret && (st->st_mode & (S_IRWXG|S_IRWXO))) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"%s\" holds a secret but others may open it: its "
                      "mode must be 0600 or 0400", path);
        return NGX_ERROR;
    }

    if (st->st_size > (off_t) max) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "\"%s\" is longer than %uz "
                      "bytes", path, max);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_http_azora_auth_wipe(void *data)
{
    ngx_str_t  *text = data;

    sodium_memzero(text->data, text->len);
}


ngx_int_t
ngx_http_azora_auth_write_secret(ngx_pool_t *pool, ngx_log_t *log,
    ngx_str_t *dir, ngx_str_t *name, ngx_str_t *data)
{
    int      fd;
    u_char  *path, *temp, *p;
    size_t   len;

    len = dir->len + 1 + name->len + sizeof(".new.") + NGX_INT64_LEN + 1;

    path = ngx_pnalloc(pool, 2 * len);
    if (path == NULL) {
        return NGX_ERROR;
    }

    temp = path + len;
    p = ngx_sprintf(path, "%V/%V", dir, name);
    *p = '\0';
    p = ngx_sprintf(temp, "%V/%V.new.%P", dir, name, ngx_pid);
    *p = '\0';

    fd = open((char *) temp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0600);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "cannot create \"%s\"",
                      temp);
        return NGX_ERROR;
    }

    if (write(fd, data->data, data->len) != (ssize_t) data->len
        || fsync(fd) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "cannot write \"%s\"",
                      temp);
        (void) close(fd);
        (void) unlink((char *) temp);
        return NGX_ERROR;
    }

    (void) close(fd);

    if (rename((char *) temp, (char *) path) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "cannot rename \"%s\" to \"%s\"", temp, path);
        (void) unlink((char *) temp);
        return NGX_ERROR;
    }

    return NGX_OK;
}
