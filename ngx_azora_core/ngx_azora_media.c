
/*
 * Rows that answer in another media type than JSON as well: which of the two
 * a request wants, and the reply in it.
 *
 * The row names the type ("text/csv") and has a field "format" that takes
 * "json" and the type's second half.  Without the parameter Accept decides.
 * SQL answers the other type as one JSON string and, where there is more, the
 * next page as location.
 */


#include "ngx_azora_private.h"


static ngx_uint_t ngx_azora_media_wanted(ngx_http_request_t *r,
    const ngx_azora_row_t *row, const ngx_str_t *format);
static ngx_uint_t ngx_azora_media_quality(const ngx_str_t *accept,
    const char *type);
static ngx_uint_t ngx_azora_media_match(const u_char *p, const u_char *last,
    const char *type);
static ngx_uint_t ngx_azora_media_q(const u_char *p, const u_char *last);
static ngx_int_t ngx_azora_media_link(ngx_http_request_t *r,
    ngx_azora_reply_t *reply);


ngx_int_t
ngx_azora_media_choose(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t               format, vary;
    ngx_azora_value_t      *value;
    const ngx_azora_row_t  *row;

    row = ctx->endpoint->row;

    if (row->media == NULL) {
        return NGX_OK;
    }

    ngx_str_set(&vary, "Accept");

    if (ngx_azora_add_header(r, "Vary", &vary) != NGX_OK) {
        return NGX_ERROR;
    }

    format.data = (u_char *) strchr(row->media, '/') + 1;
    format.len = ngx_strlen(format.data);

    value = ngx_azora_value(ctx, "format");

    if (value != NULL) {
        ctx->media = (value->text.len == format.len
                      && ngx_memcmp(value->text.data, format.data, format.len)
                         == 0);
        return NGX_OK;
    }

    ctx->media = ngx_azora_media_wanted(r, row, &format);

    return ctx->media ? ngx_azora_set_value(ctx, "format", &format) : NGX_OK;
}


static ngx_uint_t
ngx_azora_media_wanted(ngx_http_request_t *r, const ngx_azora_row_t *row,
    const ngx_str_t *format)
{
    ngx_str_t  accept;

    if (ngx_azora_request_header(r, "Accept", &accept) != NGX_OK) {
        return 0;
    }

    return ngx_azora_media_quality(&accept, row->media)
           > ngx_azora_media_quality(&accept, "application/json");
}


/*
 * RFC 9110, section 12.5.1: the quality that the most specific range gives
 * the type, in thousandths; 0: not wanted.
 */

static ngx_uint_t
ngx_azora_media_quality(const ngx_str_t *accept, const char *type)
{
    const u_char  *p, *end, *last;
    ngx_uint_t     match, best, quality;

    best = 0;
    quality = 0;
    last = accept->data + accept->len;

    for (p = accept->data; p < last; p = end + 1) {

        end = memchr(p, ',', last - p);

        if (end == NULL) {
            end = last;
        }

        while (p < end && (*p == ' ' || *p == '\t')) {
            p++;
        }

        match = ngx_azora_media_match(p, end, type);

        if (match > best) {
            best = match;
            quality = ngx_azora_media_q(p, end);
        }
    }

    return quality;
}


/* 3: the type itself, 2: any of its kind, 1: anything, 0: something else */

static ngx_uint_t
ngx_azora_media_match(const u_char *p, const u_char *last, const char *type)
{
    size_t         len, kind;
    const u_char  *end;

    for (end = p; end < last && *end != ';' && *end != ' '; end++) {
        /* void */
    }

    len = end - p;
    kind = strchr(type, '/') - type + 1;

    if (len == 3 && ngx_memcmp(p, "*/*", 3) == 0) {
        return 1;
    }

    if (len == kind + 1 && p[kind] == '*'
        && ngx_strncasecmp((u_char *) p, (u_char *) type, kind) == 0)
    {
        return 2;
    }

    return (len == ngx_strlen(type)
            && ngx_strncasecmp((u_char *) p, (u_char *) type, len) == 0)
           ? 3 : 0;
}


/* "text/csv;q=0.5" -> 500; 1000 without a weight or with a broken one */

static ngx_uint_t
ngx_azora_media_q(const u_char *p, const u_char *last)
{
    ngx_uint_t  quality, unit;

    for ( /* void */ ; p + 2 < last; p++) {

        if ((*p != ';' && *p != ' ') || (p[1] != 'q' && p[1] != 'Q')
            || p[2] != '=')
        {
            continue;
        }

        p += 3;

        if (p == last || *p != '0') {
            return 1000;
        }

        quality = 0;
        unit = 100;

        for (p += 2; p < last && unit && *p >= '0' && *p <= '9'; p++) {
            quality += unit * (*p - '0');
            unit /= 10;
        }

        return quality;
    }

    return 1000;
}


ngx_int_t
ngx_azora_media_take(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    json_t     *text;
    ngx_int_t   rc;
    ngx_str_t   value;

    if (!ctx->media || ctx->reply.status != NGX_HTTP_OK) {
        return NGX_OK;
    }

    text = json_loadb((char *) ctx->reply.body.data, ctx->reply.body.len,
                      JSON_DECODE_ANY, NULL);

    if (!json_is_string(text)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: \"%V\" answered no text as %s",
                      &ctx->endpoint->label, ctx->endpoint->row->media);
        json_decref(text);
        return NGX_ERROR;
    }

    value.data = (u_char *) json_string_value(text);
    value.len = json_string_length(text);

    rc = ngx_azora_copy(r->pool, &ctx->reply.body, &value);

    json_decref(text);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ctx->reply.type.data = (u_char *) ctx->endpoint->row->media;
    ctx->reply.type.len = ngx_strlen(ctx->endpoint->row->media);
    ngx_str_set(&r->headers_out.charset, "utf-8");

    return ctx->reply.location.len ? ngx_azora_media_link(r, &ctx->reply)
                                   : NGX_OK;
}


/* The next page, which has no place in such a body: RFC 8288, rel "next". */

static ngx_int_t
ngx_azora_media_link(ngx_http_request_t *r, ngx_azora_reply_t *reply)
{
    ngx_str_t  link;

    link.data = ngx_pnalloc(r->pool, reply->location.len
                                     + sizeof("<>; rel=\"next\""));
    if (link.data == NULL) {
        return NGX_ERROR;
    }

    link.len = ngx_sprintf(link.data, "<%V>; rel=\"next\"", &reply->location)
               - link.data;
    reply->location.len = 0;

    return ngx_azora_add_header(r, "Link", &link);
}
