
-- ================================================================== the live limit

if #KEYS == 2 then
	local channels, group, limit = text(args), text(args), int(args, -1, SLOT_MAX)
	local by, why = text(args), text(args)
	local all = read('HGETALL', KEYS[2])
	read('HLEN', KEYS[1])
	if limit == -1 then
		redis.call('DEL', KEYS[1])
	else
		redis.call('HSET', KEYS[1], 'limit', limit, 'by', by, 'why', why, 'at',
			string.format('%d', now))
	end
	local gt, eon = 0
	for i = 1, #all, 2 do
		if all[i] == 'group' then       -- its clock moves: what was said before is older
			local clock, rest = string.match(all[i + 1], '^(%d+)(.*)$')
			gt, eon = tonumber(clock) + 1, string.match(rest, '^ %d+ (%d+)')
			redis.call('HSET', KEYS[2], 'group', string.format('%d', gt) .. rest)
		end
	end
	for i = 1, #all, 2 do                   -- every daemon is told, as of a recall
		local incarnation, its_eon, dead = string.match(all[i + 1],
			'^%S+ %d+ (%d+) (%d+) %d+ %d+ %d+ %d (%d) ')
		if #all[i] == 50 and dead == '0' then
			redis.call('PUBLISH', channels .. all[i], string.format('R %d %d 1 %s',
				its_eon == eon and incarnation or 0, gt, group))
		end
	end
	return string.format('OK %d', gt)
end
