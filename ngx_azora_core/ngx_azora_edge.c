
/*
 * What the edge knows now, gathered for GET /v1/admin/edge: modules register a
 * section each, because none of them knows the others.
 */


#include "ngx_azora_cache.h"


#define NGX_AZORA_EDGE_SECTIONS_MAX  16


static json_t *ngx_azora_edge_breakers(void);
static json_t *ngx_azora_edge_cache(void);


ngx_int_t
ngx_azora_edge_init(ngx_conf_t *cf)
{
    if (ngx_azora_edge_section(cf, "breakers", ngx_azora_edge_breakers)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_azora_edge_section(cf, "cache", ngx_azora_edge_cache);
}


ngx_int_t
ngx_azora_edge_section(ngx_conf_t *cf, const char *name,
    ngx_azora_edge_pt report)
{
    ngx_azora_section_t    *section;
    ngx_azora_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_azora_module);

    if (amcf->sections.nelts == NGX_AZORA_EDGE_SECTIONS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "azora: section \"%s\" of the edge is one too many",
                           name);
        return NGX_ERROR;
    }

    section = ngx_array_push(&amcf->sections);
    if (section == NULL) {
        return NGX_ERROR;
    }

    section->name = name;
    section->report = report;

    return NGX_OK;
}


json_t *
ngx_azora_edge_report(void)
{
    json_t               *root;
    ngx_uint_t            i;
    ngx_azora_section_t  *sections;

    root = json_object();
    sections = ngx_azora_main_conf->sections.elts;

    for (i = 0; root != NULL && i < ngx_azora_main_conf->sections.nelts; i++)
    {
        if (json_object_set_new(root, sections[i].name, sections[i].report())
            != 0)
        {
            json_decref(root);
            root = NULL;
        }
    }

    return root;
}


static json_t *
ngx_azora_edge_breakers(void)
{
    json_t      *all;
    ngx_uint_t   i;
    const char  *name;

    static const char *const  states[] = { "closed", "open", "half-open" };

    all = json_object();

    for (i = 0; all != NULL; i++) {
        name = ngx_azora_breaker_name(i);

        if (name == NULL) {
            break;
        }

        if (json_object_set_new(all, name,
                                json_string(states[ngx_azora_breaker_state(i)]))
            != 0)
        {
            json_decref(all);
            all = NULL;
        }
    }

    return all;
}


static json_t *
ngx_azora_edge_cache(void)
{
    ngx_azora_cache_state_t  state;

    if (ngx_azora_main_conf->cache.zone == NULL) {
        return json_null();
    }

    ngx_azora_cache_state(&ngx_azora_main_conf->cache, &state);

    return json_pack("{s:I, s:I, s:I}",
        "entries", (json_int_t) state.entries,
        "bytes", (json_int_t) state.used,
        "size", (json_int_t) state.size);
}
