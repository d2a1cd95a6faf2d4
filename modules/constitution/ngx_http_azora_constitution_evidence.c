
/*
 * What is kept of a decision, as JSON.
 */


#include "ngx_http_azora_constitution.h"

#include <openssl/evp.h>
#include <openssl/rand.h>


#define NGX_HTTP_AZORA_SALT_LEN  16
#define NGX_HTTP_AZORA_HASH_LEN  32


static ngx_int_t ngx_http_azora_constitution_body_hash(json_t *body,
    json_t *evidence);


ngx_int_t
ngx_http_azora_constitution_rule_names(ngx_pool_t *pool,
    const ngx_http_azora_verdict_t *verdict, ngx_str_t *json)
{
    json_t      *list;
    ngx_int_t    rc;
    ngx_str_t   *id;
    ngx_uint_t   i;

    list = json_array();
    if (list == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < verdict->nmatches; i++) {

        id = (ngx_str_t *) &verdict->matches[i].rule->id;

        if (json_array_append_new(list, json_stringn((char *) id->data,
                                                     id->len))
            != 0)
        {
            json_decref(list);
            return NGX_ERROR;
        }
    }

    rc = ngx_azora_json_dump(pool, list, json);
    json_decref(list);

    return rc;
}


/*
 * What may be kept: where each rule matched, 40 characters of it with their
 * digits masked, and a salted hash by which the person can prove what the body
 * was, and nobody can guess it.
 */

ngx_int_t
ngx_http_azora_constitution_evidence(ngx_pool_t *pool,
    const ngx_http_azora_verdict_t *verdict, json_t *body, ngx_str_t *json)
{
    json_t                        *evidence, *list;
    ngx_int_t                      rc;
    ngx_uint_t                     i;
    const ngx_http_azora_match_t  *m;

    evidence = json_object();
    list = json_array();
    rc = NGX_ERROR;

    if (evidence == NULL || json_object_set(evidence, "matches", list) != 0) {
        goto done;
    }

    for (i = 0; i < verdict->nmatches; i++) {

        m = &verdict->matches[i];

        if (json_array_append_new(list, json_pack("{s:s%,s:s%,s:s%}",
                                     "rule", m->rule->id.data,
                                     m->rule->id.len,
                                     "pointer", m->pointer.data,
                                     m->pointer.len,
                                     "excerpt", m->excerpt.data,
                                     m->excerpt.len))
            != 0)
        {
            goto done;
        }
    }

    if (body != NULL
        && ngx_http_azora_constitution_body_hash(body, evidence) != NGX_OK)
    {
        goto done;
    }

    rc = ngx_azora_json_dump(pool, evidence, json);

done:

    json_decref(list);
    json_decref(evidence);

    return rc;
}


/* SHA-256 of the salt and the body as compact JSON with sorted members. */

static ngx_int_t
ngx_http_azora_constitution_body_hash(json_t *body, json_t *evidence)
{
    char        *text;
    u_char       salt[NGX_HTTP_AZORA_SALT_LEN];
    u_char       hash[NGX_HTTP_AZORA_HASH_LEN];
    u_char       hex[2 * NGX_HTTP_AZORA_HASH_LEN];
    ngx_int_t    rc;
    EVP_MD_CTX  *md;

    rc = NGX_ERROR;
    md = EVP_MD_CTX_new();
    text = json_dumps(body, JSON_COMPACT|JSON_SORT_KEYS);

    if (md == NULL || text == NULL
        || RAND_bytes(salt, sizeof(salt)) != 1
        || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1
        || EVP_DigestUpdate(md, salt, sizeof(salt)) != 1
        || EVP_DigestUpdate(md, text, ngx_strlen(text)) != 1
        || EVP_DigestFinal_ex(md, hash, NULL) != 1)
    {
        goto done;
    }

    (void) ngx_hex_dump(hex, salt, sizeof(salt));

    if (json_object_set_new(evidence, "salt",
                            json_stringn((char *) hex, 2 * sizeof(salt)))
        != 0)
    {
        goto done;
    }

    (void) ngx_hex_dump(hex, hash, sizeof(hash));

    if (json_object_set_new(evidence, "body_sha256",
                            json_stringn((char *) hex, sizeof(hex)))
        != 0)
    {
        goto done;
    }

    rc = NGX_OK;

done:

    EVP_MD_CTX_free(md);
    free(text);

    return rc;
}
