
/*
 * The operations on a JSON text, one after the other, with the values that
 * this request gives them.
 */


#include "ngx_http_azora_transform.h"


static ngx_int_t ngx_http_azora_transform_operand(ngx_http_request_t *r,
    const ngx_http_azora_transform_op_t *op, ngx_str_t *value);


ngx_int_t
ngx_http_azora_transform_all(ngx_http_request_t *r, const ngx_array_t *ops,
    ngx_str_t *text)
{
    ngx_int_t                             rc;
    ngx_str_t                             value, next;
    ngx_uint_t                            i;
    const ngx_http_azora_transform_op_t  *op;

    op = ops->elts;

    for (i = 0; i < ops->nelts; i++) {

        rc = ngx_http_azora_transform_operand(r, &op[i], &value);

        if (rc == NGX_OK) {
            rc = ngx_http_azora_transform_json(r->pool, &op[i], &value, text,
                                               &next);
        }

        if (rc != NGX_OK) {
            return rc;
        }

        *text = next;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_azora_transform_operand(ngx_http_request_t *r,
    const ngx_http_azora_transform_op_t *op, ngx_str_t *value)
{
    u_char     *p;
    ngx_str_t   text;

    ngx_str_null(value);

    if (op->value == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, op->value, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op->json) {

        if (!ngx_http_azora_transform_valid(&text)) {
            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          "azora: the value of \"%V\" is no JSON",
                          op->directive);
            return NGX_DECLINED;
        }

        *value = text;

        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, 6 * text.len + 2);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_azora_json_quote(p, text.data, text.len) - p;

    /* bytes that are no UTF-8 would make the whole text none */

    if (!ngx_http_azora_transform_valid(value)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "azora: the value of \"%V\" is not UTF-8", op->directive);
        return NGX_DECLINED;
    }

    return NGX_OK;
}
