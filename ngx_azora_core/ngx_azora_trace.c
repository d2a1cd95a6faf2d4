
/*
 * Trace context (W3C Trace Context, level 1) and the request id.
 *
 * The ids are made when somebody asks for them, not before: they tell requests
 * apart and are no secrets, so a fast generator of each process's own is
 * enough.
 */


#include "ngx_azora_trace.h"
#include <sys/random.h>


#define NGX_AZORA_REQUEST_ID_MIN    8
#define NGX_AZORA_REQUEST_ID_MAX    128


static void ngx_azora_trace_seed(void);
static uint64_t ngx_azora_trace_random(void);
static u_char *ngx_azora_trace_hex(u_char *dst, uint64_t n);
static ngx_uint_t ngx_azora_trace_hex_field(const u_char *p, size_t len);
static ngx_uint_t ngx_azora_trace_id_valid(const ngx_str_t *id);


static uint64_t   ngx_azora_trace_state[4];
static ngx_pid_t  ngx_azora_trace_owner;


/*
 * Reads the headers that say to which trace the request belongs; makes
 * nothing.
 */

ngx_int_t
ngx_azora_trace_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t                *parent, *id;
    ngx_uint_t                nparents, nids;
    ngx_table_elt_t          *h;
    ngx_azora_headers_t       at = { &r->headers_in.headers.part, 0 };
    ngx_azora_traceparent_t   trace;

    parent = NULL;
    id = NULL;
    nparents = 0;
    nids = 0;

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (ngx_azora_header_is(h, "traceparent")) {
            parent = &h->value;
            nparents++;

        } else if (ngx_azora_header_is(h, "x-request-id")) {
            id = &h->value;
            nids++;
        }
    }

    /* several parents are none: section 3.2 of the Recommendation */

    if (nparents == 1
        && ngx_azora_trace_parse(parent, &trace) == NGX_OK)
    {
        ngx_memcpy(ctx->trace_id, trace.trace_id, sizeof(ctx->trace_id));
        ngx_memcpy(ctx->parent_id, trace.parent_id, sizeof(ctx->parent_id));
        ctx->trace_sampled = trace.sampled;
    }

    if (nids == 1 && ngx_azora_trace_id_valid(id)) {
        ctx->request_id = *id;
    }

    return NGX_DECLINED;
}


/*
 * version "-" trace-id "-" parent-id "-" flags, in lower-case hex.  Version ff
 * is invalid; a higher version than 00 is read as 00 and may go on behind
 * another "-".
 */

