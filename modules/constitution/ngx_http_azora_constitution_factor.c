
/*
 * Literal factors of a pattern: strings of which every match holds at least
 * one, so that a text without any of them need not be run through the regular
 * expression.  The idea is that of RE2's FilteredRE2: walk the pattern and
 * keep, for each part, either the exact strings it matches or a set of
 * required ones.
 *
 * Whatever this reader is not sure of makes it give up, and the pattern is
 * then always run.  Being ASCII and lower case, the literals suit patterns of
 * either case; fold() removed the two codes beyond ASCII that would match an
 * ASCII letter regardless of case.
 */


#include "ngx_http_azora_constitution_factor.h"


#define NGX_HTTP_AZORA_GROUPS_MAX   12


static ngx_int_t ngx_http_azora_factor_choice(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part);


/* Length of the shortest string; 0: not worth to be required. */

static size_t
ngx_http_azora_factor_worth(const ngx_http_azora_literals_t *set)
{
    size_t      min;
    ngx_uint_t  i;

    if (set->n == 0) {
        return 0;
    }

    min = NGX_HTTP_AZORA_LITERAL_LEN;

    for (i = 0; i < set->n; i++) {
        min = ngx_min(min, set->items[i].len);
    }

    return (min < NGX_HTTP_AZORA_LITERAL_MIN) ? 0 : min;
}


/* Keeps in best what filters better: longer strings, then fewer. */

static void
ngx_http_azora_factor_offer(ngx_http_azora_literals_t *best,
    const ngx_http_azora_literals_t *set)
{
    size_t  old, new;

    old = ngx_http_azora_factor_worth(best);
    new = ngx_http_azora_factor_worth(set);

    if (new > old || (new && new == old && set->n < best->n)) {
        *best = *set;
    }
}


/* set := set x with.  NGX_DECLINED: it would be too large. */

