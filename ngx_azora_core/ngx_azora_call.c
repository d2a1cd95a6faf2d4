
/*
 * The call: a row and its validated parameters become one SQL statement, and
 * its one row of answer becomes the reply.
 */


#include "ngx_azora_private.h"

#include <openssl/evp.h>


#define NGX_AZORA_CALL_SQL_MAX      4096
#define NGX_AZORA_CALL_PARAMS_MAX   (NGX_AZORA_FIELDS_MAX + 1)


static ngx_int_t ngx_azora_call_statements(ngx_conf_t *cf,
    ngx_azora_endpoint_t *endpoint);
static ngx_int_t ngx_azora_call_sql(ngx_conf_t *cf,
    const ngx_azora_endpoint_t *endpoint, ngx_uint_t keyed, ngx_str_t *sql);
static ngx_int_t ngx_azora_call_key(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx);
static ngx_int_t ngx_azora_call_caller(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_uint_t write, ngx_str_t *literal);
static ngx_int_t ngx_azora_call_keyed(ngx_azora_ctx_t *ctx, u_char *p,
    ngx_str_t *literal);
static u_char *ngx_azora_call_id(u_char *p, const ngx_str_t *id);
static u_char *ngx_azora_call_attribute(u_char *p, const ngx_str_t *value);
static u_char *ngx_azora_call_roles(u_char *p, const ngx_str_t *roles);


