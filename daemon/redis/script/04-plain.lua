
-- ================================================================== the plain exchange
--
-- Most often a daemon of which all is known renews its lease, wants one slot that is free, or gives one
-- back, and nobody waits.  That much is done here, without the functions and tables that all the rest
-- needs, which take longer to make than this takes.  It does what the rest would do, so far as that
-- matters here; a test holds both to the same.

local id, n, own, _ = nil, 0, -1
if #wants == WANT_SIZE then
	id, n, _, own = struct.unpack(WANT, wants)
end
local limit = limit_of(own, live ~= -1 and live or configured)

if its_era == era and its_eon == eon and inc == incarnation and inc ~= 0 and seq > its_seq and
	dead == 0 and not full and not is_told_otherwise and gt >= grace_end and
	not marker_has_changed and not is_to_expire and not is_reaping and leases[1] and
	queued + notices + #adopts == 0 and #named <= SLOT_SIZE and
	(wants == '' or n == 1 and in_use < limit and named == '') then

	local n_unaware, n_recalls = read('ZCARD', UNAWARE), read('ZCARD', RECALLS)
	local stored, range, first_free, last_free = top - in_use
	if n > 0 or named ~= '' then
		read('HLEN', OWNERS)
		read('ZCARD', SLOTS)
	end
	if n > 0 and stored > 0 then
		range = read('ZRANGE', FREE, '0', '0')[1]
		first_free, last_free = range_of(range)
	elseif named ~= '' then
		read('ZCARD', FREE)
	end

	-- Everything that can be refused has been; from here on the plain exchange writes.
	redis.call('ZADD', LEASES, string.format('%d', gt + lease), d)
	local was_unaware, was_recall = places(n_slots, dead, its_keep, aware, recall)
	local granted = '0'
	if n > 0 then
		local slot = first_free or top + 1
		if slot > top then
			top = slot
		else                    -- the rest comes before it goes: FREE would lose its expiry
			if slot < last_free then
				redis.call('ZADD', FREE, slot + 1, range_text(slot + 1, last_free))
			end
			redis.call('ZREM', FREE, range)
		end
		last = math.max(last + 1, math.floor(now / 32))
		redis.call('HSET', OWNERS, slot .. '', string.format('%s %d', d, last))
		redis.call('ZADD', SLOTS, '0', string.format('%s %07d', d, slot))
		if in_use == 0 then
			redis.call('EXPIREAT', OWNERS, expire)
			redis.call('EXPIREAT', SLOTS, expire)
		end
		in_use, n_slots = in_use + 1, n_slots + 1
		granted = string.format('1 %s %d %d 1 %d', id, last, limit, slot)
	elseif named ~= '' then
		local slot, number = struct.unpack(SLOT, named)
		if redis.call('HGET', OWNERS, slot) == string.format('%s %d', d, number) then
			redis.call('HDEL', OWNERS, slot)
			redis.call('ZREM', SLOTS, string.format('%s %07d', d, slot))
			redis.call('ZADD', FREE, slot, slot)
			if stored == 0 then
				redis.call('EXPIREAT', FREE, expire)
			end
			in_use, n_slots = in_use - 1, n_slots - 1
		end
	end
	local is_unaware, is_recall = places(n_slots, dead, keep, hot, 0)
	if place(UNAWARE, d, was_unaware, is_unaware) == 1 and n_unaware == 0 then
		redis.call('EXPIREAT', UNAWARE, expire)
	end
	if place(RECALLS, d, was_recall, is_recall) == 1 and n_recalls == 0 then
		redis.call('EXPIREAT', RECALLS, expire)
	end
	redis.call('HSET', RECORDS, 'group', struct.pack(GROUP, gt, now, eon, grace_end, hot,
		shortest, last, top, in_use, 0, 0, 0, expire, era), d, struct.pack(RECORD, configured, lease,
		seq, inc, eon, hot, 0, keep, dead, n_slots, 0) .. string.sub(found[2], RECORD_SIZE + 1))
	return string.format(REPLY, seq, live, live_left, in_use, 0, gt, math.max(0, hot - gt),
		other_ends and other_ends - gt or -1, last, era, 0, longest, granted, '0', '0', '0',
		found[4] or '0')
end
