
/*
 * Connection strings: parsed and resolved when the configuration is read,
 * turned into libpq's keyword arrays when a connection is opened.
 */


#include "ngx_azora_pg.h"
#include <netdb.h>


typedef struct {
    const char  *keyword;
    const char  *value;
} ngx_azora_pg_default_t;


static char *ngx_azora_pg_target(ngx_conf_t *cf, ngx_str_t *conninfo,
    const char *session_attrs, ngx_azora_pg_target_t **target);
static char *ngx_azora_pg_params(ngx_conf_t *cf, PQconninfoOption *options,
    const char *session_attrs, ngx_azora_pg_target_t *target);
static ngx_uint_t ngx_azora_pg_is_own(const char *keyword);
static ngx_int_t ngx_azora_pg_param(ngx_conf_t *cf,
    ngx_azora_pg_target_t *target, const char *keyword, const char *value);
static char *ngx_azora_pg_hosts(ngx_conf_t *cf, PQconninfoOption *options,
    ngx_azora_pg_target_t *target);
static char *ngx_azora_pg_resolve(ngx_conf_t *cf,
    ngx_azora_pg_target_t *target, const char *host, const char *port);
static char *ngx_azora_pg_host(ngx_conf_t *cf, ngx_azora_pg_target_t *target,
    const char *host, const char *hostaddr, const char *port);
static const char *ngx_azora_pg_option(PQconninfoOption *options,
    const char *keyword);
static const char *ngx_azora_pg_copy(ngx_conf_t *cf, const char *text,
    size_t len);
static ngx_uint_t ngx_azora_pg_split(ngx_conf_t *cf, const char *list,
    const char **items);
static void ngx_azora_pg_join(char *dst, const char *const *items,
    ngx_uint_t n, ngx_uint_t first);


/*
 * Used where the connection string says nothing.  GSS would talk to a KDC
 * without asking the event loop; a dead peer is noticed by keepalives when
 * no deadline notices it first.
 */

static const ngx_azora_pg_default_t  ngx_azora_pg_defaults[] = {
    { "client_encoding", "UTF8" },
    { "gssencmode", "disable" },
    { "keepalives_idle", "30" },
    { "keepalives_interval", "5" },
    { "keepalives_count", "3" },
    { NULL, NULL }
};


/*
 * Parses conf->conninfo and conf->read_conninfo and resolves their hosts.
 * Messages never repeat a piece of the string: it may hold a password.
 */

char *
ngx_azora_pg_conninfo(ngx_conf_t *cf, ngx_azora_pg_conf_t *conf)
{
    char  *rv;

    conf->primary = NULL;
    conf->replicas = NULL;

    if (conf->conninfo.len) {
        rv = ngx_azora_pg_target(cf, &conf->conninfo, "read-write",
                                 &conf->primary);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (conf->read_conninfo.len) {

        if (conf->primary == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"azora_postgres_replicas\" needs "
                               "\"azora_postgres\"");
            return NGX_CONF_ERROR;
        }

        return ngx_azora_pg_target(cf, &conf->read_conninfo, "prefer-standby",
                                   &conf->replicas);
    }

    return NGX_CONF_OK;
}


static char *
ngx_azora_pg_target(ngx_conf_t *cf, ngx_str_t *conninfo,
    const char *session_attrs, ngx_azora_pg_target_t **target)
{
    char                   *rv, *error;
    const char             *text;
    PQconninfoOption       *options;
    ngx_azora_pg_target_t  *t;

    t = ngx_pcalloc(cf->pool, sizeof(ngx_azora_pg_target_t));
    text = ngx_azora_pg_copy(cf, (const char *) conninfo->data,
                             conninfo->len);

    if (t == NULL || text == NULL) {
        return NGX_CONF_ERROR;
    }

    error = NULL;
    options = PQconninfoParse(text, &error);

    if (options == NULL) {
        PQfreemem(error);
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid PostgreSQL connection string: use "
                           "libpq's keywords, as in \"host=/run/postgresql "
                           "dbname=azora user=azora_app\", or its URI form, "
                           "and quote values that hold blanks");
        return NGX_CONF_ERROR;
    }

    rv = ngx_azora_pg_hosts(cf, options, t);

    if (rv == NGX_CONF_OK) {
        rv = ngx_azora_pg_params(cf, options, session_attrs, t);
    }

    PQconninfoFree(options);

    *target = t;

    return rv;
}


