
/*
 * Changes JSON answers on their way to the client: members are removed or set.
 * An answer that should be changed and cannot be is not sent at all, because
 * what is to be removed may be a secret.
 */


#include "ngx_http_azora_transform.h"


/* the bit of connection->buffered that NGINX gives to filters of images */
#define NGX_HTTP_AZORA_TRANSFORM_BUFFERED  0x08


typedef struct {
    ngx_array_t               *ops;        /* NULL: not given */
    size_t                     max;
} ngx_http_azora_transform_conf_t;


typedef struct {
    ngx_str_t                  body;       /* so far */
    ngx_uint_t                 done;
} ngx_http_azora_transform_ctx_t;


static ngx_int_t ngx_http_azora_transform_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_transform_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_transform_create_conf(ngx_conf_t *cf);
static char *ngx_http_azora_transform_merge_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_azora_transform_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_azora_transform_pointer(ngx_conf_t *cf,
    ngx_http_azora_transform_op_t *op, ngx_str_t *pointer);
static ngx_int_t ngx_http_azora_transform_header(ngx_http_request_t *r);
static ngx_uint_t ngx_http_azora_transform_is_json(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_transform_fail(ngx_http_request_t *r);
static ngx_int_t ngx_http_azora_transform_body(ngx_http_request_t *r,
    ngx_chain_t *in);
static ngx_int_t ngx_http_azora_transform_gather(ngx_http_request_t *r,
    ngx_http_azora_transform_ctx_t *ctx, size_t max, ngx_chain_t *in);
static ngx_int_t ngx_http_azora_transform_all(ngx_http_request_t *r,
    ngx_array_t *ops, ngx_str_t *body);
static ngx_int_t ngx_http_azora_transform_operand(ngx_http_request_t *r,
    ngx_http_azora_transform_op_t *op, ngx_str_t *value);
static ngx_int_t ngx_http_azora_transform_send(ngx_http_request_t *r,
    ngx_str_t *body);


static ngx_command_t  ngx_http_azora_transform_commands[] = {

    { ngx_string("azora_json_remove"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_json_set"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("azora_json_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t, max),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_transform_module_ctx = {
    ngx_http_azora_transform_preconfiguration,   /* preconfiguration */
    ngx_http_azora_transform_postconfiguration,  /* postconfiguration */

    NULL,                                        /* create main conf */
    NULL,                                        /* init main conf */

    NULL,                                        /* create server conf */
    NULL,                                        /* merge server conf */

    ngx_http_azora_transform_create_conf,        /* create location conf */
    ngx_http_azora_transform_merge_conf          /* merge location conf */
};


ngx_module_t  ngx_http_azora_transform_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_transform_module_ctx,  /* module context */
    ngx_http_azora_transform_commands,     /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static const ngx_azora_capability_t  ngx_http_azora_transform_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "transform",
    .about = "Members of JSON answers that are removed or set."
};


static ngx_http_output_header_filter_pt  ngx_http_azora_transform_next_header;
static ngx_http_output_body_filter_pt    ngx_http_azora_transform_next_body;


static ngx_int_t
ngx_http_azora_transform_preconfiguration(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_transform_capability);
}


static ngx_int_t
ngx_http_azora_transform_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_azora_transform_next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_azora_transform_header;

    ngx_http_azora_transform_next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = ngx_http_azora_transform_body;

    return NGX_OK;
}


static void *
ngx_http_azora_transform_create_conf(ngx_conf_t *cf)
{
    ngx_http_azora_transform_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_transform_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->max = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_http_azora_transform_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_azora_transform_conf_t *prev = parent;
    ngx_http_azora_transform_conf_t *conf = child;

    if (conf->ops == NULL) {
        conf->ops = prev->ops;
    }

    ngx_conf_merge_size_value(conf->max, prev->max, 64 * 1024);

    return NGX_CONF_OK;
}


/* azora_json_remove POINTER; azora_json_set POINTER VALUE [json]; */

