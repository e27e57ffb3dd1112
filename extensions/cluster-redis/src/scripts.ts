import { createHash } from 'node:crypto'

/** A script of Redis; each is atomic. */
export interface Script {
  readonly text: string
  readonly sha: string
}

/**
 * Keys, behind the prefix: `m` members by name, `e` when lease and grace of each instance end, `k:<key>` rows by id,
 * `r:<instance>` which rows it has, `q:<key>` allotments by instance, `a:<instance>` of which keys it has any, `l` the newest line of
 * each instance, `fence` and `seq` counters.
 * A member is `fence instance value`, a row `fence instance owner share record`: the first words are all that scripts read.
 * Numbers are kept as text, as they have more digits than cjson writes. No key expires by itself: one that is missing was lost.
 *
 * A counter that is lost goes on from the time, which is more than it was.
 *
 * Under `.` in `e` is until when some server should have renewed. Later the engine was `away`, and a lease that has ended since then
 * is no proof that its holder is gone: all members get another one from the first renewal on.
 */
const common = `
local P = KEYS[1]
local line = tonumber(table.remove(ARGV))
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = tonumber(redis.call('HGET', P .. 'e', '.') or '')
local away = not due or now > due
local function number(n) return string.format('%.0f', n) end
local function count(name)
  if redis.call('EXISTS', P .. name) == 0 then redis.call('SET', P .. name, number(time[1] * 1000000 + time[2])) end
  return number(redis.call('INCR', P .. name))
end
local function tell(...) redis.call('PUBLISH', P .. 'c', cjson.encode({ count('seq'), ... })) end
local function fence() return count('fence') end
local function ends(instance)
  local lease, grace = string.match(redis.call('HGET', P .. 'e', instance) or '', '^(%d+) (%d+)$')
  return tonumber(lease or '0'), tonumber(grace or '0')
end
local function keep(instance, lease, grace)
  redis.call('HSET', P .. 'e', instance, number(lease) .. ' ' .. number(grace))
end
local function alive(instance)
  local lease = ends(instance)
  return lease > now or not due or (away and lease > 0)
end
local function resting(instance)
  local _, grace = ends(instance)
  return grace > now
end
-- A call on a line that another one has replaced may arrive behind what was said on that.
local function late(instance)
  local newest = tonumber(redis.call('HGET', P .. 'l', instance) or '0')
  if line > newest then redis.call('HSET', P .. 'l', instance, number(line)) end
  return line < newest
end
local function remove(key, id, raw)
  local number, instance = string.match(raw, '^(%d+) (%S+) ')
  redis.call('HDEL', P .. 'k:' .. key, id)
  if instance then redis.call('SREM', P .. 'r:' .. instance, key .. '\\n' .. id) end
  tell('released', key, id, number or '0')
end
local function drop(instance)
  for _, name in ipairs(redis.call('SMEMBERS', P .. 'r:' .. instance)) do
    local key, id = string.match(name, '^(.*)\\n(.*)$')
    redis.call('HDEL', P .. 'k:' .. key, id)
  end
  for _, key in ipairs(redis.call('SMEMBERS', P .. 'a:' .. instance)) do redis.call('HDEL', P .. 'q:' .. key, instance) end
  redis.call('DEL', P .. 'r:' .. instance, P .. 'a:' .. instance)
  redis.call('HDEL', P .. 'e', instance)
  redis.call('HDEL', P .. 'l', instance)
end
local function sweep(lease, whole)
  local members = redis.call('HGETALL', P .. 'm')
  local present = {}
  for i = 1, #members, 2 do
    local held = string.match(members[i + 1], '^%d+ (%S+) ')
    local runs, rests = ends(held or '')
    if not held then
      redis.call('HDEL', P .. 'm', members[i])
    elseif away or runs == 0 then
      keep(held, now + lease, runs == 0 and now + whole or rests)
      present[held] = true
    elseif runs > now then
      present[held] = true
    else
      redis.call('HDEL', P .. 'm', members[i])
      tell('left', members[i], held)
    end
  end
  for _, instance in ipairs(redis.call('HKEYS', P .. 'e')) do
    local runs, rests = ends(instance)
    if instance ~= '.' and not present[instance] and runs <= now and rests <= now then drop(instance) end
  end
  due, away = now + math.floor(lease / 2), false
  redis.call('HSET', P .. 'e', '.', number(due))
end
`

const script = (body: string): Script => {
  const text = `${common}\n${body}`
  return { text, sha: createHash('sha1').update(text).digest('hex') }
}

/** name, instance, lease, lease and grace, value → fence, or nothing when another instance has the name. */
export const join = script(`
local name, instance, lease, whole, value = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
if late(instance) then return false end
local before = redis.call('HGET', P .. 'm', name)
local held = before and string.match(before, '^%d+ (%S+) ')
if held and held ~= instance then
  -- One that was started again shows that the one before is gone, also after the engine was away.
  local runs = ends(held)
  if runs > 0 and runs <= now then
    redis.call('HDEL', P .. 'm', name)
    tell('left', name, held)
    held = nil
  end
end
sweep(lease, whole)
if held and held ~= instance then return false end
local number = fence()
redis.call('HSET', P .. 'm', name, number .. ' ' .. instance .. ' ' .. value)
keep(instance, now + lease, now + whole)
tell('joined', name, number .. ' ' .. instance .. ' ' .. value)
return number
`)

