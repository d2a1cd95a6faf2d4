
/*
 * Passwords: what is stored, what verifies, what is replaced, and which are
 * refused.  The constants were made with the reference implementation's own
 * program, argon2.
 */


#include "ngx_azora_test.h"
#include "ngx_http_azora_auth.h"


#define PASSWORD  "a long pass phrase"

#define OK       NGX_HTTP_AZORA_AUTH_PASSWORD_OK
#define REHASH   NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH
#define BAD      NGX_HTTP_AZORA_AUTH_PASSWORD_BAD
#define FAILED   NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED

/* 32 bytes 0x00..0x1f, whose id is the start of their SHA-256 */
#define PEPPER_ONE                                                            \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define PEPPER_TWO                                                            \
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"

#define PHC                                                                   \
    "$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyEhIQ$"                  \
    "iuAbucO6gv2GXoPan2CqygumozG3fL5hAkR6qwxuqig"

#define PHC_CHEAP                                                             \
    "$argon2id$v=19$m=8192,t=1,p=1$c2l4dGVlbiBieXRlcyEhIQ$"                   \
    "cqQTlb5hjhpjdndoeL8YoGRwTncM7jDsP8Uwv/bfTtQ"

#define PHC_PEPPERED                                                          \
    "$azp$630dcd29$argon2id$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyEhIQ$"     \
    "nIr80I8q+1EqU1DlIHJU/WMsEv2WP3o1x+A5fcyDi54"


static ngx_int_t
test_peppers(ngx_http_azora_auth_peppers_t *peppers, const char *text)
{
    ngx_str_t    s;
    const char  *reason;

    ngx_memzero(peppers, sizeof(ngx_http_azora_auth_peppers_t));

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_http_azora_auth_peppers_parse(peppers, &s, &reason);
}


static ngx_uint_t
test_verify(const ngx_http_azora_auth_peppers_t *peppers, const char *stored,
    const char *password)
{
    return ngx_http_azora_auth_password_verify(peppers, stored,
                                               (const u_char *) password,
                                               ngx_strlen(password));
}


static void
test_pepper_files(void)
{
    ngx_http_azora_auth_peppers_t  p;

    is_int(test_peppers(&p, ""), NGX_OK, "no pepper at all");
    is_int(p.npeppers, 0, "is none");
    is_int(test_peppers(&p, PEPPER_ONE), NGX_OK, "one line without its end");
    is_int(p.npeppers, 1, "is one");
    ok(ngx_memcmp(p.peppers[0].id, "630dcd29", 8) == 0, "its id");
    is_int(test_peppers(&p, PEPPER_TWO "\n\n" PEPPER_ONE "\n"), NGX_OK,
           "two lines");
    is_int(p.npeppers, 2, "are two");
    is_int(test_peppers(&p, "\n"), NGX_ERROR, "an empty line only");
    is_int(test_peppers(&p, "0011"), NGX_ERROR, "too short");
    is_int(test_peppers(&p, PEPPER_ONE "00"), NGX_ERROR, "too long");
    is_int(test_peppers(&p, PEPPER_ONE " "), NGX_ERROR, "a blank behind");
    is_int(test_peppers(&p, "x00102030405060708090a0b0c0d0e0f1011121314151617"
                            "18191a1b1c1d1e1f"), NGX_ERROR, "not hex");
    is_int(test_peppers(&p, PEPPER_ONE "\n" PEPPER_ONE "\n" PEPPER_ONE "\n"
                            PEPPER_ONE "\n" PEPPER_ONE "\n" PEPPER_ONE "\n"
                            PEPPER_ONE "\n" PEPPER_ONE "\n" PEPPER_ONE "\n"),
           NGX_ERROR, "nine lines");
}


