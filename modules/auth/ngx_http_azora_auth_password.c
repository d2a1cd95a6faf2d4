
/*
 * Passwords: argon2id (RFC 9106) over HMAC-SHA-256 with a pepper.
 *
 * Stored form: "$azp$<pepper id>$argon2id$v=19$m=...$salt$hash", or plain
 * "$argon2id$..." where no pepper is configured.  A stolen table alone is of
 * no use to a guesser: the pepper never enters the database.
 *
 * These functions run in threads: no NGINX memory, no log.
 */


#include "ngx_http_azora_auth.h"
#include <sodium.h>


/* 19 MiB, two passes, one lane: the second choice of OWASP's table */
#define NGX_HTTP_AZORA_AUTH_MEMORY      (19456UL * 1024)
#define NGX_HTTP_AZORA_AUTH_PASSES      2

/* what a stored hash may ask for at most, in KiB and passes */
#define NGX_HTTP_AZORA_AUTH_MEMORY_MAX  (256 * 1024)
#define NGX_HTTP_AZORA_AUTH_PASSES_MAX  16

#define NGX_HTTP_AZORA_AUTH_PREFIX      "$azp$"
#define NGX_HTTP_AZORA_AUTH_PREFIX_LEN  (sizeof(NGX_HTTP_AZORA_AUTH_PREFIX) - 1)


static ngx_uint_t ngx_http_azora_auth_cost_sane(const char *phc);
static ngx_int_t ngx_http_azora_auth_cost(const char **phc,
    const char *text);
static ngx_int_t ngx_http_azora_auth_dummy(
    ngx_http_azora_auth_peppers_t *peppers);


/* The secret that argon2id gets: the password, or its HMAC with the pepper. */

static void
ngx_http_azora_auth_season(const ngx_http_azora_auth_pepper_t *pepper,
    const u_char *password, size_t len, u_char *out)
{
    crypto_auth_hmacsha256_state  state;

    crypto_auth_hmacsha256_init(&state, pepper->key, sizeof(pepper->key));
    crypto_auth_hmacsha256_update(&state, password, len);
    crypto_auth_hmacsha256_final(&state, out);

    sodium_memzero(&state, sizeof(state));
}


static size_t
ngx_http_azora_auth_prefix(const ngx_http_azora_auth_pepper_t *pepper,
    char *out)
{
    ngx_memcpy(out, NGX_HTTP_AZORA_AUTH_PREFIX,
               NGX_HTTP_AZORA_AUTH_PREFIX_LEN);
    ngx_memcpy(out + NGX_HTTP_AZORA_AUTH_PREFIX_LEN, pepper->id,
               NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN);

    return NGX_HTTP_AZORA_AUTH_PREFIX_LEN + NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN;
}


ngx_http_azora_auth_password_e
ngx_http_azora_auth_password_hash(
    const ngx_http_azora_auth_peppers_t *peppers, const u_char *password,
    size_t len, char *out)
{
    int     rc;
    size_t  n;
    u_char  secret[crypto_auth_hmacsha256_BYTES];

    n = 0;

    if (peppers->npeppers > 0) {
        n = ngx_http_azora_auth_prefix(&peppers->peppers[0], out);
        ngx_http_azora_auth_season(&peppers->peppers[0], password, len,
                                   secret);
        password = secret;
        len = sizeof(secret);
    }

    rc = crypto_pwhash_str_alg(out + n, (const char *) password, len,
                               NGX_HTTP_AZORA_AUTH_PASSES,
                               NGX_HTTP_AZORA_AUTH_MEMORY,
                               crypto_pwhash_ALG_ARGON2ID13);

    sodium_memzero(secret, sizeof(secret));

    return rc == 0 ? NGX_HTTP_AZORA_AUTH_PASSWORD_OK
                   : NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED;
}


ngx_http_azora_auth_password_e
ngx_http_azora_auth_password_verify(
    const ngx_http_azora_auth_peppers_t *peppers, const char *stored,
    const u_char *password, size_t len)
{
    int                                  rc;
    u_char                               secret[crypto_auth_hmacsha256_BYTES];
    ngx_uint_t                           i, current;
    const ngx_http_azora_auth_pepper_t  *pepper;

    current = (peppers->npeppers == 0);

    if (ngx_strncmp(stored, NGX_HTTP_AZORA_AUTH_PREFIX,
                    NGX_HTTP_AZORA_AUTH_PREFIX_LEN)
        == 0)
    {
        stored += NGX_HTTP_AZORA_AUTH_PREFIX_LEN;
        pepper = NULL;

        for (i = 0; i < peppers->npeppers; i++) {
            if (ngx_strncmp(stored, peppers->peppers[i].id,
                            NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN)
                == 0)
            {
                pepper = &peppers->peppers[i];
                current = (i == 0);
                break;
            }
        }

        if (pepper == NULL) {
            return NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED;
        }

        stored += NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN;
        ngx_http_azora_auth_season(pepper, password, len, secret);
        password = secret;
        len = sizeof(secret);
    }

    if (!ngx_http_azora_auth_cost_sane(stored)) {
        sodium_memzero(secret, sizeof(secret));
        return NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED;
    }

    rc = crypto_pwhash_str_verify(stored, (const char *) password, len);

    sodium_memzero(secret, sizeof(secret));

    if (rc != 0) {
        return NGX_HTTP_AZORA_AUTH_PASSWORD_BAD;
    }

    if (!current
        || crypto_pwhash_str_needs_rehash(stored, NGX_HTTP_AZORA_AUTH_PASSES,
                                          NGX_HTTP_AZORA_AUTH_MEMORY)
           != 0)
    {
        return NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH;
    }

    return NGX_HTTP_AZORA_AUTH_PASSWORD_OK;
}


