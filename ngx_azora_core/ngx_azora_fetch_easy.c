
/* One call, as libcurl wants to hear it, and what became of it. */


#include "ngx_azora_fetch.h"


#define NGX_AZORA_FETCH_AGENT       "Azora/" NGX_AZORA_VERSION


static CURLcode ngx_azora_fetch_common(ngx_azora_fetch_t *fetch, CURL *easy);
static CURLcode ngx_azora_fetch_tls(ngx_azora_fetch_t *fetch, CURL *easy);
static CURLcode ngx_azora_fetch_http(ngx_azora_fetch_t *fetch, CURL *easy);
static CURLcode ngx_azora_fetch_smtp(ngx_azora_fetch_t *fetch, CURL *easy);
static curl_socket_t ngx_azora_fetch_open(void *data, curlsocktype purpose,
    struct curl_sockaddr *address);
static size_t ngx_azora_fetch_head(char *buf, size_t size, size_t n,
    void *data);
static size_t ngx_azora_fetch_write(char *buf, size_t size, size_t n,
    void *data);
static size_t ngx_azora_fetch_read(char *buf, size_t size, size_t n,
    void *data);


/* The first option that cannot be set ends the list. */

#define ngx_azora_fetch_set(option, value)                                    \
    if (rc == CURLE_OK) {                                                     \
        rc = curl_easy_setopt(easy, option, value);                           \
    }


CURL *
ngx_azora_fetch_easy(ngx_azora_fetch_t *fetch)
{
    CURL      *easy;
    CURLcode   rc;

    easy = curl_easy_init();
    if (easy == NULL) {
        return NULL;
    }

    rc = ngx_azora_fetch_common(fetch, easy);

    if (rc == CURLE_OK) {
        rc = ngx_azora_fetch_tls(fetch, easy);
    }

    if (rc == CURLE_OK) {
        rc = fetch->mail ? ngx_azora_fetch_smtp(fetch, easy)
                         : ngx_azora_fetch_http(fetch, easy);
    }

    if (rc != CURLE_OK) {
        ngx_log_error(NGX_LOG_ERR, fetch->pool->log, 0,
                      "azora: a call cannot be set up: %s",
                      curl_easy_strerror(rc));
        curl_easy_cleanup(easy);
        return NULL;
    }

    return easy;
}


static CURLcode
ngx_azora_fetch_common(ngx_azora_fetch_t *fetch, CURL *easy)
{
    CURLcode  rc;

    rc = CURLE_OK;

    ngx_azora_fetch_set(CURLOPT_PRIVATE, fetch)
    ngx_azora_fetch_set(CURLOPT_ERRORBUFFER, fetch->reason)
    ngx_azora_fetch_set(CURLOPT_URL, fetch->url)
    ngx_azora_fetch_set(CURLOPT_NOSIGNAL, 1L)

    /* to leave a slow lookup of a name must not wait for it */
    ngx_azora_fetch_set(CURLOPT_QUICK_EXIT, 1L)

    /* the environment's proxies are nobody's decision */
    ngx_azora_fetch_set(CURLOPT_PROXY, "")

    ngx_azora_fetch_set(CURLOPT_CONNECTTIMEOUT_MS,
                        (long) fetch->connect_timeout)
    ngx_azora_fetch_set(CURLOPT_OPENSOCKETFUNCTION, ngx_azora_fetch_open)
    ngx_azora_fetch_set(CURLOPT_OPENSOCKETDATA, fetch)
    ngx_azora_fetch_set(CURLOPT_WRITEFUNCTION, ngx_azora_fetch_write)
    ngx_azora_fetch_set(CURLOPT_WRITEDATA, fetch)

    /* a connection that any address was right for is for no other call */

    if (fetch->flags & NGX_AZORA_FETCH_INTERNAL) {
        ngx_azora_fetch_set(CURLOPT_FRESH_CONNECT, 1L)
        ngx_azora_fetch_set(CURLOPT_FORBID_REUSE, 1L)
    }

    return rc;
}


