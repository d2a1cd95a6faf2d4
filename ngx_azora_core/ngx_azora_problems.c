
/*
 * The problems' names, titles and explanations, and the page that explains
 * one: what `type` of a problem leads to (RFC 9457, section 3.1.1).
 *
 * t/core/problems.t finds every name raised in C and in SQL here.
 */


#include "ngx_azora_private.h"


#define NGX_AZORA_PROBLEM_PATH  "/problems/"


static ngx_int_t ngx_azora_problem_index(ngx_http_request_t *r);
static ngx_int_t ngx_azora_problem_html(ngx_http_request_t *r,
    const ngx_azora_problem_text_t *text);


/* sorted by name, for people */
static const ngx_azora_problem_text_t  ngx_azora_problem_texts[] = {
    { "account-frozen", "This account is frozen",
      "Money cannot leave or enter a frozen account. Ask support why." },
    { "already-applied", "Already applied",
      "A job takes one application of each person." },
    { "already-replayed", "Already replayed",
      "What was given up begins anew once; a new failure is a new letter." },
    { "already-submitted", "Already submitted",
      "An attempt is submitted once; start another attempt." },
    { "amount-out-of-range", "The amount is out of range",
      "An amount is greater than zero and fits the currency's limits." },
    { "attempt-limit", "No attempts left",
      "The quiz allows a fixed number of attempts." },
    { "authentication-required", "Please log in",
      "Send an access token in the Authorization header: Bearer <token>. "
      "POST /v1/auth/login gives one." },
    { "bad-gateway", "The service behind did not answer properly",
      "Azora passed the request on and got no usable answer. Try again." },
    { "bad-request", "The request cannot be understood",
      "The request is not valid HTTP." },
    { "balance-limit", "The recipient may not hold that much",
      "Limits go with how well a person is known: they can have theirs "
      "raised." },
    { "body-too-large", "The body is too large",
      "The server's configuration bounds the size of a body." },
    { "busy", "Busy at the moment",
      "A queue is full. Wait as long as Retry-After says, then repeat." },
    { "challenge-over", "This login is over",
      "A login waits five minutes and five tries for its code. Log in "
      "again." },
    { "chronicle-off", "This node publishes no log",
      "Ask a node that does, or the operator." },
    { "circuit-open", "The service behind is not asked at the moment",
      "It failed several times in a row and is given time to recover. Wait as "
      "long as Retry-After says." },
    { "common-password", "This password is too common",
      "Attackers try common passwords first. Choose a longer phrase." },
    { "conflict", "The request conflicts with the present state",
      "Read the resource again, then decide." },
    { "constitution-denied", "The constitution forbids this",
      "The answer names the article and the sentence that led to it. "
      "GET /v1/constitution shows the whole text." },
    { "constitution-unavailable", "The constitution is not loaded",
      "No rules are in force at the moment, and without them nothing is "
      "allowed that they would judge. Wait as long as Retry-After says." },
    { "constitution-undecided", "The constitution could not decide",
      "The text took more effort than a decision may cost. Shorten it." },
    { "contract-open", "A contract is not over",
      "Its other party and its money depend on it. Complete it first." },
    { "credit-in-use", "More credit is in use",
      "A credit limit cannot be lower than what was used of it." },
    { "day-limit", "More than may be paid in a day",
      "Limits go with how well you are known. It is a new day at midnight, "
      "UTC." },
    { "email-taken", "This e-mail address is registered",
      "Log in instead." },
    { "event-erased", "The event was erased",
      "What an event told can be erased for good; its number stays." },
    { "forbidden", "Not allowed",
      "You are known, but this is not yours to do." },
    { "gateway-timeout", "The service behind did not answer in time",
      "Azora passed the request on and no answer came in time." },
    { "handle-taken", "Somebody else has this handle",
      "Choose another one." },
    { "headers-too-large", "The headers are too large",
      "The request's headers do not fit the server's buffers." },
    { "http-version-not-supported", "HTTP version not supported",
      "Use HTTP/1.1 or HTTP/2." },
    { "idempotency-conflict", "The Idempotency-Key was used otherwise",
      "The same key came before with other content. A key belongs to one "
      "request: use a fresh one for another." },
    { "idempotency-in-progress", "The first request is still running",
      "A request with this key has not ended yet. Repeat it in a moment." },
    { "idempotency-key-required", "An Idempotency-Key is required",
      "This request moves money. Send a fresh UUID in the Idempotency-Key "
      "header, and the same one when you repeat the request." },
    { "insufficient-funds", "Not enough money",
      "What is available, posted less held, does not cover the amount." },
    { "insufficient-scope", "The token does not allow this",
      "WWW-Authenticate names the scope that is missing." },
    { "internal-error", "Something failed on our side",
      "It is logged under the request id. Nothing was done." },
    { "invalid-credentials", "E-mail address or password is wrong",
      "Both are checked together; which one is wrong is not said." },
    { "invalid-cursor", "The cursor is not valid",
      "A cursor is the `next` of the previous page, unchanged." },
    { "invalid-event-id", "The Last-Event-ID is not valid",
      "It is the id of an event that came before, a number." },
    { "invalid-hold-time", "A hold cannot end at this time",
      "It expires or settles, in the future and within a year." },
    { "invalid-idempotency-key", "The Idempotency-Key is not valid",
      "1 to 255 visible ASCII characters." },
    { "invalid-json", "The body is not valid JSON",
      "The detail says where it went wrong. Bodies are JSON objects in UTF-8 "
      "without repeated members." },
    { "invalid-limit", "The limit is not complete",
      "A number of payments belongs to a time in seconds." },
    { "invalid-milestones", "The milestones are wrong",
      "errors names the milestone and says why." },
    { "invalid-refresh-token", "The refresh token is of no use",
      "It is absent, unknown, expired, or was used before: each is used once. "
      "Log in again." },
    { "invalid-setup-token", "The set-up token is of no use",
      "It is unknown, used, or older than an hour. On the server "
      "`scripts/azora admin` prints another." },
    { "invalid-skills", "The skills are wrong",
      "Skills are short texts, each of them once." },
    { "invalid-split", "The parts are wrong",
      "Parts make 10000, and each is at least the smallest amount." },
    { "invalid-token", "The access token is not valid",
      "It is malformed, expired or revoked. Log in again." },
    { "issuance-limit", "No more may be minted today",
      "Each currency has a limit a day and in total." },
    { "job-closed", "The job is closed",
      "It takes no more applications." },
    { "length-required", "A Content-Length is required",
      "Send the length of the body." },
    { "last-admin", "This is the last admin",
      "Somebody has to be left who can log in and is an admin." },
    { "last-login", "This is the only way to log in",
      "Add another one first: link another provider, or choose a password "
      "with POST /v1/auth/password/forgot." },
    { "lessons-unfinished", "Finish the lessons first",
      "The quiz opens when all lessons of the course are done." },
    { "link-over", "This link is over",
      "A link in a mail works once, within an hour." },
    { "login-linked", "This login belongs to another account",
      "Somebody, maybe you, has an account here that this login opens. "
      "Unlink it there, or log in with it." },
    { "login-refused", "The provider did not log you in",
      "A login at a provider ends in the browser that began it, within ten "
      "minutes. GET /v1/auth/oauth/{provider}/start begins again." },
    { "memo-too-long", "The memo is too long",
      "A memo has at most 280 characters." },
    { "mfa-required", "A code is needed as well",
      "The password is right, and the account has a second factor. Send the "
      "mfa_token of this problem with a code to POST /v1/auth/mfa." },
    { "method-not-allowed", "This address does not know that method",
      "The Allow header lists the methods it knows." },
    { "misdirected-request", "Misdirected request",
      "The server is not meant to answer for this host." },
    { "no-liquidity", "The house has not enough of it",
      "Exchange less, or later." },
    { "no-rate", "No rate at the moment",
      "GET /v1/fx/rates lists what is exchanged for what." },
    { "not-enrolled", "Not enrolled in this course",
      "POST /v1/courses/{slug}/enrolment first." },
    { "no-second-factor", "There is no second factor",
      "POST /v1/auth/totp gives a secret, a first code turns it on." },
    { "not-found", "Not found",
      "There is nothing at this address, or it is not yours to see." },
    { "not-implemented", "Not implemented",
      "The server does not know this method or coding." },
    { "not-published", "Not published yet",
      "An entry is numbered and signed within a second of what it tells." },
    { "not-ready", "Not ready",
      "The node starts, drains, or has lost a dependency; `?verbose` says "
      "which." },
    { "not-reversible", "This movement cannot be given back",
      "Only transfers between people can, and only what they moved." },
    { "origin-not-allowed", "Not from this page",
      "A browser sends the cookie by itself. The Origin header must name this "
      "server, or one that the operator listed." },
    { "outcome-unknown", "The outcome is not known yet",
      "The database did not answer in time. Repeat the request with the same "
      "Idempotency-Key: it takes effect at most once." },
    { "own-account", "This is your own account",
      "Another admin has to do that." },
    { "own-job", "This is your own job",
      "Somebody else applies for it." },
    { "own-proposal", "Somebody else has to decide this",
      "What one administrator proposed another one approves, and nobody "
      "approves what is about themself." },
    { "precondition-failed", "A precondition failed",
      "The resource changed since you read it." },
    { "provider-unavailable", "The provider does not answer",
      "Logging in with it is not possible at the moment. Try again." },
    { "quote-expired", "The quote does not hold any more",
      "Ask for another: rates move." },
    { "range-not-satisfiable", "Range not satisfiable",
      "The requested range lies outside the resource." },
    { "rate-limited", "Too many requests",
      "RateLimit says what is left and when more comes; Retry-After says how "
      "many seconds to wait." },
    { "reauthentication-required", "Please log in again",
      "This needs a login of the last 15 minutes, by both factors where the "
      "account has two. POST /v1/auth/login gives such a token." },
    { "registry-full", "The registry is full",
      "Nodes that are gone can be removed." },
    { "request-timeout", "The request came too slowly",
      "The body did not arrive in time." },
    { "reversal-exceeds", "More than is left of the transfer",
      "What is given back in all is never more than the transfer was." },
    { "same-account", "Sender and recipient are the same",
      "Money moves between two different wallets." },
    { "second-factor-exists", "There is a second factor",
      "DELETE /v1/auth/totp turns it off, then another can be set up." },
    { "second-factor-off", "No second factor on this server",
      "The operator has set no key to keep its secrets under." },
    { "temporarily-unavailable", "Temporarily unavailable",
      "A part of the service is busy or restarting. Nothing was done. Wait "
      "as long as Retry-After says." },
    { "too-many-attempts", "Too many failed attempts",
      "After five failures logging in pauses, a little longer each time." },
    { "too-many-decimals", "Too many decimal places",
      "Each currency has a fixed number of decimal places." },
    { "too-many-streams", "Too many event streams",
      "Each account, and each process of a server, serves a bounded number "
      "at once. Wait as long as Retry-After says, then connect again." },
    { "transfer-limit", "More than may be paid at once",
      "Limits go with how well you are known." },
    { "unexpected-body", "No body is expected",
      "This request takes no body." },
    { "unknown-currency", "Unknown currency",
      "GET /v1/ledger/trial-balance lists the currencies." },
    { "unknown-job", "Unknown job",
      "There is no such job, or it is not yours to offer." },
    { "unknown-question", "Unknown question",
      "An answer belongs to a question of the attempt." },
    { "unknown-recipient", "Unknown recipient",
      "No account has this e-mail address, handle or id." },
    { "unknown-transfer", "Unknown transfer",
      "No transfer has this id." },
    { "unsupported-media-type", "Unsupported content type",
      "Send application/json in UTF-8, without content coding." },
    { "uri-too-long", "The address is too long",
      "Path and query do not fit the server's buffers." },
    { "validation-failed", "Some fields are wrong",
      "errors names each of them with a JSON pointer and says why." },
    { "velocity-limit", "Too many payments in a short time",
      "Wait a little, then repeat." },
    { "webhook-inactive", "The webhook is not active",
      "Nothing is sent to it: reason says why. PATCH it with active true." },
    { "webhook-limit", "No more webhooks",
      "An account has at most ten. Remove one, or ask for more types." },
    { "webhooks-off", "No webhooks here",
      "This node is configured without `azora_webhook_key`." },
    { "wrong-code", "The code is wrong",
      "It is mistyped, was used, or the clock of the device that shows it "
      "is more than half a minute off." },
    { "wrong-password", "This is not the password",
      "The session is good, but the password is not the account's. Failures "
      "count as failed logins do." },
    { "wrong-party", "This is the other party's move",
      "The contract says who does what; see GET /v1/contracts/{id}." },
    { "wrong-state", "Not possible in this state",
      "The detail names the state. Read the resource again." }
};


