
/*
 * Serves the log as C2SP tlog-tiles wants it.  A tile's file grows as the log
 * does, so a partial tile is the beginning of the file, and a full one is there
 * only when the file is full.
 */


#include "ngx_http_azora_journal.h"


#define NGX_HTTP_AZORA_JOURNAL_PREFIX   "/chronicle/"


static ngx_int_t ngx_http_azora_journal_checkpoint(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_journal_vkey(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_journal_tile(ngx_http_request_t *r,
    ngx_str_t *path);
static ngx_int_t ngx_http_azora_journal_cached(ngx_http_request_t *r,
    const char *control);


static const ngx_str_t  ngx_http_azora_journal_text =
    ngx_string("text/plain; charset=utf-8");
static const ngx_str_t  ngx_http_azora_journal_octets =
    ngx_string("application/octet-stream");


ngx_int_t
ngx_http_azora_journal_files_handler(ngx_http_request_t *r)
{
    size_t     skip;
    ngx_str_t  path;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    skip = sizeof(NGX_HTTP_AZORA_JOURNAL_PREFIX) - 1;

    if (ngx_http_azora_journal_conf->dir.len == 0 || r->uri.len <= skip
        || ngx_memcmp(r->uri.data, NGX_HTTP_AZORA_JOURNAL_PREFIX, skip) != 0)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    path.data = r->uri.data + skip;
    path.len = r->uri.len - skip;

    if (path.len == 10 && ngx_memcmp(path.data, "checkpoint", 10) == 0) {
        return ngx_http_azora_journal_checkpoint(r);
    }

    if (path.len == 4 && ngx_memcmp(path.data, "vkey", 4) == 0) {
        return ngx_http_azora_journal_vkey(r);
    }

    return ngx_http_azora_journal_tile(r, &path);
}


static ngx_int_t
ngx_http_azora_journal_checkpoint(ngx_http_request_t *r)
{
    ngx_str_t  body;

    body.data = ngx_pnalloc(r->pool, AZORA_TLOG_NOTE_MAX);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = azora_tlog_read_checkpoint(
                   (char *) ngx_http_azora_journal_conf->dir.data,
                   (char *) body.data);

    if (body.len == 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    if (ngx_http_azora_journal_cached(r, "no-cache") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_send(r, NGX_HTTP_OK, &ngx_http_azora_journal_text,
                          &body);
}


static ngx_int_t
ngx_http_azora_journal_vkey(ngx_http_request_t *r)
{
    ngx_str_t  body;

    body.data = ngx_pnalloc(r->pool, AZORA_TLOG_NOTE_MAX + 1);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    azora_tlog_vkey_print(&ngx_http_azora_journal_conf->key,
                          (char *) body.data);
    body.len = ngx_strlen(body.data);
    body.data[body.len++] = '\n';

    return ngx_azora_send(r, NGX_HTTP_OK, &ngx_http_azora_journal_text,
                          &body);
}


static ngx_int_t
ngx_http_azora_journal_tile(ngx_http_request_t *r, ngx_str_t *path)
{
    int                level;
    size_t             len, max;
    ssize_t            n;
    uint64_t           index;
    unsigned           width;
    ngx_str_t          body;
    ngx_file_info_t    fi;
    char               name[AZORA_TLOG_PATH_MAX], *file;

    if (azora_tlog_path_parse((char *) path->data, path->len, &level, &index,
                              &width)
        != 0)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    azora_tlog_path(name, level, index, AZORA_TLOG_TILE);

    len = ngx_http_azora_journal_conf->dir.len + sizeof(name) + 2;

    file = ngx_pnalloc(r->pool, len);
    if (file == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) snprintf(file, len, "%s/%s",
                    (char *) ngx_http_azora_journal_conf->dir.data, name);

    if (ngx_file_info(file, &fi) == NGX_FILE_ERROR) {
        return NGX_HTTP_NOT_FOUND;
    }

    max = ngx_file_size(&fi);

    body.data = ngx_pnalloc(r->pool, max ? max : 1);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = azora_tlog_read_tile((char *) ngx_http_azora_journal_conf->dir.data,
                             level, index, width, body.data, max);
    if (n < 0) {
        return NGX_HTTP_NOT_FOUND;
    }

    body.len = n;

    if (ngx_http_azora_journal_cached(r, "public, max-age=31536000, "
                                         "immutable")
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_send(r, NGX_HTTP_OK, &ngx_http_azora_journal_octets,
                          &body);
}


static ngx_int_t
ngx_http_azora_journal_cached(ngx_http_request_t *r, const char *control)
{
    ngx_str_t  value;

    value.data = (u_char *) control;
    value.len = ngx_strlen(control);

    return ngx_azora_add_header(r, "Cache-Control", &value);
}
