
-- ================================================================== the request

local d, head, host, channels, group, named, cancels, wants, adopts = unpack(ARGV)
local seq, incarnation, lease, grace_length, high, configured, heard, full, lapsed, keep
local is_ended = false
if #KEYS == 1 then
	heard, grace_length, is_ended = ARGV[2], tonumber(ARGV[3]), ARGV[4] == 'end'
elseif #ARGV ~= 9 or #d ~= 50 or #head ~= HEAD_SIZE or #named % SLOT_SIZE ~= 0 or
	#cancels % 16 ~= 0 or #wants % WANT_SIZE ~= 0 then
	error({err = 'ERR slotd: not a request'})
else
	seq, incarnation, lease, grace_length, high, configured, heard, full, lapsed, keep =
		struct.unpack(HEAD, head)
	full = full == 1
end

-- ------------------------------------------------------------------ the marker

local was = read('GET', KEYS[1])
local marker_has_changed, magic = false
local sid, began, clock, looked, longest, eras
if was then
	if #was > MARKER_SIZE and (#was - MARKER_SIZE) % 17 == 0 then
		magic, sid, began, clock, looked, longest = struct.unpack(MARKER, was)
	end
	if magic ~= 'slotd' then
		error({err = 'ERR slotd: not a marker: ' .. KEYS[1]})
	end
	eras = string.sub(was, MARKER_SIZE + 1)
else
	sid, clock, looked, longest, eras = '', 0, now, 0, ''
end
if grace_length > 0 and grace_length < longest then
	grace_length = longest  -- who asks may have heard of no lease longer than its own
end
local unheard = heard ~= NO_ERA and not string.find(eras, heard, 1, true)
if unheard or not was or not string.find(identity, 'master_replid:' .. sid, 1, true) then
	-- %d prints these numbers exactly, and fast; where a long is too short it does not
	if string.format('%d', 4503599627370496) ~= '4503599627370496' then
		error({err = 'ERR slotd: this server has 32 bits, and slotd needs one with 64'})
	end
	sid = string.match(identity, 'master_replid:(%x+)')
	local era = redis.sha1hex(string.format('%s %d ', sid, now) .. d .. KEYS[1] .. (was or ''))
	eras = eras .. (unheard and ' ' .. heard or '') .. ' ' .. string.sub(era, 1, 16)
	eras = string.sub(eras, -16 * 17)
	began = was and (unheard and 3 or 4) or unheard and 2 or 1
	clock, looked, marker_has_changed = 0, now, true
elseif clock < grace_length then
	clock = clock + math.min(math.max(now - looked, 0), math.floor(grace_length / 10) * 4)
	looked, marker_has_changed = now, true
end
if is_ended then
	clock, marker_has_changed = TIME_MAX, true
end

local era, grace_left = string.sub(eras, -16), math.max(0, grace_length - clock)

local function write_marker(sid, began, clock, looked, longest, eras)
	redis.call('SET', KEYS[1], struct.pack(MARKER, 'slotd', sid, began, clock, looked,
		longest) .. eras)
end

if #KEYS == 1 then
	if marker_has_changed then
		write_marker(sid, began, clock, looked, longest, eras)
	end
	return string.format('OK %s %d %d %s', era, grace_left, longest, BEGAN[began])
end