static void
test_vectors(void)
{
    ngx_http_azora_auth_peppers_t  none, one, two, both;

    test_peppers(&none, "");
    test_peppers(&one, PEPPER_ONE);
    test_peppers(&two, PEPPER_TWO);
    test_peppers(&both, PEPPER_TWO "\n" PEPPER_ONE);

    is_int(test_verify(&none, PHC, PASSWORD), OK, "argon2's own hash");
    is_int(test_verify(&none, PHC, PASSWORD " "), BAD, "another password");
    is_int(test_verify(&none, PHC, ""), BAD, "no password");

    is_int(test_verify(&none, PHC_CHEAP, PASSWORD), REHASH,
           "a cheaper hash is replaced");
    is_int(test_verify(&none, PHC_CHEAP, "wrong"), BAD,
           "for the right password");

    is_int(test_verify(&one, PHC_PEPPERED, PASSWORD), OK,
           "argon2's hash of the HMAC");
    is_int(test_verify(&one, PHC_PEPPERED, "A long pass phrase"), BAD,
           "another password with the pepper");

    is_int(test_verify(&one, PHC, PASSWORD), REHASH,
           "a hash without pepper is replaced");
    is_int(test_verify(&both, PHC_PEPPERED, PASSWORD), REHASH,
           "a hash with an older pepper is replaced");
    is_int(test_verify(&both, PHC_PEPPERED, "wrong"), BAD,
           "but not for a wrong password");
    is_int(test_verify(&two, PHC_PEPPERED, PASSWORD), FAILED,
           "a pepper that is gone is a failure, not a wrong password");
    is_int(test_verify(&none, PHC_PEPPERED, PASSWORD), FAILED,
           "also when there is none at all");
}


static void
test_round_trip(void)
{
    char                           first[NGX_HTTP_AZORA_AUTH_PHC_MAX];
    char                           second[NGX_HTTP_AZORA_AUTH_PHC_MAX];
    u_char                         longest[NGX_HTTP_AZORA_AUTH_PASSWORD_MAX];
    ngx_http_azora_auth_peppers_t  p;

    test_peppers(&p, PEPPER_ONE);

    ngx_memset(longest, 0xfe, sizeof(longest));

    is_int(ngx_http_azora_auth_password_hash(&p, longest, sizeof(longest),
                                             first), OK, "1,024 bytes");
    ok(ngx_strncmp(first, "$azp$630dcd29$argon2id$v=19$m=19456,t=2,p=1$",
                   sizeof("$azp$630dcd29$argon2id$v=19$m=19456,t=2,p=1$") - 1)
       == 0, "form and parameters");
    is_int(ngx_http_azora_auth_password_verify(&p, first, longest,
                                               sizeof(longest)), OK,
           "verify");
    is_int(ngx_http_azora_auth_password_verify(&p, first, longest,
                                               sizeof(longest) - 1), BAD,
           "the last byte counts");

    longest[1023] = 0xff;
    is_int(ngx_http_azora_auth_password_verify(&p, first, longest,
                                               sizeof(longest)), BAD,
           "and what it is");

    longest[1023] = 0xfe;
    (void) ngx_http_azora_auth_password_hash(&p, longest, sizeof(longest),
                                             second);
    ok(ngx_strcmp(first, second) != 0, "each hash has its own salt");
}


/* What a damaged or hostile row of the database may hold. */

static void
test_rows(void)
{
    size_t                         i;
    ngx_http_azora_auth_peppers_t  p;

    static const char  *rows[] = {
        "", "$", "$azp$", "$azp$630dcd29", "$azp$630dcd29$", "plain",
        "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
        "$argon2i$v=19$m=19456,t=2,p=1$c2l4dGVlbiBieXRlcyEhIQ$iuAbucO6gv0",
        "$argon2id$v=19$m=4194304,t=2,p=1$c2l4dGVlbiBieXRlcyEhIQ$iuAbucO6gv0",
        "$argon2id$v=19$m=19456,t=99999,p=1$c2l4dGVlbiBieXRlcyEhIQ$iuAbucO6",
        "$argon2id$v=19$m=19456,t=2,p=64$c2l4dGVlbiBieXRlcyEhIQ$iuAbucO6gv0",
        "$argon2id$v=19$m=19456,t=2,p=1",
        "$argon2id$v=19$m=99999999999999999999,t=2,p=1$c2l4$iuAb"
    };

    test_peppers(&p, PEPPER_ONE);

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ok(test_verify(&p, rows[i], PASSWORD) == FAILED,
           "cannot be verified: '%s'", rows[i]);
    }
}


