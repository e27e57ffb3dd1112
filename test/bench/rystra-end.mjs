/**
 * One end of Rystra, or many clients, as a process of its own: plain JavaScript on the built packages, as a user would run it.
 * Started by peers/rystra.ts with --expose-gc, and asked over IPC; see load/remote.ts for the form.
 */
import { createClient, createServer } from 'rystra'

const log = { level: 'error' }

/** @type {{ stop(options?: { drain?: number }): Promise<void> }[]} */
const running = []

const start = async (end) => {
  running.push(end)
  await end.start()
  return end
}

const methods = {
  /** A server on any free port of loopback. Answers with the port. */
  async server({ token, sessions }) {
    const server = await createServer({
      log,
      extensions: [{ use: '@rystra/auth-token', options: { tokens: [{ identity: 'bench', token }] } }],
      server: {
        listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
        publish: { host: '127.0.0.1', ports: ['20000-32000'] },
        limits: { sessions, streamsPerSession: 50_000 }
      }
    })
    await start(server)
    return server.listening[0].port
  },

  /** `count` clients with one proxy each. Answers with the address of the first one's. */
  async clients({ token, port, muxer, service, count, name }) {
    const one = async (index) => {
      const client = await createClient({
        log,
        extensions: [{ use: '@rystra/auth-token', options: { token } }],
        client: {
          id: `${name}-${index}`,
          connect: { transport: 'tcp', host: '127.0.0.1', port, muxer },
          proxies: [{ name: `${name}-${index}`, kind: 'tcp', local: service }]
        }
      })
      return start(client)
    }
    const first = await one(0)
    for (let index = 1; index < count; index += 16) {
      await Promise.all(Array.from({ length: Math.min(16, count - index) }, (_, more) => one(index + more)))
    }
    return first.proxies[0].address
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
