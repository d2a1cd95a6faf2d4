
/* A row as an OpenAPI operation. */


#include "ngx_azora_openapi.h"


static json_t *ngx_azora_api_parameters(const ngx_azora_row_t *row);
static json_t *ngx_azora_api_parameter(const ngx_azora_field_t *field);
static json_t *ngx_azora_api_body(const ngx_azora_row_t *row);
static json_t *ngx_azora_api_description(const ngx_azora_row_t *row,
    const char *summary);
static int ngx_azora_api_access(json_t *operation, const ngx_azora_row_t *row);
static void ngx_azora_api_local_name(const ngx_azora_endpoint_t *endpoint,
    ngx_str_t *name);
static json_t *ngx_azora_api_path_id(const ngx_azora_endpoint_t *endpoint);


ngx_uint_t
ngx_azora_api_has_body(const ngx_azora_row_t *row)
{
    const ngx_azora_field_t  *f;

    for (f = row->fields; f && f->name; f++) {
        if (ngx_azora_in_body(f)) {
            return 1;
        }
    }

    return 0;
}


json_t *
ngx_azora_api_operation(ngx_azora_main_conf_t *amcf,
    const ngx_azora_endpoint_t *endpoint)
{
    json_t                 *operation;
    const char             *summary;
    const ngx_azora_row_t  *row;

    row = endpoint->row;
    summary = row->summary ? row->summary : (char *) endpoint->label.data;

    operation = json_pack("{s:o,s:s,s:o,s:[s],s:o,s:o}",
                          "operationId",
                          ngx_azora_api_operation_id(amcf, endpoint),
                          "summary", summary,
                          "description",
                          ngx_azora_api_description(row, summary),
                          "tags", endpoint->capability->name,
                          "parameters", ngx_azora_api_parameters(row),
                          "responses", ngx_azora_api_responses(amcf, row));
    if (operation == NULL) {
        return NULL;
    }

    if ((ngx_azora_api_has_body(row)
         && json_object_set_new(operation, "requestBody",
                                ngx_azora_api_body(row)) != 0)
        || ngx_azora_api_access(operation, row) != 0)
    {
        json_decref(operation);
        return NULL;
    }

    if (json_array_size(json_object_get(operation, "parameters")) == 0) {
        (void) json_object_del(operation, "parameters");
    }

    return operation;
}


static json_t *
ngx_azora_api_parameters(const ngx_azora_row_t *row)
{
    int                       failed;
    json_t                   *parameters;
    const char               *key;
    const ngx_azora_field_t  *f;

    parameters = json_array();
    failed = 0;

    for (f = row->fields; f && f->name; f++) {
        if (f->flags & (NGX_AZORA_IN_PATH|NGX_AZORA_IN_QUERY)) {
            failed |= json_array_append_new(parameters,
                                            ngx_azora_api_parameter(f));
        }
    }

    if (row->flags & NGX_AZORA_KEY) {
        key = ((row->flags & NGX_AZORA_KEY_REQUIRED) == NGX_AZORA_KEY_REQUIRED)
              ? "#/components/parameters/RequiredIdempotencyKey"
              : "#/components/parameters/IdempotencyKey";

        failed |= json_array_append_new(parameters,
                                        json_pack("{s:s}", "$ref", key));
    }

    if (failed) {
        json_decref(parameters);
        return NULL;
    }

    return parameters;
}


static json_t *
ngx_azora_api_parameter(const ngx_azora_field_t *field)
{
    ngx_uint_t  path;

    path = (field->flags & NGX_AZORA_IN_PATH);

    return json_pack("{s:s,s:s,s:b,s:s*,s:o}",
                     "name", field->name,
                     "in", path ? "path" : "query",
                     "required", path || (field->flags & NGX_AZORA_REQUIRED),
                     "description", field->about,
                     "schema", ngx_azora_api_schema(field, 0));
}