/** name, instance, lease, lease and grace → 1 while the lease runs, and the number of the last change. */
export const renew = script(`
local name, instance, lease, whole = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
sweep(lease, whole)
local mine = string.match(redis.call('HGET', P .. 'm', name) or '', '^%d+ (%S+) ') == instance
if mine then keep(instance, now + lease, now + whole) end
return { mine and 1 or 0, redis.call('GET', P .. 'seq') or '0' }
`)

/** instance, then key and id of rows that it was granted → the places in this list of those that are lost. */
export const lost = script(`
local instance = ARGV[1]
local found = {}
for i = 2, #ARGV, 2 do
  local by = string.match(redis.call('HGET', P .. 'k:' .. ARGV[i], ARGV[i + 1]) or '', '^%d+ (%S+) ')
  local listed = redis.call('SISMEMBER', P .. 'r:' .. instance, ARGV[i] .. '\\n' .. ARGV[i + 1]) == 1
  if by ~= instance or not listed then found[#found + 1] = (i - 2) / 2 end
end
return found
`)

/** → what the engine does when its memory is full, or nothing and why that cannot be read. */
export const policy = script(`
local info = redis.pcall('INFO', 'memory')
if type(info) == 'table' then return { '', tostring(info.err) } end
return { string.match(info, 'maxmemory_policy:([%w-]+)') or '', 'INFO memory does not have it' }
`)

/** instance, key, id, owner, share, record, fences to be replaced… → fence, or rows in the way; nothing without a lease. */
export const claim = script(`
local instance, key, id, owner, share = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if late(instance) or not alive(instance) then return false end
local replace = {}
for i = 7, #ARGV do replace[ARGV[i]] = true end
local rows = redis.call('HGETALL', P .. 'k:' .. key)
local held, gone = {}, {}
for i = 1, #rows, 2 do
  local number, by, own, word = string.match(rows[i + 1], '^(%d+) (%S+) (%S+) (%S+) ')
  local same = own == owner
  if not number then
    gone[#gone + 1] = i
  elseif rows[i] ~= id or by ~= instance then
    local up = alive(by)
    if not up and (same or not resting(by)) then
      gone[#gone + 1] = i
    elseif same and replace[number] then
      gone[#gone + 1] = i
    elseif not same or rows[i] == id or share == '-' or word ~= share then
      held[#held + 1] = rows[i + 1]
    end
  end
end
if #held > 0 then return held end
for _, i in ipairs(gone) do remove(key, rows[i], rows[i + 1]) end
local number = fence()
local raw = number .. ' ' .. instance .. ' ' .. owner .. ' ' .. share .. ' ' .. ARGV[6]
redis.call('HSET', P .. 'k:' .. key, id, raw)
redis.call('SADD', P .. 'r:' .. instance, key .. '\\n' .. id)
tell('held', raw)
return number
`)

/** instance, key, id */
export const release = script(`
if late(ARGV[1]) then return 0 end
local raw = redis.call('HGET', P .. 'k:' .. ARGV[2], ARGV[3])
local instance = raw and string.match(raw, '^%d+ (%S+) ')
if instance == ARGV[1] then remove(ARGV[2], ARGV[3], raw) end
return 1
`)

/** instance, key, limit, used, want → what it may use; nothing without a lease. An allotment is `granted want`. */
export const allot = script(`
local instance, key = ARGV[1], ARGV[2]
local limit, used, want = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if late(instance) or not alive(instance) then return false end
local all = redis.call('HGETALL', P .. 'q:' .. key)
local granted, wanted, members = 0, 0, 1
for i = 1, #all, 2 do
  local has, wants = string.match(all[i + 1], '^(%d+) (%d+)$')
  if not has or not alive(all[i]) then
    redis.call('HDEL', P .. 'q:' .. key, all[i])
  elseif all[i] ~= instance then
    granted, wanted, members = granted + tonumber(has), wanted + tonumber(wants), members + 1
  end
end
local fair = math.max(math.floor(limit / members), limit - wanted)
local share = math.max(used, math.min(want, fair, limit - granted))
if want > 0 or share > 0 then
  redis.call('HSET', P .. 'q:' .. key, instance, number(share) .. ' ' .. number(want))
  redis.call('SADD', P .. 'a:' .. instance, key)
else
  redis.call('HDEL', P .. 'q:' .. key, instance)
  redis.call('SREM', P .. 'a:' .. instance, key)
end
return number(share)
`)

/** name, instance */
export const leave = script(`
local name, instance = ARGV[1], ARGV[2]
drop(instance)
local held = redis.call('HGET', P .. 'm', name)
if held and string.match(held, '^%d+ (%S+) ') == instance then redis.call('HDEL', P .. 'm', name) end
tell('left', name, instance)
return 1
`)

/** → the number of the last change, then names and members whose lease runs. */
export const members = script(`
local found = { redis.call('GET', P .. 'seq') or '0' }
local all = redis.call('HGETALL', P .. 'm')
for i = 1, #all, 2 do
  local instance = string.match(all[i + 1], '^%d+ (%S+) ')
  if instance and alive(instance) then
    found[#found + 1] = all[i]
    found[#found + 1] = all[i + 1]
  end
end
return found
`)

/** instance, cursor → next cursor, then rows. In parts, so that nothing else waits for long. */
export const rows = script(`
local part = redis.call('SSCAN', P .. 'r:' .. ARGV[1], ARGV[2], 'COUNT', 500)
local found = { part[1] }
for _, name in ipairs(part[2]) do
  local key, id = string.match(name, '^(.*)\\n(.*)$')
  local raw = key and redis.call('HGET', P .. 'k:' .. key, id)
  if raw then found[#found + 1] = raw end
end
return found
`)
