
/*
 * The stage: evaluates a request, has the decision recorded, and refuses what
 * the constitution denies.
 *
 * A decision is recorded before anything is done.  If it cannot be recorded, a
 * denial is still a denial, and a flagged request is not let through without
 * its flag: it gets the 503 that its own statement would have got.
 */


#include "ngx_http_azora_constitution.h"


#define NGX_HTTP_AZORA_DECISION_PARAMS  6
#define NGX_HTTP_AZORA_ID_LEN           36


typedef struct {
    ngx_http_request_t            *request;
    ngx_http_azora_verdict_t       verdict;
    ngx_uint_t                     effect;      /* after modes */
    ngx_str_t                      hash;
    u_char                         id[NGX_HTTP_AZORA_ID_LEN];
    size_t                         id_len;      /* 0: not recorded */
    ngx_int_t                      rc;          /* of the recording */
} ngx_http_azora_decision_t;


static ngx_int_t ngx_http_azora_constitution_undecided(ngx_http_request_t *r,
    ngx_uint_t mode);
static ngx_int_t ngx_http_azora_constitution_decide(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_uint_t mode,
    ngx_http_azora_verdict_t *verdict, const ngx_str_t *hash);
static ngx_int_t ngx_http_azora_constitution_record(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_decision_t *decision);
static void ngx_http_azora_constitution_recorded(ngx_azora_op_t *op,
    void *data);
static ngx_int_t ngx_http_azora_constitution_finish(ngx_http_request_t *r,
    ngx_http_azora_decision_t *decision);
static ngx_int_t ngx_http_azora_constitution_deny(ngx_http_request_t *r,
    ngx_http_azora_decision_t *decision);
static const ngx_http_azora_match_t *ngx_http_azora_constitution_strongest(
    const ngx_http_azora_verdict_t *verdict);
static void ngx_http_azora_constitution_quoted(ngx_http_request_t *r,
    const char *name, const u_char *data, size_t len);


static const ngx_azora_statement_t  *ngx_http_azora_record_decision;

static ngx_uint_t  ngx_http_azora_decisions[4];     /* by effect */
static ngx_uint_t  ngx_http_azora_shadowed;
static ngx_uint_t  ngx_http_azora_undecided;
static ngx_uint_t  ngx_http_azora_unrecorded;


ngx_int_t
ngx_http_azora_constitution_stage_init(ngx_conf_t *cf)
{
    ngx_str_t           sql;
    ngx_uint_t          i;
    const char         *family = "azora_constitution_decisions_total";
    const char         *help = "Requests the constitution looked at.";
    static const char  *labels[] = {
        "effect=\"allow\"", "effect=\"flag\"", NULL, "effect=\"deny\""
    };

    ngx_str_set(&sql, "SELECT d.body ->> 'id' "
                      "FROM court.record_decision("
                      "caller => $1::azora.caller, effect => $2::text, "
                      "rules => $3::jsonb, article => $4::text, "
                      "hash => $5::text, excerpt => $6::jsonb) AS d");

    ngx_http_azora_record_decision = ngx_azora_statement(cf,
                                         NGX_AZORA_LANE_WRITE,
                                         "court.record_decision", &sql,
                                         NGX_HTTP_AZORA_DECISION_PARAMS);
    if (ngx_http_azora_record_decision == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < 4; i++) {

        if (labels[i] == NULL) {
            /* no request is ever held for a review */
            continue;
        }

        ngx_http_azora_decisions[i] = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                                       family, labels[i],
                                                       help);
        if (ngx_http_azora_decisions[i] == NGX_AZORA_NONE) {
            return NGX_ERROR;
        }
    }

    ngx_http_azora_shadowed = ngx_azora_metric(cf, NGX_AZORA_COUNTER, family,
                                               "effect=\"shadow\"", help);
    ngx_http_azora_undecided = ngx_azora_metric(cf, NGX_AZORA_COUNTER, family,
                                                "effect=\"undecided\"", help);
    ngx_http_azora_unrecorded = ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                                    "azora_constitution_unrecorded_total",
                                    NULL,
                                    "Decisions that could not be recorded.");

    if (ngx_http_azora_shadowed == NGX_AZORA_NONE
        || ngx_http_azora_undecided == NGX_AZORA_NONE
        || ngx_http_azora_unrecorded == NGX_AZORA_NONE)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_azora_constitution_stage(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx)
{
    ngx_str_t                               wait = ngx_string("1");
    ngx_http_azora_input_t                  input;
    ngx_http_azora_verdict_t                verdict;
    ngx_http_azora_decision_t              *decision;
    const ngx_http_azora_rules_t           *rules;
    ngx_http_azora_constitution_loc_conf_t *clcf;

    decision = ngx_http_get_module_ctx(r, ngx_http_azora_constitution_module);

    if (decision != NULL) {
        return ngx_http_azora_constitution_finish(r, decision);
    }

    if (ctx->endpoint == NULL
        || !(ctx->endpoint->row->flags & NGX_AZORA_POLICY))
    {
        return NGX_DECLINED;
    }

    clcf = ngx_http_get_module_loc_conf(r,
                                        ngx_http_azora_constitution_module);

    if (clcf->mode == NGX_HTTP_AZORA_CONSTITUTION_OFF) {
        return NGX_DECLINED;
    }

    rules = ngx_http_azora_constitution_rules();

    if (rules == NULL) {

        if (clcf->mode == NGX_HTTP_AZORA_CONSTITUTION_SHADOW) {
            return NGX_DECLINED;
        }

        (void) ngx_azora_add_header(r, "Retry-After", &wait);

        return ngx_azora_problem(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                 "constitution-unavailable",
                                 "The constitution is still being loaded, and "
                                 "nothing it would look at is let through "
                                 "before. Nothing was done; please try "
                                 "again.");
    }

    input.route = &ctx->endpoint->label;
    input.path = &r->uri;
    input.roles = &ctx->principal.roles;
    input.body = ctx->body;

    if (ngx_http_azora_constitution_evaluate(rules,
                                       ngx_http_azora_constitution_matcher(),
                                       &input, r->pool, &verdict)
        != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (verdict.undecided) {
        return ngx_http_azora_constitution_undecided(r, clcf->mode);
    }

    if (verdict.nmatches == 0) {
        ngx_azora_metric_add(ngx_http_azora_decisions[NGX_HTTP_AZORA_ALLOW],
                             1);
        return NGX_DECLINED;
    }

    return ngx_http_azora_constitution_decide(r, ctx, clcf->mode, &verdict,
                                              &rules->hash);
}


/* Refused, or else a text made to be too costly would pass unread. */

static ngx_int_t
ngx_http_azora_constitution_undecided(ngx_http_request_t *r, ngx_uint_t mode)
{
    ngx_azora_metric_add(ngx_http_azora_undecided, 1);

    ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                  "constitution: an evaluation reached its bound");

    if (mode == NGX_HTTP_AZORA_CONSTITUTION_SHADOW) {
        return NGX_DECLINED;
    }

    return ngx_azora_problem(r, 422, "constitution-undecided",
                             "The texts of this request are too long or too "
                             "repetitive to be examined. Nothing was done.");
}


