
/*
 * The rows of the escrow capability.  Who may act on a contract depends on
 * the contract, so SQL decides it; the rows ask only for the scope.
 */


#include "ngx_azora.h"


/* jobs */

static const ngx_azora_field_t  ngx_http_azora_escrow_post_fields[] = {
    { "title", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 200,
      .about = "What is to be done, in a line." },
    { "description", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 10000,
      .about = "What is to be done, in full." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What it is paid in." },
    { "budget", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "What it pays, in major units." },
    { "skills", NGX_AZORA_LIST, 0, 0, 20,
      .about = "Names of the skills it asks for." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_job[] = {
    { "id", NGX_AZORA_UUID, .about = "The job." },
    { "owner", NGX_AZORA_UUID, .about = "Who offers it." },
    { "title", NGX_AZORA_TEXT, .about = "What is to be done, in a line." },
    { "description", NGX_AZORA_TEXT, .about = "The same in full." },
    { "currency", NGX_AZORA_CURRENCY, .about = "What it is paid in." },
    { "budget", NGX_AZORA_AMOUNT, .about = "What it pays." },
    { "skills", NGX_AZORA_LIST, .about = "Skills it asks for." },
    { "state", NGX_AZORA_TEXT, .about = "Whether it is still open." },
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_listed[] = {
    { "id", NGX_AZORA_UUID, .about = "The job." },
    { "title", NGX_AZORA_TEXT, .about = "What is to be done, in a line." },
    { "currency", NGX_AZORA_CURRENCY, .about = "What it is paid in." },
    { "budget", NGX_AZORA_AMOUNT, .about = "What it pays." },
    { "skills", NGX_AZORA_LIST, .about = "Skills it asks for." },
    { "created_at", NGX_AZORA_TIME, .about = "Since when." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_list_fields[] = {
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_jobs[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_escrow_listed,
      .about = "Open jobs, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_job_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The job." },
    NGX_AZORA_END
};


/* applications */

static const ngx_azora_field_t  ngx_http_azora_escrow_apply_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The job." },
    { "message", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 4000,
      .about = "What the applicant says to the owner." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_application[] = {
    { "id", NGX_AZORA_UUID, .about = "The application." },
    { "job", NGX_AZORA_UUID, .about = "The job." },
    { "applicant", NGX_AZORA_UUID, .about = "Who applied." },
    { "state", NGX_AZORA_TEXT, .about = "What became of it." },
    { "message", NGX_AZORA_TEXT, .about = "What they say." },
    { "created_at", NGX_AZORA_TIME, .about = "When they applied." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_applicants_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The job." },
    NGX_AZORA_PAGE,
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_applications[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_escrow_application,
      .about = "Applications for the job." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


/* contracts */

static const ngx_azora_field_t  ngx_http_azora_escrow_milestone_fields[] = {
    { "title", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 200,
      .about = "What is delivered." },
    { "amount", NGX_AZORA_AMOUNT, NGX_AZORA_REQUIRED,
      .about = "What it pays, in major units." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_offer_fields[] = {
    { "freelancer", NGX_AZORA_ADDRESS, NGX_AZORA_REQUIRED,
      .about = "Who shall do the work." },
    { "title", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 200,
      .about = "What the contract is about." },
    { "currency", NGX_AZORA_CURRENCY, NGX_AZORA_REQUIRED,
      .about = "What it is paid in." },
    { "milestones", NGX_AZORA_LIST, NGX_AZORA_REQUIRED, 1, 20,
      .items = ngx_http_azora_escrow_milestone_fields,
      .about = "The parts that are delivered and paid one by one." },
    { "job", NGX_AZORA_UUID, .about = "The job it came from, if any." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_milestone[] = {
    { "id", NGX_AZORA_UUID, .about = "The milestone." },
    { "number", NGX_AZORA_INTEGER, .about = "Its place in the contract." },
    { "title", NGX_AZORA_TEXT, .about = "What is delivered." },
    { "amount", NGX_AZORA_AMOUNT, .about = "What it pays." },
    { "state", NGX_AZORA_TEXT, .about = "Where it stands." },
    { "review_until", NGX_AZORA_TIME, NGX_AZORA_NULLABLE,
      .about = "Until when the employer may review a delivery." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_contract[] = {
    { "id", NGX_AZORA_UUID, .about = "The contract." },
    { "state", NGX_AZORA_ENUM,
      .values = "draft|agreed|active|completed|cancelled",
      .about = "Where it stands." },
    { "title", NGX_AZORA_TEXT, .about = "What it is about." },
    { "employer", NGX_AZORA_UUID, .about = "Who pays." },
    { "freelancer", NGX_AZORA_UUID, .about = "Who does the work." },
    { "job", NGX_AZORA_UUID, NGX_AZORA_NULLABLE,
      .about = "The job it came from." },
    { "currency", NGX_AZORA_CURRENCY, .about = "What it is paid in." },
    { "fee_bps", NGX_AZORA_INTEGER,
      .about = "The marketplace's part in 1/10000, fixed when agreed." },
    { "milestones", NGX_AZORA_LIST, .items = ngx_http_azora_escrow_milestone,
      .about = "Its parts in order." },
    { "created_at", NGX_AZORA_TIME, .about = "When it was offered." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_contract_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The contract." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_contracts[] = {
    { "items", NGX_AZORA_LIST, .items = ngx_http_azora_escrow_contract,
      .about = "Contracts one is a party of, newest first." },
    { "next", NGX_AZORA_TEXT, NGX_AZORA_NULLABLE,
      .about = "Cursor of the next page." },
    NGX_AZORA_END
};


/* milestones */

static const ngx_azora_field_t  ngx_http_azora_escrow_step_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The milestone." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_submit_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The milestone." },
    { "note", NGX_AZORA_TEXT, 0, 0, 4000,
      .about = "What the freelancer says about the delivery." },
    NGX_AZORA_END
};

static const ngx_azora_field_t  ngx_http_azora_escrow_changes_fields[] = {
    { "id", NGX_AZORA_UUID, NGX_AZORA_REQUIRED|NGX_AZORA_IN_PATH,
      .about = "The milestone." },
    { "note", NGX_AZORA_TEXT, NGX_AZORA_REQUIRED, 1, 4000,
      .about = "What the employer wants changed." },
    NGX_AZORA_END
};


const ngx_azora_row_t  ngx_http_azora_escrow_rows[] = {

    { NGX_HTTP_POST, "/v1/jobs",
      NGX_AZORA_USER|NGX_AZORA_KEY|NGX_AZORA_POLICY, "market:write",
      .fields = ngx_http_azora_escrow_post_fields,
      .returns = ngx_http_azora_escrow_job,
      .function = "market.post_job",
      .summary = "Offer a job" },

    { NGX_HTTP_GET, "/v1/jobs", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_escrow_list_fields,
      .returns = ngx_http_azora_escrow_jobs,
      .function = "market.list_jobs",
      .summary = "List the open jobs" },

    { NGX_HTTP_GET, "/v1/jobs/{id}", NGX_AZORA_PUBLIC,
      .fields = ngx_http_azora_escrow_job_fields,
      .returns = ngx_http_azora_escrow_job,
      .function = "market.get_job",
      .summary = "Show a job" },

    { NGX_HTTP_POST, "/v1/jobs/{id}/applications",
      NGX_AZORA_USER|NGX_AZORA_KEY, "market:write",
      .fields = ngx_http_azora_escrow_apply_fields,
      .returns = ngx_http_azora_escrow_application,
      .function = "market.apply",
      .summary = "Apply for a job" },

    { NGX_HTTP_GET, "/v1/jobs/{id}/applications", NGX_AZORA_USER,
      "market:read",
      .fields = ngx_http_azora_escrow_applicants_fields,
      .returns = ngx_http_azora_escrow_applications,
      .function = "market.list_applications",
      .summary = "List the applications for one's own job" },

    { NGX_HTTP_POST, "/v1/contracts",
      NGX_AZORA_USER|NGX_AZORA_KEY|NGX_AZORA_POLICY, "market:write",
      .fields = ngx_http_azora_escrow_offer_fields,
      .returns = ngx_http_azora_escrow_contract,
      .function = "market.offer_contract",
      .summary = "Offer a contract with its milestones" },

    { NGX_HTTP_GET, "/v1/contracts", NGX_AZORA_USER, "market:read",
      .fields = ngx_http_azora_escrow_list_fields,
      .returns = ngx_http_azora_escrow_contracts,
      .function = "market.list_contracts",
      .summary = "List one's own contracts" },

    { NGX_HTTP_GET, "/v1/contracts/{id}", NGX_AZORA_USER, "market:read",
      .fields = ngx_http_azora_escrow_contract_fields,
      .returns = ngx_http_azora_escrow_contract,
      .function = "market.get_contract",
      .summary = "Show a contract to its parties" },

    { NGX_HTTP_POST, "/v1/contracts/{id}/acceptance",
      NGX_AZORA_USER|NGX_AZORA_KEY, "market:write",
      .fields = ngx_http_azora_escrow_contract_fields,
      .returns = ngx_http_azora_escrow_contract,
      .function = "market.accept_contract",
      .summary = "Accept a contract as its freelancer" },

    { NGX_HTTP_POST, "/v1/milestones/{id}/funding",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "market:write",
      .fields = ngx_http_azora_escrow_step_fields,
      .returns = ngx_http_azora_escrow_milestone,
      .function = "market.fund_milestone",
      .summary = "Put a milestone's money into escrow as its employer" },

    { NGX_HTTP_POST, "/v1/milestones/{id}/submission",
      NGX_AZORA_USER|NGX_AZORA_KEY, "market:write",
      .fields = ngx_http_azora_escrow_submit_fields,
      .returns = ngx_http_azora_escrow_milestone,
      .function = "market.submit_milestone",
      .summary = "Deliver a milestone as its freelancer" },

    { NGX_HTTP_POST, "/v1/milestones/{id}/changes",
      NGX_AZORA_USER|NGX_AZORA_KEY, "market:write",
      .fields = ngx_http_azora_escrow_changes_fields,
      .returns = ngx_http_azora_escrow_milestone,
      .function = "market.request_changes",
      .summary = "Ask for changes to a delivery as its employer" },

    { NGX_HTTP_POST, "/v1/milestones/{id}/release",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "market:write",
      .fields = ngx_http_azora_escrow_step_fields,
      .returns = ngx_http_azora_escrow_milestone,
      .function = "market.release_milestone",
      .summary = "Pay a delivered milestone as its employer" },

    { NGX_HTTP_POST, "/v1/milestones/{id}/refund",
      NGX_AZORA_USER|NGX_AZORA_KEY_REQUIRED, "market:write",
      .fields = ngx_http_azora_escrow_step_fields,
      .returns = ngx_http_azora_escrow_milestone,
      .function = "market.refund_milestone",
      .summary = "Give a milestone's money back as its freelancer" },

    NGX_AZORA_ROWS_END
};
