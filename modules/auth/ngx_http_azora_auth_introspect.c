
/*
 * Introspection (RFC 7662): another service asks whether a token or an API key
 * counts.  The answer is the verifier's own, with revocations, so that a
 * service that cannot hear of logouts learns of them here.
 */


#include "ngx_http_azora_auth.h"


static json_t *ngx_http_azora_auth_introspect_claims(
    ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *proof, ngx_uint_t key);
static json_t *ngx_http_azora_auth_introspect_text(const ngx_str_t *text);


ngx_int_t
ngx_http_azora_auth_introspect_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_int_t                         rc;
    const char                       *reason;
    ngx_azora_value_t                *token;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    token = ngx_azora_value(ctx, "token");
    actx = ngx_http_azora_auth_get_ctx(r);

    if (token == NULL || actx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (!actx->introspecting) {
        /* what the asker's own token left behind */
        actx->introspecting = 1;
        actx->proved = 0;
        actx->asked = 0;
        actx->load = 0;
    }

    rc = ngx_http_azora_auth_judge(r, conf, &token->text, &actx->identity,
                                   &reason);

    switch (rc) {

    case NGX_OK:
        actx->active = 1;
        return NGX_OK;

    case NGX_DECLINED:
        return NGX_OK;

    default:
        return rc;
    }
}


/* The content: RFC 7662 2.2 */

ngx_int_t
ngx_http_azora_auth_introspect_handler(ngx_http_request_t *r)
{
    json_t                           *root;
    ngx_int_t                         rc;
    ngx_str_t                         body;
    ngx_azora_ctx_t                  *ctx;
    ngx_azora_value_t                *token;
    ngx_http_azora_auth_ctx_t        *actx;
    ngx_http_azora_auth_main_conf_t  *conf;

    static ngx_str_t  no_store = ngx_string("no-store");

    conf = ngx_http_get_module_main_conf(r, ngx_http_azora_auth_module);
    actx = ngx_http_get_module_ctx(r, ngx_http_azora_auth_module);
    ctx = ngx_azora_get_ctx(r);
    token = ctx ? ngx_azora_value(ctx, "token") : NULL;

    if (actx == NULL || token == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    root = actx->active
           ? ngx_http_azora_auth_introspect_claims(conf, &actx->identity,
                                 ngx_http_azora_auth_is_api_key(&token->text))
           : json_pack("{s:b}", "active", 0);

    rc = ngx_azora_json_dump(r->pool, root, &body);
    json_decref(root);

    if (rc != NGX_OK
        || ngx_azora_add_header(r, "Cache-Control", &no_store) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_azora_send(r, NGX_HTTP_OK, NULL, &body);
}


static json_t *
ngx_http_azora_auth_introspect_claims(ngx_http_azora_auth_main_conf_t *conf,
    const ngx_http_azora_auth_proof_t *proof, ngx_uint_t key)
{
    json_t                       *root;
    const ngx_azora_principal_t  *who;

    who = &proof->principal;

    root = json_pack("{s:b,s:s,s:o,s:o,s:o,s:I,s:I,s:o,s:o}",
                     "active", 1,
                     "token_type", key ? "api_key" : "Bearer",
                     "sub", ngx_http_azora_auth_introspect_text(&who->subject),
                     "scope", ngx_http_azora_auth_introspect_text(&who->scope),
                     "roles", ngx_http_azora_auth_introspect_text(&who->roles),
                     "exp", (json_int_t) who->expires,
                     "iat", (json_int_t) proof->issued,
                     "iss", ngx_http_azora_auth_introspect_text(
                                &conf->expect.issuer),
                     "aud", ngx_http_azora_auth_introspect_text(
                                &conf->expect.audience));

    if (root != NULL && who->tier.len) {
        (void) json_object_set_new(root, "tier",
                      ngx_http_azora_auth_introspect_text(&who->tier));
    }

    if (root != NULL && who->session.len) {
        (void) json_object_set_new(root, "sid",
                      ngx_http_azora_auth_introspect_text(&who->session));
    }

    return root;
}


static json_t *
ngx_http_azora_auth_introspect_text(const ngx_str_t *text)
{
    return json_stringn(text->len ? (char *) text->data : "", text->len);
}
