import { pump } from '@rystra/bytes'
import { type CloseStreamContext, defineExtension, type Relay, type Runtime } from '@rystra/plugin'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { cleanUp, echo, portOf, readAll, startClient, startServer, startService, visit, visitorPort } from './tunnel.js'

const child = fileURLToPath(new URL('relay-child.mjs', import.meta.url))

/** Moves bytes by the raw streams that it is given. */
const byStreams: Relay = { name: 'streams', accepts: () => true, join: pump }

/** Moves bytes outside of this process. */
const byDescriptors: Relay = {
  name: 'descriptors',
  accepts: (a, b) => a.detach !== undefined && b.detach !== undefined,
  join(visitor, service, done) {
    const there = service.detach?.()
    const here = there === undefined ? undefined : visitor.detach?.()
    if (there === undefined || here === undefined) {
      there?.attach()
      return undefined
    }
    const pending = [here.pending, there.pending].map((bytes) => bytes.toString('base64'))
    const relay = spawn(process.execPath, [child, ...pending], {
      stdio: ['ignore', 'pipe', 'inherit', here.fd, there.fd]
    })
    // The child has duplicates.
    here.over()
    there.over()
    const state = { aToB: 0, bToA: 0, paused: false, reset: () => void relay.kill() }
    let said = ''
    relay.stdout?.on('data', (text) => (said += text))
    relay.on('close', () => {
      const [aToB = 0, bToA = 0] = said === '' ? [] : (JSON.parse(said) as number[])
      Object.assign(state, { aToB, bToA })
      done(aToB, bToA, said === '' ? new Error('the relay was ended') : undefined)
    })
    return state
  }
}

const gone = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve())
  })

describe('a relay of an extension', () => {
  afterEach(cleanUp)

  const world = async (relay: Relay, muxer: string, fields = {}) => {
    const closed: CloseStreamContext[] = []
    let joined = 0
    let runtime: Runtime | undefined
    const extension = defineExtension({
      name: 'relay',
      setup(context) {
        const join: Relay['join'] = (...ends) => {
          const pumping = relay.join(...ends)
          if (pumping !== undefined) joined += 1
          return pumping
        }
        context.registries.relays.add({ ...relay, join })
        context.hooks.onCloseStream.tap((stream) => void closed.push(stream))
        if (context.role === 'server') runtime = context.runtime
      }
    })
    const server = await startServer({}, [extension()])
    const local = await startService(echo)
    const proxies = [{ name: 'x', kind: 'tcp', local, ...fields }]
    const client = await startClient(portOf(server), proxies, { muxer }, [extension()])
    const visitor = await visit(visitorPort(client, 'x'))
    return { visitor, closed, joined: () => joined, streams: () => [...(runtime as Runtime).streams()] }
  }

  for (const [relay, muxer, ends] of [
    [byStreams, 'yamux', 2],
    [byStreams, 'direct', 2],
    [byDescriptors, 'direct', 2],
    // There is no descriptor of a stream that shares its link: the built-in pump joins it.
    [byDescriptors, 'yamux', 0]
  ] as const) {
    it(`carries what visitors say, their ends, and what services answer: by ${relay.name}, ${muxer}`, async () => {
      const { visitor, closed, joined } = await world(relay, muxer)
      const bytes = randomBytes(3_000_000)
      const answer = readAll(visitor)
      visitor.end(bytes)
      expect((await answer).equals(bytes)).to.equal(true)
      await until(() => closed.length === 2, 'both ends have closed it')
      for (const { bytesToService, bytesToVisitor, reason } of closed) {
        expect([bytesToService, bytesToVisitor, reason]).to.deep.equal([bytes.length, bytes.length, 'end'])
      }
      expect(joined()).to.equal(ends)
    })
  }

  it('keeps a bandwidth, is counted while it runs, and is closed by its handle', async () => {
    const { visitor, streams, closed } = await world(byStreams, 'direct', { bandwidth: '100kB' })
    visitor.write(Buffer.alloc(400_000))
    await until(() => streams().some((stream) => stream.stats().paused), 'it is held back')
    const [stream] = streams()
    expect(stream?.stats().bytesToService).to.be.within(1, 399_999)
    const cut = gone(visitor)
    stream?.close()
    await cut
    await until(() => closed.length === 2, 'both ends have closed it')
  })

  it('is ended when nothing passes for as long as the proxy allows', async () => {
    const { visitor, closed } = await world(byStreams, 'direct', { idleTimeout: '1s' })
    await gone(visitor)
    await until(() => closed.length === 2, 'both ends have closed it')
    expect(closed.some(({ error }) => error?.code === 'stream.idle')).to.equal(true)
  })
})
