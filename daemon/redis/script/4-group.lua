
-- ================================================================== the group and its records

local live = tonumber(read('HGET', KEYS[2], 'limit') or -1)
if not live then
	error({err = 'ERR slotd: not a limit: ' .. KEYS[2]})
end
local install = string.sub(d, 1, 16)
local found = read('HMGET', KEYS[3], 'group', d, install, 'peers')
local fresh = not found[1]

-- All of this exchange: in one table, made at once, because one that grows is slow.
local x = {
	now = now,
	-- the group, as it is kept; counted are what OWNERS, QUEUE, NOWS and INBOX hold
	gt = now,               -- its own clock
	wall = now,             -- the server's time at the last exchange
	era = '', eon = 0,      -- and how many it has had
	grace_end = 0, hot = 0, -- until then it is contended
	shortest = 0,           -- lease on record
	last = 0,               -- highest number
	top = 0,                -- highest slot ever used
	in_use = 0, queued = 0, nows = 0, notices = 0,
	expire = 0,             -- of its keys, in s
	classes = '',           -- "class=count …"
	peers = found[4] or '0', -- as in the reply: made when one comes, goes or is told otherwise

	leases = false,         -- the first two of LEASES
	records = {},           -- daemon → its record, if it was read
	changed = {},           -- those to be written
	created = {},           -- keys that may have no expiry yet

	owner = {},             -- slot → {daemon, number}; false: free; nil: not read
	was = {},               -- slot → the daemon that it is recorded for, or false
	moved = {},             -- slots whose owner or number has changed
	freed = {},             -- free slots that are not in FREE
	stored = 0,             -- how many are
	were_in_use = 0,

	n_class = {},           -- class → how many of it are in QUEUE
	new = {},               -- class → wants that are not in QUEUE yet
}
local leaving, leaving_wants, leaving_nows = {}, {}, {}   -- members to be taken out
local inbox, pushes = {}, {}
local granted, lost, answered_full, refused = {}, {}, {}, {}    -- as in the reply
if not fresh then
	if #found[1] < GROUP_SIZE then
		error({err = 'ERR slotd: not a group: ' .. RECORDS})
	end
	local gt, wall
	gt, wall, x.eon, x.grace_end, x.hot, x.shortest, x.last, x.top, x.in_use, x.queued, x.nows,
		x.notices, x.expire, x.era = struct.unpack(GROUP, found[1])
	x.classes = string.sub(found[1], GROUP_SIZE + 1)
	-- it advances by little at a time, whatever the server's clock does
	x.gt = gt + math.min(math.max(now - wall, 1), math.max(1, math.floor(x.shortest / 10) * 4))
	x.stored, x.were_in_use = x.top - x.in_use, x.in_use
end
x.leases = read('ZRANGE', KEYS[4], 0, 1, 'WITHSCORES')

-- When the first lease of another daemon ends; nil: nobody else is on record.
local function earliest_other(x)
	if x.leases[1] ~= d then
		return tonumber(x.leases[2])
	end
	return tonumber(x.leases[4])
end

local is_reaping = (earliest_other(x) or NEVER) <= x.gt
local its_limit, its_lease
if found[2] then
	its_limit, its_lease = struct.unpack(LIMIT_AND_LEASE, found[2])
end
local is_told_otherwise = its_limit ~= configured or its_lease ~= lease
read('ZCARD', KEYS[5])
if is_told_otherwise or is_reaping then
	read('ZCARD', KEYS[6])
end
read('ZCARD', KEYS[7])
read('ZCARD', KEYS[8])
if fresh or full or is_reaping or x.queued + x.notices + #named + #cancels + #wants + #adopts > 0 then
	read('HLEN', KEYS[9])
	for i = 10, 15 do
		read('ZCARD', KEYS[i])
	end
end

-- Everything that can be refused has been; from here on there are writes.

