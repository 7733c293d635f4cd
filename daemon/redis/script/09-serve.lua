
-- ================================================================== serve the queue

if not grace and (x.queued > 0 or next(x.new)) then
	local ceiling = live ~= -1 and live or nil      -- nil: each class has its own

	-- By bytes: `<` would follow the server's locale.
	local function before(a, b)
		if a.key ~= b.key then
			return a.key < b.key
		end
		a, b = a.daemon .. a.id, b.daemon .. b.id
		for i = 1, #a do
			local p, q = string.byte(a, i), string.byte(b, i)
			if p ~= q then
				return p < q
			end
		end
		return false
	end

	-- The first entry of a source: of the wants that are new, or of a class in QUEUE.  That is
	-- read in pages, the first of one entry: most often there is room for no more.
	local function first_of(source)
		if source.at > #source and source.page then
			local from = source.last and '(' .. source.last or '[' .. source.class .. '|'
			local page = redis.call('ZRANGEBYLEX', QUEUE, from, '(' .. source.class .. '}',
				'LIMIT', 0, source.page)
			source.page = #page == source.page and math.min(source.page * 8, 512) or nil
			source.last = page[#page]
			for _, m in ipairs(page) do
				local key, daemon, id, n, is_now = string.match(m,
					'^(%d+) (%S+) (%S+) (%d+) (%d)$', #source.class + 2)
				put(source, {daemon = daemon, id = id, key = tonumber(key),
					n = tonumber(n), now = tonumber(is_now), class = source.class,
					is_queued = true})
			end
		end
		return source[source.at]
	end

	local sources, blocked = {}, 0
	for class, n in pairs(x.n_class) do
		if n > 0 then
			local own, its_ceiling = string.match(class, '^(.+),(.+)$')
			put(sources, {class = class, at = 1, page = 1,
				limit = limit_of(tonumber(own), ceiling or tonumber(its_ceiling))})
		end
	end
	for class, list in pairs(x.new) do
		list.limit, list.at = limit_of(list[1].limit, ceiling or configured), 1
		table.sort(list, before)
		put(sources, list)
	end

	-- The lowest free slot: of those freed just now, in order, or of the first range of FREE,
	-- which is taken out of it meanwhile; or a new one.
	local freed, freed_at, first, last = {}, 1
	for slot in pairs(x.freed) do
		put(freed, slot)
	end
	table.sort(freed)
	local function lowest_free()
		local slot = freed[freed_at]
		if not first and x.stored > 0 then
			first, last = free_take(x, redis.call('ZPOPMIN', FREE)[1])
		end
		if first and (not slot or first < slot) then
			slot, first = first, first < last and first + 1 or nil
		elseif slot then
			x.freed[slot], freed_at = nil, freed_at + 1
		else
			x.top = x.top + 1
			slot = x.top
		end
		return slot
	end

	local function serve(e, limit)
		local slots, r = {}, record(x, e.daemon)
		x.last = math.max(x.last + 1, math.floor(now / 32))
		for i = 1, e.n do
			local slot = lowest_free()
			slot_give(x, x.slots[slot] or slot_known(x, slot, false), r, x.last)
			slots[i] = slot
		end
		x.in_use = x.in_use + e.n
		if e.is_queued then
			entry_remove(x, e)
		end
		e.is_served = true
		if r == me then
			grant(x, e.id, x.last, limit, slots)
		else
			notify(x, r, string.format('G %s %d %d %d ', e.id, x.last, limit, #slots) ..
				table.concat(slots, ' '))
		end
	end

	-- In order of age over all classes.  An entry that cannot be granted stops every later one
	-- whose limit is not greater; a class whose limit is reached needs no look at all.
	while true do
		local best, from
		for _, source in ipairs(sources) do
			if source.limit > blocked and source.limit > x.in_use then
				local e = first_of(source)
				if e and (not best or before(e, best)) then
					best, from = e, source
				end
			end
		end
		if not best then
			break
		elseif best.n > from.limit then -- its daemon refuses it when it hears of the limit
			from.at = from.at + 1
		elseif x.in_use + best.n > from.limit then
			blocked = from.limit
		else
			serve(best, from.limit)
			from.at = from.at + 1
		end
	end
	if first then
		free_put(x, first, last)
	end
	write_leaving(x)
end
if next(x.new) then
	write_new(x, me)
end
if x.have_moved then
	write_slots(x)
end

for _, b in ipairs(box) do
	if b.kind == 'G' then
		x.granted = put(x.granted, b.said)
	elseif b.kind == 'F' then
		x.full = put(x.full, b.said)
	elseif b.kind == 'L' then
		x.lost = put(x.lost, b.said)
	end
end
