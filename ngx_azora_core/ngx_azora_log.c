
/*
 * The access log's line, a JSON object with ECS names, written in one go:
 * putting it together from a dozen variables costs three times as much.
 *
 * Nothing in it can identify a token, and of the client's address only the
 * network is told.  What stands between quotes is printable ASCII without
 * quotes, so that the line is JSON whatever a client sends.
 */


#include "ngx_azora_log.h"


#define NGX_AZORA_LOG_METHOD_MAX    32
#define NGX_AZORA_LOG_PATH_MAX      256
#define NGX_AZORA_LOG_TEXT_MAX      256
#define NGX_AZORA_DATE_LEN          (sizeof("1970-01-01T00:00:00") - 1)


#define ngx_azora_log_put(p, s)  ngx_cpymem(p, s, sizeof(s) - 1)


static u_char *ngx_azora_log_timestamp(ngx_http_request_t *r, u_char *p);
static u_char *ngx_azora_log_address(ngx_http_request_t *r, u_char *p);
static u_char *ngx_azora_log_path(ngx_http_request_t *r, u_char *p);
static u_char *ngx_azora_log_line(ngx_http_request_t *r, u_char *p);
static u_char *ngx_azora_log_ids(u_char *p, const ngx_azora_ctx_t *ctx);
static u_char *ngx_azora_log_person(u_char *p, const ngx_azora_ctx_t *ctx);
static u_char *ngx_azora_log_error(u_char *p, const ngx_azora_ctx_t *ctx,
    ngx_uint_t status);
static u_char *ngx_azora_log_text(u_char *p, const u_char *s, size_t len,
    size_t max);
static u_char *ngx_azora_log_number(u_char *p, uint64_t n);
static u_char *ngx_azora_log_ipv4(u_char *p, const u_char *address);


/* by ngx_azora_log_part_e */

const ngx_azora_log_pt  ngx_azora_log_parts[NGX_AZORA_LOG_PARTS] = {
    ngx_azora_log_timestamp,
    ngx_azora_log_address,
    ngx_azora_log_path,
    ngx_azora_log_line
};


ngx_uint_t
ngx_azora_log_status(const ngx_http_request_t *r)
{
    return r->err_status ? r->err_status : r->headers_out.status;
}


/* What is empty is left out. */

static u_char *
ngx_azora_log_line(ngx_http_request_t *r, u_char *p)
{
    ngx_uint_t        status;
    ngx_azora_ctx_t  *ctx;

    r = r->main;
    ctx = ngx_azora_trace_late_ctx(r);
    status = ngx_azora_log_status(r);

    p = ngx_azora_log_put(p, "{\"@timestamp\":\"");
    p = ngx_azora_log_timestamp(r, p);

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        p = ngx_azora_log_put(p, "\",\"log.level\":\"error\",\"message\":\"");

    } else if (status >= NGX_HTTP_BAD_REQUEST) {
        p = ngx_azora_log_put(p, "\",\"log.level\":\"warn\",\"message\":\"");

    } else {
        p = ngx_azora_log_put(p, "\",\"log.level\":\"info\",\"message\":\"");
    }

    p = ngx_azora_log_text(p, r->method_name.data, r->method_name.len,
                           NGX_AZORA_LOG_METHOD_MAX);
    *p++ = ' ';
    p = ngx_azora_log_path(r, p);
    *p++ = '"';

    if (ctx != NULL) {
        ngx_azora_trace_ensure(r, ctx);
        p = ngx_azora_log_ids(p, ctx);
    }

    p = ngx_azora_log_put(p, ",\"http.request.method\":\"");
    p = ngx_azora_log_text(p, r->method_name.data, r->method_name.len,
                           NGX_AZORA_LOG_METHOD_MAX);

    if (ctx != NULL && ctx->endpoint != NULL) {
        p = ngx_azora_log_put(p, "\",\"http.route\":\"");
        p = ngx_azora_log_text(p, ctx->endpoint->path.data,
                               ctx->endpoint->path.len,
                               NGX_AZORA_LOG_TEXT_MAX);
    }

    p = ngx_azora_log_put(p, "\",\"http.response.status_code\":");
    p = ngx_azora_log_number(p, status);
    p = ngx_azora_log_put(p, ",\"http.response.bytes\":");
    p = ngx_azora_log_number(p, r->connection->sent);
    p = ngx_azora_log_put(p, ",\"event.duration\":");
    p = ngx_azora_log_number(p, ngx_azora_trace_duration(r, ctx));
    p = ngx_azora_log_put(p, ",\"client.address\":\"");
    p = ngx_azora_log_address(r, p);
    *p++ = '"';

    p = ngx_azora_log_person(p, ctx);
    p = ngx_azora_log_error(p, ctx, status);

    *p++ = '}';

    return p;
}


static u_char *
ngx_azora_log_ids(u_char *p, const ngx_azora_ctx_t *ctx)
{
    p = ngx_azora_log_put(p, ",\"trace.id\":\"");
    p = ngx_cpymem(p, ctx->trace_id, sizeof(ctx->trace_id));
    p = ngx_azora_log_put(p, "\",\"span.id\":\"");
    p = ngx_cpymem(p, ctx->span_id, sizeof(ctx->span_id));
    *p++ = '"';

    if (ctx->request_id.data != ctx->trace_id) {
        p = ngx_azora_log_put(p, ",\"http.request.id\":\"");
        p = ngx_azora_log_text(p, ctx->request_id.data, ctx->request_id.len,
                               NGX_AZORA_LOG_TEXT_MAX);
        *p++ = '"';
    }

    return p;
}


