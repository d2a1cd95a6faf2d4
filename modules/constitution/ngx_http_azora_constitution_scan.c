
/*
 * One pass over a text tells which rules' literals occur in it: the automaton
 * of Aho and Corasick (1975) with all transitions filled in.  Bytes are mapped
 * to classes first, so that a state costs some 40 transitions and not 256;
 * both cases of a letter are one class, and so are a space and a line feed,
 * because texts are also matched with their lines joined.
 */


#include "ngx_http_azora_constitution.h"


#define NGX_HTTP_AZORA_NO_LINK  0xffffffff


static size_t ngx_http_azora_constitution_classes(
    ngx_http_azora_automaton_t *a, ngx_http_azora_literals_t **rules,
    ngx_uint_t n, ngx_uint_t *literals, uint64_t *always);
static void ngx_http_azora_constitution_insert(ngx_http_azora_automaton_t *a,
    const u_char *data, size_t len, ngx_uint_t rule, ngx_uint_t literal);
static ngx_int_t ngx_http_azora_constitution_complete(
    ngx_http_azora_automaton_t *a, ngx_pool_t *pool);


ngx_http_azora_automaton_t *
ngx_http_azora_constitution_automaton(ngx_pool_t *pool,
    ngx_http_azora_literals_t **rules, ngx_uint_t n, uint64_t *always)
{
    size_t                       states;
    ngx_uint_t                   i, j, literals;
    ngx_http_azora_automaton_t  *a;

    a = ngx_pcalloc(pool, sizeof(ngx_http_azora_automaton_t));
    if (a == NULL) {
        return NULL;
    }

    states = ngx_http_azora_constitution_classes(a, rules, n, &literals,
                                                 always);

    a->next = ngx_pcalloc(pool, states * a->nclasses * sizeof(uint16_t));
    a->suffix = ngx_pcalloc(pool, states * sizeof(uint16_t));
    a->first = ngx_palloc(pool, states * sizeof(uint32_t));
    a->link = ngx_palloc(pool, (literals + 1) * sizeof(uint32_t));
    a->rules = ngx_palloc(pool, (literals + 1) * sizeof(uint16_t));

    if (a->next == NULL || a->suffix == NULL || a->first == NULL
        || a->link == NULL || a->rules == NULL)
    {
        return NULL;
    }

    ngx_memset(a->first, 0xff, states * sizeof(uint32_t));
    a->nstates = 1;

    for (i = 0, literals = 0; i < n; i++) {

        if (rules[i] == NULL) {
            continue;
        }

        for (j = 0; j < rules[i]->n; j++) {
            ngx_http_azora_constitution_insert(a, rules[i]->items[j].data,
                                               rules[i]->items[j].len, i,
                                               literals++);
        }
    }

    return (ngx_http_azora_constitution_complete(a, pool) == NGX_OK) ? a
                                                                     : NULL;
}


/* Returns how many states there can be, at most. */

static size_t
ngx_http_azora_constitution_classes(ngx_http_azora_automaton_t *a,
    ngx_http_azora_literals_t **rules, ngx_uint_t n, ngx_uint_t *literals,
    uint64_t *always)
{
    u_char                      c;
    size_t                      states, k, own;
    ngx_uint_t                  i, j;
    ngx_http_azora_literals_t  *set;

    states = 1;
    *literals = 0;
    a->nclasses = 1;                 /* class 0: bytes of no literal */

    for (i = 0; i < n; i++) {

        set = rules[i];

        if (set == NULL) {
            continue;
        }

        for (j = 0, own = 0; j < set->n; j++) {
            own += set->items[j].len;
        }

        if (states + own > NGX_HTTP_AZORA_STATES_MAX) {
            rules[i] = NULL;
            always[i / 64] |= (uint64_t) 1 << (i % 64);
            continue;
        }

        states += own;
        *literals += set->n;

        for (j = 0; j < set->n; j++) {
            for (k = 0; k < set->items[j].len; k++) {

                c = set->items[j].data[k];

                if (a->classes[c] == 0) {
                    a->classes[c] = (u_char) a->nclasses++;
                    a->classes[ngx_toupper(c)] = a->classes[c];
                }
            }
        }
    }

    a->classes[LF] = a->classes[' '];

    return states;
}


static void
ngx_http_azora_constitution_insert(ngx_http_azora_automaton_t *a,
    const u_char *data, size_t len, ngx_uint_t rule, ngx_uint_t literal)
{
    size_t       i;
    uint16_t    *next;
    ngx_uint_t   state;

    for (i = 0, state = 0; i < len; i++) {

        next = &a->next[state * a->nclasses + a->classes[data[i]]];

        if (*next == 0) {
            *next = (uint16_t) a->nstates++;
        }

        state = *next;
    }

    a->rules[literal] = (uint16_t) rule;
    a->link[literal] = a->first[state];
    a->first[state] = (uint32_t) literal;
}


/*
 * Breadth first: a missing transition becomes the one of the longest proper
 * suffix, which is nearer to the root and so complete already.
 */

static ngx_int_t
ngx_http_azora_constitution_complete(ngx_http_azora_automaton_t *a,
    ngx_pool_t *pool)
{
    uint16_t    *queue, *fail, *next;
    ngx_uint_t   head, tail, state, c, to;

    queue = ngx_palloc(pool, a->nstates * sizeof(uint16_t));
    fail = ngx_pcalloc(pool, a->nstates * sizeof(uint16_t));

    if (queue == NULL || fail == NULL) {
        return NGX_ERROR;
    }

    head = 0;
    tail = 0;

    for (c = 0; c < a->nclasses; c++) {
        if (a->next[c]) {
            queue[tail++] = a->next[c];
        }
    }

    while (head < tail) {

        state = queue[head++];
        next = &a->next[state * a->nclasses];

        a->suffix[state] = (a->first[fail[state]] != NGX_HTTP_AZORA_NO_LINK)
                           ? fail[state] : a->suffix[fail[state]];

        for (c = 0; c < a->nclasses; c++) {

            to = a->next[fail[state] * a->nclasses + c];

            if (next[c] == 0) {
                next[c] = (uint16_t) to;
                continue;
            }

            fail[next[c]] = (uint16_t) to;
            queue[tail++] = next[c];
        }
    }

    ngx_pfree(pool, queue);
    ngx_pfree(pool, fail);

    return NGX_OK;
}


void
ngx_http_azora_constitution_scan(const ngx_http_azora_automaton_t *automaton,
    const u_char *text, size_t len, uint64_t *rules)
{
    size_t       i;
    uint32_t     literal;
    ngx_uint_t   state, s, rule;

    state = 0;

    for (i = 0; i < len; i++) {

        state = automaton->next[state * automaton->nclasses
                                + automaton->classes[text[i]]];

        if (automaton->first[state] == NGX_HTTP_AZORA_NO_LINK
            && automaton->suffix[state] == 0)
        {
            continue;
        }

        for (s = state; s != 0; s = automaton->suffix[s]) {

            literal = automaton->first[s];

            for ( /* void */ ;
                 literal != NGX_HTTP_AZORA_NO_LINK;
                 literal = automaton->link[literal])
            {
                rule = automaton->rules[literal];
                rules[rule / 64] |= (uint64_t) 1 << (rule % 64);
            }
        }
    }
}