ngx_int_t
ngx_azora_call_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_uint_t              i;
    ngx_azora_endpoint_t  **endpoints;

    endpoints = amcf->endpoints.elts;

    for (i = 0; i < amcf->endpoints.nelts; i++) {

        if (endpoints[i]->row->handler != NULL) {
            continue;
        }

        if (ngx_azora_call_statements(cf, endpoints[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_azora_call_statements(ngx_conf_t *cf, ngx_azora_endpoint_t *endpoint)
{
    ngx_str_t               sql;
    ngx_azora_lane_e        lane;
    const ngx_azora_row_t  *row;

    row = endpoint->row;
    lane = ngx_azora_call_lane(row);

    if (row->function == NULL
        || ngx_azora_call_sql(cf, endpoint, 0, &sql) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: no SQL can be made for \"%V\"",
                           &endpoint->label);
        return NGX_ERROR;
    }

    endpoint->plain = ngx_azora_statement(cf, lane, row->function, &sql,
                                          endpoint->nfields + 1);
    if (endpoint->plain == NULL) {
        return NGX_ERROR;
    }

    if (!(row->flags & NGX_AZORA_KEY)) {
        return NGX_OK;
    }

    if (lane == NGX_AZORA_LANE_BATCH) {
        /* an array function keeps each item's key itself */
        endpoint->keyed = endpoint->plain;
        return NGX_OK;
    }

    if (ngx_azora_call_sql(cf, endpoint, 1, &sql) != NGX_OK) {
        return NGX_ERROR;
    }

    endpoint->keyed = ngx_azora_statement(cf, lane, row->function, &sql,
                                          endpoint->nfields + 1);

    return (endpoint->keyed == NULL) ? NGX_ERROR : NGX_OK;
}


ngx_azora_lane_e
ngx_azora_call_lane(const ngx_azora_row_t *row)
{
    if (row->flags & NGX_AZORA_BATCH) {
        return NGX_AZORA_LANE_BATCH;
    }

    if (row->flags & NGX_AZORA_SLOW) {
        return NGX_AZORA_LANE_SLOW;
    }

    if (row->method == NGX_HTTP_GET && !(row->flags & NGX_AZORA_WRITE)) {
        return NGX_AZORA_LANE_READ;
    }

    return NGX_AZORA_LANE_WRITE;
}


/* docs/ARCHITECTURE.md, "The SQL side of an endpoint" */

static ngx_int_t
ngx_azora_call_sql(ngx_conf_t *cf, const ngx_azora_endpoint_t *endpoint,
    ngx_uint_t keyed, ngx_str_t *sql)
{
    u_char                   *p, *last;
    ngx_uint_t                i, batch;
    const char               *array, *caller;
    const ngx_azora_field_t  *field;

    batch = endpoint->row->flags & NGX_AZORA_BATCH;
    array = batch ? "[]" : "";
    caller = keyed ? "caller => c" : "caller => $1::azora.caller";

    sql->data = ngx_pnalloc(cf->pool, NGX_AZORA_CALL_SQL_MAX);
    if (sql->data == NULL) {
        return NGX_ERROR;
    }

    last = sql->data + NGX_AZORA_CALL_SQL_MAX;

    if (batch) {
        p = ngx_slprintf(sql->data, last,
                         "SELECT ordinal, status, body, etag, location, "
                         "problem, detail, pointer FROM %s("
                         "callers => $1::azora.caller[]",
                         endpoint->row->function);

    } else if (keyed) {
        p = ngx_slprintf(sql->data, last,
                         "SELECT k.status, k.body, k.etag, k.location "
                         "FROM azora.idempotency_begin($1::azora.caller) AS c "
                         "CROSS JOIN LATERAL %s(%s",
                         endpoint->row->function, caller);

    } else {
        p = ngx_slprintf(sql->data, last,
                         "SELECT status, body, etag, location FROM %s(%s",
                         endpoint->row->function, caller);
    }

    for (i = 0; i < endpoint->nfields; i++) {
        field = &endpoint->row->fields[i];
        p = ngx_slprintf(p, last, ", \"%s\" => $%ui::%s%s", field->name,
                         i + 2, ngx_azora_field_sql_type(field->kind), array);
    }

    p = ngx_slprintf(p, last, ")%s",
                     keyed ? " AS r CROSS JOIN LATERAL "
                             "azora.idempotency_keep(c, r) AS k" : "");

    sql->len = p - sql->data;

    return (p == last) ? NGX_ERROR : NGX_OK;
}


ngx_int_t
ngx_azora_call_handler(ngx_http_request_t *r)
{
    ngx_int_t                    rc;
    ngx_azora_ctx_t             *ctx;
    const ngx_azora_endpoint_t  *endpoint;

    ctx = ngx_azora_get_ctx(r);

    if (ctx == NULL || ctx->endpoint == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    endpoint = ctx->endpoint;

    if (endpoint->row->handler != NULL) {
        return endpoint->row->handler(r);
    }

    /* before the question: an answer is never newer by name than by age */

    if (endpoint->row->version != NULL) {
        ctx->generation = ngx_azora_generation(endpoint->generation);
    }

    if (ngx_azora_etag_known(r, ctx) == NGX_OK) {
        return ngx_azora_reply_not_modified(r, ctx);
    }

    rc = ngx_azora_cache_handler(r, ctx);
    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_azora_call_key(r, ctx);
    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_azora_media_choose(r, ctx) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->op = ngx_azora_call_query(r, ctx, ngx_azora_result_handler, r);
    if (ctx->op == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    return NGX_DONE;
}


ngx_azora_op_t *
ngx_azora_call_query(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_azora_op_pt handler, void *data)
{
    ngx_str_t                     params[NGX_AZORA_CALL_PARAMS_MAX];
    ngx_uint_t                    i, write;
    const ngx_azora_endpoint_t   *endpoint;
    const ngx_azora_statement_t  *statement;

    endpoint = ctx->endpoint;

    statement = ctx->idempotency_key.len ? endpoint->keyed : endpoint->plain;
    write = (statement->lane != NGX_AZORA_LANE_READ);

    if (ngx_azora_call_caller(r, ctx, write, &params[0]) != NGX_OK) {
        return NULL;
    }

    for (i = 0; i < endpoint->nfields; i++) {
        params[i + 1] = ctx->values[i].text;
    }

    return ngx_azora_query(statement, params, 0, handler, data);
}


/*
 * draft-ietf-httpapi-idempotency-key-header: a structured-field string; the
 * bare form without quotes, which most clients send, is taken too.
 */

static ngx_int_t
ngx_azora_call_key(ngx_http_request_t *r, ngx_azora_ctx_t *ctx)
{
    size_t      i;
    ngx_str_t   key;
    ngx_uint_t  flags;

    flags = ctx->endpoint->row->flags & NGX_AZORA_KEY_REQUIRED;

    if (flags == 0) {
        return NGX_OK;
    }

    if (ngx_azora_request_header(r, "Idempotency-Key", &key) != NGX_OK) {

        if (flags != NGX_AZORA_KEY_REQUIRED) {
            return NGX_OK;
        }

        return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST,
                                 "idempotency-key-required",
                                 "This request moves money: send an "
                                 "Idempotency-Key header, a fresh UUID, and "
                                 "the same one when you repeat it.");
    }

    if (key.len >= 2 && key.data[0] == '"' && key.data[key.len - 1] == '"') {
        key.data++;
        key.len -= 2;
    }

    if (key.len == 0 || key.len > NGX_AZORA_KEY_LEN_MAX) {
        goto invalid;
    }

    for (i = 0; i < key.len; i++) {
        if (key.data[i] <= 0x20 || key.data[i] >= 0x7f) {
            goto invalid;
        }
    }

    ctx->idempotency_key = key;

    return NGX_OK;

invalid:

    return ngx_azora_problem(r, NGX_HTTP_BAD_REQUEST,
                             "invalid-idempotency-key",
                             "Idempotency-Key must have 1 to %d visible ASCII "
                             "characters.", NGX_AZORA_KEY_LEN_MAX);
}


/*
 * SHA-256 over the parameters as validated, so that white space and the order
 * of members do not matter.  Secrets stay out: a fast hash of a password must
 * not be stored.
 */

ngx_int_t
ngx_azora_call_fingerprint(ngx_azora_ctx_t *ctx)
{
    u_char              hash[32];
    uint64_t            len;
    ngx_int_t           rc;
    ngx_uint_t          i;
    EVP_MD_CTX         *md;
    ngx_azora_value_t  *value;

    if (ctx->fingerprinted) {
        return NGX_OK;
    }

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        goto done;
    }

    for (i = 0; i < ctx->endpoint->nfields; i++) {

        if (ctx->endpoint->row->fields[i].kind == NGX_AZORA_SECRET) {
            continue;
        }

        value = &ctx->values[i];
        len = value->text.data ? value->text.len : UINT64_MAX;

        if (EVP_DigestUpdate(md, &len, sizeof(len)) != 1
            || EVP_DigestUpdate(md, value->text.data, value->text.len) != 1)
        {
            goto done;
        }
    }

    if (EVP_DigestFinal_ex(md, hash, NULL) != 1) {
        goto done;
    }

    ngx_hex_dump(ctx->fingerprint, hash, sizeof(hash));
    ctx->fingerprinted = 1;
    rc = NGX_OK;

done:

    EVP_MD_CTX_free(md);

    return rc;
}


ngx_int_t
ngx_azora_caller(ngx_http_request_t *r, ngx_str_t *literal)
{
    ngx_azora_ctx_t  *ctx;

    ctx = ngx_azora_get_ctx(r);

    return (ctx == NULL) ? NGX_ERROR
                         : ngx_azora_call_caller(r, ctx, 1, literal);
}


/*
 * The text form of azora.caller; attributes a read never needs stay NULL, and
 * in a batch also those that only tell of the request: PostgreSQL reads every
 * attribute of every item.
 */

static ngx_int_t
ngx_azora_call_caller(ngx_http_request_t *r, ngx_azora_ctx_t *ctx,
    ngx_uint_t write, ngx_str_t *literal)
{
    u_char                 *p, traceparent[NGX_AZORA_TRACEPARENT_LEN];
    size_t                  len;
    ngx_str_t               value;
    ngx_uint_t              alone;
    ngx_azora_principal_t  *who;

    who = &ctx->principal;
    alone = !(ctx->endpoint->row->flags & NGX_AZORA_BATCH);

    len = sizeof("(,,\"{}\",,,,,,)") + who->subject.len + who->session.len
          + who->roles.len;

    if (write) {
        ngx_azora_trace_ensure(r, ctx);

        len += sizeof("\"\"") * 5 + ctx->request_id.len
               + NGX_AZORA_TRACEPARENT_LEN + r->connection->addr_text.len
               + ctx->endpoint->label.len + 2 * ctx->idempotency_key.len
               + sizeof(ctx->fingerprint);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    literal->data = p;

    *p++ = '(';
    p = ngx_azora_call_id(p, &who->subject);
    *p++ = ',';

    if (alone) {
        p = ngx_azora_call_id(p, &who->session);
    }

    *p++ = ',';

    if (alone) {
        p = ngx_azora_call_roles(p, &who->roles);
    }

    if (!write) {
        p = ngx_cpymem(p, ",,,,,,)", sizeof(",,,,,,)") - 1);
        literal->len = p - literal->data;
        return NGX_OK;
    }

    *p++ = ',';

    if (alone) {
        p = ngx_azora_call_attribute(p, &ctx->request_id);
    }

    *p++ = ',';

    value.data = traceparent;
    value.len = ngx_azora_trace_parent(ctx, traceparent) - traceparent;
    p = ngx_azora_call_attribute(p, &value);

    *p++ = ',';

    if (alone) {
        p = ngx_azora_call_attribute(p, &r->connection->addr_text);
    }

    *p++ = ',';

    if (alone) {
        p = ngx_azora_call_attribute(p, &ctx->endpoint->label);
    }

    *p++ = ',';

    return ngx_azora_call_keyed(ctx, p, literal);
}


/* The last two attributes. */

static ngx_int_t
ngx_azora_call_keyed(ngx_azora_ctx_t *ctx, u_char *p, ngx_str_t *literal)
{
    if (ctx->idempotency_key.len) {

        if (ngx_azora_call_fingerprint(ctx) != NGX_OK) {
            return NGX_ERROR;
        }

        p = ngx_azora_call_attribute(p, &ctx->idempotency_key);
        *p++ = ',';
        p = ngx_cpymem(p, ctx->fingerprint, sizeof(ctx->fingerprint));

    } else {
        *p++ = ',';
    }

    *p++ = ')';
    literal->len = p - literal->data;

    return NGX_OK;
}


/* An id needs no quotes, and may be that of nobody, without an address. */

static u_char *
ngx_azora_call_id(u_char *p, const ngx_str_t *id)
{
    return id->len ? ngx_cpymem(p, id->data, id->len) : p;
}


/* One quoted attribute of a composite literal; an empty one is NULL. */

static u_char *
ngx_azora_call_attribute(u_char *p, const ngx_str_t *value)
{
    size_t  i;

    if (value->len == 0) {
        return p;
    }

    *p++ = '"';

    for (i = 0; i < value->len; i++) {
        if (value->data[i] == '"' || value->data[i] == '\\') {
            *p++ = '\\';
        }
        *p++ = value->data[i];
    }

    *p++ = '"';

    return p;
}


/* "learner teacher" -> "{learner,teacher}"; role names are [a-z]+ */

static u_char *
ngx_azora_call_roles(u_char *p, const ngx_str_t *roles)
{
    size_t  i;

    p = ngx_cpymem(p, "\"{", 2);

    for (i = 0; i < roles->len; i++) {
        *p++ = (roles->data[i] == ' ') ? ',' : roles->data[i];
    }

    return ngx_cpymem(p, "}\"", 2);
}
