
-- ================================================================== the request

local d = text(args)
if #d ~= 50 or not string.find(d, '^%x+%.%x+%.%x+$') then
	error({err = 'ERR slotd: argument 1 is not a daemon'})
end
local heard, grace_length, is_ended, seq, flags, incarnation, lease
if #KEYS == 1 then
	heard, grace_length, is_ended = hex(args), int(args, 0, TIME_MAX), ARGV[4] == 'end'
else
	seq, flags = int(args, 1, NEVER), text(args)
	incarnation, lease = int(args, 0, NEVER), int(args, 1, TIME_MAX)
	grace_length, heard = int(args, 0, TIME_MAX), hex(args)
end

-- ------------------------------------------------------------------ the marker

local marker = {was_changed = false}
do
	local was = read('GET', KEYS[1])
	local its_sid, began, clock, looked, longest, eras
	if was then
		its_sid, began, clock, looked, longest, eras = string.match(was,
			'^(%x+) (%a+) (%d+) (%d+) (%d+)(.+)$')
		if not eras then
			error({err = 'ERR slotd: not a marker: ' .. KEYS[1]})
		end
		clock, looked, longest = tonumber(clock), tonumber(looked), tonumber(longest)
	else
		clock, looked, longest, eras = 0, now, 0, ''
	end
	if grace_length > 0 then        -- who asks may have heard of no lease longer than its own
		grace_length = math.max(grace_length, longest)
	end
	local unheard = string.find(heard, '[^0]') and not string.find(eras, heard, 1, true)
	if its_sid ~= sid or unheard then
		local era = redis.sha1hex(string.format('%s %d ', sid, now) .. d .. KEYS[1] .. (was or ''))
		eras = eras .. (unheard and ' ' .. heard or '') .. ' ' .. string.sub(era, 1, 16)
		eras = string.sub(eras, -16 * 17)
		began = was and (unheard and 'old' or 'other') or unheard and 'wiped' or 'first'
		clock, looked, marker.was_changed = 0, now, true
	elseif clock < grace_length then
		clock = clock + math.min(math.max(now - looked, 0), math.floor(grace_length / 10) * 4)
		looked, marker.was_changed = now, true
	end
	if is_ended then
		clock, marker.was_changed = TIME_MAX, true
	end
	marker.clock, marker.looked, marker.longest, marker.eras = clock, looked, longest, eras
	marker.began = began
end

local function write_marker(marker)
	if marker.was_changed then
		redis.call('SET', KEYS[1], string.format('%s %s %d %d %d%s', sid, marker.began,
			marker.clock, marker.looked, marker.longest, marker.eras))
	end
end

local era = string.sub(marker.eras, -16)
local grace_left = math.max(0, grace_length - marker.clock)
if #KEYS == 1 then
	write_marker(marker)
	return string.format('OK %s %d %d %s', era, grace_left, marker.longest, marker.began)
end

-- ------------------------------------------------------------------ what is asked

local full, lapsed, keep = string.find(flags, 'f'), string.find(flags, 'l'), string.find(flags, 'k')
local high, configured = int(args, 0, NUMBER_MAX), int(args, -1, SLOT_MAX)
local host, channels, group = text(args), text(args), text(args)
local named, cancels, wants, adopts = {}, {}, {}, {}

for i = 1, int(args, 0, TIME_MAX) do
	named[i] = {int(args, 1, SLOT_MAX), int(args, 0, NUMBER_MAX)}
end
for i = 1, int(args, 0, TIME_MAX) do
	cancels[i] = hex(args)
end
for i = 1, int(args, 0, TIME_MAX) do
	wants[i] = {id = hex(args), n = int(args, 1, 64), now = int(args, 0, 1),
		class = int(args, -1, SLOT_MAX) .. ',' .. configured, age = int(args, 0, TIME_MAX)}
end
for i = 1, int(args, 0, TIME_MAX) do
	local a = {id = hex(args), number = int(args, 0, NUMBER_MAX), limit = int(args, -1, SLOT_MAX)}
	for k = 1, int(args, 1, 64) do
		a[k] = int(args, 1, SLOT_MAX)
	end
	adopts[i] = a
end
if args.at ~= #ARGV then
	error({err = 'ERR slotd: ' .. #ARGV .. ' arguments, not ' .. args.at})
end
