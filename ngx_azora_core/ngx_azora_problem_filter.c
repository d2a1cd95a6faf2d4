
/*
 * Puts a problem in the place of the page that NGINX makes of a refusal: the
 * one a stage gave, or what the status by itself says.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_INSTANCE_MAX  256


static ngx_int_t ngx_azora_problem_header_filter(ngx_http_request_t *r);
static ngx_int_t ngx_azora_problem_body_filter(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_uint_t ngx_azora_problem_wanted(ngx_http_request_t *r);
static ngx_uint_t ngx_azora_problem_of_service(ngx_http_request_t *r);
static ngx_int_t ngx_azora_problem_build(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static const char *ngx_azora_problem_status_name(ngx_uint_t status);
static u_char *ngx_azora_problem_title(u_char *p, const ngx_str_t *name);


typedef struct {
    ngx_uint_t   status;
    const char  *name;
} ngx_azora_status_name_t;


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt    ngx_http_next_body_filter;


static const ngx_azora_status_name_t  ngx_azora_status_names[] = {
    { NGX_HTTP_BAD_REQUEST, "bad-request" },
    { NGX_HTTP_UNAUTHORIZED, "authentication-required" },
    { NGX_HTTP_FORBIDDEN, "forbidden" },
    { NGX_HTTP_NOT_FOUND, "not-found" },
    { NGX_HTTP_NOT_ALLOWED, "method-not-allowed" },
    { NGX_HTTP_REQUEST_TIME_OUT, "request-timeout" },
    { NGX_HTTP_CONFLICT, "conflict" },
    { NGX_HTTP_LENGTH_REQUIRED, "length-required" },
    { NGX_HTTP_PRECONDITION_FAILED, "precondition-failed" },
    { NGX_HTTP_REQUEST_ENTITY_TOO_LARGE, "body-too-large" },
    { NGX_HTTP_REQUEST_URI_TOO_LARGE, "uri-too-long" },
    { NGX_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type" },
    { NGX_HTTP_RANGE_NOT_SATISFIABLE, "range-not-satisfiable" },
    { NGX_HTTP_MISDIRECTED_REQUEST, "misdirected-request" },
    { 422, "validation-failed" },
    { NGX_HTTP_TOO_MANY_REQUESTS, "rate-limited" },
    { NGX_HTTP_REQUEST_HEADER_TOO_LARGE, "headers-too-large" },
    { NGX_HTTP_NOT_IMPLEMENTED, "not-implemented" },
    { NGX_HTTP_BAD_GATEWAY, "bad-gateway" },
    { NGX_HTTP_SERVICE_UNAVAILABLE, "temporarily-unavailable" },
    { NGX_HTTP_GATEWAY_TIME_OUT, "gateway-timeout" },
    { NGX_HTTP_VERSION_NOT_SUPPORTED, "http-version-not-supported" }
};


ngx_int_t
ngx_azora_problem_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_azora_problem_header_filter;

    ngx_http_next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_azora_problem_body_filter;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_problem_header_filter(ngx_http_request_t *r)
{
    ngx_azora_ctx_t  *ctx;

    if (r->headers_out.status < NGX_HTTP_BAD_REQUEST
        || r != r->main
        || !ngx_azora_problem_wanted(r))
    {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL || ctx->replied
        || ngx_azora_problem_build(r, ctx) != NGX_OK)
    {
        return ngx_http_next_header_filter(r);
    }

    ctx->problem_body = 1;

    ngx_str_set(&r->headers_out.content_type, "application/problem+json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    ngx_str_null(&r->headers_out.charset);

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = ctx->reply.body.len;

    return ngx_http_next_header_filter(r);
}


/*
 * NGINX's own pages have text/html and no date; a file that error_page sends
 * has a date, and a page of an upstream has the upstream's status.
 */

static ngx_uint_t
ngx_azora_problem_wanted(ngx_http_request_t *r)
{
    ngx_azora_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_azora_module);

    if (!alcf->problem || r->headers_out.last_modified_time != -1) {
        return 0;
    }

    if (r->headers_out.content_type_len == 0
        && r->headers_out.content_length_n == 0)
    {
        /* NGINX has no page for some statuses, 422 among them */
        return !ngx_azora_problem_of_service(r);
    }

    if (r->headers_out.content_type_len != sizeof("text/html") - 1
        || ngx_strncmp(r->headers_out.content_type.data, "text/html",
                       sizeof("text/html") - 1)
           != 0)
    {
        return 0;
    }

    return !ngx_azora_problem_of_service(r);
}


/*
 * A page of a service stays, but not the one that a filter put in its place,
 * or NGINX when it was done with the service: its header was too long, say.
 */

static ngx_uint_t
ngx_azora_problem_of_service(ngx_http_request_t *r)
{
    if (r->upstream == NULL || r->upstream->headers_in.status_n == 0
        || r->filter_finalize)
    {
        return 0;
    }

#if (NGX_HTTP_CACHE)

    if (r->cached) {
        return 1;
    }

#endif

    return r->upstream->cleanup != NULL;
}


