
/*
 * Validation: the path, the query and the body become the row's typed
 * parameters, or one problem names everything that is wrong with them.
 *
 * An error's pointer is a JSON pointer into the body (RFC 6901: "/to",
 * "/milestones/0/amount"), "?limit" for a parameter of the query and "{id}"
 * for one of the path.  A malformed path parameter is such an error too, not a
 * 404: nothing was looked for.
 *
 * null is the same as absent.  What the row does not name is refused, so that
 * a misspelt optional member is not silently ignored.  Values never appear in
 * an error: they may be secrets.
 */


#include "ngx_azora_field.h"




static ngx_int_t ngx_azora_field_path(ngx_azora_validation_t *v);
static ngx_int_t ngx_azora_field_body(ngx_azora_validation_t *v);
static void ngx_azora_field_unknown(ngx_azora_validation_t *v,
    const ngx_azora_field_t *fields, json_t *object);
static ngx_int_t ngx_azora_field_json(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value);
static ngx_int_t ngx_azora_field_string(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value);
static ngx_int_t ngx_azora_field_integer(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value);
static ngx_int_t ngx_azora_field_list(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json);
static ngx_int_t ngx_azora_field_item(ngx_azora_validation_t *v,
    const ngx_azora_field_t *fields, json_t *item);
static ngx_int_t ngx_azora_field_dump(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value);


/* each item of a list without .items */

static const ngx_azora_field_t  ngx_azora_field_list_string = {
    "", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 200, NULL, NULL, NULL
};


