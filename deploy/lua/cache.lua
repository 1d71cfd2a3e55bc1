-- Answers a user's own feed from Redis, for as long as its time to live and until the user writes.
--
-- A write drops the user's answers before PostgREST sees it, and until it is over nothing is stored
-- or answered from here; an answer is stored only under the generation that its look-up found
-- (cache_scripts.lua). So no answer is older than the user's last write, wherever a reader stood.
--
-- Redis may fail at any moment: then PostgREST is asked. Whose answers could not be dropped is kept
-- in `shared`, by all workers, until that is made good or they are too old.

local cjson = require "cjson.safe"
local redis = require "nginx.redis"
local scripts = require "cache_scripts"
local writes = require "writes"
local zlib = require "zlib"

local M = {}

local FEED = "/api/v1/feed"
local DEFAULT_LIMIT = "50"
local EVERYBODY = writes.EVERYBODY

-- Longer than proxy_connect_timeout and proxy_read_timeout together: a write is over by then.
local WRITE_SECONDS = 45
local CONNECT_TIMEOUT_MS, ANSWER_TIMEOUT_MS = 50, 100
-- Redis is left alone for so long after it failed.
local PAUSE_SECONDS = 1
local POOL_SIZE, IDLE_MS = 64, 10000

local LARGEST_BODY, LARGEST_SELECT = 512 * 1024, 500
local COMPRESSION, GZIP_WINDOW = 5, 15 + 16
-- Limits and selections of a user that are kept at once, with the generation.
local MOST_FIELDS = 17

-- A request with one of these is not the plain one, or not only.
local SPECIAL_HEADERS = {
    "prefer", "range", "range-unit", "content-length", "transfer-encoding", "content-profile",
}
local PLAIN_ARGUMENTS = [[^(?:(?:limit|user_uid|select)=[^&;]*(?:&(?!$)|$))*$]]
local PLAIN_ACCEPT = [[^(?:\*/\*|application/json(?: *, *(?:text/plain|\*/\*)(?:;q=[0-9.]+)?)*)$]]
-- Of the connection, of the moment, or nginx's own to add.
local NOT_STORED = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true,
    ["content-length"] = true, ["date"] = true, ["server"] = true, ["vary"] = true,
}

local shared = ngx.shared.gateway
local address, password
local seconds, life_ms

-- settings.cache: unix:PATH or HOST:PORT; settings.cache_seconds: time to live;
-- settings.cache_password_file: "" where Redis asks for none.
function M.configure(settings)
    local host, port = settings.cache:match("^([^:/]+):(%d+)$")
    -- Names are asked of DNS, which need not know this one.
    address = host and { host == "localhost" and "127.0.0.1" or host, tonumber(port) }
        or { settings.cache }
    seconds = settings.cache_seconds
    life_ms = 1000 * math.max(seconds, WRITE_SECONDS)
    if settings.cache_password_file ~= "" then
        local file = assert(io.open(settings.cache_password_file))
        password = file:read("*l")
        file:close()
    end
end

-- ---------------------------------------------------------------------- Redis

local function report(_, failure)
    ngx.log(ngx.CRIT, "cache: Redis: ", failure)
end

-- Once a minute, and by a timer: with a request the log would have its query.
local function complain(failure)
    if shared:add("redis_reported", true, 60) then
        ngx.timer.at(0, report, failure)
    end
end

local function leave_alone(failure)
    shared:set("redis_failed", true, PAUSE_SECONDS)
    complain(failure)
end

local function connect()
    local connection = redis:new()
    connection:set_timeout(CONNECT_TIMEOUT_MS)
    local is_open, failure = connection:connect(unpack(address))
    if not is_open then
        return nil, failure
    end
    connection:set_timeout(ANSWER_TIMEOUT_MS)
    if password and connection:get_reused_times() == 0 then
        is_open, failure = connection:auth(password)
        if not is_open then
            connection:close()
            return nil, failure
        end
    end
    return connection
end

