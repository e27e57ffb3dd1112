/** One end of one peer, in a process of its own: `end.mjs serve|connect <peer>`, told what to do by its parent. */
import { counts, peers } from './peers.mjs'

const [, , side, name] = process.argv
const peer = peers[name]
const cpu = () => {
  const { user, system } = process.cpuUsage()
  return user + system
}

const bodies = {
  small: { a: 1, b: 'two' },
  record: {
    id: 1,
    list: Array.from({ length: 20 }, (_, index) => ({ index, name: `item ${index}`, value: index * 1.5 })),
    text: 'x'.repeat(200)
  }
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]

/** Calls for so long, so many at once. */
const calls = async (link, { flight, ms, body }) => {
  const trips = []
  const until = performance.now() + ms
  const worker = async () => {
    for (let at = performance.now(); at < until; ) {
      await link.call(bodies[body])
      const now = performance.now()
      trips.push(now - at)
      at = now
    }
  }
  const [since, before] = [performance.now(), cpu()]
  await Promise.all(Array.from({ length: flight }, worker))
  const took = performance.now() - since
  trips.sort((a, b) => a - b)
  return {
    count: trips.length,
    rate: (trips.length / took) * 1000,
    p50: percentile(trips, 0.5),
    p99: percentile(trips, 0.99),
    cpu: cpu() - before
  }
}

/** Events for so long, a turn of the loop after each 64. */
const emit = async (link, { ms }) => {
  let count = 0
  const [since, before] = [performance.now(), cpu()]
  while (performance.now() - since < ms) {
    for (let index = 0; index < 64; index++, count++) {
      const wait = link.emit(bodies.small)
      if (wait !== undefined) await wait
    }
    await new Promise(setImmediate)
  }
  await link.call(bodies.small)
  return { count, rate: (count / (performance.now() - since)) * 1000, cpu: cpu() - before }
}

const upload = async (link, { ms }) => {
  const chunk = Buffer.alloc(16_384, 'x')
  let sent = 0
  const [since, before] = [performance.now(), cpu()]
  for (let count = 0; performance.now() - since < ms; count++) {
    await link.upload(chunk)
    sent += chunk.length
    if (count % 64 === 0) await new Promise(setImmediate)
  }
  return { count: sent, rate: sent / (performance.now() - since) / 1000, cpu: cpu() - before }
}

/** Round trips of small calls, one after the other with a pause, while something else may run. */
const smallCalls = async (link, until) => {
  const trips = []
  while (!until()) {
    const since = performance.now()
    await link.call(bodies.small)
    trips.push(performance.now() - since)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  trips.sort((a, b) => a - b)
  return { count: trips.length, p50: percentile(trips, 0.5), p99: percentile(trips, 0.99) }
}

const within = (ms) => {
  const until = performance.now() + ms
  return () => performance.now() > until
}

/** Small calls beside one message of 100 MB, and nothing else, until it has arrived or the time is over. */
const duringMessage = async (link, { ms }) => {
  let whole = false
  const over = within(ms)
  const big = link.big(Buffer.alloc(100_000_000, 'x')).finally(() => {
    whole = true
  })
  big.catch(() => {})
  return smallCalls(link, () => whole || over())
}

/** Streams that have carried a message and then nothing: what each holds. */
const openStreams = async (link, { count }) => {
  for (let made = 0; made < count; made++) await link.stream()(Buffer.alloc(16))
}

/** Small calls alone, then beside eight streams of 16 KiB chunks and one message of 100 MB on the same session. */
const contended = async (link, { ms }) => {
  const alone = await smallCalls(link, within(ms))
  const chunk = Buffer.alloc(16_384, 'x')
  let [sent, over] = [0, false]
  const since = performance.now()
  const bulk = async () => {
    const send = link.stream()
    for (let count = 0; !over; count++) {
      await send(chunk)
      sent += chunk.length
      if (count % 64 === 0) await new Promise(setImmediate)
    }
  }
  const streams = Promise.allSettled(Array.from({ length: 8 }, bulk))
  const big = link.big(Buffer.alloc(100_000_000, 'x'))
  let whole
  big.then(
    () => {
      whole = performance.now() - since
    },
    () => {}
  )
  const crowded = await smallCalls(link, within(ms))
  over = true
  const rate = sent / (performance.now() - since) / 1000
  void streams
  return { alone, crowded, rate, whole }
}

/** Chunks into a stream that is not read, for so long: what the sender keeps, and what small calls take meanwhile. */
const stalled = async (link, { ms }) => {
  globalThis.gc?.()
  const before = process.memoryUsage.rss()
  const chunk = Buffer.alloc(16_384, 'x')
  let sent = 0
  const send = link.stalledStream()
  const over = within(ms)
  const writing = (async () => {
    while (!over()) {
      await send(chunk)
      sent += chunk.length
    }
  })()
  // It still waits when the session ends.
  writing.catch(() => {})
  const small = await smallCalls(link, over)
  return { sent, memory: process.memoryUsage.rss() - before, ...small }
}

/** What this process holds once what is garbage is gone: collected twice, since what the first frees may free more. */
const held = async () => {
  for (let turn = 0; turn < 2; turn++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heap: heapUsed + external }
}

/** Sessions that do nothing. Each is a client of its own, with its extensions: what a process of a program has once. */
const idle = async (_link, { from, count, to }) => {
  for (let made = 0; made < count; made += 20)
    await Promise.all(Array.from({ length: 20 }, (_, at) => peer.connect({ ...to, id: `idle-${from + made + at}` })))
}

const work = { calls, emit, upload, contended, duringMessage, openStreams, stalled, idle, held }
let link
process.on('message', async ({ id, what, options }) => {
  try {
    if (what === 'cpu') {
      process.send({ id, answer: { cpu: cpu(), ...counts() } })
    } else if (what === 'connect') {
      link = await peer.connect(options)
      process.send({ id, answer: Object.keys(link) })
    } else process.send({ id, answer: await work[what](link, options) })
  } catch (error) {
    process.send({ id, error: String(error) })
  }
})
process.on('disconnect', () => process.exit())
process.send({ id: 0, answer: side === 'serve' ? await peer.serve() : undefined })
