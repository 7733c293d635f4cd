
-- ================================================================== the request

local d = text(x)
if #d ~= 50 or not string.find(d, '^%x+%.%x+%.%x+$') then
	error({err = 'ERR slotd: argument 1 is not a daemon'})
end
local heard, grace_length
if #KEYS == 1 then
	heard, grace_length = hex(x), int(x, 0, TIME_MAX)
else
	x.seq, x.flags, x.incarnation, x.lease = int(x, 1, NEVER), text(x), int(x, 0, NEVER), int(x, 1, TIME_MAX)
	grace_length, heard = int(x, 0, TIME_MAX), hex(x)
end

-- ------------------------------------------------------------------ the marker

do
	local was = read('GET', KEYS[1])
	local its_sid, clock, looked, longest, eras
	if was then
		its_sid, clock, looked, longest, eras = string.match(was, '^(%x+) (%d+) (%d+) (%d+)(.+)$')
		if not eras then
			error({err = 'ERR slotd: not a marker: ' .. KEYS[1]})
		end
		clock, looked, longest = tonumber(clock), tonumber(looked), tonumber(longest)
	else
		clock, looked, longest, eras = 0, now, 0, ''
	end
	local unheard = string.find(heard, '[^0]') and not string.find(eras, heard, 1, true)
	if its_sid ~= sid or unheard then
		local era = redis.sha1hex(sid .. string.format('%.0f', now) .. d .. KEYS[1] .. (was or ''))
		eras = eras .. (unheard and ' ' .. heard or '') .. ' ' .. string.sub(era, 1, 16)
		eras = string.sub(eras, -16 * 17)
		clock, looked, x.marker_changed = 0, now, true
	elseif clock < grace_length then
		clock = clock + math.min(math.max(now - looked, 0), math.floor(grace_length / 10) * 4)
		looked, x.marker_changed = now, true
	end
	x.clock, x.looked, x.longest, x.eras = clock, looked, longest, eras
end

local function write_marker(x)
	if x.marker_changed then
		redis.call('SET', KEYS[1], string.format('%s %.0f %.0f %.0f%s', sid, x.clock, x.looked, x.longest,
			x.eras))
	end
end

local era = string.sub(x.eras, -16)
local grace_left = math.max(0, grace_length - x.clock)
if #KEYS == 1 then
	write_marker(x)
	return string.format('OK %s %.0f %.0f', era, grace_left, x.longest)
end

-- ------------------------------------------------------------------ what is asked

local full, lapsed, keep = string.find(x.flags, 'f'), string.find(x.flags, 'l'), string.find(x.flags, 'k')
local high, configured, channels, group = int(x, 0, NUMBER_MAX), int(x, -1, SLOT_MAX), text(x), text(x)
local named, cancels, wants, adopts = {}, {}, {}, {}

for i = 1, int(x, 0, TIME_MAX) do
	named[i] = {int(x, 1, SLOT_MAX), int(x, 0, NUMBER_MAX)}
end
for i = 1, int(x, 0, TIME_MAX) do
	cancels[i] = hex(x)
end
for i = 1, int(x, 0, TIME_MAX) do
	wants[i] = {id = hex(x), n = int(x, 1, 64), now = int(x, 0, 1), class = int(x, -1, SLOT_MAX) .. ',' ..
		configured, age = int(x, 0, TIME_MAX)}
end
for i = 1, int(x, 0, TIME_MAX) do
	local a = {id = hex(x), number = int(x, 0, NUMBER_MAX), limit = int(x, -1, SLOT_MAX)}
	for k = 1, int(x, 1, 64) do
		a[k] = int(x, 1, SLOT_MAX)
	end
	adopts[i] = a
end
if x.at ~= #ARGV then
	error({err = 'ERR slotd: ' .. #ARGV .. ' arguments, not ' .. x.at})
end
