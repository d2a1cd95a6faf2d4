
/*
 * azora_request_header and azora_response_header: headers that are set,
 * renamed or removed, one directive after the other, on the way to a service
 * and on the way to a client.
 *
 * The name that something is renamed to is cleared first, whether or not there
 * is anything to rename: it then says nothing but what the other one said.
 */


#include "ngx_http_azora_gateway.h"


typedef enum {
    NGX_HTTP_AZORA_GATEWAY_REMOVE = 0,
    NGX_HTTP_AZORA_GATEWAY_SET,
    NGX_HTTP_AZORA_GATEWAY_RENAME
} ngx_http_azora_gateway_action_e;


typedef struct {
    ngx_http_azora_gateway_action_e   action;
    ngx_str_t                         name;
    ngx_str_t                         to;        /* as it is written */
    ngx_http_azora_gateway_name_t     to_lower;
    ngx_uint_t                        prefix;    /* whatever begins with name */
    ngx_http_complex_value_t          value;
} ngx_http_azora_gateway_edit_t;


static ngx_int_t ngx_http_azora_gateway_edit_name(ngx_conf_t *cf,
    ngx_str_t *name, ngx_uint_t prefix, ngx_str_t *lower);
static ngx_int_t ngx_http_azora_gateway_edit_known(ngx_conf_t *cf,
    ngx_http_azora_gateway_edit_t *edit);
static char *ngx_http_azora_gateway_edit_parse(ngx_conf_t *cf,
    ngx_http_azora_gateway_edit_t *edit);
static ngx_uint_t ngx_http_azora_gateway_edited(const ngx_table_elt_t *h,
    const void *data);
static ngx_uint_t ngx_http_azora_gateway_target(const ngx_table_elt_t *h,
    const void *data);
static ngx_uint_t ngx_http_azora_gateway_foreign(const ngx_table_elt_t *h,
    const void *data);
static ngx_int_t ngx_http_azora_gateway_edit_value(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit, ngx_str_t *value);
static ngx_int_t ngx_http_azora_gateway_edit_request(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit);
static void ngx_http_azora_gateway_rename(ngx_list_part_t *part,
    const ngx_http_azora_gateway_edit_t *edit);
static ngx_int_t ngx_http_azora_gateway_edit_response(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit);
static void ngx_http_azora_gateway_occupy(ngx_http_request_t *r,
    const ngx_http_azora_gateway_edit_t *edit);


/* what frames a message or names its host is NGINX's own business */

static const char *const  ngx_http_azora_gateway_framing[] = {
    "connection", "content-length", "content-type", "expect", "host",
    "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", NULL
};


/* NGINX looks for these by pointer, too */

static const size_t  ngx_http_azora_gateway_known[] = {
    offsetof(ngx_http_headers_out_t, server),
    offsetof(ngx_http_headers_out_t, date),
    offsetof(ngx_http_headers_out_t, content_encoding),
    offsetof(ngx_http_headers_out_t, location),
    offsetof(ngx_http_headers_out_t, refresh),
    offsetof(ngx_http_headers_out_t, last_modified),
    offsetof(ngx_http_headers_out_t, www_authenticate),
    offsetof(ngx_http_headers_out_t, expires),
    offsetof(ngx_http_headers_out_t, etag)
};


/* NGINX writes these itself where nothing stands in their place */

static struct {
    size_t            offset;
    ngx_table_elt_t   nothing;     /* is not sent: its hash is 0 */
} ngx_http_azora_gateway_own[] = {
    { offsetof(ngx_http_headers_out_t, server),
      { .key = ngx_string("Server") } },
    { offsetof(ngx_http_headers_out_t, date),
      { .key = ngx_string("Date") } }
};


/* azora_..._header set NAME VALUE | rename NAME NAME | remove NAME[*]; */