static ngx_int_t
ngx_http_azora_factor_product(ngx_http_azora_literals_t *set,
    const ngx_http_azora_literals_t *with)
{
    u_char                     len;
    ngx_uint_t                 i, j, k;
    ngx_http_azora_literals_t  left;

    if (set->n * with->n > NGX_HTTP_AZORA_LITERALS_MAX) {
        return NGX_DECLINED;
    }

    for (i = 0; i < set->n; i++) {
        for (j = 0; j < with->n; j++) {
            if (set->items[i].len + with->items[j].len
                > NGX_HTTP_AZORA_LITERAL_LEN)
            {
                return NGX_DECLINED;
            }
        }
    }

    left = *set;
    k = 0;

    for (i = 0; i < left.n; i++) {
        for (j = 0; j < with->n; j++, k++) {
            len = left.items[i].len;
            ngx_memcpy(set->items[k].data, left.items[i].data, len);
            ngx_memcpy(set->items[k].data + len, with->items[j].data,
                       with->items[j].len);
            set->items[k].len = len + with->items[j].len;
        }
    }

    set->n = k;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_factor_union(ngx_http_azora_literals_t *set,
    const ngx_http_azora_literals_t *with)
{
    if (set->n + with->n > NGX_HTTP_AZORA_LITERALS_MAX) {
        return NGX_DECLINED;
    }

    ngx_memcpy(&set->items[set->n], with->items,
               with->n * sizeof(set->items[0]));
    set->n += with->n;

    return NGX_OK;
}


/* after the "(" */

static ngx_int_t
ngx_http_azora_factor_group(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    ngx_int_t   rc;
    ngx_uint_t  around;

    around = 0;

    if (in->pos < in->last && *in->pos == '*') {
        return ngx_http_azora_constitution_read_verb(in, part);
    }

    if (in->pos < in->last && *in->pos == '?') {
        in->pos++;

        rc = ngx_http_azora_constitution_read_group(in, &around);

        if (rc == NGX_DONE) {
            ngx_http_azora_constitution_part_empty(part);
            return NGX_OK;
        }

        if (rc == NGX_DECLINED) {
            ngx_http_azora_constitution_part_unknown(part);
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (++in->depth > NGX_HTTP_AZORA_GROUPS_MAX
        || ngx_http_azora_factor_choice(in, part) != NGX_OK
        || in->pos == in->last || *in->pos != ')')
    {
        return NGX_ERROR;
    }

    in->pos++;
    in->depth--;

    if (around) {
        /* looks, but takes nothing */
        ngx_http_azora_constitution_part_empty(part);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_factor_atom(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    u_char  c;

    c = *in->pos++;

    switch (c) {

    case '(':
        return ngx_http_azora_factor_group(in, part);

    case '[':
        return ngx_http_azora_constitution_read_class(in, part);

    case '\\':
        return ngx_http_azora_constitution_read_escape(in, part);

    case '.':
        ngx_http_azora_constitution_part_unknown(part);
        return NGX_OK;

    case '^': case '$':
        ngx_http_azora_constitution_part_empty(part);
        return NGX_OK;

    case '*': case '+': case '?': case '{':
        return NGX_ERROR;
    }

    if (c < 0x80) {
        ngx_http_azora_constitution_part_char(part, c);
        return NGX_OK;
    }

    ngx_http_azora_constitution_part_unknown(part);

    while (in->pos < in->last && (*in->pos & 0xc0) == 0x80) {
        in->pos++;
    }

    return NGX_OK;
}


static void
ngx_http_azora_factor_repeat(ngx_http_azora_part_t *part, ngx_uint_t min,
    ngx_uint_t max)
{
    if (min == 1 && max == 1) {
        return;
    }

    if (min > 0) {
        part->exact = 0;
        return;
    }

    if (max == 1 && part->exact
        && part->set.n < NGX_HTTP_AZORA_LITERALS_MAX)
    {
        part->set.items[part->set.n++].len = 0;
        return;
    }

    ngx_http_azora_constitution_part_unknown(part);
}


static ngx_int_t
ngx_http_azora_factor_sequence(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    ngx_int_t                  rc;
    ngx_uint_t                 min, max, whole, never;
    ngx_http_azora_part_t      next;
    ngx_http_azora_literals_t  run, best;

    whole = 1;
    never = 0;
    best.n = 0;
    run.n = 1;
    run.items[0].len = 0;

    while (in->pos < in->last && *in->pos != '|' && *in->pos != ')') {

        if (ngx_http_azora_factor_atom(in, &next) != NGX_OK) {
            return NGX_ERROR;
        }

        do {
            rc = ngx_http_azora_constitution_read_quantifier(in, &min, &max);

            if (rc == NGX_OK) {
                ngx_http_azora_factor_repeat(&next, min, max);
            }

        } while (rc == NGX_OK);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (next.exact && next.set.n == 0) {
            never = 1;
        }

        if (next.exact
            && ngx_http_azora_factor_product(&run, &next.set) == NGX_OK)
        {
            continue;
        }

        whole = 0;
        ngx_http_azora_factor_offer(&best, &run);

        if (next.exact) {
            run = next.set;
            continue;
        }

        ngx_http_azora_factor_offer(&best, &next.set);
        run.n = 1;
        run.items[0].len = 0;
    }

    part->exact = whole || never;

    if (never) {
        part->set.n = 0;
        return NGX_OK;
    }

    if (whole) {
        part->set = run;
        return NGX_OK;
    }

    ngx_http_azora_factor_offer(&best, &run);
    part->set = best;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_factor_choice(ngx_http_azora_reader_t *in,
    ngx_http_azora_part_t *part)
{
    ngx_uint_t             known;
    ngx_http_azora_part_t  branch;

    if (ngx_http_azora_factor_sequence(in, part) != NGX_OK) {
        return NGX_ERROR;
    }

    if (in->pos == in->last || *in->pos != '|') {
        return NGX_OK;
    }

    known = part->exact || ngx_http_azora_factor_worth(&part->set);

    while (in->pos < in->last && *in->pos == '|') {
        in->pos++;

        if (ngx_http_azora_factor_sequence(in, &branch) != NGX_OK) {
            return NGX_ERROR;
        }

        if (!branch.exact) {
            part->exact = 0;
            known = known && ngx_http_azora_factor_worth(&branch.set);
        }

        known = known
                && ngx_http_azora_factor_union(&part->set, &branch.set)
                   == NGX_OK;
    }

    if (!known) {
        ngx_http_azora_constitution_part_unknown(part);
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_constitution_factor(const ngx_str_t *pattern,
    ngx_http_azora_literals_t *literals)
{
    ngx_http_azora_part_t    part;
    ngx_http_azora_reader_t  in;

    in.pos = pattern->data;
    in.last = pattern->data + pattern->len;
    in.depth = 0;

    if (ngx_http_azora_factor_choice(&in, &part) != NGX_OK
        || in.pos != in.last
        || ngx_http_azora_factor_worth(&part.set) == 0)
    {
        return NGX_DECLINED;
    }

    *literals = part.set;

    return NGX_OK;
}
