
/*
 * Receipts: SQL knows the entry and what opens its hash; the path to the
 * signed root comes out of the tiles.
 */


#include "ngx_http_azora_journal.h"

#include <sodium.h>


/* One tile of each level is enough: a proof reads them from left to right. */
typedef struct {
    const char         *dir;
    uint64_t            size;
    uint64_t            tile[AZORA_TLOG_LEVELS];
    ngx_uint_t          loaded[AZORA_TLOG_LEVELS];
    azora_tlog_hash_t   hashes[AZORA_TLOG_LEVELS][AZORA_TLOG_TILE];
} ngx_http_azora_journal_tiles_t;


static int ngx_http_azora_journal_hash(void *data, unsigned level,
    uint64_t index, azora_tlog_hash_t *hash);
static json_t *ngx_http_azora_journal_proof(ngx_http_request_t *r,
    uint64_t index, uint64_t size);


ngx_int_t
ngx_http_azora_journal_receipt(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    char                      note[AZORA_TLOG_NOTE_MAX];
    size_t                    len;
    json_t                   *body, *proof;
    uint64_t                  index;
    ngx_int_t                 rc;
    const char               *reason;
    azora_tlog_checkpoint_t   checkpoint;

    if (ngx_http_azora_journal_conf->dir.len == 0) {
        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "chronicle-off",
                                 "This node publishes no log.");
    }

    body = json_loadb((char *) ctx->reply.body.data, ctx->reply.body.len, 0,
                      NULL);
    if (body == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    index = json_integer_value(json_object_get(body, "index"));
    len = azora_tlog_read_checkpoint(
              (char *) ngx_http_azora_journal_conf->dir.data, note);

    if (ngx_http_azora_journal_open(note, len, &checkpoint, &reason)
        != NGX_OK
        || index >= checkpoint.size)
    {
        json_decref(body);
        return ngx_azora_problem(r, NGX_HTTP_CONFLICT, "not-published",
                                 "The entry is numbered but this node has "
                                 "not published it yet; ask again in a "
                                 "second.");
    }

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    proof = ngx_http_azora_journal_proof(r, index, checkpoint.size);

    if (proof != NULL
        && json_object_set_new(body, "proof", proof) == 0
        && json_object_set_new(body, "checkpoint", json_stringn(note, len))
           == 0
        && ngx_azora_json_dump(r->pool, body, &ctx->reply.body) == NGX_OK)
    {
        rc = NGX_OK;
    }

    json_decref(body);

    return rc;
}


static json_t *
ngx_http_azora_journal_proof(ngx_http_request_t *r, uint64_t index,
    uint64_t size)
{
    int                              i, n;
    char                             text[64];
    json_t                          *list;
    azora_tlog_hash_t                proof[AZORA_TLOG_PROOF_MAX];
    ngx_http_azora_journal_tiles_t  *tiles;

    tiles = ngx_palloc(r->pool, sizeof(ngx_http_azora_journal_tiles_t));
    if (tiles == NULL) {
        return NULL;
    }

    tiles->dir = (char *) ngx_http_azora_journal_conf->dir.data;
    tiles->size = size;
    ngx_memzero(tiles->loaded, sizeof(tiles->loaded));

    n = azora_tlog_inclusion(index, size, ngx_http_azora_journal_hash, tiles,
                             proof);
    if (n < 0) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "chronicle: the tiles give no proof of %uL in %uL",
                      index, size);
        return NULL;
    }

    list = json_array();

    for (i = 0; list != NULL && i < n; i++) {
        sodium_bin2base64(text, sizeof(text), proof[i].bytes,
                          AZORA_TLOG_HASH, sodium_base64_VARIANT_ORIGINAL);

        if (json_array_append_new(list, json_string(text)) != 0) {
            json_decref(list);
            return NULL;
        }
    }

    return list;
}


static int
ngx_http_azora_journal_hash(void *data, unsigned level, uint64_t index,
    azora_tlog_hash_t *hash)
{
    uint64_t                         tile, have;
    unsigned                         width;
    ngx_http_azora_journal_tiles_t  *tiles = data;

    tile = index / AZORA_TLOG_TILE;

    if (!tiles->loaded[level] || tiles->tile[level] != tile) {
        have = azora_tlog_level_size(tiles->size, level)
               - tile * AZORA_TLOG_TILE;
        width = ngx_min(have, AZORA_TLOG_TILE);

        if (azora_tlog_read_tile(tiles->dir, level, tile, width,
                                 tiles->hashes[level][0].bytes,
                                 sizeof(tiles->hashes[level]))
            < 0)
        {
            return -1;
        }

        tiles->tile[level] = tile;
        tiles->loaded[level] = 1;
    }

    *hash = tiles->hashes[level][index % AZORA_TLOG_TILE];

    return 0;
}