static ngx_int_t
ngx_http_azora_constitution_decide(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_uint_t mode,
    ngx_http_azora_verdict_t *verdict, const ngx_str_t *hash)
{
    ngx_int_t                   rc;
    ngx_uint_t                  metric;
    ngx_http_azora_decision_t  *decision;

    decision = ngx_pcalloc(r->pool, sizeof(ngx_http_azora_decision_t));
    if (decision == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    decision->request = r;
    decision->verdict = *verdict;
    decision->effect = verdict->effect;

    /* the rules may be swapped while the decision is being recorded */
    decision->hash.len = hash->len;
    decision->hash.data = ngx_pstrdup(r->pool, (ngx_str_t *) hash);
    if (decision->hash.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (decision->effect == NGX_HTTP_AZORA_REVIEW) {
        decision->effect = NGX_HTTP_AZORA_FLAG;
    }

    metric = ngx_http_azora_decisions[decision->effect];

    if (mode == NGX_HTTP_AZORA_CONSTITUTION_SHADOW
        || decision->effect == NGX_HTTP_AZORA_ALLOW)
    {
        ngx_log_error(NGX_LOG_NOTICE, r->connection->log, 0,
                      "constitution: in shadow, rule \"%V\" matches %V",
                      &verdict->matches[0].rule->id,
                      &verdict->matches[0].pointer);

        decision->effect = NGX_HTTP_AZORA_ALLOW;
        metric = ngx_http_azora_shadowed;
    }

    ngx_azora_metric_add(metric, 1);

    ngx_http_set_ctx(r, decision, ngx_http_azora_constitution_module);

    if (decision->effect == NGX_HTTP_AZORA_DENY) {
        /* all that quotes the rules is made now, while they surely live */
        rc = ngx_http_azora_constitution_deny(r, decision);
        if (rc != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_azora_constitution_record(r, ctx, decision) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_azora_constitution_record(ngx_http_request_t *r,
    ngx_azora_ctx_t *ctx, ngx_http_azora_decision_t *decision)
{
    ngx_str_t                      params[NGX_HTTP_AZORA_DECISION_PARAMS];
    const ngx_http_azora_match_t  *match;
    static ngx_str_t               effects[] = {
        ngx_string("allow"), ngx_string("flag"), ngx_string("review"),
        ngx_string("deny")
    };

    match = ngx_http_azora_constitution_strongest(&decision->verdict);

    if (ngx_azora_caller(r, &params[0]) != NGX_OK
        || ngx_http_azora_constitution_rule_names(r->pool,
                                                  &decision->verdict,
                                                  &params[2])
           != NGX_OK
        || ngx_http_azora_constitution_evidence(r->pool, &decision->verdict,
                                                ctx->body, &params[5])
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    params[1] = effects[decision->effect];
    params[3] = match->rule->article;
    params[4] = decision->hash;

    ctx->op = ngx_azora_query(ngx_http_azora_record_decision, params, 0,
                              ngx_http_azora_constitution_recorded, decision);

    return (ctx->op == NULL) ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_azora_constitution_recorded(ngx_azora_op_t *op, void *data)
{
    ngx_str_t                   id;
    ngx_azora_ctx_t            *ctx;
    ngx_http_request_t         *r;
    ngx_http_azora_decision_t  *decision;

    decision = data;
    r = decision->request;

    ctx = ngx_http_get_module_ctx(r, ngx_http_azora_module);
    ctx->op = NULL;

    decision->rc = NGX_OK;

    if (ngx_azora_op_status(op) == NGX_AZORA_OP_OK
        && ngx_azora_op_rows(op) == 1)
    {
        id = ngx_azora_op_value(op, 0, 0);

        if (id.data != NULL) {
            decision->id_len = ngx_min(id.len, NGX_HTTP_AZORA_ID_LEN);
            ngx_memcpy(decision->id, id.data, decision->id_len);
        }
    }

    if (decision->id_len == 0) {

        ngx_azora_metric_add(ngx_http_azora_unrecorded, 1);

        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "constitution: a decision was not recorded: %s %s",
                      ngx_azora_op_sqlstate(op), ngx_azora_op_message(op));

        if (decision->effect == NGX_HTTP_AZORA_FLAG) {
            decision->rc = ngx_azora_op_problem(r, op);
        }
    }

    ngx_azora_resume(r);
}


static ngx_int_t
ngx_http_azora_constitution_finish(ngx_http_request_t *r,
    ngx_http_azora_decision_t *decision)
{
    if (decision->effect == NGX_HTTP_AZORA_DENY) {

        if (decision->id_len) {
            ngx_http_azora_constitution_quoted(r, "decision", decision->id,
                                               decision->id_len);
        }

        return NGX_HTTP_FORBIDDEN;
    }

    return decision->rc;
}


static ngx_int_t
ngx_http_azora_constitution_deny(ngx_http_request_t *r,
    ngx_http_azora_decision_t *decision)
{
    json_t                        *articles, *article;
    ngx_int_t                      rc;
    ngx_str_t                      text;
    ngx_uint_t                     i, k;
    const ngx_http_azora_match_t  *match, *first;

    first = ngx_http_azora_constitution_strongest(&decision->verdict);

    articles = json_array();
    if (articles == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < decision->verdict.nmatches; i++) {

        match = &decision->verdict.matches[i];

        if (match->rule->shadow
            || match->rule->effect != NGX_HTTP_AZORA_DENY)
        {
            continue;
        }

        ngx_azora_problem_error(r, (char *) match->pointer.data, "%V",
                                &match->rule->reason);

        article = json_stringn((char *) match->rule->article.data,
                               match->rule->article.len);

        for (k = 0; k < json_array_size(articles); k++) {
            if (json_equal(json_array_get(articles, k), article)) {
                break;
            }
        }

        if (k < json_array_size(articles)) {
            json_decref(article);

        } else if (json_array_append_new(articles, article) != 0) {
            json_decref(articles);
            return NGX_ERROR;
        }
    }

    rc = ngx_azora_json_dump(r->pool, articles, &text);
    json_decref(articles);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_azora_constitution_quoted(r, "article",
                                       first->rule->article.data,
                                       first->rule->article.len);
    ngx_azora_problem_member(r, "articles", &text);
    ngx_http_azora_constitution_quoted(r, "constitution",
                                       decision->hash.data,
                                       decision->hash.len);

    (void) ngx_azora_problem(r, NGX_HTTP_FORBIDDEN, "constitution-denied",
                             "Article %V (%V): %V", &first->rule->article,
                             &first->rule->title, &first->rule->reason);

    return NGX_OK;
}


/* Shadow rules come last; among equals the first. */

static const ngx_http_azora_match_t *
ngx_http_azora_constitution_strongest(const ngx_http_azora_verdict_t *verdict)
{
    ngx_uint_t                     i;
    const ngx_http_azora_match_t  *best, *match;

    best = &verdict->matches[0];

    for (i = 1; i < verdict->nmatches; i++) {

        match = &verdict->matches[i];

        if (!match->rule->shadow
            && (best->rule->shadow || match->rule->effect > best->rule->effect))
        {
            best = match;
        }
    }

    return best;
}


static void
ngx_http_azora_constitution_quoted(ngx_http_request_t *r, const char *name,
    const u_char *data, size_t len)
{
    ngx_str_t  json;

    json.data = ngx_pnalloc(r->pool,
                            (size_t) ngx_azora_json_quote(NULL, data, len));
    if (json.data == NULL) {
        return;
    }

    json.len = ngx_azora_json_quote(json.data, data, len) - json.data;

    ngx_azora_problem_member(r, name, &json);
}
