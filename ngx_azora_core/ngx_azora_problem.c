
/*
 * Problems: every refusal, ours or NGINX's own, leaves as
 * application/problem+json (RFC 9457).
 *
 * A stage gives the reason with ngx_azora_problem() and returns the status;
 * NGINX makes its special response of it, and ngx_azora_problem_filter.c puts
 * the problem in the place of the HTML page.  So a 413 that NGINX answers by
 * itself and a 409 of an SQL function take the same way.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_DETAIL_MAX  1024


static ngx_int_t ngx_azora_problem_challenge(ngx_http_request_t *r,
    const ngx_str_t *name);


/* RFC 6750 3, RFC 9470 3: 401s that another token would mend */
static ngx_keyval_t  ngx_azora_challenges[] = {
    { ngx_string("authentication-required"), ngx_string("Bearer") },
    { ngx_string("reauthentication-required"),
      ngx_string("Bearer error=\"insufficient_user_authentication\"") }
};


ngx_int_t
ngx_azora_problem(ngx_http_request_t *r, ngx_uint_t status, const char *name,
    const char *fmt, ...)
{
    u_char           *p;
    va_list           args;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL || ctx->problem.status) {
        return ctx ? (ngx_int_t) ctx->problem.status : (ngx_int_t) status;
    }

    ctx->problem.status = status;
    ctx->problem.name.data = (u_char *) name;
    ctx->problem.name.len = ngx_strlen(name);

    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_azora_problem_challenge(r, &ctx->problem.name) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    p = ngx_pnalloc(r->pool, NGX_AZORA_DETAIL_MAX);
    if (p == NULL) {
        return status;
    }

    va_start(args, fmt);
    ctx->problem.detail.len = ngx_vslprintf(p, p + NGX_AZORA_DETAIL_MAX, fmt,
                                            args)
                              - p;
    va_end(args);

    ctx->problem.detail.data = p;

    return status;
}


static ngx_int_t
ngx_azora_problem_challenge(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_uint_t  i, n;

    n = sizeof(ngx_azora_challenges) / sizeof(ngx_azora_challenges[0]);

    for (i = 0; i < n; i++) {
        if (ngx_azora_challenges[i].key.len == name->len
            && ngx_memcmp(ngx_azora_challenges[i].key.data, name->data,
                          name->len)
               == 0)
        {
            return ngx_azora_add_header(r, "WWW-Authenticate",
                                        &ngx_azora_challenges[i].value);
        }
    }

    return NGX_OK;
}


void
ngx_azora_problem_error(ngx_http_request_t *r, const char *pointer,
    const char *fmt, ...)
{
    u_char           *p, *last, *detail, *end;
    size_t            len, plen;
    va_list           args;
    ngx_str_t        *errors;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL || ctx->problem.nerrors >= NGX_AZORA_ERRORS_MAX) {
        return;
    }

    detail = ngx_pnalloc(r->pool, NGX_AZORA_DETAIL_MAX);
    if (detail == NULL) {
        return;
    }

    va_start(args, fmt);
    end = ngx_vslprintf(detail, detail + NGX_AZORA_DETAIL_MAX, fmt, args);
    va_end(args);

    errors = &ctx->problem.errors;
    plen = ngx_strlen(pointer);

    len = errors->len + sizeof("[{\"pointer\":,\"detail\":}]")
          + (size_t) ngx_azora_json_quote(NULL, (u_char *) pointer, plen)
          + (size_t) ngx_azora_json_quote(NULL, detail, end - detail);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    last = p;

    if (errors->len) {
        /* the array stays closed, so that it can be used at any time */
        last = ngx_cpymem(last, errors->data, errors->len - 1);
        *last++ = ',';

    } else {
        *last++ = '[';
    }

    last = ngx_cpymem(last, "{\"pointer\":", sizeof("{\"pointer\":") - 1);
    last = ngx_azora_json_quote(last, (u_char *) pointer, plen);
    last = ngx_cpymem(last, ",\"detail\":", sizeof(",\"detail\":") - 1);
    last = ngx_azora_json_quote(last, detail, end - detail);
    *last++ = '}';
    *last++ = ']';

    errors->data = p;
    errors->len = last - p;
    ctx->problem.nerrors++;
}


