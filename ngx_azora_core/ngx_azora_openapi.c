
/*
 * The OpenAPI 3.1 document, made once from the rows when NGINX reads its
 * configuration, and the handlers that serve it and the page.
 */


#include "ngx_azora_openapi.h"


static json_t *ngx_azora_openapi_document(ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_info(void);
static json_t *ngx_azora_openapi_tags(ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_paths(ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_components(ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_schemas(ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_problem(void);
static json_t *ngx_azora_openapi_problems(ngx_uint_t mask);
static json_t *ngx_azora_openapi_headers(ngx_uint_t mask,
    ngx_azora_main_conf_t *amcf);
static json_t *ngx_azora_openapi_keys(ngx_azora_main_conf_t *amcf);
static ngx_uint_t ngx_azora_openapi_any(ngx_azora_main_conf_t *amcf,
    ngx_uint_t flags, ngx_uint_t value);


/* the bits of problems that tell when to come back */
#define ngx_azora_openapi_waits(status)  ((status) == 429 || (status) == 503)


ngx_int_t
ngx_azora_openapi_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    json_t     *document;
    ngx_int_t   rc;

    document = ngx_azora_openapi_document(amcf);
    rc = ngx_azora_json_dump(cf->pool, document, &amcf->openapi);

    json_decref(document);

    if (rc != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: the OpenAPI document cannot be made");
        return NGX_ERROR;
    }

    if (ngx_azora_api_etag(cf->pool, &amcf->openapi, &amcf->openapi_etag)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_docs_init(cf, amcf);
}


static json_t *
ngx_azora_openapi_document(ngx_azora_main_conf_t *amcf)
{
    return json_pack("{s:s,s:o,s:[{s:s,s:s}],s:o,s:o,s:o}",
                     "openapi", "3.1.0",
                     "info", ngx_azora_openapi_info(),
                     "servers", "url", "/", "description", "This server",
                     "tags", ngx_azora_openapi_tags(amcf),
                     "paths", ngx_azora_openapi_paths(amcf),
                     "components", ngx_azora_openapi_components(amcf));
}


static json_t *
ngx_azora_openapi_info(void)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:{s:s},s:{s:s,s:s}}",
        "title", "Azora",
        "version", NGX_AZORA_VERSION,
        "summary", "Learning, livelihood and the money between them",
        "description",
            "JSON in snake_case, times in RFC 3339 and UTC. Money is a "
            "decimal string in major units beside its currency. Lists are "
            "pages: `next` is the cursor of the next one, or null. A refusal "
            "is `application/problem+json` (RFC 9457) whose `type` leads to "
            "an explanation. Unsafe operations take an `Idempotency-Key`; "
            "those that move money require it.",
        "contact", "name", "The operators of this server",
        "license", "name", "BSD-2-Clause", "identifier", "BSD-2-Clause");
}


static json_t *
ngx_azora_openapi_tags(ngx_azora_main_conf_t *amcf)
{
    int                             failed;
    json_t                         *tags;
    const char                     *about;
    ngx_uint_t                      i, k;
    ngx_azora_endpoint_t          **endpoints;
    const ngx_azora_capability_t  **c;

    tags = json_array();
    failed = 0;

    c = amcf->capabilities.elts;
    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->capabilities.nelts; i++) {

        for (k = 0; k < amcf->endpoints.nelts; k++) {
            if (endpoints[k]->capability == c[i]
                && !(endpoints[k]->row->flags & NGX_AZORA_HIDDEN))
            {
                break;
            }
        }

        if (k == amcf->endpoints.nelts) {
            continue;
        }

        about = c[i]->about ? c[i]->about : c[i]->name;

        failed |= json_array_append_new(tags,
                      json_pack("{s:s,s:s}", "name", c[i]->name,
                                "description", about));
    }

    if (failed) {
        json_decref(tags);
        return NULL;
    }

    return tags;
}


static json_t *
ngx_azora_openapi_paths(ngx_azora_main_conf_t *amcf)
{
    int                     failed;
    u_char                  method[16], *end;
    json_t                 *paths, *path;
    ngx_uint_t              i;
    ngx_azora_endpoint_t   *endpoint, **endpoints;

    paths = json_object();
    failed = 0;

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {
        endpoint = endpoints[i];

        if (endpoint->row->flags & NGX_AZORA_HIDDEN) {
            continue;
        }

        path = json_object_getn(paths, (char *) endpoint->path.data,
                                endpoint->path.len);

        if (path == NULL) {
            path = json_object();
            failed |= json_object_setn_new(paths,
                                           (char *) endpoint->path.data,
                                           endpoint->path.len, path);
        }

        ngx_memzero(method, sizeof(method));
        end = method + ngx_min(endpoint->method.len, sizeof(method) - 1);
        ngx_strlow(method, endpoint->method.data, end - method);

        failed |= json_object_set_new(path, (char *) method,
                                      ngx_azora_api_operation(amcf, endpoint));
    }

    if (failed) {
        json_decref(paths);
        return NULL;
    }

    return paths;
}


/* Only what some row uses: an unused component is a mistake to linters. */

static json_t *
ngx_azora_openapi_components(ngx_azora_main_conf_t *amcf)
{
    int                     failed;
    json_t                 *components;
    ngx_uint_t              i, mask;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;
    mask = 0;

    for (i = 0; i < amcf->endpoints.nelts; i++) {
        if (!(endpoints[i]->row->flags & NGX_AZORA_HIDDEN)) {
            mask |= ngx_azora_api_row_problems(endpoints[i]->row);
        }
    }

    if (mask == 0) {
        return json_object();
    }

    components = json_pack("{s:o,s:o,s:o}",
                           "schemas", ngx_azora_openapi_schemas(amcf),
                           "responses", ngx_azora_openapi_problems(mask),
                           "headers", ngx_azora_openapi_headers(mask, amcf));
    failed = (components == NULL);

    if (ngx_azora_openapi_any(amcf, NGX_AZORA_KEY, NGX_AZORA_KEY)) {
        failed |= json_object_set_new(components, "parameters",
                                      ngx_azora_openapi_keys(amcf));
    }

    if (ngx_azora_openapi_any(amcf, NGX_AZORA_USER, NGX_AZORA_USER)) {
        failed |= json_object_set_new(components, "securitySchemes",
                      json_pack("{s:{s:s,s:s,s:s,s:s}}", "bearer",
                                "type", "http", "scheme", "bearer",
                                "bearerFormat", "JWT", "description",
                                "An access token (RFC 9068); its scope says "
                                "what it allows."));
    }

    if (failed) {
        json_decref(components);
        return NULL;
    }

    return components;
}


static json_t *
ngx_azora_openapi_schemas(ngx_azora_main_conf_t *amcf)
{
    int                     failed;
    json_t                 *schemas, *name;
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    schemas = json_pack("{s:o}", "Problem", ngx_azora_openapi_problem());
    failed = (schemas == NULL);

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts && !failed; i++) {

        if (endpoints[i]->row->returns == NULL
            || (endpoints[i]->row->flags & NGX_AZORA_HIDDEN))
        {
            continue;
        }

        name = ngx_azora_api_reply_name(amcf, endpoints[i]->row->returns);

        failed = json_object_set_new(schemas, json_string_value(name),
                     ngx_azora_api_object(endpoints[i]->row->returns, 1));

        json_decref(name);
    }

    if (failed) {
        json_decref(schemas);
        return NULL;
    }

    return schemas;
}


