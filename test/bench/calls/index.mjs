/** `npm run bench -- --measure calls`: RPC of this project beside other libraries, each end in a process of its own, rounds in turn. */
import { fork, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openLine } from './line.mjs'
import { slowNamespace } from './namespace.mjs'
import { aims } from './aims.mjs'
import { peers } from './peers.mjs'

const { values } = parseArgs({
  options: {
    measure: { type: 'string' },
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '1000' },
    sessions: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false }
  }
})
const here = fileURLToPath(new URL('.', import.meta.url))
if (!existsSync(`${here}node_modules`)) {
  console.error(`the peers are not installed: npm ci --prefix ${here}`)
  process.exit(1)
}
const names = values.only?.split(',') ?? Object.keys(peers)
const rounds = Number(values.rounds)
const ms = Number(values.window)

/** A process, and a way to ask it. @param namespace of the network, where it is not that of the bench */
const end = async (side, name, namespace) => {
  const options = { execArgv: ['--expose-gc'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }
  const within = ['netns', 'exec', namespace, process.execPath, '--expose-gc', `${here}end.mjs`, side, name]
  const child = namespace === undefined ? fork(`${here}end.mjs`, [side, name], options) : spawn('ip', within, options)
  const waiting = new Map()
  let id = 0
  const first = new Promise((resolve) => waiting.set(0, { resolve }))
  child.on('message', ({ id: number, answer, error }) => {
    const { resolve, reject } = waiting.get(number)
    if (error === undefined) resolve(answer)
    else reject(new Error(`${name}: ${error}`))
  })
  const ask = (what, options) =>
    new Promise((resolve, reject) => {
      waiting.set(++id, { resolve, reject })
      child.send({ id, what, options })
    })
  return { ask, started: await first, stop: () => child.disconnect() }
}

const loads = [
  ...[1, 16, 64, 256].map((flight) => ({
    key: `small ${flight}`,
    what: 'calls',
    options: { flight, ms, body: 'small' }
  })),
  { key: 'record 64', what: 'calls', options: { flight: 64, ms, body: 'record' } },
  { key: 'events', what: 'emit', options: { ms }, needs: 'emit' },
  { key: '16 KiB chunks', what: 'upload', options: { ms }, needs: 'upload' }
]

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]
const results = {}

for (let round = 0; round < rounds; round++) {
  for (const name of names) {
    const server = await end('serve', name)
    const client = await end('connect', name)
    try {
      const can = await client.ask('connect', server.started)
      await client.ask('calls', { flight: 64, ms: ms / 2, body: 'small' })
      for (const { key, what, options, needs } of loads) {
        if (needs !== undefined && !can.includes(needs)) continue
        const before = await server.ask('cpu')
        const { count, rate, p50, p99, cpu } = await client.ask(what, options)
        const after = await server.ask('cpu')
        const unit = what === 'upload' ? 1e6 : 1
        const entry = { rate, p50, p99, cpu: ((cpu + after.cpu - before.cpu) / count) * unit }
        results[name] ??= {}
        results[name][key] = [...(results[name][key] ?? []), entry]
      }
    } catch (error) {
      console.error(String(error))
    }
    client.stop()
    server.stop()
    console.error(`· round ${round + 1}: ${name}`)
  }
}

/**
 * What each of many idle sessions costs, in processes that do nothing else. As many are there already: with those the process itself
 * has grown, above all the young generation of the heap, which RSS has and a session has not.
 */
const idleSessions = async (name) => {
  const count = Math.ceil(Number(values.sessions) / 20) * 20
  const server = await end('serve', name)
  const client = await end('connect', name)
  await client.ask('idle', { from: 0, count, to: server.started })
  const before = [await server.ask('held'), await client.ask('held')]
  await client.ask('idle', { from: count, count, to: server.started })
  const after = [await server.ask('held'), await client.ask('held')]
  client.stop()
  server.stop()
  return growth(before, after, count)
}

/** Of server and client, for each of so many things. */
const growth = (before, after, count) => {
  const [server, client] = before.map(({ rss, heap }, side) => ({
    rss: (after[side].rss - rss) / count,
    heap: (after[side].heap - heap) / count
  }))
  return { server, client }
}

/** What each of many open streams of one session costs. */
const streamsOpen = async (name) => {
  const [warm, count] = [200, 800]
  const server = await end('serve', name)
  const client = await end('connect', name)
  await client.ask('connect', server.started)
  await client.ask('openStreams', { count: warm })
  const before = [await server.ask('held'), await client.ask('held')]
  await client.ask('openStreams', { count })
  const after = [await server.ask('held'), await client.ask('held')]
  client.stop()
  server.stop()
  return growth(before, after, count)
}

