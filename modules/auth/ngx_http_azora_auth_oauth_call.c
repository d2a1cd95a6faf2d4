
/*
 * What a provider is asked: its discovery document, its keys, and the tokens
 * for a code.  Documents are kept for an hour by each process; who asks when
 * there is none waits, and asks itself.
 */


#include "ngx_http_azora_auth_oauth.h"


#define NGX_HTTP_AZORA_AUTH_CALL_TIME  10000   /* ms */
#define NGX_HTTP_AZORA_AUTH_URL_MAX    512


static ngx_int_t ngx_http_azora_auth_oauth_get(
    ngx_http_azora_auth_flow_t *flow, const ngx_str_t *url,
    ngx_azora_fetch_pt handler);
static ngx_int_t ngx_http_azora_auth_oauth_answer(
    ngx_http_azora_auth_flow_t *flow, ngx_azora_fetch_t *fetch,
    const char *what, json_t **root);
static void ngx_http_azora_auth_oauth_metadata_done(ngx_azora_fetch_t *fetch,
    void *data);
static ngx_int_t ngx_http_azora_auth_oauth_learn(
    ngx_http_azora_auth_provider_t *provider, json_t *root);
static ngx_int_t ngx_http_azora_auth_oauth_url(ngx_pool_t *pool,
    const ngx_http_azora_auth_provider_t *provider, json_t *value,
    ngx_str_t *out);
static void ngx_http_azora_auth_oauth_keys_done(ngx_azora_fetch_t *fetch,
    void *data);
static ngx_int_t ngx_http_azora_auth_oauth_ring(
    ngx_http_azora_auth_provider_t *provider, json_t *keys);
static ngx_int_t ngx_http_azora_auth_oauth_basic(
    ngx_http_azora_auth_flow_t *flow, ngx_str_t *header);
static ngx_int_t ngx_http_azora_auth_oauth_form(
    ngx_http_azora_auth_flow_t *flow, const ngx_str_t *code, ngx_str_t *body);
static u_char *ngx_http_azora_auth_oauth_pair(u_char *p, const char *name,
    const ngx_str_t *value);
static void ngx_http_azora_auth_oauth_token_done(ngx_azora_fetch_t *fetch,
    void *data);


ngx_int_t
ngx_http_azora_auth_oauth_metadata(ngx_http_azora_auth_flow_t *flow)
{
    u_char                          *p;
    ngx_str_t                        url, *issuer;
    ngx_http_azora_auth_metadata_t  *metadata;

    metadata = flow->provider->metadata;
    issuer = &flow->provider->issuer;

    if (metadata != NULL
        && ngx_time() - metadata->loaded < NGX_HTTP_AZORA_AUTH_LOADED_MAX)
    {
        return NGX_OK;
    }

    p = ngx_pnalloc(flow->request->pool, issuer->len
                    + sizeof("/.well-known/openid-configuration"));
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    url.data = p;
    url.len = ngx_sprintf(p, "%*s/.well-known/openid-configuration",
                          issuer->data[issuer->len - 1] == '/'
                          ? issuer->len - 1 : issuer->len, issuer->data)
              - p;

    return ngx_http_azora_auth_oauth_get(flow, &url,
                                    ngx_http_azora_auth_oauth_metadata_done);
}


static ngx_int_t
ngx_http_azora_auth_oauth_get(ngx_http_azora_auth_flow_t *flow,
    const ngx_str_t *url, ngx_azora_fetch_pt handler)
{
    ngx_azora_fetch_request_t  request;

    static const ngx_str_t  accept = ngx_string("Accept: application/json");

    ngx_memzero(&request, sizeof(ngx_azora_fetch_request_t));
    request.url = *url;
    request.headers = &accept;
    request.nheaders = 1;
    request.timeout = NGX_HTTP_AZORA_AUTH_CALL_TIME;
    request.flags = flow->provider->internal ? NGX_AZORA_FETCH_INTERNAL : 0;

    flow->fetch = ngx_azora_fetch(&request, handler, flow);

    return flow->fetch ? NGX_AGAIN
                       : ngx_http_azora_auth_oauth_failed(flow, "busy");
}


/* The provider does not do its part: nothing was done here either. */

ngx_int_t
ngx_http_azora_auth_oauth_failed(ngx_http_azora_auth_flow_t *flow,
    const char *reason)
{
    static ngx_str_t  wait = ngx_string("5");

    ngx_log_error(NGX_LOG_ERR, flow->request->connection->log, 0,
                  "azora: the provider \"%V\" cannot be used: %s",
                  &flow->provider->name, reason);

    (void) ngx_azora_add_header(flow->request, "Retry-After", &wait);

    return ngx_azora_problem(flow->request, NGX_HTTP_SERVICE_UNAVAILABLE,
                             "provider-unavailable",
                             "The provider does not answer as it should at "
                             "the moment. Try again.");
}


