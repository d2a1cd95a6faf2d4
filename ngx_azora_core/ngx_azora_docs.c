
/*
 * The page that describes the API to people: one HTML document made from the
 * rows when NGINX reads its configuration.  It needs no script, loads nothing
 * and forbids everything else by its Content-Security-Policy.
 */


#include "ngx_azora_openapi.h"
#include "ngx_azora_docs.h"
#include <openssl/evp.h>


#define NGX_AZORA_DOCS_MAX          (4 * 1024 * 1024)


static void ngx_azora_docs_page(ngx_azora_docs_t *docs,
    ngx_azora_main_conf_t *amcf);
static void ngx_azora_docs_capability(ngx_azora_docs_t *docs,
    ngx_azora_main_conf_t *amcf, const ngx_azora_capability_t *capability);
static ngx_uint_t ngx_azora_docs_rows(ngx_azora_main_conf_t *amcf,
    const ngx_azora_capability_t *capability);
static ngx_int_t ngx_azora_docs_room(ngx_azora_docs_t *docs, size_t len);
static ngx_int_t ngx_azora_docs_content_policy(ngx_conf_t *cf,
    ngx_str_t *policy);


static const char  ngx_azora_docs_style[] =
    ":root{color-scheme:light dark}"
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:58rem;margin:0 auto;"
    "padding:0 1rem 4rem}"
    "code,th[scope=row]{font:.9em ui-monospace,monospace}"
    "nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:1rem}"
    "h2{margin:2.5rem 0 .5rem}"
    "details{border-top:1px solid #8886}"
    "summary{padding:.6rem 0;cursor:pointer;overflow-wrap:anywhere}"
    "summary b{display:inline-block;min-width:4.2rem}"
    "summary span{display:block;padding-left:4.2rem}"
    "table{border-collapse:collapse;width:100%;margin:.3rem 0 1rem}"
    "caption{text-align:left;font-weight:bold}"
    "th,td{text-align:left;vertical-align:top;padding:.15rem .8rem .15rem 0}"
    "th[scope=row]{font-weight:normal;white-space:nowrap}"
    "p{margin:.3rem 0 .8rem}";


ngx_int_t
ngx_azora_docs_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_int_t         rc;
    ngx_azora_docs_t  docs;

    ngx_memzero(&docs, sizeof(ngx_azora_docs_t));
    docs.log = cf->log;

    ngx_azora_docs_page(&docs, amcf);

    rc = NGX_ERROR;

    if (!docs.failed) {
        amcf->docs.len = docs.last - docs.start;
        amcf->docs.data = ngx_pnalloc(cf->pool, amcf->docs.len);

        if (amcf->docs.data != NULL) {
            ngx_memcpy(amcf->docs.data, docs.start, amcf->docs.len);
            rc = NGX_OK;
        }
    }

    if (docs.start != NULL) {
        ngx_free(docs.start);
    }

    if (rc != NGX_OK
        || ngx_azora_api_etag(cf->pool, &amcf->docs, &amcf->docs_etag)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_docs_content_policy(cf, &amcf->docs_policy);
}


