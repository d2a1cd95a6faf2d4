-- What a careful team would write in NGINX+Lua: ES256 by OpenSSL through
-- LuaJIT's FFI, the key parsed once a worker, and the claims compared.

local ffi = require "ffi"
local cjson = require "cjson.safe"
local base64 = require "ngx.base64"

ffi.cdef[[
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
EVP_PKEY *d2i_PUBKEY(EVP_PKEY **a, const unsigned char **pp, long length);
EVP_PKEY_CTX *EVP_PKEY_CTX_new(EVP_PKEY *pkey, void *e);
int EVP_PKEY_verify_init(EVP_PKEY_CTX *ctx);
int EVP_PKEY_verify(EVP_PKEY_CTX *ctx, const unsigned char *sig,
                    size_t siglen, const unsigned char *tbs, size_t tbslen);
unsigned char *SHA256(const unsigned char *d, size_t n, unsigned char *md);
]]

local C = ffi.C
local hash = ffi.new("unsigned char[32]")
local context

local _M = {}


function _M.init(file)
    local handle = assert(io.open(file, "rb"))
    local der = handle:read("*a")
    handle:close()

    local p = ffi.new("const unsigned char *[1]")
    p[0] = ffi.cast("const unsigned char *", der)

    local key = C.d2i_PUBKEY(nil, p, #der)
    assert(key ~= nil, "no public key")
    context = C.EVP_PKEY_CTX_new(key, nil)
    assert(C.EVP_PKEY_verify_init(context) == 1)
end


-- A number of 32 bytes as a DER INTEGER
local function integer(raw)
    raw = raw:gsub("^%z+", "")

    if raw == "" or raw:byte(1) >= 128 then
        raw = "\0" .. raw
    end

    return "\2" .. string.char(#raw) .. raw
end


local function verify(token)
    local input, head, body, mac =
        token:match("^(([%w_-]+)%.([%w_-]+))%.([%w_-]+)$")
    if not input then
        return nil, "malformed"
    end

    local header = cjson.decode(base64.decode_base64url(head) or "")
    if not header or header.alg ~= "ES256" or header.typ ~= "at+jwt"
       or header.kid ~= ngx.var.bench_kid
    then
        return nil, "header"
    end

    local raw = base64.decode_base64url(mac)
    if not raw or #raw ~= 64 then
        return nil, "signature"
    end

    local pair = integer(raw:sub(1, 32)) .. integer(raw:sub(33))
    local der = "\48" .. string.char(#pair) .. pair

    C.SHA256(input, #input, hash)
    if C.EVP_PKEY_verify(context, der, #der, hash, 32) ~= 1 then
        return nil, "signature"
    end

    local claims = cjson.decode(base64.decode_base64url(body) or "")
    local now = ngx.time()
    if not claims or claims.iss ~= "https://azora.test"
       or claims.aud ~= "azora" or type(claims.exp) ~= "number"
       or claims.exp <= now or type(claims.iat) ~= "number"
       or claims.iat > now or (claims.nbf and claims.nbf > now)
       or type(claims.sub) ~= "string"
    then
        return nil, "claims"
    end

    return claims
end


function _M.guard()
    local header = ngx.var.http_authorization
    local token = header and header:match("^[Bb]earer +(.+)$")
    local claims = token and verify(token)

    if not claims then
        return ngx.exit(401)
    end

    ngx.ctx.subject = claims.sub
end


return _M
