
-- ================================================================== reap the others, renew ours

local siblings          -- latest generation.nonce of our install, and its daemons on record
if full then
	siblings = {}
	for word in string.gmatch(found[3] or '', '%S+') do
		put(siblings, word)
	end
end
if not me then          -- so this is a full sync
	me = {id = d, host = host, limit = -1, lease = 0, inc = 0, aware = 0, recall = 0, dead = 0,
		slots = 0, entries = 0}
	x.records[d] = me
	siblings[1] = string.sub(d, 18)
	put(siblings, d)
	redis.call('HSET', RECORDS, install, table.concat(siblings, ' '))
end
x.changed[d] = me
if redis.call('ZADD', LEASES, string.format('%d', x.gt + lease), d) == 1 then
	x.created[LEASES], x.created[LENGTHS] = true, true
end
local are_peers_known = not is_told_otherwise
if is_told_otherwise then
	me.host = host
end
if me.lease ~= lease then
	redis.call('ZADD', LENGTHS, lease, d)
end
if me.limit ~= configured and configured == -1 then
	redis.call('ZREM', LIMITS, d)
elseif me.limit ~= configured and redis.call('ZADD', LIMITS, configured, d) == 1 then
	x.created[LIMITS] = true
end
me.seq, me.lease, me.limit, me.keep = seq, lease, configured, keep
if is_reaping then
	for _, id in ipairs(redis.call('ZRANGEBYSCORE', LEASES, '-inf', x.gt)) do
		if id ~= d then
			local r, its_install, list = record(x, id), string.sub(id, 1, 16), {}
			for _, slot in ipairs(slots_of(x, r)) do
				slot_free(x, slot, r)
			end
			leave_queue(x, r)
			inbox_clear(x, id)
			place_in(x, UNAWARE, id, r.unaware_at, nil)
			place_in(x, RECALLS, id, r.recall_at, nil)
			redis.call('ZREM', LEASES, id)
			redis.call('ZREM', LENGTHS, id)
			redis.call('ZREM', LIMITS, id)
			redis.call('HDEL', RECORDS, id)
			x.changed[id], x.records[id] = nil, nil
			for word in string.gmatch(redis.call('HGET', RECORDS, its_install), '%S+') do
				if word ~= id then
					put(list, word)
				end
			end
			if #list == 1 then
				redis.call('HDEL', RECORDS, its_install)
			else
				redis.call('HSET', RECORDS, its_install, table.concat(list, ' '))
			end
			if siblings and its_install == install then
				siblings = list
			end
			are_peers_known = false
		end
	end
	leases = redis.call('ZRANGE', LEASES, 0, 1, 'WITHSCORES')
	other_ends = tonumber(leases[leases[1] == d and 4 or 2])
end
if not are_peers_known then
	local peers, is_told = {0}, {}
	for _, key in ipairs({LENGTHS, LIMITS}) do
		local low = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
		local high = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
		for _, id in ipairs(low[2] ~= high[2] and {low[1], high[1]} or {}) do
			if not is_told[id] then
				local r = record(x, id)
				put(peers, string.format('%s %d %d %s', r.host, r.limit, r.lease,
					string.sub(id, 1, 16)))
				is_told[id] = true
			end
		end
		if key == LENGTHS then
			x.shortest = tonumber(low[2])
		end
	end
	peers[1] = #peers - 1
	x.peers = table.concat(peers, ' ')
end
if lease > longest then
	longest, marker_has_changed = lease, true
end

-- ------------------------------------------------------------------ what the daemon says

