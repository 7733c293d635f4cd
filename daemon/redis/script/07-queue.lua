
-- ================================================================== the queue, notices

for class, n in string.gmatch(x.classes, '(%S+)=(%d+)') do
	x.n_class[class] = tonumber(n)
end

local function want_member(e)
	return e.daemon .. ' ' .. e.id .. string.format(' %016d %d %d ', e.key, e.n, e.now) .. e.class
end

local function want_parse(m)
	local id, key, n, is_now, class = string.match(m, '^(%S+) (%d+) (%d+) (%d) (%S+)$', 52)
	return {daemon = string.sub(m, 1, 50), id = id, key = tonumber(key), n = tonumber(n),
		now = tonumber(is_now), class = class}
end

local function queue_member(e)
	return e.class .. string.format('|%016d ', e.key) .. e.daemon .. ' ' .. e.id ..
		string.format(' %d %d', e.n, e.now)
end

-- An entry leaves the queue.
local function entry_remove(x, e)
	local r, m = record(x, e.daemon), want_member(e)
	x.leaving = put(x.leaving, queue_member(e))
	x.leaving_wants = put(x.leaving_wants, m)
	if e.now == 1 then
		x.leaving_nows = put(x.leaving_nows, m)
		x.nows = x.nows - 1
	end
	x.n_class[e.class] = x.n_class[e.class] - 1
	x.queued = x.queued - 1
	r.entries = r.entries - 1
	x.changed[r.id] = r
end

local function write_leaving(x)
	if x.leaving then
		many('ZREM', QUEUE, x.leaving)
		many('ZREM', WANTS, x.leaving_wants)
		many('ZREM', NOWS, x.leaving_nows)
		x.leaving, x.leaving_wants, x.leaving_nows = nil, nil, nil
	end
end

local function leave_queue(x, r)
	if r.entries > 0 then
		for _, m in ipairs(members(WANTS, r.id)) do
			entry_remove(x, want_parse(m))
		end
	end
end

-- Queues a want at its place, `key`; `old` is its entry, if it is queued already.
local function entry_put(x, w, key, old)
	if old then
		if old.key == key and old.n == w.n and old.now == w.now and old.class == w.class then
			return
		end
		entry_remove(x, old)
	end
	w.key = math.max(0, key)
	x.new[w.class] = put(x.new[w.class], w)
end

-- Those that have not been served at once.
local function write_new(x, me)
	local queue, wants, nows
	for class, list in pairs(x.new) do
		for _, e in ipairs(list) do
			if not e.is_served then
				local m = want_member(e)
				queue = put(queue, '0', queue_member(e))
				wants = put(wants, '0', m)
				if e.now == 1 then
					nows = put(nows, '0', m)
				end
				x.n_class[class] = (x.n_class[class] or 0) + 1
			end
		end
	end
	if not queue then
		return
	end
	if x.queued == 0 then
		x.created[QUEUE], x.created[WANTS] = true, true
	end
	me.entries, x.queued = me.entries + #queue / 2, x.queued + #queue / 2
	many('ZADD', QUEUE, queue)
	many('ZADD', WANTS, wants)
	if nows then
		if x.nows == 0 then
			x.created[NOWS] = true
		end
		x.nows = x.nows + #nows / 2
		many('ZADD', NOWS, nows)
	end
end

-- ------------------------------------------------------------------ notices

-- To its inbox, and by a push.  A daemon that is dead gets no more notices.
local function notify(x, r, notice)
	if r.dead == 0 then
		x.inbox = x.inbox or {}
		put(x.inbox, '0', r.id .. string.format(' %016d%07d ', x.gt, #x.inbox) .. notice)
		x.pushes = put(x.pushes, {r, notice})
	end
end

local function notify_lost(x, slot)
	local s = x.slots[slot]
	if s.id ~= d then
		notify(x, record(x, s.id), string.format('L %d %d', slot, s.number))
	end
end

local function inbox_clear(x, id)
	if x.notices > 0 then
		x.notices = x.notices -
			redis.call('ZREMRANGEBYLEX', INBOX, '[' .. id .. ' ', '(' .. id .. '!')
	end
end
