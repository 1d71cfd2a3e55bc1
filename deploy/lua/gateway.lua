-- What nginx calls in each phase of a request, and who of the gateway's parts takes part in it.
--
-- A part is a module with functions named as the phases; those that it lacks do not concern it.

local token = require "token"
local writes = require "writes"

local M = {}

local parts = {}

-- settings.secret_file: PostgREST's; settings.cache, settings.peers: what the parts want to know,
-- "" for a part that is switched off.
function M.configure(settings)
    token.configure(settings.secret_file)
    for _, name in ipairs { "cache", "peers" } do
        if settings[name] ~= "" then
            local part = require(name)
            part.configure(settings)
            parts[#parts + 1] = part
        end
    end
end

-- What the parts ask of a request: kept in ngx.ctx, which an internal redirect empties.
--   claims     of the token, nil for nobody we know
--   is_read    it changes nothing: GET and HEAD, and the functions that read when they are posted
--   written    whose feed it may change, a list of uuids (writes.lua); nil for nobody's
local function look(context)
    local method, route = ngx.req.get_method(), ngx.var.route
    context.claims = token.claims(ngx.var.http_authorization)
    context.is_read = method == "GET"
        or method == "HEAD"
        or method == "OPTIONS"
        or method == "POST" and (route == "feed" or route == "explain")
end

local function call(phase)
    for _, part in ipairs(parts) do
        if part[phase] then
            part[phase](ngx.ctx)
        end
    end
end

function M.access()
    look(ngx.ctx)
    ngx.ctx.written = not ngx.ctx.is_read and writes.users() or nil
    call("access")
end

-- An error's own answer comes by an internal redirect, and passes no access phase.
function M.header_filter()
    if ngx.ctx.is_read == nil and not ngx.is_subrequest then
        look(ngx.ctx)
    end
    call("header_filter")
end

for _, phase in ipairs { "init_worker", "balancer", "admin_balancer", "body_filter", "log" } do
    M[phase] = function()
        call(phase)
    end
end

return M
