
/*
 * azora-verify checks what the public log says without trusting the server:
 * a receipt against the signed checkpoint in it, or all files of a log.
 *
 *     azora-verify receipt --key VKEY FILE
 *     azora-verify log --key VKEY [--remembered CHECKPOINT] DIR
 *
 * VKEY is the line of /chronicle/vkey or a file that holds it, and may be given
 * again for a log that changed its key; FILE "-" is the standard input.  One
 * sentence says the result; the exit status is 0 when it holds, 1 when it does
 * not, 2 when it could not be checked.
 */


#include "azora_verify.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


#define AZORA_VERIFY_FILE_MAX  (1024 * 1024)

#define AZORA_VERIFY_USAGE                                                    \
    "usage: azora-verify receipt --key VKEY FILE\n"                           \
    "       azora-verify log --key VKEY [--remembered CHECKPOINT] DIR\n"


static int azora_verify_key(azora_tlog_key_t *key, const char *text);


static const struct option  azora_verify_options[] = {
    { "key", required_argument, NULL, 'k' },
    { "remembered", required_argument, NULL, 'r' },
    { NULL, 0, NULL, 0 }
};


int
main(int argc, char **argv)
{
    int                   c, is_log, wrong;
    const char           *remembered;
    azora_verify_keys_t   keys;

    keys.n = 0;
    remembered = NULL;
    wrong = 0;

    if (sodium_init() == -1) {
        return azora_verify_say(AZORA_VERIFY_UNKNOWN,
                                "libsodium cannot start");
    }

    while ((c = getopt_long(argc, argv, "", azora_verify_options, NULL))
           != -1)
    {
        switch (c) {

        case 'k':
            if (keys.n == AZORA_VERIFY_KEYS
                || azora_verify_key(&keys.key[keys.n], optarg) != 0)
            {
                return azora_verify_say(AZORA_VERIFY_UNKNOWN, "\"%s\" is "
                                        "neither a verifier key nor a file "
                                        "with one, or one too many", optarg);
            }

            keys.n++;
            break;

        case 'r':
            remembered = optarg;
            break;

        default:
            wrong = 1;
        }
    }

    is_log = (argc - optind == 2 && strcmp(argv[optind], "log") == 0);

    if (wrong || keys.n == 0 || argc - optind != 2
        || (!is_log && (strcmp(argv[optind], "receipt") != 0
                        || remembered != NULL)))
    {
        fputs(AZORA_VERIFY_USAGE, stderr);
        return AZORA_VERIFY_UNKNOWN;
    }

    return is_log ? azora_verify_log(&keys, argv[optind + 1], remembered)
                  : azora_verify_receipt(&keys, argv[optind + 1]);
}


int
azora_verify_say(int status, const char *fmt, ...)
{
    FILE     *out;
    va_list   args;

    static const char *const  verdicts[] = {
        "valid", "NOT VALID", "cannot be checked"
    };

    out = (status == AZORA_VERIFY_HOLDS) ? stdout : stderr;

    fprintf(out, "%s: ", verdicts[status]);
    va_start(args, fmt);
    vfprintf(out, fmt, args);
    va_end(args);
    fputs(".\n", out);

    if (fflush(out) != 0 && status == AZORA_VERIFY_HOLDS) {
        return AZORA_VERIFY_UNKNOWN;
    }

    return status;
}


char *
azora_verify_read(const char *path, size_t *len)
{
    int    failed;
    FILE  *file;
    char  *text;

    file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL) {
        return NULL;
    }

    text = malloc(AZORA_VERIFY_FILE_MAX + 1);
    failed = (text == NULL);

    if (text != NULL) {
        *len = fread(text, 1, AZORA_VERIFY_FILE_MAX + 1, file);
        failed = ferror(file);

        if (!failed && *len > AZORA_VERIFY_FILE_MAX) {
            errno = EFBIG;
            failed = 1;
        }
    }

    if (file != stdin) {
        fclose(file);
    }

    if (failed) {
        free(text);
        return NULL;
    }

    text[*len] = '\0';

    return text;
}


static int
azora_verify_key(azora_tlog_key_t *key, const char *text)
{
    int     rc;
    char   *file;
    size_t  len;

    if (azora_tlog_vkey_parse(key, text, strlen(text)) == 0) {
        return 0;
    }

    file = azora_verify_read(text, &len);
    if (file == NULL) {
        return -1;
    }

    rc = azora_tlog_vkey_parse(key, file, len);
    free(file);

    return rc;
}


int
azora_verify_open(const azora_verify_keys_t *keys, const char *note,
    size_t len, azora_tlog_checkpoint_t *checkpoint, const char **reason)
{
    size_t  i;

    for (i = 0; i < keys->n; i++) {
        if (azora_tlog_note_open(&keys->key[i], note, len, checkpoint, reason)
            == 0)
        {
            return 0;
        }
    }

    return -1;
}
