
/*
 * What is wrong with a row is said when NGINX reads its configuration, never
 * to a client.
 */


#include "ngx_azora_openapi.h"
#include "ngx_azora_route.h"


/* lists of objects of lists of ...: more is a sign of a cycle of pointers */
#define NGX_AZORA_ITEMS_DEPTH_MAX  4


static ngx_int_t ngx_azora_route_check_row(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint);
static const char *ngx_azora_route_check_flags(const ngx_azora_row_t *row);
static ngx_int_t ngx_azora_route_check_fields(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, const ngx_azora_field_t *fields,
    ngx_uint_t depth);
static ngx_int_t ngx_azora_route_check_field(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, const ngx_azora_field_t *field,
    ngx_uint_t depth);
static const char *ngx_azora_route_check_bounds(
    const ngx_azora_field_t *field);
static const char *ngx_azora_route_check_place(
    const ngx_azora_endpoint_t *endpoint, const ngx_azora_field_t *field,
    ngx_uint_t depth);
static ngx_int_t ngx_azora_route_check_template(ngx_conf_t *cf,
    ngx_azora_route_t *route);
static const ngx_azora_field_t *ngx_azora_route_path_field(
    const ngx_azora_row_t *row, const ngx_str_t *name);


ngx_int_t
ngx_azora_route_check(ngx_conf_t *cf, ngx_azora_route_t *route)
{
    ngx_azora_endpoint_t     *endpoint;
    const ngx_azora_field_t  *field;

    endpoint = &route->endpoint;

    if (ngx_azora_route_check_row(cf, endpoint) != NGX_OK) {
        return NGX_ERROR;
    }

    field = endpoint->row->fields;

    if (ngx_azora_route_check_fields(cf, endpoint, field, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    for ( /* void */ ; field != NULL && field->name != NULL; field++) {
        endpoint->nfields++;
    }

    return ngx_azora_route_check_template(cf, route);
}


static ngx_int_t
ngx_azora_route_check_row(ngx_conf_t *cf, const ngx_azora_endpoint_t *endpoint)
{
    ngx_uint_t              who;
    const char             *wrong;
    const ngx_azora_row_t  *row;

    row = endpoint->row;
    who = row->flags & (NGX_AZORA_PUBLIC|NGX_AZORA_USER);
    wrong = NULL;

    if (who != NGX_AZORA_PUBLIC && who != NGX_AZORA_USER) {
        wrong = "it must be either PUBLIC or USER";

    } else if (who == NGX_AZORA_PUBLIC
               && (row->scope != NULL || row->roles != NULL))
    {
        wrong = "a PUBLIC row cannot ask for a scope or a role";

    } else if ((row->function == NULL) == (row->handler == NULL)) {
        wrong = "it must have either a function or a handler";

    } else if (row->summary == NULL && !(row->flags & NGX_AZORA_HIDDEN)) {
        wrong = "it has no summary";

    } else if (row->method == NGX_HTTP_GET
               && (row->flags & (NGX_AZORA_KEY_REQUIRED|NGX_AZORA_BATCH)))
    {
        wrong = "a GET takes no Idempotency-Key and is no batch";

    } else if (row->method != NGX_HTTP_GET && row->version != NULL) {
        wrong = "only a GET has a version";

    } else if (row->media != NULL
               && (row->method != NGX_HTTP_GET || row->version != NULL
                   || strchr(row->media, '/') == NULL))
    {
        wrong = "only a GET without a version has another media type";

    } else if (row->cache != 0
               && (row->method != NGX_HTTP_GET || who != NGX_AZORA_PUBLIC
                   || (row->flags & NGX_AZORA_WRITE) || row->function == NULL
                   || row->prepare != NULL || row->finish != NULL
                   || row->media != NULL))
    {
        wrong = "only what a PUBLIC GET reads from SQL can be cached";

    } else if (row->cache > NGX_AZORA_CACHE_SECONDS_MAX
               || (row->cache != 0
                   && endpoint->label.len > NGX_AZORA_CACHE_LABEL_MAX))
    {
        wrong = "it is cached for more than a day, or its path is too long "
                "to be";

    } else if ((row->flags & NGX_AZORA_STREAM)
               && (row->method != NGX_HTTP_GET || row->handler == NULL))
    {
        wrong = "a STREAM is a GET with a handler";

    } else if (row->answers != NULL
               && !ngx_azora_api_answers_known(row->answers))
    {
        wrong = "its answers are not statuses such as \"200|202\", or none "
                "is a success";

    } else {
        wrong = ngx_azora_route_check_flags(row);
    }

    if (wrong != NULL) {
        return ngx_azora_route_fail(cf, endpoint, "%s", wrong);
    }

    return NGX_OK;
}


/* Flags that contradict each other, or mean nothing where they stand. */

static const char *
ngx_azora_route_check_flags(const ngx_azora_row_t *row)
{
    ngx_uint_t  flags, body;

    flags = row->flags;
    body = (row->method != NGX_HTTP_GET && row->method != NGX_HTTP_DELETE);

    if ((flags & NGX_AZORA_BATCH) && (flags & NGX_AZORA_SLOW)) {
        return "it cannot be on the batch and the slow lane";
    }

    if ((flags & NGX_AZORA_WRITE) && row->method != NGX_HTTP_GET) {
        return "WRITE is for a GET: all other methods write";
    }

    if (row->handler != NULL
        && (flags & (NGX_AZORA_KEY_REQUIRED|NGX_AZORA_BATCH|NGX_AZORA_SLOW
                     |NGX_AZORA_WRITE)))
    {
        return "a handler calls no SQL that a key, BATCH, SLOW or WRITE "
               "could be about";
    }

    if ((flags & (NGX_AZORA_FORM|NGX_AZORA_POLICY)) && !body) {
        return "FORM and POLICY are about a body, which GET and DELETE do "
               "not have";
    }

    if ((flags & NGX_AZORA_HIDDEN) && row->returns != NULL) {
        return "what is HIDDEN describes no reply";
    }

    return NULL;
}


static ngx_int_t
ngx_azora_route_check_fields(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, const ngx_azora_field_t *fields,
    ngx_uint_t depth)
{
    ngx_uint_t  i, j;

    if (fields == NULL) {
        return NGX_OK;
    }

    for (i = 0; fields[i].name != NULL; i++) {

        if (i == NGX_AZORA_FIELDS_MAX) {
            return ngx_azora_route_fail(cf, endpoint,
                                        "it has more than %d fields",
                                        NGX_AZORA_FIELDS_MAX);
        }

        for (j = 0; j < i; j++) {
            if (ngx_strcmp(fields[i].name, fields[j].name) == 0) {
                return ngx_azora_route_fail(cf, endpoint,
                                            "it has two fields \"%s\"",
                                            fields[i].name);
            }
        }

        if (ngx_azora_route_check_field(cf, endpoint, &fields[i], depth)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_route_check_field(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, const ngx_azora_field_t *field,
    ngx_uint_t depth)
{
    size_t       len;
    const char  *wrong;

    len = strspn(field->name, "abcdefghijklmnopqrstuvwxyz0123456789_");

    /* PostgreSQL cuts longer names */

    if (len == 0 || len > 63 || field->name[len] != '\0') {
        wrong = "has a name that is not [a-z0-9_]{1,63}";

    } else if (field->kind < NGX_AZORA_TEXT
               || field->kind > NGX_AZORA_OBJECT)
    {
        wrong = "has an unknown kind";

    } else if (field->kind == NGX_AZORA_ENUM
               && (field->values == NULL || field->values[0] == '\0'))
    {
        wrong = "is an enumeration without values";

    } else {
        wrong = ngx_azora_route_check_bounds(field);

        if (wrong == NULL) {
            wrong = ngx_azora_route_check_place(endpoint, field, depth);
        }
    }

    if (wrong != NULL) {
        return ngx_azora_route_fail(cf, endpoint, "field \"%s\" %s",
                                    field->name, wrong);
    }

    if (field->kind == NGX_AZORA_LIST) {
        return ngx_azora_route_check_fields(cf, endpoint, field->items,
                                            depth + 1);
    }

    return NGX_OK;
}


/* NULL: nothing is wrong */

static const char *
ngx_azora_route_check_bounds(const ngx_azora_field_t *field)
{
    if (field->kind == NGX_AZORA_LIST && field->max <= 0) {
        return "is a list without a bound";
    }

    if (field->min > field->max) {
        return "has a minimum above its maximum";
    }

    if (field->kind == NGX_AZORA_INTEGER) {
        return NULL;
    }

    if (field->min < 0) {
        return "has a negative minimum";
    }

    if (field->max != 0
        && (field->kind == NGX_AZORA_AMOUNT || field->kind == NGX_AZORA_ENUM
            || field->kind == NGX_AZORA_BOOLEAN
            || field->kind == NGX_AZORA_UUID
            || field->kind == NGX_AZORA_TIME))
    {
        return "is of a kind that takes no bounds";
    }

    return NULL;
}


static const char *
ngx_azora_route_check_place(const ngx_azora_endpoint_t *endpoint,
    const ngx_azora_field_t *field, ngx_uint_t depth)
{
    ngx_uint_t  place;

    place = field->flags & (NGX_AZORA_IN_PATH|NGX_AZORA_IN_QUERY);

    if (field->flags & NGX_AZORA_NULLABLE) {
        return "is NULLABLE, which only members of replies are";
    }

    if (depth > NGX_AZORA_ITEMS_DEPTH_MAX) {
        return "is nested too deep";
    }

    if (field->flags & NGX_AZORA_MADE) {
        return (depth || field->flags != NGX_AZORA_MADE
                || endpoint->row->prepare == NULL)
               ? "is made here: only the row's prepare can give it" : NULL;
    }

    if (place == 0) {

        if (endpoint->row->method == NGX_HTTP_GET
            || endpoint->row->method == NGX_HTTP_DELETE)
        {
            return "is in a body, which GET and DELETE do not have";
        }

        return NULL;
    }

    if (depth > 0) {
        return "of a list's item cannot be in the path or in the query";
    }

    if (place == (NGX_AZORA_IN_PATH|NGX_AZORA_IN_QUERY)) {
        return "cannot be in the path and in the query";
    }

    if (field->kind == NGX_AZORA_LIST || field->kind == NGX_AZORA_OBJECT) {
        return "is of a kind that only a body can hold";
    }

    if (field->kind == NGX_AZORA_SECRET) {
        return "is secret, and addresses are logged everywhere";
    }

    return NULL;
}


/* Parameters of the template and IN_PATH fields must be the same set. */

static ngx_int_t
ngx_azora_route_check_template(ngx_conf_t *cf, ngx_azora_route_t *route)
{
    size_t                    pos;
    ngx_int_t                 rc;
    ngx_str_t                 segment;
    ngx_uint_t                i, depth, param, nparams, nfields;
    ngx_azora_endpoint_t     *endpoint;
    const ngx_azora_field_t  *field, *fields;

    endpoint = &route->endpoint;
    fields = endpoint->row->fields;
    nparams = 0;
    nfields = 0;
    pos = 0;

    for (i = 0; i < endpoint->nfields; i++) {
        route->positions[i] = NGX_AZORA_NONE;

        if (fields[i].flags & NGX_AZORA_IN_PATH) {
            nfields++;
        }
    }

    for (depth = 0; /* void */ ; depth++) {

        rc = ngx_azora_route_segment(&endpoint->path, &pos, &segment, &param);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_ERROR || depth == NGX_AZORA_SEGMENTS_MAX) {
            return ngx_azora_route_fail(cf, endpoint,
                                        "the path must be of 1 to %d segments "
                                        "such as /v1/things/{id}",
                                        NGX_AZORA_SEGMENTS_MAX);
        }

        if (!param) {
            continue;
        }

        field = ngx_azora_route_path_field(endpoint->row, &segment);

        if (field == NULL
            || route->positions[field - fields] != NGX_AZORA_NONE
            || nparams == NGX_AZORA_PATH_PARAMS_MAX)
        {
            return ngx_azora_route_fail(cf, endpoint,
                                        "\"{%V}\" has no field of its own in "
                                        "the path, or is one of more than %d",
                                        &segment, NGX_AZORA_PATH_PARAMS_MAX);
        }

        route->positions[field - fields] = nparams++;
    }

    if (nparams != nfields) {
        return ngx_azora_route_fail(cf, endpoint,
                                    "%ui fields are in the path, which has "
                                    "%ui parameters", nfields, nparams);
    }

    return NGX_OK;
}


static const ngx_azora_field_t *
ngx_azora_route_path_field(const ngx_azora_row_t *row, const ngx_str_t *name)
{
    const ngx_azora_field_t  *field;

    field = row->fields;

    for ( /* void */ ; field != NULL && field->name != NULL; field++) {

        if ((field->flags & NGX_AZORA_IN_PATH)
            && ngx_strlen(field->name) == name->len
            && ngx_strncmp(field->name, name->data, name->len) == 0)
        {
            return field;
        }
    }

    return NULL;
}
