
-- ================================================================== the live limit

if #KEYS == 2 then
	local channels, group, limit, by, why = text(args), text(args), int(args, -1, SLOT_MAX), text(args), text(args)
	local all = read('HGETALL', KEYS[2])
	read('HLEN', KEYS[1])
	if limit == -1 then
		redis.call('DEL', KEYS[1])
	else
		redis.call('HSET', KEYS[1], 'limit', limit, 'by', by, 'at', string.format('%d', now), 'why', why)
	end
	local gt, eon
	for i = 1, #all, 2 do
		if all[i] == 'group' then       -- its clock moves: what was said before is older
			gt, eon = tonumber(string.match(all[i + 1], '^%d+')) + 1, string.match(all[i + 1], '^%d+ %d+ (%d+)')
			redis.call('HSET', KEYS[2], 'group', string.format('%d', gt) ..
				string.match(all[i + 1], '^%d+(.*)$'))
		end
	end
	for i = 1, #all, 2 do                   -- every daemon is told, as of a recall
		local incarnation, its_eon, dead = string.match(all[i + 1], '^%d+ (%d+) (%d+) %d+ %d+ %d+ %d (%d) ')
		if #all[i] == 50 and dead == '0' then
			redis.call('PUBLISH', channels .. all[i], 'R ' .. (its_eon == eon and incarnation or 0) ..
				string.format(' %d 1 ', gt) .. group)
		end
	end
	return 'OK'
end