static ngx_int_t
ngx_azora_problem_build(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    u_char               *p, *last;
    size_t                len;
    ngx_str_t             instance;
    ngx_azora_problem_t  *problem;

    problem = &ctx->problem;

    if (problem->status != r->headers_out.status) {
        /* NGINX refused by itself, or changed its mind */
        ngx_memzero(problem, sizeof(ngx_azora_problem_t));
        problem->status = r->headers_out.status;
        problem->name.data = (u_char *)
                             ngx_azora_problem_status_name(problem->status);
        problem->name.len = ngx_strlen(problem->name.data);
    }

    ngx_azora_trace_ensure(r, ctx);

    instance.data = r->unparsed_uri.data;
    last = ngx_strlchr(instance.data, instance.data + r->unparsed_uri.len,
                       '?');
    instance.len = last ? (size_t) (last - instance.data)
                        : r->unparsed_uri.len;
    instance.len = ngx_min(instance.len, NGX_AZORA_INSTANCE_MAX);

    len = sizeof("{\"type\":\"/problems/\",\"title\":\"\",\"status\":,"
                 "\"detail\":,\"instance\":,\"request_id\":,\"errors\":}")
          + 2 * problem->name.len + NGX_AZORA_TITLE_MAX + NGX_INT_T_LEN
          + (size_t) ngx_azora_json_quote(NULL, problem->detail.data,
                                          problem->detail.len)
          + (size_t) ngx_azora_json_quote(NULL, instance.data, instance.len)
          + (size_t) ngx_azora_json_quote(NULL, ctx->request_id.data,
                                          ctx->request_id.len)
          + problem->errors.len + problem->members.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->reply.body.data = p;

    p = ngx_sprintf(p, "{\"type\":\"/problems/%V\",\"title\":\"",
                    &problem->name);
    p = ngx_azora_problem_title(p, &problem->name);
    p = ngx_sprintf(p, "\",\"status\":%ui", problem->status);

    if (problem->detail.len) {
        p = ngx_cpymem(p, ",\"detail\":", sizeof(",\"detail\":") - 1);
        p = ngx_azora_json_quote(p, problem->detail.data,
                                 problem->detail.len);
    }

    if (instance.len) {
        p = ngx_cpymem(p, ",\"instance\":", sizeof(",\"instance\":") - 1);
        p = ngx_azora_json_quote(p, instance.data, instance.len);
    }

    p = ngx_cpymem(p, ",\"request_id\":", sizeof(",\"request_id\":") - 1);
    p = ngx_azora_json_quote(p, ctx->request_id.data, ctx->request_id.len);

    if (problem->errors.len) {
        p = ngx_sprintf(p, ",\"errors\":%V", &problem->errors);
    }

    p = ngx_sprintf(p, "%V}", &problem->members);

    ctx->reply.body.len = p - ctx->reply.body.data;

    return NGX_OK;
}


static const char *
ngx_azora_problem_status_name(ngx_uint_t status)
{
    ngx_uint_t  i, n;

    n = sizeof(ngx_azora_status_names) / sizeof(ngx_azora_status_names[0]);

    for (i = 0; i < n; i++) {
        if (ngx_azora_status_names[i].status == status) {
            return ngx_azora_status_names[i].name;
        }
    }

    return (status < 500) ? "bad-request" : "internal-error";
}


/* The table's title, or the name itself: "no-such-thing" -> "No such thing" */

static u_char *
ngx_azora_problem_title(u_char *p, const ngx_str_t *name)
{
    size_t                           i;
    const ngx_azora_problem_text_t  *text;

    text = ngx_azora_problem_text(name);
    if (text != NULL) {
        return ngx_cpystrn(p, (u_char *) text->title, NGX_AZORA_TITLE_MAX);
    }

    for (i = 0; i < ngx_min(name->len, NGX_AZORA_TITLE_MAX); i++) {
        *p++ = (name->data[i] == '-') ? ' '
               : (i == 0) ? ngx_toupper(name->data[i]) : name->data[i];
    }

    return p;
}


static ngx_int_t
ngx_azora_problem_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_chain_t      *cl;
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);

    if (ctx == NULL || !ctx->problem_body || r != r->main) {
        return ngx_http_next_body_filter(r, in);
    }

    for (cl = in; cl; cl = cl->next) {
        cl->buf->pos = cl->buf->last;
        cl->buf->file_pos = cl->buf->file_last;
    }

    if (ctx->problem_sent) {
        return ngx_http_next_body_filter(r, NULL);
    }

    cl = ngx_azora_chain(r, &ctx->reply.body);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    ctx->problem_sent = 1;

    return ngx_http_next_body_filter(r, cl);
}