#define NGX_AZORA_PROBLEM_TEXTS                                               \
    (sizeof(ngx_azora_problem_texts) / sizeof(ngx_azora_problem_texts[0]))


static const ngx_str_t  ngx_azora_html_type =
    ngx_string("text/html; charset=utf-8");


const ngx_azora_problem_text_t *
ngx_azora_problem_text(const ngx_str_t *name)
{
    ngx_uint_t   i;
    const char  *own;

    for (i = 0; i < NGX_AZORA_PROBLEM_TEXTS; i++) {
        own = ngx_azora_problem_texts[i].name;

        if (ngx_strlen(own) == name->len
            && ngx_memcmp(own, name->data, name->len) == 0)
        {
            return &ngx_azora_problem_texts[i];
        }
    }

    return NULL;
}


/* The handler of "azora_status problems", for a location "/problems/" */

ngx_int_t
ngx_azora_problem_page(ngx_http_request_t *r)
{
    size_t                           skip;
    ngx_str_t                        name;
    const ngx_azora_problem_text_t  *text;

    skip = sizeof(NGX_AZORA_PROBLEM_PATH) - 1;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (r->uri.len < skip
        || ngx_memcmp(r->uri.data, NGX_AZORA_PROBLEM_PATH, skip) != 0)
    {
        return NGX_HTTP_NOT_FOUND;
    }

    name.data = r->uri.data + skip;
    name.len = r->uri.len - skip;

    if (name.len == 0) {
        return ngx_azora_problem_index(r);
    }

    text = ngx_azora_problem_text(&name);

    return text ? ngx_azora_problem_html(r, text) : NGX_HTTP_NOT_FOUND;
}


