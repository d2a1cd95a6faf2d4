
/*
 * The row of the constitution capability.
 */


#include "ngx_http_azora_constitution.h"


static const ngx_azora_field_t  ngx_http_azora_constitution_principle[] = {
    { "name", NGX_AZORA_TEXT, .about = "What articles refer to." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "text", NGX_AZORA_TEXT, .about = "What it says." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_constitution_article[] = {
    { "number", NGX_AZORA_TEXT, .about = "In Roman numerals." },
    { "title", NGX_AZORA_TEXT, .about = "Its title." },
    { "principle", NGX_AZORA_TEXT, .about = "The principle it rests on." },
    { "text", NGX_AZORA_TEXT, .about = "What it says." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_constitution_rule[] = {
    { "id", NGX_AZORA_TEXT, .about = "Its name." },
    { "version", NGX_AZORA_INTEGER, .about = "Counted from 1." },
    { "article", NGX_AZORA_TEXT, .about = "The article it enforces." },
    { "effect", NGX_AZORA_ENUM, .values = "flag|review|deny",
      .about = "What it does when it matches." },
    { "shadow", NGX_AZORA_BOOLEAN, .about = "Recorded, without effect." },
    { "routes", NGX_AZORA_LIST, .about = "Endpoints it looks at." },
    { "pointers", NGX_AZORA_LIST, .about = "Fields it reads." },
    { "pattern", NGX_AZORA_TEXT, .about = "The regular expression." },
    { "reason", NGX_AZORA_TEXT, .about = "What the person is told." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_constitution_returns[] = {
    { "hash", NGX_AZORA_TEXT, .about = "Names this very text." },
    { "principles", NGX_AZORA_LIST,
      .items = ngx_http_azora_constitution_principle,
      .about = "What all articles rest on." },
    { "articles", NGX_AZORA_LIST,
      .items = ngx_http_azora_constitution_article,
      .about = "The articles in order." },
    { "rules", NGX_AZORA_LIST, .items = ngx_http_azora_constitution_rule,
      .about = "The enacted rules." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_constitution_rows[] = {

    { NGX_HTTP_GET, "/v1/constitution", NGX_AZORA_PUBLIC,
      .returns = ngx_http_azora_constitution_returns,
      .function = "court.constitution",
      .summary = "Read the constitution and the rules in force",
      .version = "constitution",
      .cache = 600 },

    NGX_AZORA_ROWS_END
};
