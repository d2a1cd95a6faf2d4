
/*
 * Which addresses a URL that somebody else wrote may lead to: those of the
 * public Internet by IANA's registries of special-purpose addresses, RFC 6890
 * and its updates.
 */


#include "ngx_azora_fetch.h"


typedef struct {
    uint32_t    address;
    ngx_uint_t  bits;
} ngx_azora_fetch_block4_t;

typedef struct {
    u_char      address[16];
    ngx_uint_t  bits;
} ngx_azora_fetch_block6_t;


static ngx_uint_t ngx_azora_fetch_public4(uint32_t address);
static ngx_uint_t ngx_azora_fetch_public6(const u_char *address);
static uint32_t ngx_azora_fetch_word(const u_char *p);
static ngx_uint_t ngx_azora_fetch_within(const u_char *address,
    const ngx_azora_fetch_block6_t *block);


static const ngx_azora_fetch_block4_t  ngx_azora_fetch_closed4[] = {
    { 0x00000000, 8 },      /* 0.0.0.0/8: this host */
    { 0x0a000000, 8 },      /* 10.0.0.0/8: private */
    { 0x64400000, 10 },     /* 100.64.0.0/10: behind a carrier's NAT */
    { 0x7f000000, 8 },      /* 127.0.0.0/8: loopback */
    { 0xa9fe0000, 16 },     /* 169.254.0.0/16: link-local, cloud metadata */
    { 0xac100000, 12 },     /* 172.16.0.0/12: private */
    { 0xc0000000, 24 },     /* 192.0.0.0/24: protocol assignments */
    { 0xc0000200, 24 },     /* 192.0.2.0/24: documentation */
    { 0xc0586300, 24 },     /* 192.88.99.0/24: 6to4 relays */
    { 0xc0a80000, 16 },     /* 192.168.0.0/16: private */
    { 0xc6120000, 15 },     /* 198.18.0.0/15: benchmarks */
    { 0xc6336400, 24 },     /* 198.51.100.0/24: documentation */
    { 0xcb007100, 24 },     /* 203.0.113.0/24: documentation */
    { 0xe0000000, 3 },      /* 224.0.0.0/3: multicast, reserved, broadcast */
    { 0, 0 }
};


/* within 2000::/3; nothing outside of it is public */

static const ngx_azora_fetch_block6_t  ngx_azora_fetch_closed6[] = {
    { { 0x20, 0x01 }, 23 },                 /* Teredo, ORCHID, benchmarks */
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32 },     /* documentation */
    { { 0x20, 0x02 }, 16 },                 /* 6to4: holds any IPv4 address */
    { { 0x3f, 0xff }, 20 },                 /* documentation */
    { { 0 }, 0 }
};

static const ngx_azora_fetch_block6_t  ngx_azora_fetch_global6 = {
    { 0x20 }, 3
};

/* these hold an IPv4 address at their end */

static const ngx_azora_fetch_block6_t  ngx_azora_fetch_mapped = {
    { [10] = 0xff, [11] = 0xff }, 96
};

static const ngx_azora_fetch_block6_t  ngx_azora_fetch_nat64 = {
    { 0x00, 0x64, 0xff, 0x9b }, 96
};


ngx_uint_t
ngx_azora_fetch_public(const struct sockaddr *sa)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) sa;
        return ngx_azora_fetch_public4(ntohl(sin->sin_addr.s_addr));

    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) sa;
        return ngx_azora_fetch_public6(sin6->sin6_addr.s6_addr);

    default:
        return 0;
    }
}


static ngx_uint_t
ngx_azora_fetch_public4(uint32_t address)
{
    const ngx_azora_fetch_block4_t  *block;

    for (block = ngx_azora_fetch_closed4; block->bits; block++) {
        if ((address ^ block->address) >> (32 - block->bits) == 0) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_azora_fetch_public6(const u_char *address)
{
    const ngx_azora_fetch_block6_t  *block;

    if (ngx_azora_fetch_within(address, &ngx_azora_fetch_mapped)
        || ngx_azora_fetch_within(address, &ngx_azora_fetch_nat64))
    {
        return ngx_azora_fetch_public4(ngx_azora_fetch_word(address + 12));
    }

    if (!ngx_azora_fetch_within(address, &ngx_azora_fetch_global6)) {
        return 0;
    }

    for (block = ngx_azora_fetch_closed6; block->bits; block++) {
        if (ngx_azora_fetch_within(address, block)) {
            return 0;
        }
    }

    return 1;
}


static uint32_t
ngx_azora_fetch_word(const u_char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


static ngx_uint_t
ngx_azora_fetch_within(const u_char *address,
    const ngx_azora_fetch_block6_t *block)
{
    ngx_uint_t  bytes, rest;

    bytes = block->bits / 8;
    rest = block->bits % 8;

    if (ngx_memcmp(address, block->address, bytes) != 0) {
        return 0;
    }

    return rest == 0
           || ((address[bytes] ^ block->address[bytes]) >> (8 - rest)) == 0;
}