void
ngx_azora_problem_member(ngx_http_request_t *r, const char *name,
    ngx_str_t *json)
{
    u_char           *p;
    size_t            len;
    ngx_str_t        *members;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return;
    }

    members = &ctx->problem.members;
    len = members->len + ngx_strlen(name) + json->len + sizeof(",\"\":");

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return;
    }

    members->len = ngx_snprintf(p, len, "%V,\"%s\":%V", members, name, json)
                   - p;
    members->data = p;
}


void
ngx_azora_problem_members(ngx_http_request_t *r, json_t *members)
{
    json_t      *value;
    ngx_str_t    json;
    const char  *name;

    json_object_foreach(members, name, value) {

        if (ngx_azora_json_dump(r->pool, value, &json) != NGX_OK) {
            return;
        }

        ngx_azora_problem_member(r, name, &json);
    }
}


ngx_int_t
ngx_azora_problem_from_sql(ngx_http_request_t *r, ngx_uint_t status,
    const ngx_str_t *name, const ngx_str_t *detail, const ngx_str_t *pointer)
{
    size_t     i;
    ngx_str_t  own, where;

    for (i = 0; i < name->len; i++) {
        if (name->data[i] != '-'
            && (name->data[i] < 'a' || name->data[i] > 'z'))
        {
            break;
        }
    }

    if (status < 400 || status > 599 || name->len == 0 || i < name->len
        || ngx_azora_copy(r->pool, &own, name) != NGX_OK
        || ngx_azora_copy(r->pool, &where, pointer) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: no problem can be made of \"%V\", status %ui",
                      name, status);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (where.len) {
        ngx_azora_problem_error(r, (char *) where.data, "%V", detail);
    }

    return ngx_azora_problem(r, status, (char *) own.data, "%V", detail);
}


ngx_int_t
ngx_azora_op_problem(ngx_http_request_t *r, ngx_azora_op_t *op)
{
    u_char      *p;
    json_t      *members;
    ngx_str_t    name, detail, pointer, wait;
    const char  *state;

    state = ngx_azora_op_sqlstate(op);

    switch (ngx_azora_op_status(op)) {

    case NGX_AZORA_OP_REFUSED:
        members = json_loads(ngx_azora_op_members(op), 0, NULL);
        ngx_azora_problem_members(r, members);
        json_decref(members);

        name.data = (u_char *) ngx_azora_op_message(op);
        name.len = ngx_strlen(name.data);
        detail.data = (u_char *) ngx_azora_op_detail(op);
        detail.len = ngx_strlen(detail.data);
        pointer.data = (u_char *) ngx_azora_op_hint(op);
        pointer.len = ngx_strlen(pointer.data);

        return ngx_azora_problem_from_sql(r, ngx_atoi((u_char *) state + 2, 3),
                                          &name, &detail, &pointer);

    case NGX_AZORA_OP_ERROR:

        if (ngx_strncmp(state, "40", 2) != 0     /* deadlock, serialization */
            && ngx_strncmp(state, "53", 2) != 0  /* out of resources */
            && ngx_strncmp(state, "55", 2) != 0  /* lock not available */
            && ngx_strncmp(state, "57", 2) != 0  /* cancelled, shutting down */
            && ngx_strncmp(state, "08", 2) != 0
            && ngx_strcmp(state, "25006") != 0)  /* read-only: a fail-over */
        {
            return ngx_azora_problem(r, NGX_HTTP_INTERNAL_SERVER_ERROR,
                                     "internal-error",
                                     "Something failed here; it is logged "
                                     "under this request id.");
        }

        break;

    default:
        break;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    wait.data = p;
    wait.len = ngx_sprintf(p, "%ui", ngx_azora_op_retry_after(op)) - p;

    (void) ngx_azora_add_header(r, "Retry-After", &wait);

    /* a read that got no answer changed nothing */

    if (!ngx_azora_op_reads(op)
        && (ngx_azora_op_status(op) == NGX_AZORA_OP_TIMEOUT
            || ngx_azora_op_status(op) == NGX_AZORA_OP_LOST))
    {
        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "outcome-unknown",
                                 "The database did not answer in time. Repeat "
                                 "the request with the same Idempotency-Key: "
                                 "it takes effect at most once.");
    }

    return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                             "temporarily-unavailable",
                             "The service is busy or restarting; nothing was "
                             "done. Please try again.");
}