/* RFC 9457 with our two members */

static json_t *
ngx_azora_openapi_problem(void)
{
    return json_pack("{s:s,s:s,s:[sss],s:{"
                         "s:{s:s,s:s,s:s},"
                         "s:{s:s},"
                         "s:{s:s,s:i,s:i},"
                         "s:{s:s},"
                         "s:{s:s,s:s},"
                         "s:{s:s,s:s},"
                         "s:{s:s,s:s,s:{s:s,s:{s:{s:s,s:s},s:{s:s}}}}"
                     "}}",
        "description", "A refusal (RFC 9457); some carry further members.",
        "type", "object",
        "required", "type", "title", "status",
        "properties",
        "type", "type", "string", "format", "uri-reference", "description",
            "Leads to a page that explains the problem.",
        "title", "type", "string",
        "status", "type", "integer", "minimum", 400, "maximum", 599,
        "detail", "type", "string",
        "instance", "type", "string", "format", "uri-reference",
        "request_id", "type", "string", "description",
            "What to name when asking for help; the log has it too.",
        "errors", "type", "array", "description", "The fields that are wrong.",
            "items", "type", "object", "properties",
                "pointer", "type", "string", "description",
                    "A JSON pointer (RFC 6901) into the body, ?name of the "
                    "query or {name} of the path.",
                "detail", "type", "string");
}


static json_t *
ngx_azora_openapi_problems(ngx_uint_t mask)
{
    int                             failed;
    json_t                         *responses, *response;
    ngx_uint_t                      i;
    const ngx_azora_api_problem_t  *problem;

    responses = json_object();
    failed = 0;

    for (i = 0; ngx_azora_api_problems[i].status; i++) {
        problem = &ngx_azora_api_problems[i];

        if ((mask & ((ngx_uint_t) 1 << i)) == 0) {
            continue;
        }

        response = json_pack("{s:s,s:{s:{s:{s:s}}}}",
                             "description", problem->about,
                             "content", "application/problem+json", "schema",
                             "$ref", "#/components/schemas/Problem");

        if (ngx_azora_openapi_waits(problem->status)) {
            failed |= json_object_set_new(response, "headers",
                          json_pack("{s:{s:s}}", "Retry-After", "$ref",
                                    "#/components/headers/RetryAfter"));
        }

        failed |= json_object_set_new(responses, problem->name, response);
    }

    if (failed) {
        json_decref(responses);
        return NULL;
    }

    return responses;
}


