
/*
 * A capability for tests of outgoing calls: each request makes one, and is
 * answered with what became of it.
 */


#include <ngx_azora.h>


typedef struct {
    ngx_http_request_t  *request;
    ngx_azora_fetch_t   *fetch;
} ngx_azora_caller_t;


static ngx_int_t ngx_azora_caller_fetch(ngx_http_request_t *r);
static ngx_int_t ngx_azora_caller_mail(ngx_http_request_t *r);
static ngx_int_t ngx_azora_caller_wait(ngx_azora_caller_t *caller);
static ngx_azora_caller_t *ngx_azora_caller_create(ngx_http_request_t *r);
static void ngx_azora_caller_cleanup(void *data);
static void ngx_azora_caller_done(ngx_azora_fetch_t *fetch, void *data);
static ngx_int_t ngx_azora_caller_answer(ngx_http_request_t *r,
    ngx_azora_fetch_t *fetch);
static ngx_str_t ngx_azora_caller_text(ngx_azora_ctx_t *ctx,
    const char *name);
static ngx_uint_t ngx_azora_caller_number(ngx_azora_ctx_t *ctx,
    const char *name);


#define NGX_AZORA_CALLER_TEXT(name, max)                                      \
    { name, NGX_AZORA_TEXT, 0, 0, max, NULL, NULL, "A text." }

#define NGX_AZORA_CALLER_NUMBER(name)                                         \
    { name, NGX_AZORA_INTEGER, 0, 0, 100000000, NULL, NULL, "A number." }