local function grant(x, id, number, limit, slots)
	x.granted = put(x.granted, string.format('%s %d %d %d ', id, number, limit, #slots) ..
		table.concat(slots, ' '))
end

if #named + #adopts > 0 then
	local list = {}
	for i, s in ipairs(named) do
		list[i] = s[1]
	end
	for _, a in ipairs(adopts) do
		for _, slot in ipairs(a) do
			put(list, slot)
		end
	end
	owners_load(x, list)
end

local box = {}          -- notices that were left for us
if full then
	me.inc = seq
	x.last = math.max(x.last, high)
	for i = 2, #siblings do
		local r = record(x, siblings[i])
		if r ~= me and r.dead == 0 then
			r.dead = 1
			x.changed[r.id] = r
			leave_queue(x, r)
			inbox_clear(x, r.id)
		end
	end

	local recorded, confirmed = slots_of(x, me), {}
	for _, s in ipairs(named) do
		local slot, number, o = s[1], s[2], x.slots[s[1]]
		local is_ours = o.id == d and o.number == number
		x.last = math.max(x.last, number)
		if not is_ours and grace and lapsed == 0 and (not o.id or o.number < number or
			(o.number == number and is_predecessor(o.id))) then
			if o.id then
				notify_lost(x, slot)
			end
			slot_take(x, slot, me, number)
			is_ours = true
		end
		if is_ours then
			confirmed[slot] = true
		else
			x.lost = put(x.lost, string.format('%d %d', slot, number))
		end
	end
	for _, a in ipairs(adopts) do   -- adopted before, but the reply was lost
		local is_ours = true
		for _, slot in ipairs(a) do
			local o = x.slots[slot]
			is_ours = is_ours and o.id == d and o.number == a.number
		end
		for _, slot in ipairs(a) do
			confirmed[slot] = confirmed[slot] or is_ours
		end
	end
	for _, slot in ipairs(recorded) do
		if not confirmed[slot] then
			slot_free(x, slot, me)
		end
	end

	inbox_clear(x, d)
	local old = {}
	if me.entries > 0 then
		for _, m in ipairs(members(WANTS, d)) do
			local e = want_parse(m)
			old[e.id] = e
		end
	end
	for _, w in ipairs(wants) do
		local e = old[w.id]
		entry_put(x, w, e and not grace and e.key or x.gt - w.age, e)
		old[w.id] = nil
	end
	for _, e in pairs(old) do
		entry_remove(x, e)
	end
else
	if x.notices > 0 then
		for _, m in ipairs(members(INBOX, d)) do
			local kind, said = string.match(m, '^(%a) (.*)$', 76)
			local id, number, slots = string.match(said, '^(%x+) (%d+) %d+ %d+ (.*)$')
			put(box, {kind = kind, said = said, id = id, number = tonumber(number),
				slots = slots})
		end
		inbox_clear(x, d)
	end
	for _, s in ipairs(named) do
		local o = x.slots[s[1]]
		if o.id == d and o.number == s[2] then
			slot_free(x, s[1], me)
			for _, b in ipairs(box) do
				if b.kind == 'G' and b.number == s[2] then
					b.kind = ''
				end
			end
		end
	end
	for _, id in ipairs(cancels) do
		if me.entries > 0 then
			for _, m in ipairs(members(WANTS, d .. ' ' .. id)) do
				entry_remove(x, want_parse(m))
			end
		end
		for _, b in ipairs(box) do
			if b.kind == 'G' and b.id == id then
				local slots = {}
				for slot in string.gmatch(b.slots, '%d+') do
					put(slots, tonumber(slot))
				end
				owners_load(x, slots)
				for _, slot in ipairs(slots) do
					local o = x.slots[slot]
					if o.id == d and o.number == b.number then
						slot_free(x, slot, me)
					end
				end
				b.kind = ''
			end
		end
	end
	if #wants > 0 then
		write_leaving(x)        -- one may be cancelled and wanted again at once
	end
	for _, w in ipairs(wants) do
		local m = me.entries > 0 and members(WANTS, d .. ' ' .. w.id)[1]
		entry_put(x, w, x.gt - w.age, m and want_parse(m))
	end
end

for _, a in ipairs(adopts) do
	local ok = true
	for _, slot in ipairs(a) do
		local o = x.slots[slot]
		if not o.id then
			ok = ok and grace
		elseif o.number ~= a.number then
			ok = ok and grace and o.number < a.number
		else
			ok = ok and (o.id == d or is_predecessor(o.id))
		end
	end
	if ok then
		for _, slot in ipairs(a) do
			local o = x.slots[slot]
			if o.id and o.number ~= a.number then
				notify_lost(x, slot)
			end
			slot_take(x, slot, me, a.number)
		end
		x.last = math.max(x.last, a.number)
		grant(x, a.id, a.number, math.max(0, a.limit), a)
	else
		x.refused = put(x.refused, a.id)
	end
end
write_leaving(x)
