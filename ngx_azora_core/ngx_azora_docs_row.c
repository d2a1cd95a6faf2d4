
/* One row on the page that describes the API. */


#include "ngx_azora_docs.h"
#include "ngx_azora_openapi.h"


static void ngx_azora_docs_access(ngx_azora_docs_t *docs,
    const ngx_azora_row_t *row);
static void ngx_azora_docs_words(ngx_azora_docs_t *docs, const char *words);
static void ngx_azora_docs_fields(ngx_azora_docs_t *docs,
    const ngx_azora_field_t *fields, const char *caption, ngx_uint_t reply);
static void ngx_azora_docs_field(ngx_azora_docs_t *docs,
    const ngx_azora_field_t *field, const char *parent, ngx_uint_t reply);
static void ngx_azora_docs_kind(ngx_azora_docs_t *docs,
    const ngx_azora_field_t *field, ngx_uint_t reply);
static void ngx_azora_docs_bounds(ngx_azora_docs_t *docs,
    const ngx_azora_field_t *field);


static const char *const  ngx_azora_docs_kinds[] = {
    [NGX_AZORA_TEXT] = "text",
    [NGX_AZORA_SECRET] = "secret",
    [NGX_AZORA_EMAIL] = "e-mail address",
    [NGX_AZORA_SLUG] = "slug",
    [NGX_AZORA_ADDRESS] = "e-mail address or id",
    [NGX_AZORA_CURRENCY] = "currency",
    [NGX_AZORA_AMOUNT] = "amount",
    [NGX_AZORA_ENUM] = "one of ",
    [NGX_AZORA_INTEGER] = "integer",
    [NGX_AZORA_BOOLEAN] = "boolean",
    [NGX_AZORA_UUID] = "UUID",
    [NGX_AZORA_TIME] = "time",
    [NGX_AZORA_LIST] = "list",
    [NGX_AZORA_OBJECT] = "object",
    [NGX_AZORA_ANY] = "anything"
};


void
ngx_azora_docs_row(ngx_azora_docs_t *docs,
    const ngx_azora_endpoint_t *endpoint)
{
    ngx_uint_t              i, mask;
    const ngx_azora_row_t  *row;

    row = endpoint->row;

    /* method, path and the like are NUL-terminated literals of the row */

    ngx_azora_docs_raw(docs, "\n<details><summary><b>");
    ngx_azora_docs_text(docs, (char *) endpoint->method.data);
    ngx_azora_docs_raw(docs, "</b><code>");
    ngx_azora_docs_text(docs, row->path);
    ngx_azora_docs_raw(docs, "</code>");

    if (row->summary) {
        ngx_azora_docs_raw(docs, "<span>");
        ngx_azora_docs_text(docs, row->summary);
        ngx_azora_docs_raw(docs, "</span>");
    }

    ngx_azora_docs_raw(docs, "</summary>");

    ngx_azora_docs_access(docs, row);

    if (row->fields) {
        ngx_azora_docs_fields(docs, row->fields, "Takes", 0);
    }

    if (row->returns) {
        ngx_azora_docs_fields(docs, row->returns, "Gives", 1);
    }

    ngx_azora_docs_raw(docs, "<p>Problems:");
    mask = ngx_azora_api_row_problems(row);

    for (i = 0; ngx_azora_api_problems[i].status; i++) {
        if (mask & ((ngx_uint_t) 1 << i)) {
            ngx_azora_docs_raw(docs, " ");
            ngx_azora_docs_number(docs, ngx_azora_api_problems[i].status);
        }
    }

    ngx_azora_docs_raw(docs, "</p></details>");
}


static void
ngx_azora_docs_access(ngx_azora_docs_t *docs, const ngx_azora_row_t *row)
{
    ngx_azora_docs_raw(docs, "<p>");

    if (row->flags & NGX_AZORA_PUBLIC) {
        ngx_azora_docs_raw(docs, "For everybody.");

    } else if (row->scope) {
        ngx_azora_docs_raw(docs, "With an access token of scope <code>");
        ngx_azora_docs_text(docs, row->scope);
        ngx_azora_docs_raw(docs, "</code>.");

    } else {
        ngx_azora_docs_raw(docs, "With an access token.");
    }

    if (row->roles) {
        ngx_azora_docs_raw(docs, " Role: ");
        ngx_azora_docs_words(docs, row->roles);
        ngx_azora_docs_raw(docs, ".");
    }

    if ((row->flags & NGX_AZORA_KEY_REQUIRED) == NGX_AZORA_KEY_REQUIRED) {
        ngx_azora_docs_raw(docs, " Needs an <code>Idempotency-Key</code>.");

    } else if (row->flags & NGX_AZORA_KEY) {
        ngx_azora_docs_raw(docs, " Takes an <code>Idempotency-Key</code>.");
    }

    if (row->flags & NGX_AZORA_POLICY) {
        ngx_azora_docs_raw(docs, " The constitution looks at it.");
    }

    if (row->version) {
        ngx_azora_docs_raw(docs, " Has an <code>ETag</code>.");
    }

    ngx_azora_docs_raw(docs, "</p>");
}