static json_t *
ngx_azora_api_body(const ngx_azora_row_t *row)
{
    json_t      *schema;
    const char  *type;
    ngx_uint_t   required;

    schema = ngx_azora_api_object(row->fields, 0);
    required = (json_object_get(schema, "required") != NULL);
    type = (row->method == NGX_HTTP_PATCH) ? "application/merge-patch+json"
                                           : "application/json";

    return json_pack("{s:b,s:{s:{s:o}}}", "required", (int) required,
                     "content", type, "schema", schema);
}


static json_t *
ngx_azora_api_description(const ngx_azora_row_t *row, const char *summary)
{
    u_char  text[512];

    ngx_snprintf(text, sizeof(text) - 1, "%s.%s%s%s%s%s%s%Z", summary,
                 row->scope ? " Needs the scope `" : "",
                 row->scope ? row->scope : "",
                 row->scope ? "`." : "",
                 row->roles ? " Only for `" : "",
                 row->roles ? row->roles : "",
                 row->roles ? "`." : "");

    text[sizeof(text) - 1] = '\0';

    return json_string((char *) text);
}


/* Who may: for tools as security, for people as x-azora-... */

static int
ngx_azora_api_access(json_t *operation, const ngx_azora_row_t *row)
{
    int  failed;

    if (row->flags & NGX_AZORA_PUBLIC) {
        return json_object_set_new(operation, "security", json_array());
    }

    /* only OAuth2 schemes declare scopes, and linters insist on that */
    failed = json_object_set_new(operation, "security",
                                 json_pack("[{s:[]}]", "bearer"));

    if (row->scope) {
        failed |= json_object_set_new(operation, "x-azora-scope",
                                      json_string(row->scope));
    }

    if (row->roles) {
        failed |= json_object_set_new(operation, "x-azora-roles",
                                      ngx_azora_api_words(row->roles));
    }

    return failed;
}


json_t *
ngx_azora_api_operation_id(ngx_azora_main_conf_t *amcf,
    const ngx_azora_endpoint_t *endpoint)
{
    ngx_str_t               name, other;
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    ngx_azora_api_local_name(endpoint, &name);

    if (name.len == 0) {
        return ngx_azora_api_path_id(endpoint);
    }

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {

        if (endpoints[i] == endpoint) {
            continue;
        }

        ngx_azora_api_local_name(endpoints[i], &other);

        if (name.len == other.len
            && ngx_memcmp(name.data, other.data, name.len) == 0)
        {
            return ngx_azora_api_path_id(endpoint);
        }
    }

    return json_stringn((char *) name.data, name.len);
}


/* "ledger.transfer_batch" is the operation "transfer" */

static void
ngx_azora_api_local_name(const ngx_azora_endpoint_t *endpoint,
    ngx_str_t *name)
{
    const char  *dot, *function;

    ngx_str_null(name);

    function = endpoint->row->function;

    if (function == NULL) {
        return;
    }

    dot = strchr(function, '.');
    name->data = (u_char *) (dot ? dot + 1 : function);
    name->len = ngx_strlen(name->data);

    if ((endpoint->row->flags & NGX_AZORA_BATCH)
        && name->len > sizeof("_batch") - 1
        && ngx_strcmp(name->data + name->len - (sizeof("_batch") - 1),
                      "_batch")
           == 0)
    {
        name->len -= sizeof("_batch") - 1;
    }
}


/* "GET /.well-known/jwks.json" is "get_well_known_jwks_json" */

static json_t *
ngx_azora_api_path_id(const ngx_azora_endpoint_t *endpoint)
{
    size_t       i, len;
    u_char       ch, id[256];
    ngx_uint_t   gap;

    len = 0;
    gap = 0;

    for (i = 0; i < endpoint->label.len && len + 1 < sizeof(id); i++) {
        ch = ngx_tolower(endpoint->label.data[i]);

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')) {
            gap = 1;
            continue;
        }

        if (gap && len) {
            id[len++] = '_';
        }

        gap = 0;
        id[len++] = ch;
    }

    return json_stringn((char *) id, len);
}
