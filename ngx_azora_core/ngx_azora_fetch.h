
/*
 * What the files of the outgoing client share: one structure per call, and
 * libcurl behind four functions.
 */


#ifndef _NGX_AZORA_FETCH_H_INCLUDED_
#define _NGX_AZORA_FETCH_H_INCLUDED_


#include "ngx_azora_private.h"
#include <curl/curl.h>


/* the head of an answer, all its lines together */
#define NGX_AZORA_FETCH_HEAD_MAX    16384


struct ngx_azora_fetch_s {
    ngx_queue_t                queue;        /* waiting, or running */
    ngx_pool_t                *pool;
    ngx_event_t                timer;        /* the whole call's deadline */
    ngx_azora_fetch_pt         handler;
    void                      *data;

    char                      *method;
    char                      *url;
    char                      *user;         /* mail: NULL without login */
    char                      *password;
    char                      *from;
    struct curl_slist         *list;         /* headers; mail: recipients */
    ngx_str_t                  payload;      /* body or message */
    size_t                     sent;
    ngx_msec_t                 connect_timeout;
    size_t                     response_max;
    ngx_uint_t                 flags;

    CURL                      *easy;         /* while it runs */
    ngx_event_t                nudge;
    ngx_str_t                  head;
    ngx_str_t                  body;
    size_t                     body_size;    /* allocated */

    ngx_azora_fetch_status_e   status;
    ngx_uint_t                 code;
    char                       reason[CURL_ERROR_SIZE];

    unsigned                   mail:1;
    unsigned                   running:1;
    unsigned                   forbidden:1;  /* an address was */
    unsigned                   large:1;      /* the answer was */
};


/* ngx_azora_fetch.c */
/* ends a call: takes it out of libcurl, tells its asker and frees it */
void ngx_azora_fetch_finish(ngx_azora_fetch_t *fetch,
    ngx_azora_fetch_status_e status);

/* ngx_azora_fetch_curl.c: NGX_ERROR: fetch->status and ->reason say why */
ngx_int_t ngx_azora_fetch_curl_start(ngx_azora_fetch_t *fetch);
/* takes the answer's code, then lets go of it; any number of times */
void ngx_azora_fetch_curl_stop(ngx_azora_fetch_t *fetch);
void ngx_azora_fetch_curl_exit(void);
/*
 * fd is a new socket.  If one of that number is still watched it was closed
 * unseen: libcurl takes the two for one, so the new one inherits the watch.
 */
void ngx_azora_fetch_curl_opened(curl_socket_t fd);

/* ngx_azora_fetch_easy.c: one call as libcurl wants to hear it; NULL: out of
   memory or of libcurl's features */
CURL *ngx_azora_fetch_easy(ngx_azora_fetch_t *fetch);
/* what an ended transfer was */
ngx_azora_fetch_status_e ngx_azora_fetch_outcome(ngx_azora_fetch_t *fetch,
    CURLcode rc);

/* ngx_azora_fetch_address.c: whether a stranger's URL may lead there */
ngx_uint_t ngx_azora_fetch_public(const struct sockaddr *sa);


#endif /* _NGX_AZORA_FETCH_H_INCLUDED_ */
