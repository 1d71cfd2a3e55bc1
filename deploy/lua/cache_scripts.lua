-- What the cache does inside Redis: four scripts, each one round trip and all or nothing.
--
-- A user is one hash, so that a generation, what was stored under it and the writes that are under
-- way come and go together, whatever is evicted:
--   generation   random, never counted: one that is lost is not given twice
--   writes       id=deadline of each write that is under way
--   others       an answer each: when it was computed, everybody's generation then, headers, body
-- EVERYBODY is a hash of the same kind without answers: a write of service_role that does not say
-- whose rows it changes is a write of it. Time is Redis's, so that gateways' clocks may differ.

local M = {}

local COMMON = [[
local time = redis.call('time')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function writes(key, but)
    local under_way = {}
    local found = redis.call('hget', key, 'writes') or ''
    for id, deadline in string.gmatch(found, '(%w+)=(%d+)') do
        if tonumber(deadline) > now and id ~= but then
            table.insert(under_way, id .. '=' .. deadline)
        end
    end
    return under_way
end
]]

-- KEYS: user, everybody, counts. ARGV: a generation, if one is needed; field; greatest age and
-- life of the hash, in ms. Answers {user, 'writing'}, {user, 'hit', age, answer} or
-- {user, 'miss', generation, everybody's generation, now}.
-- Reads first: a Redis that is full refuses writes, and still answers.
local LOOK_UP = [[
local user, everybody, counts = unpack(KEYS)
if #writes(user) > 0 or #writes(everybody) > 0 then
    return {user, 'writing'}
end

local general = redis.call('hget', everybody, 'generation')
local found = redis.call('hget', user, ARGV[2])
if found then
    local computed_at, under = string.match(found, '^(%d+) (%w+) ')
    local age = now - tonumber(computed_at)
    if under == general and age >= 0 and age < tonumber(ARGV[3]) then
        redis.pcall('hincrby', counts, 'hits', 1)
        return {user, 'hit', age, found}
    end
end

redis.pcall('hincrby', counts, 'misses', 1)
if not general then
    general = ARGV[1]
    redis.call('hset', everybody, 'generation', general)
end
local generation = redis.call('hget', user, 'generation')
if not generation then
    generation = ARGV[1]
    redis.call('hset', user, 'generation', generation)
    redis.call('pexpire', user, ARGV[4])
end
return {user, 'miss', generation, general, string.format('%d', now)}
]]

-- KEYS: user, everybody. ARGV: the generations of the look-up; field; answer; life of the hash in
-- ms; most fields. Only while the generations are still those, and nobody writes.
local STORE = [[
local user, everybody = unpack(KEYS)
if redis.call('hget', user, 'generation') ~= ARGV[1]
    or redis.call('hget', everybody, 'generation') ~= ARGV[2]
    or #writes(user) > 0 or #writes(everybody) > 0
then
    return 0
end
if redis.call('hlen', user) >= tonumber(ARGV[6]) and redis.call('hexists', user, ARGV[3]) == 0 then
    redis.call('del', user)
    redis.call('hset', user, 'generation', ARGV[1])
end
redis.call('hset', user, ARGV[3], ARGV[4])
redis.call('pexpire', user, ARGV[5])
return 1
]]

-- KEYS: those who are written. ARGV: id of the write, and its generation; how long it may take and
-- life of the hash, in ms. Everything from before is gone.
-- DEL comes first: where Redis is full it is not refused, and what follows it is not either.
local BEGIN_WRITE = [[
for _, key in ipairs(KEYS) do
    local under_way = writes(key)
    table.insert(under_way, ARGV[1] .. '=' .. string.format('%d', now + ARGV[2]))
    redis.call('del', key)
    redis.call('hset', key, 'generation', ARGV[1], 'writes', table.concat(under_way, ' '))
    if key ~= 'EVERYBODY' then
        redis.call('pexpire', key, ARGV[3])
    end
end
return #KEYS
]]

-- KEYS, ARGV: as BEGIN_WRITE had them. A write that is not known here any more was evicted, or
-- Redis was started anew meanwhile: somebody may have stored what is older than the write.
local END_WRITE = [[
for _, key in ipairs(KEYS) do
    local found = redis.call('hget', key, 'writes') or ''
    if not string.find(found, ARGV[1], 1, true) then
        redis.call('del', key)
    else
        local under_way = writes(key, ARGV[1])
        if #under_way == 0 then
            redis.call('hdel', key, 'writes')
        else
            redis.call('hset', key, 'writes', table.concat(under_way, ' '))
        end
    end
end
return #KEYS
]]

M.EVERYBODY = "pgfeed:everybody"

for name, text in pairs {
    look_up = LOOK_UP,
    store = STORE,
    begin_write = BEGIN_WRITE,
    end_write = END_WRITE,
} do
    text = (COMMON .. text):gsub("EVERYBODY", M.EVERYBODY)
    local sha = ngx.sha1_bin(text):gsub(".", function(byte)
        return ("%02x"):format(byte:byte())
    end)
    M[name] = { text = text, sha = sha }
end

return M
