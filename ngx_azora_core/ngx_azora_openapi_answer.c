
/* What a row answers, in OpenAPI's words: successes and problems. */


#include "ngx_azora_openapi.h"


typedef struct {
    ngx_uint_t    status;
    const char   *about;
    const char   *header;       /* in components.headers, or NULL */
} ngx_azora_api_success_t;


static json_t *ngx_azora_api_success(ngx_azora_main_conf_t *amcf,
    const ngx_azora_row_t *row, const ngx_azora_api_success_t *success);
static json_t *ngx_azora_api_content(ngx_azora_main_conf_t *amcf,
    const ngx_azora_row_t *row, ngx_uint_t status);
static json_t *ngx_azora_api_reply(ngx_azora_main_conf_t *amcf,
    const ngx_azora_row_t *row, ngx_uint_t status);


const ngx_azora_api_problem_t  ngx_azora_api_problems[] = {
    { 400, "BadRequest", "The request cannot be understood." },
    { 401, "Unauthorized", "An access token is missing or not valid." },
    { 403, "Forbidden", "The caller may not do this." },
    { 404, "NotFound", "There is no such thing." },
    { 409, "Conflict", "The present state does not allow it." },
    { 413, "TooLarge", "The body is too large." },
    { 415, "UnsupportedMediaType", "The body is not of a type taken here." },
    { 422, "Invalid", "Fields are wrong; errors names each." },
    { 429, "TooManyRequests", "Too many requests for now." },
    { 500, "Failed", "Something failed and is logged by the request id." },
    { 503, "Unavailable", "Not possible at the moment; nothing was done "
      "unless the problem says otherwise." },
    { 0, NULL, NULL }
};


static const ngx_azora_api_success_t  ngx_azora_api_successes[] = {
    { 201, "Made.", "Location" },
    { 200, "Done.", NULL },
    { 202, "Begun; it is done later.", NULL },
    { 204, "Done; there is nothing to tell.", NULL },
    { 303, "It goes on at another address.", "Location" },
    { 0, NULL, NULL }
};


const char *
ngx_azora_api_answers(const ngx_azora_row_t *row)
{
    if (row->answers != NULL) {
        return row->answers;
    }

    switch (row->method) {

    case NGX_HTTP_POST:
        /* which of the two depends on what it finds */
        return "200|201";

    case NGX_HTTP_DELETE:
        return "204";

    default:
        return "200";
    }
}


ngx_uint_t
ngx_azora_api_answers_with(const char *answers, ngx_uint_t status)
{
    u_char  text[NGX_INT_T_LEN + 1];

    ngx_sprintf(text, "%ui%Z", status);

    return strstr(answers, (char *) text) != NULL;
}


ngx_uint_t
ngx_azora_api_answers_known(const char *answers)
{
    size_t      len;
    ngx_uint_t  i, found;

    found = 0;

    for (i = 0; ngx_azora_api_successes[i].status; i++) {
        found += ngx_azora_api_answers_with(answers,
                                            ngx_azora_api_successes[i].status);
    }

    /* a row that only refuses is none */

    if (found == 0) {
        return 0;
    }

    for (i = 0; ngx_azora_api_problems[i].status; i++) {
        found += ngx_azora_api_answers_with(answers,
                                            ngx_azora_api_problems[i].status);
    }

    /* "ddd|ddd": each word was found, and there is nothing else */

    len = ngx_strlen(answers);

    return len == found * 4 - 1;
}


ngx_uint_t
ngx_azora_api_row_problems(const ngx_azora_row_t *row)
{
    ngx_uint_t                body, path, query, write, i, mask, applies;
    const ngx_azora_field_t  *f;

    body = ngx_azora_api_has_body(row);
    write = (row->method != NGX_HTTP_GET || (row->flags & NGX_AZORA_WRITE));
    path = 0;
    query = 0;

    for (f = row->fields; f && f->name; f++) {
        path |= (f->flags & NGX_AZORA_IN_PATH);
        query |= (f->flags & NGX_AZORA_IN_QUERY);
    }

    mask = 0;

    for (i = 0; ngx_azora_api_problems[i].status; i++) {

        switch (ngx_azora_api_problems[i].status) {

        case 400:
            applies = body || query || (row->flags & NGX_AZORA_KEY);
            break;

        case 401:
            /* logging in with a wrong password is one, too */
            applies = (row->flags & NGX_AZORA_USER)
                      || (write && (row->flags & NGX_AZORA_PUBLIC));
            break;

        case 403:
            applies = row->flags & (NGX_AZORA_USER|NGX_AZORA_POLICY);
            break;

        case 404:
            applies = path || write;
            break;

        case 409:
            applies = write;
            break;

        case 413:
        case 415:
            applies = body;
            break;

        case 422:
            applies = (row->fields != NULL);
            break;

        case 429:
            applies = 1;
            break;

        default:
            /* 500 and 503 come from SQL, and a stream reads from it */
            applies = row->function != NULL || (row->flags & NGX_AZORA_STREAM);
        }

        if (applies
            || (row->answers != NULL
                && ngx_azora_api_answers_with(row->answers,
                                           ngx_azora_api_problems[i].status)))
        {
            mask |= (ngx_uint_t) 1 << i;
        }
    }

    return mask;
}


