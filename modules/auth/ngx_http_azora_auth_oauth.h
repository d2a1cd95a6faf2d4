
/*
 * Logging in at somebody else's: an OpenID Connect relying party (Core 1.0,
 * Discovery 1.0) with the authorization code flow and PKCE (RFC 7636).
 */


#ifndef _NGX_HTTP_AZORA_AUTH_OAUTH_H_INCLUDED_
#define _NGX_HTTP_AZORA_AUTH_OAUTH_H_INCLUDED_


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_PROVIDERS_MAX  8
#define NGX_HTTP_AZORA_AUTH_FLOW_LIFETIME  600   /* seconds for a login there */
#define NGX_HTTP_AZORA_AUTH_FLOW_LEN       43    /* base64url of 32 bytes */
#define NGX_HTTP_AZORA_AUTH_LOADED_MAX     3600  /* seconds it is believed */


/* What a provider's discovery document says, in a pool of its own. */

typedef struct {
    ngx_pool_t                  *pool;
    time_t                       loaded;
    ngx_str_t                    authorize;
    ngx_str_t                    token;
    ngx_str_t                    jwks;
    ngx_uint_t                   iss;       /* answers name the issuer */
    ngx_uint_t                   post;      /* the secret goes in the body */
} ngx_http_azora_auth_metadata_t;


/* A provider's keys, in a pool of their own. */

typedef struct {
    ngx_pool_t                  *pool;
    time_t                       loaded;
    ngx_http_azora_auth_ring_t   ring;
} ngx_http_azora_auth_foreign_t;


/* What is configured, and what this process has learnt. */

typedef struct {
    ngx_str_t                    name;
    ngx_str_t                    issuer;
    ngx_str_t                    client_id;
    ngx_str_t                    client_secret;   /* empty: none */
    ngx_str_t                    scope;
    ngx_str_t                    redirect;        /* the exact redirect URI */
    ngx_uint_t                   internal;        /* on this machine */

    ngx_http_azora_auth_metadata_t  *metadata;    /* NULL: not yet */
    ngx_http_azora_auth_foreign_t   *keys;
} ngx_http_azora_auth_provider_t;


/* One login on its way; lives as long as the request. */

typedef struct {
    ngx_http_request_t              *request;
    ngx_http_azora_auth_provider_t  *provider;
    ngx_azora_fetch_t               *fetch;
    ngx_uint_t                       step;
    ngx_int_t                        status;      /* of the last call */
    unsigned                         again:1;     /* keys were read anew */
    ngx_str_t                        id_token;
    ngx_str_t                        session;     /* that links; or empty */
    u_char                           state[NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1];
    u_char                           nonce[NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1];
    u_char                           verifier[NGX_HTTP_AZORA_AUTH_FLOW_LEN + 1];
} ngx_http_azora_auth_flow_t;


/* ngx_http_azora_auth_oauth.c: the rows, from preconfiguration */
ngx_int_t ngx_http_azora_auth_oauth_add(ngx_conf_t *cf);
/* The prepare of a row that sends a browser to its field "provider". */
ngx_int_t ngx_http_azora_auth_start_prepare(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
/*
 * Where the browser goes, in memory of r->pool, and the cookie that it keeps
 * until it is back; session is of who links a login to an account, or empty.
 */
ngx_int_t ngx_http_azora_auth_start_location(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, const ngx_str_t *session, ngx_str_t *location);

/* ngx_http_azora_auth_oauth_link.c: the rows of one's logins elsewhere */
ngx_int_t ngx_http_azora_auth_oauth_link_add(ngx_conf_t *cf);

/* ngx_http_azora_auth_oauth_conf.c */
char *ngx_http_azora_auth_set_oauth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* Redirect URIs; NGX_ERROR is logged. */
ngx_int_t ngx_http_azora_auth_oauth_init(ngx_conf_t *cf,
    ngx_http_azora_auth_main_conf_t *conf);

/*
 * ngx_http_azora_auth_oauth_call.c: calls to the provider.  NGX_OK: it is
 * there already; NGX_AGAIN: the request will be resumed with flow->status,
 * NGX_OK or that of a problem; otherwise the status of one.
 */
ngx_int_t ngx_http_azora_auth_oauth_metadata(ngx_http_azora_auth_flow_t *flow);
ngx_int_t ngx_http_azora_auth_oauth_keys(ngx_http_azora_auth_flow_t *flow,
    ngx_uint_t anew);
/* Exchanges the code; flow->id_token holds what came. */
ngx_int_t ngx_http_azora_auth_oauth_token(ngx_http_azora_auth_flow_t *flow,
    const ngx_str_t *code);
ngx_int_t ngx_http_azora_auth_oauth_failed(ngx_http_azora_auth_flow_t *flow,
    const char *reason);

/*
 * ngx_http_azora_auth_oauth_claims.c: an ID token (Core 3.1.3.7) opened with
 * the provider's keys.  NGX_OK: *claims, a new reference; NGX_AGAIN: its key
 * is not among them; NGX_DECLINED and *reason, a static sentence.
 */
ngx_int_t ngx_http_azora_auth_id_token(
    const ngx_http_azora_auth_provider_t *provider, const ngx_str_t *token,
    const u_char *nonce, time_t now, json_t **claims, const char **reason);

/*
 * ngx_http_azora_auth_oauth_state.c: state, nonce and verifier of a login are
 * derived from what the browser keeps in a cookie.  new() draws it and gives
 * the Set-Cookie header; old() reads it, NGX_DECLINED: none, or too old.
 */
ngx_int_t ngx_http_azora_auth_flow_new(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf);
ngx_int_t ngx_http_azora_auth_flow_old(ngx_http_azora_auth_flow_t *flow,
    const ngx_http_azora_auth_main_conf_t *conf);
ngx_int_t ngx_http_azora_auth_flow_forget(ngx_http_request_t *r);
/* RFC 7636 4.2, S256; out holds FLOW_LEN + 1 bytes */
void ngx_http_azora_auth_flow_challenge(
    const ngx_http_azora_auth_flow_t *flow, u_char *out);


#endif /* _NGX_HTTP_AZORA_AUTH_OAUTH_H_INCLUDED_ */
