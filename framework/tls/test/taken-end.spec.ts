import { BatchedLink } from '@rystra/native'
import { expect } from 'chai'
import { once } from 'node:events'
import { readdirSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { workerEnd } from '../../native/test/worker-end.js'
import type { RecordPeer } from './record-peer.js'
import { frame, needsNative, TakenWorld, text } from './taken-world.js'
import { certificates, until } from './world.js'

const fixture = fileURLToPath(new URL('taken-fixture.mjs', import.meta.url))

/** Descriptors of sockets of this process. */
const sockets = (): string[] =>
  readdirSync('/proc/self/fd').filter((number) => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`).startsWith('socket:')
    } catch {
      return false
    }
  })

/** One bit of it is another. */
const flipped = (record: Buffer): Buffer => {
  const other = Buffer.from(record)
  other[10] = (other[10] as number) ^ 1
  return other
}

describe('the end of a TLS connection that the native part has taken over', () => {
  let world: TakenWorld

  needsNative()
  beforeEach(() => {
    world = new TakenWorld()
  })
  afterEach(() => world.end())

  it('ends with the closure alert, in either direction', async () => {
    const { peer, taken } = await world.served()
    peer.send(Buffer.from([1, 0]), 21)
    await until(() => taken.ended, 'its end')
    taken.link.write(Buffer.from('last'), 0, 4)
    taken.link.end()
    await until(() => peer.ended && taken.lost !== undefined, 'the end')
    expect(taken.lost).to.equal(0)
    expect(String(peer.data)).to.equal('last')
    expect(peer.records.at(-1)).to.deep.equal({ type: 21, bytes: Buffer.from([1, 0]) })
  })

  it('is not ended by the end of the socket, which the link has replaced', async () => {
    const { peer, taken, socket } = await world.served()
    socket.end()
    await once(socket, 'finish')
    taken.link.write(Buffer.from('still there'), 0, 11)
    await until(() => String(peer.data) === 'still there', 'the link')
    peer.send(frame('both ways'))
    await until(() => taken.bytes.length > 0, 'a frame')
    expect([taken.lost, peer.ended]).to.deep.equal([undefined, false])
  })

  it('is lost by no record of Node: what is written to the socket is refused', async () => {
    const { peer, taken, socket } = await world.served()
    const error = await new Promise<Error | null | undefined>((resolve) => {
      socket.on('error', () => {})
      socket.write('by Node', resolve)
    })
    expect(error?.message).to.include('write to its link')
    taken.link.write(Buffer.from('by the link'), 0, 11)
    await until(() => peer.data.length > 0 || peer.ended, 'bytes or the end')
    expect(String(peer.data)).to.equal('by the link')
  })

  it('reads on behind its own end, and answers no more', async () => {
    const { peer, taken } = await world.served()
    taken.link.end()
    await until(() => peer.ended, 'its end')
    const end = peer.records.length
    for (let i = 0; i < 3; i++) peer.updateKeys(true)
    peer.send(frame('the rest'))
    await until(() => taken.bytes.length > 0 || taken.lost !== undefined, 'the rest')
    peer.send(Buffer.from([1, 0]), 21)
    await until(() => taken.lost !== undefined, 'the end')
    expect(taken.lost).to.equal(0)
    expect(taken.bytes.equals(frame('the rest'))).to.equal(true)
    expect(peer.records).to.have.length(end)
  })

  const bad: [string, (peer: RecordPeer) => void, RegExp][] = [
    ['a record that was changed', (peer) => peer.raw(flipped(peer.seal(frame('x')))), /bad record mac/],
    ['garbage', (peer) => peer.raw(Buffer.alloc(100, 'GET ')), /wrong version|record|packet/],
    ['a record without protection', (peer) => peer.raw(Buffer.from([22, 3, 3, 0, 1, 0])), /record|mac|length/],
    ['a record that is too long', (peer) => peer.raw(Buffer.from([23, 3, 3, 0xff, 0xff])), /length too long/],
    ['more plaintext than a record has', (peer) => peer.send(Buffer.alloc(16_385)), /length too long|too large/],
    ['a fatal alert', (peer) => peer.send(Buffer.from([2, 80]), 21), /internal error/],
    ['an unknown message', (peer) => peer.send(Buffer.from([99, 0, 0, 0]), 22), /unexpected message/],
    ['a record of no type', (peer) => peer.send(Buffer.alloc(8), 0), /record/],
    [
      'empty records without end',
      (peer) => {
        for (let i = 0; i < 100; i++) peer.send(Buffer.alloc(0))
      },
      /small|empty|record/
    ],
    ['a new handshake', (peer) => peer.send(Buffer.from([1, 0, 0, 2, 3, 3]), 22), /unexpected message/]
  ]
  for (const [what, send, reason] of bad)
    it(`is lost, and says why, by ${what}`, async () => {
      const { peer, taken } = await world.served()
      peer.send(frame('before'))
      send(peer)
      await until(() => taken.lost !== undefined, 'the loss')
      expect([taken.lost, taken.reason]).to.satisfy(
        ([errno, text]: [number, string]) => errno === 71 && reason.test(text),
        `${taken.lost} ${taken.reason}`
      )
      expect(taken.bytes.equals(frame('before'))).to.equal(true)
      expect(taken.link.write(Buffer.from('too late'), 0, 8)).to.equal(true)
    })

  it('is lost by a peer that causes answers of TLS and does not read them', async () => {
    const { peer, taken } = await world.served()
    const part = Buffer.alloc(256 * 1024)
    peer.pause()
    while (taken.link.write(part, 0, part.length));
    for (let i = 0; i < 1000; i++) peer.updateKeys(true)
    peer.send(frame('all were read'))
    await until(() => taken.lost !== undefined || taken.bytes.length > 0, 'the loss')
    expect([taken.lost, taken.reason]).to.deep.equal([71, 'the peer causes answers and does not read them'])
  })

  it('is lost by a reset', async () => {
    const one = await world.served()
    one.peer.reset()
    await until(() => one.taken.lost !== undefined, 'the loss')
    expect(one.taken.lost).to.equal(104)
  })

  it('is lost by a reset that a write has noticed before it was started', async () => {
    const { peer, socket } = await world.ends()
    const { start } = BatchedLink.prototype
    const later: (() => void)[] = []
    BatchedLink.prototype.start = function (...args) {
      later.push(() => start.apply(this, args))
    }
    const taken = world.must(socket)
    BatchedLink.prototype.start = start
    peer.reset()
    for (let turn = 0; turn < 10; turn++) {
      await new Promise(setImmediate)
      taken.link.write(Buffer.from('x'), 0, 1)
    }
    later[0]?.()
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(taken.lost).to.be.greaterThan(0)
  })

  it('ends with its socket, in the middle of traffic', async () => {
    const { peer, socket, taken } = await world.served()
    taken.link.write(Buffer.alloc(8 << 20), 0, 8 << 20)
    peer.send(frame('and back'))
    const gone = once(socket, 'close')
    socket.destroy()
    await gone
    peer.send(frame('behind'))
    peer.updateKeys(true)
    await text(taken)
    taken.link.close(true)
    taken.link.forget()
  })

  for (const what of ['exit', 'terminate', 'closed']) {
    it(`ends with its worker in the middle of traffic, and leaves no descriptor behind: ${what}`, async () => {
      const made = await certificates()
      const before = sockets()
      const { cert, key } = made.good
      const { said, failed } = await workerEnd(fixture, what, { cert, key })
      expect(failed).to.deep.equal([])
      expect(said[0]).to.equal(true)
      expect(sockets()).to.deep.equal(before)
    }).timeout(20_000)
  }
})
