
/*
 * The guard: what NGINX lets through and Azora does not.
 *
 * How many header fields a request may have; whether the path is written as
 * it is meant; and how long a body may take as a whole, because NGINX
 * measures only the time between two pieces of it.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_GUARD_AGAIN_MS     1000

/* RFC 6585, section 5; NGINX's constant is 494 and becomes 400 */
#define NGX_AZORA_HEADERS_TOO_LARGE  431


static ngx_int_t ngx_azora_guard_fields(ngx_http_request_t *r,
    ngx_uint_t max);
static ngx_uint_t ngx_azora_guard_path(const u_char *p, const u_char *last);
static ngx_int_t ngx_azora_guard_hex(const u_char *p, const u_char *last);
static ngx_int_t ngx_azora_guard_body(ngx_http_request_t *r,
    ngx_msec_t timeout);
static void ngx_azora_guard_late(ngx_event_t *ev);
static void ngx_azora_guard_cleanup(void *data);


ngx_int_t
ngx_azora_guard_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    u_char                *last;
    ngx_int_t              rc;
    ngx_azora_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    if (alcf->headers_max != 0) {
        rc = ngx_azora_guard_fields(r, alcf->headers_max);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (alcf->path_strict) {
        last = r->unparsed_uri.data + r->unparsed_uri.len;

        if (ngx_azora_guard_path(r->unparsed_uri.data, last)) {
            return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST, "bad-request",
                                     "The path must be written as it is "
                                     "meant: no empty or dot segments, no "
                                     "encoded dots, slashes or control "
                                     "characters.");
        }
    }

    return alcf->body_timeout ? ngx_azora_guard_body(r, alcf->body_timeout)
                              : NGX_OK;
}


/*
 * The sizes of the buffers bound their bytes, but one can make thousands of
 * fields of them, and fields are looked for one after the other.
 */

static ngx_int_t
ngx_azora_guard_fields(ngx_http_request_t *r, ngx_uint_t max)
{
    ngx_uint_t        n;
    ngx_list_part_t  *part;

    n = 0;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        n += part->nelts;
    }

    if (n <= max) {
        return NGX_OK;
    }

    return ngx_azora_problem(r, NGX_AZORA_HEADERS_TOO_LARGE,
                             "headers-too-large",
                             "A request may have %ui header fields.", max);
}


/*
 * Whether a server behind could read another path than NGINX did: NGINX
 * matches locations by the decoded path without dot segments, but a proxied
 * request carries the path as the client wrote it.
 */

static ngx_uint_t
ngx_azora_guard_path(const u_char *p, const u_char *last)
{
    u_char        ch;
    size_t        dots;
    ngx_int_t     hex;
    ngx_uint_t    other;

    dots = 0;
    other = 1;

    for ( /* void */ ; p < last && *p != '?' && *p != '#'; p++) {

        ch = *p;

        if (ch == '%') {
            hex = ngx_azora_guard_hex(p, last);

            /* a dot has no need to be encoded (RFC 3986, section 2.3) */

            if (hex < 0x20 || hex == 0x7f || hex == '/' || hex == '\\'
                || hex == '.')
            {
                return 1;
            }

            p += 2;
            other = 1;
            continue;
        }

        if (ch < 0x20 || ch == 0x7f || ch == '\\') {
            return 1;
        }

        if (ch == '/') {

            if (!other) {
                /* "//", "/./" or "/../" */
                return 1;
            }

            dots = 0;
            other = 0;
            continue;
        }

        if (ch == '.' && !other && dots < 2) {
            dots++;
            continue;
        }

        other = 1;
    }

    return !other && dots != 0;
}


/* The byte that %XX stands for, below 0: none */

static ngx_int_t
ngx_azora_guard_hex(const u_char *p, const u_char *last)
{
    return (last - p < 3) ? NGX_ERROR : ngx_hextoi((u_char *) p + 1, 2);
}


static ngx_int_t
ngx_azora_guard_body(ngx_http_request_t *r, ngx_msec_t timeout)
{
    off_t                length;
    ngx_event_t         *ev;
    ngx_pool_cleanup_t  *cln;

    length = r->headers_in.content_length_n;

    if (!r->headers_in.chunked
        && length <= r->header_in->last - r->header_in->pos)
    {
        /* none, or it came with the header */
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_event_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ev = cln->data;
    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_azora_guard_late;
    ev->data = r->connection;
    ev->log = r->connection->log;

    cln->handler = ngx_azora_guard_cleanup;

    ngx_add_timer(ev, timeout);

    return NGX_OK;
}


/* What happens is what would if no piece had come for client_body_timeout. */

static void
ngx_azora_guard_late(ngx_event_t *ev)
{
    ngx_event_t         *rev;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    rev = c->read;

    r = c->data;
    r = r->main;

    if (r->request_body == NULL && !r->discard_body) {
        /* nobody asked for it yet: the client is not to blame */
        ngx_add_timer(ev, NGX_AZORA_GUARD_AGAIN_MS);
        return;
    }

    if (r->request_body != NULL && r->request_body->rest == 0
        && !r->discard_body)
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "azora: the body takes longer than \"azora_body_timeout\"");

    rev->timedout = 1;
    rev->handler(rev);
}


static void
ngx_azora_guard_cleanup(void *data)
{
    ngx_event_t *ev = data;

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }
}
