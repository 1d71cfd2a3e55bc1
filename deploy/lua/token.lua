-- Who sends a request, as far as the gateway can tell by itself: a token's claims. And its own
-- tokens, for what it asks.
--
-- Only what is plainly valid counts: HS256 with a key of PostgREST's own secret file, not expired.
-- Everything else is nobody here, and PostgREST judges it.

local cjson = require "cjson.safe"
local hmac = require "openssl.hmac"
local base64 = require "ngx.base64"

local M = {}

local UUID = [[^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$]]
-- PostgREST reads the file again when it is told; so soon does the gateway, without being told.
local REREAD_SECONDS = 1

local DIGESTS = { HS256 = "sha256", HS384 = "sha384", HS512 = "sha512" }

local secret_file
local secret
local read_at
-- Those of the secret, and those that the one before had: PostgREST may not have read it yet.
local keys, former_keys = {}, {}
-- Has PostgREST keys that are of no use here?
local has_other_keys = true

-- The keys in a secret: the text as it is, or the symmetric ones of a JWK set; and whether there are
-- others.
local function keys_of(text)
    local set = cjson.decode(text)
    if type(set) ~= "table" then
        return { text }, false
    end
    local found, are_others = {}, false
    for _, key in ipairs(set.keys or { set }) do
        local bytes = key.kty == "oct" and key.k and base64.decode_base64url(key.k)
        found[#found + 1] = bytes or nil
        are_others = are_others or not bytes
    end
    return found, are_others
end

local function read_keys()
    local now = ngx.now()
    if read_at and now >= read_at and now - read_at < REREAD_SECONDS then
        return
    end
    read_at = now
    local file = io.open(secret_file)
    local text = file and file:read("*a"):gsub("%s+$", "") or ""
    if file then
        file:close()
    end
    if text == secret then
        return
    end
    secret, former_keys = text, keys
    -- Without the file nobody is known, which is slower and safe.
    keys, has_other_keys = {}, true
    if text ~= "" then
        keys, has_other_keys = keys_of(text)
    end
end

local function decoded(part)
    local bytes = base64.decode_base64url(part)
    local value = bytes and cjson.decode(bytes)
    return type(value) == "table" and value or nil
end

local function is_signed(text, signature, digest, with)
    for _, key in ipairs(with) do
        if hmac.new(key, digest):final(text) == signature then
            return true
        end
    end
    return false
end

-- A uuid as PostgreSQL reads it, in lower case with hyphens; nil for what is none.
function M.uuid(text)
    local digits = type(text) == "string" and text:gsub("[{}-]", ""):lower() or ""
    if not ngx.re.find(digits, "^[0-9a-f]{32}$", "jo") then
        return nil
    end
    return (digits:gsub("^(........)(....)(....)(....)(............)$", "%1-%2-%3-%4-%5"))
end

local function encoded(value)
    return base64.encode_base64url(cjson.encode(value))
end

-- A token with these claims, signed with the secret's first key or another; nil if there is none.
function M.signed(claims, key_number)
    read_keys()
    local key = keys[key_number]
    if not key then
        return nil
    end
    local text = encoded { alg = "HS256", typ = "JWT" } .. "." .. encoded(claims)
    return text .. "." .. base64.encode_base64url(hmac.new(key, "sha256"):final(text))
end

function M.configure(file)
    secret_file = file
end

-- The claims of an Authorization header, with `sub` a user's uuid in lower case; nil if there is
-- no token, or one that is not plainly valid.
function M.claims(authorization)
    local match = authorization
        and ngx.re.match(
            authorization,
            [[^bearer +([\w-]+)\.([\w-]+)\.([\w-]+)$]],
            "ijo"
        )
    if not match then
        return nil
    end
    local header, claims = decoded(match[1]), decoded(match[2])
    if not header or header.alg ~= "HS256" or header.crit or not claims then
        return nil
    end

    local now = ngx.time()
    local is_current = type(claims.exp) == "number"
        and claims.exp > now
        and (claims.nbf == nil or type(claims.nbf) == "number" and claims.nbf <= now)
        and (claims.iat == nil or type(claims.iat) == "number" and claims.iat <= now)
    if not is_current or type(claims.role) ~= "string" then
        return nil
    end
    -- PostgREST takes a string that is no URI, whatever it says.
    if claims.aud ~= nil and not ngx.re.find(tostring(claims.aud), [[^[\w-]+$]], "jo") then
        return nil
    end

    local sub = type(claims.sub) == "string" and claims.sub:lower() or ""
    claims.sub = ngx.re.find(sub, UUID, "jo") and sub or nil
    read_keys()
    local signature = base64.decode_base64url(match[3])
    return is_signed(match[1] .. "." .. match[2], signature, "sha256", keys) and claims or nil
end

-- The claims of a token that PostgREST may believe, for who must miss nobody's write. What cannot
-- be judged here counts, and so does the time: PostgREST has 30 s of patience and its own clock.
-- Only a signature that is plainly forged does not. Never grant anything on this.
function M.possible_claims(authorization)
    local match = authorization
        and ngx.re.match(
            authorization,
            [[^\s*bearer\s+([^.\s]+)\.([^.\s]+)\.([^.\s]+)\s*$]],
            "ijo"
        )
    local header = match and decoded((match[1]:gsub("=+$", "")))
    local claims = match and decoded((match[2]:gsub("=+$", "")))
    if not header or not claims then
        return nil
    end
    claims.sub = M.uuid(claims.sub)

    read_keys()
    local digest = DIGESTS[header.alg]
    if not digest then
        return has_other_keys and claims or nil
    end
    local text = match[1] .. "." .. match[2]
    local signature = base64.decode_base64url((match[3]:gsub("=+$", "")))
    local is_possible = is_signed(text, signature, digest, keys)
        or is_signed(text, signature, digest, former_keys)
        or secret == ""
    return is_possible and claims or nil
end

return M
