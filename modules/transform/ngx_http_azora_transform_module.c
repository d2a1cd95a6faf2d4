
/*
 * Changes JSON answers on their way to the client and JSON requests on theirs
 * to a service: members are removed or set.
 */


#include "ngx_http_azora_transform.h"


static ngx_int_t ngx_http_azora_transform_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_azora_transform_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_azora_transform_create_conf(ngx_conf_t *cf);
static char *ngx_http_azora_transform_merge_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_http_azora_transform_directive(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_http_azora_transform_pointer(ngx_conf_t *cf,
    ngx_http_azora_transform_op_t *op, ngx_str_t *pointer);


static ngx_conf_enum_t  ngx_http_azora_transform_others[] = {
    { ngx_string("refuse"), 0 },
    { ngx_string("pass"), 1 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_azora_transform_commands[] = {

    { ngx_string("azora_json_remove"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t,
               ops[NGX_HTTP_AZORA_TRANSFORM_ANSWER]),
      NULL },

    { ngx_string("azora_json_set"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t,
               ops[NGX_HTTP_AZORA_TRANSFORM_ANSWER]),
      NULL },

    { ngx_string("azora_request_json_remove"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t,
               ops[NGX_HTTP_AZORA_TRANSFORM_REQUEST]),
      NULL },

    { ngx_string("azora_request_json_set"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE23,
      ngx_http_azora_transform_directive,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t,
               ops[NGX_HTTP_AZORA_TRANSFORM_REQUEST]),
      NULL },

    { ngx_string("azora_request_json_other"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t, other),
      &ngx_http_azora_transform_others },

    { ngx_string("azora_json_max"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_azora_transform_conf_t, max),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_azora_transform_module_ctx = {
    ngx_http_azora_transform_preconfiguration,   /* preconfiguration */
    ngx_http_azora_transform_postconfiguration,  /* postconfiguration */

    NULL,                                        /* create main conf */
    NULL,                                        /* init main conf */

    NULL,                                        /* create server conf */
    NULL,                                        /* merge server conf */

    ngx_http_azora_transform_create_conf,        /* create location conf */
    ngx_http_azora_transform_merge_conf          /* merge location conf */
};


ngx_module_t  ngx_http_azora_transform_module = {
    NGX_MODULE_V1,
    &ngx_http_azora_transform_module_ctx,  /* module context */
    ngx_http_azora_transform_commands,     /* module directives */
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


static const ngx_azora_capability_t  ngx_http_azora_transform_capability = {
    .abi = NGX_AZORA_ABI,
    .name = "transform",
    .about = "Members of JSON that are removed or set."
};


static ngx_int_t
ngx_http_azora_transform_preconfiguration(ngx_conf_t *cf)
{
    return ngx_azora_register(cf, &ngx_http_azora_transform_capability);
}


static ngx_int_t
ngx_http_azora_transform_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    /* after the access phase: nobody's body is read who may not send it */

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_azora_transform_request;

    ngx_http_azora_transform_answers();

    return NGX_OK;
}


static void *
ngx_http_azora_transform_create_conf(ngx_conf_t *cf)
{
    ngx_http_azora_transform_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_azora_transform_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->ops = { NULL, NULL };
     */

    conf->max = NGX_CONF_UNSET_SIZE;
    conf->other = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_azora_transform_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_azora_transform_conf_t *prev = parent;
    ngx_http_azora_transform_conf_t *conf = child;

    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_AZORA_TRANSFORM_WAYS; i++) {
        if (conf->ops[i] == NULL) {
            conf->ops[i] = prev->ops[i];
        }
    }

    ngx_conf_merge_uint_value(conf->other, prev->other, 0);
    ngx_conf_merge_size_value(conf->max, prev->max, 64 * 1024);

    return NGX_CONF_OK;
}


/*
 * azora_json_remove POINTER; azora_json_set POINTER VALUE [json]; and the same
 * of requests
 */

static char *
ngx_http_azora_transform_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char *p = conf;

    ngx_str_t                         *value;
    ngx_array_t                      **ops;
    ngx_http_azora_transform_op_t     *op;
    ngx_http_compile_complex_value_t   ccv;

    value = cf->args->elts;
    ops = (ngx_array_t **) (p + cmd->offset);

    if (*ops == NULL) {
        *ops = ngx_array_create(cf->pool, 4,
                                sizeof(ngx_http_azora_transform_op_t));
        if (*ops == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    op = ngx_array_push(*ops);
    if (op == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(op, sizeof(ngx_http_azora_transform_op_t));
    op->directive = &cmd->name;

    if (ngx_http_azora_transform_pointer(cf, op, &value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no pointer such as /items/*/name, of at "
                           "most %d steps to a member", &value[1],
                           NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 4) {

        if (ngx_strcmp(value[3].data, "json") != 0) {
            return "takes \"json\" or nothing behind the value";
        }

        op->json = 1;
    }

    op->value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (op->value == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[2];
    ccv.complex_value = op->value;

    return (ngx_http_compile_complex_value(&ccv) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* RFC 6901: ~1 is a slash, ~0 a tilde; and "*" is every item of a list */

static ngx_int_t
ngx_http_azora_transform_pointer(ngx_conf_t *cf,
    ngx_http_azora_transform_op_t *op, ngx_str_t *pointer)
{
    u_char     *p, *last, *dst;
    ngx_str_t  *step;

    p = pointer->data;
    last = p + pointer->len;

    while (p < last) {

        if (*p++ != '/' || op->nsteps == NGX_HTTP_AZORA_TRANSFORM_STEPS_MAX) {
            return NGX_ERROR;
        }

        step = &op->steps[op->nsteps++];
        step->data = ngx_pnalloc(cf->pool, last - p + 1);

        if (step->data == NULL) {
            return NGX_ERROR;
        }

        dst = step->data;

        while (p < last && *p != '/') {

            if (*p != '~') {
                *dst++ = *p++;
                continue;
            }

            if (last - p < 2 || (p[1] != '0' && p[1] != '1')) {
                return NGX_ERROR;
            }

            *dst++ = (p[1] == '0') ? '~' : '/';
            p += 2;
        }

        step->len = dst - step->data;
    }

    return op->nsteps ? NGX_OK : NGX_ERROR;
}


ngx_http_azora_transform_ctx_t *
ngx_http_azora_transform_ctx(ngx_http_request_t *r)
{
    ngx_http_azora_transform_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_transform_module);

    if (ctx == NULL) {
        ctx = ngx_pcalloc(r->pool, sizeof(ngx_http_azora_transform_ctx_t));

        if (ctx != NULL) {
            ngx_http_set_ctx(r, ctx, ngx_http_azora_transform_module);
        }
    }

    return ctx;
}