static char *
ngx_azora_pg_params(ngx_conf_t *cf, PQconninfoOption *options,
    const char *session_attrs, ngx_azora_pg_target_t *target)
{
    int                            seconds;
    const char                    *value;
    PQconninfoOption              *o;
    const ngx_azora_pg_default_t  *d;

    if (ngx_azora_pg_option(options, "service")) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"service\" is not supported in a PostgreSQL "
                           "connection string: name the hosts, because "
                           "they are resolved when the configuration is "
                           "read");
        return NGX_CONF_ERROR;
    }

    value = ngx_azora_pg_option(options, "options");
    target->options = value ? ngx_azora_pg_copy(cf, value, strlen(value)) : "";
    if (target->options == NULL) {
        return NGX_CONF_ERROR;
    }

    if (strlen(target->options) > NGX_AZORA_PG_OPTIONS_LEN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"options\" of a PostgreSQL connection string "
                           "is too long");
        return NGX_CONF_ERROR;
    }

    value = ngx_azora_pg_option(options, "connect_timeout");
    seconds = value ? ngx_atoi((u_char *) value, strlen(value)) : 0;
    target->connect_timeout = (seconds > 0 && seconds < 3600)
                              ? (ngx_msec_t) seconds * 1000
                              : NGX_AZORA_PG_CONNECT_MS;

    for (o = options; o->keyword; o++) {
        if (o->val && *o->val && !ngx_azora_pg_is_own(o->keyword)
            && ngx_azora_pg_param(cf, target, o->keyword, o->val) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    for (d = ngx_azora_pg_defaults; d->keyword; d++) {
        if (ngx_azora_pg_option(options, d->keyword) == NULL
            && ngx_azora_pg_param(cf, target, d->keyword, d->value) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    if (target->nhosts > 1
        && ngx_azora_pg_option(options, "target_session_attrs") == NULL
        && ngx_azora_pg_param(cf, target, "target_session_attrs",
                              session_attrs)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* What ngx_azora_pg_start() says itself, or nobody may say. */

static ngx_uint_t
ngx_azora_pg_is_own(const char *keyword)
{
    ngx_uint_t  i;

    static const char  *own[] = { "host", "hostaddr", "port", "options",
                                  "connect_timeout", "application_name",
                                  "replication", NULL };

    for (i = 0; own[i]; i++) {
        if (strcmp(own[i], keyword) == 0) {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_azora_pg_param(ngx_conf_t *cf, ngx_azora_pg_target_t *target,
    const char *keyword, const char *value)
{
    if (target->nparams == NGX_AZORA_PG_PARAMS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "too many keywords in a PostgreSQL connection "
                           "string");
        return NGX_ERROR;
    }

    keyword = ngx_azora_pg_copy(cf, keyword, strlen(keyword));
    value = ngx_azora_pg_copy(cf, value, strlen(value));

    if (keyword == NULL || value == NULL) {
        return NGX_ERROR;
    }

    target->keyword[target->nparams] = keyword;
    target->value[target->nparams++] = value;

    return NGX_OK;
}


static char *
ngx_azora_pg_hosts(ngx_conf_t *cf, PQconninfoOption *options,
    ngx_azora_pg_target_t *target)
{
    char        *rv;
    const char  *host[NGX_AZORA_PG_HOSTS_MAX];
    const char  *addr[NGX_AZORA_PG_HOSTS_MAX];
    const char  *port[NGX_AZORA_PG_HOSTS_MAX];
    ngx_uint_t   i, n, nhosts, naddrs, nports;

    nhosts = ngx_azora_pg_split(cf, ngx_azora_pg_option(options, "host"),
                                host);
    naddrs = ngx_azora_pg_split(cf, ngx_azora_pg_option(options, "hostaddr"),
                                addr);
    nports = ngx_azora_pg_split(cf, ngx_azora_pg_option(options, "port"),
                                port);

    if (nhosts == NGX_AZORA_NONE || naddrs == NGX_AZORA_NONE
        || nports == NGX_AZORA_NONE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "more than %d hosts in a PostgreSQL connection "
                           "string, or out of memory",
                           NGX_AZORA_PG_HOSTS_MAX);
        return NGX_CONF_ERROR;
    }

    n = ngx_max(ngx_max(nhosts, naddrs), 1);

    if ((nhosts && naddrs && nhosts != naddrs)
        || (nports > 1 && nports != n))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the numbers of hosts, addresses and ports in a "
                           "PostgreSQL connection string do not match");
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < n; i++) {
        const char  *h = nhosts ? host[i] : "";
        const char  *a = naddrs ? addr[i] : "";
        const char  *p = nports ? port[nports > 1 ? i : 0] : "";

        if (*a || *h == '\0' || *h == '/' || *h == '@') {
            rv = ngx_azora_pg_host(cf, target, h, a, p);

        } else {
            rv = ngx_azora_pg_resolve(cf, target, h, p);
        }

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_azora_pg_resolve(ngx_conf_t *cf, ngx_azora_pg_target_t *target,
    const char *host, const char *port)
{
    int               rc;
    char             *rv, text[INET6_ADDRSTRLEN + 1];
    const char       *addr;
    struct addrinfo  *list, *ai, hints;

    ngx_memzero(&hints, sizeof(struct addrinfo));
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
#ifdef AI_ADDRCONFIG
    hints.ai_flags = AI_ADDRCONFIG;
#endif

    rc = getaddrinfo(host, NULL, &hints, &list);

    if (rc == EAI_NONAME) {
        /* a machine whose only interface is the loopback one */
        hints.ai_flags = 0;
        rc = getaddrinfo(host, NULL, &hints, &list);
    }

    if (rc != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "PostgreSQL host \"%s\" not found: %s", host,
                           gai_strerror(rc));
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_OK;

    for (ai = list; ai && rv == NGX_CONF_OK; ai = ai->ai_next) {

        if (getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text),
                        NULL, 0, NI_NUMERICHOST)
            != 0)
        {
            continue;
        }

        addr = ngx_azora_pg_copy(cf, text, strlen(text));
        rv = addr ? ngx_azora_pg_host(cf, target, host, addr, port)
                  : NGX_CONF_ERROR;
    }

    freeaddrinfo(list);

    return rv;
}


static char *
ngx_azora_pg_host(ngx_conf_t *cf, ngx_azora_pg_target_t *target,
    const char *host, const char *hostaddr, const char *port)
{
    ngx_uint_t  n;

    n = target->nhosts;

    if (n == NGX_AZORA_PG_HOSTS_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the hosts of a PostgreSQL connection string have "
                           "more than %d addresses", NGX_AZORA_PG_HOSTS_MAX);
        return NGX_CONF_ERROR;
    }

    if (strlen(host) > NGX_AZORA_PG_HOST_LEN
        || strlen(hostaddr) > NGX_AZORA_PG_ADDR_LEN
        || strlen(port) > NGX_AZORA_PG_PORT_LEN)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "a host, address or port of a PostgreSQL "
                           "connection string is too long");
        return NGX_CONF_ERROR;
    }

    host = ngx_azora_pg_copy(cf, host, strlen(host));
    if (host == NULL) {
        return NGX_CONF_ERROR;
    }

    target->host[n] = host;
    target->hostaddr[n] = hostaddr;
    target->port[n] = port;
    target->nhosts = n + 1;

    return NGX_CONF_OK;
}


static const char *
ngx_azora_pg_option(PQconninfoOption *options, const char *keyword)
{
    PQconninfoOption  *o;

    for (o = options; o->keyword; o++) {
        if (strcmp(o->keyword, keyword) == 0) {
            return (o->val && *o->val) ? o->val : NULL;
        }
    }

    return NULL;
}


static const char *
ngx_azora_pg_copy(ngx_conf_t *cf, const char *text, size_t len)
{
    char  *copy;

    copy = ngx_pnalloc(cf->pool, len + 1);
    if (copy == NULL) {
        return NULL;
    }

    ngx_memcpy(copy, text, len);
    copy[len] = '\0';

    return copy;
}


/* Copies a comma-separated list's items; NGX_AZORA_NONE: it does not fit. */

static ngx_uint_t
ngx_azora_pg_split(ngx_conf_t *cf, const char *list, const char **items)
{
    size_t      len;
    ngx_uint_t  n;

    if (list == NULL) {
        return 0;
    }

    for (n = 0; n < NGX_AZORA_PG_HOSTS_MAX; n++) {

        len = strcspn(list, ",");

        items[n] = ngx_azora_pg_copy(cf, list, len);
        if (items[n] == NULL) {
            return NGX_AZORA_NONE;
        }

        if (list[len] == '\0') {
            return n + 1;
        }

        list += len + 1;
    }

    return NGX_AZORA_NONE;
}


PGconn *
ngx_azora_pg_start(const ngx_azora_pg_target_t *target,
    const char *application, ngx_msec_t statement_timeout, ngx_uint_t attempt)
{
    char         host[NGX_AZORA_PG_HOSTS_MAX * (NGX_AZORA_PG_HOST_LEN + 1)];
    char         addr[NGX_AZORA_PG_HOSTS_MAX * (NGX_AZORA_PG_ADDR_LEN + 1)];
    char         port[NGX_AZORA_PG_HOSTS_MAX * (NGX_AZORA_PG_PORT_LEN + 1)];
    char         options[NGX_AZORA_PG_OPTIONS_LEN + 256];
    ngx_uint_t   i, n, first;
    const char  *keyword[NGX_AZORA_PG_PARAMS_MAX + 6];
    const char  *value[NGX_AZORA_PG_PARAMS_MAX + 6];

    for (n = 0; n < target->nparams; n++) {
        keyword[n] = target->keyword[n];
        value[n] = target->value[n];
    }

    first = attempt % target->nhosts;

    ngx_azora_pg_join(host, target->host, target->nhosts, first);
    ngx_azora_pg_join(addr, target->hostaddr, target->nhosts, first);
    ngx_azora_pg_join(port, target->port, target->nhosts, first);

    /*
     * The administrator's options come last and win.  Compiling a statement
     * just in time costs more than a lookup by key ever gains from it.
     */

    (void) snprintf(options, sizeof(options),
                    "-c statement_timeout=%lu -c jit=off -c TimeZone=UTC "
                    "-c idle_in_transaction_session_timeout=%lu %s",
                    (unsigned long) statement_timeout,
                    (unsigned long) statement_timeout + 10000,
                    target->options);

    /* a list of nothing but commas means the same as no list */

    for (i = 0; i < 5; i++) {
        static const char  *own[] = { "host", "hostaddr", "port", "options",
                                      "application_name" };
        const char         *text[] = { host, addr, port, options,
                                       application };

        if (text[i][strspn(text[i], ",")] != '\0') {
            keyword[n] = own[i];
            value[n++] = text[i];
        }
    }

    keyword[n] = NULL;
    value[n] = NULL;

    return PQconnectStartParams(keyword, value, 0);
}


/* The buffers hold the longest list the configuration let pass. */

static void
ngx_azora_pg_join(char *dst, const char *const *items, ngx_uint_t n,
    ngx_uint_t first)
{
    size_t       len;
    ngx_uint_t   i;
    const char  *item;

    for (i = 0; i < n; i++) {

        if (i) {
            *dst++ = ',';
        }

        item = items[(first + i) % n];
        len = strlen(item);

        ngx_memcpy(dst, item, len);
        dst += len;
    }

    *dst = '\0';
}