static u_char *
ngx_azora_log_person(u_char *p, const ngx_azora_ctx_t *ctx)
{
    if (ctx == NULL || ctx->principal.subject.len == 0) {
        return p;
    }

    p = ngx_azora_log_put(p, ",\"user.id\":\"");
    p = ngx_azora_log_text(p, ctx->principal.subject.data,
                           ctx->principal.subject.len, NGX_AZORA_LOG_TEXT_MAX);
    *p++ = '"';

    return p;
}


/* The problem's name, or the status of an error that has no name. */

static u_char *
ngx_azora_log_error(u_char *p, const ngx_azora_ctx_t *ctx, ngx_uint_t status)
{
    if (status < NGX_HTTP_BAD_REQUEST) {
        return p;
    }

    p = ngx_azora_log_put(p, ",\"error.type\":\"");

    if (ctx != NULL && ctx->problem.name.len) {
        p = ngx_azora_log_text(p, ctx->problem.name.data,
                               ctx->problem.name.len, NGX_AZORA_LOG_TEXT_MAX);

    } else {
        p = ngx_azora_log_number(p, status);
    }

    *p++ = '"';

    return p;
}


/* At most max bytes; what JSON or a terminal could misread becomes %XX. */

static u_char *
ngx_azora_log_text(u_char *p, const u_char *s, size_t len, size_t max)
{
    u_char        *end;
    const u_char  *last;

    static const u_char  hex[] = "0123456789ABCDEF";

    last = s + len;
    end = p + max;

    for ( /* void */ ; s < last; s++) {

        if (*s > 0x20 && *s < 0x7f && *s != '"' && *s != '\\') {

            if (p == end) {
                break;
            }

            *p++ = *s;
            continue;
        }

        if (end - p < 3) {
            break;
        }

        *p++ = '%';
        *p++ = hex[*s >> 4];
        *p++ = hex[*s & 0xf];
    }

    return p;
}


/*
 * The path as it was sent, without its query, which may hold anything.
 */

static u_char *
ngx_azora_log_path(ngx_http_request_t *r, u_char *p)
{
    u_char  *s, *last;

    s = r->main->unparsed_uri.data;

    for (last = s; last < s + r->main->unparsed_uri.len; last++) {
        if (*last == '?' || *last == '#') {
            break;
        }
    }

    return ngx_azora_log_text(p, s, last - s, NGX_AZORA_LOG_PATH_MAX);
}


static u_char *
ngx_azora_log_number(u_char *p, uint64_t n)
{
    u_char  digits[NGX_INT64_LEN], *d;

    d = digits + sizeof(digits);

    do {
        *--d = (u_char) ('0' + n % 10);
        n /= 10;
    } while (n);

    return ngx_cpymem(p, d, digits + sizeof(digits) - d);
}


/* The date is formatted once a second. */

static u_char *
ngx_azora_log_timestamp(ngx_http_request_t *r, u_char *p)
{
    ngx_tm_t     tm;
    ngx_time_t  *tp;

    static time_t  second = -1;
    static u_char  date[NGX_AZORA_DATE_LEN + 1];

    tp = ngx_timeofday();

    if (tp->sec != second) {
        ngx_gmtime(tp->sec, &tm);

        (void) ngx_sprintf(date, "%04d-%02d-%02dT%02d:%02d:%02d",
                           tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                           tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec);
        second = tp->sec;
    }

    p = ngx_cpymem(p, date, NGX_AZORA_DATE_LEN);
    *p++ = '.';
    *p++ = (u_char) ('0' + tp->msec / 100);
    *p++ = (u_char) ('0' + tp->msec / 10 % 10);
    *p++ = (u_char) ('0' + tp->msec % 10);
    *p++ = 'Z';

    return p;
}


/* The client's network: /24 of IPv4 and /48 of IPv6 tell no single person. */

static u_char *
ngx_azora_log_address(ngx_http_request_t *r, u_char *p)
{
    struct sockaddr      *sa;
#if (NGX_HAVE_INET6)
    u_char                network[16];
    struct sockaddr_in6  *sin6;
#endif

    sa = r->connection->sockaddr;

    switch (sa->sa_family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            return ngx_azora_log_ipv4(p, &sin6->sin6_addr.s6_addr[12]);
        }

        ngx_memzero(network, sizeof(network));
        ngx_memcpy(network, sin6->sin6_addr.s6_addr, 6);

        return p + ngx_inet6_ntop(network, p, NGX_INET6_ADDRSTRLEN);
#endif

    case AF_INET:
        return ngx_azora_log_ipv4(p,
                      (u_char *) &((struct sockaddr_in *) sa)->sin_addr);

    default:
        return ngx_azora_log_put(p, "unix:");
    }
}


static u_char *
ngx_azora_log_ipv4(u_char *p, const u_char *address)
{
    ngx_uint_t  i;

    for (i = 0; i < 3; i++) {
        p = ngx_azora_log_number(p, address[i]);
        *p++ = '.';
    }

    *p++ = '0';

    return p;
}
