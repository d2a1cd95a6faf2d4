
/*
 * What the files of the auth module share among themselves.
 */


#ifndef _NGX_HTTP_AZORA_AUTH_H_INCLUDED_
#define _NGX_HTTP_AZORA_AUTH_H_INCLUDED_


#include "ngx_azora.h"
#include <ngx_thread_pool.h>
#include <openssl/evp.h>


#define NGX_HTTP_AZORA_AUTH_TOKEN_MAX     4096  /* bytes of a compact JWS */
#define NGX_HTTP_AZORA_AUTH_KEYS_MAX      16    /* in the key ring */
#define NGX_HTTP_AZORA_AUTH_KID_LEN       43    /* base64url of a SHA-256 */
#define NGX_HTTP_AZORA_AUTH_JWK_KID_MAX   128
#define NGX_HTTP_AZORA_AUTH_HASH_LEN      32
#define NGX_HTTP_AZORA_AUTH_SIGNATURE_MAX 512   /* RSA of 4,096 bits */

#define NGX_HTTP_AZORA_AUTH_TIERS         "free|student|professional|enterprise"

#define NGX_HTTP_AZORA_AUTH_PASSWORD_MAX  1024  /* bytes, never truncated */
#define NGX_HTTP_AZORA_AUTH_PHC_MAX       160   /* "$azp$<id>$argon2id$..." */
#define NGX_HTTP_AZORA_AUTH_PEPPERS_MAX   8
#define NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN 8     /* hex digits */


/*
 * The life of a signing key: published before it signs (next), signing
 * (active), still trusted until its last token has expired (retired).
 */
typedef enum {
    NGX_HTTP_AZORA_AUTH_KEY_NEXT = 0,
    NGX_HTTP_AZORA_AUTH_KEY_ACTIVE,
    NGX_HTTP_AZORA_AUTH_KEY_RETIRED
} ngx_http_azora_auth_key_state_e;


/* What it takes to verify with a P-256 key: ngx_http_azora_auth_p256.c */

typedef struct ngx_http_azora_auth_p256_s  ngx_http_azora_auth_p256_t;


/*
 * One P-256 key, or an RSA key in a ring that takes such; whoever names its kid
 * gets ES256, or RS256, and nothing else.
 */

typedef struct {
    ngx_str_t                  kid;
    ngx_str_t                  x;         /* base64url of the point */
    ngx_str_t                  y;
    ngx_uint_t                 private;   /* ours: signs, is published */
    ngx_uint_t                 rsa;
    size_t                     size;      /* of a signature */
    EVP_PKEY                  *pkey;
    EVP_PKEY_CTX              *verify;    /* RSA: initialized for it */
    ngx_http_azora_auth_p256_t *p256;     /* otherwise */
    ngx_http_azora_auth_key_state_e  state;
} ngx_http_azora_auth_key_t;


typedef struct {
    ngx_http_azora_auth_key_t  keys[NGX_HTTP_AZORA_AUTH_KEYS_MAX];
    ngx_uint_t                 nkeys;
    ngx_uint_t                 rsa;       /* takes RSA keys, for RS256 */
    ngx_http_azora_auth_key_t *active;    /* signs; NULL: nobody logs in */
    EVP_MD                    *sha256;    /* fetched once */
    EVP_MD_CTX                *digest;    /* of this process */
    uint64_t                   id;        /* fingerprint of keys, issuer and
                                             audience */
    ngx_str_t                  jwks;      /* RFC 7517 document */
    ngx_str_t                  etag;
} ngx_http_azora_auth_ring_t;


/* What a token must say beside a good signature. */

typedef struct {
    ngx_str_t                  issuer;
    ngx_str_t                  audience;
    time_t                     leeway;    /* seconds */
} ngx_http_azora_auth_expect_t;


/*
 * What a token proves.  Whether it still counts is asked of the revocations:
 * the session may have ended and the account's epoch may have been raised.
 */

