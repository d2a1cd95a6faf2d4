
/*
 * A capability for tests: rows of every kind, whose handler answers with the
 * values that validation made of the request.
 */


#include <ngx_azora.h>


static ngx_int_t ngx_azora_echo_handler(ngx_http_request_t *r);
static ngx_int_t ngx_azora_echo_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);


static const ngx_azora_field_t  ngx_azora_echo_items[] = {
    { "title", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 20, NULL, NULL,
      "Its title." },
    { "amount", NGX_AZORA_AMOUNT, 0, 0, 0, NULL, NULL, "Its price." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_echo_all[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL,
      "In the path." },
    { "text", NGX_AZORA_TEXT, 0, 0, 50, NULL, NULL, "Text." },
    { "secret", NGX_AZORA_SECRET, 0, 8, 64, NULL, NULL, "A secret." },
    { "email", NGX_AZORA_EMAIL, 0, 0, 0, NULL, NULL, "An e-mail address." },
    { "to", NGX_AZORA_ADDRESS, 0, 0, 0, NULL, NULL, "Whom." },
    { "currency", NGX_AZORA_CURRENCY, 0, 0, 0, NULL, NULL, "A currency." },
    { "amount", NGX_AZORA_AMOUNT, 0, 0, 0, NULL, NULL, "An amount." },
    { "state", NGX_AZORA_ENUM, 0, 0, 0, NULL, "draft|active", "A state." },
    { "count", NGX_AZORA_INTEGER, 0, -10, 10, NULL, NULL, "A number." },
    { "done", NGX_AZORA_BOOLEAN, 0, 0, 0, NULL, NULL, "Whether." },
    { "id", NGX_AZORA_UUID, 0, 0, 0, NULL, NULL, "An id." },
    { "at", NGX_AZORA_TIME, 0, 0, 0, NULL, NULL, "A time." },
    { "items", NGX_AZORA_LIST, 0, 1, 3, ngx_azora_echo_items, NULL,
      "Objects." },
    { "tags", NGX_AZORA_LIST, 0, 0, 3, NULL, NULL, "Strings." },
    { "answers", NGX_AZORA_OBJECT, 0, 0, 0, NULL, NULL, "Anything." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_echo_one[] = {
    { "text", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 50, NULL, NULL,
      "Text." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_echo_made[] = {
    { "made", NGX_AZORA_TEXT, NGX_AZORA_MADE, 0, 0, NULL, NULL, NULL },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_echo_slug[] = {
    { "slug", NGX_AZORA_SLUG, NGX_AZORA_IN_PATH, 0, 0, NULL, NULL,
      "In the path." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_echo_text[] = {
    { "text", NGX_AZORA_TEXT, NGX_AZORA_IN_PATH, 1, 50, NULL, NULL,
      "In the path." },
    NGX_AZORA_END
};


#define NGX_AZORA_ECHO(verb, uri, flag, need, takes, who)                     \
    { .method = NGX_HTTP_##verb, .path = uri, .flags = flag, .scope = need,   \
      .fields = takes, .summary = "Echoes", .roles = who,                     \
      .handler = ngx_azora_echo_handler }


static const ngx_azora_row_t  ngx_azora_echo_rows[] = {
    NGX_AZORA_ECHO(POST, "/echo/all/{slug}", NGX_AZORA_PUBLIC, NULL,
                   ngx_azora_echo_all, NULL),
    NGX_AZORA_ECHO(PATCH, "/echo/all/{slug}", NGX_AZORA_PUBLIC, NULL,
                   ngx_azora_echo_all, NULL),
    NGX_AZORA_ECHO(POST, "/echo/one", NGX_AZORA_PUBLIC, NULL,
                   ngx_azora_echo_one, NULL),
    NGX_AZORA_ECHO(POST, "/echo/none", NGX_AZORA_PUBLIC, NULL, NULL, NULL),
    { .method = NGX_HTTP_POST, .path = "/echo/made",
      .flags = NGX_AZORA_PUBLIC, .fields = ngx_azora_echo_made,
      .summary = "Echoes", .prepare = ngx_azora_echo_prepare,
      .handler = ngx_azora_echo_handler },
    { .method = NGX_HTTP_DELETE, .path = "/echo/made",
      .flags = NGX_AZORA_PUBLIC, .fields = ngx_azora_echo_made,
      .summary = "Echoes", .prepare = ngx_azora_echo_prepare,
      .handler = ngx_azora_echo_handler },
    NGX_AZORA_ECHO(GET, "/echo/none", NGX_AZORA_PUBLIC, NULL, NULL, NULL),
    NGX_AZORA_ECHO(DELETE, "/echo/none", NGX_AZORA_PUBLIC, NULL, NULL, NULL),
    NGX_AZORA_ECHO(GET, "/echo/by/{slug}", NGX_AZORA_PUBLIC, NULL,
                   ngx_azora_echo_slug, NULL),
    NGX_AZORA_ECHO(GET, "/echo/by/name", NGX_AZORA_PUBLIC, NULL, NULL, NULL),
    NGX_AZORA_ECHO(GET, "/echo/text/{text}", NGX_AZORA_PUBLIC, NULL,
                   ngx_azora_echo_text, NULL),
    NGX_AZORA_ECHO(GET, "/echo/user", NGX_AZORA_USER, NULL, NULL, NULL),
    NGX_AZORA_ECHO(GET, "/echo/scope", NGX_AZORA_USER, "wallet:read", NULL,
                   NULL),
    NGX_AZORA_ECHO(GET, "/echo/admin", NGX_AZORA_USER, "admin", NULL, NULL),
    NGX_AZORA_ECHO(GET, "/echo/roles", NGX_AZORA_USER, NULL, NULL,
                   "teacher|admin"),
    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_azora_echo = {
    NGX_AZORA_ABI, "echo", ngx_azora_echo_rows, NULL, NULL, "For tests."
};


NGX_AZORA_MODULE(ngx_azora_echo_module, ngx_azora_echo);


ngx_module_t  *ngx_modules[] = { &ngx_azora_echo_module, NULL };
char  *ngx_module_names[] = { "ngx_azora_echo_module", NULL };

/* the core's configuration is made before ours */
char  *ngx_module_order[] = {
    "ngx_http_azora_module", "ngx_azora_echo_module", NULL
};


static ngx_int_t
ngx_azora_echo_prepare(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_str_t  made = ngx_string("here");

    return ngx_azora_set_value(ctx, "made", &made);
}


/* {"path": "<template>", "values": {"slug": "...", "text": null, ...}} */

static ngx_int_t
ngx_azora_echo_handler(ngx_http_request_t *r)
{
    u_char                   *p;
    size_t                    len;
    ngx_str_t                 body, type, *text;
    ngx_uint_t                i;
    ngx_azora_ctx_t          *ctx;
    const ngx_azora_field_t  *fields;

    ctx = ngx_azora_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    fields = ctx->endpoint->row->fields;
    len = sizeof("{\"path\":\"\",\"values\":{}}") + ctx->endpoint->path.len;

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        len += sizeof("\"\":null,") + ngx_strlen(fields[i].name)
               + 6 * ctx->values[i].text.len + 2;
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    p = ngx_sprintf(p, "{\"path\":\"%V\",\"values\":{", &ctx->endpoint->path);

    for (i = 0; i < ctx->endpoint->nfields; i++) {
        text = &ctx->values[i].text;
        p = ngx_sprintf(p, "%s\"%s\":", i ? "," : "", fields[i].name);

        if (text->data != NULL) {
            p = ngx_azora_json_quote(p, text->data, text->len);

        } else {
            p = ngx_cpymem(p, "null", 4);
        }
    }

    p = ngx_cpymem(p, "}}", 2);
    body.len = p - body.data;

    ngx_str_set(&type, "application/json");

    return ngx_azora_send(r, NGX_HTTP_OK, &type, &body);
}