/* NGX_OK: *root is the JSON object of a 200, a new reference. */

static ngx_int_t
ngx_http_azora_auth_oauth_answer(ngx_http_azora_auth_flow_t *flow,
    ngx_azora_fetch_t *fetch, const char *what, json_t **root)
{
    ngx_str_t  body;

    flow->fetch = NULL;
    *root = NULL;

    if (ngx_azora_fetch_status(fetch) != NGX_AZORA_FETCH_OK) {
        return ngx_http_azora_auth_oauth_failed(flow,
                       ngx_azora_fetch_status_name(
                                         ngx_azora_fetch_status(fetch)));
    }

    body = ngx_azora_fetch_body(fetch);

    if (ngx_azora_fetch_code(fetch) == NGX_HTTP_OK) {
        *root = json_loadb((char *) body.data, body.len,
                           JSON_REJECT_DUPLICATES, NULL);
    }

    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return ngx_http_azora_auth_oauth_failed(flow, what);
    }

    return NGX_OK;
}


static void
ngx_http_azora_auth_oauth_metadata_done(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_http_azora_auth_flow_t *flow = data;

    json_t  *root;

    flow->status = ngx_http_azora_auth_oauth_answer(flow, fetch,
                                "its discovery document is none", &root);

    if (flow->status == NGX_OK
        && ngx_http_azora_auth_oauth_learn(flow->provider, root) != NGX_OK)
    {
        flow->status = ngx_http_azora_auth_oauth_failed(flow,
                                "its discovery document is of another issuer, "
                                "or lacks an address");
    }

    json_decref(root);

    ngx_azora_resume(flow->request);
}


/* Discovery 4.3: the issuer must be the very one that was asked. */

