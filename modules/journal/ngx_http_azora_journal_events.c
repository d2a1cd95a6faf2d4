
/*
 * GET /v1/events: what happens, as server-sent events (WHATWG HTML, 9.2) that
 * carry CloudEvents 1.0.  The core has checked the token, the limits and the
 * parameters; here it is decided what is followed and from which number on.
 */


#include "ngx_http_azora_journal_events.h"


#define NGX_HTTP_AZORA_JOURNAL_LIFETIME     1800000    /* ms */
#define NGX_HTTP_AZORA_JOURNAL_HEARTBEAT    15000      /* ms */
#define NGX_HTTP_AZORA_JOURNAL_PER_ACCOUNT  16

/* as journal.entry has it */
#define NGX_HTTP_AZORA_JOURNAL_TYPE_MIN     3
#define NGX_HTTP_AZORA_JOURNAL_TYPE_MAX     64


static ngx_int_t ngx_http_azora_journal_events_last(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, uint64_t *last);
static ngx_int_t ngx_http_azora_journal_events_types(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_str_t *types);
static ngx_uint_t ngx_http_azora_journal_events_type(const u_char *p,
    const u_char *end);
static ngx_int_t ngx_http_azora_journal_events_full(ngx_http_request_t *r,
    ngx_uint_t connections);
static ngx_int_t ngx_http_azora_journal_events_later(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_journal_events_header(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_journal_events_begin(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_journal_audience_t *owner,
    ngx_str_t *types);


ngx_int_t
ngx_http_azora_journal_events_init(ngx_conf_t *cf,
    ngx_http_azora_journal_conf_t *conf)
{
    ngx_str_t  events = ngx_string(
        "SELECT seq, type, subject, event FROM journal.events("
        "source => $1, first => $2::bigint, batch => $3::int)");
    ngx_str_t  missed = ngx_string(
        "SELECT size, upto, seq, event FROM journal.events_missed("
        "source => $1, first => $2::bigint, subject => $3::uuid, "
        "types => $4::text[], batch => $5::int)");
    ngx_str_t  revoked = ngx_string(
        "SELECT seq, target, at FROM identity.revocations("
        "after => $1::bigint)");

    /* a replica may be behind what was announced: none of them reads there */

    conf->events = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                       "journal.events", &events, 3);
    conf->missed = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                       "journal.events_missed", &missed, 5);
    conf->revoked = ngx_azora_statement(cf, NGX_AZORA_LANE_WRITE,
                                        "identity.revocations", &revoked, 1);

    conf->chronicle = ngx_azora_generation_index(cf, "chronicle");

    conf->streams_metric = ngx_azora_metric(cf, NGX_AZORA_GAUGE,
                                            "nexus_sse_connections", NULL,
                                            "Open event streams.");
    conf->refused_metric = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                            "nexus_sse_refused_total", NULL,
                                            "Event streams that were one too "
                                            "many.");

    if (conf->events == NULL || conf->missed == NULL || conf->revoked == NULL
        || conf->chronicle == NGX_AZORA_NONE
        || conf->streams_metric == NGX_AZORA_NONE
        || conf->refused_metric == NGX_AZORA_NONE
        || ngx_azora_on_generation(cf, "chronicle",
                                   ngx_http_azora_journal_ring_moved)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_on_generation(cf, "sessions",
                                   ngx_http_azora_journal_sessions_moved);
}


void
ngx_http_azora_journal_events_unset(ngx_http_azora_journal_conf_t *conf)
{
    conf->lifetime = NGX_CONF_UNSET_MSEC;
    conf->heartbeat = NGX_CONF_UNSET_MSEC;
    conf->streams = NGX_CONF_UNSET_UINT;
    conf->per_account = NGX_CONF_UNSET_UINT;
}


void
ngx_http_azora_journal_events_defaults(ngx_http_azora_journal_conf_t *conf)
{
    ngx_conf_init_msec_value(conf->lifetime, NGX_HTTP_AZORA_JOURNAL_LIFETIME);
    ngx_conf_init_msec_value(conf->heartbeat,
                             NGX_HTTP_AZORA_JOURNAL_HEARTBEAT);
    ngx_conf_init_uint_value(conf->streams, 0);
    ngx_conf_init_uint_value(conf->per_account,
                             NGX_HTTP_AZORA_JOURNAL_PER_ACCOUNT);

    conf->source = conf->origin;

    if (conf->source.len == 0) {
        ngx_str_set(&conf->source, "azora");
    }
}


