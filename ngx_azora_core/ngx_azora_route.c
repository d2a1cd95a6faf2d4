
/*
 * Routing: the rows of all capabilities become endpoints and one trie of path
 * segments.  It is built at configuration time and only read afterwards.
 *
 * A literal segment wins over a parameter; when the literal branch has the
 * path but not the method, the parameter's branch is still asked, and Allow
 * names the methods of both.  A trailing slash and an empty segment are other
 * addresses than the same path without them, and there are none of those.
 */


#include "ngx_azora_route.h"


typedef struct {
    ngx_uint_t                   bit;
    ngx_str_t                    name;
} ngx_azora_method_t;


/* in the order in which Allow names them */

static const ngx_azora_method_t  ngx_azora_methods[] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") }
};

#define NGX_AZORA_METHODS                                                     \
    (sizeof(ngx_azora_methods) / sizeof(ngx_azora_method_t))


struct ngx_azora_trie_s {
    ngx_str_t                    segment;    /* or the parameter's name */
    ngx_array_t                  literals;   /* ngx_azora_trie_t *, sorted */
    ngx_azora_trie_t            *param;
    ngx_uint_t                   methods;    /* bits */
    const ngx_azora_endpoint_t  *endpoints[NGX_AZORA_METHODS];
};


typedef struct {
    ngx_uint_t                   slot;       /* NGX_AZORA_NONE: no row's */
    u_char                      *last;
    ngx_azora_match_t           *match;
} ngx_azora_walk_t;


static ngx_int_t ngx_azora_route_add(ngx_conf_t *cf,
    ngx_azora_main_conf_t *amcf, const ngx_azora_capability_t *capability,
    const ngx_azora_row_t *row);
static ngx_int_t ngx_azora_route_describe(ngx_conf_t *cf,
    ngx_azora_endpoint_t *endpoint);
static ngx_int_t ngx_azora_route_insert(ngx_conf_t *cf,
    ngx_azora_trie_t *node, const ngx_azora_endpoint_t *endpoint);
static ngx_azora_trie_t *ngx_azora_route_node(ngx_conf_t *cf);
static ngx_azora_trie_t *ngx_azora_route_literal(ngx_conf_t *cf,
    ngx_azora_trie_t *node, const ngx_str_t *segment);
static ngx_uint_t ngx_azora_route_find(const ngx_azora_trie_t *node,
    const u_char *segment, size_t len, ngx_uint_t *position);
static ngx_uint_t ngx_azora_route_slot(ngx_uint_t method);
static ngx_uint_t ngx_azora_route_walk(const ngx_azora_trie_t *node,
    u_char *p, ngx_azora_walk_t *walk);


