#!lua flags=allow-oom
-- The exchange: all that a daemon says of one group and all that it must know, in one atomic step.
--
-- daemon/core/memory/ says the same in C, with the reason of each rule, and a test holds the two together,
-- reply for reply.  These files are one script, in the order of their names.
--
-- Keys, all of one shard.  The first two never expire, the others together, a week after the last
-- exchange:
--   1 marker   string  what is known of this server; its eras, the newest last, and how that began:
--                      first, wiped, old, other
--   2 live     hash    "pause group", "limit group" → "limit until at uid by why": what operators have
--                      set (see live.lua); the first that is not over counts, a pause has limit 0;
--                      limit is -1 where one was taken away, until is NEVER where it has no end
--   3 records  hash    "group" → the group's own numbers; "peers" → that list of the reply;
--                      daemon → its record; install → its latest generation.nonce and its
--                      daemons on record
--   4 leases   zset    daemon, by the end of its lease
--   5 lengths  zset    daemon, by the length of its lease
--   6 limits   zset    daemon, by the limit configured there, if there is one
--   7 unaware  zset    living daemons with slots, by the time until which they know of contention
--   8 recalls  zset    those of them that may be recalled, by when (again)
--   9 owners   hash    slot → "daemon number"
--  10 slots    zset    "daemon slot"                                           (score 0, by bytes)
--  11 free     zset    "slot" or "first-last", by slot: what is free up to the highest ever used
--  12 queue    zset    "class|key daemon id n now": in order within a class    (score 0, by bytes)
--  13 wants    zset    "daemon id key n now class": the same, by daemon        (score 0, by bytes)
--  14 nows     zset    those of `wants` that are now-or-never                  (score 0, by bytes)
--  15 inbox    zset    "daemon when notice"                                    (score 0, by bytes)
-- A class is "own,configured", the two limits of its waiters; their key is when they asked, in the
-- group's clock.  Daemons, ids, keys and times within members have a fixed width, so that the order
-- of bytes is that of the numbers.  Nothing here takes longer for more slots, waiters or daemons,
-- but for those that it changes.
--
-- Arguments: daemon head host channels group, then lists: claims (full) or releases · cancels: id ·
-- wants · adopts.  The head and the lists are in binary, one item behind the other, as is said below.
-- A daemon is install.generation.nonce, each of 16 hex digits, as are ids and eras; times are
-- microseconds; no limit is -1; `channels` is what stands before a daemon in its channel's name.
--
-- Reply: "STALE", "RESYNC", "GONE", or "OK seq live-limit live-left in-use others version hot look
-- last era grace longest-lease" and the lists: granted: id number limit n slot… · lost: slot number ·
-- full: id · refused: id · peers: host limit lease install.  live-left is how long the live limit stays
-- what it is, or -1: until it is set anew; look is -1 if there is nothing to look for.
-- Published: "type incarnation version others", then for R (recall) nothing, for G (granted) as in
-- the reply, for F (full) id, for L (lost) slot number; and the group.
--
-- With the marker as its only key the script tells of that alone: daemon era grace, and "end" if the
-- grace is to end now; the reply is "OK era grace longest-lease began".
--
-- Whoever runs it needs these commands, and the keys and channels that begin with the prefix:
--   +evalsha +script|load +time +info +publish +expireat +del +get +set
--   +hget +hmget +hgetall +hset +hdel +hlen
--   +zadd +zrem +zcard +zrange +zrangebylex +zrangebyscore +zrevrangebyscore +zpopmin
--   +zremrangebylex +zunionstore
-- and, for live limits, these:
--   +eval +llen +lpush +ltrim +lrange
--
-- What can be refused is refused before the first write: a script that fails leaves what it wrote.
-- Numbers are exact up to 2^53, but `..` and tostring() lose digits after the 14th, where
-- string.format('%d') does not.

-- {the server's own time and identity
local now, identity = redis.call('TIME'), redis.call('INFO', 'replication')
now = now[1] * 1000000 + now[2]
-- }the server's own time and identity

local NEVER = 9007199254740991
local TIME_MAX = 4503599627370496
local NO_ERA = '0000000000000000'

-- In binary is what is asked: texts take ten times as long to take apart and to make.
local HEAD, HEAD_SIZE = '>LLLLLlc16BBB', 67     -- seq incarnation lease grace high limit era, and 0
                                                -- or 1: full lapsed keep
local SLOT, SLOT_SIZE = '>I4L', 12              -- slot number
local WANT, WANT_SIZE = '>c16BBlL', 34          -- id n now (0 or 1) limit age
local ADOPT = '>c16LlB'                         -- id number limit n, and n slots: >I4
-- And so is what is kept: the marker, the group, a record.
local MARKER, MARKER_SIZE = '>c5c40BLLL', 70    -- "slotd" sid began clock looked longest-lease, and
                                                -- each of its eras behind a blank
local GROUP, GROUP_SIZE = '>LLLLLLLLLLLLLc16', 120 -- and its classes
local RECORD, RECORD_SIZE = '>lLLLLLLBBLL', 74  -- and the host

local BEGAN = {'first', 'wiped', 'old', 'other'}
local REPLY = 'OK %d %d %d %d %d %d %d %d %d %s %d %d %s %s %s %s %s'

local RECORDS, LEASES, LENGTHS, LIMITS, UNAWARE, RECALLS, OWNERS, SLOTS, FREE, QUEUE, WANTS, NOWS,
	INBOX = unpack(KEYS, 3)

-- Functions take what they work on as an argument: one that refers to many locals of the chunk is
-- slow to make, and all are made anew at each run, as far as that comes.

-- A key of another type belongs to somebody else: say which, touch nothing.
local function read(cmd, key, ...)
	local r = redis.pcall(cmd, key, ...)
	if type(r) == 'table' and r.err then
		error({err = r.err .. ': ' .. key})
	end
	return r
end
