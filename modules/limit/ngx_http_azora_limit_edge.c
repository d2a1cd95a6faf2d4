
/*
 * The limits' section of GET /v1/admin/edge: each zone, and how many of its
 * cells hold a key.  Keys whose time has passed are among them until another
 * one needs the cell.
 */


#include "ngx_http_azora_limit.h"


static json_t *ngx_http_azora_limit_edge_zone(
    const ngx_http_azora_limit_zone_t *zone);


extern ngx_module_t  ngx_http_azora_limit_module;


json_t *
ngx_http_azora_limit_edge(void)
{
    json_t           *zones;
    ngx_uint_t        i;
    ngx_shm_zone_t   *shm;
    ngx_list_part_t  *part;

    zones = json_array();

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part != NULL && zones != NULL;
         part = part->next)
    {
        shm = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (shm[i].tag != &ngx_http_azora_limit_module) {
                continue;
            }

            if (json_array_append_new(zones,
                    ngx_http_azora_limit_edge_zone(shm[i].data))
                != 0)
            {
                json_decref(zones);
                return NULL;
            }
        }
    }

    return zones;
}


static json_t *
ngx_http_azora_limit_edge_zone(const ngx_http_azora_limit_zone_t *zone)
{
    uint64_t                           i, used;
    ngx_uint_t                         way;
    const ngx_http_azora_limit_set_t  *set;

    used = 0;
    set = (const ngx_http_azora_limit_set_t *) (zone->table + 1);

    for (i = 0; i < zone->table->nsets; i++) {
        for (way = 0; way < NGX_HTTP_AZORA_LIMIT_WAYS; way++) {
            used += (__atomic_load_n(&set[i].keys[way], __ATOMIC_RELAXED)
                     != 0);
        }
    }

    return json_pack("{s:s%, s:b, s:I, s:I}",
        "zone", zone->name.data, zone->name.len,
        "shared", (int) (zone->shared != 0),
        "keys", (json_int_t) used,
        "size", (json_int_t) zone->table->nsets
                * NGX_HTTP_AZORA_LIMIT_WAYS);
}
