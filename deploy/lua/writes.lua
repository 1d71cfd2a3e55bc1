-- Whose feed a write may change: the caller's, and, of the service role, whom its body names.

local cjson = require "cjson.safe"
local token = require "token"

local M = {}

M.EVERYBODY = "*"
local EVERYBODY = M.EVERYBODY

-- More than a batch may name.
local MOST_USERS = 1000

-- Writes that change nobody's feed, and those of service_role that change everybody's: new and
-- closed listings are seen within the time to live.
local CHANGES_NO_FEED = {
    ["/rest/v1/rpc/explain_listing"] = true,
    ["/rest/v1/rpc/export_my_data"] = true,
    ["/rest/v1/rpc/track_impressions"] = true,
}
local CHANGES_LISTINGS = {
    ["/rest/v1/listings"] = true,
    ["/rest/v1/rpc/upsert_listings"] = true,
    ["/rest/v1/rpc/upsert_posters"] = true,
}

local function body()
    local path = ngx.req.get_body_file()
    if not path then
        return ngx.req.get_body_data() or ""
    end
    local file = io.open(path, "rb")
    local text = file and file:read("*a") or ""
    if file then
        file:close()
    end
    return text
end

-- Adds every user_uid in a JSON value to a set.
local function collect(value, found)
    if type(value) == "table" then
        for name, inner in pairs(value) do
            if name == "user_uid" then
                found[token.uuid(inner) or EVERYBODY] = true
            else
                collect(inner, found)
            end
        end
    end
end

-- Whose rows a request of service_role changes: whom it names, and its own; everybody's if that
-- cannot be seen.
local function named_users(sub)
    local found = {}
    local text = body()
    local value = cjson.decode(text)
    collect(value, found)
    if sub then
        found[sub] = true
    end
    local users = {}
    for user in pairs(found) do
        users[#users + 1] = user
    end
    local is_clear = value ~= nil or text == ""
    if not is_clear or #users == 0 or #users > MOST_USERS or found[EVERYBODY] then
        return { EVERYBODY }
    end
    return users
end

-- Whose feed the request may change, EVERYBODY among them if that cannot be told; nil for nobody's.
-- Reads the body first: a client may send slowly, and a write counts from when it is whole.
function M.users()
    ngx.req.read_body()
    local uri = ngx.var.uri
    local claims = token.possible_claims(ngx.var.http_authorization)
    if not claims or ngx.var.route == "impressions" or CHANGES_NO_FEED[uri] then
        return nil
    end
    if claims.role == "authenticated" then
        return claims.sub and { claims.sub }
    end
    if claims.role ~= "service_role" or CHANGES_LISTINGS[uri] then
        return nil
    end
    return named_users(claims.sub)
end

return M
