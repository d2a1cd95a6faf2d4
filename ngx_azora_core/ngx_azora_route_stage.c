
/*
 * The stages that decide by the row alone: which row it is, and whether this
 * caller may.
 *
 * NGINX has decoded the path already.  An encoded slash (%2F) is data and no
 * separator (RFC 3986, 2.2), but the decoded path cannot tell the two apart,
 * and no value of ours holds a slash: such a path is not found.
 */


#include "ngx_azora_route.h"


static ngx_azora_match_e ngx_azora_route_find(ngx_http_request_t *r,
    ngx_azora_match_t *match);
static ngx_uint_t ngx_azora_route_encoded_slash(ngx_http_request_t *r);
static ngx_int_t ngx_azora_route_allow(ngx_http_request_t *r,
    ngx_uint_t methods);


/*
 * Finds the row and refuses nothing yet: an address that does not exist counts
 * against its caller's limit as any other.
 */

ngx_int_t
ngx_azora_route_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    size_t             size;
    ngx_azora_match_t  match;

    if (ngx_azora_route_find(r, &match) != NGX_AZORA_MATCH_ROW) {
        return NGX_DECLINED;
    }

    ctx->endpoint = match.endpoint;

    if (match.nvalues == 0) {
        return NGX_OK;
    }

    size = match.nvalues * sizeof(ngx_str_t);

    ctx->path_values = ngx_palloc(r->pool, size);
    if (ctx->path_values == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memcpy(ctx->path_values, match.values, size);

    return NGX_OK;
}


/* Answers what has no row: 404, 405 or an OPTIONS request. */

ngx_int_t
ngx_azora_found_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_azora_match_t      match;
    ngx_azora_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    if (!alcf->api || ctx->endpoint != NULL) {
        return NGX_DECLINED;
    }

    if (ngx_azora_route_find(r, &match) == NGX_AZORA_MATCH_NONE) {
        return ngx_azora_problem(r, NGX_HTTP_NOT_FOUND, "not-found",
                                 "There is nothing at this address.");
    }

    if (ngx_azora_route_allow(r, match.methods) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return NGX_HTTP_NO_CONTENT;
    }

    return ngx_azora_problem(r, NGX_HTTP_NOT_ALLOWED, "method-not-allowed",
                             "This address does not take this method; the "
                             "Allow header names those it takes.");
}


static ngx_azora_match_e
ngx_azora_route_find(ngx_http_request_t *r, ngx_azora_match_t *match)
{
    ngx_azora_loc_conf_t   *alcf;
    ngx_azora_main_conf_t  *amcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    if (!alcf->api || ngx_azora_route_encoded_slash(r)) {
        return NGX_AZORA_MATCH_NONE;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_azora_module);

    ngx_azora_route_match(amcf->trie, r->method, &r->uri, match);

    return match->result;
}


static ngx_uint_t
ngx_azora_route_encoded_slash(ngx_http_request_t *r)
{
    u_char  *p, *last;

    if (!r->quoted_uri || !r->valid_unparsed_uri) {
        /* nothing encoded, or the path is no longer the client's */
        return 0;
    }

    p = r->unparsed_uri.data;
    last = p + r->unparsed_uri.len;

    for ( /* void */ ; p < last && *p != '?' && *p != '#'; p++) {

        if (*p == '%' && last - p > 2 && p[1] == '2'
            && (p[2] | 0x20) == 'f')
        {
            return 1;
        }
    }

    return 0;
}


/* RFC 9110, 10.2.1 */

static ngx_int_t
ngx_azora_route_allow(ngx_http_request_t *r, ngx_uint_t methods)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(r->pool, NGX_AZORA_ALLOW_LEN_MAX);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.len = ngx_azora_route_methods(value.data, methods) - value.data;

    return ngx_azora_add_header(r, "Allow", &value);
}


/* The row's token, scope and roles; RFC 6750, 3 and 3.1. */

ngx_int_t
ngx_azora_authorize_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               scope;
    const char             *word, *end;
    const ngx_azora_row_t  *row;

    if (ctx->endpoint == NULL) {
        return NGX_DECLINED;
    }

    row = ctx->endpoint->row;

    if (row->flags & NGX_AZORA_PUBLIC) {
        return NGX_OK;
    }

    if (ctx->principal.subject.len == 0) {
        return ngx_azora_problem(r, NGX_HTTP_UNAUTHORIZED,
                                 "authentication-required",
                                 "This request needs an access token: send "
                                 "Authorization: Bearer with the one that "
                                 "POST /v1/auth/login gives.");
    }

    if (row->scope != NULL) {
        scope.data = (u_char *) row->scope;
        scope.len = ngx_strlen(row->scope);

        rc = ngx_azora_authorize_scope(r, ctx, &scope);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (row->roles == NULL) {
        return NGX_OK;
    }

    for (word = row->roles; /* void */ ; word = end + 1) {

        end = strchr(word, '|');
        len = (end != NULL) ? (size_t) (end - word) : ngx_strlen(word);

        if (ngx_azora_list_has(&ctx->principal.roles, word, len)) {
            return NGX_OK;
        }

        if (end == NULL) {
            break;
        }
    }

    return ngx_azora_problem(r, NGX_HTTP_FORBIDDEN, "forbidden",
                             "None of your roles may do this.");
}


ngx_int_t
ngx_azora_authorize_scope(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    const ngx_str_t *scopes)
{
    u_char     *p, *end, *last;
    ngx_str_t   value;

    last = scopes->data + scopes->len;

    for (p = scopes->data; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, ' ');
        if (end == NULL) {
            end = last;
        }

        if (end > p && !ngx_azora_list_has(&ctx->principal.scope,
                                           (char *) p, end - p))
        {
            goto missing;
        }
    }

    return NGX_OK;

missing:

    value.len = sizeof("Bearer error=\"insufficient_scope\", scope=\"\"") - 1
                + scopes->len;
    value.data = ngx_pnalloc(r->pool, value.len);

    if (value.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_sprintf(value.data, "Bearer error=\"insufficient_scope\", "
                            "scope=\"%V\"", scopes);

    if (ngx_azora_add_header(r, "WWW-Authenticate", &value) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_problem(r, NGX_HTTP_FORBIDDEN, "insufficient-scope",
                             "The access token's scope lacks \"%*s\".",
                             (size_t) (end - p), p);
}
