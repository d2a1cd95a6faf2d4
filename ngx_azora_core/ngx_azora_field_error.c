
/*
 * How validation says what is wrong, and where.
 */


#include "ngx_azora_field.h"


/* of a name that the client invented */
#define NGX_AZORA_POINTER_NAME_MAX  64

/* of an enumeration's values with what stands between them; more are cut */
#define NGX_AZORA_VALUES_MAX        160


static void ngx_azora_field_values(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field);
static const char *ngx_azora_field_unit(ngx_azora_kind_e kind);


void
ngx_azora_field_wrong(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field, const char *reason)
{
    int64_t  min, max;

    /* all are counted, and the first ones named */

    if (v->errors++ >= NGX_AZORA_ERRORS_MAX) {
        return;
    }

    if (reason == ngx_azora_field_other) {
        ngx_azora_field_values(v, field);
        return;
    }

    if (reason != ngx_azora_field_short && reason != ngx_azora_field_long
        && reason != ngx_azora_field_range)
    {
        ngx_azora_problem_error(v->request, v->pointer, "%s", reason);
        return;
    }

    ngx_azora_field_bounds(field, &min, &max);

    if (min == max) {
        ngx_azora_problem_error(v->request, v->pointer, "%s: exactly %L%s",
                                reason, min,
                                ngx_azora_field_unit(field->kind));
        return;
    }

    ngx_azora_problem_error(v->request, v->pointer, "%s: %L to %L%s", reason,
                            min, max, ngx_azora_field_unit(field->kind));
}


/* The values are in /openapi.json: they are no secrets. */

static void
ngx_azora_field_values(ngx_azora_validation_t *v,
    const ngx_azora_field_t *field)
{
    u_char      *p, text[NGX_AZORA_VALUES_MAX];
    const char  *s;

    p = text;

    for (s = field->values; *s != '\0' && p < text + sizeof(text) - 3; s++) {

        if (*s == '|') {
            *p++ = ',';
            *p++ = ' ';

        } else {
            *p++ = (u_char) *s;
        }
    }

    *p = '\0';

    ngx_azora_problem_error(v->request, v->pointer, "%s: %s",
                            ngx_azora_field_other, text);
}


static const char *
ngx_azora_field_unit(ngx_azora_kind_e kind)
{
    switch (kind) {

    case NGX_AZORA_INTEGER:
        return " is allowed";

    case NGX_AZORA_SECRET:
    case NGX_AZORA_OBJECT:
        return " bytes are allowed";

    case NGX_AZORA_LIST:
        return " items are allowed";

    default:
        return " characters are allowed";
    }
}


void
ngx_azora_field_point(ngx_azora_validation_t *v, size_t len, char before,
    const u_char *name, size_t name_len, char behind)
{
    char    *p, *last;
    size_t   i, cut;

    p = v->pointer + len;
    last = v->pointer + NGX_AZORA_POINTER_MAX - 3;

    cut = ngx_min(name_len, NGX_AZORA_POINTER_NAME_MAX);

    while (cut < name_len && cut > 0 && (name[cut] & 0xc0) == 0x80) {
        /* not within a character */
        cut--;
    }

    if (last - p < (ssize_t) (2 * cut + 1)) {
        /* too deep to say more; what is there names the way so far */
        v->len = len;
        *p = '\0';
        return;
    }

    *p++ = before;

    for (i = 0; i < cut; i++) {

        if (before != '/' || (name[i] != '~' && name[i] != '/')) {
            *p++ = (char) name[i];
            continue;
        }

        /* RFC 6901, 3 */
        *p++ = '~';
        *p++ = (name[i] == '~') ? '0' : '1';
    }

    if (behind != '\0') {
        *p++ = behind;
    }

    *p = '\0';
    v->len = p - v->pointer;
}
