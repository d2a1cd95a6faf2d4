
/*
 * The PostgreSQL client's configuration: array literals that PostgreSQL reads
 * back as they were, and connection strings that never need a name server.
 */


#include "ngx_azora_test.h"
#include "ngx_azora_pg.h"


static void
is_text(const char *got, const char *expected, const char *name)
{
    ngx_str_t  text;

    text.data = (u_char *) got;
    text.len = strlen(got);

    is_str(&text, expected, name);
}


static void
test_literals(ngx_conf_t *cf)
{
    ngx_str_t  literal;

    static const ngx_str_t  items[] = {
        ngx_string("plain"),
        ngx_string(""),
        ngx_null_string,
        ngx_string("a \"quoted\" \\ one"),
        ngx_string("{1,2}"),
        ngx_string("NULL"),
        ngx_string("\xc3\xa4")
    };

    literal = ngx_azora_array_literal(cf->pool, items, 0);
    is_str(&literal, "{}", "no items");

    literal = ngx_azora_array_literal(cf->pool, items, 7);
    is_str(&literal,
           "{\"plain\",\"\",NULL,\"a \\\"quoted\\\" \\\\ one\",\"{1,2}\","
           "\"NULL\",\"\xc3\xa4\"}",
           "everything is quoted but NULL");
}


static ngx_azora_pg_target_t *
parse(ngx_conf_t *cf, const char *conninfo)
{
    ngx_azora_pg_conf_t  conf;

    ngx_memzero(&conf, sizeof(ngx_azora_pg_conf_t));
    conf.conninfo.data = (u_char *) conninfo;
    conf.conninfo.len = strlen(conninfo);

    return (ngx_azora_pg_conninfo(cf, &conf) == NGX_CONF_OK) ? conf.primary
                                                             : NULL;
}


static void
need(ngx_azora_pg_target_t *target, const char *name)
{
    if (!ok(target != NULL, "%s", name)) {
        exit(1);
    }
}


static const char *
param(ngx_azora_pg_target_t *target, const char *keyword)
{
    ngx_uint_t  i;

    for (i = 0; i < target->nparams; i++) {
        if (strcmp(target->keyword[i], keyword) == 0) {
            return target->value[i];
        }
    }

    return "";
}


static void
test_hosts(ngx_conf_t *cf)
{
    ngx_azora_pg_target_t  *t;

    t = parse(cf, "host=/run/a dbname=azora user=u password=p");
    need(t, "a socket");
    is_int(t->nhosts, 1, "is one host");
    is_text(t->hostaddr[0], "", "without an address");
    is_text(param(t, "password"), "p", "the password goes on");
    is_text(param(t, "target_session_attrs"), "", "any server will do");
    is_text(param(t, "gssencmode"), "disable", "GSS stays off");

    t = parse(cf, "postgresql://u@/azora?host=/run/a,127.0.0.1&port=1,2");
    need(t, "a URI with two hosts");
    is_int(t->nhosts, 2, "two hosts");
    is_text(t->host[0], "/run/a", "the first");
    is_text(t->port[0], "1", "with its port");
    is_text(t->hostaddr[1], "127.0.0.1", "the second is resolved");
    is_text(t->port[1], "2", "with its port");
    is_text(param(t, "target_session_attrs"), "read-write",
            "of several the primary");

    t = parse(cf, "host=127.0.0.1,127.0.0.2 port=5433 keepalives_idle=7 "
                  "target_session_attrs=any connect_timeout=9");
    need(t, "a port for all");
    is_text(t->port[1], "5433", "is each one's");
    is_text(param(t, "keepalives_idle"), "7", "what is said wins");
    is_text(param(t, "target_session_attrs"), "any", "here too");
    is_int(t->connect_timeout, 9000, "in milliseconds");
}


static void
test_refused(ngx_conf_t *cf)
{
    ngx_uint_t  i;

    static const char  *bad[] = {
        "host=127.0.0.1 dbname=azora password=two words",
        "host",
        "hots=127.0.0.1",
        "host=a.invalid dbname=azora",
        "host=/a,/b,/c port=1,2",
        "host=127.0.0.1,127.0.0.2 hostaddr=127.0.0.1",
        "service=azora",
        "host=/1,/2,/3,/4,/5,/6,/7,/8,/9,/10,/11,/12,/13,/14,/15,/16,/17",
        NULL
    };

    for (i = 0; bad[i]; i++) {
        ok(parse(cf, bad[i]) == NULL, "refused: %s", bad[i]);
    }
}


static void
ngx_azora_test_run(ngx_conf_t *cf)
{
    test_literals(cf);
    test_hosts(cf);
    test_refused(cf);
}