json_t *
ngx_azora_api_responses(ngx_azora_main_conf_t *amcf,
    const ngx_azora_row_t *row)
{
    int          failed;
    u_char       status[NGX_INT_T_LEN + 1], ref[64];
    json_t      *responses;
    const char  *answers;
    ngx_uint_t   i, mask;

    responses = json_object();
    answers = ngx_azora_api_answers(row);
    failed = 0;

    for (i = 0; ngx_azora_api_successes[i].status; i++) {

        if (!ngx_azora_api_answers_with(answers,
                                        ngx_azora_api_successes[i].status))
        {
            continue;
        }

        ngx_sprintf(status, "%ui%Z", ngx_azora_api_successes[i].status);

        failed |= json_object_set_new(responses, (char *) status,
                      ngx_azora_api_success(amcf, row,
                                            &ngx_azora_api_successes[i]));
    }

    if (row->version) {
        failed |= json_object_set_new(responses, "304",
                      json_pack("{s:s}", "description",
                                "The copy that If-None-Match names is "
                                "current."));
    }

    mask = ngx_azora_api_row_problems(row);

    for (i = 0; ngx_azora_api_problems[i].status; i++) {

        if ((mask & ((ngx_uint_t) 1 << i)) == 0) {
            continue;
        }

        ngx_sprintf(status, "%ui%Z", ngx_azora_api_problems[i].status);
        ngx_snprintf(ref, sizeof(ref), "#/components/responses/%s%Z",
                     ngx_azora_api_problems[i].name);

        failed |= json_object_set_new(responses, (char *) status,
                                      json_pack("{s:s}", "$ref", ref));
    }

    if (failed) {
        json_decref(responses);
        return NULL;
    }

    return responses;
}


static json_t *
ngx_azora_api_success(ngx_azora_main_conf_t *amcf, const ngx_azora_row_t *row,
    const ngx_azora_api_success_t *success)
{
    int          failed;
    u_char       ref[64];
    json_t      *response;
    const char  *header;

    response = json_pack("{s:s}", "description", success->about);
    header = (success->status == NGX_HTTP_OK && row->version)
             ? "ETag" : success->header;
    failed = 0;

    if (success->status != NGX_HTTP_NO_CONTENT) {
        failed |= json_object_set_new(response, "content",
                      ngx_azora_api_content(amcf, row, success->status));
    }

    if (header != NULL) {
        ngx_snprintf(ref, sizeof(ref), "#/components/headers/%s%Z", header);

        failed |= json_object_set_new(response, "headers",
                                      json_pack("{s:{s:s}}", header,
                                                "$ref", ref));
    }

    if (failed) {
        json_decref(response);
        return NULL;
    }

    return response;
}


static json_t *
ngx_azora_api_content(ngx_azora_main_conf_t *amcf, const ngx_azora_row_t *row,
    ngx_uint_t status)
{
    json_t      *content;
    const char  *type;

    type = (row->flags & NGX_AZORA_STREAM) ? "text/event-stream"
         : (row->handler && row->media) ? row->media
         : "application/json";

    content = json_pack("{s:{s:o}}", type, "schema",
                        ngx_azora_api_reply(amcf, row, status));

    if (content != NULL && row->media != NULL && row->handler == NULL
        && json_object_set_new(content, row->media,
                               json_pack("{s:{s:s}}", "schema", "type",
                                         "string")) != 0)
    {
        json_decref(content);
        return NULL;
    }

    return content;
}


/* Rows that give the same thing refer to one schema. */

static json_t *
ngx_azora_api_reply(ngx_azora_main_conf_t *amcf, const ngx_azora_row_t *row,
    ngx_uint_t status)
{
    json_t      *name, *schema;
    const char  *answers;

    answers = ngx_azora_api_answers(row);

    if (row->flags & NGX_AZORA_STREAM) {
        return json_pack("{s:s}", "type", "string");
    }

    /* what is told only at the end is not told yet, or elsewhere */

    if (row->returns == NULL || status == NGX_HTTP_SEE_OTHER
        || (status == NGX_HTTP_ACCEPTED
            && (ngx_azora_api_answers_with(answers, NGX_HTTP_OK)
                || ngx_azora_api_answers_with(answers, NGX_HTTP_CREATED))))
    {
        return json_pack("{s:s}", "type", "object");
    }

    name = ngx_azora_api_reply_name(amcf, row->returns);

    schema = json_pack("{s:s+}", "$ref", "#/components/schemas/",
                       json_string_value(name));
    json_decref(name);

    return schema;
}


json_t *
ngx_azora_api_reply_name(ngx_azora_main_conf_t *amcf,
    const ngx_azora_field_t *returns)
{
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {

        if (endpoints[i]->row->returns == returns
            && !(endpoints[i]->row->flags & NGX_AZORA_HIDDEN))
        {
            return ngx_azora_api_operation_id(amcf, endpoints[i]);
        }
    }

    return NULL;
}
