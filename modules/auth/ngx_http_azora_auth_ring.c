
/*
 * The ring of keys that verify tokens, and its public face, the JWKS.
 */


#include "ngx_http_azora_auth.h"
#include <openssl/core_names.h>
#include <openssl/rsa.h>


/* a key in the JWKS, and its kid and x once more */
#define NGX_HTTP_AZORA_AUTH_JWK_MAX  512


static ngx_uint_t ngx_http_azora_auth_ring_p256(EVP_PKEY *pkey);
static ngx_uint_t ngx_http_azora_auth_ring_rsa(EVP_PKEY *pkey);
static ngx_int_t ngx_http_azora_auth_ring_rs256(
    ngx_http_azora_auth_key_t *key);
static ngx_int_t ngx_http_azora_auth_ring_es256(ngx_pool_t *pool,
    ngx_http_azora_auth_key_t *key);
static void ngx_http_azora_auth_ring_drop(ngx_http_azora_auth_key_t *key);
static ngx_int_t ngx_http_azora_auth_key_point(ngx_pool_t *pool,
    EVP_PKEY *pkey, const char *param, ngx_str_t *out);
static ngx_int_t ngx_http_azora_auth_key_kid(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, ngx_http_azora_auth_key_t *key);


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
        ngx_http_azora_auth_ring_drop(&ring->keys[i]);
        EVP_PKEY_free(ring->keys[i].pkey);
    }

    EVP_MD_CTX_free(ring->digest);
    EVP_MD_free(ring->sha256);

    ngx_memzero(ring, sizeof(ngx_http_azora_auth_ring_t));
}


