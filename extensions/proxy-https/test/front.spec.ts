import { expect } from 'chai'
import { once } from 'node:events'
import type net from 'node:net'
import { clientHello, outcome, until, World } from './world.js'

const alert = (description: number): Buffer => Buffer.from([0x15, 3, 3, 0, 2, 2, description])

let world: World

/** Sends these bytes, and answers with what came back. */
const responseTo = async (bytes: Buffer | string) => {
  const socket = await world.connect()
  const over = outcome(socket)
  socket.write(bytes)
  return over
}

/** What each of the groups below begins and ends with. */
const fixture = (): void => {
  beforeEach(() => {
    world = new World()
  })
  afterEach(() => world.close())
}

describe('a visitor of the TLS port', () => {
  fixture()

  it('reaches the client that publishes its name, with every byte and address', async () => {
    await world.start()
    const { address } = await world.publish({ host: ['app.example.org', '*.example.org'] })
    expect(address).to.equal(`https://app.example.org:${world.port}`)
    for (const servername of ['app.example.org', 'APP.example.org', 'a.b.example.org']) {
      const hello = await clientHello({ servername })
      const socket = await world.connect()
      socket.end(Buffer.concat([hello, Buffer.from('and more')]))
      await until(() => world.relayed.length === 1)
      const [{ visitor, info }] = world.relayed.splice(0) as [(typeof world.relayed)[number]]
      expect(info).to.deep.equal({
        host: '127.0.0.1',
        port: socket.localPort,
        to: { host: '127.0.0.1', port: world.port }
      })
      const { bytes, end } = await outcome(visitor)
      expect(bytes.equals(Buffer.concat([hello, Buffer.from('and more')])), 'the bytes').to.equal(true)
      expect(end).to.equal('end')
    }
  })

  it('may send its ClientHello in as many pieces and records as it likes', async () => {
    await world.start()
    await world.publish({ host: 'app.example.org' })
    const hello = await clientHello({ servername: 'app.example.org', ALPNProtocols: ['a'.repeat(200)] })
    const records = [...hello.subarray(5)].map((byte) => Buffer.from([0x16, 3, 1, 0, 1, byte]))
    for (const pieces of [[...hello].map((byte) => Buffer.from([byte])), [Buffer.concat(records)]]) {
      const socket = await world.connect()
      socket.setNoDelay(true)
      for (const piece of pieces) {
        expect(world.relayed).to.have.length(0)
        await new Promise((resolve) => socket.write(piece, resolve))
      }
      await until(() => world.relayed.length === 1)
      const [{ visitor }] = world.relayed.splice(0) as [(typeof world.relayed)[number]]
      socket.end()
      expect((await outcome(visitor)).bytes.equals(Buffer.concat(pieces)), 'the bytes').to.equal(true)
    }
  })

  it('is told in plain text that it speaks plain HTTP', async () => {
    await world.start()
    const { bytes, end } = await responseTo('GET / HTTP/1.1\r\nHost: app.example.org\r\n\r\n')
    expect(String(bytes)).to.match(/^HTTP\/1\.1 400 Bad Request\r\nDate: [^\r]+ GMT\r\nContent-Type: text\/plain/)
    expect(end).to.equal('end')
    expect(world.codes()).to.deep.equal(['tls.not-tls'])
  })

  it('is told with an alert why it does not get further', async () => {
    await world.start()
    await world.publish({ host: 'app.example.org' })
    const broken = await clientHello({ servername: 'app.example.org' })
    // The length of the cipher suites.
    broken[5 + 4 + 2 + 32 + 33] = 0xff
    const cases: [what: string, bytes: Buffer, description: number, code: string][] = [
      ['another name', await clientHello({ servername: 'other.example.org' }), 112, 'tls.unknown-name'],
      ['no name', await clientHello({ host: '127.0.0.1' }), 109, 'tls.unknown-name'],
      ['garbage', Buffer.from([0, 1, 2, 3, 4]), 10, 'tls.not-tls'],
      ['a handshake that is garbage', Buffer.concat([Buffer.from([0x16]), Buffer.alloc(100, 7)]), 10, 'tls.not-tls'],
      ['a broken ClientHello', broken, 10, 'tls.not-tls'],
      ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'), 10, 'tls.not-tls']
    ]
    for (const [what, bytes, description, code] of cases) {
      const answer = await responseTo(bytes)
      expect(answer.bytes, what).to.deep.equal(alert(description))
      expect(answer.end, what).to.equal('end')
      expect(world.codes().at(-1), what).to.equal(code)
    }
    expect(world.relayed).to.have.length(0)
    world.clock.advance(1000)
    await until(() => world.clock.pending === 0)
  })

  it('is told of a ClientHello that never ends before it fills the memory', async () => {
    await world.start()
    const socket = await world.connect()
    const over = outcome(socket)
    // A message of 16 KiB less 4 bytes, one byte to a record: its headers are five times as long.
    const first = Buffer.from([0x16, 3, 1, 0, 4, 1, 0, 0x3f, 0xf0])
    socket.write(Buffer.concat([first, ...Array.from({ length: 5000 }, () => Buffer.from([0x16, 3, 1, 0, 1, 3]))]))
    expect((await over).bytes).to.deep.equal(alert(10))
  })

  it('goes to defaultHost when it has no SNI', async () => {
    await world.start({ defaultHost: 'App.example.org' })
    await world.publish({ host: 'app.example.org' })
    const socket = await world.connect()
    socket.write(await clientHello({ host: '127.0.0.1' }))
    await until(() => world.relayed.length === 1)
  })

  it('gets an alert when no member of the group can serve', async () => {
    await world.start()
    const claim = async (key: string) => ({ key, size: 2, pick: () => undefined })
    await world.publish({ host: 'app.example.org' }, { claim })
    expect((await responseTo(await clientHello({ servername: 'app.example.org' }))).bytes).to.deep.equal(alert(80))
    expect(world.codes()).to.deep.equal(['stream.no-member'])
  })

  it('comes in again when a proxy is taken back and published anew', async () => {
    await world.start()
    const first = await world.publish({ subdomain: 'app' })
    const hello = await clientHello({ servername: 'app.localhost' })
    await first.take()
    expect((await responseTo(hello)).bytes).to.deep.equal(alert(112))
    await world.publish({ subdomain: 'app' })
    ;(await world.connect()).write(hello)
    await until(() => world.relayed.length === 1)
  })

  it('is no harm when it is reset, or ends, in the middle of a ClientHello', async () => {
    await world.start()
    await world.publish({ host: 'app.example.org' })
    const hello = await clientHello({ servername: 'app.example.org' })
    const [one, other] = [await world.connect(), await world.connect()]
    for (const socket of [one, other]) socket.write(hello.subarray(0, 50))
    await until(() => world.clock.pending === 2)
    one.resetAndDestroy()
    const over = outcome(other)
    other.end()
    expect((await over).end).to.equal('end')
    await until(() => world.clock.pending === 0)
    expect(world.relayed).to.have.length(0)
    ;(await world.connect()).write(hello)
    await until(() => world.relayed.length === 1)
  })
})

