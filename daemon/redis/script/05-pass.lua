
-- ------------------------------------------------------------------ what is asked

local want_now = false  -- whether one is now or never
do
	local said = named
	named = {}
	for at = 1, #said, SLOT_SIZE do
		local slot, number = struct.unpack(SLOT, said, at)
		named[#named + 1] = {slot, number}
	end
	said, cancels = cancels, {}
	for at = 1, #said, 16 do
		cancels[#cancels + 1] = string.sub(said, at, at + 15)
	end
	said, wants = wants, {}
	for at = 1, #said, WANT_SIZE do
		local id, n, is_now, limit, age = struct.unpack(WANT, said, at)
		wants[#wants + 1] = {daemon = d, id = id, n = n, now = is_now, limit = limit, age = age,
			class = limit .. ',' .. configured, key = 0}
		want_now = want_now or is_now == 1
	end
	local at
	said, adopts, at = adopts, {}, 1
	while at <= #said do
		local a, n = {}
		a.id, a.number, a.limit, n, at = struct.unpack(ADOPT, said, at)
		for i = 1, n do
			a[i], at = struct.unpack('>I4', said, at)
		end
		adopts[#adopts + 1] = a
	end
end

-- All of this exchange: in one table, made at once, because one that grows is slow.
local x = {
	-- the group, as it is kept; counted are what OWNERS, QUEUE, NOWS and INBOX hold
	gt = gt,                -- its own clock
	era = its_era, eon = eon, -- and how many it has had
	grace_end = grace_end, hot = hot, -- until then it is contended
	shortest = shortest,    -- lease on record
	last = last,            -- highest number
	top = top,              -- highest slot ever used
	in_use = in_use, queued = queued, nows = nows, notices = notices,
	expire = expire,        -- of its keys, in s
	classes = fresh and '' or string.sub(found[1], GROUP_SIZE + 1), -- "class=count …"
	peers = found[4] or '0', -- as in the reply: made when one comes, goes or is told otherwise

	sizes = false,          -- UNAWARE and RECALLS → how many are in it
	records = {},           -- daemon → its record, if it was read
	changed = {},           -- those to be written
	created = {},           -- keys that may have no expiry yet

	slots = {},             -- slot → what is known of it, if that was read
	freed = {},             -- free slots that are not in FREE
	stored = top - in_use,  -- how many are
	were_in_use = in_use, have_moved = false,

	n_class = {},           -- class → how many of it are in QUEUE
	new = {},               -- class → wants that are not in QUEUE yet

	-- made when there is the first: members to be taken out, what others are told, the reply's lists
	leaving = nil, leaving_wants = nil, leaving_nows = nil, inbox = nil, pushes = nil,
	granted = nil, lost = nil, full = nil, refused = nil,
}

-- The keys that this exchange may touch.
x.sizes = {[UNAWARE] = read('ZCARD', UNAWARE), [RECALLS] = read('ZCARD', RECALLS)}
local is_any = fresh or full or is_reaping or is_to_expire or #adopts > 0
if is_any or is_told_otherwise then
	read('ZCARD', LENGTHS)
	read('ZCARD', LIMITS)
end
if is_any or queued + notices + #named + #wants > 0 then
	read('HLEN', OWNERS)
	read('ZCARD', SLOTS)
	read('ZCARD', FREE)
end
if is_any or queued + #wants > 0 then
	read('ZCARD', QUEUE)
	read('ZCARD', WANTS)
end
if is_any or nows > 0 or want_now then
	read('ZCARD', NOWS)
end
if is_any or queued + notices > 0 then
	read('ZCARD', INBOX)
end

-- Everything that can be refused has been; from here on there are writes.

local function many(cmd, key, list)
	if list then
		for i = 1, #list, 4000 do
			redis.call(cmd, key, unpack(list, i, math.min(i + 3999, #list)))
		end
	end
end

-- Lists that are not there are made.
local function put(list, a, b)
	if not list then
		return {a, b}
	end
	local n = #list
	list[n + 1], list[n + 2] = a, b
	return list
end

-- Of a set in the order of bytes, the members that begin with these words.
local function members(key, words)
	return redis.call('ZRANGEBYLEX', key, '[' .. words .. ' ', '(' .. words .. '!')
end

if fresh then           -- what may be left of an older one is nobody's
	redis.call('DEL', unpack(KEYS, 4))
	other_ends, x.sizes, is_reaping = nil, {[UNAWARE] = 0, [RECALLS] = 0}, false
end
if x.era ~= era then
	x.eon = x.eon + 1
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
if clock == TIME_MAX then        -- somebody has ended the grace, of every group
	x.grace_end = 0
end
local grace = x.gt < x.grace_end

-- ------------------------------------------------------------------ records

local function record_parse(x, id, s)
	local limit, its_lease, seq, inc, eon, aware, recall, keep, dead, slots, entries =
		struct.unpack(RECORD, s)
	local r = {id = id, host = string.sub(s, RECORD_SIZE + 1), limit = limit, seq = seq, inc = inc,
		lease = its_lease, aware = aware, recall = recall, keep = keep, dead = dead,
		slots = slots, entries = entries, unaware_at = nil, recall_at = nil}
	if eon ~= x.eon then
		r.inc, r.aware = 0, 0
	end
	r.unaware_at, r.recall_at = places(slots, dead, keep, r.aware, recall)
	x.records[id] = r
	return r
end

local function record(x, id)
	return x.records[id] or record_parse(x, id, redis.call('HGET', RECORDS, id))
end

local function place_in(x, key, id, from, to)
	local more = place(key, id, from, to)
	if more == 1 and x.sizes[key] == 0 then
		x.created[key] = true
	end
	x.sizes[key] = x.sizes[key] + more
end

-- After this UNAWARE and RECALLS are as the records say.
local function place_all(x)
	for id, r in pairs(x.changed) do
		local unaware_at, recall_at = places(r.slots, r.dead, r.keep, r.aware, r.recall)
		place_in(x, UNAWARE, id, r.unaware_at, unaware_at)
		place_in(x, RECALLS, id, r.recall_at, recall_at)
		r.unaware_at, r.recall_at = unaware_at, recall_at
	end
end

-- All keys of a group expire at the same time, so it is there as a whole or not at all.
local function write_group(x)
	if is_to_expire then
		x.expire = in_a_week
		for i = 3, 15 do
			x.created[KEYS[i]] = true
		end
	end
	local list = {'group', struct.pack(GROUP, x.gt, now, x.eon, x.grace_end, x.hot, x.shortest,
		x.last, x.top, x.in_use, x.queued, x.nows, x.notices, x.expire, era) .. x.classes}
	for id, r in pairs(x.changed) do
		put(list, id, struct.pack(RECORD, r.limit, r.lease, r.seq, r.inc, x.eon, r.aware,
			r.recall, r.keep, r.dead, r.slots, r.entries) .. r.host)
	end
	if x.peers ~= found[4] then
		put(list, 'peers', x.peers)
	end
	many('HSET', RECORDS, list)
	if marker_has_changed then
		write_marker(sid, began, clock, looked, longest, eras)
	end
	for key in pairs(x.created) do
		redis.call('EXPIREAT', key, x.expire)
	end
end

-- ------------------------------------------------------------------ admission

-- Of an install, the daemons generation.nonce: whether the first is an older one.
local function is_older(a, b)
	return tonumber(string.sub(a, 1, 16), 16) < tonumber(string.sub(b, 1, 16), 16)
end

local function is_predecessor(id)
	return string.sub(id, 1, 16) == install and is_older(string.sub(id, 18), string.sub(d, 18))
end

local me = found[2] and record_parse(x, d, found[2])
local mine = string.sub(d, 18)                                  -- generation.nonce,
local latest = found[3] and string.sub(found[3], 1, 33) or mine -- and our install's latest
local verdict
if me and seq <= me.seq then
	verdict = 'STALE'
elseif latest ~= mine and (is_older(mine, latest) or
	string.sub(latest, 1, 16) == string.sub(mine, 1, 16)) then
	verdict = 'GONE'
elseif not full and (not me or me.inc ~= incarnation or me.inc == 0) then
	verdict = 'RESYNC'
end
if verdict then
	write_group(x)
	return verdict
end
