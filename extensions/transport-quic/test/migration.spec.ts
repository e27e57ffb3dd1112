import type { StreamLink } from '@rystra/plugin'
import { expect } from 'chai'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { ClientPath } from '../src/client-path.js'
import { cleanUp, dialTo, later, type Listening, startListening, transport, until } from './ends.js'
import { bound, Relay } from './relay.js'

const TOTAL = 6_000_000

/** Sends bytes from the client, which moves in the middle, and checks that they all came. */
const transfer = async (link: StreamLink, listening: Listening, move: () => Promise<unknown>): Promise<void> => {
  const bytes = randomBytes(TOTAL)
  const hash = createHash('sha256')
  let came = 0
  let moved: Promise<unknown> | undefined
  const whole = new Promise<void>((resolve, reject) => {
    ;(listening.links[0] as StreamLink).onStream = (stream) => {
      stream.on('error', reject)
      stream.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        came += chunk.length
        if (came > TOTAL / 4) moved ??= move()
      })
      stream.on('end', () => stream.end('thanks', resolve))
    }
  })
  const stream = await link.open()
  const [answer] = [once(stream, 'data')]
  stream.end(bytes)
  await whole
  expect(String((await answer)[0])).to.equal('thanks')
  await moved
  expect(came).to.equal(TOTAL)
  expect(hash.digest('hex')).to.equal(createHash('sha256').update(bytes).digest('hex'))
}

/** The client's end of its link. */
const pathOf = (paths: ClientPath[]): ClientPath => paths.at(-1) as ClientPath

describe('migration', () => {
  const paths: ClientPath[] = []
  const { open } = ClientPath
  before(() => {
    ClientPath.open = async (target) => {
      const path = await open.call(ClientPath, target)
      paths.push(path)
      return path
    }
  })
  after(() => {
    ClientPath.open = open
  })
  afterEach(cleanUp)

  const linked = async (port?: (server: number) => Promise<number>) => {
    const listening = await startListening()
    const at = port === undefined ? listening.port : await port(listening.port)
    const client = transport('client', listening.dir, { rebindAfter: 300 })
    const link = await dialTo(client, at, listening.trust)
    await until(() => listening.links.length === 1, 'the link')
    return { listening, link }
  }

  it('goes on from another socket in the middle of a transfer, and nothing is lost', async () => {
    const { listening, link } = await linked()
    const server = listening.links[0] as StreamLink
    const before = server.peer.port
    await transfer(link, listening, () => pathOf(paths).rebind())
    await until(() => server.peer.port !== before, 'the server to see the new port')
    expect(listening.links).to.have.length(1)
  })

  it('goes on when a NAT between gives it another port in the middle of a transfer', async () => {
    let relay: Relay | undefined
    const { listening, link } = await linked(async (server) => {
      relay = await Relay.to(server)
      return relay.port
    })
    await transfer(link, listening, () => (relay as Relay).rebind())
    expect(relay?.ports.size).to.equal(2)
    expect(relay?.ports.has((listening.links[0] as StreamLink).peer.port)).to.equal(true)
  })

  it('goes on behind a NAT that forgets who only receives', async () => {
    const listening = await startListening()
    const relay = await Relay.to(listening.port)
    const link = await dialTo(transport('client', listening.dir, { rebindAfter: 300 }), relay.port, listening.trust)
    await until(() => listening.links.length === 1, 'the link')
    const bytes = randomBytes(TOTAL)
    const hash = createHash('sha256')
    let came = 0
    let moved: Promise<void> | undefined
    const forget = async (): Promise<void> => {
      relay.passes = () => false
      await relay.rebind()
      relay.passes = () => true
    }
    link.onStream = (stream) => {
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => {
        hash.update(chunk)
        came += chunk.length
        if (came > TOTAL / 4) moved ??= forget()
      })
    }
    const stream = await (listening.links[0] as StreamLink).open()
    stream.on('error', () => {})
    stream.end(bytes)
    await until(() => came === TOTAL, 'all bytes')
    await moved
    expect(relay.ports.size).to.equal(2)
    expect(hash.digest('hex')).to.equal(createHash('sha256').update(bytes).digest('hex'))
  })

  it('does not follow copies of its packets that come from a foreign address', async () => {
    const listening = await startListening()
    const relay = await Relay.to(listening.port)
    const link = await dialTo(transport('client', listening.dir), relay.port, listening.trust)
    await until(() => listening.links.length === 1, 'the link')
    const server = listening.links[0] as StreamLink
    const attacker = await bound()
    later(() => attacker.close())
    let up = 0
    const probes: Buffer[] = []
    attacker.on('message', (packet) => probes.push(packet))
    const { port } = server.peer
    // The copy comes first, and what it copies never: to the server it is a good packet from another address.
    let stolen = 0
    relay.passes = (packet, way) => {
      if (way === 'down' || stolen++ % 3 > 0) return true
      up += packet.length
      attacker.send(packet, listening.port, '127.0.0.1')
      return false
    }
    let came = 0
    server.onStream = (stream) => {
      stream.on('error', () => {})
      stream.on('data', (chunk: Buffer) => {
        came += chunk.length
      })
    }
    const stream = await link.open()
    stream.on('error', () => {})
    stream.write(randomBytes(300_000))
    await until(() => came === 300_000 && probes.length > 0, 'all bytes, and a probe')
    // It answers with what it was sent, and has no keys to answer with.
    for (const probe of probes) attacker.send(probe, listening.port, '127.0.0.1')
    stream.write('more')
    await until(() => came === 300_004, 'what comes after')
    expect(server.peer.port).to.equal(port)
    expect(probes.reduce((sum, { length }) => sum + length, 0)).to.be.below(up)
  })

  it('goes on from another socket by itself when nothing comes any more', async () => {
    let relay: Relay | undefined
    const { listening, link } = await linked(async (server) => {
      relay = await Relay.to(server)
      return relay.port
    })
    const { port } = pathOf(paths).local
    await transfer(link, listening, async () => {
      // What comes from this socket is lost from now on, as if its interface were gone.
      ;(relay as Relay).passesFrom = (from) => from !== port
    })
    expect(pathOf(paths).local.port).to.not.equal(port)
  })
})
