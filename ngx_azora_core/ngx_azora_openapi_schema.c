
/* Fields as JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1). */


#include "ngx_azora_openapi.h"
#include "ngx_azora_field.h"


static json_t *ngx_azora_api_integer(const ngx_azora_field_t *field,
    ngx_uint_t reply);
static json_t *ngx_azora_api_string(const ngx_azora_field_t *field,
    ngx_uint_t reply);
static json_t *ngx_azora_api_list(const ngx_azora_field_t *field,
    ngx_uint_t reply);
static json_t *ngx_azora_api_nullable(json_t *schema);


typedef struct {
    const char   *format;
    const char   *pattern;
    const char   *example;
    ngx_uint_t    bounded;      /* by the field's min and max */
} ngx_azora_api_kind_t;


/* the kinds that are strings in JSON; others have no line */

static const ngx_azora_api_kind_t  ngx_azora_api_kinds[] = {
    [NGX_AZORA_TEXT] = { NULL, NULL, NULL, 1 },
    [NGX_AZORA_SECRET] = { "password", NULL, NULL, 1 },
    [NGX_AZORA_EMAIL] = { "email", NULL, "amina@example.org", 1 },
    [NGX_AZORA_SLUG] = { NULL, "^[a-z0-9-]+$", "mobile-money-safety", 1 },
    [NGX_AZORA_ADDRESS] = { NULL, NULL, "amina@example.org", 1 },
    [NGX_AZORA_CURRENCY] = { NULL, "^[A-Z0-9]{3,8}$", "AZR", 0 },
    [NGX_AZORA_AMOUNT] =
        { NULL, "^[0-9]{1,15}(\\.[0-9]{1,18})?$", "12.50", 0 },
    [NGX_AZORA_ENUM] = { NULL, NULL, NULL, 0 },
    [NGX_AZORA_UUID] =
        { "uuid", NULL, "019a9c2e-6d3f-7c41-9b8e-2f1d5a7c0e44", 0 },
    [NGX_AZORA_TIME] = { "date-time", NULL, "2026-01-31T08:15:00Z", 0 }
};


/* Bounds and patterns are promises about what we take, not what we give. */

json_t *
ngx_azora_api_schema(const ngx_azora_field_t *field, ngx_uint_t reply)
{
    json_t  *schema;

    switch (field->kind) {

    case NGX_AZORA_INTEGER:
        schema = ngx_azora_api_integer(field, reply);
        break;

    case NGX_AZORA_ANY:
        /* null is a value as well */
        return json_object();

    case NGX_AZORA_BOOLEAN:
        schema = json_pack("{s:s}", "type", "boolean");
        break;

    case NGX_AZORA_LIST:
        schema = ngx_azora_api_list(field, reply);
        break;

    case NGX_AZORA_OBJECT:
        schema = (field->items && reply)
                 ? ngx_azora_api_object(field->items, reply)
                 : json_pack("{s:s}", "type", "object");
        break;

    default:
        schema = ngx_azora_api_string(field, reply);
    }

    if (schema != NULL && (field->flags & NGX_AZORA_NULLABLE)) {
        return ngx_azora_api_nullable(schema);
    }

    return schema;
}


static json_t *
ngx_azora_api_integer(const ngx_azora_field_t *field, ngx_uint_t reply)
{
    int64_t  min, max;

    ngx_azora_field_bounds(field, &min, &max);

    if (reply || min == INT64_MIN) {
        return json_pack("{s:s,s:s}", "type", "integer", "format", "int64");
    }

    return json_pack("{s:s,s:I,s:I}", "type", "integer",
                     "minimum", (json_int_t) min,
                     "maximum", (json_int_t) max);
}


