
/*
 * Courses: a catalogue, enrolment, progress and quizzes that pay a reward.
 */


#include "ngx_azora.h"


extern const ngx_azora_row_t  ngx_http_azora_course_rows[];


static const ngx_azora_capability_t  ngx_http_azora_course = {
    .abi = NGX_AZORA_ABI,
    .name = "course",
    .rows = ngx_http_azora_course_rows,
    .about = "Courses, lessons, progress and quizzes."
};


NGX_AZORA_MODULE(ngx_http_azora_course_module, ngx_http_azora_course);
