
-- ================================================================== the live limit

if #KEYS == 2 then
	local channels, group, limit, by, why = unpack(ARGV)
	local all = read('HGETALL', KEYS[2])
	read('HLEN', KEYS[1])
	if limit == '-1' then
		redis.call('DEL', KEYS[1])
	else
		redis.call('HSET', KEYS[1], 'limit', limit, 'by', by, 'why', why, 'at',
			string.format('%d', now))
	end
	local gt, _, eon = 0
	for i = 1, #all, 2 do
		if all[i] == 'group' then       -- its clock moves: what was said before is older
			gt, _, eon = struct.unpack(GROUP, all[i + 1])
			gt = gt + 1
			redis.call('HSET', KEYS[2], 'group', struct.pack('>L', gt) ..
				string.sub(all[i + 1], 9))
		end
	end
	for i = 1, #all, 2 do                   -- every daemon is told, as of a recall
		if #all[i] == 50 then
			local _, _, _, incarnation, its_eon, _, _, _, dead =
				struct.unpack(RECORD, all[i + 1])
			if dead == 0 then
				redis.call('PUBLISH', channels .. all[i], string.format('R %d %d 1 %s',
					its_eon == eon and incarnation or 0, gt, group))
			end
		end
	end
	return string.format('OK %d', gt)
end
