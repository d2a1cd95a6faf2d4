
/*
 * Sends events to webhooks, signed as Standard Webhooks 1.0 says.  A delivery
 * is a job: journal.claim_webhooks says what to send where, and
 * journal.end_webhook takes what became of it.
 */


#include "ngx_http_azora_journal.h"

#include <sodium.h>


#define NGX_HTTP_AZORA_JOURNAL_SEND_MS      15000
#define NGX_HTTP_AZORA_JOURNAL_CONNECT_MS   5000

/* longer than an attempt and the reporting of it */
#define NGX_HTTP_AZORA_JOURNAL_SEND_LEASE   30000

/* nobody reads what a receiver says, but it may be polite */
#define NGX_HTTP_AZORA_JOURNAL_SEND_MAX     65536

#define NGX_HTTP_AZORA_JOURNAL_SENDING      48

#define NGX_HTTP_AZORA_JOURNAL_SIGNATURE    sodium_base64_ENCODED_LEN(        \
                                    crypto_auth_hmacsha256_BYTES,             \
                                    sodium_base64_VARIANT_ORIGINAL)


/* what becomes of an attempt; the failures without an answer follow */

typedef enum {
    NGX_HTTP_AZORA_JOURNAL_DELIVERED = 0,
    NGX_HTTP_AZORA_JOURNAL_REDIRECT,
    NGX_HTTP_AZORA_JOURNAL_GONE,
    NGX_HTTP_AZORA_JOURNAL_CLIENT_ERROR,
    NGX_HTTP_AZORA_JOURNAL_SERVER_ERROR,
    NGX_HTTP_AZORA_JOURNAL_NO_KEY,
    NGX_HTTP_AZORA_JOURNAL_ANSWERS
} ngx_http_azora_journal_answer_e;


static ngx_uint_t ngx_http_azora_journal_webhook_ready(void);
static void ngx_http_azora_journal_webhook_send(ngx_azora_job_t *job);
static ngx_int_t ngx_http_azora_journal_webhook_call(ngx_azora_job_t *job,
    json_t *order);
static ngx_int_t ngx_http_azora_journal_webhook_sign(ngx_pool_t *pool,
    json_t *order, time_t now, ngx_str_t *header);
static ngx_int_t ngx_http_azora_journal_webhook_signature(json_t *order,
    const char *key, json_int_t version, const u_char *content, size_t len,
    char *signature);
static void ngx_http_azora_journal_webhook_sent(ngx_azora_fetch_t *fetch,
    void *data);
static void ngx_http_azora_journal_webhook_end(ngx_azora_job_t *job,
    ngx_uint_t outcome, ngx_uint_t code, ngx_uint_t retry_after);
static ngx_uint_t ngx_http_azora_journal_retry_after(
    ngx_azora_fetch_t *fetch);


static const char  *ngx_http_azora_journal_answers[] = {
    "delivered", "redirect", "gone", "client_error", "server_error", "no_key"
};

static ngx_uint_t  ngx_http_azora_journal_attempts[
                       NGX_HTTP_AZORA_JOURNAL_ANSWERS + NGX_AZORA_FETCH_MAX];


static const ngx_azora_job_kind_t  ngx_http_azora_journal_webhook_kind = {
    .kind = "webhook",
    .claim = "journal.claim_webhooks",
    .end = "journal.end_webhook",
    .handler = ngx_http_azora_journal_webhook_send,
    .ready = ngx_http_azora_journal_webhook_ready,
    .running = NGX_HTTP_AZORA_JOURNAL_SENDING,
    .lease = NGX_HTTP_AZORA_JOURNAL_SEND_LEASE
};


static const char *
ngx_http_azora_journal_outcome(ngx_uint_t outcome)
{
    if (outcome < NGX_HTTP_AZORA_JOURNAL_ANSWERS) {
        return ngx_http_azora_journal_answers[outcome];
    }

    return ngx_azora_fetch_status_name(outcome
                                       - NGX_HTTP_AZORA_JOURNAL_ANSWERS);
}


