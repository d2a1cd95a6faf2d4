
/*
 * QR codes: libqrencode finds which modules are dark, here they become one
 * path of an SVG.
 */


#include "ngx_http_azora_auth_factor.h"
#include <qrencode.h>
#include <sodium.h>


#define NGX_HTTP_AZORA_AUTH_QUIET    4     /* modules around, ISO/IEC 18004 */
#define NGX_HTTP_AZORA_AUTH_QR_TEXT  1024  /* bytes */

/* "M177 177h177v1h-177z" */
#define NGX_HTTP_AZORA_AUTH_RUN_MAX  24


static u_char *ngx_http_azora_auth_qr_path(u_char *p, const QRcode *code);
static ngx_uint_t ngx_http_azora_auth_qr_runs(const QRcode *code);


#define ngx_http_azora_auth_qr_dark(code, x, y)                               \
    ((code)->data[(y) * (code)->width + (x)] & 1)


ngx_int_t
ngx_http_azora_auth_qr(ngx_pool_t *pool, const ngx_str_t *text, ngx_str_t *svg)
{
    int      size;
    char     copy[NGX_HTTP_AZORA_AUTH_QR_TEXT + 1];
    u_char  *p;
    QRcode  *code;

    static const char  head[] =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
        "shape-rendering=\"crispEdges\"><path fill=\"#fff\" "
        "d=\"M0 0h%dv%dh-%dz\"/><path d=\"";

    if (text->len > NGX_HTTP_AZORA_AUTH_QR_TEXT) {
        return NGX_ERROR;
    }

    ngx_memcpy(copy, text->data, text->len);
    copy[text->len] = '\0';

    code = QRcode_encodeString8bit(copy, 0, QR_ECLEVEL_M);
    sodium_memzero(copy, sizeof(copy));

    if (code == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, sizeof(head) + 5 * NGX_INT_T_LEN
                          + sizeof("\"/></svg>")
                          + ngx_http_azora_auth_qr_runs(code)
                            * NGX_HTTP_AZORA_AUTH_RUN_MAX);
    if (p == NULL) {
        QRcode_free(code);
        return NGX_ERROR;
    }

    size = code->width + 2 * NGX_HTTP_AZORA_AUTH_QUIET;

    svg->data = p;
    p = ngx_sprintf(p, head, size, size, size, size, size);
    p = ngx_http_azora_auth_qr_path(p, code);
    p = ngx_cpymem(p, "\"/></svg>", sizeof("\"/></svg>") - 1);
    svg->len = p - svg->data;

    QRcode_free(code);

    return NGX_OK;
}


/* Dark modules that follow one another in a row are one rectangle. */

static u_char *
ngx_http_azora_auth_qr_path(u_char *p, const QRcode *code)
{
    int  x, y, from;

    for (y = 0; y < code->width; y++) {

        for (x = 0; x < code->width; x++) {

            if (!ngx_http_azora_auth_qr_dark(code, x, y)) {
                continue;
            }

            from = x;

            while (x < code->width && ngx_http_azora_auth_qr_dark(code, x, y))
            {
                x++;
            }

            p = ngx_sprintf(p, "M%d %dh%dv1h-%dz",
                            from + NGX_HTTP_AZORA_AUTH_QUIET,
                            y + NGX_HTTP_AZORA_AUTH_QUIET, x - from, x - from);
        }
    }

    return p;
}


static ngx_uint_t
ngx_http_azora_auth_qr_runs(const QRcode *code)
{
    int         x, y;
    ngx_uint_t  runs;

    runs = 0;

    for (y = 0; y < code->width; y++) {
        for (x = 0; x < code->width; x++) {

            if (ngx_http_azora_auth_qr_dark(code, x, y)
                && (x == 0 || !ngx_http_azora_auth_qr_dark(code, x - 1, y)))
            {
                runs++;
            }
        }
    }

    return runs;
}