ngx_int_t
ngx_azora_route_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t                i;
    const ngx_azora_row_t    *row;
    ngx_azora_capability_t  **capabilities;

    amcf->trie = ngx_azora_route_node(cf);
    if (amcf->trie == NULL) {
        return NGX_ERROR;
    }

    if (amcf->endpoints.elts == NULL
        && ngx_array_init(&amcf->endpoints, cf->pool, 64,
                          sizeof(ngx_azora_endpoint_t *))
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    capabilities = amcf->capabilities.elts;

    for (i = 0; i < amcf->capabilities.nelts; i++) {

        row = capabilities[i]->rows;

        for ( /* void */ ; row != NULL && row->path != NULL; row++) {

            if (ngx_azora_route_add(cf, amcf, capabilities[i], row)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_route_add(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf,
    const ngx_azora_capability_t *capability, const ngx_azora_row_t *row)
{
    ngx_azora_route_t      *route;
    ngx_azora_endpoint_t  **slot, *endpoint;

    route = ngx_pcalloc(cf->pool, sizeof(ngx_azora_route_t));
    if (route == NULL) {
        return NGX_ERROR;
    }

    endpoint = &route->endpoint;
    endpoint->row = row;
    endpoint->capability = capability;
    endpoint->index = amcf->endpoints.nelts;
    endpoint->generation = NGX_AZORA_NONE;

    if (ngx_azora_route_describe(cf, endpoint) != NGX_OK) {
        return NGX_ERROR;
    }

    if (endpoint->index >= NGX_AZORA_ENDPOINTS_MAX) {
        return ngx_azora_route_fail(cf, endpoint,
                                    "there are more than %d endpoints",
                                    NGX_AZORA_ENDPOINTS_MAX);
    }

    if (ngx_azora_route_check(cf, route) != NGX_OK) {
        return NGX_ERROR;
    }

    if (row->version != NULL) {
        endpoint->generation = ngx_azora_generation_index(cf, row->version);

        if (endpoint->generation == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    if (ngx_azora_route_insert(cf, amcf->trie, endpoint) != NGX_OK) {
        return NGX_ERROR;
    }

    slot = ngx_array_push(&amcf->endpoints);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = endpoint;

    return NGX_OK;
}


static ngx_int_t
ngx_azora_route_describe(ngx_conf_t *cf, ngx_azora_endpoint_t *endpoint)
{
    u_char                 *p;
    ngx_uint_t              slot;
    const ngx_azora_row_t  *row;

    row = endpoint->row;
    slot = ngx_azora_route_slot(row->method);

    endpoint->path.data = (u_char *) row->path;
    endpoint->path.len = ngx_strlen(row->path);

    if (slot == NGX_AZORA_NONE) {
        ngx_str_set(&endpoint->label, "?");
        return ngx_azora_route_fail(cf, endpoint,
                                    "\"%V\" has a method that is none of GET, "
                                    "POST, PUT, PATCH, DELETE",
                                    &endpoint->path);
    }

    endpoint->method = ngx_azora_methods[slot].name;
    endpoint->label.len = endpoint->method.len + 1 + endpoint->path.len;

    p = ngx_pnalloc(cf->pool, endpoint->label.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    endpoint->label.data = p;
    (void) ngx_sprintf(p, "%V %V%Z", &endpoint->method, &endpoint->path);

    return NGX_OK;
}


ngx_int_t
ngx_azora_route_fail(ngx_conf_t *cf, const ngx_azora_endpoint_t *endpoint,
    const char *fmt, ...)
{
    u_char   text[NGX_MAX_CONF_ERRSTR], *last;
    va_list  args;

    va_start(args, fmt);
    last = ngx_vslprintf(text, text + sizeof(text), fmt, args);
    va_end(args);

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "azora: row \"%V\" of \"%s\": %*s", &endpoint->label,
                       endpoint->capability->name, last - text, text);

    return NGX_ERROR;
}


static ngx_int_t
ngx_azora_route_insert(ngx_conf_t *cf, ngx_azora_trie_t *node,
    const ngx_azora_endpoint_t *endpoint)
{
    size_t      pos;
    ngx_str_t   segment;
    ngx_uint_t  param, slot;

    pos = 0;

    while (ngx_azora_route_segment(&endpoint->path, &pos, &segment, &param)
           == NGX_OK)
    {
        if (!param) {
            node = ngx_azora_route_literal(cf, node, &segment);
            if (node == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        if (node->param == NULL) {
            node->param = ngx_azora_route_node(cf);
            if (node->param == NULL) {
                return NGX_ERROR;
            }

            node->param->segment = segment;
        }

        node = node->param;

        if (node->segment.len != segment.len
            || ngx_memcmp(node->segment.data, segment.data, segment.len) != 0)
        {
            return ngx_azora_route_fail(cf, endpoint,
                                        "another row calls the parameter "
                                        "\"{%V}\" of this path \"{%V}\"",
                                        &segment, &node->segment);
        }
    }

    slot = ngx_azora_route_slot(endpoint->row->method);

    if (slot >= NGX_AZORA_METHODS) {
        return NGX_ERROR;
    }

    if (node->endpoints[slot] != NULL) {
        return ngx_azora_route_fail(cf, endpoint,
                                    "\"%s\" has a row of this method and path",
                                    node->endpoints[slot]->capability->name);
    }

    node->endpoints[slot] = endpoint;
    node->methods |= endpoint->row->method;

    if (endpoint->row->method == NGX_HTTP_GET) {
        node->methods |= NGX_HTTP_HEAD;
    }

    return NGX_OK;
}


ngx_int_t
ngx_azora_route_segment(const ngx_str_t *path, size_t *pos,
    ngx_str_t *segment, ngx_uint_t *param)
{
    u_char  *p, *last;

    p = path->data + *pos;
    last = path->data + path->len;

    if (p == last && *pos != 0) {
        return NGX_DONE;
    }

    if (p == last || *p != '/') {
        return NGX_ERROR;
    }

    segment->data = ++p;

    while (p < last && *p != '/') {
        p++;
    }

    segment->len = p - segment->data;
    *pos = p - path->data;
    *param = (segment->len > 0 && segment->data[0] == '{');

    if (*param) {

        if (segment->len < 3 || p[-1] != '}') {
            return NGX_ERROR;
        }

        segment->data++;
        segment->len -= 2;
    }

    if (segment->len == 0
        || memchr(segment->data, '{', segment->len) != NULL
        || memchr(segment->data, '}', segment->len) != NULL)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_azora_trie_t *
ngx_azora_route_node(ngx_conf_t *cf)
{
    ngx_azora_trie_t  *node;

    node = ngx_pcalloc(cf->pool, sizeof(ngx_azora_trie_t));
    if (node == NULL) {
        return NULL;
    }

    if (ngx_array_init(&node->literals, cf->pool, 2,
                       sizeof(ngx_azora_trie_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return node;
}


/* Finds or makes the child; NULL: out of memory. */

static ngx_azora_trie_t *
ngx_azora_route_literal(ngx_conf_t *cf, ngx_azora_trie_t *node,
    const ngx_str_t *segment)
{
    ngx_uint_t          i, position;
    ngx_azora_trie_t  **children, *child;

    children = node->literals.elts;

    if (ngx_azora_route_find(node, segment->data, segment->len, &position)) {
        return children[position];
    }

    child = ngx_azora_route_node(cf);

    if (child == NULL || ngx_array_push(&node->literals) == NULL) {
        return NULL;
    }

    child->segment = *segment;
    children = node->literals.elts;

    for (i = node->literals.nelts - 1; i > position; i--) {
        children[i] = children[i - 1];
    }

    children[position] = child;

    return child;
}


/* Children are sorted by length, then bytes; position is where it belongs. */

static ngx_uint_t
ngx_azora_route_find(const ngx_azora_trie_t *node, const u_char *segment,
    size_t len, ngx_uint_t *position)
{
    ngx_int_t           rc;
    ngx_uint_t          low, high, middle;
    ngx_azora_trie_t  **children;

    children = node->literals.elts;
    low = 0;
    high = node->literals.nelts;

    while (low < high) {
        middle = (low + high) / 2;

        if (children[middle]->segment.len != len) {
            rc = (children[middle]->segment.len < len) ? -1 : 1;

        } else {
            rc = ngx_memcmp(children[middle]->segment.data, segment, len);
        }

        if (rc == 0) {
            *position = middle;
            return 1;
        }

        if (rc < 0) {
            low = middle + 1;

        } else {
            high = middle;
        }
    }

    *position = low;

    return 0;
}


static ngx_uint_t
ngx_azora_route_slot(ngx_uint_t method)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_METHODS; i++) {
        if (ngx_azora_methods[i].bit == method) {
            return i;
        }
    }

    return NGX_AZORA_NONE;
}


/*
 * Finds the row of a decoded path; allocates nothing.  HEAD finds the row of
 * GET.  The values point into path.
 */

void
ngx_azora_route_match(const ngx_azora_trie_t *trie, ngx_uint_t method,
    const ngx_str_t *path, ngx_azora_match_t *match)
{
    ngx_azora_walk_t  walk;

    match->result = NGX_AZORA_MATCH_NONE;
    match->endpoint = NULL;
    match->methods = 0;
    match->nvalues = 0;

    if (path->len == 0 || path->data[0] != '/') {
        return;
    }

    if (method == NGX_HTTP_HEAD) {
        method = NGX_HTTP_GET;
    }

    walk.slot = ngx_azora_route_slot(method);
    walk.last = path->data + path->len;
    walk.match = match;

    (void) ngx_azora_route_walk(trie, path->data, &walk);
}


/*
 * p is at a slash or at the end.  A node stands for one position in the path,
 * so no node is visited twice and the trie's size bounds the walk.
 */

static ngx_uint_t
ngx_azora_route_walk(const ngx_azora_trie_t *node, u_char *p,
    ngx_azora_walk_t *walk)
{
    u_char              *segment;
    size_t               len;
    ngx_str_t           *value;
    ngx_uint_t           position;
    ngx_azora_trie_t   **children;
    ngx_azora_match_t   *match;

    match = walk->match;

    if (p == walk->last) {

        if (node->methods == 0) {
            return 0;
        }

        match->methods |= node->methods;
        match->result = NGX_AZORA_MATCH_PATH;

        if (walk->slot == NGX_AZORA_NONE
            || node->endpoints[walk->slot] == NULL)
        {
            return 0;
        }

        match->result = NGX_AZORA_MATCH_ROW;
        match->endpoint = node->endpoints[walk->slot];

        return 1;
    }

    segment = ++p;
    p = memchr(p, '/', walk->last - p);

    if (p == NULL) {
        p = walk->last;
    }

    len = p - segment;

    if (len == 0) {
        return 0;
    }

    if (ngx_azora_route_find(node, segment, len, &position)) {
        children = node->literals.elts;

        if (ngx_azora_route_walk(children[position], p, walk)) {
            return 1;
        }
    }

    if (node->param == NULL || match->nvalues == NGX_AZORA_PATH_PARAMS_MAX) {
        return 0;
    }

    value = &match->values[match->nvalues++];
    value->data = segment;
    value->len = len;

    if (ngx_azora_route_walk(node->param, p, walk)) {
        return 1;
    }

    match->nvalues--;

    return 0;
}


u_char *
ngx_azora_route_methods(u_char *dst, ngx_uint_t methods)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AZORA_METHODS; i++) {

        if (!(methods & ngx_azora_methods[i].bit)) {
            continue;
        }

        dst = ngx_sprintf(dst, "%V, ", &ngx_azora_methods[i].name);

        if (ngx_azora_methods[i].bit == NGX_HTTP_GET) {
            dst = ngx_cpymem(dst, "HEAD, ", sizeof("HEAD, ") - 1);
        }
    }

    return ngx_cpymem(dst, "OPTIONS", sizeof("OPTIONS") - 1);
}
