import { isRystraError, type StreamLink } from '@rystra/plugin'
import { expect } from 'chai'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { fingerprintOf, selfSigned } from '@rystra/certificates'
import { loadQuiche } from '../src/binding.js'
import type { QuicLink } from '../src/link.js'
import { cleanUp, dialTo, later, type Listening, startListening, transport, until } from './ends.js'
import { bound, Relay } from './relay.js'

const endOf = (link: StreamLink): Promise<Error | undefined> =>
  new Promise((resolve) => {
    link.onClose = resolve
  })

const linked = async (options: Readonly<Record<string, unknown>> = {}, passes = (_packet: Buffer): boolean => true) => {
  const listening = await startListening(options)
  const relay = await Relay.to(listening.port)
  relay.passes = passes
  const link = await dialTo(transport('client', listening.dir, options), relay.port, listening.trust)
  await until(() => listening.links.length === 1, 'the link')
  return { listening, relay, link, server: listening.links[0] as StreamLink }
}

/** Streams that the server gets, by the first byte. */
const taken = ({ links }: Listening): Map<string, Duplex> => {
  const streams = new Map<string, Duplex>()
  ;(links[0] as StreamLink).onStream = (stream) => {
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => void streams.set(String.fromCharCode(chunk[0] as number), stream))
  }
  return streams
}