typedef struct {
    ngx_azora_principal_t      principal;
    uint64_t                   epoch;     /* of the account, when issued */
    time_t                     issued;    /* Unix seconds */
} ngx_http_azora_auth_proof_t;


/* Scratch memory of one verification; the strings point into it. */

typedef struct {
    ngx_http_azora_auth_proof_t  identity;
    ngx_str_t                  typ;
    ngx_str_t                  payload;
    const char                *reason;    /* of a refusal, static */
    ngx_uint_t                 unknown;   /* refused for its key's name */
    u_char                     decoded[NGX_HTTP_AZORA_AUTH_TOKEN_MAX];
    u_char                     text[NGX_HTTP_AZORA_AUTH_TOKEN_MAX];
} ngx_http_azora_auth_jwt_t;


/* Peppers: HMAC keys kept outside the database, the first one is used. */

typedef struct {
    u_char                     id[NGX_HTTP_AZORA_AUTH_PEPPER_ID_LEN];
    u_char                     key[32];
} ngx_http_azora_auth_pepper_t;

typedef struct {
    ngx_http_azora_auth_pepper_t  peppers[NGX_HTTP_AZORA_AUTH_PEPPERS_MAX];
    ngx_uint_t                    npeppers;
    char                          dummy[NGX_HTTP_AZORA_AUTH_PHC_MAX];
} ngx_http_azora_auth_peppers_t;


/* Passwords that everybody tries first, as keyed 64-bit hashes. */

typedef struct {
    uint64_t                  *slots;     /* 0 is an empty slot */
    ngx_uint_t                 mask;
    ngx_uint_t                 count;
    u_char                     key[16];
} ngx_http_azora_auth_common_t;


/* Verified tokens in shared memory */

typedef struct ngx_http_azora_auth_cache_s  ngx_http_azora_auth_cache_t;


#define NGX_HTTP_AZORA_AUTH_OFF       0
#define NGX_HTTP_AZORA_AUTH_OPTIONAL  1
#define NGX_HTTP_AZORA_AUTH_REQUIRED  2

typedef struct {
    ngx_uint_t                 mode;
    ngx_str_t                  scope;     /* blank-separated, all needed */
} ngx_http_azora_auth_loc_conf_t;


/* Where mail goes: to a server or into a folder; neither: nowhere. */

typedef struct {
    ngx_str_t                  dir;
    ngx_str_t                  smtp;      /* URL */
    ngx_str_t                  user;
    ngx_str_t                  password;
    ngx_uint_t                 plain;     /* TLS only where the server has it */
    ngx_str_t                  from;      /* an address */
    ngx_str_t                  link;      /* of the pages that links lead to */
    ngx_str_t                  sms;       /* "{number}@sms.example" */
    const ngx_azora_statement_t *compose;
} ngx_http_azora_auth_mail_conf_t;


typedef struct {
    ngx_str_t                      key_dir;
    ngx_str_t                      pepper_file;
    ngx_str_t                      vault_file;
    ngx_str_t                      name;         /* of the service */
    ngx_http_azora_auth_mail_conf_t mail;
    ngx_array_t                   *providers;    /* of logins elsewhere */
    ngx_str_t                      oauth_base;   /* of redirect URIs */
    ngx_str_t                      oauth_return; /* of browsers, or empty */
    ngx_str_t                      common_file;
    ngx_flag_t                     verify_email; /* before an account is */
    ngx_str_t                      pool_name;
    ngx_int_t                      pool_threads;
    ngx_int_t                      pool_queue;
    time_t                         lifetime;     /* of a token, seconds */
    time_t                         stale;        /* of revocations, seconds;
                                                    0: nobody asks for them */
    ngx_array_t                   *origins;      /* of ngx_str_t, or NULL */
    size_t                         cache_size;   /* bytes, 0: no cache */
    ngx_http_azora_auth_expect_t   expect;

    ngx_http_azora_auth_ring_t     ring;
    ngx_http_azora_auth_peppers_t *peppers;
    ngx_http_azora_auth_peppers_t *vault;        /* keys of sealed secrets */
    ngx_http_azora_auth_common_t   common;
    ngx_http_azora_auth_cache_t   *cache;
    ngx_thread_pool_t             *pool;
    ngx_uint_t                     pool_own;     /* nobody else's work there */
    const ngx_azora_statement_t   *credential;
    const ngx_azora_statement_t   *own_credential;
    const ngx_azora_statement_t   *challenge;    /* and the secret it needs */
    const ngx_azora_statement_t   *totp;
    const ngx_azora_statement_t   *key_holder;
    const ngx_azora_statement_t   *reset_subject;
    ngx_uint_t                     sessions;     /* generation */
    ngx_uint_t                     metric_cached;
    ngx_uint_t                     metric_verified;
    ngx_uint_t                     metric_refused;
    ngx_uint_t                     metric_revoked;
    ngx_uint_t                     metric_hashed;
    ngx_uint_t                     metric_busy;
    ngx_uint_t                     metric_waiting;
} ngx_http_azora_auth_main_conf_t;


