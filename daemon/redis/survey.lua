#!lua flags=no-writes
-- A survey: what is on record of one group, of daemons that do not answer; or what in it does not
-- agree.  It reads, and writes nothing.  The keys are those of the exchange, and how they are written
-- is said there: script/01-head.lua.
--
-- Keys: records leases owners slots queue wants nows inbox.
-- Arguments: "list" or "check", from where to go on ("" at first), daemons that answer…
-- Reply: a list of texts.
--   D daemon lease-left host   one that does not answer; what follows is its
--   S slot                     which it has
--   W n age limit              a waiter of it; the limit is its own, or -1
--   P text                     what does not agree
--   M from                     there is more: go on from there
-- Whoever asks for it needs +scan besides what the exchange needs, to find the groups.
-- Times are microseconds.  A run looks at PAGE slots, so that it keeps nobody waiting.
local PAGE = 500
local GROUP, RECORD, RECORD_SIZE = '>LLLLLLLLLLLLL', '>lLLLLLLBBLL', 74
local RECORDS, LEASES, OWNERS, SLOTS, QUEUE, WANTS, NOWS, INBOX = unpack(KEYS)
local mode, from = ARGV[1], ARGV[2]

local reply = {}
local function say(...)
	reply[#reply + 1] = string.format(...)
end

local group = redis.call('HGET', RECORDS, 'group')
if not group then
	return reply
end
local gt, wall, _, _, _, shortest, _, _, in_use, queued, nows, notices = struct.unpack(GROUP, group)
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
gt = gt + math.min(math.max(now - wall, 1), math.max(1, math.floor(shortest / 10) * 4))

local function list()
	local answers, room = {}, PAGE
	for i = 3, #ARGV do
		answers[ARGV[i]] = true
	end
	local daemons, ends = {}, {}
	local leases = redis.call('ZRANGE', LEASES, 0, -1, 'WITHSCORES')
	for i = 1, #leases, 2 do
		if not answers[leases[i]] and leases[i] >= string.sub(from, 1, 50) then
			daemons[#daemons + 1], ends[leases[i]] = leases[i], tonumber(leases[i + 1])
		end
	end
	table.sort(daemons)
	for _, id in ipairs(daemons) do
		local record = redis.call('HGET', RECORDS, id) or ''
		say('D %s %d %s', id, math.max(0, ends[id] - gt), string.sub(record, RECORD_SIZE + 1))
		local after = string.sub(from, 1, 50) == id and '(' .. from or '[' .. id .. ' '
		local page = redis.call('ZRANGEBYLEX', SLOTS, after, '(' .. id .. '!', 'LIMIT', 0, room)
		for _, member in ipairs(page) do
			say('S %d', tonumber(string.sub(member, 52)))
		end
		room = room - #page
		if room <= 0 then
			say('M %s', page[#page])
			return
		end
		for _, member in ipairs(redis.call('ZRANGEBYLEX', WANTS, '[' .. id .. ' ', '(' .. id .. '!',
			'LIMIT', 0, PAGE)) do
			local key, n, own = string.match(member, '^%S+ (%d+) (%d+) %d ([^,]+)', 52)
			say('W %s %d %s', n, math.max(0, gt - tonumber(key)), own)
		end
	end
end

local function agree(what, recorded, found)
	if recorded ~= found then
		say('P %s: %d are recorded and %d are there', what, recorded, found)
	end
end

local function check_counts()
	local slots, entries = 0, 0
	local records = redis.call('HGETALL', RECORDS)
	local leased = {}
	for _, id in ipairs(redis.call('ZRANGE', LEASES, 0, -1)) do
		leased[id] = true
	end
	for i = 1, #records, 2 do
		local id = records[i]
		if #id == 50 then
			local _, _, _, _, _, _, _, _, _, its_slots, its_entries =
				struct.unpack(RECORD, records[i + 1])
			slots, entries = slots + its_slots, entries + its_entries
			if not leased[id] then
				say('P daemon %s: it is on record without a lease', id)
			end
			leased[id] = nil
		end
	end
	for id in pairs(leased) do
		say('P daemon %s: it has a lease and is not on record', id)
	end
	agree('slots in use', in_use, redis.call('HLEN', OWNERS))
	agree('slots of daemons', in_use, redis.call('ZCARD', SLOTS))
	agree('slots of records', in_use, slots)
	agree('waiters in the queue', queued, redis.call('ZCARD', QUEUE))
	agree('waiters of daemons', queued, redis.call('ZCARD', WANTS))
	agree('waiters of records', queued, entries)
	agree('waiters now or never', nows, redis.call('ZCARD', NOWS))
	agree('notices', notices, redis.call('ZCARD', INBOX))
end

local function check_slots(first)
	local page = redis.call('ZRANGE', SLOTS, first, first + PAGE - 1)
	local numbers = {}
	for i, member in ipairs(page) do
		numbers[i] = string.format('%d', tonumber(string.sub(member, 52)))
	end
	local owners = #page > 0 and redis.call('HMGET', OWNERS, unpack(numbers)) or {}
	for i, member in ipairs(page) do
		local id = string.sub(member, 1, 50)
		if not owners[i] or string.sub(owners[i], 1, 50) ~= id then
			say('P slot %s: it is in the list of daemon %s and not its', numbers[i], id)
		end
	end
	if #page == PAGE then
		say('M %d', first + PAGE)
	end
end

if mode == 'list' then
	list()
else
	if from == '' then
		check_counts()
	end
	check_slots(tonumber(from) or 0)
end
return reply