/** Measured once for each peer that has it: small calls beside bulk, also over a line; readers that stop; idle sessions. */
const LINE = { rate: 50e6 / 8, delay: 20, queue: 40 }
const places = ['loopback', '50 Mbit/s, 40 ms']
process.once('SIGINT', () => process.exit(130))
const namespace = slowNamespace(LINE, (reason) =>
  console.error(
    `no network namespace for the slow line (${reason}): it is a process that forwards, whose kernel keeps 400 KB of its own`
  )
)
const extra = {}
for (const name of names) {
  for (const where of places) {
    const isLine = where !== 'loopback'
    const inside = isLine ? namespace?.name : undefined
    const server = await end('serve', name, inside)
    const client = await end('connect', name, inside)
    const { port, ...rest } = server.started
    const line = isLine && namespace === undefined ? await openLine(peers[name].udp === true, port, LINE) : undefined
    extra[name] ??= {}
    const entry = extra[name]
    try {
      const can = await client.ask('connect', { ...rest, port: line?.port ?? port })
      if (can.includes('big')) {
        await client.ask('calls', { flight: 1, ms: 200, body: 'small' })
        if (!isLine) entry.message = await client.ask('duringMessage', { ms: 10 * ms })
        entry[where] = await client.ask('contended', { ms: 2 * ms })
      }
      if (!isLine && can.includes('stalledStream')) {
        const fresh = await end('connect', name)
        await fresh.ask('connect', server.started)
        // As long as it takes then: a process that has just started grows by itself.
        await fresh.ask('calls', { flight: 1, ms: 3 * ms, body: 'small' })
        entry.stalled = await fresh.ask('stalled', { ms: 3 * ms })
        fresh.stop()
      }
    } catch (error) {
      console.error(String(error))
    }
    client.stop()
    server.stop()
    line?.close()
  }
  try {
    if (extra[name].stalled !== undefined) {
      extra[name].streams = await streamsOpen(name)
      extra[name].idle = await idleSessions(name)
    }
  } catch (error) {
    console.error(String(error))
  }
  console.error(`· once: ${name}`)
}

namespace?.close()

const of = (name, key, field) => {
  const entries = results[name]?.[key]
  return entries === undefined ? undefined : median(entries.map((entry) => entry[field]))
}
if (values.json) console.log(JSON.stringify({ results, extra }))
else {
  for (const { key, what } of loads) {
    const unit = what === 'upload' ? 'MB/s' : '/s'
    const cost = what === 'upload' ? 'CPU ms per MB' : 'CPU µs, both ends'
    console.log(
      `\n${key}\n${'peer'.padEnd(14)}${unit.padStart(10)}${'p50 µs'.padStart(10)}${'p99 µs'.padStart(10)}${cost.padStart(20)}${'ws ÷ x'.padStart(8)}${'grpc ÷ x'.padStart(10)}`
    )
    for (const name of names) {
      const [rate, p50, p99, cpu] = ['rate', 'p50', 'p99', 'cpu'].map((field) => of(name, key, field))
      if (rate === undefined) continue
      const text = (value, digits = 0) => (value === undefined || Number.isNaN(value) ? '–' : value.toFixed(digits))
      const ratio = (other) => text(of(other, key, 'cpu') === undefined ? undefined : of(other, key, 'cpu') / cpu, 2)
      const micro = (value) => text(value === undefined ? undefined : value * 1000)
      console.log(
        `${name.padEnd(14)}${text(rate).padStart(10)}${micro(p50).padStart(10)}${micro(p99).padStart(10)}${text(what === 'upload' ? cpu / 1000 : cpu, 2).padStart(20)}${ratio('ws').padStart(8)}${ratio('grpc').padStart(10)}`
      )
    }
  }

  const row = (first, ...cells) => console.log(first.padEnd(14) + cells.map((cell) => cell.padStart(16)).join(''))
  const text = (value, digits = 2) => (value === undefined ? '–' : value.toFixed(digits))
  const rows = (key) => Object.entries(extra).flatMap(([name, { [key]: found }]) => (found ? [[name, found]] : []))
  for (const where of places) {
    console.log(`\nsmall calls beside eight streams and a message of 100 MB: ${where}`)
    row(
      'peer',
      'alone p50 ms',
      'alone p99 ms',
      'beside p50 ms',
      'beside p99 ms',
      'p99 ÷ alone',
      'streams MB/s',
      '100 MB took s'
    )
    for (const [name, { alone, crowded, rate, whole }] of rows(where)) {
      const figures = [alone.p50, alone.p99, crowded.p50, crowded.p99, crowded.p99 / alone.p99, rate]
      row(name, ...figures.map((each) => text(each)), whole === undefined ? 'longer' : text(whole / 1000))
    }
  }
  console.log('\nsmall calls beside a message of 100 MB alone, loopback')
  row('peer', 'calls', 'p50 ms', 'p99 ms')
  for (const [name, { count, p50, p99 }] of rows('message')) row(name, text(count, 0), text(p50), text(p99))
  console.log('\na reader that stops')
  row('peer', 'sent KiB', 'memory KiB', 'calls p99 ms')
  for (const [name, { sent, memory, p99 }] of rows('stalled'))
    row(name, text(sent / 1024, 0), text(memory / 1024, 0), text(p99))
  for (const [what, key] of [
    [`${values.sessions} idle sessions`, 'idle'],
    ['800 open streams of one session', 'streams']
  ]) {
    console.log(`\n${what}, KiB each`)
    row('peer', 'server RSS', 'server heap', 'client RSS', 'client heap')
    for (const [name, { server, client }] of rows(key))
      row(name, ...[server.rss, server.heap, client.rss, client.heap].map((each) => text(each / 1024, 1)))
  }

  console.log('\naims, as ratios within this run')
  for (const { text: aim, value, met } of aims({ of, extra }))
    console.log(`${met === undefined ? 'not measured' : met ? 'met   ' : 'MISSED'}  ${aim}: ${text(value)}`)
}