static char *
ngx_http_azora_transform_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_azora_transform_conf_t *tcf = conf;

    ngx_str_t                         *value;
    ngx_http_azora_transform_op_t     *op;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;

    if (tcf->ops == NULL) {
        tcf->ops = ngx_array_create(cf->pool, 4,
                                    sizeof(ngx_http_azora_transform_op_t));
        if (tcf->ops == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    op = ngx_array_push(tcf->ops);
    if (op == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(op, sizeof(ngx_http_azora_transform_op_t));

    if (ngx_http_azora_transform_pointer(cf, op, &value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no pointer such as /items/*/name, of at "
                           "most %d steps to a member", &value[1],
                           NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 4) {

        if (ngx_strcmp(value[3].data, "json") != 0) {
            return "takes \"json\" or nothing behind the value";
        }

        op->json = 1;
    }

    op->value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (op->value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = op->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* RFC 6901: ~1 is a slash, ~0 a tilde; and "*" is every item of a list */

static ngx_int_t
ngx_http_azora_transform_pointer(ngx_conf_t *cf,
    ngx_http_azora_transform_op_t *op, ngx_str_t *pointer)
{
    u_char     *p, *last, *dst;
    ngx_str_t  *step;

    p = pointer->data;
    last = p + pointer->len;

    while (p < last) {

        if (*p++ != '/' || op->nsteps == NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX) {
            return NGX_ERROR;
        }

        step = &op->steps[op->nsteps++];
        step->data = ngx_pnalloc(cf->pool, last - p + 1);

        if (step->data == NULL) {
            return NGX_ERROR;
        }

        dst = step->data;

        while (p < last && *p != '/') {

            if (*p != '~') {
                *dst++ = *p++;
                continue;
            }

            if (last - p < 2 || (p[1] != '0' && p[1] != '1')) {
                return NGX_ERROR;
            }

            *dst++ = (p[1] == '0') ? '~' : '/';
            p += 2;
        }

        step->len = dst - step->data;
    }

    return op->nsteps ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_azora_transform_header(ngx_http_request_t *r)
{
    ngx_http_azora_transform_ctx_t   *ctx;
    ngx_http_azora_transform_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_transform_module);

    if (conf->ops == NULL || r != r->main
        || !ngx_http_azora_transform_is_json(r)
        || r->headers_out.status == NGX_HTTP_NO_CONTENT
        || r->headers_out.status == NGX_HTTP_NOT_MODIFIED
        || ngx_http_get_module_ctx(r, ngx_http_azora_transform_module))
    {
        return ngx_http_azora_transform_next_header(r);
    }

    if (r->headers_out.content_encoding != NULL
        && r->headers_out.content_encoding->value.len != 0)
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer that is compressed cannot be changed: "
                      "ask for it with \"Accept-Encoding\" empty");
        return ngx_http_azora_transform_fail(r);
    }

    if (r->headers_out.content_length_n > (off_t) conf->max) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer is longer than \"azora_json_max\"");
        return ngx_http_azora_transform_fail(r);
    }

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_etag(r);
    ngx_http_clear_last_modified(r);

    if (r->header_only || r->method == NGX_HTTP_HEAD) {
        return ngx_http_azora_transform_next_header(r);
    }

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_azora_transform_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_azora_transform_module);

    /* the header waits for the body: only then it is known what to say */

    r->main_filter_need_in_memory = 1;
    r->allow_ranges = 0;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_transform_is_json(ngx_http_request_t *r)
{
    size_t  len;

    static ngx_str_t  json = ngx_string("application/json");

    len = r->headers_out.content_type_len;

    return len == json.len
           && ngx_strncasecmp(r->headers_out.content_type.data, json.data,
                              len)
              == 0;
}


static ngx_int_t
ngx_http_azora_transform_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_int_t                         rc;
    ngx_http_azora_transform_ctx_t   *ctx;
    ngx_http_azora_transform_conf_t  *conf;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_transform_module);

    if (ctx == NULL || ctx->done || in == NULL) {
        return ngx_http_azora_transform_next_body(r, in);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_azora_transform_module);

    rc = ngx_http_azora_transform_gather(r, ctx, conf->max, in);

    if (rc == NGX_AGAIN) {
        return NGX_OK;
    }

    ctx->done = 1;

    if (rc == NGX_OK) {
        rc = ngx_http_azora_transform_all(r, conf->ops, &ctx->body);
    }

    if (rc == NGX_OK) {
        return ngx_http_azora_transform_send(r, &ctx->body);
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    return ngx_http_azora_transform_fail(r);
}


