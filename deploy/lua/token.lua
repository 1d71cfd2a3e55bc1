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

local secret_file
local keys = {}
local read_at

-- The keys in a secret: the text as it is, or the symmetric ones of a JWK set.
local function keys_of(secret)
    local set = cjson.decode(secret)
    if type(set) ~= "table" then
        return { secret }
    end
    local found = {}
    for _, key in ipairs(set.keys or { set }) do
        if key.kty == "oct" and key.k then
            found[#found + 1] = base64.decode_base64url(key.k)
        end
    end
    return found
end

local function current_keys()
    local now = ngx.now()
    if not read_at or now - read_at >= REREAD_SECONDS or now < read_at then
        read_at = now
        local file = io.open(secret_file)
        -- Without the file nobody is known, which is slower and safe.
        keys = file and keys_of((file:read("*a"):gsub("%s+$", ""))) or {}
        if file then
            file:close()
        end
    end
    return keys
end

local function decoded(part)
    local bytes = base64.decode_base64url(part)
    local value = bytes and cjson.decode(bytes)
    return type(value) == "table" and value or nil
end

local function is_signed(text, signature)
    for _, key in ipairs(current_keys()) do
        if hmac.new(key, "sha256"):final(text) == signature then
            return true
        end
    end
    return false
end

local function encoded(value)
    return base64.encode_base64url(cjson.encode(value))
end

-- A token with these claims, signed with the secret's first key or another; nil if there is none.
function M.signed(claims, key_number)
    local key = current_keys()[key_number]
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
    local signature = base64.decode_base64url(match[3])
    return is_signed(match[1] .. "." .. match[2], signature) and claims or nil
end

return M