static json_t *
ngx_azora_api_string(const ngx_azora_field_t *field, ngx_uint_t reply)
{
    int                          failed;
    int64_t                      min, max;
    json_t                      *schema;
    const ngx_azora_api_kind_t  *kind;

    kind = &ngx_azora_api_kinds[field->kind];

    schema = json_pack("{s:s}", "type", "string");
    if (schema == NULL) {
        return NULL;
    }

    failed = 0;

    if (kind->format) {
        failed |= json_object_set_new(schema, "format",
                                      json_string(kind->format));
    }

    if (kind->pattern && !reply) {
        failed |= json_object_set_new(schema, "pattern",
                                      json_string(kind->pattern));
    }

    if (field->values) {
        failed |= json_object_set_new(schema, "enum",
                                      ngx_azora_api_words(field->values));
    }

    if (kind->bounded && !reply) {
        ngx_azora_field_bounds(field, &min, &max);

        if (min > 0) {
            failed |= json_object_set_new(schema, "minLength",
                                          json_integer(min));
        }

        failed |= json_object_set_new(schema, "maxLength", json_integer(max));
    }

    if (kind->example) {
        failed |= json_object_set_new(schema, "examples",
                                      json_pack("[s]", kind->example));
    }

    if (failed) {
        json_decref(schema);
        return NULL;
    }

    return schema;
}


static json_t *
ngx_azora_api_list(const ngx_azora_field_t *field, ngx_uint_t reply)
{
    int      failed;
    json_t  *schema, *items;

    if (field->items == NULL) {
        items = json_pack("{s:s}", "type", "string");

    } else if (field->items[0].name && field->items[0].name[0] == '\0') {
        items = ngx_azora_api_schema(field->items, reply);

    } else {
        items = ngx_azora_api_object(field->items, reply);
    }

    schema = json_pack("{s:s,s:o}", "type", "array", "items", items);
    if (schema == NULL) {
        return NULL;
    }

    failed = 0;

    if (field->min && !reply) {
        failed |= json_object_set_new(schema, "minItems",
                                      json_integer(field->min));
    }

    if (field->max && !reply) {
        failed |= json_object_set_new(schema, "maxItems",
                                      json_integer(field->max));
    }

    if (failed) {
        json_decref(schema);
        return NULL;
    }

    return schema;
}


/* "type": "string" becomes "type": ["string", "null"], and so does "enum" */

static json_t *
ngx_azora_api_nullable(json_t *schema)
{
    json_t  *type, *values;

    type = json_pack("[O,s]", json_object_get(schema, "type"), "null");
    values = json_object_get(schema, "enum");

    if (json_object_set_new(schema, "type", type) != 0
        || (values != NULL && json_array_append_new(values, json_null()) != 0))
    {
        json_decref(schema);
        return NULL;
    }

    return schema;
}


json_t *
ngx_azora_api_object(const ngx_azora_field_t *fields, ngx_uint_t reply)
{
    int                       failed;
    json_t                   *object, *properties, *required, *schema;
    ngx_uint_t                needed;
    const ngx_azora_field_t  *f;

    properties = json_object();
    required = json_array();
    failed = 0;

    for (f = fields; f && f->name; f++) {

        if (!reply && !ngx_azora_in_body(f)) {
            continue;
        }

        schema = ngx_azora_api_schema(f, reply);

        if (f->about) {
            failed |= json_object_set_new(schema, "description",
                                          json_string(f->about));
        }

        failed |= json_object_set_new(properties, f->name, schema);

        needed = reply ? !(f->flags & NGX_AZORA_NULLABLE)
                       : (f->flags & NGX_AZORA_REQUIRED);

        if (needed) {
            failed |= json_array_append_new(required, json_string(f->name));
        }
    }

    object = json_pack("{s:s,s:o}", "type", "object",
                       "properties", properties);

    if (!failed && json_array_size(required)) {
        failed |= json_object_set(object, "required", required);
    }

    if (!failed && !reply) {
        /* the validator names unknown members as wrong */
        failed |= json_object_set_new(object, "additionalProperties",
                                      json_false());
    }

    json_decref(required);

    if (failed) {
        json_decref(object);
        return NULL;
    }

    return object;
}


json_t *
ngx_azora_api_words(const char *words)
{
    json_t      *array;
    const char  *end;

    array = json_array();

    for ( /* void */ ; *words != '\0'; words = (*end == '|') ? end + 1 : end) {
        end = words;

        while (*end != '\0' && *end != '|') {
            end++;
        }

        if (json_array_append_new(array, json_stringn(words, end - words))
            != 0)
        {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}
