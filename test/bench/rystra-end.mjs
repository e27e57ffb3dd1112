/**
 * One end of Rystra, or many clients, as a process of its own: plain JavaScript on the built packages, as a user would run it.
 * Started by peers/rystra.ts with --expose-gc, and asked over IPC; see load/remote.ts for the form.
 */
import { once } from 'node:events'
import inspector from 'node:inspector'
import { setUpExtension } from '@rystra/testkit'
import { createClient, createServer } from 'rystra'

const log = { level: 'error' }

const tcp = { kind: 'tcp' }

/** @type {{ stop(options?: { drain?: number }): Promise<void> }[]} */
const running = []

const start = async (end) => {
  running.push(end)
  await end.start()
  return end
}

/** @type {inspector.Session | undefined} */
let inspected

const inspect = (method, options) =>
  new Promise((resolve, reject) =>
    inspected.post(method, options, (error, result) => (error ? reject(new Error(error.message)) : resolve(result)))
  )

const placeOf = ({ functionName, url, lineNumber }) => {
  const file = url
    .replace(/^.*\/(?=[^/]+\/(?:dist|src)\/)/, '')
    .replace('/dist/src/', '/')
    .replace('/dist/', '/')
  return `${functionName || '(anonymous)'} ${file}${url === '' ? '' : `:${lineNumber + 1}`}`
}

const most = (sums) =>
  [...sums]
    .map(([place, value]) => ({ place, value }))
    .sort((a, b) => b.value - a.value)
    .slice(0, 40)

const methods = {
  /** Begins to sample where time goes, or what is allocated. */
  async sample({ what }) {
    inspected = new inspector.Session()
    inspected.connect()
    if (what === 'time') {
      await inspect('Profiler.enable')
      await inspect('Profiler.setSamplingInterval', { interval: 200 })
      await inspect('Profiler.start')
    } else {
      await inspect('HeapProfiler.startSampling', {
        samplingInterval: 4096,
        includeObjectsCollectedByMajorGC: true,
        includeObjectsCollectedByMinorGC: true
      })
    }
  },

  /** Ends it. Answers with the functions that took most: shares of the time, or bytes; and with the sum of the bytes. */
  async sampled({ what }) {
    const sums = new Map()
    let total = 0
    const add = (frame, value) => {
      total += value
      sums.set(placeOf(frame), (sums.get(placeOf(frame)) ?? 0) + value)
    }
    if (what === 'time') {
      const { profile } = await inspect('Profiler.stop')
      const idle = profile.nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)').map(({ id }) => id)
      const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
      for (const id of profile.samples) if (!idle.includes(id)) add(nodes.get(id).callFrame, 1)
      for (const [place, value] of sums) sums.set(place, value / total)
    } else {
      const { profile } = await inspect('HeapProfiler.stopSampling')
      const walk = ({ callFrame, selfSize, children }) => {
        add(callFrame, selfSize)
        children.forEach(walk)
      }
      walk(profile.head)
    }
    inspected.disconnect()
    return { total, most: most(sums) }
  },

  /** A server on any free port of loopback. Answers with the port, and with what clients need besides. */
  async server({ token, sessions, transport = 'tcp', packages = [], dir, limits = {} }) {
    const server = await createServer(
      {
        log,
        extensions: [{ use: '@rystra/auth-token', options: { tokens: [{ identity: 'bench', token }] } }, ...packages],
        server: {
          listen: [{ transport, host: '127.0.0.1', port: 0 }],
          publish: { host: '127.0.0.1', ports: ['20000-32000'] },
          limits: { sessions, streamsPerSession: 50_000, ...limits }
        }
      },
      { stateDir: dir }
    )
    await start(server)
    const [{ port, join = {} }] = server.listening
    return { port, join }
  },

  /** `count` clients with one proxy each, or with none when `proxy` is null. Answers with the address of the first one's. */
  async clients({
    token,
    port,
    muxer,
    service,
    count,
    name,
    transport = 'tcp',
    packages = [],
    join = {},
    proxy = tcp
  }) {
    const one = async (index) => {
      const client = await createClient({
        log,
        extensions: [{ use: '@rystra/auth-token', options: { token } }, ...packages],
        client: {
          id: `${name}-${index}`,
          connect: { transport, host: '127.0.0.1', port, ...(muxer === undefined ? {} : { muxer }), ...join },
          proxies: proxy === null ? [] : [{ name: `${name}-${index}`, local: service, ...proxy }]
        }
      })
      return start(client)
    }
    const first = await one(0)
    for (let index = 1; index < count; index += 16) {
      await Promise.all(Array.from({ length: Math.min(16, count - index) }, (_, more) => one(index + more)))
    }
    return first.proxies[0]?.address
  },

  /** Resets the links of all sessions, as the end of the server does, and keeps the server. */
  cut() {
    for (const session of [...running[0].runtime.sessions()]) session.destroy()
  },

  /** Resolves when the proxies of all clients are published once more. */
  async back() {
    await Promise.all(running.map((client) => once(client, 'published')))
  },

  /** Publishes, each by the client that it names. Answers with the milliseconds it took, and one of the addresses. */
  async publish({ entries }) {
    const begin = performance.now()
    const all = await Promise.all(entries.map(({ client, entry }) => running[client].publish(entry)))
    return { milliseconds: performance.now() - begin, address: all[0]?.[0]?.address }
  },

  /** Takes back, and waits until the server has heard it. */
  async unpublish({ names }) {
    for (const { client, name } of names) running[client].unpublish(name)
    // What is asked later is answered later.
    const last = { name: 'last', kind: 'tcp', local: '127.0.0.1:9' }
    for (const client of running) {
      await client.publish(last)
      client.unpublish(last.name)
    }
  },

  /**
   * Links dialed in `milliseconds`, eight at a time, per second. `resumed`: with what an earlier link left behind, where the
   * transport has something of the kind.
   */
  async links({ port, transport, package: name, join = {}, milliseconds, resumed }) {
    const { default: extension } = await import(name)
    const setUp = () =>
      setUpExtension(extension(), 'client')
        .registered('transports')
        .find((one) => one.name === transport)
    const to = { transport, host: '127.0.0.1', port, ...join }
    const { signal } = new AbortController()
    const drop = (link) => {
      if (link.kind === 'bytes') link.duplex.on('error', () => {}).destroy()
      else link.destroy()
    }
    const same = setUp()
    if (resumed) {
      const first = await same.dial(to, signal)
      // What lets the next one resume comes behind the handshake.
      await new Promise((resolve) => setTimeout(resolve, 300))
      drop(first)
    }
    const begin = performance.now()
    let count = 0
    const worker = async () => {
      while (performance.now() - begin < milliseconds) {
        drop(await (resumed ? same : setUp()).dial(to, signal))
        count += 1
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))
    return (count * 1000) / (performance.now() - begin)
  },

  /** What is in use after a collection. */
  async memory() {
    // Twice: what a finaliser lets go in the first is collected in the second.
    for (let round = 0; round < 2; round++) {
      globalThis.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    globalThis.gc?.()
    const { heapUsed, external } = process.memoryUsage()
    return { heap: heapUsed, external }
  }
}

process.on('message', async ({ id, method, value }) => {
  try {
    process.send({ id, value: await methods[method](value) })
  } catch (error) {
    process.send({ id, error: `${error.code ?? ''} ${error.message}`.trim() })
  }
})
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())