ngx_int_t
ngx_http_azora_journal_webhook_init(ngx_conf_t *cf)
{
    u_char      *labels;
    ngx_uint_t   i;
    const char  *name;

    for (i = 0; i < NGX_HTTP_AZORA_JOURNAL_ANSWERS + NGX_AZORA_FETCH_MAX;
         i++)
    {
        if (i == NGX_HTTP_AZORA_JOURNAL_ANSWERS + NGX_AZORA_FETCH_OK) {
            continue;
        }

        name = ngx_http_azora_journal_outcome(i);

        labels = ngx_pnalloc(cf->pool, sizeof("outcome=\"\"")
                                       + ngx_strlen(name));
        if (labels == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_sprintf(labels, "outcome=\"%s\"%Z", name);

        ngx_http_azora_journal_attempts[i] =
            ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                             "nexus_webhook_attempts_total", (char *) labels,
                             "Attempts to send events to webhooks.");

        if (ngx_http_azora_journal_attempts[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    return ngx_azora_job_kind(cf, &ngx_http_azora_journal_webhook_kind);
}


static ngx_uint_t
ngx_http_azora_journal_webhook_ready(void)
{
    return ngx_http_azora_journal_conf->nwebhook_keys > 0;
}


static void
ngx_http_azora_journal_webhook_send(ngx_azora_job_t *job)
{
    json_t     *order;
    ngx_int_t   rc;
    ngx_str_t   payload;

    payload = ngx_azora_job_payload(job);
    order = json_loadb((char *) payload.data, payload.len, 0, NULL);

    rc = order ? ngx_http_azora_journal_webhook_call(job, order) : NGX_ERROR;

    json_decref(order);

    if (rc == NGX_DECLINED) {
        ngx_http_azora_journal_webhook_end(job, NGX_HTTP_AZORA_JOURNAL_NO_KEY,
                                           0, 0);

    } else if (rc == NGX_ERROR) {
        ngx_azora_job_leave(job);
    }
}


/* NGX_DECLINED: the key of its secret is not on this node. */

static ngx_int_t
ngx_http_azora_journal_webhook_call(ngx_azora_job_t *job, json_t *order)
{
    u_char                     *p;
    time_t                      now;
    ngx_int_t                   rc;
    ngx_str_t                   headers[4];
    ngx_pool_t                 *pool;
    const char                 *message;
    ngx_azora_fetch_request_t   request;

    pool = ngx_azora_job_pool(job);
    message = json_string_value(json_object_get(order, "message"));
    now = ngx_time();

    ngx_memzero(&request, sizeof(ngx_azora_fetch_request_t));

    request.url.data = (u_char *)
        json_string_value(json_object_get(order, "url"));
    request.body.data = (u_char *)
        json_string_value(json_object_get(order, "body"));

    if (message == NULL || request.url.data == NULL
        || request.body.data == NULL)
    {
        return NGX_ERROR;
    }

    request.url.len = ngx_strlen(request.url.data);
    request.body.len = json_string_length(json_object_get(order, "body"));

    ngx_str_set(&request.method, "POST");
    ngx_str_set(&headers[0],
                "Content-Type: application/cloudevents+json; charset=utf-8");

    p = ngx_pnalloc(pool, sizeof("webhook-id: ") + ngx_strlen(message)
                          + sizeof("webhook-timestamp: ") + NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    headers[1].data = p;
    p = ngx_sprintf(p, "webhook-id: %s", message);
    headers[1].len = p - headers[1].data;

    headers[2].data = p;
    p = ngx_sprintf(p, "webhook-timestamp: %T", now);
    headers[2].len = p - headers[2].data;

    rc = ngx_http_azora_journal_webhook_sign(pool, order, now, &headers[3]);

    if (rc != NGX_OK) {
        return rc;
    }

    request.headers = headers;
    request.nheaders = 4;
    request.timeout = NGX_HTTP_AZORA_JOURNAL_SEND_MS;
    request.connect_timeout = NGX_HTTP_AZORA_JOURNAL_CONNECT_MS;
    request.response_max = NGX_HTTP_AZORA_JOURNAL_SEND_MAX;

    return ngx_azora_fetch(&request, ngx_http_azora_journal_webhook_sent, job)
           ? NGX_OK : NGX_ERROR;
}


/* Signs "id.timestamp.body", for a day after a change with both secrets. */

static ngx_int_t
ngx_http_azora_journal_webhook_sign(ngx_pool_t *pool, json_t *order,
    time_t now, ngx_str_t *header)
{
    char         first[NGX_HTTP_AZORA_JOURNAL_SIGNATURE];
    char         second[NGX_HTTP_AZORA_JOURNAL_SIGNATURE];
    u_char      *p, *content;
    ngx_int_t    rc;
    json_int_t   version;
    const char  *message, *body, *old;

    message = json_string_value(json_object_get(order, "message"));
    body = json_string_value(json_object_get(order, "body"));
    old = json_string_value(json_object_get(order, "old_key"));
    version = json_integer_value(json_object_get(order, "version"));

    content = ngx_pnalloc(pool, ngx_strlen(message) + NGX_TIME_T_LEN
                                + ngx_strlen(body) + 2);
    header->data = ngx_pnalloc(pool, sizeof("webhook-signature: v1, v1,")
                                     + sizeof(first) + sizeof(second));

    if (content == NULL || header->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(content, "%s.%T.%s", message, now, body);

    rc = ngx_http_azora_journal_webhook_signature(
             order, json_string_value(json_object_get(order, "key")), version,
             content, p - content, first);
    if (rc != NGX_OK) {
        return rc;
    }

    /* without the old key the new one alone must do */

    if (old != NULL
        && ngx_http_azora_journal_webhook_signature(order, old, version - 1,
                                                    content, p - content,
                                                    second)
           != NGX_OK)
    {
        old = NULL;
    }

    p = ngx_sprintf(header->data, "webhook-signature: v1,%s", first);

    if (old != NULL) {
        p = ngx_sprintf(p, " v1,%s", second);
    }

    header->len = p - header->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_journal_webhook_signature(json_t *order, const char *key,
    json_int_t version, const u_char *content, size_t len, char *signature)
{
    u_char                        mac[crypto_auth_hmacsha256_BYTES];
    u_char                        secret[NGX_HTTP_AZORA_JOURNAL_SECRET];
    crypto_auth_hmacsha256_state  state;

    if (ngx_http_azora_journal_webhook_secret(key,
            json_string_value(json_object_get(order, "webhook")), version,
            secret)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    crypto_auth_hmacsha256_init(&state, secret, sizeof(secret));
    crypto_auth_hmacsha256_update(&state, content, len);
    crypto_auth_hmacsha256_final(&state, mac);

    sodium_memzero(secret, sizeof(secret));
    sodium_memzero(&state, sizeof(state));

    (void) sodium_bin2base64(signature, NGX_HTTP_AZORA_JOURNAL_SIGNATURE, mac,
                             sizeof(mac), sodium_base64_VARIANT_ORIGINAL);

    return NGX_OK;
}


static void
ngx_http_azora_journal_webhook_sent(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_uint_t                 code, outcome;
    ngx_azora_fetch_status_e   status;

    status = ngx_azora_fetch_status(fetch);
    code = ngx_azora_fetch_code(fetch);

    if (status != NGX_AZORA_FETCH_OK && status != NGX_AZORA_FETCH_TOO_LARGE) {
        code = 0;
        outcome = NGX_HTTP_AZORA_JOURNAL_ANSWERS + status;

    } else if (code >= 200 && code < 300) {
        /* however much it has to say about it */
        outcome = NGX_HTTP_AZORA_JOURNAL_DELIVERED;

    } else if (code < 400) {
        outcome = NGX_HTTP_AZORA_JOURNAL_REDIRECT;

    } else if (code == 410) {
        outcome = NGX_HTTP_AZORA_JOURNAL_GONE;

    } else if (code < 500) {
        outcome = NGX_HTTP_AZORA_JOURNAL_CLIENT_ERROR;

    } else {
        outcome = NGX_HTTP_AZORA_JOURNAL_SERVER_ERROR;
    }

    ngx_http_azora_journal_webhook_end(data, outcome, code,
                                ngx_http_azora_journal_retry_after(fetch));
}


static void
ngx_http_azora_journal_webhook_end(ngx_azora_job_t *job, ngx_uint_t outcome,
    ngx_uint_t code, ngx_uint_t retry_after)
{
    ngx_azora_metric_add(ngx_http_azora_journal_attempts[outcome], 1);

    ngx_azora_job_end(job, outcome == NGX_HTTP_AZORA_JOURNAL_DELIVERED
                           ? NGX_AZORA_JOB_DONE : NGX_AZORA_JOB_FAILED,
                      ngx_http_azora_journal_outcome(outcome), code,
                      retry_after);
}


/* Seconds, or the time of day, RFC 9110 10.2.3; 0: none was asked for. */

static ngx_uint_t
ngx_http_azora_journal_retry_after(ngx_azora_fetch_t *fetch)
{
    time_t     at;
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_azora_fetch_header(fetch, "Retry-After", &value) != NGX_OK) {
        return 0;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        at = ngx_parse_http_time(value.data, value.len);
        n = (at == NGX_ERROR) ? 0 : at - ngx_time();
    }

    return n > 0 ? ngx_min(n, 86400) : 0;
}