/* "a|b" as "a, b" */

static void
ngx_azora_docs_words(ngx_azora_docs_t *docs, const char *words)
{
    char  ch[2] = { '\0', '\0' };

    for ( /* void */ ; *words != '\0'; words++) {

        if (*words == '|') {
            ngx_azora_docs_raw(docs, ", ");
            continue;
        }

        ch[0] = *words;
        ngx_azora_docs_text(docs, ch);
    }
}


static void
ngx_azora_docs_fields(ngx_azora_docs_t *docs, const ngx_azora_field_t *fields,
    const char *caption, ngx_uint_t reply)
{
    const ngx_azora_field_t  *f, *item;

    ngx_azora_docs_raw(docs, "<table><caption>");
    ngx_azora_docs_raw(docs, caption);
    ngx_azora_docs_raw(docs, "</caption>");

    for (f = fields; f->name; f++) {

        if (f->flags & NGX_AZORA_MADE) {
            continue;
        }

        ngx_azora_docs_field(docs, f, NULL, reply);

        if (f->kind == NGX_AZORA_LIST) {
            for (item = f->items; item && item->name; item++) {
                ngx_azora_docs_field(docs, item, f->name, reply);
            }
        }
    }

    ngx_azora_docs_raw(docs, "</table>");
}


static void
ngx_azora_docs_field(ngx_azora_docs_t *docs, const ngx_azora_field_t *field,
    const char *parent, ngx_uint_t reply)
{
    ngx_azora_docs_raw(docs, "<tr><th scope=row>");

    if (parent) {
        ngx_azora_docs_text(docs, parent);
        ngx_azora_docs_raw(docs, "[].");
    }

    ngx_azora_docs_text(docs, field->name);
    ngx_azora_docs_raw(docs, "<td>");
    ngx_azora_docs_kind(docs, field, reply);

    if (field->flags & NGX_AZORA_IN_PATH) {
        ngx_azora_docs_raw(docs, ", in the path");

    } else if (field->flags & NGX_AZORA_IN_QUERY) {
        ngx_azora_docs_raw(docs, ", in the query");
    }

    if (!reply && !(field->flags & NGX_AZORA_REQUIRED)) {
        ngx_azora_docs_raw(docs, ", optional");
    }

    if (reply && (field->flags & NGX_AZORA_NULLABLE)) {
        ngx_azora_docs_raw(docs, ", may be absent");
    }

    ngx_azora_docs_raw(docs, "<td>");

    if (field->about) {
        ngx_azora_docs_text(docs, field->about);
    }
}


static void
ngx_azora_docs_kind(ngx_azora_docs_t *docs, const ngx_azora_field_t *field,
    ngx_uint_t reply)
{
    ngx_azora_docs_raw(docs, ngx_azora_docs_kinds[field->kind]);

    if (field->kind == NGX_AZORA_ENUM && field->values) {
        ngx_azora_docs_words(docs, field->values);
    }

    if (!reply && (field->min || field->max)) {
        ngx_azora_docs_bounds(docs, field);
    }
}


static void
ngx_azora_docs_bounds(ngx_azora_docs_t *docs, const ngx_azora_field_t *field)
{
    ngx_azora_docs_raw(docs, " (");
    ngx_azora_docs_number(docs, field->min);
    ngx_azora_docs_raw(docs, " to ");
    ngx_azora_docs_number(docs, field->max);

    switch (field->kind) {

    case NGX_AZORA_TEXT:
        ngx_azora_docs_raw(docs, " characters)");
        break;

    case NGX_AZORA_SECRET:
        ngx_azora_docs_raw(docs, " bytes)");
        break;

    case NGX_AZORA_LIST:
        ngx_azora_docs_raw(docs, " items)");
        break;

    default:
        ngx_azora_docs_raw(docs, ")");
    }
}