ngx_int_t
ngx_http_azora_auth_ring_add(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, EVP_PKEY *pkey, const ngx_str_t *kid,
    ngx_uint_t private, ngx_http_azora_auth_key_state_e state)
{
    ngx_int_t                   rc;
    ngx_uint_t                  i, rsa;
    ngx_http_azora_auth_key_t  *key;

    rc = NGX_DECLINED;
    rsa = ring->rsa && !private && ngx_http_azora_auth_ring_rsa(pkey);

    if (ring->nkeys == NGX_HTTP_AZORA_AUTH_KEYS_MAX
        || (rsa ? kid->len == 0 : !ngx_http_azora_auth_ring_p256(pkey)))
    {
        goto failed;
    }

    rc = NGX_ERROR;
    key = &ring->keys[ring->nkeys];
    ngx_memzero(key, sizeof(ngx_http_azora_auth_key_t));

    key->pkey = pkey;
    key->private = private;
    key->rsa = rsa;
    key->size = rsa ? (size_t) EVP_PKEY_get_size(pkey) : 64;
    key->kid = *kid;
    key->state = state;

    if ((rsa ? ngx_http_azora_auth_ring_rs256(key)
             : ngx_http_azora_auth_ring_es256(pool, key))
        != NGX_OK
        || (kid->len == 0
            && ngx_http_azora_auth_key_kid(ring, pool, key) != NGX_OK))
    {
        ngx_http_azora_auth_ring_drop(key);
        goto failed;
    }

    for (i = 0; i < ring->nkeys; i++) {

        if ((ring->keys[i].kid.len == key->kid.len
             && ngx_memcmp(ring->keys[i].kid.data, key->kid.data,
                           key->kid.len)
                == 0)
            || (state == NGX_HTTP_AZORA_AUTH_KEY_ACTIVE
                && ring->keys[i].state == state))
        {
            ngx_http_azora_auth_ring_drop(key);
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


static ngx_uint_t
ngx_http_azora_auth_ring_p256(EVP_PKEY *pkey)
{
    char    group[32];
    size_t  len;

    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_EC
           && EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1
           && ngx_strcmp(group, "prime256v1") == 0;
}


/* RFC 7518 3.3: at least 2,048 bits */

static ngx_uint_t
ngx_http_azora_auth_ring_rsa(EVP_PKEY *pkey)
{
    return EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA
           && EVP_PKEY_get_bits(pkey) >= 2048
           && EVP_PKEY_get_bits(pkey) <= 4096;
}


static ngx_int_t
ngx_http_azora_auth_ring_rs256(ngx_http_azora_auth_key_t *key)
{
    key->verify = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    return (key->verify != NULL
            && EVP_PKEY_verify_init(key->verify) == 1
            && EVP_PKEY_CTX_set_rsa_padding(key->verify, RSA_PKCS1_PADDING)
               == 1
            && EVP_PKEY_CTX_set_signature_md(key->verify, EVP_sha256()) == 1)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_auth_ring_es256(ngx_pool_t *pool,
    ngx_http_azora_auth_key_t *key)
{
    key->p256 = ngx_http_azora_auth_p256_new(key->pkey);

    return (key->p256 != NULL
            && ngx_http_azora_auth_key_point(pool, key->pkey,
                                             OSSL_PKEY_PARAM_EC_PUB_X,
                                             &key->x)
               == NGX_OK
            && ngx_http_azora_auth_key_point(pool, key->pkey,
                                             OSSL_PKEY_PARAM_EC_PUB_Y,
                                             &key->y)
               == NGX_OK)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_azora_auth_ring_drop(ngx_http_azora_auth_key_t *key)
{
    EVP_PKEY_CTX_free(key->verify);
    ngx_http_azora_auth_p256_free(key->p256);
}


void
ngx_http_azora_auth_ring_precompute(ngx_http_azora_auth_ring_t *ring)
{
    ngx_uint_t  i;

    for (i = 0; i < ring->nkeys; i++) {
        if (ring->keys[i].p256 != NULL) {
            ngx_http_azora_auth_p256_precompute(ring->keys[i].p256);
        }
    }
}


/* A ring of public keys only is that of a server that logs nobody in. */

ngx_uint_t
ngx_http_azora_auth_ring_private(ngx_http_azora_auth_ring_t *ring)
{
    ngx_uint_t  i;

    for (i = 0; i < ring->nkeys; i++) {
        if (ring->keys[i].private) {
            return 1;
        }
    }

    return 0;
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


/*
 * The RFC 7517 document of our own keys, its ETag, and the fingerprint of all
 * that decides about a token, which cached tokens carry.
 */

ngx_int_t
ngx_http_azora_auth_ring_publish(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, const ngx_http_azora_auth_expect_t *expect)
{
    u_char                     *p, *text, hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    size_t                      len;
    ngx_uint_t                  i;
    ngx_http_azora_auth_key_t  *key;

    len = sizeof("{\"keys\":[]}") + expect->issuer.len
          + expect->audience.len + ring->nkeys * NGX_HTTP_AZORA_AUTH_JWK_MAX;

    text = ngx_pnalloc(pool, len);
    ring->etag.data = ngx_pnalloc(pool, 2 + 16);

    if (text == NULL || ring->etag.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(text, "{\"keys\":[", 9);

    for (i = 0; i < ring->nkeys; i++) {
        key = &ring->keys[i];

        if (key->private) {
            p = ngx_sprintf(p, "%s{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":"
                            "\"sig\",\"alg\":\"ES256\",\"kid\":\"%V\",\"x\":"
                            "\"%V\",\"y\":\"%V\"}",
                            p[-1] == '}' ? "," : "", &key->kid, &key->x,
                            &key->y);
        }
    }

    p = ngx_cpymem(p, "]}", 2);

    ring->jwks.data = text;
    ring->jwks.len = p - text;

    if (ngx_http_azora_auth_digest(ring, text, p - text, hash) != NGX_OK) {
        return NGX_ERROR;
    }

    ring->etag.data[0] = '"';
    ngx_hex_dump(ring->etag.data + 1, hash, 8);
    ring->etag.data[17] = '"';
    ring->etag.len = 18;

    for (i = 0; i < ring->nkeys; i++) {
        p = ngx_sprintf(p, "%V%V", &ring->keys[i].kid, &ring->keys[i].x);
    }

    p = ngx_sprintf(p, "%V%Z%V", &expect->issuer, &expect->audience);

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
