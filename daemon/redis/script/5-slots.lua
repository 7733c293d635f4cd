
-- ================================================================== slots

local function owners_load(x, slots)
	local list = {}
	for _, slot in ipairs(slots) do
		if x.owner[slot] == nil then
			put(list, slot)
		end
	end
	for i = 1, #list, 4000 do
		local last = math.min(i + 3999, #list)
		for k, v in ipairs(redis.call('HMGET', OWNERS, unpack(list, i, last))) do
			local slot, id, number = list[i + k - 1], string.match(v or '', '^(%S+) (%d+)$')
			x.owner[slot] = id and {id, tonumber(number)} or false
			x.was[slot] = id or false
		end
	end
end

-- The numbers of the slots recorded for r.
local function slots_of(x, r)
	local list = {}
	if r.slots > 0 then
		for i, m in ipairs(members(SLOTS, r.id)) do
			list[i] = tonumber(string.sub(m, 52))
		end
	end
	return list
end

-- The slot, which is recorded for r, is free.
local function slot_free(x, slot, r)
	if x.owner[slot] == nil then
		x.was[slot] = r.id
	end
	x.owner[slot], x.moved[slot], x.freed[slot] = false, true, true
	r.slots = r.slots - 1
	x.changed[r.id] = r
	x.in_use = x.in_use - 1
end

local function free_put(x, first, last)
	if first <= last then
		redis.call('ZADD', FREE, first, first == last and first or first .. '-' .. last)
		x.stored = x.stored + last - first + 1
		x.created[FREE] = true
	end
end

-- Takes a range out of FREE.
local function free_take(x, member)
	local first, last = string.match(member, '^(%d+)-?(%d*)$')
	first, last = tonumber(first), tonumber(last) or tonumber(first)
	x.stored = x.stored - (last - first + 1)
	return first, last
end

-- Records a slot, whose owner has been read, for r.
local function slot_take(x, slot, r, number)
	local o = x.owner[slot]
	if o then
		local from = record(x, o[1])
		from.slots = from.slots - 1
		x.changed[from.id] = from
	else
		x.in_use = x.in_use + 1
		if x.freed[slot] then
			x.freed[slot] = nil
		elseif slot > x.top then
			free_put(x, x.top + 1, slot - 1)
			x.top = slot
		else
			local m = redis.call('ZREVRANGEBYSCORE', FREE, slot, '-inf', 'LIMIT', 0, 1)[1]
			local first, last = free_take(x, m)
			redis.call('ZREM', FREE, m)
			free_put(x, first, slot - 1)
			free_put(x, slot + 1, last)
		end
	end
	x.owner[slot], x.moved[slot] = {r.id, number}, true
	r.slots = r.slots + 1
	x.changed[r.id] = r
end

-- Sets come before deletions: a key that is empty in between would lose its expiry.
local function write_slots(x)
	local set, del, add, rem, free = {}, {}, {}, {}, {}
	for slot in pairs(x.moved) do
		local o, was = x.owner[slot], x.was[slot]
		if o then
			put(set, slot, o[1] .. string.format(' %d', o[2]))
		elseif was then
			put(del, slot)
		end
		if was ~= (o and o[1]) then
			if was then
				put(rem, was .. string.format(' %07d', slot))
			end
			if o then
				put(add, 0, o[1] .. string.format(' %07d', slot))
			end
		end
	end
	for slot in pairs(x.freed) do
		put(free, slot, slot)
	end
	many('HSET', OWNERS, set)
	many('ZADD', SLOTS, add)
	many('HDEL', OWNERS, del)
	many('ZREM', SLOTS, rem)
	many('ZADD', FREE, free)
	if x.were_in_use == 0 and #add > 0 then
		x.created[OWNERS], x.created[SLOTS] = true, true
	end
	if x.stored == 0 and #free > 0 then
		x.created[FREE] = true
	end
end
