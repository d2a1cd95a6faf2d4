
/*
 * A capability for tests of the PostgreSQL client: one row per lane and per
 * way in which a statement can end.  t/lib/Azora/Probe.pm has the functions.
 */


#include <ngx_azora.h>




static const ngx_azora_field_t  ngx_azora_probe_number[] = {
    { "n", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED|NGX_AZORA_IN_QUERY, 0, 0,
      NULL, NULL, "A number." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_azora_probe_item[] = {
    { "n", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED, 0, 0, NULL, NULL,
      "A number." },
    { "text", NGX_AZORA_TEXT, 0, 0, 200000, NULL, NULL, "A text." },
    NGX_AZORA_END
};


static const ngx_azora_field_t  ngx_azora_probe_kept[] = {
    { "n", NGX_AZORA_INTEGER, NGX_AZORA_REQUIRED|NGX_AZORA_IN_QUERY, 0, 0,
      NULL, NULL, "A number." },
    { "wait", NGX_AZORA_INTEGER, NGX_AZORA_IN_QUERY, 0, 0, NULL, NULL,
      "Milliseconds." },
    { "size", NGX_AZORA_INTEGER, NGX_AZORA_IN_QUERY, 0, 0, NULL, NULL,
      "How much." },
    NGX_AZORA_END
};


#define NGX_AZORA_PROBE(verb, uri, flag, takes, name)                         \
    { .method = NGX_HTTP_##verb, .path = uri,                                 \
      .flags = NGX_AZORA_PUBLIC|flag, .fields = takes, .function = name,      \
      .summary = "Probes" }


static const ngx_azora_row_t  ngx_azora_probe_rows[] = {
    NGX_AZORA_PROBE(GET, "/probe/read", 0, ngx_azora_probe_number,
                    "probe.read"),
    NGX_AZORA_PROBE(GET, "/probe/wait", 0, ngx_azora_probe_number,
                    "probe.wait"),
    NGX_AZORA_PROBE(GET, "/probe/divide", 0, ngx_azora_probe_number,
                    "probe.divide"),
    NGX_AZORA_PROBE(GET, "/probe/big", 0, ngx_azora_probe_number,
                    "probe.big"),
    NGX_AZORA_PROBE(GET, "/probe/missing", 0, ngx_azora_probe_number,
                    "probe.missing"),
    NGX_AZORA_PROBE(GET, "/probe/settings", 0, NULL, "probe.settings"),
    NGX_AZORA_PROBE(GET, "/probe/slow", NGX_AZORA_SLOW,
                    ngx_azora_probe_number, "probe.wait"),
    NGX_AZORA_PROBE(POST, "/probe/write", 0, ngx_azora_probe_item,
                    "probe.write"),
    NGX_AZORA_PROBE(POST, "/probe/late", 0, ngx_azora_probe_item,
                    "probe.late"),
    NGX_AZORA_PROBE(POST, "/probe/pause", 0, ngx_azora_probe_item,
                    "probe.pause"),
    NGX_AZORA_PROBE(POST, "/probe/batch", NGX_AZORA_BATCH,
                    ngx_azora_probe_item, "probe.batch"),

    /* one that only time makes old, and one that the catalogue does */
    { NGX_HTTP_GET, "/probe/kept", NGX_AZORA_PUBLIC,
      .fields = ngx_azora_probe_kept,
      .function = "probe.kept",
      .summary = "Probes",
      .cache = 2 },

    { NGX_HTTP_GET, "/probe/catalogue", NGX_AZORA_PUBLIC,
      .fields = ngx_azora_probe_kept,
      .function = "probe.kept",
      .summary = "Probes",
      .version = "catalogue",
      .cache = 600 },

    NGX_AZORA_ROWS_END
};


static const ngx_azora_capability_t  ngx_azora_probe = {
    NGX_AZORA_ABI, "probe", ngx_azora_probe_rows, NULL, NULL, "For tests."
};


NGX_AZORA_MODULE(ngx_azora_probe_module, ngx_azora_probe);


ngx_module_t  *ngx_modules[] = { &ngx_azora_probe_module, NULL };
char  *ngx_module_names[] = { "ngx_azora_probe_module", NULL };

/* the core's configuration is made before ours */
char  *ngx_module_order[] = {
    "ngx_http_azora_module", "ngx_azora_probe_module", NULL
};