static void
test_dummy(void)
{
    uint64_t                       from, known, unknown;
    ngx_uint_t                     i;
    ngx_http_azora_auth_peppers_t  p;

    test_peppers(&p, PEPPER_ONE);
    is_int(test_verify(&p, p.dummy, PASSWORD), BAD, "nobody fits the dummy");

    known = unknown = UINT64_MAX;

    for (i = 0; i < 7; i++) {
        from = ngx_azora_now_ns();
        (void) test_verify(&p, PHC_PEPPERED, "wrong pass phrase");
        known = ngx_min(known, ngx_azora_now_ns() - from);

        from = ngx_azora_now_ns();
        (void) test_verify(&p, p.dummy, "wrong pass phrase");
        unknown = ngx_min(unknown, ngx_azora_now_ns() - from);
    }

    diag("known %llu us, unknown %llu us", (unsigned long long) known / 1000,
         (unsigned long long) unknown / 1000);
    ok(unknown * 2 > known && known * 2 > unknown,
       "and it takes as long as a real one");
}


static ngx_uint_t
test_common(const ngx_http_azora_auth_common_t *common, const char *password)
{
    ngx_str_t  s, words[2];

    s.data = (u_char *) password;
    s.len = ngx_strlen(password);
    ngx_str_set(&words[0], "amina.diallo@example.org");
    ngx_str_set(&words[1], "Amina Diallo");

    return ngx_http_azora_auth_common_check(common, &s, words, 2) != NULL;
}


static void
test_common_passwords(ngx_conf_t *cf)
{
    int                            fd;
    char                           name[] = "/tmp/azora-unit-XXXXXX";
    size_t                         i;
    ngx_str_t                      file;
    ngx_http_azora_auth_common_t   common, empty;

    static const char  list[] = "#!comment: a list\nDragon\r\npassword\n"
                                "trustno1\n\nabc\nletmein";

    static const char  *refused[] = {
        "password", "PASSWORD", "Password1", "password2024", "password!!",
        "dragon99", "trustno1", "letmein1",
        "1q2w3e4r", "a1b2c3d4", "147258369", "qaz123456", "zzzyyyxxwv",
        "p@ssw0rd", "P455W0RD!", "1dragon1", "!!letme1n", "passwordpassword",
        "dragon839201",
        "aaaaaaaa", "abababab", "12341234", "12345678", "87654321",
        "abcdefgh", "hgfedcba", "qwertyuiop", "ASDFGHJKL",
        "amina.diallo@example.org", "aminadiallo", "DIALLO-AMINA", "amina123",
        "amina2024",        "azora123", "azoraamina"
    };

    static const char  *taken[] = {
        "a long pass phrase", "correct horse battery staple", "dragonfly wings",
        "password is a poor word", "Tr0ub4dor&3", "amina likes green mangoes",
        "\xc3\xa9l\xc3\xa9phant bleu", "13579 24680 lines", "a cat on a mat",
        "dragon8392017", "passport office", "8201734615"
    };

    fd = mkstemp(name);
    is_int(write(fd, list, sizeof(list) - 1), sizeof(list) - 1, "a list");
    close(fd);

    file.data = (u_char *) name;
    file.len = ngx_strlen(name);

    ngx_memzero(&common, sizeof(common));
    ngx_memzero(&empty, sizeof(empty));
    is_int(ngx_http_azora_auth_common_load(cf, &common, &file), NGX_OK,
           "is read");
    is_int(common.count, 4, "without comments and short lines");
    unlink(name);

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ok(test_common(&common, refused[i]), "refused: '%s'", refused[i]);
    }

    for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        ok(!test_common(&common, taken[i]), "taken: '%s'", taken[i]);
    }

    ok(!test_common(&empty, "password"), "without a list only patterns count");
    ok(test_common(&empty, "11111111"), "and they do");

    is_int(ngx_http_azora_auth_common_load(cf, &common, &file), NGX_ERROR,
           "a list that is not there is an error");
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_pepper_files();
    test_vectors();
    test_round_trip();
    test_rows();
    test_dummy();
    test_common_passwords(cf);
}
