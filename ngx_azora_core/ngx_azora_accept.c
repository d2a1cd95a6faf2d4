
/*
 * How many connections one address may have in a worker, from the moment they
 * are accepted: limit_conn counts a connection when the header of a request
 * was read, which is what those that hold connections open never let happen.
 *
 * An address is counted only while it has connections, in the worker's own
 * memory; there can be no more addresses than worker_connections.
 */


#include "ngx_azora_private.h"


typedef struct {
    ngx_str_node_t             sn;
    ngx_uint_t                 count;
    ngx_uint_t                 told;         /* it was logged */
    u_char                     address[16];
} ngx_azora_accept_node_t;


static char *ngx_azora_accept_except(ngx_conf_t *cf,
    ngx_azora_main_conf_t *amcf, ngx_str_t *value);
static void ngx_azora_accept_handler(ngx_connection_t *c);
static ngx_uint_t ngx_azora_accept_excepted(ngx_connection_t *c);
static size_t ngx_azora_accept_address(const struct sockaddr *sockaddr,
    u_char *address);
static ngx_azora_accept_node_t *ngx_azora_accept_node(
    const u_char *address, size_t len);
static void ngx_azora_accept_free(ngx_azora_accept_node_t *node);
static void ngx_azora_accept_closed(void *data);


static ngx_uint_t         ngx_azora_accept_refused;
static ngx_rbtree_t       ngx_azora_accept_tree;
static ngx_rbtree_node_t  ngx_azora_accept_sentinel;


/* azora_connections off | N [except=CIDR] ...; */

char *
ngx_azora_accept_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_azora_main_conf_t *amcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (amcf->connections_except != NULL) {
        return "is duplicate";
    }

    amcf->connections_except = ngx_array_create(cf->pool, 2,
                                                sizeof(ngx_cidr_t));
    if (amcf->connections_except == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        return (cf->args->nelts == 2) ? NGX_CONF_OK : "takes no more";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no number of connections", &value[1]);
        return NGX_CONF_ERROR;
    }

    amcf->connections = n;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_azora_accept_except(cf, amcf, &value[i]) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_azora_accept_except(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf,
    ngx_str_t *value)
{
    ngx_str_t    s;
    ngx_cidr_t  *cidr;

    cidr = ngx_array_push(amcf->connections_except);
    if (cidr == NULL) {
        return NGX_CONF_ERROR;
    }

    s.data = value->data + sizeof("except=") - 1;
    s.len = value->len - (sizeof("except=") - 1);

    if (ngx_strncmp(value->data, "except=", sizeof("except=") - 1) != 0
        || ngx_ptocidr(&s, cidr) == NGX_ERROR)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not except= and a network", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_azora_accept_init(ngx_conf_t *cf, ngx_azora_main_conf_t *amcf)
{
    ngx_azora_accept_refused =
        ngx_azora_metric(cf, NGX_AZORA_COUNTER,
                         "azora_connections_refused_total", NULL,
                         "Connections of addresses that had enough.");

    ngx_rbtree_init(&ngx_azora_accept_tree, &ngx_azora_accept_sentinel,
                    ngx_str_rbtree_insert_value);

    return (ngx_azora_accept_refused == NGX_AZORA_NONE) ? NGX_ERROR : NGX_OK;
}


/* NGINX has no hook for this: its own handler is called by ours. */

void
ngx_azora_accept_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t        i;
    ngx_listening_t  *ls;

    if (ngx_azora_main_conf == NULL || ngx_azora_main_conf->connections == 0) {
        return;
    }

    ls = cycle->listening.elts;

    for (i = 0; i < cycle->listening.nelts; i++) {

#if (NGX_QUIC)
        if (ls[i].quic) {
            continue;
        }
#endif

        if (ls[i].handler == ngx_http_init_connection) {
            ls[i].handler = ngx_azora_accept_handler;
        }
    }
}


static void
ngx_azora_accept_handler(ngx_connection_t *c)
{
    size_t                    len;
    u_char                    address[16];
    ngx_pool_cleanup_t       *cln;
    ngx_azora_accept_node_t  *node, **counted;

    len = ngx_azora_accept_address(c->sockaddr, address);

    if (len == 0 || ngx_azora_accept_excepted(c)) {
        ngx_http_init_connection(c);
        return;
    }

    node = ngx_azora_accept_node(address, len);
    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_azora_accept_node_t *));

    if (node == NULL || cln == NULL) {

        if (node != NULL) {
            ngx_azora_accept_free(node);
        }

        ngx_http_close_connection(c);
        return;
    }

    if (node->count >= ngx_azora_main_conf->connections) {

        if (!node->told) {
            node->told = 1;
            ngx_log_error(NGX_LOG_WARN, c->log, 0,
                          "azora: %V has %ui connections, which is all that "
                          "an address may have in a worker", &c->addr_text,
                          node->count);
        }

        ngx_azora_metric_add(ngx_azora_accept_refused, 1);
        ngx_http_close_connection(c);
        return;
    }

    node->count++;

    counted = cln->data;
    *counted = node;
    cln->handler = ngx_azora_accept_closed;

    ngx_http_init_connection(c);
}


static ngx_uint_t
ngx_azora_accept_excepted(ngx_connection_t *c)
{
    return ngx_cidr_match(c->sockaddr,
                          ngx_azora_main_conf->connections_except)
           == NGX_OK;
}


/*
 * The whole address of IPv4, the first half of IPv6, the rest of which a
 * client chooses itself; 0: a Unix socket.
 */

static size_t
ngx_azora_accept_address(const struct sockaddr *sockaddr, u_char *address)
{
    const struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    const struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) sockaddr;
        ngx_memcpy(address, &sin->sin_addr, 4);
        return 4;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) sockaddr;

        if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
            ngx_memcpy(address, &sin6->sin6_addr.s6_addr[12], 4);
            return 4;
        }

        ngx_memcpy(address, &sin6->sin6_addr, 8);
        return 8;
#endif

    default:
        return 0;
    }
}


static ngx_azora_accept_node_t *
ngx_azora_accept_node(const u_char *address, size_t len)
{
    uint32_t                  hash;
    ngx_str_t                 key;
    ngx_azora_accept_node_t  *node;

    key.data = (u_char *) address;
    key.len = len;
    hash = ngx_murmur_hash2(key.data, len);

    node = (ngx_azora_accept_node_t *)
               ngx_str_rbtree_lookup(&ngx_azora_accept_tree, &key, hash);

    if (node != NULL) {
        return node;
    }

    node = ngx_alloc(sizeof(ngx_azora_accept_node_t), ngx_cycle->log);
    if (node == NULL) {
        return NULL;
    }

    ngx_memcpy(node->address, address, len);
    node->count = 0;
    node->told = 0;
    node->sn.node.key = hash;
    node->sn.str.data = node->address;
    node->sn.str.len = len;

    ngx_rbtree_insert(&ngx_azora_accept_tree, &node->sn.node);

    return node;
}


static void
ngx_azora_accept_free(ngx_azora_accept_node_t *node)
{
    if (node->count == 0) {
        ngx_rbtree_delete(&ngx_azora_accept_tree, &node->sn.node);
        ngx_free(node);
    }
}


static void
ngx_azora_accept_closed(void *data)
{
    ngx_azora_accept_node_t **counted = data;

    (*counted)->count--;

    ngx_azora_accept_free(*counted);
}
