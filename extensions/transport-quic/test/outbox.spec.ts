import { expect } from 'chai'
import type { QuicheConnection } from '../src/binding.js'
import { Datagrams, MAX_QUEUED } from '../src/datagrams.js'
import type { LinkHost } from '../src/link-host.js'
import { Outbox } from '../src/outbox.js'
import { PathMtu } from '../src/path-mtu.js'

/** Bytes of a packet next to its messages, and of each message next to itself. */
const HEAD = 37
const FRAME = 3

/** quiche, as far as messages go: first in, first out, as many in a packet as fit, and none overtakes one that does not. */
class FakeQuiche {
  queue: Buffer[] = []
  /** Bytes of streams, which come first now and then. */
  stream = 0
  received: Buffer[] = []

  dgramRecvVec(): Uint8Array | null {
    return this.received.shift() ?? null
  }

  stats(): { lost: number } {
    return { lost: 3 }
  }

  dgramSendVec(message: Uint8Array): void {
    this.queue.push(Buffer.from(message))
  }

  dgramPurgeOutgoing(which: (message: Uint8Array) => boolean): void {
    this.queue = this.queue.filter((message) => !which(message))
  }

  dgramSendQueueLen(): number {
    return this.queue.length
  }

  dgramSendQueueByteSize(): number {
    return this.queue.reduce((sum, { length }) => sum + length, 0)
  }

  dgramMaxWritableLen(): number {
    return 65_000
  }

  isDgramSendQueueFull(): boolean {
    return false
  }

  send(packet: Uint8Array): [number] | null {
    if (this.stream > 0) {
      this.stream -= packet.length
      return [packet.length]
    }
    let at = HEAD
    for (
      let next = this.queue[0];
      next !== undefined && at + FRAME + next.length <= packet.length;
      next = this.queue[0]
    ) {
      at += FRAME + next.length
      this.queue.shift()
    }
    return at === HEAD ? null : [at]
  }
}

const probing = () => {
  const quiche = new FakeQuiche()
  const sent: number[] = []
  const mtu = new PathMtu(1452, () => {})
  const connection = quiche as unknown as QuicheConnection
  const link = { connection, mtu, carries: true, arrived: () => {}, wake: () => {} }
  const datagrams = new Datagrams(link)
  const host = {
    blocked: false,
    slot: () => Buffer.alloc(1452),
    send: (_slot: Buffer, length: number) => sent.push(length)
  } as unknown as LinkHost
  const outbox = new Outbox({ connection, mtu, datagrams, wake: () => {} }, host)
  return { quiche, sent, mtu, datagrams, outbox, to: { host: '192.0.2.1', port: 1 } }
}

describe('a probe of the packet size', () => {
  it('leaves in a packet of its own in front of the messages that wait, and those stay as they were', () => {
    const { quiche, sent, mtu, datagrams, outbox, to } = probing()
    for (let count = 0; count < 40; count++) datagrams.send(Buffer.alloc(100, count))
    outbox.probe(to)
    expect(sent).to.deep.equal([1452])
    expect(mtu.probe(), 'one that is on its way').to.equal(undefined)
    expect(quiche.queue.map((message) => message[1])).to.deep.equal(Array.from({ length: 40 }, (_, count) => count))
    mtu.stop()
  })

  it('does not stay in the queue when bytes of streams had its packet: it would hold up every message', () => {
    const { quiche, sent, mtu, datagrams, outbox, to } = probing()
    quiche.stream = 1452
    datagrams.send(Buffer.alloc(100, 7))
    outbox.probe(to)
    expect(sent).to.deep.equal([1452])
    expect(mtu.probe(), 'one that is still to be sent').to.include({ size: 1452 })
    expect(quiche.queue.map((message) => message.length)).to.deep.equal([101])
    mtu.stop()
  })
})

describe('datagrams of a link', () => {
  it('are read before the queue of quiche is full, however many packets one turn brings', () => {
    const { quiche, datagrams } = probing()
    let read = 0
    datagrams.onMessage = () => {
      read += 1
    }
    let most = 0
    // As many small messages as fit, in packets of every size.
    for (const size of [1200, 1452, 9000, 65_000]) {
      for (let packet = 0; packet < 400; packet += 1) {
        for (let one = 0; one < Math.floor(size / 12); one += 1) quiche.received.push(Buffer.alloc(9))
        most = Math.max(most, quiche.received.length)
        datagrams.packet(size)
      }
    }
    datagrams.readAll()
    expect(most).to.be.lessThan(MAX_QUEUED)
    expect(read).to.equal(400 * (100 + 121 + 750 + 5416))
    expect(datagrams.stats()).to.include({ received: read })
  })

  it('are counted when they are dropped: by bytes that wait, and by the size of the path', () => {
    const { quiche, mtu, datagrams } = probing()
    mtu.size = 1452
    let sent = 0
    while (datagrams.send(Buffer.alloc(1400))) sent += 1
    expect(sent * 1401).to.be.within(1024 * 1024 - 1401, 1024 * 1024)
    mtu.size = 1200
    datagrams.purge()
    expect(quiche.queue).to.deep.equal([])
    expect(datagrams.stats()).to.deep.equal({
      sent,
      received: 0,
      queued: 0,
      dropped: { queue: 1, size: sent, unclaimed: 0 },
      lostPackets: 3
    })
    expect(datagrams.send(Buffer.alloc(1000))).to.equal(true)
  })
})