/* ngx_http_azora_auth_routes.c */
extern const ngx_azora_row_t  ngx_http_azora_auth_rows[];
extern const ngx_azora_field_t  ngx_http_azora_auth_token_returns[];
extern const ngx_azora_field_t  ngx_http_azora_auth_account_returns[];

/* ngx_http_azora_auth_admin.c: a capability of its own in this module */
extern const ngx_azora_capability_t  ngx_http_azora_auth_admin;
extern const ngx_azora_field_t  ngx_http_azora_auth_session_list[];

/* ngx_http_azora_auth_module.c */
extern ngx_module_t  ngx_http_azora_auth_module;

/*
 * ngx_http_azora_auth_key.c: as judge(), but never NGX_OK: the request finds
 * its actx proved when it is resumed.  hash: of the key, for the cache.
 */
ngx_uint_t ngx_http_azora_auth_is_api_key(const ngx_str_t *token);
ngx_int_t ngx_http_azora_auth_key(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    const u_char *hash, const char **reason);

/* ngx_http_azora_auth_introspect.c */
ngx_int_t ngx_http_azora_auth_introspect_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_auth_introspect_handler(ngx_http_request_t *r);
/* ngx_http_azora_auth_discovery.c */
ngx_int_t ngx_http_azora_auth_discovery_handler(ngx_http_request_t *r);

