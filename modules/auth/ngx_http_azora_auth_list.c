
/*
 * The revocations that this process knows: an open-addressing table of
 * sessions, keys and accounts.  Each process has its own, so that a reader
 * needs no lock and a worker that dies leaves nothing half written; it is
 * small, because only what ended within the last day is in it.
 */


#include "ngx_http_azora_auth.h"


#define NGX_HTTP_AZORA_AUTH_ENDED_MIN   256      /* slots, a power of two */

/* no token is older: azora_auth_token_lifetime and _leeway are bounded */
#define NGX_HTTP_AZORA_AUTH_ENDED_LIFE  (25 * 3600)


typedef struct {
    u_char     target[16];
    int64_t    epoch;
    int64_t    at;                              /* Unix seconds, 0: free */
} ngx_http_azora_auth_ended_t;


static ngx_int_t ngx_http_azora_auth_list_grow(time_t now, ngx_log_t *log);
static ngx_http_azora_auth_ended_t *ngx_http_azora_auth_list_slot(
    const u_char *target);


static ngx_http_azora_auth_ended_t  *ngx_http_azora_auth_ended;
static ngx_uint_t                    ngx_http_azora_auth_nslots;
static ngx_uint_t                    ngx_http_azora_auth_nended;
static time_t                        ngx_http_azora_auth_floor;


void
ngx_http_azora_auth_list_reset(void)
{
    if (ngx_http_azora_auth_ended != NULL) {
        ngx_free(ngx_http_azora_auth_ended);
    }

    ngx_http_azora_auth_ended = NULL;
    ngx_http_azora_auth_nslots = 0;
    ngx_http_azora_auth_nended = 0;
    ngx_http_azora_auth_floor = 0;
}


void
ngx_http_azora_auth_list_floor(time_t issued)
{
    ngx_http_azora_auth_floor = ngx_max(ngx_http_azora_auth_floor, issued);
}


/* NGX_DECLINED: full; NGX_ERROR: out of memory */

ngx_int_t
ngx_http_azora_auth_list_add(const u_char *target, int64_t epoch, time_t at,
    time_t now, ngx_log_t *log)
{
    ngx_int_t                     rc;
    ngx_http_azora_auth_ended_t  *slot;

    if (2 * (ngx_http_azora_auth_nended + 1) > ngx_http_azora_auth_nslots) {
        rc = ngx_http_azora_auth_list_grow(now, log);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    slot = ngx_http_azora_auth_list_slot(target);

    if (slot->at == 0) {
        ngx_memcpy(slot->target, target, sizeof(slot->target));
        slot->epoch = epoch;
        ngx_http_azora_auth_nended++;
    }

    slot->epoch = ngx_max(slot->epoch, epoch);
    slot->at = ngx_max(at, 1);

    return NGX_OK;
}


/* Entries that no token can be as old as are left behind. */

static ngx_int_t
ngx_http_azora_auth_list_grow(time_t now, ngx_log_t *log)
{
    ngx_uint_t                    i, n, living;
    ngx_http_azora_auth_ended_t  *old, *slots;

    old = ngx_http_azora_auth_ended;
    n = ngx_http_azora_auth_nslots;
    living = 0;

    for (i = 0; i < n; i++) {
        if (old[i].at != 0
            && old[i].at + NGX_HTTP_AZORA_AUTH_ENDED_LIFE > now)
        {
            living++;
        }
    }

    if (living >= NGX_HTTP_AZORA_AUTH_ENDED_MAX) {
        return NGX_DECLINED;
    }

    ngx_http_azora_auth_nslots = NGX_HTTP_AZORA_AUTH_ENDED_MIN;

    while (ngx_http_azora_auth_nslots < 4 * (living + 1)
           && ngx_http_azora_auth_nslots < 2 * NGX_HTTP_AZORA_AUTH_ENDED_MAX)
    {
        ngx_http_azora_auth_nslots *= 2;
    }

    slots = ngx_calloc(ngx_http_azora_auth_nslots
                       * sizeof(ngx_http_azora_auth_ended_t), log);
    if (slots == NULL) {
        ngx_http_azora_auth_nslots = n;
        return NGX_ERROR;
    }

    ngx_http_azora_auth_ended = slots;
    ngx_http_azora_auth_nended = living;

    for (i = 0; i < n; i++) {
        if (old[i].at != 0
            && old[i].at + NGX_HTTP_AZORA_AUTH_ENDED_LIFE > now)
        {
            *ngx_http_azora_auth_list_slot(old[i].target) = old[i];
        }
    }

    if (old != NULL) {
        ngx_free(old);
    }

    return NGX_OK;
}


/* That of the target, or the free one where it belongs: half are free. */

static ngx_http_azora_auth_ended_t *
ngx_http_azora_auth_list_slot(const u_char *target)
{
    uint32_t                      h;
    ngx_uint_t                    i, mask;
    ngx_http_azora_auth_ended_t  *slot;

    /* the end of a UUIDv7 is random */

    ngx_memcpy(&h, target + 12, sizeof(h));
    mask = ngx_http_azora_auth_nslots - 1;

    for (i = h & mask; /* void */ ; i = (i + 1) & mask) {
        slot = &ngx_http_azora_auth_ended[i];

        if (slot->at == 0
            || ngx_memcmp(slot->target, target, sizeof(slot->target)) == 0)
        {
            return slot;
        }
    }
}


ngx_uint_t
ngx_http_azora_auth_list_has(const ngx_http_azora_auth_proof_t *identity)
{
    u_char                        target[16];
    ngx_uint_t                    i;
    const ngx_str_t              *ids[2];
    ngx_http_azora_auth_ended_t  *slot;

    if (ngx_http_azora_auth_floor != 0
        && identity->issued <= ngx_http_azora_auth_floor)
    {
        return 1;
    }

    if (ngx_http_azora_auth_nended == 0) {
        return 0;
    }

    ids[0] = &identity->principal.session;
    ids[1] = &identity->principal.subject;

    for (i = 0; i < 2; i++) {

        if (ngx_http_azora_auth_list_uuid(ids[i], target) != NGX_OK) {
            continue;
        }

        slot = ngx_http_azora_auth_list_slot(target);

        if (slot->at != 0 && (slot->epoch == NGX_HTTP_AZORA_AUTH_ENDED_ALL
                              || identity->epoch < (uint64_t) slot->epoch))
        {
            return 1;
        }
    }

    return 0;
}


/* NGX_DECLINED: absent, for the verifier takes nothing else that is no UUID */

ngx_int_t
ngx_http_azora_auth_list_uuid(const ngx_str_t *text, u_char *out)
{
    u_char      c;
    size_t      i;
    ngx_uint_t  n;

    if (text->len != 36) {
        return NGX_DECLINED;
    }

    n = 0;
    ngx_memzero(out, 16);

    for (i = 0; i < 36 && n < 32; i++) {
        c = text->data[i];

        if (c == '-') {
            continue;
        }

        c = (u_char) ((c <= '9') ? c - '0' : (c | 0x20) - 'a' + 10);
        out[n / 2] = (u_char) (out[n / 2] << 4 | (c & 0xf));
        n++;
    }

    return NGX_OK;
}
