
-- ================================================================== the group and its records

local live, live_left = -1, -1
local set = read('HMGET', KEYS[2], 'pause ' .. group, 'limit ' .. group)
for i = 1, (set[1] or set[2]) and 2 or 0 do
	local limit, till = string.match(set[i] or '-1 0 ', '^(-?%d+) (%d+) ')
	limit, till = tonumber(limit), tonumber(till)
	if not till then
		error({err = 'ERR slotd: not a live limit: ' .. KEYS[2]})
	elseif live == -1 and limit ~= -1 and now < till then
		live, live_left = limit, till == NEVER and -1 or till - now
	end
end
local install = string.sub(d, 1, 16)
local found = read('HMGET', KEYS[3], 'group', d, install, 'peers')
local fresh = not found[1]

local gt, wall, eon, grace_end, hot, shortest, last, top, in_use, queued, nows, notices, expire, its_era
local its_limit, its_lease, its_seq, inc, its_eon, aware, recall, its_keep, dead, n_slots, entries
if not fresh then
	if #found[1] < GROUP_SIZE then
		error({err = 'ERR slotd: not a group: ' .. RECORDS})
	end
	gt, wall, eon, grace_end, hot, shortest, last, top, in_use, queued, nows, notices, expire,
		its_era = struct.unpack(GROUP, found[1])
	-- its clock advances by little at a time, whatever the server's does
	gt = gt + math.min(math.max(now - wall, 1), math.max(1, math.floor(shortest / 10) * 4))
else
	gt, eon, grace_end, hot, shortest, last, top, in_use = now, 0, 0, 0, 0, 0, 0, 0
	queued, nows, notices, expire, its_era = 0, 0, 0, 0, ''
end
if found[2] then
	its_limit, its_lease, its_seq, inc, its_eon, aware, recall, its_keep, dead, n_slots, entries =
		struct.unpack(RECORD, found[2])
end
local leases = read('ZRANGE', LEASES, '0', '1', 'WITHSCORES')
-- when the first lease of another daemon ends; nil: nobody else is on record
local other_ends = tonumber(leases[leases[1] == d and 4 or 2])
local is_reaping = other_ends and other_ends <= gt
local is_told_otherwise = its_limit ~= configured or its_lease ~= lease
local in_a_week = math.floor(now / 1000000) + 604800
local is_to_expire = in_a_week - expire >= 3600

-- ------------------------------------------------------------------ what every exchange shares

-- The limit under which is served who names one of its own, or none, below a ceiling, or none (-1).
local function limit_of(own, ceiling)
	if own == -1 or ceiling == -1 then
		return own == -1 and ceiling or own
	end
	return math.min(own, ceiling)
end

-- Where a daemon belongs among the unaware and those to recall; nil: nowhere.
local function places(n_slots, dead, keep, aware, recall)
	if n_slots == 0 or dead == 1 then
		return nil, nil
	elseif keep == 1 then
		return 0, recall
	end
	return aware, aware < NEVER and recall or nil
end

-- Moves it there. -> how many more they are
local function place(key, id, from, to)
	if to == from then
		return 0
	elseif not to then
		return -redis.call('ZREM', key, id)
	end
	return redis.call('ZADD', key, string.format('%d', to), id)
end

-- A member of FREE.
local function range_text(first, last)
	return first == last and first or first .. '-' .. last
end

local function range_of(member)
	local first, last = string.match(member, '^(%d+)-?(%d*)$')
	first = tonumber(first)
	return first, tonumber(last) or first
end
