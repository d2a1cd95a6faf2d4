
/*
 * The core's variables, made for the access log: safe inside a JSON string,
 * bounded, and without anything that could identify a token or a person's
 * exact address.
 */


#include "ngx_azora_log.h"


typedef enum {
    NGX_AZORA_VAR_REQUEST_ID = 0,
    NGX_AZORA_VAR_TRACE_ID,
    NGX_AZORA_VAR_SPAN_ID,
    NGX_AZORA_VAR_PARENT_ID,
    NGX_AZORA_VAR_TRACEPARENT,
    NGX_AZORA_VAR_TRACESTATE,
    NGX_AZORA_VAR_ROUTE,
    NGX_AZORA_VAR_SUBJECT,
    NGX_AZORA_VAR_ROLES,
    NGX_AZORA_VAR_SESSION
} ngx_azora_var_e;


static ngx_int_t ngx_azora_var_ids(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_trace_states(ngx_http_request_t *r,
    ngx_str_t *state);
static ngx_int_t ngx_azora_var_ctx(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_var_error_type(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_var_log_level(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_var_status_code(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_var_duration(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_azora_var_log(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_azora_var_set(ngx_http_variable_value_t *v, const u_char *data,
    size_t len);


static ngx_http_variable_t  ngx_azora_variables[] = {

    { ngx_string("azora_request_id"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_REQUEST_ID, 0, 0 },

    { ngx_string("azora_trace_id"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_TRACE_ID, 0, 0 },

    { ngx_string("azora_span_id"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_SPAN_ID, 0, 0 },

    { ngx_string("azora_parent_id"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_PARENT_ID, 0, 0 },

    { ngx_string("azora_traceparent"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_TRACEPARENT, 0, 0 },

    { ngx_string("azora_tracestate"), NULL, ngx_azora_var_ids,
      NGX_AZORA_VAR_TRACESTATE, 0, 0 },

    /* what the stages decide may be asked for before they did */

    { ngx_string("azora_route"), NULL, ngx_azora_var_ctx,
      NGX_AZORA_VAR_ROUTE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_subject"), NULL, ngx_azora_var_ctx,
      NGX_AZORA_VAR_SUBJECT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_roles"), NULL, ngx_azora_var_ctx,
      NGX_AZORA_VAR_ROLES, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_session"), NULL, ngx_azora_var_ctx,
      NGX_AZORA_VAR_SESSION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_error_type"), NULL, ngx_azora_var_error_type,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_log_level"), NULL, ngx_azora_var_log_level,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_status"), NULL, ngx_azora_var_status_code,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_duration_ns"), NULL, ngx_azora_var_duration,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_timestamp"), NULL, ngx_azora_var_log,
      NGX_AZORA_LOG_TIMESTAMP, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_address"), NULL, ngx_azora_var_log,
      NGX_AZORA_LOG_ADDRESS, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("azora_path"), NULL, ngx_azora_var_log,
      NGX_AZORA_LOG_PATH, 0, 0 },

    { ngx_string("azora_log"), NULL, ngx_azora_var_log,
      NGX_AZORA_LOG_LINE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


ngx_int_t
ngx_azora_trace_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_azora_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static void
ngx_azora_var_set(ngx_http_variable_value_t *v, const u_char *data,
    size_t len)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) data;
    v->len = len;
}


static ngx_int_t
ngx_azora_var_ids(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char           *p;
    ngx_str_t         state;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_trace_late_ctx(r);
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_azora_trace_ensure(r, ctx);

    switch (data) {

    case NGX_AZORA_VAR_REQUEST_ID:
        ngx_azora_var_set(v, ctx->request_id.data, ctx->request_id.len);
        break;

    case NGX_AZORA_VAR_TRACE_ID:
        ngx_azora_var_set(v, ctx->trace_id, sizeof(ctx->trace_id));
        break;

    case NGX_AZORA_VAR_SPAN_ID:
        ngx_azora_var_set(v, ctx->span_id, sizeof(ctx->span_id));
        break;

    case NGX_AZORA_VAR_PARENT_ID:
        /* zeros: the trace begins here */
        ngx_azora_var_set(v, ctx->parent_id,
                          ngx_memcmp(ctx->parent_id, "0000000000000000", 16)
                          ? sizeof(ctx->parent_id) : 0);
        break;

    case NGX_AZORA_VAR_TRACESTATE:
        /* belongs to the caller's trace and is worthless in a new one */
        ngx_str_null(&state);

        if (ngx_memcmp(ctx->parent_id, "0000000000000000", 16) != 0
            && ngx_azora_trace_states(r, &state) != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_azora_var_set(v, state.data, state.len);
        break;

    default: /* NGX_AZORA_VAR_TRACEPARENT */
        p = ngx_pnalloc(r->pool, NGX_AZORA_TRACEPARENT_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_azora_trace_parent(ctx, p);
        ngx_azora_var_set(v, p, NGX_AZORA_TRACEPARENT_LEN);
    }

    return NGX_OK;
}


/* Several headers of that name are one list: section 3.3.1.1 of the same. */

static ngx_int_t
ngx_azora_trace_states(ngx_http_request_t *r, ngx_str_t *state)
{
    u_char               *p;
    size_t                len;
    ngx_uint_t            pass;
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at;

    len = 0;
    p = NULL;

    for (pass = 0; pass < 2; pass++) {

        at.part = &r->main->headers_in.headers.part;
        at.i = 0;

        for (h = ngx_azora_header_next(&at); h;
             h = ngx_azora_header_next(&at))
        {
            if (!ngx_azora_header_is(h, "tracestate")) {
                continue;
            }

            if (pass == 0) {
                len += h->value.len + 1;
                continue;
            }

            p = ngx_cpymem(p, h->value.data, h->value.len);
            *p++ = ',';
        }

        if (len == 0) {
            return NGX_OK;
        }

        if (pass == 0) {
            p = ngx_pnalloc(r->pool, len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            state->data = p;
            state->len = len - 1;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_var_ctx(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    const ngx_str_t  *s;
    ngx_azora_ctx_t  *ctx;

    static const ngx_str_t  empty = ngx_null_string;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_azora_module);
    s = &empty;

    if (ctx != NULL) {

        switch (data) {

        case NGX_AZORA_VAR_ROUTE:
            s = ctx->endpoint ? &ctx->endpoint->path : &empty;
            break;

        case NGX_AZORA_VAR_SUBJECT:
            s = &ctx->principal.subject;
            break;

        case NGX_AZORA_VAR_ROLES:
            s = &ctx->principal.roles;
            break;

        default: /* NGX_AZORA_VAR_SESSION */
            s = &ctx->principal.session;
        }
    }

    ngx_azora_var_set(v, s->data, s->len);

    return NGX_OK;
}


/* The problem's name, or the status of an error that has no name. */

static ngx_int_t
ngx_azora_var_error_type(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char           *p;
    ngx_uint_t        status;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_azora_module);
    status = ngx_azora_log_status(r);

    if (status < NGX_HTTP_BAD_REQUEST) {
        ngx_azora_var_set(v, NULL, 0);
        return NGX_OK;
    }

    if (ctx != NULL && ctx->problem.name.len) {
        ngx_azora_var_set(v, ctx->problem.name.data, ctx->problem.name.len);
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_azora_var_set(v, p, ngx_sprintf(p, "%ui", status) - p);

    return NGX_OK;
}


/* $status is "000" when there is none, which is no JSON number. */

static ngx_int_t
ngx_azora_var_status_code(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_azora_var_set(v, p, ngx_sprintf(p, "%ui", ngx_azora_log_status(r)) - p);

    return NGX_OK;
}


static ngx_int_t
ngx_azora_var_log_level(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    ngx_uint_t  status;

    status = ngx_azora_log_status(r);

    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        ngx_azora_var_set(v, (u_char *) "error", 5);

    } else if (status >= NGX_HTTP_BAD_REQUEST) {
        ngx_azora_var_set(v, (u_char *) "warn", 4);

    } else {
        ngx_azora_var_set(v, (u_char *) "info", 4);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_var_duration(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char           *p;
    ngx_azora_ctx_t  *ctx;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_http_get_module_ctx(r->main, ngx_http_azora_module);

    ngx_azora_var_set(v, p,
                      ngx_sprintf(p, "%uL", ngx_azora_trace_duration(r, ctx))
                      - p);

    return NGX_OK;
}


static ngx_int_t
ngx_azora_var_log(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char            *p;
    size_t             len;
    ngx_azora_log_pt   write;

    /* made outside of the pool, to take no more of it than needed */
    static u_char      line[NGX_AZORA_LOG_LINE_MAX];

    write = ngx_azora_log_parts[data];
    len = write(r, line) - line;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, line, len);
    ngx_azora_var_set(v, p, len);

    return NGX_OK;
}