describe('visitors who take their time', () => {
  fixture()

  it('are closed at the deadline, which bytes do not put off', async () => {
    await world.start({ handshakeTimeout: 2000 })
    const socket = await world.connect()
    const over = outcome(socket)
    const hello = await clientHello({ servername: 'app.example.org' })
    await until(() => world.clock.pending === 1)
    for (let at = 0; at < 4; at += 1) {
      await new Promise((resolve) => socket.write(hello.subarray(at, at + 1), resolve))
      world.clock.advance(499)
    }
    expect(world.codes()).to.deep.equal([])
    world.clock.advance(4)
    expect((await over).bytes).to.have.length(0)
    expect(world.codes()).to.deep.equal(['tls.handshake'])
    expect(world.clock.pending).to.equal(0)
  })

  it('are bounded in number: one more closes the oldest, and honest visitors get through', async () => {
    await world.start({ handshakes: 20 })
    await world.publish({ host: 'app.example.org' })
    const first = await world.connect()
    const over = outcome(first)
    await until(() => world.clock.pending === 1)
    const flood: net.Socket[] = []
    for (let count = 0; count < 100; count += 1) flood.push(await world.connect())
    await over
    await until(() => world.codes().length === 81)
    expect(world.clock.pending, 'those that are waited for').to.equal(20)
    expect(new Set(world.codes())).to.deep.equal(new Set(['tls.handshake']))
    ;(await world.connect()).write(await clientHello({ servername: 'app.example.org' }))
    await until(() => world.relayed.length === 1)
    expect(flood.at(-1)?.destroyed).to.equal(false)
  })

  it('keep their place until the alert is sent, and no longer', async () => {
    await world.start({ handshakes: 2 })
    const overs: Promise<unknown>[] = []
    // Half-open: none of them ends by itself.
    for (const count of [1, 2, 3]) {
      const socket = await world.connect()
      overs.push(once(socket.resume(), 'end'))
      socket.write('nonsense')
      await until(() => world.codes().filter((code) => code === 'tls.not-tls').length === count)
    }
    await Promise.all(overs)
    expect(world.codes().filter((code) => code === 'tls.handshake')).to.have.length(1)
    world.clock.advance(1000)
    await until(() => world.clock.pending === 0)
  })

  it('are closed when the server stops', async () => {
    await world.start()
    const socket = await world.connect()
    const over = outcome(socket)
    await until(() => world.clock.pending === 1)
    await world.setUp.stop()
    await over
    expect(world.clock.pending).to.equal(0)
  })
})
