"""What runs inside Redis: each script touches keys of one slot, and lets an older owner lose.

An *epoch* is the offset of the journal claim under which its writer owns the partition; a higher
one is newer. Epochs of different journals (`generation`, the journal topic's id) cannot be
compared: there the later write wins, so that a journal made anew is not shut out by its past.
"""

__all__ = [
    "ACCOUNT",
    "BANDS",
    "BANDS_KEY",
    "BANDS_PARTITIONS_KEY",
    "COMMANDS_KEY",
    "DROP_ACCOUNT",
    "RATIOS",
    "RATIOS_EPOCHS_KEY",
    "RATIOS_KEY",
    "WORKERS_KEY",
    "account_key",
]

RATIOS_KEY = "liqmon:ratios"
BANDS_KEY = "liqmon:bands"
COMMANDS_KEY = "liqmon:commands"
WORKERS_KEY = "liqmon:workers"
# A hash tag that is the whole of the other key's name puts both into one slot.
RATIOS_EPOCHS_KEY = f"{{{RATIOS_KEY}}}:epochs"
BANDS_PARTITIONS_KEY = f"{{{BANDS_KEY}}}:partitions"


def account_key(account_id: str) -> str:
    """Return the key of one account's hash."""
    return f"liqmon:account:{account_id}"


_NEWER = """
local held = redis.call('HMGET', KEYS[1], 'generation', 'epoch')
if held[1] == ARGV[1] and tonumber(held[2]) > tonumber(ARGV[2]) then return 0 end
"""

ACCOUNT = (
    _NEWER
    + """
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'epoch', ARGV[2], unpack(cmsgpack.unpack(ARGV[3])))
return 1
"""
)
"""KEYS: the hash. ARGV: generation, epoch, and field, value, … as one MessagePack array of strings, for packing
arguments one by one is what a client spends most on. Returns 0 for an older epoch."""

DROP_ACCOUNT = (
    _NEWER
    + """
redis.call('DEL', KEYS[1])
return 1
"""
)
"""KEYS: the hash. ARGV: generation, epoch. Returns 0 for an older epoch."""

RATIOS = """
local mine = ARGV[1] .. '/' .. ARGV[3]
local held = redis.call('HGET', KEYS[2], ARGV[2])
if held and held ~= mine then
  local cut = #held - held:reverse():find('/', 1, true) + 1
  if held:sub(1, cut - 1) == ARGV[1] and tonumber(held:sub(cut + 1)) > tonumber(ARGV[3]) then
    return 0
  end
end
if held ~= mine then redis.call('HSET', KEYS[2], ARGV[2], mine) end
for i = 4, #ARGV, 2 do
  if ARGV[i] == 'gone' then
    redis.call('ZREM', KEYS[1], ARGV[i + 1])
  else
    redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return 1
"""
"""KEYS: ratios, its epochs. ARGV: generation, partition, epoch, then score (or gone), account, …

Returns 0 for an older epoch of the partition.
"""

BANDS = """
local lost = 0
for i = 2, #ARGV, 3 do
  local held = redis.call('HGET', KEYS[2], ARGV[i])
  local newer = false
  if held then
    local was = cjson.decode(held)
    newer = was.generation == ARGV[1] and was.epoch > tonumber(ARGV[i + 1])
  end
  if newer then
    lost = lost + 1
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2])
  end
end
local sums = {}
local all = redis.call('HGETALL', KEYS[2])
for i = 1, #all, 2 do
  local one = cjson.decode(all[i + 1])
  if one.generation == ARGV[1] then
    for band, count in pairs(one.counts) do sums[band] = (sums[band] or 0) + count end
  else
    redis.call('HDEL', KEYS[2], all[i])
  end
end
redis.call('DEL', KEYS[1])
for band, count in pairs(sums) do
  redis.call('HSET', KEYS[1], band, string.format('%d', count))
end
return lost
"""
"""KEYS: bands, its partitions. ARGV: generation, then partition, epoch, entry as JSON, …

Sums over all partitions whoever owns them, so that a lost or doubled write heals with the next.
Returns how many partitions have a newer owner.
"""
