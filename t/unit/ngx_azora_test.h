
/*
 * Unit tests in C: each t/unit/<name>.c becomes a dynamic module that NGINX
 * loads beside the core, so a test calls the very functions that will serve,
 * linked and loaded as they will be.  The tests run while NGINX checks its
 * configuration and print TAP.
 *
 *     #include "ngx_azora_test.h"
 *
 *     static void
 *     ngx_azora_test_run(ngx_conf_t *cf)
 *     {
 *         is_int(1 + 1, 2, "addition");
 *     }
 *
 * Every file that includes this header defines ngx_azora_test_run().
 */


#ifndef _NGX_AZORA_TEST_H_INCLUDED_
#define _NGX_AZORA_TEST_H_INCLUDED_


#include "ngx_azora_private.h"

#include <stdarg.h>
#include <stdio.h>


static void ngx_azora_test_run(ngx_conf_t *cf);


static ngx_uint_t  ngx_azora_test_count;
static ngx_uint_t  ngx_azora_test_failed;


/* A remark in the output. */

__attribute__((unused, format(printf, 1, 2)))
static void
diag(const char *fmt, ...)
{
    va_list  args;

    printf("# ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);
}


/* One test; returns whether it passed. */

__attribute__((unused, format(printf, 2, 3)))
static ngx_uint_t
ok(ngx_uint_t passed, const char *fmt, ...)
{
    va_list  args;

    ngx_azora_test_count++;
    ngx_azora_test_failed += !passed;

    printf("%sok %lu - ", passed ? "" : "not ",
           (unsigned long) ngx_azora_test_count);
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    fflush(stdout);

    return passed;
}


__attribute__((unused))
static ngx_uint_t
is_int(int64_t got, int64_t expected, const char *name)
{
    if (ok(got == expected, "%s", name)) {
        return 1;
    }

    diag("got %lld, expected %lld", (long long) got, (long long) expected);

    return 0;
}


/* expected NULL: got must have no data */

__attribute__((unused))
static ngx_uint_t
is_str(const ngx_str_t *got, const char *expected, const char *name)
{
    ngx_uint_t  same;

    if (expected == NULL) {
        same = (got->data == NULL);

    } else {
        same = (got->data != NULL && got->len == ngx_strlen(expected)
                && ngx_memcmp(got->data, expected, got->len) == 0);
    }

    if (ok(same, "%s", name)) {
        return 1;
    }

    diag("got '%.*s', expected '%s'", got->data ? (int) got->len : 4,
         got->data ? (char *) got->data : "NULL",
         expected ? expected : "NULL");

    return 0;
}


/*
 * A request that no client sent: pool, contexts and configuration are real,
 * the connection is not.  NULL: out of memory.
 */

__attribute__((unused))
static ngx_http_request_t *
ngx_azora_test_request(ngx_conf_t *cf, ngx_pool_t *pool)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ngx_pcalloc(pool, sizeof(ngx_connection_t));
    r = ngx_pcalloc(pool, sizeof(ngx_http_request_t));

    if (c == NULL || r == NULL) {
        return NULL;
    }

    r->ctx = ngx_pcalloc(pool, sizeof(void *) * ngx_http_max_module);

    if (r->ctx == NULL
        || ngx_list_init(&r->headers_in.headers, pool, 4,
                         sizeof(ngx_table_elt_t))
           != NGX_OK
        || ngx_list_init(&r->headers_out.headers, pool, 4,
                         sizeof(ngx_table_elt_t))
           != NGX_OK)
    {
        return NULL;
    }

    c->log = cf->log;
    c->pool = pool;
    c->data = r;
    c->fd = (ngx_socket_t) -1;

    r->signature = NGX_HTTP_MODULE;
    r->connection = c;
    r->pool = pool;
    r->main = r;
    r->count = 1;
    r->main_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->main_conf;
    r->srv_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->srv_conf;
    r->loc_conf = ((ngx_http_conf_ctx_t *) cf->ctx)->loc_conf;
    r->method = NGX_HTTP_GET;
    ngx_str_set(&r->method_name, "GET");
    ngx_str_set(&r->uri, "/");

    return r;
}


static ngx_int_t
ngx_azora_test_postconfiguration(ngx_conf_t *cf)
{
    ngx_azora_test_run(cf);

    printf("1..%lu\n", (unsigned long) ngx_azora_test_count);
    fflush(stdout);

    return ngx_azora_test_failed ? NGX_ERROR : NGX_OK;
}


static ngx_http_module_t  ngx_azora_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_azora_test_postconfiguration,      /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_azora_test_module = {
    NGX_MODULE_V1,
    &ngx_azora_test_module_ctx,            /* module context */
    NULL,                                  /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* what NGINX's own build writes for a dynamic module */

ngx_module_t  *ngx_modules[] = { &ngx_azora_test_module, NULL };
char  *ngx_module_names[] = { "ngx_azora_test_module", NULL };
char  *ngx_module_order[] = { NULL };


#endif /* _NGX_AZORA_TEST_H_INCLUDED_ */