ngx_int_t
ngx_http_azora_journal_events_handler(ngx_http_request_t *r)
{
    u_char                              subject[16];
    ngx_int_t                           rc;
    ngx_str_t                           types;
    ngx_azora_ctx_t                    *ctx;
    ngx_http_azora_journal_audience_t  *owner;

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL || r != r->main
        || ngx_http_azora_journal_uuid(&ctx->principal.subject, subject)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_azora_journal_events_types(r, ctx, &types);
    if (rc != NGX_OK) {
        return rc;
    }

    owner = ngx_http_azora_journal_audience_account(subject);
    if (owner == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_azora_journal_events_full(r, owner->connections);

    if (rc == NGX_OK) {
        rc = ngx_http_azora_journal_events_begin(r, ctx, owner, &types);
    }

    ngx_http_azora_journal_audience_release(owner);

    return rc;
}


/* NGX_DECLINED: none was given, from now on */

static ngx_int_t
ngx_http_azora_journal_events_last(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, uint64_t *last)
{
    off_t               n;
    ngx_str_t           text;
    ngx_azora_value_t  *value;

    value = ngx_azora_value(ctx, "last_event_id");

    if (value != NULL) {
        *last = ngx_atoof(value->text.data, value->text.len);
    }

    if (ngx_azora_request_header(r, "Last-Event-ID", &text) != NGX_OK) {
        return (value != NULL) ? NGX_OK : NGX_DECLINED;
    }

    n = ngx_atoof(text.data, text.len);

    if (n == NGX_ERROR) {
        return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "invalid-event-id",
                                 "Last-Event-ID must be the number that an "
                                 "event had as its id.");
    }

    *last = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_journal_events_types(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_str_t *types)
{
    u_char             *p, *end, *last;
    ngx_uint_t          n;
    ngx_str_t          *roles;
    ngx_azora_value_t  *value;

    ngx_str_null(types);

    value = ngx_azora_value(ctx, "type");

    if (value == NULL) {
        return NGX_OK;
    }

    roles = &ctx->principal.roles;

    if (!ngx_azora_list_has(roles, "service", sizeof("service") - 1)
        && !ngx_azora_list_has(roles, "auditor", sizeof("auditor") - 1))
    {
        return ngx_azora_problem(r, NGX_HTTP_FORBIDDEN, "forbidden",
                                 "Only the roles service and auditor follow "
                                 "events about others.");
    }

    *types = value->text;
    last = types->data + types->len;

    for (p = types->data, n = 0; p <= last; p = end + 1, n++) {

        end = ngx_strlchr(p, last, ',');

        if (end == NULL) {
            end = last;
        }

        if (n == NGX_HTTP_AZORA_JOURNAL_TYPES_MAX
            || !ngx_http_azora_journal_events_type(p, end))
        {
            ngx_azora_problem_error(r, "?type", "must be 1 to %d types such "
                                    "as payment.completed, separated by "
                                    "commas",
                                    NGX_HTTP_AZORA_JOURNAL_TYPES_MAX);
            return ngx_azora_problem(r, 422, "validation-failed",
                                     "1 value is wrong.");
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_journal_events_type(const u_char *p, const u_char *end)
{
    if (end - p < NGX_HTTP_AZORA_JOURNAL_TYPE_MIN
        || end - p > NGX_HTTP_AZORA_JOURNAL_TYPE_MAX)
    {
        return 0;
    }

    for ( /* void */ ; p < end; p++) {
        if ((*p < 'a' || *p > 'z') && (*p < '0' || *p > '9') && *p != '.'
            && *p != '_' && *p != '-')
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_http_azora_journal_events_full(ngx_http_request_t *r,
    ngx_uint_t connections)
{
    ngx_uint_t  max;

    max = ngx_http_azora_journal_conf->streams;

    if (max == 0) {
        max = ngx_cycle->connection_n / 2;
    }

    if (connections < ngx_http_azora_journal_conf->per_account
        && ngx_http_azora_journal_clients.n < max)
    {
        return NGX_OK;
    }

    ngx_azora_metric_add(ngx_http_azora_journal_conf->refused_metric, 1);

    if (ngx_http_azora_journal_events_later(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_azora_journal_clients.n >= max) {
        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "too-many-streams",
                                 "No more event streams fit in here; try "
                                 "again.");
    }

    return ngx_azora_problem(r, NGX_HTTP_TOO_MANY_REQUESTS,
                             "too-many-streams",
                             "This account follows events on too many "
                             "connections; close one of them.");
}


/* Those who are refused together must not come back together. */

static ngx_int_t
ngx_http_azora_journal_events_later(ngx_http_request_t *r)
{
    ngx_str_t  wait;

    wait.data = ngx_pnalloc(r->pool, NGX_INT_T_LEN);

    if (wait.data == NULL) {
        return NGX_ERROR;
    }

    wait.len = ngx_sprintf(wait.data, "%ui",
                           (ngx_uint_t) (1 + ngx_random() % 5))
               - wait.data;

    return ngx_azora_add_header(r, "Retry-After", &wait);
}


static ngx_int_t
ngx_http_azora_journal_events_begin(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_journal_audience_t *owner,
    ngx_str_t *types)
{
    uint64_t                            size, last;
    ngx_int_t                           rc;
    ngx_uint_t                          given, stale;
    ngx_http_azora_journal_client_t    *client;
    ngx_http_azora_journal_audience_t  *audience;

    last = 0;
    rc = ngx_http_azora_journal_events_last(r, ctx, &last);

    if (rc != NGX_OK && rc != NGX_DECLINED) {
        return rc;
    }

    given = (rc == NGX_OK);
    size = ngx_azora_generation(ngx_http_azora_journal_conf->chronicle);
    stale = (size == 0);

    if (stale) {
        /* nobody listens now: from what was the end when somebody did */
        size = ngx_max(ngx_azora_generation_last(
                           ngx_http_azora_journal_conf->chronicle),
                       ngx_http_azora_journal_ring_size());
    }

    if (size == 0 && !given) {
        /* nor did anybody since this node began, or nothing happened yet */

        if (ngx_http_azora_journal_events_later(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "temporarily-unavailable",
                                 "The log cannot be followed at the moment; "
                                 "try again.");
    }

    rc = ngx_http_azora_journal_events_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->method == NGX_HTTP_HEAD) {
        return rc;
    }

    audience = types->len ? ngx_http_azora_journal_audience_types(types)
                          : ngx_http_azora_journal_audience_account(
                                owner->subject);
    if (audience == NULL) {
        return NGX_ERROR;
    }

    ngx_http_azora_journal_ring_want(size);

    client = ngx_http_azora_journal_client_create(r, audience, owner,
                                                  given ? last + 1 : size);

    ngx_http_azora_journal_audience_release(audience);

    if (client == NULL) {
        return NGX_ERROR;
    }

    /* others may know of more than this node, or less: PostgreSQL decides */

    client->check = stale || (given && last + 1 > size);

    (void) ngx_http_azora_journal_uuid(&ctx->principal.session,
                                       client->session);
    ngx_http_azora_journal_sessions_new();

    r->main->count++;

    return NGX_DONE;
}


/*
 * Without compression, which would hold events back, and over HTTP/1.x without
 * chunks: the connection ends with the stream, and the header is all that is
 * sent as a request (see _events_wire.c).
 */

static ngx_int_t
ngx_http_azora_journal_events_header(ngx_http_request_t *r)
{
    ngx_int_t         rc;
    ngx_str_t         value;
    ngx_uint_t        version;
    ngx_azora_ctx_t  *ctx;

    static const ngx_str_t  type = ngx_string("text/event-stream");

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_set(&value, "no-store");

    if (ngx_azora_add_header(r, "Cache-Control", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* for an NGINX in front of this one */

    ngx_str_set(&value, "no");

    if (ngx_azora_add_header(r, "X-Accel-Buffering", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->replied = 1;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type = type;
    r->headers_out.content_type_len = type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.content_length_n = -1;

#if (NGX_HTTP_GZIP)
    r->gzip_tested = 1;
    r->gzip_ok = 0;
#endif

    if (r->http_version >= NGX_HTTP_VERSION_20
        || r->method == NGX_HTTP_HEAD)
    {
        return ngx_http_send_header(r);
    }

    r->keepalive = 0;
    r->header_only = 1;

    version = r->http_version;
    r->http_version = NGX_HTTP_VERSION_10;

    rc = ngx_http_send_header(r);

    r->http_version = version;

    return (rc == NGX_AGAIN) ? NGX_ERROR : rc;
}
