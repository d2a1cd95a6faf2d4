
/* Keys and signed notes: C2SP signed-note with Ed25519, tlog-checkpoint. */


#define _GNU_SOURCE    /* memmem() */

#include "azora_tlog.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>


#define AZORA_TLOG_ED25519   0x01
#define AZORA_TLOG_SKEY      "PRIVATE+KEY+"
#define AZORA_TLOG_DASH      "\xe2\x80\x94 "        /* U+2014 and a blank */
#define AZORA_TLOG_BASE64    sodium_base64_VARIANT_ORIGINAL


static int azora_tlog_name_valid(const char *name, size_t len);
static void azora_tlog_key_id(azora_tlog_key_t *key);
static int azora_tlog_key_parse(const char *text, size_t len, char *name,
    uint8_t id[4], uint8_t bytes[32]);
static int azora_tlog_line(const char **p, const char *last,
    const char **line, size_t *len);
static int azora_tlog_note_signed(const azora_tlog_key_t *key,
    const char *note, size_t text_len, size_t len);
static int azora_tlog_base64(uint8_t *bytes, size_t max, const char *text,
    size_t len, size_t *n);


int
azora_tlog_key_make(azora_tlog_key_t *key, const char *name,
    const uint8_t *seed)
{
    memset(key, 0, sizeof(*key));

    if (!azora_tlog_name_valid(name, strlen(name))) {
        return -1;
    }

    memcpy(key->name, name, strlen(name) + 1);

    if (seed != NULL) {
        crypto_sign_seed_keypair(key->public_key, key->secret_key, seed);

    } else {
        crypto_sign_keypair(key->public_key, key->secret_key);
    }

    azora_tlog_key_id(key);

    return 0;
}


static int
azora_tlog_name_valid(const char *name, size_t len)
{
    size_t  i;

    if (len == 0 || len > AZORA_TLOG_NAME_MAX) {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (name[i] <= 0x20 || name[i] == 0x7f || name[i] == '+') {
            return 0;
        }
    }

    return 1;
}


/* SHA-256(name || "\n" || 0x01 || public key)[:4] */

static void
azora_tlog_key_id(azora_tlog_key_t *key)
{
    uint8_t                   hash[32];
    crypto_hash_sha256_state  state;

    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (uint8_t *) key->name,
                              strlen(key->name));
    crypto_hash_sha256_update(&state, (const uint8_t *) "\n\x01", 2);
    crypto_hash_sha256_update(&state, key->public_key, 32);
    crypto_hash_sha256_final(&state, hash);

    memcpy(key->id, hash, sizeof(key->id));
}


static void
azora_tlog_key_print(const azora_tlog_key_t *key, const char *prefix,
    const uint8_t *bytes, char *buf)
{
    char     text[64];
    uint8_t  tagged[33];

    tagged[0] = AZORA_TLOG_ED25519;
    memcpy(tagged + 1, bytes, 32);
    sodium_bin2base64(text, sizeof(text), tagged, sizeof(tagged),
                      AZORA_TLOG_BASE64);

    snprintf(buf, AZORA_TLOG_NOTE_MAX, "%s%s+%02x%02x%02x%02x+%s", prefix,
             key->name, key->id[0], key->id[1], key->id[2], key->id[3], text);

    sodium_memzero(tagged, sizeof(tagged));
    sodium_memzero(text, sizeof(text));
}


void
azora_tlog_vkey_print(const azora_tlog_key_t *key, char *buf)
{
    azora_tlog_key_print(key, "", key->public_key, buf);
}


void
azora_tlog_skey_print(const azora_tlog_key_t *key, char *buf)
{
    azora_tlog_key_print(key, AZORA_TLOG_SKEY, key->secret_key, buf);
}


int
azora_tlog_vkey_parse(azora_tlog_key_t *key, const char *text, size_t len)
{
    uint8_t  id[4];

    memset(key, 0, sizeof(*key));

    if (azora_tlog_key_parse(text, len, key->name, id, key->public_key)
        != 0)
    {
        return -1;
    }

    azora_tlog_key_id(key);

    return memcmp(id, key->id, sizeof(id)) == 0 ? 0 : -1;
}


int
azora_tlog_skey_parse(azora_tlog_key_t *key, const char *text, size_t len)
{
    int      rc;
    char     name[AZORA_TLOG_NAME_MAX + 1];
    size_t   skip;
    uint8_t  id[4], seed[32];

    skip = sizeof(AZORA_TLOG_SKEY) - 1;

    if (len < skip || memcmp(text, AZORA_TLOG_SKEY, skip) != 0
        || azora_tlog_key_parse(text + skip, len - skip, name, id, seed) != 0)
    {
        return -1;
    }

    rc = azora_tlog_key_make(key, name, seed);
    sodium_memzero(seed, sizeof(seed));

    return (rc == 0 && memcmp(id, key->id, sizeof(id)) == 0) ? 0 : -1;
}


/* "name+hex8+base64"; a name has no '+' */

