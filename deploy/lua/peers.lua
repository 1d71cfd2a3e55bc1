-- Which server answers a request: reads go to standbys, everything else to the primary.
--
-- Each peer is a PostgREST with a PostgreSQL of its own beside it. One worker asks all of them, ten
-- times a second, where they stand (api.replication_state). Nothing is configured but their
-- addresses: the primary is who takes writes on the highest timeline, so that a promotion is found
-- and a former primary that comes back is not.
--
-- A user who wrote, or about whom the service role wrote, reads what was written. What a standby has is known by the primary's clock of
-- writes: the primary, asked at the time T, tells a position P, which has every commit that was
-- acknowledged before T. A standby that has replayed P is fresh up to T, and answers whoever wrote
-- last before T. No write waits for this, and none costs a question more.
--
-- Called by   gateway.lua

local balancer = require "ngx.balancer"
local cjson = require "cjson.safe"
local token = require "token"
local writes = require "writes"

local M = {}

local ASK_EVERY = 0.1
-- Milliseconds to connect, send and receive.
local ASK_PATIENCE = { 500, 500, 2000 }
-- A primary that was silent for so long (it may be busy) is tried last.
local LOST_AFTER = 3
-- A read that failed after this many seconds was given up: elsewhere it would take as long.
local SLOW = 1
-- Seconds; a user's statement is given up after 10, and then another server is not asked in vain.
local CONNECT_PATIENCE, USER_PATIENCE = 0.5, 12
-- These ask who holds a lock now, which only the primary knows.
local PRIMARY_ONLY = [[/(?:job_health|job_runs)$]]

-- What all workers know: primary, timeline, is_lost, fresh:NAME, standby:NAME, wrote:CALLER. Peers
-- by name, since a reload may count them in another order.
local known = ngx.shared.replicas

local peers = {}
local by_name = {}
local max_lag
local turn = 0

-- What the worker that asks knows: the primary's positions by time, oldest first.
local samples = {}

local function address_of(name)
    if ngx.re.find(name, [[^[0-9.]+$]], "jo") then
        return name
    end
    -- As nginx does with its upstreams, once: whoever moves a server, or starts one that had no
    -- address, sends nginx SIGHUP.
    local pipe = io.popen("getent ahostsv4 " .. name)
    local address = pipe:read("*l")
    pipe:close()
    return address and address:match("^%S+")
end