static ngx_int_t
ngx_http_azora_auth_oauth_learn(ngx_http_azora_auth_provider_t *provider,
    json_t *root)
{
    size_t                           i;
    json_t                          *methods, *value;
    ngx_pool_t                      *pool;
    const char                      *issuer, *name;
    ngx_uint_t                       basic, post;
    ngx_http_azora_auth_metadata_t  *metadata;

    issuer = json_string_value(json_object_get(root, "issuer"));

    pool = ngx_create_pool(1024, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    metadata = ngx_pcalloc(pool, sizeof(ngx_http_azora_auth_metadata_t));

    if (metadata == NULL || issuer == NULL
        || ngx_strlen(issuer) != provider->issuer.len
        || ngx_memcmp(issuer, provider->issuer.data, provider->issuer.len)
           != 0
        || ngx_http_azora_auth_oauth_url(pool, provider,
                     json_object_get(root, "authorization_endpoint"),
                     &metadata->authorize)
           != NGX_OK
        || ngx_http_azora_auth_oauth_url(pool, provider,
                     json_object_get(root, "token_endpoint"),
                     &metadata->token)
           != NGX_OK
        || ngx_http_azora_auth_oauth_url(pool, provider,
                     json_object_get(root, "jwks_uri"), &metadata->jwks)
           != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_DECLINED;
    }

    methods = json_object_get(root, "token_endpoint_auth_methods_supported");
    basic = (methods == NULL);
    post = 0;

    json_array_foreach(methods, i, value) {
        name = json_string_value(value);
        basic |= (name != NULL && ngx_strcmp(name, "client_secret_basic") == 0);
        post |= (name != NULL && ngx_strcmp(name, "client_secret_post") == 0);
    }

    metadata->pool = pool;
    metadata->loaded = ngx_time();
    metadata->post = (post && !basic);
    metadata->iss = json_is_true(json_object_get(root,
                         "authorization_response_iss_parameter_supported"));

    if (provider->metadata != NULL) {
        ngx_destroy_pool(provider->metadata->pool);
    }

    provider->metadata = metadata;

    return NGX_OK;
}


/* TLS, but on this machine */

static ngx_int_t
ngx_http_azora_auth_oauth_url(ngx_pool_t *pool,
    const ngx_http_azora_auth_provider_t *provider, json_t *value,
    ngx_str_t *out)
{
    size_t       i;
    const char  *text;

    text = json_string_value(value);

    if (text == NULL
        || (ngx_strncmp(text, "https://", 8) != 0
            && !(provider->internal && ngx_strncmp(text, "http://", 7) == 0)))
    {
        return NGX_DECLINED;
    }

    out->len = ngx_strlen(text);

    /* it may become a header, or a string in JSON */

    for (i = 0; i < out->len; i++) {
        if ((u_char) text[i] <= ' ' || (u_char) text[i] >= 0x7f
            || text[i] == '#' || text[i] == '"' || text[i] == '\\')
        {
            return NGX_DECLINED;
        }
    }

    if (out->len > NGX_HTTP_AZORA_AUTH_URL_MAX) {
        return NGX_DECLINED;
    }

    out->data = ngx_pnalloc(pool, out->len);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(out->data, text, out->len);

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_auth_oauth_keys(ngx_http_azora_auth_flow_t *flow,
    ngx_uint_t anew)
{
    ngx_http_azora_auth_provider_t  *provider;

    provider = flow->provider;

    if (!anew && provider->keys != NULL
        && ngx_time() - provider->keys->loaded
           < NGX_HTTP_AZORA_AUTH_LOADED_MAX)
    {
        return NGX_OK;
    }

    return ngx_http_azora_auth_oauth_get(flow, &provider->metadata->jwks,
                                         ngx_http_azora_auth_oauth_keys_done);
}


static void
ngx_http_azora_auth_oauth_keys_done(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_http_azora_auth_flow_t *flow = data;

    json_t  *root;

    flow->status = ngx_http_azora_auth_oauth_answer(flow, fetch,
                                                    "its keys are no JSON",
                                                    &root);

    if (flow->status == NGX_OK
        && ngx_http_azora_auth_oauth_ring(flow->provider,
                                          json_object_get(root, "keys"))
           != NGX_OK)
    {
        flow->status = ngx_http_azora_auth_oauth_failed(flow,
                                "it has no key for ES256 or RS256");
    }

    json_decref(root);

    ngx_azora_resume(flow->request);
}


/* Keys for other algorithms are passed over. */

static ngx_int_t
ngx_http_azora_auth_oauth_ring(ngx_http_azora_auth_provider_t *provider,
    json_t *keys)
{
    size_t                          i;
    json_t                         *jwk;
    ngx_pool_t                     *pool;
    ngx_pool_cleanup_t             *cln;
    ngx_http_azora_auth_foreign_t  *foreign;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    foreign = ngx_pcalloc(pool, sizeof(ngx_http_azora_auth_foreign_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (foreign == NULL || cln == NULL
        || ngx_http_azora_auth_ring_init(&foreign->ring) != NGX_OK)
    {
        ngx_destroy_pool(pool);
        return NGX_ERROR;
    }

    cln->handler = ngx_http_azora_auth_ring_free;
    cln->data = &foreign->ring;

    foreign->pool = pool;
    foreign->loaded = ngx_time();
    foreign->ring.rsa = 1;

    json_array_foreach(keys, i, jwk) {

        if (json_object_get(jwk, "kid") != NULL
            && ngx_http_azora_auth_ring_add_jwk(&foreign->ring, pool, jwk,
                                        NGX_HTTP_AZORA_AUTH_KEY_RETIRED)
               == NGX_ERROR)
        {
            ngx_destroy_pool(pool);
            return NGX_ERROR;
        }
    }

    if (foreign->ring.nkeys == 0) {
        ngx_destroy_pool(pool);
        return NGX_DECLINED;
    }

    if (provider->keys != NULL) {
        ngx_destroy_pool(provider->keys->pool);
    }

    provider->keys = foreign;

    return NGX_OK;
}


/* RFC 6749 4.1.3; the secret as the provider takes it, 2.3.1 */

ngx_int_t
ngx_http_azora_auth_oauth_token(ngx_http_azora_auth_flow_t *flow,
    const ngx_str_t *code)
{
    ngx_str_t                        headers[3];
    ngx_azora_fetch_request_t        request;
    ngx_http_azora_auth_provider_t  *provider;

    provider = flow->provider;

    ngx_memzero(&request, sizeof(ngx_azora_fetch_request_t));
    ngx_str_set(&request.method, "POST");
    ngx_str_set(&headers[0], "Accept: application/json");
    ngx_str_set(&headers[1],
                "Content-Type: application/x-www-form-urlencoded");

    request.url = provider->metadata->token;
    request.headers = headers;
    request.nheaders = 2;
    request.timeout = NGX_HTTP_AZORA_AUTH_CALL_TIME;
    request.flags = provider->internal ? NGX_AZORA_FETCH_INTERNAL : 0;

    if (provider->client_secret.len && !provider->metadata->post) {

        if (ngx_http_azora_auth_oauth_basic(flow, &headers[2]) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        request.nheaders = 3;
    }

    if (ngx_http_azora_auth_oauth_form(flow, code, &request.body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    flow->fetch = ngx_azora_fetch(&request,
                                  ngx_http_azora_auth_oauth_token_done, flow);

    return flow->fetch ? NGX_AGAIN
                       : ngx_http_azora_auth_oauth_failed(flow, "busy");
}


static ngx_int_t
ngx_http_azora_auth_oauth_basic(ngx_http_azora_auth_flow_t *flow,
    ngx_str_t *header)
{
    u_char                                *p;
    size_t                                 len;
    ngx_str_t                              pair, out;
    const ngx_http_azora_auth_provider_t  *provider;

    provider = flow->provider;
    len = 3 * (provider->client_id.len + provider->client_secret.len) + 1;

    pair.data = ngx_pnalloc(flow->request->pool, len);
    header->data = ngx_pnalloc(flow->request->pool,
                               sizeof("Authorization: Basic ")
                               + ngx_base64_encoded_length(len));

    if (pair.data == NULL || header->data == NULL) {
        return NGX_ERROR;
    }

    p = (u_char *) ngx_escape_uri(pair.data, provider->client_id.data,
                                  provider->client_id.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    *p++ = ':';
    p = (u_char *) ngx_escape_uri(p, provider->client_secret.data,
                                  provider->client_secret.len,
                                  NGX_ESCAPE_URI_COMPONENT);
    pair.len = p - pair.data;

    p = ngx_cpymem(header->data, "Authorization: Basic ",
                   sizeof("Authorization: Basic ") - 1);
    out.data = p;
    ngx_encode_base64(&out, &pair);
    header->len = p + out.len - header->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_auth_oauth_form(ngx_http_azora_auth_flow_t *flow,
    const ngx_str_t *code, ngx_str_t *body)
{
    u_char                                *p;
    ngx_str_t                              verifier;
    const ngx_http_azora_auth_provider_t  *provider;

    provider = flow->provider;

    p = ngx_pnalloc(flow->request->pool,
                    256 + 3 * (code->len + provider->redirect.len
                               + provider->client_id.len
                               + provider->client_secret.len));
    if (p == NULL) {
        return NGX_ERROR;
    }

    verifier.data = flow->verifier;
    verifier.len = NGX_HTTP_AZORA_AUTH_FLOW_LEN;

    body->data = p;
    p = ngx_cpymem(p, "grant_type=authorization_code",
                   sizeof("grant_type=authorization_code") - 1);
    p = ngx_http_azora_auth_oauth_pair(p, "&code=", code);
    p = ngx_http_azora_auth_oauth_pair(p, "&redirect_uri=",
                                       &provider->redirect);
    p = ngx_http_azora_auth_oauth_pair(p, "&code_verifier=", &verifier);

    if (provider->client_secret.len == 0 || provider->metadata->post) {
        p = ngx_http_azora_auth_oauth_pair(p, "&client_id=",
                                           &provider->client_id);
    }

    if (provider->client_secret.len && provider->metadata->post) {
        p = ngx_http_azora_auth_oauth_pair(p, "&client_secret=",
                                           &provider->client_secret);
    }

    body->len = p - body->data;

    return NGX_OK;
}


static u_char *
ngx_http_azora_auth_oauth_pair(u_char *p, const char *name,
    const ngx_str_t *value)
{
    p = ngx_cpymem(p, name, ngx_strlen(name));

    return (u_char *) ngx_escape_uri(p, value->data, value->len,
                                     NGX_ESCAPE_URI_COMPONENT);
}


static void
ngx_http_azora_auth_oauth_token_done(ngx_azora_fetch_t *fetch, void *data)
{
    ngx_http_azora_auth_flow_t *flow = data;

    json_t      *root, *token;
    ngx_uint_t   code;

    code = ngx_azora_fetch_code(fetch);

    if (ngx_azora_fetch_status(fetch) == NGX_AZORA_FETCH_OK
        && code >= 400 && code < 500)
    {
        /* the code is used, expired or of somebody else's, RFC 6749 5.2 */

        flow->fetch = NULL;
        flow->status = ngx_azora_problem(flow->request, NGX_HTTP_UNAUTHORIZED,
                                         "login-refused",
                                         "The provider does not take this "
                                         "login's code. Begin again.");
        ngx_azora_resume(flow->request);
        return;
    }

    flow->status = ngx_http_azora_auth_oauth_answer(flow, fetch,
                                                    "its tokens are no JSON",
                                                    &root);
    if (flow->status == NGX_OK) {

        token = json_object_get(root, "id_token");
        flow->id_token.len = json_string_length(token);
        flow->id_token.data = ngx_pnalloc(flow->request->pool,
                                          flow->id_token.len + 1);

        if (!json_is_string(token)) {
            flow->status = ngx_http_azora_auth_oauth_failed(flow,
                                        "it gave no ID token");

        } else if (flow->id_token.data == NULL) {
            flow->status = NGX_HTTP_INTERNAL_SERVER_ERROR;

        } else {
            ngx_memcpy(flow->id_token.data, json_string_value(token),
                       flow->id_token.len + 1);
        }
    }

    json_decref(root);

    ngx_azora_resume(flow->request);
}