static int
azora_tlog_key_parse(const char *text, size_t len, char *name, uint8_t id[4],
    uint8_t bytes[32])
{
    size_t       n;
    uint8_t      tagged[64];
    const char  *plus, *last;

    last = text + len;

    while (last > text && (last[-1] == '\n' || last[-1] == '\r')) {
        last--;
    }

    plus = memchr(text, '+', last - text);

    if (plus == NULL || !azora_tlog_name_valid(text, plus - text)
        || last - plus < 10 || plus[9] != '+')
    {
        return -1;
    }

    memcpy(name, text, plus - text);
    name[plus - text] = '\0';

    if (sodium_hex2bin(id, 4, plus + 1, 8, NULL, &n, NULL) != 0 || n != 4
        || azora_tlog_base64(tagged, sizeof(tagged), plus + 10,
                             last - plus - 10, &n)
           != 0
        || n != 33 || tagged[0] != AZORA_TLOG_ED25519)
    {
        return -1;
    }

    memcpy(bytes, tagged + 1, 32);
    sodium_memzero(tagged, sizeof(tagged));

    return 0;
}


static int
azora_tlog_base64(uint8_t *bytes, size_t max, const char *text, size_t len,
    size_t *n)
{
    const char  *end;

    return (sodium_base642bin(bytes, max, text, len, NULL, n, &end,
                              AZORA_TLOG_BASE64)
            == 0
            && end == text + len) ? 0 : -1;
}


size_t
azora_tlog_note_sign(const azora_tlog_key_t *key,
    const azora_tlog_checkpoint_t *checkpoint, char buf[AZORA_TLOG_NOTE_MAX])
{
    int      n;
    char     text[128];
    uint8_t  signature[4 + 64];

    sodium_bin2base64(text, sizeof(text), checkpoint->root.bytes,
                      AZORA_TLOG_HASH, AZORA_TLOG_BASE64);

    n = snprintf(buf, AZORA_TLOG_NOTE_MAX, "%s\n%llu\n%s\n",
                 checkpoint->origin, (unsigned long long) checkpoint->size,
                 text);

    memcpy(signature, key->id, 4);
    crypto_sign_detached(signature + 4, NULL, (uint8_t *) buf, n,
                         key->secret_key);
    sodium_bin2base64(text, sizeof(text), signature, sizeof(signature),
                      AZORA_TLOG_BASE64);

    n += snprintf(buf + n, AZORA_TLOG_NOTE_MAX - n,
                  "\n" AZORA_TLOG_DASH "%s %s\n", key->name, text);

    return n;
}


int
azora_tlog_note_open(const azora_tlog_key_t *key, const char *note,
    size_t len, azora_tlog_checkpoint_t *checkpoint, const char **reason)
{
    size_t       n;
    const char  *p, *line, *split, *last;

    split = len < AZORA_TLOG_NOTE_MAX ? memmem(note, len, "\n\n", 2) : NULL;

    if (split == NULL) {
        *reason = "it is not a signed note";
        return -1;
    }

    p = note;
    last = split + 1;
    *reason = "its text is not a checkpoint";

    if (azora_tlog_line(&p, last, &line, &n) != 0
        || !azora_tlog_name_valid(line, n))
    {
        return -1;
    }

    memcpy(checkpoint->origin, line, n);
    checkpoint->origin[n] = '\0';

    if (azora_tlog_line(&p, last, &line, &n) != 0 || n == 0 || n > 19
        || (n > 1 && line[0] == '0'))
    {
        return -1;
    }

    for (checkpoint->size = 0; n > 0; n--, line++) {
        if (*line < '0' || *line > '9') {
            return -1;
        }
        checkpoint->size = checkpoint->size * 10 + (*line - '0');
    }

    if (azora_tlog_line(&p, last, &line, &n) != 0
        || azora_tlog_base64(checkpoint->root.bytes, AZORA_TLOG_HASH, line, n,
                             &n)
           != 0
        || n != AZORA_TLOG_HASH)
    {
        return -1;
    }

    if (strcmp(checkpoint->origin, key->name) != 0) {
        *reason = "it belongs to another log";
        return -1;
    }

    if (azora_tlog_note_signed(key, note, last - note, len) != 0) {
        *reason = "the log's key did not sign it";
        return -1;
    }

    return 0;
}


static int
azora_tlog_line(const char **p, const char *last, const char **line,
    size_t *len)
{
    const char  *end;

    end = memchr(*p, '\n', last - *p);
    if (end == NULL) {
        return -1;
    }

    *line = *p;
    *len = end - *p;
    *p = end + 1;

    return 0;
}


/* One line "— name base64(id || signature)" must be the key's and right. */

static int
azora_tlog_note_signed(const azora_tlog_key_t *key, const char *note,
    size_t text_len, size_t len)
{
    size_t       n, skip, name_len;
    uint8_t      signature[128];
    const char  *p, *line, *last;

    p = note + text_len + 1;
    last = note + len;
    name_len = strlen(key->name);
    skip = sizeof(AZORA_TLOG_DASH) - 1 + name_len + 1;

    while (azora_tlog_line(&p, last, &line, &n) == 0) {

        if (n <= skip
            || memcmp(line, AZORA_TLOG_DASH, sizeof(AZORA_TLOG_DASH) - 1) != 0
            || memcmp(line + sizeof(AZORA_TLOG_DASH) - 1, key->name, name_len)
               != 0
            || line[skip - 1] != ' '
            || azora_tlog_base64(signature, sizeof(signature), line + skip,
                                 n - skip, &n)
               != 0
            || n != 4 + 64 || memcmp(signature, key->id, 4) != 0)
        {
            continue;
        }

        return crypto_sign_verify_detached(signature + 4, (uint8_t *) note,
                                           text_len, key->public_key);
    }

    return -1;
}