static CURLcode
ngx_azora_fetch_tls(ngx_azora_fetch_t *fetch, CURL *easy)
{
    CURLcode  rc;

    rc = CURLE_OK;

    ngx_azora_fetch_set(CURLOPT_SSL_VERIFYPEER, 1L)
    ngx_azora_fetch_set(CURLOPT_SSL_VERIFYHOST, 2L)
    ngx_azora_fetch_set(CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2)
    ngx_azora_fetch_set(CURLOPT_CAINFO,
                   (char *) ngx_azora_main_conf->fetch.certificates.data)
    ngx_azora_fetch_set(CURLOPT_CAPATH, NULL)

    return rc;
}


static CURLcode
ngx_azora_fetch_http(ngx_azora_fetch_t *fetch, CURL *easy)
{
    CURLcode  rc;

    rc = CURLE_OK;

    ngx_azora_fetch_set(CURLOPT_PROTOCOLS_STR, "http,https")
    ngx_azora_fetch_set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L)
    ngx_azora_fetch_set(CURLOPT_FOLLOWLOCATION, 0L)
    ngx_azora_fetch_set(CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1)
    ngx_azora_fetch_set(CURLOPT_USERAGENT, NGX_AZORA_FETCH_AGENT)
    ngx_azora_fetch_set(CURLOPT_HEADERFUNCTION, ngx_azora_fetch_head)
    ngx_azora_fetch_set(CURLOPT_HEADERDATA, fetch)

    if (fetch->payload.data != NULL) {
        ngx_azora_fetch_set(CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t) fetch->payload.len)
        ngx_azora_fetch_set(CURLOPT_POSTFIELDS, fetch->payload.data)
    }

    if (ngx_strcmp(fetch->method, "HEAD") == 0) {
        ngx_azora_fetch_set(CURLOPT_NOBODY, 1L)

    } else {
        ngx_azora_fetch_set(CURLOPT_CUSTOMREQUEST, fetch->method)
    }

    ngx_azora_fetch_set(CURLOPT_HTTPHEADER, fetch->list)

    return rc;
}


static CURLcode
ngx_azora_fetch_smtp(ngx_azora_fetch_t *fetch, CURL *easy)
{
    long      ssl;
    CURLcode  rc;

    rc = CURLE_OK;
    ssl = (fetch->flags & NGX_AZORA_FETCH_PLAIN) ? CURLUSESSL_TRY
                                                 : CURLUSESSL_ALL;

    ngx_azora_fetch_set(CURLOPT_PROTOCOLS_STR, "smtp,smtps")
    ngx_azora_fetch_set(CURLOPT_USE_SSL, ssl)
    ngx_azora_fetch_set(CURLOPT_MAIL_FROM, fetch->from)
    ngx_azora_fetch_set(CURLOPT_MAIL_RCPT, fetch->list)

    if (fetch->user != NULL) {
        ngx_azora_fetch_set(CURLOPT_USERNAME, fetch->user)
        ngx_azora_fetch_set(CURLOPT_PASSWORD, fetch->password)
    }

    ngx_azora_fetch_set(CURLOPT_UPLOAD, 1L)
    ngx_azora_fetch_set(CURLOPT_INFILESIZE_LARGE,
                        (curl_off_t) fetch->payload.len)
    ngx_azora_fetch_set(CURLOPT_READFUNCTION, ngx_azora_fetch_read)
    ngx_azora_fetch_set(CURLOPT_READDATA, fetch)

    return rc;
}


/*
 * The address is final here, after all names are resolved: what a name says
 * at another moment does not matter.
 */

static curl_socket_t
ngx_azora_fetch_open(void *data, curlsocktype purpose,
    struct curl_sockaddr *address)
{
    ngx_azora_fetch_t *fetch = data;

    curl_socket_t            fd;
    ngx_azora_fetch_conf_t  *conf;

    conf = &ngx_azora_main_conf->fetch;

    if (!(fetch->flags & NGX_AZORA_FETCH_INTERNAL)
        && !ngx_azora_fetch_public(&address->addr)
        && (conf->allow == NULL
            || ngx_cidr_match(&address->addr, conf->allow) != NGX_OK))
    {
        fetch->forbidden = 1;
        return CURL_SOCKET_BAD;
    }

    fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
                address->protocol);

    if (fd != CURL_SOCKET_BAD) {
        ngx_azora_fetch_curl_opened(fd);
    }

    return fd;
}


