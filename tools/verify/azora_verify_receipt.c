
/* A receipt: the payload opens the entry, the proof leads it to a root. */


#include "azora_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>


/* What a receipt says; the strings are the document's. */
typedef struct {
    uint64_t            index;
    const char         *entry;
    size_t              entry_len;
    const char         *payload;
    size_t              payload_len;
    uint8_t             salt[32];
    const char         *note;
    size_t              note_len;
    azora_tlog_hash_t   proof[AZORA_TLOG_PROOF_MAX];
    size_t              nproof;
} azora_verify_receipt_t;


static int azora_verify_receipt_parse(json_t *root,
    azora_verify_receipt_t *receipt);
static int azora_verify_receipt_check(const azora_verify_keys_t *keys,
    const azora_verify_receipt_t *receipt);
static int azora_verify_opens(const azora_verify_receipt_t *receipt);


int
azora_verify_receipt(const azora_verify_keys_t *keys, const char *path)
{
    int                      status;
    char                    *text;
    size_t                   len;
    json_t                  *root;
    json_error_t             error;
    azora_verify_receipt_t   receipt;

    text = azora_verify_read(path, &len);
    if (text == NULL) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "\"%s\": %s", path,
                                strerror(errno));
    }

    root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
    free(text);

    if (root == NULL) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN, "\"%s\" is not JSON: "
                                "line %d, %s", path, error.line, error.text);
    }

    if (azora_verify_receipt_parse(root, &receipt) != 0) {
        status = azora_verify_say(AZORA_VERIFY_UNKNOWN, "\"%s\" is not a "
                                  "receipt: it needs index, entry, salt, "
                                  "payload, checkpoint and proof", path);
    } else {
        status = azora_verify_receipt_check(keys, &receipt);
    }

    json_decref(root);

    return status;
}


static int
azora_verify_receipt_parse(json_t *root, azora_verify_receipt_t *receipt)
{
    size_t       i, n, salt_len, note_len;
    json_int_t   index;
    const char  *salt, *end, *hash;
    json_t      *proof;

    proof = NULL;
    index = -1;

    if (json_unpack(root, "{s:I, s:s%, s:s%, s:s%, s:s%, s:o}",
                    "index", &index,
                    "entry", &receipt->entry, &receipt->entry_len,
                    "salt", &salt, &salt_len,
                    "payload", &receipt->payload, &receipt->payload_len,
                    "checkpoint", &receipt->note, &note_len,
                    "proof", &proof)
        != 0
        || index < 0 || !json_is_array(proof)
        || json_array_size(proof) > AZORA_TLOG_PROOF_MAX
        || sodium_hex2bin(receipt->salt, sizeof(receipt->salt), salt,
                          salt_len, NULL, &n, &end)
           != 0
        || n != sizeof(receipt->salt) || end != salt + salt_len)
    {
        return -1;
    }

    receipt->index = index;
    receipt->note_len = note_len;
    receipt->nproof = json_array_size(proof);

    for (i = 0; i < receipt->nproof; i++) {
        hash = json_string_value(json_array_get(proof, i));

        if (hash == NULL
            || sodium_base642bin(receipt->proof[i].bytes, AZORA_TLOG_HASH,
                                 hash, strlen(hash), NULL, &n, &end,
                                 sodium_base64_VARIANT_ORIGINAL)
               != 0
            || n != AZORA_TLOG_HASH || *end != '\0')
        {
            return -1;
        }
    }

    return 0;
}


static int
azora_verify_receipt_check(const azora_verify_keys_t *keys,
    const azora_verify_receipt_t *receipt)
{
    const char               *reason;
    azora_tlog_hash_t         leaf;
    azora_tlog_checkpoint_t   checkpoint;

    if (azora_verify_open(keys, receipt->note, receipt->note_len, &checkpoint,
                          &reason)
        != 0)
    {
        return azora_verify_say(AZORA_VERIFY_BROKEN,
                                "the checkpoint is not to be trusted: %s",
                                reason);
    }

    azora_tlog_leaf(&leaf, receipt->entry, receipt->entry_len);

    if (azora_tlog_verify_inclusion(receipt->index, checkpoint.size, &leaf,
                                    receipt->proof, receipt->nproof,
                                    &checkpoint.root)
        != 0)
    {
        return azora_verify_say(AZORA_VERIFY_BROKEN, "the proof does not "
                                "lead from entry %" PRIu64 " to the signed "
                                "root of %" PRIu64 " entries",
                                receipt->index, checkpoint.size);
    }

    if (azora_verify_opens(receipt) != 0) {
        return azora_verify_say(AZORA_VERIFY_BROKEN, "salt and payload are "
                                "not what entry %" PRIu64 " is the hash of",
                                receipt->index);
    }

    return azora_verify_say(AZORA_VERIFY_HOLDS, "%s has the payload as entry "
                            "%" PRIu64 " of %" PRIu64, checkpoint.origin,
                            receipt->index, checkpoint.size);
}


/* The entry's hash is SHA-256(salt || payload). */

static int
azora_verify_opens(const azora_verify_receipt_t *receipt)
{
    int                        rc;
    char                       hex[2 * AZORA_TLOG_HASH + 1];
    json_t                    *entry;
    uint8_t                    hash[AZORA_TLOG_HASH];
    const char                *said;
    crypto_hash_sha256_state   state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, receipt->salt, sizeof(receipt->salt));
    crypto_hash_sha256_update(&state, (const uint8_t *) receipt->payload,
                              receipt->payload_len);
    crypto_hash_sha256_final(&state, hash);
    sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));

    entry = json_loadb(receipt->entry, receipt->entry_len,
                       JSON_REJECT_DUPLICATES, NULL);
    said = json_string_value(json_object_get(entry, "hash"));
    rc = (said != NULL && strcmp(said, hex) == 0) ? 0 : -1;
    json_decref(entry);

    return rc;
}