char *
ngx_http_azora_gateway_edit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    char                            *rv;
    ngx_array_t                    **edits;
    ngx_http_azora_gateway_edit_t   *edit;

    edits = (ngx_array_t **) (p + cmd->offset);

    if (*edits == NULL) {
        *edits = ngx_array_create(cf->pool, 4,
                                  sizeof(ngx_http_azora_gateway_edit_t));
        if (*edits == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    edit = ngx_array_push(*edits);
    if (edit == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(edit, sizeof(ngx_http_azora_gateway_edit_t));

    rv = ngx_http_azora_gateway_edit_parse(cf, edit);

    if (rv != NGX_CONF_OK && rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" %s", &cmd->name, rv);
        return NGX_CONF_ERROR;
    }

    return rv;
}


static char *
ngx_http_azora_gateway_edit_parse(ngx_conf_t *cf,
    ngx_http_azora_gateway_edit_t *edit)
{
    ngx_str_t                         *value;
    ngx_uint_t                         n;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;
    n = cf->args->nelts;
    edit->name = value[2];

    if (ngx_strcmp(value[1].data, "remove") == 0 && n == 3) {
        edit->action = NGX_HTTP_AZORA_GATEWAY_REMOVE;

        if (edit->name.len > 1 && edit->name.data[edit->name.len - 1] == '*') {
            edit->name.len--;
            edit->prefix = 1;
        }

    } else if (ngx_strcmp(value[1].data, "set") == 0 && n == 4) {
        edit->action = NGX_HTTP_AZORA_GATEWAY_SET;
        edit->to = edit->name;

    } else if (ngx_strcmp(value[1].data, "rename") == 0 && n == 4) {
        edit->action = NGX_HTTP_AZORA_GATEWAY_RENAME;
        edit->to = value[3];

    } else {
        return "takes set NAME VALUE, rename NAME NAME or remove NAME";
    }

    if (ngx_http_azora_gateway_edit_name(cf, &edit->name, edit->prefix, NULL)
        != NGX_OK
        || (edit->to.len
            && ngx_http_azora_gateway_edit_name(cf, &edit->to, 0,
                                                &edit->to_lower.text)
               != NGX_OK))
    {
        return "takes names of headers, and none that frames a message";
    }

    ngx_http_azora_gateway_name_init(&edit->to_lower);

    if (edit->action == NGX_HTTP_AZORA_GATEWAY_RENAME
        && ngx_http_azora_gateway_edit_known(cf, edit) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (edit->action != NGX_HTTP_AZORA_GATEWAY_SET) {
        return NGX_CONF_OK;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[3];
    ccv.complex_value = &edit->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/*
 * The same renaming of several locations has one new name, by whose address it
 * knows what it put there itself.
 */

static ngx_int_t
ngx_http_azora_gateway_edit_known(ngx_conf_t *cf,
    ngx_http_azora_gateway_edit_t *edit)
{
    ngx_uint_t                           i;
    ngx_array_t                         *known;
    ngx_http_azora_gateway_edit_t       *other;
    ngx_http_azora_gateway_main_conf_t  *gmcf;

    gmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_azora_gateway_module);
    known = &gmcf->renames;

    if (known->elts == NULL
        && ngx_array_init(known, cf->pool, 4,
                          sizeof(ngx_http_azora_gateway_edit_t))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    other = known->elts;

    for (i = 0; i < known->nelts; i++) {
        if (other[i].name.len == edit->name.len
            && ngx_strncasecmp(other[i].name.data, edit->name.data,
                               edit->name.len)
               == 0
            && ngx_strcmp(other[i].to_lower.text.data,
                          edit->to_lower.text.data)
               == 0)
        {
            edit->to_lower = other[i].to_lower;
            return NGX_OK;
        }
    }

    other = ngx_array_push(known);
    if (other == NULL) {
        return NGX_ERROR;
    }

    *other = *edit;

    return NGX_OK;
}


/* RFC 9110, 5.1: a token, or how some begin; lower NULL: not wanted */

static ngx_int_t
ngx_http_azora_gateway_edit_name(ngx_conf_t *cf, ngx_str_t *name,
    ngx_uint_t prefix, ngx_str_t *lower)
{
    u_char       ch;
    size_t       len;
    ngx_uint_t   i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if (!((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
              || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_'))
        {
            return NGX_ERROR;
        }
    }

    for (i = 0; ngx_http_azora_gateway_framing[i]; i++) {
        len = ngx_strlen(ngx_http_azora_gateway_framing[i]);

        if ((name->len == len || (prefix && name->len < len))
            && ngx_strncasecmp(name->data,
                               (u_char *) ngx_http_azora_gateway_framing[i],
                               name->len)
               == 0)
        {
            return NGX_ERROR;
        }
    }

    if (name->len == 0) {
        return NGX_ERROR;
    }

    if (lower == NULL) {
        return NGX_OK;
    }

    lower->data = ngx_pnalloc(cf->pool, name->len + 1);
    if (lower->data == NULL) {
        return NGX_ERROR;
    }

    lower->len = name->len;
    ngx_strlow(lower->data, name->data, name->len);
    lower->data[name->len] = '\0';

    return NGX_OK;
}


static ngx_uint_t
ngx_http_azora_gateway_edited(const ngx_table_elt_t *h, const void *data)
{
    const ngx_http_azora_gateway_edit_t *edit = data;

    return (h->key.len == edit->name.len
            || (edit->prefix && h->key.len > edit->name.len))
           && ngx_strncasecmp(h->key.data, edit->name.data, edit->name.len)
              == 0;
}


/* what is removed has no other name */

static ngx_uint_t
ngx_http_azora_gateway_target(const ngx_table_elt_t *h, const void *data)
{
    const ngx_http_azora_gateway_edit_t *edit = data;

    return edit->to.len && ngx_azora_header_is(h, (char *) edit->to.data);
}


/* of that name, and not renamed to it in an earlier location */

static ngx_uint_t
ngx_http_azora_gateway_foreign(const ngx_table_elt_t *h, const void *data)
{
    const ngx_http_azora_gateway_edit_t *edit = data;

    return h->lowcase_key != edit->to_lower.text.data
           && ngx_http_azora_gateway_target(h, data);
}


/*
 * A variable may hold what a client sent in an escaped form: what would begin
 * a header of its own is worth nothing.
 */

static ngx_int_t
ngx_http_azora_gateway_edit_value(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit, ngx_str_t *value)
{
    size_t  i;

    if (ngx_http_complex_value(r, &edit->value, value) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if ((value->data[i] < 0x20 && value->data[i] != '\t')
            || value->data[i] == 0x7f)
        {
            ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                          "azora: the header \"%V\" is left away: its value "
                          "holds control characters", &edit->to);
            value->len = 0;
            break;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_gateway_edit_requests(ngx_http_request_t *r,
    const ngx_array_t *edits)
{
    ngx_uint_t                      i;
    ngx_http_azora_gateway_edit_t  *edit;

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        if (ngx_http_azora_gateway_edit_request(r, &edit[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_edit_request(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit)
{
    ngx_str_t                       value;
    ngx_http_azora_gateway_drop_pt  cleared;

    switch (edit->action) {

    case NGX_HTTP_AZORA_GATEWAY_REMOVE:
        return ngx_http_azora_gateway_drop(r, ngx_http_azora_gateway_edited,
                                           edit);

    case NGX_HTTP_AZORA_GATEWAY_SET:

        /* which may be made of what is about to go */

        if (ngx_http_azora_gateway_edit_value(r, edit, &value) != NGX_OK
            || ngx_http_azora_gateway_drop(r, ngx_http_azora_gateway_target,
                                           edit)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        return value.len ? ngx_http_azora_gateway_push(r, &edit->to_lower,
                                                       &value)
                         : NGX_OK;

    default:

        cleared = ngx_http_azora_gateway_any(r, ngx_http_azora_gateway_edited,
                                             edit)
                  ? ngx_http_azora_gateway_target
                  : ngx_http_azora_gateway_foreign;

        if (ngx_http_azora_gateway_drop(r, cleared, edit) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_azora_gateway_rename(&r->headers_in.headers.part, edit);

        return NGX_OK;
    }
}


static void
ngx_http_azora_gateway_rename(ngx_list_part_t *part,
    const ngx_http_azora_gateway_edit_t *edit)
{
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at = { part, 0 };

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (h->hash == 0 || !ngx_http_azora_gateway_edited(h, edit)) {
            continue;
        }

        h->key = edit->to;
        h->lowcase_key = edit->to_lower.text.data;
        h->hash = edit->to_lower.hash;
    }
}


ngx_int_t
ngx_http_azora_gateway_edit_responses(ngx_http_request_t *r,
    const ngx_array_t *edits)
{
    ngx_uint_t                      i;
    ngx_http_azora_gateway_edit_t  *edit;

    edit = edits->elts;

    for (i = 0; i < edits->nelts; i++) {
        if (ngx_http_azora_gateway_edit_response(r, &edit[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_http_azora_gateway_occupy(r, &edit[i]);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_gateway_edit_response(ngx_http_request_t *r,
    ngx_http_azora_gateway_edit_t *edit)
{
    ngx_str_t  value;

    if (edit->action == NGX_HTTP_AZORA_GATEWAY_REMOVE) {
        ngx_http_azora_gateway_forget(r, ngx_http_azora_gateway_edited, edit,
                                      1);
        return NGX_OK;
    }

    if (edit->action == NGX_HTTP_AZORA_GATEWAY_RENAME) {
        ngx_http_azora_gateway_forget(r, ngx_http_azora_gateway_target, edit,
                                      1);
        ngx_http_azora_gateway_forget(r, ngx_http_azora_gateway_edited, edit,
                                      0);
        ngx_http_azora_gateway_rename(&r->headers_out.headers.part, edit);
        return NGX_OK;
    }

    if (ngx_http_azora_gateway_edit_value(r, edit, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_azora_gateway_forget(r, ngx_http_azora_gateway_target, edit, 1);

    return value.len ? ngx_azora_add_header(r, (char *) edit->to.data, &value)
                     : NGX_OK;
}


/* After an edit of what NGINX would otherwise write itself. */

static void
ngx_http_azora_gateway_occupy(ngx_http_request_t *r,
    const ngx_http_azora_gateway_edit_t *edit)
{
    ngx_uint_t        k;
    ngx_table_elt_t  *own, *told, **place;

    for (k = 0; k < sizeof(ngx_http_azora_gateway_own)
                    / sizeof(ngx_http_azora_gateway_own[0]); k++)
    {
        own = &ngx_http_azora_gateway_own[k].nothing;

        if (!ngx_http_azora_gateway_edited(own, edit)
            && !ngx_http_azora_gateway_target(own, edit))
        {
            continue;
        }

        place = (ngx_table_elt_t **) ((u_char *) &r->headers_out
                                 + ngx_http_azora_gateway_own[k].offset);
        told = ngx_http_azora_gateway_told(r, &own->key);

        *place = told ? told : own;
    }
}


void
ngx_http_azora_gateway_forget(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data, ngx_uint_t erase)
{
    ngx_uint_t            k;
    ngx_table_elt_t      *h, **known;
    ngx_azora_headers_t   at = { &r->headers_out.headers.part, 0 };

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (h->hash == 0 || !drop(h, data)) {
            continue;
        }

        if (erase) {
            h->hash = 0;
        }

        for (k = 0; k < sizeof(ngx_http_azora_gateway_known)
                        / sizeof(size_t); k++)
        {
            known = (ngx_table_elt_t **) ((u_char *) &r->headers_out
                                          + ngx_http_azora_gateway_known[k]);

            if (*known == h) {
                *known = NULL;
            }
        }

        if (ngx_azora_header_is(h, "Last-Modified")) {
            r->headers_out.last_modified_time = -1;
        }
    }
}