static json_t *
ngx_azora_openapi_headers(ngx_uint_t mask, ngx_azora_main_conf_t *amcf)
{
    int                     failed;
    json_t                 *headers;
    ngx_uint_t              i, posts, versions;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;
    posts = 0;
    versions = 0;

    for (i = 0; i < amcf->endpoints.nelts; i++) {
        if (!(endpoints[i]->row->flags & NGX_AZORA_HIDDEN)) {
            posts |= (endpoints[i]->row->method == NGX_HTTP_POST);
            versions |= (endpoints[i]->row->version != NULL);
        }
    }

    /* every row may be refused for coming too often */
    headers = json_pack("{s:{s:s,s:{s:s,s:i}}}", "RetryAfter",
                        "description", "Seconds to wait.",
                        "schema", "type", "integer", "minimum", 0);
    failed = (headers == NULL);

    if (posts) {
        failed |= json_object_set_new(headers, "Location",
                      json_pack("{s:s,s:{s:s,s:s}}", "description",
                                "Where the new thing is.", "schema",
                                "type", "string", "format",
                                "uri-reference"));
    }

    if (versions) {
        failed |= json_object_set_new(headers, "ETag",
                      json_pack("{s:s,s:{s:s}}", "description",
                                "The version, for If-None-Match.", "schema",
                                "type", "string"));
    }

    if (failed) {
        json_decref(headers);
        return NULL;
    }

    return headers;
}


static json_t *
ngx_azora_openapi_keys(ngx_azora_main_conf_t *amcf)
{
    int          i, failed;
    json_t      *keys, *key;
    ngx_uint_t   value;

    static const char *const  names[] = {
        "IdempotencyKey", "RequiredIdempotencyKey"
    };

    keys = json_object();
    failed = 0;

    for (i = 0; i < 2; i++) {
        value = i ? NGX_AZORA_KEY_REQUIRED : NGX_AZORA_KEY;

        if (!ngx_azora_openapi_any(amcf, NGX_AZORA_KEY_REQUIRED, value)) {
            continue;
        }

        key = json_pack("{s:s,s:s,s:b,s:s,s:{s:s,s:i,s:i}}",
            "name", "Idempotency-Key", "in", "header", "required", i,
            "description",
                "Any text of the client's choice, new for each intention. A "
                "repeat with the same key and content has no second effect "
                "and gets the first answer.",
            "schema", "type", "string", "minLength", 1,
                "maxLength", NGX_AZORA_KEY_LEN_MAX);

        failed |= json_object_set_new(keys, names[i], key);
    }

    if (failed) {
        json_decref(keys);
        return NULL;
    }

    return keys;
}


/* Whether a described row has exactly the value in these flags. */

static ngx_uint_t
ngx_azora_openapi_any(ngx_azora_main_conf_t *amcf, ngx_uint_t flags,
    ngx_uint_t value)
{
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {
        if (!(endpoints[i]->row->flags & NGX_AZORA_HIDDEN)
            && (endpoints[i]->row->flags & flags) == value)
        {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_azora_api_etag(ngx_pool_t *pool, const ngx_str_t *text, ngx_str_t *etag)
{
    size_t    i;
    uint64_t  hash;

    /* FNV-1a: it tells versions apart, it proves nothing */
    hash = 0xcbf29ce484222325ULL;

    for (i = 0; i < text->len; i++) {
        hash = (hash ^ text->data[i]) * 0x100000001b3ULL;
    }

    etag->data = ngx_pnalloc(pool, sizeof("\"0123456789abcdef\""));
    if (etag->data == NULL) {
        return NGX_ERROR;
    }

    etag->len = ngx_sprintf(etag->data, "\"%016xL\"", hash) - etag->data;

    return NGX_OK;
}


ngx_int_t
ngx_azora_api_send(ngx_http_request_t *r, const char *type, ngx_str_t *text,
    ngx_str_t *etag)
{
    ngx_str_t         content_type;
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    ngx_str_set(&h->key, "ETag");
    h->value = *etag;

    /* NGINX's own filter compares If-None-Match with it */
    r->headers_out.etag = h;

    content_type.data = (u_char *) type;
    content_type.len = ngx_strlen(type);

    return ngx_azora_send(r, NGX_HTTP_OK, &content_type, text);
}


/* Content handler of azora_status openapi. */

ngx_int_t
ngx_azora_openapi_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_azora_status_get(r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_azora_api_send(r, "application/json",
                              &ngx_azora_main_conf->openapi,
                              &ngx_azora_main_conf->openapi_etag);
}
