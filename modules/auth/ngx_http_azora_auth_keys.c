
/*
 * The key ring: a directory of P-256 private keys in PEM files.
 *
 *   <name>.next.pem      published, signs later
 *   <name>.pem           active, signs; exactly one
 *   <name>.retired.pem   still trusted, until its last token has expired
 *   <name>.jwk           a public key of another server, only trusted
 *
 * A key is rotated by renaming files and reloading.  The ring is read while
 * the configuration is, by the master process: a bad key fails "nginx -t"
 * and leaves a running NGINX as it is, and workers need no access to files.
 */


#include "ngx_http_azora_auth.h"
#include <dirent.h>
#include <sys/file.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_PEM_MAX  4096


static ngx_int_t ngx_http_azora_auth_keys_read(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_uint_t create);
static ngx_int_t ngx_http_azora_auth_keys_scan(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
static ngx_int_t ngx_http_azora_auth_key_file(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, const char *name);
static ngx_int_t ngx_http_azora_auth_key_jwk(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, ngx_str_t *text);
static ngx_int_t ngx_http_azora_auth_key_pem(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, const char *name, ngx_str_t *text);
static ngx_int_t ngx_http_azora_auth_key_create(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);


ngx_int_t
ngx_http_azora_auth_keys_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_uint_t create)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_azora_auth_ring_free;
    cln->data = &conf->ring;

    if (ngx_http_azora_auth_ring_init(&conf->ring) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "OpenSSL has no SHA-256");
        return NGX_ERROR;
    }

    if (conf->key_dir.len
        && ngx_http_azora_auth_keys_read(cf, conf, create) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* here, for all workers, and not while somebody waits for one */

    ngx_http_azora_auth_ring_precompute(&conf->ring);

    return ngx_http_azora_auth_ring_publish(&conf->ring, cf->pool,
                                            &conf->expect);
}


static ngx_int_t
ngx_http_azora_auth_keys_read(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_uint_t create)
{
    int          fd;
    ngx_int_t    rc;
    struct stat  st;

    if (create
        && mkdir((char *) conf->key_dir.data, 0700) == -1
        && ngx_errno != NGX_EEXIST)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot create \"%V\"", &conf->key_dir);
        return NGX_ERROR;
    }

    fd = open((char *) conf->key_dir.data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        if (!create && ngx_errno == NGX_ENOENT) {
            /* nginx -t before the first start */
            return NGX_OK;
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot open \"%V\"", &conf->key_dir);
        return NGX_ERROR;
    }

    if (fstat(fd, &st) == -1 || (st.st_mode & (S_IWGRP|S_IWOTH))) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "others may put keys into \"%V\": its mode must not let "
                      "group or others write", &conf->key_dir);
        (void) close(fd);
        return NGX_ERROR;
    }

    /* two servers that start on one directory must agree on the first key */

    (void) flock(fd, LOCK_EX);

    rc = ngx_http_azora_auth_keys_scan(cf, conf);

    if (rc == NGX_OK && conf->ring.nkeys == 0 && create) {
        rc = ngx_http_azora_auth_key_create(cf, conf);
    }

    (void) close(fd);

    if (rc == NGX_OK && conf->ring.active == NULL
        && ngx_http_azora_auth_ring_private(&conf->ring))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no key in \"%V\" is active: its file must be named "
                      "<name>.pem, neither .next.pem nor .retired.pem",
                      &conf->key_dir);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_uint_t
ngx_http_azora_auth_ends_with(const char *name, const char *suffix)
{
    size_t  len, n;

    len = ngx_strlen(name);
    n = ngx_strlen(suffix);

    return len > n && ngx_strcmp(name + len - n, suffix) == 0;
}


static int
ngx_http_azora_auth_is_key(const struct dirent *entry)
{
    return entry->d_name[0] != '.'
           && (ngx_http_azora_auth_ends_with(entry->d_name, ".pem")
               || ngx_http_azora_auth_ends_with(entry->d_name, ".jwk"));
}


/* By name, so that all servers with these files publish one document. */

static ngx_int_t
ngx_http_azora_auth_keys_scan(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    int              i, n;
    ngx_int_t        rc;
    struct dirent  **entries;

    n = scandir((char *) conf->key_dir.data, &entries,
                ngx_http_azora_auth_is_key, alphasort);

    if (n == -1) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot read \"%V\"", &conf->key_dir);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    for (i = 0; i < n; i++) {

        if (rc == NGX_OK) {
            rc = ngx_http_azora_auth_key_file(cf, conf, entries[i]->d_name);
        }

        free(entries[i]);
    }

    free(entries);

    return rc;
}