-- settings.peers: HOST:PORT:ADMINPORT, with commas between; settings.max_lag: seconds.
function M.configure(settings)
    max_lag = settings.max_lag
    for name, port, admin_port in settings.peers:gmatch("([^:,]+):(%d+):(%d+)") do
        local peer = {
            name = name .. ":" .. port,
            address = address_of(name),
            port = tonumber(port),
            admin_port = tonumber(admin_port),
        }
        if peer.address then
            peers[#peers + 1] = peer
            by_name[peer.name] = peer
        end
    end
end

-- ------------------------------------------------------------ asking

-- HTTP/1.0, so that the answer ends with the connection.
local function response(peer, key_number)
    local bearer =
        token.signed({ role = "service_role", exp = ngx.time() + 60 }, key_number)
    if not bearer then
        return nil
    end
    local socket = ngx.socket.tcp()
    socket:settimeouts(unpack(ASK_PATIENCE))
    local text
    if socket:connect(peer.address, peer.port) then
        local sent = socket:send(
            "GET /rpc/replication_state HTTP/1.0\r\nHost: "
                .. peer.name
                .. "\r\nAuthorization: Bearer "
                .. bearer
                .. "\r\nAccept: application/json\r\n\r\n"
        )
        text = sent and socket:receive("*a")
    end
    socket:close()
    return text
end

-- What a peer says of itself, nil if it says nothing.
local function ask(peer)
    local text = response(peer, 1)
    -- While a key is changed, some may not have read the new one yet.
    if text and text:find("^HTTP/1%.%d 401 ") then
        text = response(peer, 2)
    end
    local body = text and text:match("^HTTP/1%.%d 200 .-\r\n\r\n(.*)$")
    local answer = body and cjson.decode(body)
    return type(answer) == "table" and answer.position and answer or nil
end

local function tell(message)
    -- At level error the log would have request lines, so what matters is at the next.
    ngx.log(ngx.CRIT, "replicas: ", message)
end

-- Whoever takes writes on the highest timeline that anybody was ever heard to be on. One who
-- cannot be reached stays the primary until another is found. A gateway that has just started waits
-- until all were asked: a former primary may be the first to answer.
local function find_primary()
    local current, timeline = known:get("primary"), known:get("timeline") or 0
    local were_all_asked = true
    for _, peer in ipairs(peers) do
        timeline = math.max(timeline, peer.timeline or 0)
        were_all_asked = were_all_asked and peer.was_asked
    end
    known:set("timeline", timeline)
    if not current and not were_all_asked then
        return nil
    end
    local found
    for _, peer in ipairs(peers) do
        local is_current = peer.name == current
        -- After a reload nobody was asked yet: what was known holds.
        local may_be = peer.is_primary and peer.timeline == timeline
            or is_current and peer.is_primary == nil
        if may_be and (is_current or not found) then
            found = peer
        end
    end
    if (found and found.name) ~= current then
        samples = {}
        known:set("primary", found and found.name)
        tell(found and "the primary is " .. found.name or "there is no primary")
    end
    return found
end

-- The time up to which a standby has everything: that of the newest sample it has replayed.
local function fresh_time(position)
    for number = #samples, 1, -1 do
        if samples[number].position <= position then
            return samples[number].time
        end
    end
end

local function note_standby(peer, answer, primary)
    local follows = primary and answer.timeline == primary.timeline
    local newest = samples[#samples]
    if follows and newest then
        peer.fresh = fresh_time(answer.position)
    elseif answer.position < (peer.position or 0) then
        -- Started anew, from an earlier point than it had come to.
        peer.fresh = nil
    end
    peer.position = answer.position
    -- With nobody to follow it is as fresh as anybody knows: reads go on.
    local in_time = peer.fresh and (not newest or newest.time - peer.fresh <= max_lag)
    if in_time ~= peer.in_time then
        tell(peer.name .. (in_time and " is a standby in time" or " lags behind, or is lost"))
        peer.in_time = in_time
    end
    known:set("fresh:" .. peer.name, in_time and peer.fresh or nil)
    known:set("standby:" .. peer.name, true)
end

local function learn(peer, asked_at, answer)
    peer.was_asked = true
    if answer then
        peer.is_primary = answer.is_primary
        peer.timeline = type(answer.timeline) == "number" and answer.timeline or peer.timeline
    end
    local primary = find_primary()
    if peer == primary then
        peer.answered_at = answer and asked_at or peer.answered_at or asked_at
        known:set("is_lost", asked_at - peer.answered_at > LOST_AFTER)
    end
    if answer and not answer.is_primary then
        note_standby(peer, answer, primary)
        return
    end
    if peer == primary and answer then
        samples[#samples + 1] = { time = asked_at, position = answer.position }
        while samples[1].time < asked_at - max_lag - 1 do
            table.remove(samples, 1)
        end
    end
    if peer.in_time then
        tell(peer.name .. " does not answer, or is no standby any more")
    end
    peer.fresh, peer.in_time = nil, nil
    known:delete("fresh:" .. peer.name)
    known:delete("standby:" .. peer.name)
end

local function watch(premature, number)
    local peer = peers[number]
    if premature or peer.is_asked then
        return
    end
    peer.is_asked = true
    -- The cached time is at most that of now, which is the safe side.
    local asked_at = ngx.now()
    local _, answer = pcall(ask, peer)
    learn(peer, asked_at, type(answer) == "table" and answer or nil)
    peer.is_asked = false
end

function M.init_worker()
    if ngx.worker.id() ~= 0 then
        return
    end
    for number in ipairs(peers) do
        ngx.timer.at(0, watch, number)
        ngx.timer.every(ASK_EVERY, watch, number)
    end
end

-- ------------------------------------------------------------ choosing

-- By whom a later read is known to be the same caller's.
local function caller_of(context)
    local claims = context.claims
    return claims and (claims.sub or claims.role) or ngx.var.http_authorization
end

local function joined(...)
    local all = {}
    for _, list in ipairs { ... } do
        for _, item in ipairs(list) do
            all[#all + 1] = item
        end
    end
    return all
end

local function note_write(context)
    -- The commit was before this moment, not before the last turn of the event loop.
    ngx.update_time()
    for _, caller in ipairs(joined({ caller_of(context) }, context.written or {})) do
        -- Whoever lags more than max_lag is asked nothing, so it need not be known for longer.
        known:set("wrote:" .. caller, ngx.now(), max_lag + 60)
    end
    context.is_noted = true
end

-- The peers in the order in which they are tried.
local function order_of(context)
    local primary = by_name[known:get("primary") or ""]
    -- The token's question, a subrequest, reads what everybody may.
    if not (context.is_read or ngx.is_subrequest) then
        return { primary }
    end
    local caller = caller_of(context)
    local wrote = math.max(
        caller and known:get("wrote:" .. caller) or 0,
        known:get("wrote:" .. writes.EVERYBODY) or 0
    )
    -- A feed that is asked for again goes to those that were not asked before.
    local asked = ngx.var.upstream_addr or ""
    local fresh, late, again = {}, {}, {}
    turn = turn + 1
    for step = 1, #peers do
        local peer = peers[(turn + step) % #peers + 1]
        local fresh_at = known:get("fresh:" .. peer.name)
        if asked:find(peer.address .. ":" .. peer.port, 1, true) then
            again[#again + 1] = peer
        elseif fresh_at and fresh_at > wrote then
            fresh[#fresh + 1] = peer
        elseif known:get("standby:" .. peer.name) then
            late[#late + 1] = peer
        end
    end
    if ngx.re.find(ngx.var.uri, PRIMARY_ONLY, "jo") then
        return joined({ primary }, fresh, late)
    elseif known:get("is_lost") then
        return joined(fresh, late, { primary }, again)
    end
    return joined(fresh, { primary }, late, again)
end

-- A read is tried elsewhere when a server fails; a write is sent once, whatever becomes of it.
local function try_next(context, port)
    context.tried = context.tried + 1
    local peer = context.order[context.tried]
    if not peer then
        return ngx.exit(ngx.ERROR)
    end
    local is_last = context.tried == #context.order
    local role = context.claims and context.claims.role or "anon"
    if not is_last then
        local is_user = role == "authenticated" or role == "anon"
        balancer.set_timeouts(CONNECT_PATIENCE, nil, is_user and USER_PATIENCE or nil)
    end
    assert(balancer.set_current_peer(peer.address, peer[port]))
end

function M.access(context)
    if not context.is_read and not known:get("primary") then
        return ngx.exit(503)
    end
end

function M.balancer(context)
    if not context.order then
        context.order, context.tried, context.began = order_of(context), 0, ngx.now()
        if #context.order > 1 then
            balancer.set_more_tries(#context.order - 1)
        end
    else
        local _, status = balancer.get_last_failure()
        if status == 500 and ngx.now() - context.began > SLOW then
            return ngx.exit(ngx.ERROR)
        end
    end
    try_next(context, "port")
end

-- Is anybody ready? The gateway is well as long as reads are answered.
function M.admin_balancer(context)
    if not context.order then
        context.order, context.tried = {}, 0
        for _, peer in ipairs(peers) do
            local is_in = known:get("fresh:" .. peer.name) or peer.name == known:get("primary")
            table.insert(context.order, is_in and 1 or #context.order + 1, peer)
        end
        if #context.order > 1 then
            balancer.set_more_tries(#context.order - 1)
        end
    end
    try_next(context, "admin_port")
end

function M.header_filter(context)
    if context.is_read == false then
        note_write(context)
    end
end

-- A write that nobody waited for may be there all the same.
function M.log(context)
    if context.is_read == false and not context.is_noted then
        note_write(context)
    end
end

return M
