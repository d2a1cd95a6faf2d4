
/* What the files of azora-verify share. */


#ifndef _AZORA_VERIFY_H_INCLUDED_
#define _AZORA_VERIFY_H_INCLUDED_


#include "azora_tlog.h"


/* exit statuses */
#define AZORA_VERIFY_HOLDS     0
#define AZORA_VERIFY_BROKEN    1
#define AZORA_VERIFY_UNKNOWN   2


/* Prints the sentence, to the error output unless it holds; the status. */
__attribute__((format(printf, 2, 3)))
int azora_verify_say(int status, const char *fmt, ...);

/* A whole file with a NUL behind it, to be freed; NULL with errno. */
char *azora_verify_read(const char *path, size_t *len);

/* Each says its sentence and returns its status. */
int azora_verify_receipt(const azora_tlog_key_t *key, const char *path);
int azora_verify_log(const azora_tlog_key_t *key, const char *dir,
    const char *remembered);


#endif /* _AZORA_VERIFY_H_INCLUDED_ */
