
-- ================================================================== slots

-- What is known of a slot: whose it is (false: free) with which number, whose it is on record.
local function slot_known(x, slot, id, number)
	local s = {id = id, number = number, was = id, has_moved = false}
	x.slots[slot] = s
	return s
end

local function owners_load(x, slots)
	local list = {}
	for _, slot in ipairs(slots) do
		if not x.slots[slot] then
			put(list, slot)
		end
	end
	for i = 1, #list, 4000 do
		local last = math.min(i + 3999, #list)
		for k, v in ipairs(redis.call('HMGET', OWNERS, unpack(list, i, last))) do
			slot_known(x, list[i + k - 1], v and string.sub(v, 1, 50),
				v and tonumber(string.sub(v, 52)))
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
	local s = x.slots[slot] or slot_known(x, slot, r.id)
	s.id, s.has_moved = false, true
	x.freed[slot], x.have_moved = true, true
	r.slots = r.slots - 1
	x.changed[r.id] = r
	x.in_use = x.in_use - 1
end

local function free_put(x, first, last)
	if first <= last then
		redis.call('ZADD', FREE, first, range_text(first, last))
		if x.stored == 0 then
			x.created[FREE] = true
		end
		x.stored = x.stored + last - first + 1
	end
end

-- Takes a range out of FREE.
local function free_take(x, member)
	local first, last = range_of(member)
	x.stored = x.stored - (last - first + 1)
	return first, last
end

local function slot_give(x, s, r, number)
	s.id, s.number, s.has_moved = r.id, number, true
	x.have_moved = true
	r.slots = r.slots + 1
	x.changed[r.id] = r
end

-- Records a slot, whose owner has been read, for r.
local function slot_take(x, slot, r, number)
	local s = x.slots[slot]
	if s.id then
		local from = record(x, s.id)
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
	slot_give(x, s, r, number)
end

-- Sets come before deletions: a key that is empty in between would lose its expiry.
local function write_slots(x)
	local set, del, add, rem, free
	for slot, s in pairs(x.slots) do
		if s.has_moved then
			local id, was = s.id, s.was
			if id then
				set = put(set, slot, string.format('%s %d', id, s.number))
			elseif was then
				del = put(del, slot)
			end
			if was ~= id then
				if was then
					rem = put(rem, string.format('%s %07d', was, slot))
				end
				if id then
					add = put(add, '0', string.format('%s %07d', id, slot))
				end
			end
		end
	end
	for slot in pairs(x.freed) do
		free = put(free, slot, slot)
	end
	many('HSET', OWNERS, set)
	many('ZADD', SLOTS, add)
	many('HDEL', OWNERS, del)
	many('ZREM', SLOTS, rem)
	many('ZADD', FREE, free)
	if x.were_in_use == 0 and add then
		x.created[OWNERS], x.created[SLOTS] = true, true
	end
	if x.stored == 0 and free then
		x.created[FREE] = true
	end
end