describe('a link of quic', () => {
  afterEach(cleanUp)

  it('says what it is, without keys to bind a proof to', async () => {
    const { link, server } = await linked()
    for (const { tls } of [link.peer, server.peer]) expect(tls).to.include({ version: 'TLSv1.3', alpn: 'rystra/1' })
    expect(link.peer.tls?.binding).to.equal(undefined)
  })

  it('holds up no stream for a packet that another one lost', async () => {
    const { listening, relay, link } = await linked()
    const streams = taken(listening)
    const [one, two] = [await link.open(), await link.open()]
    // Round trips before, so that nothing else is on its way.
    one.write('1')
    two.write('2')
    await until(() => streams.size === 2, 'both streams')
    const seen: string[] = []
    streams.get('1')?.on('data', () => seen.push('one'))
    streams.get('2')?.on('data', () => seen.push('two'))
    // A process that is held up sends the lost packet again before it writes to the other stream: then once more.
    for (let tries = 0; tries < 8 && seen[0] !== 'two'; tries += 1) {
      seen.length = 0
      let lost = 0
      relay.passes = (_packet, way) => {
        if (way === 'down' || lost > 0) return true
        lost += 1
        return false
      }
      one.write('lost the first time')
      await until(() => lost === 1, 'the loss')
      two.write('on its way')
      await until(() => seen.length === 2, 'both')
    }
    expect(seen).to.deep.equal(['two', 'one'])
  })

  it('ends streams for good on a network that loses a tenth', async () => {
    const { listening, relay, link } = await linked()
    let ended = 0
    ;(listening.links[0] as StreamLink).onStream = (stream) => {
      stream.on('error', () => {})
      stream.on('end', () => {
        ended += 1
      })
      stream.resume()
      // Bytes that are acknowledged long before the end, which goes alone. quiche reads the clock of the system.
      stream.write('answer')
      setTimeout(() => stream.end(), 20)
    }
    let count = 0
    relay.passes = () => (count++ * 7919) % 10 !== 0
    let back = 0
    const open = async (): Promise<void> => {
      const stream = await link.open()
      stream.on('error', () => {})
      stream.on('end', () => {
        back += 1
      })
      stream.resume()
      stream.write('probe')
      setTimeout(() => stream.end(), 15)
    }
    for (let index = 0; index < 60; index++) await open()
    await until(() => ended === 60 && back === 60, 'all ends, both ways')
    await until(() => link.streams === 0 && listening.links[0]?.streams === 0, 'no stream to be left')
  })

  it('finds out what size of packets gets through, and uses no other', async () => {
    const { link, server } = await linked({ maxPacket: 1350 }, (packet) => packet.length <= 1300)
    const ends = [link, server] as QuicLink[]
    await until(() => ends.every(({ mtu }) => mtu.size > 1200), 'the sizes', 35_000)
    for (const { mtu, datagrams } of ends) {
      expect(mtu.size).to.be.within(1232, 1280)
      expect(datagrams.maxSize).to.be.within(1200, 1280)
    }
  })

  it('is lost after silence, on both ends', async () => {
    const { relay, link, server } = await linked({ idleTimeout: 1000, keepAlive: 300 })
    const ends = [endOf(link), endOf(server)]
    relay.passes = () => false
    for (const error of await Promise.all(ends)) expect(error).to.include({ code: 'session.timeout' })
  })

  it('stays when there is nothing to say', async () => {
    const { link, server, relay } = await linked({ idleTimeout: 1000, keepAlive: 300 })
    let over = false
    for (const each of [link, server]) {
      each.onClose = () => {
        over = true
      }
    }
    const before = relay.sent.length
    await until(() => relay.sent.length >= before + 5, 'some packets that keep it up')
    expect(over).to.equal(false)
  })

  it('is given up when the handshake has no answer', async () => {
    const mute = await bound()
    later(() => mute.close())
    const client = transport('client', '.', { handshakeTimeout: 200 })
    const dialed = dialTo(client, mute.address().port, { fingerprint: 'ab'.repeat(32) })
    const error = await dialed.catch((thrown: unknown) => thrown)
    expect(error).to.include({ code: 'connect.unreachable' })
  })

  it('opens no more streams than the other side allows, and goes on when one is over', async () => {
    const { listening, link } = await linked({ maxStreams: 2, openTimeout: 100 })
    taken(listening)
    const streams = [await link.open(), await link.open()]
    for (const stream of streams) stream.on('error', () => {}).write('x')
    const late = await link.open().catch((thrown: unknown) => thrown)
    expect(isRystraError(late) && late.code).to.equal('stream.timeout')
    const waiting = link.open()
    streams[0]?.destroy()
    await waiting
  })

  it('gives up the reader that holds the most when too much is unread, and no other', async () => {
    const { listening, link } = await linked({
      maxSessionBuffer: 1024 * 1024,
      streamWindow: 512 * 1024,
      maxPacket: 9000
    })
    const stuck: Duplex[] = []
    ;(listening.links[0] as StreamLink).onStream = (stream) => {
      stream.on('error', () => {})
      stuck.push(stream)
    }
    let reset = 0
    for (let index = 0; index < 6; index++) {
      const stream = await link.open()
      stream.on('error', () => {
        reset += 1
      })
      stream.write(Buffer.alloc(2 * 1024 * 1024))
    }
    await until(() => reset > 0, 'a stream that is given up')
    const fresh = await link.open()
    fresh.on('error', () => {})
    fresh.write('still here')
    await until(() => stuck.length === 7, 'another stream')
    expect(String(await new Promise((resolve) => stuck[6]?.once('data', resolve)))).to.equal('still here')
  })

  it('does nothing for a stream whose reader has stopped', async () => {
    const { listening, link } = await linked({ streamWindow: 64 * 1024, maxWindow: 64 * 1024 })
    const [client, server] = [link, listening.links[0]] as QuicLink[]
    let accepted: Duplex | undefined
    ;(server as QuicLink).onStream = (stream) => {
      stream.on('error', () => {})
      accepted = stream
    }
    const stream = await link.open()
    stream.on('error', () => {}).write(Buffer.alloc(1024 * 1024))
    await until(() => accepted !== undefined, 'the stream')
    let turns = 0
    for (const one of [client, server] as QuicLink[]) {
      const turn = one.turn.bind(one)
      one.turn = () => {
        turns += 1
        turn()
      }
    }
    // Each round of the event loop would have a turn of its own.
    let idle = false
    const watch = (): void => {
      const before = turns
      let rounds = 0
      const next = (): void => {
        rounds += 1
        if (rounds < 100) setImmediate(next)
        else {
          idle ||= turns - before < 10
          if (!idle) watch()
        }
      }
      setImmediate(next)
    }
    watch()
    await until(() => idle, 'a link that waits for its peer')
    expect(link.stats?.().blocked).to.equal(1)
    let read = 0
    accepted?.on('data', (chunk: Buffer) => {
      read += chunk.length
    })
    await until(() => read === 1024 * 1024, 'all bytes once they are read')
  })

  it('is ended by an exception of a handler, and no other link with it', async () => {
    const { listening, link } = await linked()
    const other = await dialTo(transport('client', listening.dir), listening.port, listening.trust)
    await until(() => listening.links.length === 2, 'both links')
    const [bad, good] = listening.links as [StreamLink, StreamLink]
    bad.onStream = () => {
      throw new Error('a handler that throws')
    }
    good.onStream = (stream) => stream.on('error', () => {}).pipe(stream)
    const ended = endOf(bad)
    const [one, two] = [await link.open(), await other.open()]
    for (const stream of [one, two]) stream.on('error', () => {}).write('still here')
    expect(await ended).to.include({ code: 'internal' })
    expect(String((await once(two, 'data'))[0])).to.equal('still here')
    expect((good as QuicLink).closed).to.equal(false)
  })

  it('shows new links the certificate that was put in the place of another', async () => {
    const listening = await startListening()
    const pair = await selfSigned({ keyType: 'ec', commonName: 'new', names: ['localhost'] })
    await dialTo(transport('client', listening.dir), listening.port, listening.trust)
    writeFileSync(path.join(listening.dir, 'cert.pem'), pair.cert)
    writeFileSync(path.join(listening.dir, 'key.pem'), pair.key)
    listening.clock.advance(6000)
    const client = transport('client', listening.dir)
    let error: unknown
    for (let round = 0; round < 50; round++) {
      error = undefined
      await dialTo(client, listening.port, { fingerprint: fingerprintOf(pair.cert) }).catch((thrown: unknown) => {
        error = thrown
      })
      if (error === undefined) break
    }
    expect(error).to.equal(undefined)
  })

  it('is refused in one sentence where there is no binary', async () => {
    const missing = (): Promise<never> => Promise.reject(new Error('Cannot find module\nand much more'))
    const error = await loadQuiche(missing).catch((thrown: unknown) => thrown)
    expect(error).to.include({ code: 'transport.unsupported' })
    expect((error as Error).message)
      .to.include(process.platform)
      .and.not.include('\n')
  })
})
