
/*
 * Hashes of the tokens that this worker saw last.  A client sends the same
 * token with each request, and hashing its 700 bytes was the largest single
 * cost of a cached one; comparing them costs a tenth.  Only the hash is
 * remembered: whether the token still counts is asked of the shared cache each
 * time.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_MEMOS      128      /* a power of two */
#define NGX_HTTP_AZORA_AUTH_MEMO_LEN   988      /* longer ones are hashed */


typedef struct {
    uint32_t  len;                              /* 0: empty */
    u_char    hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];
    u_char    token[NGX_HTTP_AZORA_AUTH_MEMO_LEN];
} ngx_http_azora_auth_memo_t;


static ngx_http_azora_auth_memo_t
    ngx_http_azora_auth_memos[NGX_HTTP_AZORA_AUTH_MEMOS];


ngx_int_t
ngx_http_azora_auth_token_hash(ngx_http_azora_auth_ring_t *ring,
    const ngx_str_t *token, u_char *hash)
{
    uint32_t                     place;
    ngx_http_azora_auth_memo_t  *memo;

    if (token->len < sizeof(place)
        || token->len > NGX_HTTP_AZORA_AUTH_MEMO_LEN)
    {
        return ngx_http_azora_auth_digest(ring, token->data, token->len,
                                          hash);
    }

    /* the end of a signature is as good as random */

    ngx_memcpy(&place, token->data + token->len - sizeof(place),
               sizeof(place));
    place = (place * 2654435761u) >> 16;
    memo = &ngx_http_azora_auth_memos[place & (NGX_HTTP_AZORA_AUTH_MEMOS - 1)];

    if (memo->len == token->len
        && ngx_memcmp(memo->token, token->data, token->len) == 0)
    {
        ngx_memcpy(hash, memo->hash, NGX_HTTP_AZORA_AUTH_HASH_LEN);
        return NGX_OK;
    }

    memo->len = 0;

    if (ngx_http_azora_auth_digest(ring, token->data, token->len, memo->hash)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_memcpy(memo->token, token->data, token->len);
    ngx_memcpy(hash, memo->hash, NGX_HTTP_AZORA_AUTH_HASH_LEN);
    memo->len = token->len;

    return NGX_OK;
}


void
ngx_http_azora_auth_hash_hex(const u_char *data, size_t len, u_char *hex)
{
    u_char  hash[crypto_hash_sha256_BYTES];

    (void) crypto_hash_sha256(hash, data, len);
    ngx_hex_dump(hex, hash, sizeof(hash));
}


ngx_int_t
ngx_http_azora_auth_hash_field(ngx_azora_ctx_t *ctx, const char *field)
{
    u_char              hex[2 * NGX_HTTP_AZORA_AUTH_HASH_LEN];
    ngx_str_t           text;
    ngx_azora_value_t  *value;

    value = ngx_azora_value(ctx, field);
    if (value == NULL) {
        return NGX_ERROR;
    }

    ngx_http_azora_auth_hash_hex(value->text.data, value->text.len, hex);

    text.data = hex;
    text.len = sizeof(hex);

    return ngx_azora_set_value(ctx, field, &text);
}
