
/*
 * The key ring: a directory of P-256 private keys in PEM files.
 *
 *   <name>.next.pem      published, signs later
 *   <name>.pem           active, signs; exactly one
 *   <name>.retired.pem   still trusted, until its last token has expired
 *
 * A key is rotated by renaming files and reloading.  The ring is read while
 * the configuration is, by the master process: a bad key fails "nginx -t"
 * and leaves a running NGINX as it is, and workers need no access to files.
 */


#include "ngx_http_azora_auth.h"
#include <dirent.h>
#include <sys/file.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_PEM_MAX  4096


static ngx_int_t ngx_http_azora_auth_keys_scan(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
static ngx_int_t ngx_http_azora_auth_key_file(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *name);
static ngx_int_t ngx_http_azora_auth_key_create(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
static ngx_int_t ngx_http_azora_auth_key_point(ngx_pool_t *pool,
    EVP_PKEY *pkey, const char *param, ngx_str_t *out);
static ngx_int_t ngx_http_azora_auth_key_kid(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, ngx_http_azora_auth_key_t *key);
static ngx_int_t ngx_http_azora_auth_ring_publish(ngx_pool_t *pool,
    ngx_http_azora_auth_main_conf_t *conf);


ngx_int_t
ngx_http_azora_auth_keys_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_uint_t create)
{
    int                          fd;
    ngx_int_t                    rc;
    ngx_pool_cleanup_t          *cln;
    ngx_http_azora_auth_ring_t  *ring;

    ring = &conf->ring;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_azora_auth_ring_free;
    cln->data = ring;

    if (ngx_http_azora_auth_ring_init(ring) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "OpenSSL has no SHA-256");
        return NGX_ERROR;
    }

    if (conf->key_dir.len == 0) {
        return ngx_http_azora_auth_ring_publish(cf->pool, conf);
    }

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
            return ngx_http_azora_auth_ring_publish(cf->pool, conf);
        }

        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot open \"%V\"", &conf->key_dir);
        return NGX_ERROR;
    }

    /* two servers that start on one directory must agree on the first key */

    (void) flock(fd, LOCK_EX);

    rc = ngx_http_azora_auth_keys_scan(cf, conf);

    if (rc == NGX_OK && ring->nkeys == 0 && create) {
        rc = ngx_http_azora_auth_key_create(cf, conf);

        if (rc == NGX_OK) {
            rc = ngx_http_azora_auth_keys_scan(cf, conf);
        }
    }

    (void) close(fd);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ring->nkeys != 0 && ring->active == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no key in \"%V\" is active: its file must be named "
                      "<name>.pem, neither .next.pem nor .retired.pem",
                      &conf->key_dir);
        return NGX_ERROR;
    }

    return ngx_http_azora_auth_ring_publish(cf->pool, conf);
}


static ngx_int_t
ngx_http_azora_auth_keys_scan(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    DIR            *dir;
    ngx_int_t       rc;
    ngx_str_t       name;
    struct dirent  *entry;

    dir = opendir((char *) conf->key_dir.data);

    if (dir == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, ngx_errno,
                      "cannot open \"%V\"", &conf->key_dir);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK && (entry = readdir(dir)) != NULL) {

        name.data = (u_char *) entry->d_name;
        name.len = ngx_strlen(entry->d_name);

        if (name.len > 4 && name.data[0] != '.'
            && ngx_strcmp(name.data + name.len - 4, ".pem") == 0)
        {
            rc = ngx_http_azora_auth_key_file(cf, conf, &name);
        }
    }

    (void) closedir(dir);

    return rc;
}


static int
ngx_http_azora_auth_no_passphrase(char *buf, int size, int rwflag, void *data)
{
    return -1;
}


static ngx_int_t
ngx_http_azora_auth_key_file(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *name)
{
    BIO                              *bio;
    u_char                           *path, *p;
    EVP_PKEY                         *pkey;
    ngx_int_t                         rc;
    ngx_str_t                         pem;
    ngx_http_azora_auth_key_state_e   state;

    path = ngx_pnalloc(cf->pool, conf->key_dir.len + name->len + 2);
    if (path == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(path, "%V/%V", &conf->key_dir, name);
    *p = '\0';

    rc = ngx_http_azora_auth_read_secret(cf->pool, cf->log, path,
                                         NGX_HTTP_AZORA_AUTH_PEM_MAX, &pem);
    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    bio = BIO_new_mem_buf(pem.data, (int) pem.len);
    if (bio == NULL) {
        return NGX_ERROR;
    }

    pkey = PEM_read_bio_PrivateKey(bio, NULL,
                                   ngx_http_azora_auth_no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();

    state = NGX_HTTP_AZORA_AUTH_KEY_ACTIVE;

    if (ngx_strstr(path, ".next.pem") != NULL) {
        state = NGX_HTTP_AZORA_AUTH_KEY_NEXT;

    } else if (ngx_strstr(path, ".retired.pem") != NULL) {
        state = NGX_HTTP_AZORA_AUTH_KEY_RETIRED;
    }

    if (pkey == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" is not a private key in PEM form without a "
                      "passphrase", path);
        return NGX_ERROR;
    }

    rc = ngx_http_azora_auth_ring_add(&conf->ring, cf->pool, pkey, &pem,
                                      state);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" is not a P-256 key, is there twice, is one "
                      "active key too many, or there are more than %d keys",
                      path, NGX_HTTP_AZORA_AUTH_KEYS_MAX);
    }

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_azora_auth_ring_init(ngx_http_azora_auth_ring_t *ring)
{
    ring->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ring->digest = EVP_MD_CTX_new();

    return (ring->sha256 && ring->digest) ? NGX_OK : NGX_ERROR;
}