ngx_int_t
ngx_azora_validate_stage(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    ngx_azora_validation_t  v;

    if (ctx->endpoint == NULL) {
        return NGX_DECLINED;
    }

    v.request = r;
    v.ctx = ctx;
    v.route = (const ngx_azora_route_t *) ctx->endpoint;
    v.errors = 0;
    v.seen = 0;
    v.len = 0;

    if (ctx->endpoint->nfields > 0) {
        ctx->values = ngx_pcalloc(r->pool, ctx->endpoint->nfields
                                           * sizeof(ngx_azora_value_t));
        if (ctx->values == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_azora_field_path(&v) != NGX_OK
            || ngx_azora_field_body(&v) != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_azora_field_query(&v) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (v.errors == 0) {
        return NGX_OK;
    }

    return ngx_azora_problem(r, 422, "validation-failed",
                             "The request has %ui wrong %s; see errors.",
                             v.errors, v.errors == 1 ? "value" : "values");
}


static ngx_int_t
ngx_azora_field_path(ngx_azora_validation_t *v)
{
    ngx_uint_t                i, position;
    const ngx_azora_field_t  *field;

    for (i = 0; i < v->ctx->endpoint->nfields; i++) {

        position = v->route->positions[i];

        if (position == NGX_AZORA_NONE) {
            continue;
        }

        field = &v->ctx->endpoint->row->fields[i];

        ngx_azora_field_point(v, 0, '{', (u_char *) field->name,
                              ngx_strlen(field->name), '}');

        if (ngx_azora_field_take(v, i, &v->ctx->path_values[position])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_azora_field_take(ngx_azora_validation_t *v, ngx_uint_t i,
    const ngx_str_t *in)
{
    ngx_int_t                 rc;
    ngx_str_t                *out;
    const char               *reason;
    const ngx_azora_field_t  *field;

    field = &v->ctx->endpoint->row->fields[i];
    out = &v->ctx->values[i].text;

    rc = ngx_azora_field_text(v->request->pool, field, in, out, &reason);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_str_null(out);
        ngx_azora_field_wrong(v, field, reason);
        return NGX_OK;
    }

    if (out->data != in->data) {
        return NGX_OK;
    }

    /* a piece of the request line has no NUL behind it */

    out->data = ngx_pnalloc(v->request->pool, in->len + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(out->data, in->data, in->len);
    out->data[in->len] = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_body(ngx_azora_validation_t *v)
{
    json_t                   *body, *json;
    size_t                    known;
    ngx_uint_t                i;
    const ngx_azora_field_t  *field;

    body = v->ctx->body;
    known = 0;

    for (i = 0; i < v->ctx->endpoint->nfields; i++) {

        field = &v->ctx->endpoint->row->fields[i];

        if (!ngx_azora_in_body(field)) {
            continue;
        }

        /* the library takes no object for one without members */
        json = json_object_get(body, field->name);
        known += (json != NULL);

        ngx_azora_field_point(v, 0, '/', (u_char *) field->name,
                              ngx_strlen(field->name), '\0');

        if (ngx_azora_field_json(v, field, json, &v->ctx->values[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (known < json_object_size(body)) {
        v->len = 0;
        ngx_azora_field_unknown(v, v->ctx->endpoint->row->fields, body);
    }

    return NGX_OK;
}


/* Names the members of the object at v->len that are no fields. */

static void
ngx_azora_field_unknown(ngx_azora_validation_t *v,
    const ngx_azora_field_t *fields, json_t *object)
{
    void                     *member;
    size_t                    base;
    const char               *name;
    const ngx_azora_field_t  *field;

    base = v->len;

    for (member = json_object_iter(object);
         member != NULL && v->errors < NGX_AZORA_ERRORS_MAX;
         member = json_object_iter_next(object, member))
    {
        name = json_object_iter_key(member);

        for (field = fields; field->name != NULL; field++) {

            if (ngx_azora_in_body(field)
                && ngx_strcmp(field->name, name) == 0)
            {
                break;
            }
        }

        if (field->name != NULL) {
            continue;
        }

        ngx_azora_field_point(v, base, '/', (u_char *) name,
                              ngx_strlen(name), '\0');
        ngx_azora_field_wrong(v, NULL, "is not known here");
    }

    v->len = base;
}


/* value: NULL for what is inside a list, which is taken as a whole */

static ngx_int_t
ngx_azora_field_json(ngx_azora_validation_t *v, const ngx_azora_field_t *field,
    json_t *json, ngx_azora_value_t *value)
{
    if (json == NULL || json_is_null(json)) {

        if (field->flags & NGX_AZORA_REQUIRED) {
            ngx_azora_field_wrong(v, field, "is required");
        }

        return NGX_OK;
    }

    switch (field->kind) {

    case NGX_AZORA_INTEGER:
        return ngx_azora_field_integer(v, field, json, value);

    case NGX_AZORA_BOOLEAN:

        if (!json_is_boolean(json)) {
            break;
        }

        if (value != NULL) {
            value->json = json;

            if (json_is_true(json)) {
                ngx_str_set(&value->text, "true");

            } else {
                ngx_str_set(&value->text, "false");
            }
        }

        return NGX_OK;

    case NGX_AZORA_LIST:

        if (!json_is_array(json)) {
            break;
        }

        if (ngx_azora_field_list(v, field, json) != NGX_OK) {
            return NGX_ERROR;
        }

        return ngx_azora_field_dump(v, field, json, value);

    case NGX_AZORA_OBJECT:

        if (!json_is_object(json)) {
            break;
        }

        return ngx_azora_field_dump(v, field, json, value);

    default:

        if (!json_is_string(json)) {
            break;
        }

        return ngx_azora_field_string(v, field, json, value);
    }

    if (v->errors < NGX_AZORA_ERRORS_MAX) {
        ngx_azora_problem_error(v->request, v->pointer, "must be %s",
                                ngx_azora_field_json_type(field->kind));
    }

    v->errors++;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_string(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value)
{
    ngx_int_t    rc;
    ngx_str_t    in, out;
    const char  *reason;

    in.data = (u_char *) json_string_value(json);
    in.len = json_string_length(json);

    rc = ngx_azora_field_text(v->request->pool, field, &in, &out, &reason);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {
        ngx_azora_field_wrong(v, field, reason);
        return NGX_OK;
    }

    if (value != NULL) {
        value->text = out;
        value->json = json;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_integer(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, json_t *json, ngx_azora_value_t *value)
{
    u_char      *p;
    const char  *wrong;

    if (!json_is_integer(json)) {
        ngx_azora_field_wrong(v, NULL, "must be an integer");
        return NGX_OK;
    }

    wrong = ngx_azora_field_within(field, json_integer_value(json));

    if (wrong != NULL) {
        ngx_azora_field_wrong(v, field, wrong);
        return NGX_OK;
    }

    if (value == NULL) {
        return NGX_OK;
    }

    p = ngx_pnalloc(v->request->pool, NGX_INT64_LEN + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->json = json;
    value->text.data = p;
    p = ngx_sprintf(p, "%L", (int64_t) json_integer_value(json));
    value->text.len = p - value->text.data;
    *p = '\0';

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_list(ngx_azora_validation_t *v, const ngx_azora_field_t *field,
    json_t *json)
{
    u_char       digits[NGX_SIZE_T_LEN];
    size_t       i, n, base, len;
    json_t      *item;
    ngx_int_t    rc;
    const char  *wrong;

    n = json_array_size(json);
    wrong = ngx_azora_field_within(field, (int64_t) n);

    if (wrong != NULL) {
        ngx_azora_field_wrong(v, field, wrong);
        return NGX_OK;
    }

    base = v->len;

    for (i = 0; i < n && v->errors < NGX_AZORA_ERRORS_MAX; i++) {

        item = json_array_get(json, i);
        len = ngx_sprintf(digits, "%uz", i) - digits;

        ngx_azora_field_point(v, base, '/', digits, len, '\0');

        if (field->items == NULL) {
            rc = ngx_azora_field_json(v, &ngx_azora_field_list_string, item,
                                      NULL);

        } else if (json_is_object(item)) {
            rc = ngx_azora_field_item(v, field->items, item);

        } else {
            ngx_azora_field_wrong(v, NULL, "must be an object");
            continue;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    v->len = base;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_field_item(ngx_azora_validation_t *v,
    const ngx_azora_field_t *fields, json_t *item)
{
    size_t                    base, known;
    json_t                   *json;
    const ngx_azora_field_t  *field;

    base = v->len;
    known = 0;

    for (field = fields; field->name != NULL; field++) {

        json = json_object_get(item, field->name);
        known += (json != NULL);

        ngx_azora_field_point(v, base, '/', (u_char *) field->name,
                              ngx_strlen(field->name), '\0');

        if (ngx_azora_field_json(v, field, json, NULL) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    v->len = base;

    if (known < json_object_size(item)) {
        ngx_azora_field_unknown(v, fields, item);
    }

    return NGX_OK;
}


/* A list or object goes to SQL as compact JSON; nothing when it is wrong. */

static ngx_int_t
ngx_azora_field_dump(ngx_azora_validation_t *v, const ngx_azora_field_t *field,
    json_t *json, ngx_azora_value_t *value)
{
    const char  *wrong;
    ngx_str_t    text;

    if (v->errors > 0 || (value == NULL && field->kind == NGX_AZORA_LIST)) {
        return NGX_OK;
    }

    if (ngx_azora_json_dump(v->request->pool, json, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (field->kind == NGX_AZORA_OBJECT) {
        wrong = ngx_azora_field_within(field, (int64_t) text.len);

        if (wrong != NULL) {
            ngx_azora_field_wrong(v, field, wrong);
            return NGX_OK;
        }
    }

    if (value != NULL) {
        value->text = text;
        value->json = json;
    }

    return NGX_OK;
}