/* ngx_http_azora_auth_conf.c */
char *ngx_http_azora_auth_set_file(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_azora_auth_set_stale(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_azora_auth_set_origin(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_azora_auth_set_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_azora_auth_set_pool(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* Sets conf->pool and pool_own. */
ngx_int_t ngx_http_azora_auth_pool_find(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);

/* ngx_http_azora_auth_stage.c */
ngx_int_t ngx_http_azora_auth_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/*
 * What a token or an API key proves.  NGX_OK; NGX_DECLINED: nothing, and
 * *reason is a static sentence; NGX_AGAIN: the request waits for PostgreSQL and
 * is resumed; otherwise a status.
 */
ngx_int_t ngx_http_azora_auth_judge(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, const ngx_str_t *token,
    ngx_http_azora_auth_proof_t *proof, const char **reason);
/* The strings of a principal become memory of pool. */
ngx_int_t ngx_http_azora_auth_principal(ngx_pool_t *pool,
    ngx_azora_principal_t *dst, const ngx_azora_principal_t *src);
/* The 401 for a bad token; reason is a static sentence without quotes. */
ngx_int_t ngx_http_azora_auth_invalid(ngx_http_request_t *r,
    const char *reason);


/*
 * ngx_http_azora_auth_keys.c: reads every *.pem of conf->key_dir; when there
 * is none and create is set, makes the first one.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_azora_auth_keys_load(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf, ngx_uint_t create);

/*
 * ngx_http_azora_auth_ring.c.  ring_add() takes pkey over (freed on failure);
 * kid may be empty: the key gets its thumbprint.  NGX_DECLINED: not a P-256
 * key, there already, a second active one, or one too many.
 */
ngx_int_t ngx_http_azora_auth_ring_add(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, EVP_PKEY *pkey, const ngx_str_t *kid,
    ngx_uint_t private, ngx_http_azora_auth_key_state_e state);
/* ngx_http_azora_auth_jwk.c; NGX_DECLINED also: not a public ES256 key */
ngx_int_t ngx_http_azora_auth_ring_add_jwk(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, json_t *jwk, ngx_http_azora_auth_key_state_e state);
ngx_int_t ngx_http_azora_auth_ring_init(ngx_http_azora_auth_ring_t *ring);
void ngx_http_azora_auth_ring_free(void *data);
/* For keys that stay: ES256 is verified in half the time from then on. */
void ngx_http_azora_auth_ring_precompute(ngx_http_azora_auth_ring_t *ring);
ngx_uint_t ngx_http_azora_auth_ring_private(ngx_http_azora_auth_ring_t *ring);
ngx_int_t ngx_http_azora_auth_ring_publish(ngx_http_azora_auth_ring_t *ring,
    ngx_pool_t *pool, const ngx_http_azora_auth_expect_t *expect);
ngx_int_t ngx_http_azora_auth_jwks_handler(ngx_http_request_t *r);

/*
 * ngx_http_azora_auth_p256.c.  new() copies the public key; NULL: no memory, or
 * not a point of the curve.  precompute() takes 15 ms and 150 kB and makes
 * verify() fast.  verify() takes r || s of 32 bytes each (RFC 7518 3.4) and a
 * SHA-256; NGX_DECLINED: that is not the key's signature.
 */
ngx_http_azora_auth_p256_t *ngx_http_azora_auth_p256_new(EVP_PKEY *pkey);
void ngx_http_azora_auth_p256_free(ngx_http_azora_auth_p256_t *p256);
void ngx_http_azora_auth_p256_precompute(ngx_http_azora_auth_p256_t *p256);
ngx_int_t ngx_http_azora_auth_p256_verify(ngx_http_azora_auth_p256_t *p256,
    const u_char *signature, const u_char *hash);

/*
 * ngx_http_azora_auth_files.c: a small file into memory of pool, NUL-terminated
 * and wiped with it; a secret one must be readable by its owner only.
 * NGX_DECLINED: there is no such file; NGX_ERROR is logged.
 */
ngx_int_t ngx_http_azora_auth_read_file(ngx_pool_t *pool, ngx_log_t *log,
    u_char *path, size_t max, ngx_uint_t secret, ngx_str_t *out);
/* Writes data to path at once or not at all, mode 0600. */
ngx_int_t ngx_http_azora_auth_write_secret(ngx_pool_t *pool, ngx_log_t *log,
    ngx_str_t *dir, ngx_str_t *name, ngx_str_t *data);


/*
 * ngx_http_azora_auth_jwt.c, RFC 7515, 7519, 9068.  jws_open checks form and
 * signature, jwt_verify also type and claims against now (Unix seconds).
 * NGX_OK, or NGX_DECLINED with jwt->reason, or NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_azora_auth_jws_open(ngx_http_azora_auth_ring_t *ring,
    const ngx_str_t *token, ngx_http_azora_auth_jwt_t *jwt);
ngx_int_t ngx_http_azora_auth_jwt_verify(ngx_http_azora_auth_ring_t *ring,
    const ngx_http_azora_auth_expect_t *expect, const ngx_str_t *token,
    time_t now, ngx_http_azora_auth_jwt_t *jwt);
/* ngx_http_azora_auth_claims.c; overwrites jwt->typ's memory */
ngx_int_t ngx_http_azora_auth_claims(json_t *root,
    const ngx_http_azora_auth_expect_t *expect, time_t now,
    ngx_http_azora_auth_jwt_t *jwt);
/* Whether a claim is this very string. */
ngx_uint_t ngx_http_azora_auth_claim_equals(json_t *value,
    const ngx_str_t *expected);
/* Gives the reason; returns NGX_DECLINED. */
ngx_int_t ngx_http_azora_auth_refuse(ngx_http_azora_auth_jwt_t *jwt,
    const char *reason);
/*
 * Strict base64url without padding; *out is the length, at most max.
 * NGX_ERROR: anything else.
 */
ngx_int_t ngx_http_azora_auth_base64url(const u_char *src, size_t len,
    u_char *dst, size_t max, size_t *out);
/* SHA-256 of data into out; NGX_ERROR when the library fails */
ngx_int_t ngx_http_azora_auth_digest(ngx_http_azora_auth_ring_t *ring,
    const u_char *data, size_t len, u_char *out);

/* _memo.c: SHA-256 of a token, remembered for those that come again */
ngx_int_t ngx_http_azora_auth_token_hash(ngx_http_azora_auth_ring_t *ring,
    const ngx_str_t *token, u_char *hash);

/* SHA-256 as 64 hex digits, which is what PostgreSQL keeps of a secret */
void ngx_http_azora_auth_hash_hex(const u_char *data, size_t len, u_char *hex);
/* Puts that of a field's value in its place. */
ngx_int_t ngx_http_azora_auth_hash_field(ngx_azora_ctx_t *ctx,
    const char *field);

/*
 * ngx_http_azora_auth_sign.c: an access token in memory of r->pool for the
 * JSON object that identity.login answered.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_azora_auth_sign(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf, ngx_str_t *grant,
    ngx_str_t *token);


/*
 * The same for other claims (a JSON object) and another typ, in memory of
 * pool.  NGX_ERROR: out of memory or of luck.
 */
ngx_int_t ngx_http_azora_auth_sign_compact(ngx_pool_t *pool,
    ngx_http_azora_auth_ring_t *ring, const char *typ, const char *claims,
    ngx_str_t *token);
/* ngx_http_azora_auth_identity.c: the core's signer */
ngx_int_t ngx_http_azora_auth_sign_identity(ngx_http_request_t *r,
    const ngx_str_t *audience, ngx_str_t *token);


/* ngx_http_azora_auth_cache.c */
ngx_int_t ngx_http_azora_auth_cache_add(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);
/*
 * Looks for the token with this SHA-256.  NGX_OK: the principal's strings are
 * in pool, and *generation is that of sessions when it was last known not to
 * be revoked; NGX_DECLINED: not there, or expired.
 */
ngx_int_t ngx_http_azora_auth_cache_get(ngx_http_azora_auth_cache_t *cache,
    const u_char *hash, uint64_t ring, time_t now, ngx_pool_t *pool,
    ngx_http_azora_auth_proof_t *identity, uint64_t *generation);
void ngx_http_azora_auth_cache_put(ngx_http_azora_auth_cache_t *cache,
    const u_char *hash, uint64_t ring, uint64_t generation, time_t now,
    const ngx_http_azora_auth_proof_t *identity);


/*
 * ngx_http_azora_auth_password.c: argon2id (RFC 9106) over an HMAC-SHA-256
 * with the pepper.  Called from threads: nothing of NGINX in there.
 */
typedef enum {
    NGX_HTTP_AZORA_AUTH_PASSWORD_OK = 0,
    NGX_HTTP_AZORA_AUTH_PASSWORD_REHASH,   /* right, but stored by old rules */
    NGX_HTTP_AZORA_AUTH_PASSWORD_BAD,
    NGX_HTTP_AZORA_AUTH_PASSWORD_BUSY,     /* waited too long for a thread */
    NGX_HTTP_AZORA_AUTH_PASSWORD_FAILED    /* no memory, unknown pepper, ... */
} ngx_http_azora_auth_password_e;

/* out holds PHC_MAX bytes and gets a C string */
ngx_http_azora_auth_password_e ngx_http_azora_auth_password_hash(
    const ngx_http_azora_auth_peppers_t *peppers, const u_char *password,
    size_t len, char *out);
ngx_http_azora_auth_password_e ngx_http_azora_auth_password_verify(
    const ngx_http_azora_auth_peppers_t *peppers, const char *stored,
    const u_char *password, size_t len);
/*
 * text: one pepper a line, 64 hex digits.  NGX_ERROR and *reason when that
 * is not so.  Also makes the dummy for unknown accounts.
 */
ngx_int_t ngx_http_azora_auth_peppers_parse(
    ngx_http_azora_auth_peppers_t *peppers, const ngx_str_t *text,
    const char **reason);

/* ngx_http_azora_auth_common.c */
ngx_int_t ngx_http_azora_auth_common_load(ngx_conf_t *cf,
    ngx_http_azora_auth_common_t *common, ngx_str_t *file);
/*
 * Whether a password is among the first that a thief tries: in the list, a
 * simple pattern, or made of the words (e-mail, name).  NULL: fine, otherwise
 * a static sentence.
 */
const char *ngx_http_azora_auth_common_check(
    const ngx_http_azora_auth_common_t *common, const ngx_str_t *password,
    const ngx_str_t *words, ngx_uint_t nwords);


/* ngx_http_azora_auth_hash.c: jobs for the thread pool */

typedef struct ngx_http_azora_auth_ctx_s  ngx_http_azora_auth_ctx_t;
typedef struct ngx_http_azora_auth_job_s  ngx_http_azora_auth_job_t;

struct ngx_http_azora_auth_job_s {
    ngx_queue_t                      queue;
    ngx_thread_task_t                task;
    ngx_event_t                      deadline;
    ngx_http_azora_auth_ctx_t       *actx;      /* NULL: the client left */
    const ngx_http_azora_auth_peppers_t *peppers;
    ngx_http_azora_auth_main_conf_t *conf;
    ngx_http_azora_auth_password_e   result;
    unsigned                         verify:1;
    unsigned                         running:1;
    size_t                           len;
    char                             stored[NGX_HTTP_AZORA_AUTH_PHC_MAX];
    char                             made[NGX_HTTP_AZORA_AUTH_PHC_MAX];
    u_char                           password[NGX_HTTP_AZORA_AUTH_PASSWORD_MAX];
};

/*
 * The request's own state between two entries of the auth stage or of its
 * prepare step.
 */

struct ngx_http_azora_auth_ctx_s {
    ngx_http_request_t              *request;
    ngx_uint_t                       state;
    ngx_azora_op_t                  *op;
    ngx_http_azora_auth_job_t       *job;
    ngx_http_azora_auth_password_e   result;
    ngx_str_t                        made;      /* PHC string in r->pool */
    ngx_str_t                        tag;       /* of the stored hash */
    ngx_str_t                        email;     /* of the caller */
    ngx_str_t                        name;
    ngx_int_t                        status;    /* of the lookup */

    ngx_http_azora_auth_proof_t   identity;  /* proved, but not yet known
                                                   to live */
    ngx_queue_t                      queue;     /* of those who wait */
    uint64_t                         load;      /* of revocations */
    unsigned                         proved:1;
    unsigned                         queued:1;
    unsigned                         asked:1;   /* about an API key */
    unsigned                         introspecting:1;
    unsigned                         active:1;  /* what it found */
    unsigned                         own:1;     /* the caller's password */
    unsigned                         in_body:1; /* the refresh token */
    u_char                           hash[NGX_HTTP_AZORA_AUTH_HASH_LEN];

    ngx_str_t                        presented; /* refresh token */
    ngx_str_t                        fresh;     /* its successor */

    ngx_str_t                        account;   /* whose second factor */
    u_char                           secret[20];
};

/* ngx_http_azora_auth_ctx.c; NULL: out of memory */
ngx_http_azora_auth_ctx_t *ngx_http_azora_auth_get_ctx(ngx_http_request_t *r);

/*
 * Queues a job for the request; stored NULL hashes, otherwise verifies.
 * NGX_AGAIN: the request will be resumed with actx->result; NGX_BUSY: the
 * queue is full; NGX_ERROR: out of memory.
 */
ngx_int_t ngx_http_azora_auth_hash(ngx_http_request_t *r,
    ngx_http_azora_auth_ctx_t *actx, const ngx_str_t *password,
    const char *stored);
/* The queue of this worker; to be called once when it starts. */
void ngx_http_azora_auth_hash_init(void);
/* The client left. */
void ngx_http_azora_auth_hash_forget(ngx_http_azora_auth_ctx_t *actx);



/*
 * ngx_http_azora_auth_revoked.c: what this worker knows of tokens that ended
 * before they expire.  revoked() answers NGX_OK: lives; NGX_DECLINED: ended;
 * NGX_AGAIN: the request was queued until PostgreSQL was asked, and will be
 * resumed; NGX_BUSY: nobody knows, and for too long.
 */
ngx_int_t ngx_http_azora_auth_revoked_add(ngx_conf_t *cf);
void ngx_http_azora_auth_revoked_init(void);
/* reads the list if this worker has none, and waits for nothing */
void ngx_http_azora_auth_revoked_prepare(void);
ngx_int_t ngx_http_azora_auth_revoked(ngx_http_request_t *r,
    ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *identity);
/*
 * The value that the generation of sessions must have reached: that which
 * PostgreSQL told, or which this node itself caused a moment ago.  0: unknown.
 */
uint64_t ngx_http_azora_auth_generation(
    const ngx_http_azora_auth_main_conf_t *conf);
/* The same as a mark for what was found true at it. */
uint64_t ngx_http_azora_auth_stamp(uint64_t generation);
/* A finish step: takes the value out of the reply's etag. */
ngx_int_t ngx_http_azora_auth_revoked_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/* ngx_http_azora_auth_list.c: the list itself, of this process */
void ngx_http_azora_auth_list_reset(void);
ngx_int_t ngx_http_azora_auth_list_add(const u_char *target, int64_t epoch,
    time_t at, time_t now, ngx_log_t *log);
ngx_uint_t ngx_http_azora_auth_list_has(
    const ngx_http_azora_auth_proof_t *identity);
/* Tokens issued until then are refused: what ended so long ago is unknown. */
void ngx_http_azora_auth_list_floor(time_t issued);
/* 36 characters into 16 bytes; NGX_DECLINED: the text is absent */
ngx_int_t ngx_http_azora_auth_list_uuid(const ngx_str_t *text, u_char *out);
#define NGX_HTTP_AZORA_AUTH_ENDED_MAX     65536
#define NGX_HTTP_AZORA_AUTH_ENDED_ALL     INT64_MAX   /* every epoch */


/* ngx_http_azora_auth_prove.c: steps around passwords */
ngx_int_t ngx_http_azora_auth_register_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_auth_setup_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_auth_login_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/* "current_password", the caller's own, and "new_password" */
ngx_int_t ngx_http_azora_auth_change_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);

/* ngx_http_azora_auth_refresh.c: steps around refresh tokens */
/* Draws one for a session that is to be opened, into the field "refresh". */
ngx_int_t ngx_http_azora_auth_refresh_draw(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_auth_ctx_t *actx);
ngx_int_t ngx_http_azora_auth_refresh_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
ngx_int_t ngx_http_azora_auth_refresh_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/* Access token and refresh token for what identity.open_session answered. */
ngx_int_t ngx_http_azora_auth_login_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/* revoked_finish(), and the cookie goes */
ngx_int_t ngx_http_azora_auth_logout_finish(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/* ngx_http_azora_auth_cookie.c */
/* Any cookie of the request; NGX_DECLINED: there is none. */
ngx_int_t ngx_http_azora_auth_cookie_find(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
ngx_int_t ngx_http_azora_auth_cookie_get(ngx_http_request_t *r,
    ngx_str_t *value);
ngx_int_t ngx_http_azora_auth_cookie_set(ngx_http_request_t *r,
    const ngx_str_t *value);
/* Whether the Origin header names this server or one of azora_auth_origin. */
ngx_uint_t ngx_http_azora_auth_origin_ok(ngx_http_request_t *r);


#endif /* _NGX_HTTP_AZORA_AUTH_H_INCLUDED_ */
