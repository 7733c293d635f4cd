
-- ================================================================== who knows of whom

local function others_queued(x, r)
	return x.queued - r.entries
end

-- A now-or-never want is answered unless somebody but its own daemon may be idle: with nobody so
-- every want is, with one only its own, with more none.
local is_answering = not grace and x.nows > 0
if is_answering then
	x.hot = math.max(x.hot, x.gt + 1000000)
end
me.recall = 0
me.aware = others_queued(x, me) > 0 and NEVER or x.hot
if is_answering then
	place_all(x)
	local idle, answered = redis.call('ZRANGE', UNAWARE, 0, 1, 'WITHSCORES'), {}
	if not idle[1] or tonumber(idle[2]) > x.gt then
		answered = redis.call('ZRANGE', NOWS, 0, -1)
	elseif not idle[3] or tonumber(idle[4]) > x.gt then
		answered = members(NOWS, idle[1])
	end
	for _, m in ipairs(answered) do
		local e = want_parse(m)
		entry_remove(x, e)
		if e.daemon == d then
			x.full = put(x.full, e.id)
		else
			notify(x, record(x, e.daemon), 'F ' .. e.id)
		end
	end
	write_leaving(x)
	me.aware = others_queued(x, me) > 0 and NEVER or x.hot
end

-- Recall whoever may hold idle slots while others wait.  Two may be passed over: we, who are being
-- told, and one whose own waiters are all there are.
place_all(x)
if x.queued > 0 then
	local passed, page = 0
	repeat
		page = redis.call('ZRANGEBYSCORE', RECALLS, '-inf', x.gt, 'LIMIT', passed, 100)
		for _, id in ipairs(page) do
			local r = record(x, id)
			if r == me or others_queued(x, r) == 0 then
				passed = passed + 1
			else
				r.recall = x.gt + 1000000
				r.recall_at = r.recall
				redis.call('ZADD', RECALLS, r.recall, id)
				x.changed[id] = r
				x.pushes = put(x.pushes, {r, 'R'})
			end
		end
	until #page < 100
end

-- ================================================================== close

if x.inbox then
	if x.notices == 0 then
		x.created[INBOX] = true
	end
	x.notices = x.notices + #x.inbox / 2
	many('ZADD', INBOX, x.inbox)
end
local classes = {}
for class, n in pairs(x.n_class) do
	if n > 0 then
		put(classes, class .. '=' .. n)
	end
end
x.classes = table.concat(classes, ' ')
write_group(x)

for _, push in ipairs(x.pushes or {}) do
	local r, notice = push[1], push[2]
	redis.call('PUBLISH', channels .. r.id, string.sub(notice, 1, 1) ..
		string.format(' %d %d %d', r.inc, x.gt, others_queued(x, r) > 0 and 1 or 0) ..
		string.sub(notice, 2) .. ' ' .. group)
end

local look = other_ends and other_ends - x.gt or -1
if grace and (look == -1 or x.grace_end - x.gt < look) then
	look = x.grace_end - x.gt
end
local function listed(list)
	return list and #list .. ' ' .. table.concat(list, ' ') or '0'
end

return string.format(REPLY, seq, live, live_left, x.in_use,
	others_queued(x, me), x.gt, math.max(0, x.hot - x.gt), look, x.last, era,
	grace and x.grace_end - x.gt or 0, longest, listed(x.granted), listed(x.lost),
	listed(x.full), listed(x.refused), x.peers)