static int
ngx_http_azora_auth_no_passphrase(char *buf, int size, int rwflag, void *data)
{
    return -1;
}


static ngx_int_t
ngx_http_azora_auth_key_file(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, const char *name)
{
    u_char      *path, *p;
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_uint_t   public;

    path = ngx_pnalloc(cf->pool, conf->key_dir.len + ngx_strlen(name) + 2);
    if (path == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(path, "%V/%s", &conf->key_dir, name);
    *p = '\0';

    public = ngx_http_azora_auth_ends_with(name, ".jwk");

    rc = ngx_http_azora_auth_read_file(cf->pool, cf->log, path,
                                       NGX_HTTP_AZORA_AUTH_PEM_MAX, !public,
                                       &text);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    rc = public ? ngx_http_azora_auth_key_jwk(cf->pool, &conf->ring, &text)
                : ngx_http_azora_auth_key_pem(cf->pool, &conf->ring, name,
                                              &text);

    sodium_memzero(text.data, text.len);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" cannot be used: it is not a %s, it is there "
                      "twice, another key is active already, or there are "
                      "more than %d keys", path,
                      public ? "public P-256 key in JWK form for ES256"
                             : "private P-256 key in PEM form without a "
                               "passphrase",
                      NGX_HTTP_AZORA_AUTH_KEYS_MAX);
    }

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_auth_key_jwk(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, ngx_str_t *text)
{
    json_t     *jwk;
    ngx_int_t   rc;

    jwk = json_loadb((char *) text->data, text->len, JSON_REJECT_DUPLICATES,
                     NULL);

    rc = ngx_http_azora_auth_ring_add_jwk(ring, pool, jwk,
                                          NGX_HTTP_AZORA_AUTH_KEY_RETIRED);
    json_decref(jwk);

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_key_pem(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, const char *name, ngx_str_t *text)
{
    BIO                              *bio;
    EVP_PKEY                         *pkey;
    ngx_str_t                         none;
    ngx_http_azora_auth_key_state_e   state;

    bio = BIO_new_mem_buf(text->data, (int) text->len);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    pkey = PEM_read_bio_PrivateKey(bio, NULL,
                                   ngx_http_azora_auth_no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();

    if (pkey == NULL) {
        return NGX_DECLINED;
    }

    state = NGX_HTTP_AZORA_AUTH_KEY_ACTIVE;

    if (ngx_http_azora_auth_ends_with(name, ".next.pem")) {
        state = NGX_HTTP_AZORA_AUTH_KEY_NEXT;

    } else if (ngx_http_azora_auth_ends_with(name, ".retired.pem")) {
        state = NGX_HTTP_AZORA_AUTH_KEY_RETIRED;
    }

    ngx_str_null(&none);

    return ngx_http_azora_auth_ring_add(ring, pool, pkey, &none, 1, state);
}


/* The first key of a new installation, in memory and in its file. */

static ngx_int_t
ngx_http_azora_auth_key_create(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    BIO        *bio;
    char       *data;
    u_char      file[NGX_HTTP_AZORA_AUTH_KID_LEN + sizeof(".pem")];
    EVP_PKEY   *pkey;
    ngx_int_t   rc;
    ngx_str_t   name, pem, none;

    ngx_str_null(&none);

    rc = NGX_ERROR;
    pkey = EVP_EC_gen("P-256");
    bio = BIO_new(BIO_s_secmem());

    if (pkey == NULL || bio == NULL
        || PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "OpenSSL cannot make a P-256 key");
        EVP_PKEY_free(pkey);
        goto done;
    }

    if (ngx_http_azora_auth_ring_add(&conf->ring, cf->pool, pkey, &none, 1,
                                     NGX_HTTP_AZORA_AUTH_KEY_ACTIVE)
        != NGX_OK)
    {
        goto done;
    }

    pem.len = (size_t) BIO_get_mem_data(bio, &data);
    pem.data = (u_char *) data;

    name.data = file;
    name.len = ngx_sprintf(file, "%V.pem", &conf->ring.active->kid) - file;

    rc = ngx_http_azora_auth_write_secret(cf->pool, cf->log, &conf->key_dir,
                                          &name, &pem);
    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "created the first signing key \"%V/%V\"",
                      &conf->key_dir, &name);
    }

done:

    BIO_free(bio);
    ERR_clear_error();

    return rc;
}
