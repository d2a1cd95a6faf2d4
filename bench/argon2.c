
/*
 * argon2: how many passwords a second one thread after another verifies with
 * nothing around it: the limit of logins.
 *
 *     argon2 [-t THREADS] [-d SECONDS]
 *
 * Parameters are those of modules/auth.  One line of name=value.
 */


#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>


#define ARGON2_PASSES   2
#define ARGON2_MEMORY   (19456 * 1024)
#define ARGON2_THREADS  64


static const char  password[] = "a long pass phrase";

static char             stored[crypto_pwhash_STRBYTES];
static double           until;
static unsigned long    counts[ARGON2_THREADS];


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}


static void *
run(void *data)
{
    unsigned long  *count = data;

    while (now() < until) {

        if (crypto_pwhash_str_verify(stored, password, sizeof(password) - 1)
            != 0)
        {
            fprintf(stderr, "argon2: it does not verify\n");
            exit(1);
        }

        (*count)++;
    }

    return NULL;
}


int
main(int argc, char **argv)
{
    int            c, i, threads;
    double         seconds, started;
    pthread_t      ids[ARGON2_THREADS];
    unsigned long  sum;

    threads = 1;
    seconds = 3;

    while ((c = getopt(argc, argv, "t:d:")) != -1) {
        switch (c) {
        case 't':
            threads = atoi(optarg);
            break;

        case 'd':
            seconds = atof(optarg);
            break;

        default:
            return 2;
        }
    }

    if (threads < 1 || threads > ARGON2_THREADS || seconds <= 0
        || sodium_init() < 0
        || crypto_pwhash_str_alg(stored, password, sizeof(password) - 1,
                                 ARGON2_PASSES, ARGON2_MEMORY,
                                 crypto_pwhash_ALG_ARGON2ID13)
           != 0)
    {
        return 2;
    }

    started = now();
    until = started + seconds;

    for (i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, run, &counts[i]) != 0) {
            return 1;
        }
    }

    for (sum = 0, i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
        sum += counts[i];
    }

    printf("rate=%.2f\n", (double) sum / (now() - started));

    return 0;
}
