
/*
 * Takes headers out of a request and puts others in, so that every way to an
 * upstream (proxy, fastcgi, grpc, ...) passes on what is meant to pass.
 *
 * NGINX keeps pointers into the list, so its elements never move: a part that
 * loses one is split into the runs around it.
 */


#include "ngx_http_azora_gateway.h"


/* room for those that come in the place of all that went */
#define NGX_HTTP_AZORA_GATEWAY_HEADERS_MIN  8


static ngx_int_t ngx_http_azora_gateway_room(ngx_list_t *list);
static ngx_int_t ngx_http_azora_gateway_runs(ngx_http_request_t *r,
    ngx_list_part_t *part, ngx_http_azora_gateway_drop_pt drop,
    const void *data, ngx_list_part_t **first, ngx_list_part_t **last);


ngx_int_t
ngx_http_azora_gateway_drop(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data)
{
    ngx_list_t       *list, fresh;
    ngx_list_part_t  *part, *first, *last;

    if (!ngx_http_azora_gateway_any(r, drop, data)) {
        return NGX_OK;
    }

    list = &r->headers_in.headers;
    first = NULL;
    last = NULL;

    part = &list->part;

    do {
        if (ngx_http_azora_gateway_runs(r, part, drop, data, &first, &last)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        part = part->next;

    } while (part);

    if (first == NULL || last == NULL) {

        if (ngx_list_init(&fresh, r->pool, NGX_HTTP_AZORA_GATEWAY_HEADERS_MIN,
                          sizeof(ngx_table_elt_t))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        *list = fresh;
        list->last = &list->part;

        return NGX_OK;
    }

    list->part = *first;
    list->last = (last == first) ? &list->part : last;

    /* the last part is full: a push makes another, with as much room */
    list->nalloc = list->last->nelts;

    return NGX_OK;
}


ngx_uint_t
ngx_http_azora_gateway_any(ngx_http_request_t *r,
    ngx_http_azora_gateway_drop_pt drop, const void *data)
{
    ngx_table_elt_t      *h;
    ngx_azora_headers_t   at = { &r->headers_in.headers.part, 0 };

    for (h = ngx_azora_header_next(&at); h; h = ngx_azora_header_next(&at)) {

        if (drop(h, data)) {
            return 1;
        }
    }

    return 0;
}


/* Appends a part for each run of elements that stay. */

static ngx_int_t
ngx_http_azora_gateway_runs(ngx_http_request_t *r, ngx_list_part_t *part,
    ngx_http_azora_gateway_drop_pt drop, const void *data,
    ngx_list_part_t **first, ngx_list_part_t **last)
{
    ngx_uint_t        i, start;
    ngx_list_part_t  *run;
    ngx_table_elt_t  *h;

    h = part->elts;

    for (i = 0; i < part->nelts; /* void */ ) {

        if (drop(&h[i], data)) {
            i++;
            continue;
        }

        start = i;

        while (i < part->nelts && !drop(&h[i], data)) {
            i++;
        }

        run = ngx_palloc(r->pool, sizeof(ngx_list_part_t));
        if (run == NULL) {
            return NGX_ERROR;
        }

        run->elts = &h[start];
        run->nelts = i - start;
        run->next = NULL;

        if (*last == NULL) {
            *first = run;

        } else {
            (*last)->next = run;
        }

        *last = run;
    }

    return NGX_OK;
}


/*
 * A list that was split ends with a short part, and ngx_list_push() would
 * make one as short for each header.
 */

static ngx_int_t
ngx_http_azora_gateway_room(ngx_list_t *list)
{
    ngx_list_part_t  *part;

    if (list->last->nelts < list->nalloc
        || list->nalloc >= NGX_HTTP_AZORA_GATEWAY_HEADERS_MIN)
    {
        return NGX_OK;
    }

    part = ngx_palloc(list->pool, sizeof(ngx_list_part_t)
                                  + NGX_HTTP_AZORA_GATEWAY_HEADERS_MIN
                                    * list->size);
    if (part == NULL) {
        return NGX_ERROR;
    }

    part->elts = part + 1;
    part->nelts = 0;
    part->next = NULL;

    list->last->next = part;
    list->last = part;
    list->nalloc = NGX_HTTP_AZORA_GATEWAY_HEADERS_MIN;

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_gateway_push(ngx_http_request_t *r,
    const ngx_http_azora_gateway_name_t *name, const ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    if (ngx_http_azora_gateway_room(&r->headers_in.headers) != NGX_OK) {
        return NGX_ERROR;
    }

    h = ngx_list_push(&r->headers_in.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->key = name->text;
    h->lowcase_key = name->text.data;
    h->hash = name->hash;
    h->value = *value;

    return NGX_OK;
}


void
ngx_http_azora_gateway_name_init(ngx_http_azora_gateway_name_t *name)
{
    name->hash = ngx_hash_key(name->text.data, name->text.len);
}