static const ngx_azora_field_t  ngx_azora_caller_fields[] = {
    NGX_AZORA_CALLER_TEXT("url", 10000),
    NGX_AZORA_CALLER_TEXT("method", 100),
    NGX_AZORA_CALLER_TEXT("header", 1000),
    NGX_AZORA_CALLER_TEXT("body", 100000),
    NGX_AZORA_CALLER_NUMBER("timeout"),
    NGX_AZORA_CALLER_NUMBER("connect_timeout"),
    NGX_AZORA_CALLER_NUMBER("max"),
    NGX_AZORA_CALLER_NUMBER("internal"),
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_caller_mail_fields[] = {
    NGX_AZORA_CALLER_TEXT("url", 1000),
    NGX_AZORA_CALLER_TEXT("user", 100),
    NGX_AZORA_CALLER_TEXT("password", 100),
    NGX_AZORA_CALLER_TEXT("from", 400),
    NGX_AZORA_CALLER_TEXT("to", 400),
    NGX_AZORA_CALLER_TEXT("message", 100000),
    NGX_AZORA_CALLER_NUMBER("plain"),
    NGX_AZORA_END
};


static const ngx_azora_row_t  ngx_azora_caller_rows[] = {
    { .method = NGX_HTTP_POST, .path = "/call/fetch",
      .flags = NGX_AZORA_PUBLIC, .fields = ngx_azora_caller_fields,
      .summary = "Calls", .handler = ngx_azora_caller_fetch },
    { .method = NGX_HTTP_POST, .path = "/call/mail",
      .flags = NGX_AZORA_PUBLIC, .fields = ngx_azora_caller_mail_fields,
      .summary = "Sends a mail", .handler = ngx_azora_caller_mail },
    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_azora_call = {
    NGX_AZORA_ABI, "caller", ngx_azora_caller_rows, NULL, NULL, "For tests."
};


NGX_AZORA_MODULE(ngx_azora_caller_module, ngx_azora_call);


ngx_module_t  *ngx_modules[] = { &ngx_azora_caller_module, NULL };
char  *ngx_module_names[] = { "ngx_azora_caller_module", NULL };

/* the core's configuration is made before ours */
char  *ngx_module_order[] = {
    "ngx_http_azora_module", "ngx_azora_caller_module", NULL
};


static ngx_int_t
ngx_azora_caller_fetch(ngx_http_request_t *r)
{
    ngx_str_t                   headers[2];
    ngx_azora_ctx_t            *ctx;
    ngx_azora_caller_t         *caller;
    ngx_azora_fetch_request_t   request;

    ctx = ngx_azora_get_ctx(r);
    caller = ngx_azora_caller_create(r);

    if (ctx == NULL || caller == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&request, sizeof(request));

    ngx_str_set(&headers[0], "X-Probe: yes");
    headers[1] = ngx_azora_caller_text(ctx, "header");

    request.url = ngx_azora_caller_text(ctx, "url");
    request.method = ngx_azora_caller_text(ctx, "method");
    request.body = ngx_azora_caller_text(ctx, "body");
    request.headers = headers;
    request.nheaders = headers[1].len ? 2 : 1;
    request.timeout = ngx_azora_caller_number(ctx, "timeout");
    request.connect_timeout = ngx_azora_caller_number(ctx, "connect_timeout");
    request.response_max = ngx_azora_caller_number(ctx, "max");
    request.flags = ngx_azora_caller_number(ctx, "internal")
                    ? NGX_AZORA_FETCH_INTERNAL : 0;

    caller->fetch = ngx_azora_fetch(&request, ngx_azora_caller_done, caller);

    return ngx_azora_caller_wait(caller);
}


static ngx_int_t
ngx_azora_caller_mail(ngx_http_request_t *r)
{
    ngx_str_t            to[2];
    ngx_azora_ctx_t     *ctx;
    ngx_azora_mail_t     mail;
    ngx_azora_caller_t  *caller;

    ctx = ngx_azora_get_ctx(r);
    caller = ngx_azora_caller_create(r);

    if (ctx == NULL || caller == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&mail, sizeof(mail));

    to[0] = ngx_azora_caller_text(ctx, "to");
    ngx_str_set(&to[1], "archive@example.org");

    mail.url = ngx_azora_caller_text(ctx, "url");
    mail.user = ngx_azora_caller_text(ctx, "user");
    mail.password = ngx_azora_caller_text(ctx, "password");
    mail.from = ngx_azora_caller_text(ctx, "from");
    mail.to = to;
    mail.nto = 2;
    mail.message = ngx_azora_caller_text(ctx, "message");
    mail.flags = NGX_AZORA_FETCH_INTERNAL
                 | (ngx_azora_caller_number(ctx, "plain")
                    ? NGX_AZORA_FETCH_PLAIN : 0);

    caller->fetch = ngx_azora_send_mail(&mail, ngx_azora_caller_done, caller);

    return ngx_azora_caller_wait(caller);
}


static ngx_int_t
ngx_azora_caller_wait(ngx_azora_caller_t *caller)
{
    if (caller->fetch == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    caller->request->main->count++;
    caller->request->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


static ngx_azora_caller_t *
ngx_azora_caller_create(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cleanup;
    ngx_azora_caller_t  *caller;

    cleanup = ngx_pool_cleanup_add(r->pool, sizeof(ngx_azora_caller_t));
    if (cleanup == NULL) {
        return NULL;
    }

    caller = cleanup->data;
    caller->request = r;
    caller->fetch = NULL;
    cleanup->handler = ngx_azora_caller_cleanup;

    return caller;
}


static void
ngx_azora_caller_cleanup(void *data)
{
    ngx_azora_caller_t *caller = data;

    if (caller->fetch) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: cancelled");
        ngx_azora_fetch_cancel(caller->fetch);
    }
}


static void
ngx_azora_caller_done(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_azora_caller_t *caller = data;

    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = caller->request;
    c = r->connection;

    caller->fetch = NULL;

    if (ngx_azora_fetch_status(fetch) == NGX_AZORA_FETCH_ENDED) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "probe: ended");
        return;
    }

    rc = ngx_azora_caller_answer(r, fetch);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_azora_caller_answer(ngx_http_request_t *r, ngx_azora_fetch_t *fetch)
{
    u_char      *p;
    ngx_str_t    body, type, text, header;
    const char  *reason;

    body = ngx_azora_fetch_body(fetch);
    reason = ngx_azora_fetch_reason(fetch);
    ngx_str_null(&header);

    (void) ngx_azora_fetch_header(fetch, "x-answer", &header);

    p = ngx_pnalloc(r->pool, 200 + 6 * (body.len + header.len)
                             + 6 * ngx_strlen(reason));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;

    p = ngx_sprintf(p, "{\"status\":\"%s\",\"code\":%ui,\"reason\":",
                    ngx_azora_fetch_status_name(ngx_azora_fetch_status(fetch)),
                    ngx_azora_fetch_code(fetch));
    p = ngx_azora_json_quote(p, (u_char *) reason, ngx_strlen(reason));
    p = ngx_sprintf(p, ",\"header\":");
    p = ngx_azora_json_quote(p, header.data, header.len);
    p = ngx_sprintf(p, ",\"body\":");
    p = ngx_azora_json_quote(p, body.data, body.len);
    *p++ = '}';

    text.len = p - text.data;

    ngx_str_set(&type, "application/json");

    return ngx_azora_send(r, NGX_HTTP_OK, &type, &text);
}


static ngx_str_t
ngx_azora_caller_text(ngx_azora_ctx_t *ctx, const char *name)
{
    ngx_str_t           none = ngx_null_string;
    ngx_azora_value_t  *value;

    value = ngx_azora_value(ctx, name);

    return value ? value->text : none;
}


static ngx_uint_t
ngx_azora_caller_number(ngx_azora_ctx_t *ctx, const char *name)
{
    ngx_int_t  n;
    ngx_str_t  text;

    text = ngx_azora_caller_text(ctx, name);
    n = text.len ? ngx_atoi(text.data, text.len) : 0;

    return n > 0 ? n : 0;
}