static void
ngx_azora_docs_page(ngx_azora_docs_t *docs, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t                      i;
    const ngx_azora_capability_t  **c;

    ngx_azora_docs_raw(docs,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>Azora API</title><style>");
    ngx_azora_docs_raw(docs, ngx_azora_docs_style);
    ngx_azora_docs_raw(docs,
        "</style></head>\n<body><header><h1>Azora API</h1>"
        "<p>Version " NGX_AZORA_VERSION ". For tools: "
        "<a href=\"/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>"
        "<p>JSON in snake_case, times in RFC 3339 and UTC, money as decimal "
        "strings in major units. Lists are pages: send <code>next</code> as "
        "<code>cursor</code> to get the following one. A refusal is "
        "<code>application/problem+json</code>; its <code>type</code> leads "
        "to an explanation, all of them are under "
        "<a href=\"/problems/\">/problems/</a>.</p></header>\n"
        "<nav aria-label=\"Capabilities\"><ul>");

    c = amcf->capabilities.elts;

    for (i = 0; i < amcf->capabilities.nelts; i++) {

        if (ngx_azora_docs_rows(amcf, c[i])) {
            ngx_azora_docs_raw(docs, "<li><a href=\"#");
            ngx_azora_docs_text(docs, c[i]->name);
            ngx_azora_docs_raw(docs, "\">");
            ngx_azora_docs_text(docs, c[i]->name);
            ngx_azora_docs_raw(docs, "</a>");
        }
    }

    ngx_azora_docs_raw(docs, "</ul></nav>\n<main>");

    for (i = 0; i < amcf->capabilities.nelts; i++) {
        if (ngx_azora_docs_rows(amcf, c[i])) {
            ngx_azora_docs_capability(docs, amcf, c[i]);
        }
    }

    ngx_azora_docs_raw(docs, "</main></body></html>\n");
}


static void
ngx_azora_docs_capability(ngx_azora_docs_t *docs, ngx_azora_main_conf_t *amcf,
    const ngx_azora_capability_t *capability)
{
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    ngx_azora_docs_raw(docs, "\n<section><h2 id=\"");
    ngx_azora_docs_text(docs, capability->name);
    ngx_azora_docs_raw(docs, "\">");
    ngx_azora_docs_text(docs, capability->name);
    ngx_azora_docs_raw(docs, "</h2>");

    if (capability->about) {
        ngx_azora_docs_raw(docs, "<p>");
        ngx_azora_docs_text(docs, capability->about);
        ngx_azora_docs_raw(docs, "</p>");
    }

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {

        if (endpoints[i]->capability == capability
            && !(endpoints[i]->row->flags & NGX_AZORA_HIDDEN))
        {
            ngx_azora_docs_row(docs, endpoints[i]);
        }
    }

    ngx_azora_docs_raw(docs, "</section>");
}


/* Whether a capability has rows to describe. */

static ngx_uint_t
ngx_azora_docs_rows(ngx_azora_main_conf_t *amcf,
    const ngx_azora_capability_t *capability)
{
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {

        if (endpoints[i]->capability == capability
            && !(endpoints[i]->row->flags & NGX_AZORA_HIDDEN))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_azora_docs_room(ngx_azora_docs_t *docs, size_t len)
{
    size_t   used, size;
    u_char  *p;

    if (docs->failed) {
        return NGX_ERROR;
    }

    used = docs->last - docs->start;

    if ((size_t) (docs->end - docs->last) >= len) {
        return NGX_OK;
    }

    size = 2 * (used + len) + 4096;

    p = (size > NGX_AZORA_DOCS_MAX) ? NULL : ngx_alloc(size, docs->log);

    if (p == NULL) {
        docs->failed = 1;
        return NGX_ERROR;
    }

    if (docs->start != NULL) {
        ngx_memcpy(p, docs->start, used);
        ngx_free(docs->start);
    }

    docs->start = p;
    docs->last = p + used;
    docs->end = p + size;

    return NGX_OK;
}


void
ngx_azora_docs_raw(ngx_azora_docs_t *docs, const char *html)
{
    size_t  len;

    len = ngx_strlen(html);

    if (ngx_azora_docs_room(docs, len) == NGX_OK) {
        docs->last = ngx_cpymem(docs->last, html, len);
    }
}


void
ngx_azora_docs_text(ngx_azora_docs_t *docs, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    if (ngx_azora_docs_room(docs, len
                            + ngx_escape_html(NULL, (u_char *) text, len))
        == NGX_OK)
    {
        docs->last = (u_char *) ngx_escape_html(docs->last, (u_char *) text,
                                                len);
    }
}


void
ngx_azora_docs_number(ngx_azora_docs_t *docs, int64_t n)
{
    if (ngx_azora_docs_room(docs, NGX_INT64_LEN) == NGX_OK) {
        docs->last = ngx_sprintf(docs->last, "%L", n);
    }
}


/* CSP level 3: the style element is allowed by its hash, all else refused. */

static ngx_int_t
ngx_azora_docs_content_policy(ngx_conf_t *cf, ngx_str_t *policy)
{
    u_char        digest[EVP_MAX_MD_SIZE];
    u_char        text[ngx_base64_encoded_length(EVP_MAX_MD_SIZE)];
    ngx_str_t     hash, base64;
    unsigned int  len;

    static const char  format[] =
        "default-src 'none'; style-src 'sha256-%V'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'";

    if (EVP_Digest(ngx_azora_docs_style, sizeof(ngx_azora_docs_style) - 1,
                   digest, &len, EVP_sha256(), NULL)
        != 1)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: EVP_Digest() failed");
        return NGX_ERROR;
    }

    hash.data = digest;
    hash.len = len;
    base64.data = text;

    ngx_encode_base64(&base64, &hash);

    policy->data = ngx_pnalloc(cf->pool, sizeof(format) + base64.len);
    if (policy->data == NULL) {
        return NGX_ERROR;
    }

    policy->len = ngx_sprintf(policy->data, format, &base64) - policy->data;

    return NGX_OK;
}


/* Content handler of azora_status docs. */

ngx_int_t
ngx_azora_docs_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_azora_status_get(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_azora_add_header(r, "Content-Security-Policy",
                             &ngx_azora_main_conf->docs_policy)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_api_send(r, "text/html; charset=utf-8",
                              &ngx_azora_main_conf->docs,
                              &ngx_azora_main_conf->docs_etag);
}