local function many(cmd, key, list)
	for i = 1, #list, 4000 do
		redis.call(cmd, key, unpack(list, i, math.min(i + 3999, #list)))
	end
end

local function put(list, a, b)
	local n = #list
	list[n + 1], list[n + 2] = a, b
end

-- Of a set in the order of bytes, the members that begin with these words.
local function members(key, words)
	return redis.call('ZRANGEBYLEX', key, '[' .. words .. ' ', '(' .. words .. '!')
end

if fresh then           -- what may be left of an older one is nobody's
	redis.call('DEL', unpack(KEYS, 4))
	x.leases, is_reaping = {}, false
end
if x.era ~= era then
	x.era, x.eon = era, x.eon + 1
	if grace_left > 0 then
		x.grace_end = x.gt + grace_left
	end
	if x.notices > 0 then
		redis.call('DEL', INBOX)
		x.notices = 0
	end
	if not fresh then       -- nobody is aware now, so everybody may be recalled
		redis.call('ZUNIONSTORE', RECALLS, 2, RECALLS, UNAWARE, 'WEIGHTS', 1, 0,
			'AGGREGATE', 'MAX')
		redis.call('ZUNIONSTORE', UNAWARE, 1, UNAWARE, 'WEIGHTS', 0)
		x.created[RECALLS], x.created[UNAWARE] = true, true
	end
end
if marker.clock == TIME_MAX then        -- somebody has ended the grace, of every group
	x.grace_end = 0
end
local grace = x.gt < x.grace_end

-- ------------------------------------------------------------------ records

-- Where it belongs among the unaware and those to recall; nil: nowhere.
local function places(r)
	if r.slots == 0 or r.dead == 1 then
		return nil, nil
	elseif r.keep == 1 then
		return 0, r.recall
	end
	return r.aware, r.aware < 9007199254740991 and r.recall or nil
end

local function record_parse(x, id, s)
	local limit, its_lease, seq, inc, eon, aware, recall, keep, dead, slots, entries =
		struct.unpack(RECORD, s)
	local r = {id = id, host = string.sub(s, RECORD_SIZE + 1), limit = limit, seq = seq, inc = inc,
		lease = its_lease, aware = aware, recall = recall, keep = keep, dead = dead,
		slots = slots, entries = entries}
	if eon ~= x.eon then
		r.inc, r.aware = 0, 0
	end
	r.unaware_at, r.recall_at = places(r)
	x.records[id] = r
	return r
end

local function record(x, id)
	return x.records[id] or record_parse(x, id, redis.call('HGET', RECORDS, id))
end

local function place(x, key, id, from, to)
	if to == from then
		return
	elseif not to then
		redis.call('ZREM', key, id)
	elseif redis.call('ZADD', key, to, id) == 1 then
		x.created[key] = true
	end
end

-- After this UNAWARE and RECALLS are as the records say.
local function place_all(x)
	for id, r in pairs(x.changed) do
		local unaware_at, recall_at = places(r)
		place(x, UNAWARE, id, r.unaware_at, unaware_at)
		place(x, RECALLS, id, r.recall_at, recall_at)
		r.unaware_at, r.recall_at = unaware_at, recall_at
	end
end

-- All keys of a group expire at the same time, so it is there as a whole or not at all.
local function write_group(x)
	local in_a_week = math.floor(x.now / 1000000) + 604800
	if in_a_week - x.expire >= 3600 then
		x.expire = in_a_week
		for i = 3, 15 do
			x.created[KEYS[i]] = true
		end
	end
	local list = {'group', struct.pack(GROUP, x.gt, x.wall, x.eon, x.grace_end, x.hot, x.shortest,
		x.last, x.top, x.in_use, x.queued, x.nows, x.notices, x.expire, x.era) .. x.classes}
	for id, r in pairs(x.changed) do
		put(list, id, struct.pack(RECORD, r.limit, r.lease, r.seq, r.inc, x.eon, r.aware,
			r.recall, r.keep, r.dead, r.slots, r.entries) .. r.host)
	end
	if x.peers ~= found[4] then
		put(list, 'peers', x.peers)
	end
	many('HSET', RECORDS, list)
	write_marker(marker)
	for key in pairs(x.created) do
		redis.call('EXPIREAT', key, x.expire)
	end
end

-- ------------------------------------------------------------------ admission

local function generation(id)
	return tonumber(string.sub(id, 18, 33), 16)
end

local me = found[2] and record_parse(x, d, found[2])
local latest = found[3] and string.sub(found[3], 1, 33) -- generation.nonce of our install
local verdict
if me and seq <= me.seq then
	verdict = 'STALE'
elseif latest and (generation(d) < tonumber(string.sub(latest, 1, 16), 16) or
	(string.sub(latest, 1, 16) == string.sub(d, 18, 33) and latest ~= string.sub(d, 18))) then
	verdict = 'GONE'
elseif not full and (not me or me.inc ~= incarnation or me.inc == 0) then
	verdict = 'RESYNC'
end
if verdict then
	write_group(x)
	return verdict
end
