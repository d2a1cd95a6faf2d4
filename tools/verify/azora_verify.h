
/* What the files of azora-verify share. */


#ifndef _AZORA_VERIFY_H_INCLUDED_
#define _AZORA_VERIFY_H_INCLUDED_


#include "azora_tlog.h"


/* exit statuses */
#define AZORA_VERIFY_HOLDS     0
#define AZORA_VERIFY_BROKEN    1
#define AZORA_VERIFY_UNKNOWN   2

#define AZORA_VERIFY_KEYS      8


/* A log that changed its key has checkpoints under several. */
typedef struct {
    size_t             n;
    azora_tlog_key_t   key[AZORA_VERIFY_KEYS];
} azora_verify_keys_t;


/* azora_tlog_note_open() with whichever of the keys fits. */
int azora_verify_open(const azora_verify_keys_t *keys, const char *note,
    size_t len, azora_tlog_checkpoint_t *checkpoint, const char **reason);

/* Prints the sentence, to the error output unless it holds; the status. */
__attribute__((format(printf, 2, 3)))
int azora_verify_say(int status, const char *fmt, ...);

/* A whole file with a NUL behind it, to be freed; NULL with errno. */
char *azora_verify_read(const char *path, size_t *len);

/* Each says its sentence and returns its status. */
int azora_verify_receipt(const azora_verify_keys_t *keys, const char *path);
int azora_verify_log(const azora_verify_keys_t *keys, const char *dir,
    const char *remembered);


#endif /* _AZORA_VERIFY_H_INCLUDED_ */
