-- What wrk asks: feeds of the users in a file, one after the other, each with their own token.
--
-- Usage       wrk ... -s requests.lua URL -- FILE
-- Reads       FILE, a line a user: the path, a space, the token
-- Prints      one JSON line: requests, seconds, errors, and milliseconds at three ranks

local asked = {}
local turn = 0

function init(args)
    for line in io.lines(args[1]) do
        local path, token = line:match("^(%S+) (%S+)$")
        asked[#asked + 1] = wrk.format("GET", path, { Authorization = "Bearer " .. token })
    end
end

function request()
    turn = turn % #asked + 1
    return asked[turn]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %f, "errors": %d, "p50": %f, "p95": %f, "p99": %f}\n',
        summary.requests,
        summary.duration / 1e6,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50) / 1000,
        latency:percentile(95) / 1000,
        latency:percentile(99) / 1000
    ))
end