void
ngx_http_azora_auth_ring_free(void *data)
{
    ngx_http_azora_auth_ring_t  *ring = data;

    ngx_uint_t  i;

    for (i = 0; i < ring->nkeys; i++) {
        EVP_PKEY_CTX_free(ring->keys[i].verify);
        EVP_PKEY_free(ring->keys[i].pkey);
    }

    EVP_MD_CTX_free(ring->digest);
    EVP_MD_free(ring->sha256);

    ngx_memzero(ring, sizeof(ngx_http_azora_auth_ring_t));
}


ngx_int_t
ngx_http_azora_auth_ring_add(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, EVP_PKEY *pkey, ngx_str_t *pem,
    ngx_http_azora_auth_key_state_e state)
{
    char                        group[32];
    size_t                      len;
    ngx_int_t                   rc;
    ngx_uint_t                  i;
    ngx_http_azora_auth_key_t  *key;

    rc = NGX_DECLINED;

    if (ring->nkeys == NGX_HTTP_AZORA_AUTH_KEYS_MAX
        || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_EC
        || EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) != 1
        || ngx_strcmp(group, "prime256v1") != 0)
    {
        goto failed;
    }

    rc = NGX_ERROR;
    key = &ring->keys[ring->nkeys];
    ngx_memzero(key, sizeof(ngx_http_azora_auth_key_t));

    key->pkey = pkey;
    key->pem = *pem;
    key->state = state;
    key->verify = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    if (key->verify == NULL
        || EVP_PKEY_verify_init(key->verify) != 1
        || ngx_http_azora_auth_key_point(pool, pkey, OSSL_PKEY_PARAM_EC_PUB_X,
                                         &key->x)
           != NGX_OK
        || ngx_http_azora_auth_key_point(pool, pkey, OSSL_PKEY_PARAM_EC_PUB_Y,
                                         &key->y)
           != NGX_OK
        || ngx_http_azora_auth_key_kid(ring, pool, key) != NGX_OK)
    {
        EVP_PKEY_CTX_free(key->verify);
        goto failed;
    }

    for (i = 0; i < ring->nkeys; i++) {

        if (ngx_memcmp(ring->keys[i].kid.data, key->kid.data, key->kid.len)
            == 0
            || (state == NGX_HTTP_AZORA_AUTH_KEY_ACTIVE
                && ring->keys[i].state == state))
        {
            EVP_PKEY_CTX_free(key->verify);
            rc = NGX_DECLINED;
            goto failed;
        }
    }

    if (state == NGX_HTTP_AZORA_AUTH_KEY_ACTIVE) {
        ring->active = key;
    }

    ring->nkeys++;

    return NGX_OK;

failed:

    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return rc;
}


static ngx_int_t
ngx_http_azora_auth_key_point(ngx_pool_t *pool, EVP_PKEY *pkey,
    const char *param, ngx_str_t *out)
{
    u_char      bytes[32];
    BIGNUM     *bn;
    ngx_str_t   src;

    bn = NULL;

    if (EVP_PKEY_get_bn_param(pkey, param, &bn) != 1
        || BN_bn2binpad(bn, bytes, sizeof(bytes)) != sizeof(bytes))
    {
        BN_free(bn);
        return NGX_ERROR;
    }

    BN_free(bn);

    src.data = bytes;
    src.len = sizeof(bytes);

    out->data = ngx_pnalloc(pool, ngx_base64_encoded_length(src.len));
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64url(out, &src);

    return NGX_OK;
}


/* The thumbprint of RFC 7638 */