static size_t
ngx_azora_fetch_head(char *buf, size_t size, size_t n, void *data)
{
    ngx_azora_fetch_t *fetch = data;

    n *= size;

    if (fetch->head.data == NULL) {
        fetch->head.data = ngx_pnalloc(fetch->pool, NGX_AZORA_FETCH_HEAD_MAX);
        if (fetch->head.data == NULL) {
            return 0;
        }
    }

    /* a head of 1xx is followed by the real one */

    if (n > 5 && ngx_strncmp(buf, "HTTP/", 5) == 0) {
        fetch->head.len = 0;
    }

    if (n > NGX_AZORA_FETCH_HEAD_MAX - fetch->head.len) {
        fetch->large = 1;
        return 0;
    }

    ngx_memcpy(fetch->head.data + fetch->head.len, buf, n);
    fetch->head.len += n;

    return n;
}


static size_t
ngx_azora_fetch_write(char *buf, size_t size, size_t n, void *data)
{
    ngx_azora_fetch_t *fetch = data;

    u_char  *p;
    size_t   need;

    n *= size;

    if (n > fetch->response_max - fetch->body.len) {
        fetch->large = 1;
        return 0;
    }

    need = fetch->body.len + n;

    if (need > fetch->body_size) {
        need = ngx_max(need, ngx_max(2 * fetch->body_size, 4096));
        need = ngx_min(need, fetch->response_max);

        p = ngx_palloc(fetch->pool, need);
        if (p == NULL) {
            return 0;
        }

        if (fetch->body.data != NULL) {
            ngx_memcpy(p, fetch->body.data, fetch->body.len);
            (void) ngx_pfree(fetch->pool, fetch->body.data);
        }

        fetch->body.data = p;
        fetch->body_size = need;
    }

    ngx_memcpy(fetch->body.data + fetch->body.len, buf, n);
    fetch->body.len += n;

    return n;
}


static size_t
ngx_azora_fetch_read(char *buf, size_t size, size_t n, void *data)
{
    ngx_azora_fetch_t *fetch = data;

    n = ngx_min(n * size, fetch->payload.len - fetch->sent);

    if (n) {
        ngx_memcpy(buf, fetch->payload.data + fetch->sent, n);
        fetch->sent += n;
    }

    return n;
}


ngx_azora_fetch_status_e
ngx_azora_fetch_outcome(ngx_azora_fetch_t *fetch, CURLcode rc)
{
    long  sent;

    if (rc != CURLE_OK && fetch->reason[0] == '\0') {
        ngx_cpystrn((u_char *) fetch->reason,
                    (u_char *) curl_easy_strerror(rc), CURL_ERROR_SIZE);
    }

    if (fetch->large) {
        return NGX_AZORA_FETCH_TOO_LARGE;
    }

    switch (rc) {

    case CURLE_OK:
        return NGX_AZORA_FETCH_OK;

    case CURLE_UNSUPPORTED_PROTOCOL:

        /* also what is answered without a head, as HTTP/0.9 did */

        sent = 0;
        (void) curl_easy_getinfo(fetch->easy, CURLINFO_REQUEST_SIZE, &sent);

        return sent ? NGX_AZORA_FETCH_BROKEN : NGX_AZORA_FETCH_INVALID;

    case CURLE_URL_MALFORMAT:
        return NGX_AZORA_FETCH_INVALID;

    case CURLE_LOGIN_DENIED:
        return fetch->mail ? NGX_AZORA_FETCH_REJECTED
                           : NGX_AZORA_FETCH_INVALID;

    case CURLE_COULDNT_RESOLVE_HOST:
        return NGX_AZORA_FETCH_UNRESOLVED;

    case CURLE_COULDNT_CONNECT:
        return fetch->forbidden ? NGX_AZORA_FETCH_FORBIDDEN
                                : NGX_AZORA_FETCH_UNREACHABLE;

    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_USE_SSL_FAILED:
        return NGX_AZORA_FETCH_TLS;

    case CURLE_OPERATION_TIMEDOUT:
        return NGX_AZORA_FETCH_TIMEOUT;

    case CURLE_SEND_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:

        if (fetch->mail) {
            return NGX_AZORA_FETCH_REJECTED;
        }

        return NGX_AZORA_FETCH_BROKEN;

    default:
        return NGX_AZORA_FETCH_BROKEN;
    }
}
