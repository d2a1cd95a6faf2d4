
/*
 * A part of ngx_azora.h: metrics.
 */


#ifndef _NGX_AZORA_METRIC_H_INCLUDED_
#define _NGX_AZORA_METRIC_H_INCLUDED_


/* In per-worker slots, summed when scraped. */

typedef enum {
    NGX_AZORA_COUNTER = 0,
    NGX_AZORA_GAUGE,
    NGX_AZORA_HISTOGRAM,         /* of durations, without labels */
    NGX_AZORA_LABELLED           /* a counter for each value of a label */
} ngx_azora_metric_e;

/*
 * Configuration time.  name is the family ("azora_limit_refused_total"),
 * labels is "zone=\"ip\"" or NULL, for LABELLED the name of its label; series
 * of one family share help.  Returns an index, NGX_AZORA_NONE when out of
 * memory (logged).
 */
ngx_uint_t ngx_azora_metric(ngx_conf_t *cf, ngx_azora_metric_e type,
    const char *name, const char *labels, const char *help);
void ngx_azora_metric_add(ngx_uint_t index, ngx_int_t n);
/* of a HISTOGRAM */
void ngx_azora_metric_observe(ngx_uint_t index, uint64_t ns);
/*
 * Adds to a LABELLED counter's series of this value ([A-Za-z0-9._-], at most
 * 64 bytes).  A node has 64 such series; what is beyond counts as "other".
 */
void ngx_azora_metric_count(ngx_uint_t index, const ngx_str_t *value,
    ngx_uint_t n);


#endif /* _NGX_AZORA_METRIC_H_INCLUDED_ */