ngx_int_t
ngx_azora_trace_parse(const ngx_str_t *value, ngx_azora_traceparent_t *trace)
{
    size_t         len;
    u_char         flags;
    const u_char  *p;

    static const u_char  zeros[32] = "00000000000000000000000000000000";

    p = value->data;
    len = value->len;

    if (len < NGX_AZORA_TRACEPARENT_LEN
        || !ngx_azora_trace_hex_field(p, 2) || p[2] != '-'
        || !ngx_azora_trace_hex_field(p + 3, 32) || p[35] != '-'
        || !ngx_azora_trace_hex_field(p + 36, 16) || p[52] != '-'
        || !ngx_azora_trace_hex_field(p + 53, 2))
    {
        return NGX_DECLINED;
    }

    if (ngx_memcmp(p, "ff", 2) == 0) {
        return NGX_DECLINED;
    }

    if (len > NGX_AZORA_TRACEPARENT_LEN
        && (ngx_memcmp(p, "00", 2) == 0
            || p[NGX_AZORA_TRACEPARENT_LEN] != '-'))
    {
        return NGX_DECLINED;
    }

    if (ngx_memcmp(p + 3, zeros, 32) == 0
        || ngx_memcmp(p + 36, zeros, 16) == 0)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(trace->trace_id, p + 3, 32);
    ngx_memcpy(trace->parent_id, p + 36, 16);

    /* the last hex digit holds the sampled bit */
    flags = p[54];
    trace->sampled = (flags <= '9' ? flags - '0' : flags - 'a' + 10) & 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_azora_trace_hex_field(const u_char *p, size_t len)
{
    const u_char  *last;

    for (last = p + len; p < last; p++) {
        if ((*p < '0' || *p > '9') && (*p < 'a' || *p > 'f')) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_azora_trace_id_valid(const ngx_str_t *id)
{
    size_t  i;
    u_char  ch;

    if (id->len < NGX_AZORA_REQUEST_ID_MIN
        || id->len > NGX_AZORA_REQUEST_ID_MAX)
    {
        return 0;
    }

    for (i = 0; i < id->len; i++) {
        ch = id->data[i] | 0x20;

        if ((ch < 'a' || ch > 'z')
            && (id->data[i] < '0' || id->data[i] > '9')
            && id->data[i] != '.' && id->data[i] != '_'
            && id->data[i] != '-')
        {
            return 0;
        }
    }

    return 1;
}


void
ngx_azora_trace_ensure(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    u_char    *p;
    uint64_t   n;

    if (ctx->traced) {
        return;
    }

    ctx->traced = 1;

    if (ctx->trace_id[0] == '\0') {
        do {
            n = ngx_azora_trace_random();
        } while (n == 0);

        p = ngx_azora_trace_hex(ctx->trace_id, n);
        ngx_azora_trace_hex(p, ngx_azora_trace_random());

        ngx_memset(ctx->parent_id, '0', sizeof(ctx->parent_id));
    }

    do {
        n = ngx_azora_trace_random();
    } while (n == 0);

    ngx_azora_trace_hex(ctx->span_id, n);

    if (ctx->request_id.len == 0) {
        ctx->request_id.data = ctx->trace_id;
        ctx->request_id.len = sizeof(ctx->trace_id);
    }
}


/*
 * What we send on: the same trace, our own span as the parent.  Whether a
 * trace is sampled is for its beginner to say; one that begins here is not.
 */

u_char *
ngx_azora_trace_parent(const ngx_azora_ctx_t *ctx, u_char *dst)
{
    dst = ngx_cpymem(dst, "00-", 3);
    dst = ngx_cpymem(dst, ctx->trace_id, sizeof(ctx->trace_id));
    *dst++ = '-';
    dst = ngx_cpymem(dst, ctx->span_id, sizeof(ctx->span_id));

    return ngx_cpymem(dst, ctx->trace_sampled ? "-01" : "-00", 3);
}


uint64_t
ngx_azora_trace_duration(const ngx_http_request_t *r,
    const ngx_azora_ctx_t *ctx)
{
    ngx_time_t      *tp;
    ngx_msec_int_t   ms;

    if (ctx != NULL && ctx->started_ns) {
        return ngx_azora_now_ns() - ctx->started_ns;
    }

    /* it ended before its first phase, for example with a bad header */

    tp = ngx_timeofday();
    ms = (ngx_msec_int_t) ((tp->sec - r->start_sec) * 1000
                           + (tp->msec - r->start_msec));

    return ms > 0 ? (uint64_t) ms * 1000000 : 0;
}


/*
 * The context of a request that is being logged.  One that ended before its
 * first phase has none yet, and its time runs since NGINX got its first byte.
 */

ngx_azora_ctx_t *
ngx_azora_trace_late_ctx(ngx_http_request_t *r)
{
    uint64_t          ns;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_azora_module);
    if (ctx != NULL) {
        return ctx;
    }

    ns = ngx_azora_trace_duration(r->main, NULL);

    ctx = ngx_azora_get_ctx(r);
    if (ctx != NULL && ngx_azora_now_ns() - ctx->started_ns < ns) {
        ctx->started_ns -= ns;
    }

    return ctx;
}


/* A fork would continue its parent's numbers: each process has its own seed. */

static void
ngx_azora_trace_seed(void)
{
    ngx_uint_t  i;

    if (getrandom(ngx_azora_trace_state, sizeof(ngx_azora_trace_state),
                  GRND_NONBLOCK)
        != (ssize_t) sizeof(ngx_azora_trace_state))
    {
        /* early at boot; ids must differ, not be unguessable */
        for (i = 0; i < 4; i++) {
            ngx_azora_trace_state[i] = ngx_azora_now_ns() * (2 * i + 3)
                                       ^ (uint64_t) ngx_pid << (16 * i);
        }
    }

    ngx_azora_trace_state[0] |= 1;
    ngx_azora_trace_owner = ngx_pid;
}


/* xoshiro256++ (Blackman and Vigna, 2019) */

static uint64_t
ngx_azora_trace_random(void)
{
    uint64_t  *s, n, t;

    if (ngx_azora_trace_owner != ngx_pid) {
        ngx_azora_trace_seed();
    }

    s = ngx_azora_trace_state;

    n = s[0] + s[3];
    n = ((n << 23) | (n >> 41)) + s[0];
    t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = (s[3] << 45) | (s[3] >> 19);

    return n;
}


/* Sixteen hex digits; the eight of a half are made in one register. */

static u_char *
ngx_azora_trace_hex(u_char *dst, uint64_t n)
{
    ngx_uint_t  i;
    uint64_t    x, letters;

    for (i = 0; i < 2; i++) {
        x = n >> 32;
        n <<= 32;

        /* a nibble to each byte */
        x = (x | x << 16) & 0x0000ffff0000ffffULL;
        x = (x | x << 8) & 0x00ff00ff00ff00ffULL;
        x = (x | x << 4) & 0x0f0f0f0f0f0f0f0fULL;

        /* 1 in the bytes above nine, which are letters */
        letters = ((x + 0x0606060606060606ULL) >> 4) & 0x0101010101010101ULL;
        x += 0x3030303030303030ULL + letters * ('a' - '0' - 10);

        *dst++ = (u_char) (x >> 56);
        *dst++ = (u_char) (x >> 48);
        *dst++ = (u_char) (x >> 40);
        *dst++ = (u_char) (x >> 32);
        *dst++ = (u_char) (x >> 24);
        *dst++ = (u_char) (x >> 16);
        *dst++ = (u_char) (x >> 8);
        *dst++ = (u_char) x;
    }

    return dst;
}
