#!lua flags=allow-oom
-- Live limits and pauses: sets one, for all daemons; or puts back what one of them remembers.
--
-- Keys: live; to set, also leases and history of the group.  How live is kept is said where the
-- exchange reads it: script/01-head.lua.  History has what was set, the newest first, and never expires.
-- Arguments: the channel of all · what ("limit group" or "pause group") · limit (-1: none), then to
-- set: how long (us, or -1: without end) · uid by why · what stands before a daemon in its channel's
-- name · group; to put back: until at uid by why, as they were.
-- Reply: to set, "OK V what limit until at uid by why", as it is then; to put back, "OK" and the same
-- if that was news, else "OLD".  News is published on the channel of all, without the OK.
local NEVER = 9007199254740991

-- A key of another type belongs to somebody else: say which, touch nothing.
local function read(cmd, key, ...)
	local r = redis.pcall(cmd, key, ...)
	if type(r) == 'table' and r.err then
		error({err = r.err .. ': ' .. key})
	end
	return r
end

local all, what, limit = ARGV[1], ARGV[2], ARGV[3]
local was = read('HGET', KEYS[1], what)
local before = was and tonumber(string.match(was, '^%S+ %d+ (%d+) ')) or 0
local at, till, uid, by, why
if #KEYS == 1 then
	till, at, uid, by, why = unpack(ARGV, 4)
	if tonumber(at) <= before then
		return 'OLD'
	end
else
	-- {the server's own time
	local now = redis.call('TIME')
	now = now[1] * 1000000 + now[2]
	-- }the server's own time
	local length, next_at = tonumber(ARGV[4]), math.max(now, before + 1)
	at = string.format('%d', next_at)
	till = string.format('%d', length == -1 and NEVER or math.min(next_at + length, NEVER))
	uid, by, why = ARGV[5], ARGV[6], ARGV[7]
end

local value = table.concat({limit, till, at, uid, by, why}, ' ')
local news = 'V ' .. what .. ' ' .. value
if #KEYS > 1 then
	local channels, group = ARGV[8], ARGV[9]
	local daemons = read('ZRANGE', KEYS[2], 0, -1)
	read('LLEN', KEYS[3])
	redis.call('LPUSH', KEYS[3], news)
	redis.call('LTRIM', KEYS[3], 0, 19)
	for _, d in ipairs(daemons) do          -- whoever is on record is to exchange again
		redis.call('PUBLISH', channels .. d, 'R 0 0 0 ' .. group)
	end
end
redis.call('HSET', KEYS[1], what, value)
redis.call('PUBLISH', all, news)
return 'OK ' .. news