/* A row of the database must not be able to eat the machine's memory. */

static ngx_uint_t
ngx_http_azora_auth_cost_sane(const char *phc)
{
    ngx_int_t  memory, passes, lanes;

    if (ngx_strlen(phc) >= crypto_pwhash_STRBYTES) {
        return 0;
    }

    memory = ngx_http_azora_auth_cost(&phc, "$argon2id$v=19$m=");
    passes = ngx_http_azora_auth_cost(&phc, ",t=");
    lanes = ngx_http_azora_auth_cost(&phc, ",p=");

    return *phc == '$'
           && memory > 0 && memory <= NGX_HTTP_AZORA_AUTH_MEMORY_MAX
           && passes > 0 && passes <= NGX_HTTP_AZORA_AUTH_PASSES_MAX
           && lanes == 1;
}


/* The number behind a piece of text, both of which are passed over. */

static ngx_int_t
ngx_http_azora_auth_cost(const char **phc, const char *text)
{
    size_t      len, digits;
    ngx_int_t   n;

    len = ngx_strlen(text);

    if (ngx_strncmp(*phc, text, len) != 0) {
        return NGX_ERROR;
    }

    digits = strspn(*phc + len, "0123456789");
    n = ngx_atoi((u_char *) *phc + len, digits);
    *phc += len + digits;

    return n;
}


ngx_int_t
ngx_http_azora_auth_peppers_parse(ngx_http_azora_auth_peppers_t *peppers,
    const ngx_str_t *text, const char **reason)
{
    size_t                         bin;
    u_char                         hash[crypto_hash_sha256_BYTES];
    char                           hex[2 * sizeof(hash) + 1];
    const char                    *p, *end, *line;
    ngx_http_azora_auth_pepper_t  *pepper;

    peppers->npeppers = 0;

    p = (const char *) text->data;
    end = p + text->len;

    while (p < end) {
        line = p;

        while (p < end && *p != '\n') {
            p++;
        }

        if (p > line) {

            if (peppers->npeppers == NGX_HTTP_AZORA_AUTH_PEPPERS_MAX) {
                *reason = "there are more than 8 lines";
                return NGX_ERROR;
            }

            pepper = &peppers->peppers[peppers->npeppers];

            if (p - line != 2 * sizeof(pepper->key)
                || sodium_hex2bin(pepper->key, sizeof(pepper->key), line,
                                  p - line, NULL, &bin, NULL)
                   != 0
                || bin != sizeof(pepper->key))
            {
                *reason = "a line is not 64 hexadecimal digits";
                return NGX_ERROR;
            }

            /* the id may become public, so it must not lead to the key */

            crypto_hash_sha256(hash, pepper->key, sizeof(pepper->key));
            sodium_bin2hex(hex, sizeof(hex), hash, sizeof(hash));
            ngx_memcpy(pepper->id, hex, NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN);

            peppers->npeppers++;
        }

        p++;
    }

    if (text->len > 0 && peppers->npeppers == 0) {
        *reason = "it is empty";
        return NGX_ERROR;
    }

    if (ngx_http_azora_auth_dummy(peppers) != NGX_OK) {
        *reason = "libsodium cannot be initialized";
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * A stored form that nobody's password fits, with today's cost: verified for
 * unknown accounts, so that they take as long as known ones.
 */

static ngx_int_t
ngx_http_azora_auth_dummy(ngx_http_azora_auth_peppers_t *peppers)
{
    char    salt[32], hash[64];
    u_char  random[48], *p;
    size_t  n;

    if (sodium_init() < 0) {
        return NGX_ERROR;
    }

    randombytes_buf(random, sizeof(random));

    sodium_bin2base64(salt, sizeof(salt), random, 16,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    sodium_bin2base64(hash, sizeof(hash), random + 16, 32,
                      sodium_base64_VARIANT_ORIGINAL_NO_PADDING);

    n = 0;

    if (peppers->npeppers > 0) {
        n = ngx_http_azora_auth_prefix(&peppers->peppers[0], peppers->dummy);
    }

    p = ngx_snprintf((u_char *) peppers->dummy + n,
                     sizeof(peppers->dummy) - n - 1,
                     "$argon2id$v=19$m=%ul,t=%d,p=1$%s$%s",
                     NGX_HTTP_AZORA_AUTH_MEMORY / 1024,
                     NGX_HTTP_AZORA_AUTH_PASSES, salt, hash);
    *p = '\0';

    return NGX_OK;
}