-- Runs a script in Redis; nil where it could not, or where nobody knows whether it did.
local function call(script, keys, ...)
    if shared:get("redis_failed") then
        return nil
    end
    local connection, failure = connect()
    if not connection then
        leave_alone(failure)
        return nil
    end

    local arguments = { #keys }
    for _, key in ipairs(keys) do
        arguments[#arguments + 1] = key
    end
    for _, argument in ipairs { ... } do
        arguments[#arguments + 1] = argument
    end
    local answer
    answer, failure = connection:evalsha(script.sha, unpack(arguments))
    if answer == false and failure:find("^NOSCRIPT") then
        answer, failure = connection:eval(script.text, unpack(arguments))
    end

    if answer == nil then
        -- A late answer must not be taken for the next request's.
        connection:close()
        leave_alone(failure)
        return nil
    end
    connection:set_keepalive(IDLE_MS, POOL_SIZE)
    if answer == false then
        -- An error of Redis's own: it is full, or loads, or is a replica.
        complain(failure)
        return nil
    end
    return answer
end

local function key_of(user)
    return user == EVERYBODY and scripts.EVERYBODY or "pgfeed:user:" .. user
end

-- ---------------------------------------------------------------------- who must not be answered

-- Answers from before a write of theirs may still be in Redis.
local function distrust(users)
    local by = ngx.var.request_id
    for _, user in ipairs(users) do
        if not shared:safe_set("distrusted:" .. user, by, seconds + 1) then
            -- No room to remember so many.
            shared:set("distrusted:" .. EVERYBODY, by, seconds + 1)
            return
        end
    end
end

-- Drops now what could not be dropped then, with a write that takes no time.
local function regain(user, distrusted_by)
    if not call(scripts.begin_write, { key_of(user) }, ngx.var.request_id, 0, life_ms) then
        return false
    end
    -- Unless another write has failed to drop something meanwhile.
    local name = "distrusted:" .. user
    if shared:get(name) == distrusted_by then
        shared:delete(name)
    end
    return true
end

-- Redis knows it too, unless it forgets: evicted or started anew in the middle of a write.
local function count_begun(users)
    for _, user in ipairs(users) do
        local name = "writes:" .. user
        local _, _, is_forced = shared:incr(name, 1, 0, WRITE_SECONDS)
        shared:expire(name, WRITE_SECONDS)
        if is_forced then
            -- Somebody else's was thrown out for it.
            distrust { EVERYBODY }
        end
    end
end

local function count_ended(users)
    for _, user in ipairs(users) do
        -- Not made anew where its time was over.
        if shared:incr("writes:" .. user, -1) == 0 then
            shared:expire("writes:" .. user, 1)
        end
    end
end

local function is_trusted(user)
    for _, name in ipairs { user, EVERYBODY } do
        if (shared:get("writes:" .. name) or 0) > 0 then
            return false
        end
        local distrusted_by = shared:get("distrusted:" .. name)
        if distrusted_by and not regain(name, distrusted_by) then
            return false
        end
    end
    return true
end

-- ---------------------------------------------------------------------- what is asked

-- What a request for a feed wants, if it is a plain one of the user's own: the field in which the
-- answer is kept, and how old it may be in milliseconds. Nil for every other request.
local function question(user)
    local headers, failure = ngx.req.get_headers()
    if failure then
        return nil
    end
    for _, name in ipairs(SPECIAL_HEADERS) do
        if headers[name] then
            return nil
        end
    end
    for _, name in ipairs { "accept", "accept-profile", "cache-control", "pragma", "origin" } do
        if type(headers[name]) == "table" then
            return nil
        end
    end
    local schema = headers["accept-profile"] or "api"
    if
        not ngx.re.find(headers["accept"] or "*/*", PLAIN_ACCEPT, "jo")
        or schema ~= "api" and schema ~= "public"
    then
        return nil
    end

    local arguments = ngx.var.args or ""
    if not ngx.re.find(arguments, PLAIN_ARGUMENTS, "jo") then
        return nil
    end
    local given = {}
    for name, value in arguments:gmatch("([^&=]+)=([^&]*)") do
        if given[name] then
            return nil
        end
        given[name] = value
    end
    local select = given.select or ""
    if
        (given.user_uid or user):lower() ~= user
        -- One that selects nothing is not none.
        or given.select == ""
        or #select > LARGEST_SELECT
    then
        return nil
    end

    local wish = (headers["cache-control"] or headers["pragma"] or ""):lower()
    if wish:find("no-store", 1, true) then
        return nil
    end
    local age = wish:find("no-cache", 1, true) and 0 or tonumber(wish:match("max%-age=(%d+)"))
    -- To other origins PostgREST says which headers they may read.
    local field = (given.limit or DEFAULT_LIMIT) .. (headers["origin"] and " other " or " ") .. select
    return field, 1000 * math.min(age or seconds, seconds)
end

-- ---------------------------------------------------------------------- reading

-- What is told in Cache-Status (RFC 9211), and to the access log.
local function tell(context, state, detail)
    ngx.var.cache = state
    context.cache_status = "pgfeed; " .. detail
end

local function serve(context, age_ms, answer)
    local headers, body = answer:match("^%d+ %w+ ([^\n]*)\n(.*)$")
    for name, value in pairs(cjson.decode(headers)) do
        ngx.header[name] = value
    end
    local age = math.ceil(age_ms / 1000)
    ngx.header["Age"] = age
    tell(context, "hit", "hit; ttl=" .. math.max(seconds - age, 0))
    ngx.header["Content-Length"] = #body
    ngx.print(body)
    return ngx.exit(ngx.HTTP_OK)
end

local function look_up(context)
    local claims, method = context.claims, ngx.req.get_method()
    local user = claims and claims.role == "authenticated" and claims.sub
    local field, oldest
    if user and ngx.var.uri == FEED and (method == "GET" or method == "HEAD") then
        field, oldest = question(user)
    end
    if not field then
        return tell(context, "bypass", "fwd=bypass")
    end
    if not is_trusted(user) then
        return tell(context, "bypass", "fwd=bypass; detail=written")
    end

    local key = key_of(user)
    local found = call(
        scripts.look_up,
        { key, scripts.EVERYBODY, "pgfeed:lookups" },
        ngx.var.request_id,
        field,
        oldest,
        life_ms
    )
    -- The name is asked back: whatever went wrong with a connection, it is this user's answer.
    if not found or found[1] ~= key then
        return tell(context, "bypass", "fwd=bypass; detail=unavailable")
    end
    if found[2] == "writing" then
        return tell(context, "bypass", "fwd=bypass; detail=written")
    end
    if found[2] == "hit" then
        return serve(context, found[3], found[4])
    end
    tell(context, "miss", "fwd=" .. (oldest < 1000 * seconds and "request" or "miss"))
    if method == "GET" then
        context.fill = {
            key = key,
            field = field,
            generation = found[3],
            general = found[4],
            computed_at = found[5],
            chunks = {},
            size = 0,
        }
    end
end

-- What is kept of an answer's headers; nil if it is not to be kept.
local function stored_headers()
    local content_type = ngx.header["Content-Type"] or ""
    if
        ngx.status ~= ngx.HTTP_OK
        or not ngx.re.find(content_type, "^application/json;", "jo")
        or ngx.header["Content-Encoding"]
    then
        return nil
    end
    local kept = {}
    for name, value in pairs(ngx.resp.get_headers(0, true)) do
        if not NOT_STORED[name:lower()] then
            kept[name] = value
        end
    end
    return kept
end

local function store(_, fill)
    local body = table.concat(fill.chunks)
    -- What ends otherwise was cut off.
    if not body:find("^%[.*%]$") then
        return
    end
    -- A sixth of the size, and ready for most clients; for the others nginx has gunzip.
    body = zlib.deflate(COMPRESSION, GZIP_WINDOW)(body, "finish")
    fill.headers["Content-Encoding"] = "gzip"
    local headers = cjson.encode(fill.headers)
    local answer = fill.computed_at .. " " .. fill.general .. " " .. headers .. "\n" .. body
    call(
        scripts.store,
        { fill.key, scripts.EVERYBODY },
        fill.generation,
        fill.general,
        fill.field,
        answer,
        life_ms,
        MOST_FIELDS
    )
end

-- ---------------------------------------------------------------------- writing

local function begin_write(context)
    local users = context.written
    if not users then
        return
    end
    local write = { id = ngx.var.request_id, users = users, keys = {} }
    for _, user in ipairs(users) do
        write.keys[#write.keys + 1] = key_of(user)
    end
    count_begun(users)
    if not call(scripts.begin_write, write.keys, write.id, 1000 * WRITE_SECONDS, life_ms) then
        distrust(users)
    end
    context.write = write
end

local function end_write(_, write)
    call(scripts.end_write, write.keys, write.id)
    count_ended(write.users)
end

-- ---------------------------------------------------------------------- phases

function M.access(context)
    if not context.is_read then
        begin_write(context)
    elseif ngx.var.route == "feed" then
        look_up(context)
    end
end

-- Failures inside, and those who went away, do not get here with what began it (nginx answers them
-- with a page of its own): whether such a write was committed is not known, and it counts as under
-- way until WRITE_SECONDS are over.
function M.header_filter(context)
    if context.write and ngx.status < 500 then
        ngx.timer.at(0, end_write, context.write)
        context.write = nil
    end
    if context.fill then
        context.fill.headers = stored_headers()
        if not context.fill.headers then
            context.fill = nil
        end
    end
    if context.cache_status then
        ngx.header["Cache-Status"] = context.cache_status
        local exposed = ngx.header["Access-Control-Expose-Headers"]
        if exposed then
            ngx.header["Access-Control-Expose-Headers"] = exposed .. ", Age, Cache-Status"
        end
    end
end

function M.body_filter(context)
    local fill = context.fill
    if not fill then
        return
    end
    fill.size = fill.size + #ngx.arg[1]
    if fill.size > LARGEST_BODY then
        context.fill = nil
        return
    end
    fill.chunks[#fill.chunks + 1] = ngx.arg[1]
    if ngx.arg[2] then
        context.fill = nil
        ngx.timer.at(0, store, fill)
    end
end

return M