static ngx_int_t
ngx_http_azora_auth_key_kid(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, ngx_http_azora_auth_key_t *key)
{
    u_char     *p, hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    u_char      text[256];
    ngx_str_t   src;

    p = ngx_snprintf(text, sizeof(text),
                     "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%V\","
                     "\"y\":\"%V\"}", &key->x, &key->y);

    if (ngx_http_azora_auth_digest(ring, text, p - text, hash) != NGX_OK) {
        return NGX_ERROR;
    }

    src.data = hash;
    src.len = sizeof(hash);

    key->kid.data = ngx_pcalloc(pool, ngx_base64_encoded_length(src.len) + 1);
    if (key->kid.data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64url(&key->kid, &src);

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_key_create(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf)
{
    BIO                         *bio;
    char                        *data;
    u_char                       file[NGX_HTTP_AZORA_AUTH_KID_LEN + 8];
    EVP_PKEY                    *pkey;
    ngx_int_t                    rc;
    ngx_str_t                    name, pem;
    ngx_http_azora_auth_key_t    key;

    rc = NGX_ERROR;
    pkey = EVP_EC_gen("P-256");
    bio = BIO_new(BIO_s_secmem());

    if (pkey == NULL || bio == NULL
        || PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
           != 1
        || ngx_http_azora_auth_key_point(cf->pool, pkey,
                                         OSSL_PKEY_PARAM_EC_PUB_X, &key.x)
           != NGX_OK
        || ngx_http_azora_auth_key_point(cf->pool, pkey,
                                         OSSL_PKEY_PARAM_EC_PUB_Y, &key.y)
           != NGX_OK
        || ngx_http_azora_auth_key_kid(&conf->ring, cf->pool, &key) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "OpenSSL cannot make a P-256 key");
        goto done;
    }

    pem.len = (size_t) BIO_get_mem_data(bio, &data);
    pem.data = (u_char *) data;

    name.data = file;
    name.len = ngx_sprintf(file, "%V.pem", &key.kid) - file;

    rc = ngx_http_azora_auth_write_secret(cf->pool, cf->log, &conf->key_dir,
                                          &name, &pem);
    if (rc == NGX_OK) {
        ngx_log_error(NGX_LOG_NOTICE, cf->log, 0,
                      "created the first signing key \"%V/%V\"",
                      &conf->key_dir, &name);
    }

done:

    BIO_free(bio);
    EVP_PKEY_free(pkey);
    ERR_clear_error();

    return rc;
}


/* RFC 7517 document, its ETag, and the fingerprint that cached tokens carry */

static ngx_int_t
ngx_http_azora_auth_ring_publish(ngx_pool_t *pool,
    ngx_http_azora_auth_main_conf_t *conf)
{
    u_char                      *p, *text, hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    size_t                       len;
    ngx_uint_t                   i;
    ngx_http_azora_auth_key_t   *key;
    ngx_http_azora_auth_ring_t  *ring;

    ring = &conf->ring;
    len = sizeof("{\"keys\":[]}") + ring->nkeys * 320;

    text = ngx_pnalloc(pool, len + conf->expect.issuer.len
                             + conf->expect.audience.len + 2);
    ring->etag.data = ngx_pnalloc(pool, 2 + 16 + 1);

    if (text == NULL || ring->etag.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, "{\"keys\":[", 9);

    for (i = 0; i < ring->nkeys; i++) {
        key = &ring->keys[i];
        p = ngx_sprintf(p, "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":"
                        "\"sig\",\"alg\":\"ES256\",\"kid\":\"%V\",\"x\":"
                        "\"%V\",\"y\":\"%V\"}", i ? "," : "", &key->kid,
                        &key->x, &key->y);
    }

    p = ngx_cpymem(p, "]}", 2);

    ring->jwks.data = text;
    ring->jwks.len = p - text;

    if (ngx_http_azora_auth_digest(ring, text, p - text, hash) != NGX_OK) {
        return NGX_ERROR;
    }

    ring->etag.len = ngx_sprintf(ring->etag.data, "\"%08xD%08xD\"",
                                 *(uint32_t *) hash, *(uint32_t *) (hash + 4))
                     - ring->etag.data;

    p = ngx_sprintf(p, "%V%Z%V", &conf->expect.issuer,
                    &conf->expect.audience);

    if (ngx_http_azora_auth_digest(ring, text, p - text, hash) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(&ring->id, hash, sizeof(ring->id));

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_jwks_handler(ngx_http_request_t *r)
{
    ngx_table_elt_t                  *h;
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  type = ngx_string("application/jwk-set+json");

    /* shorter than the day for which a key is published before it signs */
    static ngx_str_t  cache = ngx_string("public, max-age=3600");

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);

    if (ngx_azora_add_header(r, "Cache-Control", &cache) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value = conf->ring.etag;
    r->headers_out.etag = h;

    return ngx_azora_send(r, NGX_HTTP_OK, &type, &conf->ring.jwks);
}
