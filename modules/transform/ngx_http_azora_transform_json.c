
/*
 * Removing and setting members in JSON text.  The text is cut and not printed
 * anew: what a tree of numbers would round stays as it was written.
 */


#include "ngx_http_azora_transform.h"


/* bytes from..to of the text go, and value comes if put is set */

typedef struct {
    u_char                               *from;
    u_char                               *to;
    const char                           *before;
    const ngx_str_t                      *key;    /* of a new member */
    ngx_uint_t                            put;
} ngx_http_azora_transform_cut_t;


typedef struct {
    const ngx_http_azora_transform_op_t  *op;
    ngx_array_t                           cuts;   /* in their order */
    u_char                               *last;
    ngx_int_t                             rc;
} ngx_http_azora_transform_walk_t;


static u_char *ngx_http_azora_transform_blank(u_char *p, u_char *last);
static u_char *ngx_http_azora_transform_skip(u_char *p, u_char *last);
static u_char *ngx_http_azora_transform_string(u_char *p, u_char *last);
static u_char *ngx_http_azora_transform_value(
    ngx_http_azora_transform_walk_t *w, u_char *p, ngx_uint_t step);
static u_char *ngx_http_azora_transform_object(
    ngx_http_azora_transform_walk_t *w, u_char *p, ngx_uint_t step);
static u_char *ngx_http_azora_transform_array(
    ngx_http_azora_transform_walk_t *w, u_char *p, ngx_uint_t step);
static ngx_uint_t ngx_http_azora_transform_named(const ngx_str_t *step,
    u_char *from, u_char *to);
static void ngx_http_azora_transform_cut(ngx_http_azora_transform_walk_t *w,
    u_char *from, u_char *to, const ngx_str_t *key, const char *after);
static ngx_int_t ngx_http_azora_transform_splice(ngx_pool_t *pool,
    ngx_http_azora_transform_walk_t *w, const ngx_str_t *value,
    const ngx_str_t *text, ngx_str_t *out);


ngx_uint_t
ngx_http_azora_transform_valid(const ngx_str_t *text)
{
    json_t  *root;

    root = json_loadb((char *) text->data, text->len,
                      JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL|JSON_ALLOW_NUL,
                      NULL);
    if (root == NULL) {
        return 0;
    }

    json_decref(root);

    return 1;
}