/* Without the headers of what is not sent. */

static ngx_int_t
ngx_http_azora_transform_fail(ngx_http_request_t *r)
{
    return ngx_http_filter_finalize_request(r,
                                            &ngx_http_azora_transform_module,
                                            NGX_HTTP_BAD_GATEWAY);
}


/* NGX_AGAIN: there is more to come; NGX_DECLINED: there is too much */

static ngx_int_t
ngx_http_azora_transform_gather(ngx_http_request_t *r,
    ngx_http_azora_transform_ctx_t *ctx, size_t max, ngx_chain_t *in)
{
    size_t      size;
    ngx_buf_t  *b;

    if (ctx->body.data == NULL) {
        ctx->body.data = ngx_pnalloc(r->pool, max);

        if (ctx->body.data == NULL) {
            return NGX_ERROR;
        }
    }

    r->connection->buffered |= NGX_HTTP_AZORA_TRANSFORM_BUFFERED;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        size = b->last - b->pos;

        if (size > max - ctx->body.len) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "azora: an answer is longer than "
                          "\"azora_json_max\"");
            r->connection->buffered &= ~NGX_HTTP_AZORA_TRANSFORM_BUFFERED;
            return NGX_DECLINED;
        }

        ngx_memcpy(ctx->body.data + ctx->body.len, b->pos, size);
        ctx->body.len += size;
        b->pos = b->last;

        if (b->last_buf) {
            r->connection->buffered &= ~NGX_HTTP_AZORA_TRANSFORM_BUFFERED;
            return NGX_OK;
        }
    }

    return NGX_AGAIN;
}


/* NGX_DECLINED: the answer is not what it says it is */

static ngx_int_t
ngx_http_azora_transform_all(ngx_http_request_t *r, ngx_array_t *ops,
    ngx_str_t *body)
{
    ngx_int_t                       rc;
    ngx_str_t                       value, next;
    ngx_uint_t                      i;
    ngx_http_azora_transform_op_t  *op;

    if (body->len == 0) {
        return NGX_OK;
    }

    if (!ngx_http_azora_transform_valid(body)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: an answer that should be changed is no JSON");
        return NGX_DECLINED;
    }

    op = ops->elts;

    for (i = 0; i < ops->nelts; i++) {

        rc = ngx_http_azora_transform_operand(r, &op[i], &value);

        if (rc == NGX_OK) {
            rc = ngx_http_azora_transform_json(r->pool, &op[i], &value, body,
                                               &next);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        *body = next;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_transform_operand(ngx_http_request_t *r,
    ngx_http_azora_transform_op_t *op, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   text;

    ngx_str_null(value);

    if (op->value == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, op->value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op->json) {

        if (!ngx_http_azora_transform_valid(&text)) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "azora: the value of \"azora_json_set\" is no JSON");
            return NGX_DECLINED;
        }

        *value = text;

        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, 6 * text.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_azora_json_quote(p, text.data, text.len) - p;

    /* bytes that are no UTF-8 would make the whole answer none */

    return ngx_http_azora_transform_valid(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_azora_transform_send(ngx_http_request_t *r, ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->headers_out.content_length_n = body->len;

    rc = ngx_http_azora_transform_next_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = body->data;
    b->last = body->data + body->len;
    b->memory = (body->len != 0);
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_azora_transform_next_body(r, &out);
}