static ngx_int_t
ngx_azora_problem_html(ngx_http_request_t *r,
    const ngx_azora_problem_text_t *text)
{
    size_t      len;
    ngx_str_t   body;
    static const char  page[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>%s</title><h1>%s</h1><p>%s</p>"
        "<p><code>%s</code>, one of <a href=\"/problems/\">all problems</a>"
        "</p></html>\n";

    len = sizeof(page) + 2 * ngx_strlen(text->title)
          + ngx_strlen(text->about) + ngx_strlen(text->name);

    body.data = ngx_pnalloc(r->pool, len);
    if (body.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.len = ngx_snprintf(body.data, len, page, text->title, text->title,
                            text->about, text->name)
               - body.data;

    return ngx_azora_send(r, NGX_HTTP_OK, &ngx_azora_html_type, &body);
}


static ngx_int_t
ngx_azora_problem_index(ngx_http_request_t *r)
{
    u_char      *p, *last;
    size_t       len;
    ngx_str_t    body;
    ngx_uint_t   i;

    static const char  head[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>Problems</title><h1>Problems</h1><ul>";
    static const char  item[] = "<li><a href=\"/problems/%s\">%s</a></li>";

    len = sizeof(head) + sizeof("</ul></html>\n");

    for (i = 0; i < NGX_AZORA_PROBLEM_TEXTS; i++) {
        len += sizeof(item) + ngx_strlen(ngx_azora_problem_texts[i].name)
               + ngx_strlen(ngx_azora_problem_texts[i].title);
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body.data = p;
    last = p + len;

    p = ngx_cpymem(p, head, sizeof(head) - 1);

    for (i = 0; i < NGX_AZORA_PROBLEM_TEXTS; i++) {
        p = ngx_slprintf(p, last, item, ngx_azora_problem_texts[i].name,
                         ngx_azora_problem_texts[i].title);
    }

    p = ngx_slprintf(p, last, "</ul></html>\n");
    body.len = p - body.data;

    return ngx_azora_send(r, NGX_HTTP_OK, &ngx_azora_html_type, &body);
}