ngx_int_t
ngx_http_azora_transform_json(ngx_pool_t *pool,
    const ngx_http_azora_transform_op_t *op, const ngx_str_t *value,
    const ngx_str_t *text, ngx_str_t *out)
{
    ngx_http_azora_transform_walk_t  w;

    w.op = op;
    w.last = text->data + text->len;
    w.rc = NGX_OK;

    if (ngx_array_init(&w.cuts, pool, 8,
                       sizeof(ngx_http_azora_transform_cut_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_http_azora_transform_value(&w, text->data, 0);

    if (w.rc != NGX_OK) {
        return w.rc;
    }

    if (w.cuts.nelts == 0) {
        *out = *text;
        return NGX_OK;
    }

    return ngx_http_azora_transform_splice(pool, &w, value, text, out);
}


static u_char *
ngx_http_azora_transform_blank(u_char *p, u_char *last)
{
    while (p < last
           && (*p == ' ' || *p == '\t' || *p == LF || *p == CR))
    {
        p++;
    }

    return p;
}


/* p is at the opening quote; the end is behind the closing one */

static u_char *
ngx_http_azora_transform_string(u_char *p, u_char *last)
{
    for (p++; p < last && *p != '"'; p++) {
        if (*p == '\\') {
            p++;
        }
    }

    return ngx_min(p + 1, last);
}


/* The end of the value that begins at p. */

static u_char *
ngx_http_azora_transform_skip(u_char *p, u_char *last)
{
    ngx_uint_t  depth;

    depth = 0;

    while (p < last) {

        switch (*p) {

        case '"':
            p = ngx_http_azora_transform_string(p, last);
            break;

        case '{':
        case '[':
            depth++;
            p++;
            continue;

        case '}':
        case ']':
            if (depth == 0) {
                return p;
            }

            depth--;
            p++;
            break;

        case ',':
        case ' ':
        case '\t':
        case LF:
        case CR:
            if (depth == 0) {
                return p;
            }

            p++;
            continue;

        default:
            p++;
            continue;
        }

        if (depth == 0) {
            return p;
        }
    }

    return last;
}


/* Walks to what the pointer names from this step on; returns the end. */

static u_char *
ngx_http_azora_transform_value(ngx_http_azora_transform_walk_t *w, u_char *p,
    ngx_uint_t step)
{
    p = ngx_http_azora_transform_blank(p, w->last);

    if (p < w->last && step < w->op->nsteps) {

        if (*p == '{') {
            return ngx_http_azora_transform_object(w, p, step);
        }

        if (*p == '[') {
            return ngx_http_azora_transform_array(w, p, step);
        }
    }

    return ngx_http_azora_transform_skip(p, w->last);
}


static u_char *
ngx_http_azora_transform_object(ngx_http_azora_transform_walk_t *w, u_char *p,
    ngx_uint_t step)
{
    u_char      *start, *key, *end, *comma, *value;
    ngx_uint_t   found, kept, leaf;

    start = p + 1;
    comma = NULL;
    found = 0;
    kept = 0;
    leaf = (step + 1 == w->op->nsteps);

    p = ngx_http_azora_transform_blank(start, w->last);

    while (p < w->last && *p != '}') {

        key = p;
        end = ngx_http_azora_transform_string(p, w->last);

        /* the colon */
        value = ngx_http_azora_transform_blank(end, w->last) + 1;
        value = ngx_http_azora_transform_blank(value, w->last);

        if (!ngx_http_azora_transform_named(&w->op->steps[step], key, end)) {
            p = ngx_http_azora_transform_skip(value, w->last);
            kept++;

        } else if (!leaf) {
            p = ngx_http_azora_transform_value(w, value, step + 1);
            kept++;

        } else {
            p = ngx_http_azora_transform_skip(value, w->last);
            found++;

            if (w->op->value != NULL) {
                ngx_http_azora_transform_cut(w, value, p, NULL, "");
                kept++;

            } else if (kept) {
                /* with the comma before it */
                ngx_http_azora_transform_cut(w, comma, p, NULL, NULL);
            }
        }

        end = ngx_http_azora_transform_blank(p, w->last);

        if (end >= w->last || *end != ',') {
            p = end;

            if (found && !kept && w->op->value == NULL) {
                /* nothing stays of the object */
                ngx_http_azora_transform_cut(w, start, end, NULL, NULL);
            }

            break;
        }

        comma = end;
        p = ngx_http_azora_transform_blank(end + 1, w->last);

        if (found && !kept && w->op->value == NULL) {
            /* the first ones, with the comma behind them */
            ngx_http_azora_transform_cut(w, start, p, NULL, NULL);
            start = p;
            found = 0;
        }
    }

    if (leaf && w->op->value != NULL && !found) {
        ngx_http_azora_transform_cut(w, p, p, &w->op->steps[step],
                                     kept ? "," : "");
    }

    return ngx_min(p + 1, w->last);
}


static u_char *
ngx_http_azora_transform_array(ngx_http_azora_transform_walk_t *w, u_char *p,
    ngx_uint_t step)
{
    ngx_int_t         n, wanted;
    ngx_uint_t        every;
    const ngx_str_t  *name;

    name = &w->op->steps[step];
    every = (name->len == 1 && name->data[0] == '*');
    wanted = ngx_atoi(name->data, name->len);

    p = ngx_http_azora_transform_blank(p + 1, w->last);

    for (n = 0; p < w->last && *p != ']'; n++) {

        /* items themselves are neither removed nor set */

        p = ((every || n == wanted) && step + 1 < w->op->nsteps)
            ? ngx_http_azora_transform_value(w, p, step + 1)
            : ngx_http_azora_transform_skip(p, w->last);

        p = ngx_http_azora_transform_blank(p, w->last);

        if (p < w->last && *p == ',') {
            p = ngx_http_azora_transform_blank(p + 1, w->last);
        }
    }

    return ngx_min(p + 1, w->last);
}


/* A name may be written with escapes: "\u0069d" is "id". */

static ngx_uint_t
ngx_http_azora_transform_named(const ngx_str_t *step, u_char *from, u_char *to)
{
    json_t      *name;
    ngx_uint_t   same;

    if (ngx_strlchr(from, to, '\\') == NULL) {
        return (size_t) (to - from) == step->len + 2
               && ngx_memcmp(from + 1, step->data, step->len) == 0;
    }

    name = json_loadb((char *) from, to - from,
                      JSON_DECODE_ANY|JSON_ALLOW_NUL, NULL);

    same = (name != NULL && json_string_length(name) == step->len
            && ngx_memcmp(json_string_value(name), step->data, step->len)
               == 0);

    json_decref(name);

    return same;
}


/* after NULL: only removes; otherwise the value comes, behind key and after */

static void
ngx_http_azora_transform_cut(ngx_http_azora_transform_walk_t *w, u_char *from,
    u_char *to, const ngx_str_t *key, const char *after)
{
    ngx_http_azora_transform_cut_t  *cut;

    cut = ngx_array_push(&w->cuts);

    if (cut == NULL) {
        w->rc = NGX_ERROR;
        return;
    }

    cut->from = from;
    cut->to = to;
    cut->before = after;
    cut->key = key;
    cut->put = (after != NULL);
}


static ngx_int_t
ngx_http_azora_transform_splice(ngx_pool_t *pool,
    ngx_http_azora_transform_walk_t *w, const ngx_str_t *value,
    const ngx_str_t *text, ngx_str_t *out)
{
    u_char                          *p, *from;
    size_t                           len;
    ngx_uint_t                       i;
    ngx_http_azora_transform_cut_t  *cut;

    cut = w->cuts.elts;
    len = text->len;

    for (i = 0; i < w->cuts.nelts; i++) {
        if (cut[i].put) {
            len += value->len + sizeof(",\"\":")
                   + (cut[i].key ? 6 * cut[i].key->len : 0);
        }
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;
    from = text->data;

    for (i = 0; i < w->cuts.nelts; i++) {
        p = ngx_cpymem(p, from, cut[i].from - from);
        from = cut[i].to;

        if (!cut[i].put) {
            continue;
        }

        if (cut[i].key != NULL) {
            p = ngx_cpymem(p, cut[i].before, ngx_strlen(cut[i].before));
            p = ngx_azora_json_quote(p, cut[i].key->data, cut[i].key->len);
            *p++ = ':';
        }

        p = ngx_cpymem(p, value->data, value->len);
    }

    p = ngx_cpymem(p, from, text->data + text->len - from);
    out->len = p - out->data;

    return NGX_OK;
}
