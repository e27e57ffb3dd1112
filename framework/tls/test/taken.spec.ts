import { rawOf } from '@rystra/bytes'
import { isTlsTaken, loadNative } from '@rystra/native'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import { RecordPeer } from './record-peer.js'
import { counts, frame, needsNative, noticed, noticedOf, type Taken, TakenWorld, text } from './taken-world.js'
import { certificates, until } from './world.js'

describe('a TLS connection that the native part has taken over', () => {
  let world: TakenWorld

  needsNative()
  beforeEach(() => {
    world = new TakenWorld()
  })
  afterEach(() => world.end())

  it('has records that are cut anywhere, several in one read, and frames across records', async () => {
    const { peer, taken } = await world.served()
    const sent: Buffer[] = []
    const whole = frame('cut').length + 22
    for (let cut = 1; cut < whole; cut++) {
      const bytes = frame(String(cut).padEnd(3))
      const record = peer.seal(bytes)
      sent.push(bytes)
      peer.raw(record.subarray(0, cut))
      await new Promise(setImmediate)
      peer.raw(record.subarray(cut))
      await until(() => taken.bytes.length === Buffer.concat(sent).length, `the record cut at ${cut}`)
    }
    const large = frame(Buffer.alloc(200_000, 'x'))
    sent.push(large)
    const parts: Buffer[] = []
    for (let at = 0; at < large.length; at += 16_384) parts.push(peer.seal(large.subarray(at, at + 16_384)))
    peer.raw(Buffer.concat(parts))
    await until(() => taken.bytes.length === Buffer.concat(sent).length, 'all frames')
    expect(taken.bytes.equals(Buffer.concat(sent))).to.equal(true)
  })

  it('goes on in the middle of a record that Node has begun to read', async () => {
    const { peer, socket, tcp } = await world.ends()
    const read = counts(tcp)
    const before = read.bytesRead
    const record = peer.seal(frame('the rest'))
    rawOf(socket).watch?.()
    peer.raw(record.subarray(0, 20))
    await until(() => read.bytesRead === before + 20, 'Node to read it')
    const taken = world.must(socket)
    peer.raw(record.subarray(20))
    await text(taken)
    expect(taken.bytes.equals(frame('the rest'))).to.equal(true)
  })

  it('has what Node has decrypted before, first', async () => {
    const { peer, socket, tcp } = await world.ends()
    const read = counts(tcp)
    const before = read.bytesRead
    rawOf(socket).watch?.()
    const first = peer.seal(frame('first'))
    peer.raw(first)
    await until(() => read.bytesRead === before + first.length, 'Node to read it')
    const taken = world.must(socket)
    peer.send(frame('second'))
    await until(() => taken.bytes.length === frame('first').length + frame('second').length, 'both')
    expect(taken.bytes.equals(Buffer.concat([frame('first'), frame('second')]))).to.equal(true)
  })

  it('has what Node has read and not decrypted', async () => {
    const { peer, socket } = await world.ends()
    const first: Buffer[] = []
    const taken = new Promise<Taken>((resolve) =>
      rawOf(socket).read({
        onBytes: (buffer, start, end) => {
          first.push(Buffer.from(buffer.subarray(start, end)))
          // Within the loop in which Node decrypts one record after the other.
          process.nextTick(() => resolve(world.must(socket)))
          return true
        },
        onEnd: () => {}
      })
    )
    peer.raw(Buffer.concat([peer.seal(frame('first')), peer.seal(frame('second'))]))
    await text(await taken)
    expect(
      Buffer.concat([...first, (await taken).bytes]).equals(Buffer.concat([frame('first'), frame('second')]))
    ).to.equal(true)
    expect(first).to.have.length(1)
  })

  it('sends behind what Node has sent, also in the turn in which Node has', async () => {
    const { peer, socket } = await world.ends()
    socket.write('by Node, ')
    const taken = world.must(socket)
    taken.link.write(Buffer.from('by the native part'), 0, 18)
    await until(() => String(peer.data) === 'by Node, by the native part', 'both')
  })

  it('stays with Node while a write of Node waits', async () => {
    const { peer, socket } = await world.ends()
    socket.write('one, ')
    socket.write('two, ')
    expect(world.take(socket)).to.equal(undefined)
    socket.write('three')
    await until(() => String(peer.data) === 'one, two, three', 'all')
    expect(isTlsTaken(socket)).to.equal(false)
  })

  it('stays with Node where the connection that was noticed is another one', async () => {
    const [one, two] = [await world.ends(), await world.ends()]
    const other = noticedOf(two.socket)
    // As if both had sent as much.
    const before = counts(one.tcp).bytesWritten - counts(two.tcp).bytesWritten + other.before
    Object.assign(one.socket, { [noticed]: { watched: other.watched, before } })
    expect(world.take(one.socket)).to.equal(undefined)
    one.socket.write('by Node')
    await until(() => String(one.peer.data) === 'by Node', 'it')
    expect(world.must(two.socket).lost).to.equal(undefined)
  })

  it('fills records, and keeps what the kernel does not take, in order', async () => {
    const { peer, taken } = await world.served()
    const bytes = Buffer.alloc(12 << 20)
    for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32BE(at, at)
    const sent = taken.link.write(bytes, 0, bytes.length)
    const more = taken.link.write(Buffer.from('end'), 0, 3)
    expect([sent, more]).to.deep.equal([false, false])
    await until(() => taken.writable === 1, 'all to be sent')
    await until(() => peer.received === bytes.length + 3, 'all')
    expect(peer.data.equals(Buffer.concat([bytes, Buffer.from('end')]))).to.equal(true)
    expect(peer.records.filter((one) => one.bytes.length === 16_384)).to.have.length(bytes.length / 16_384)
  }).timeout(20_000)

  it('follows the keys of the peer, and changes its own when it is asked to', async () => {
    const { peer, taken } = await world.served()
    for (const requested of [false, true, true]) {
      taken.chunks.length = 0
      peer.updateKeys(requested)
      peer.send(frame('under new keys'))
      await text(taken)
      const had = peer.data.length
      taken.link.write(Buffer.from('answer'), 0, 6)
      await until(() => peer.data.length === had + 6, 'an answer')
    }
    expect(peer.records.filter(({ type, bytes }) => type === 22 && bytes[0] === 24)).to.have.length(2)
    expect(String(peer.data)).to.equal('answer'.repeat(3))
  })

  it('changes its keys by itself after so many records', async () => {
    const { peer, taken } = await world.served()
    const binding = loadNative()?.binding
    binding?.tlsRekey(3)
    try {
      for (let i = 0; i < 10; i++) taken.link.write(Buffer.from('under a key, '), 0, 13)
      await until(() => peer.data.length === 130, 'all')
    } finally {
      binding?.tlsRekey(0)
    }
    expect(peer.records.filter(({ type, bytes }) => type === 22 && bytes[0] === 24).length).to.be.within(2, 4)
    expect(String(peer.data)).to.equal('under a key, '.repeat(10))
    peer.send(frame('the keys of the peer are as before'))
    await text(taken)
    expect(taken.lost).to.equal(undefined)
  })

  it('waits with what it sends while the peer is within a message of TLS', async () => {
    const { peer, taken } = await world.served()
    peer.raw(Buffer.concat([peer.seal(frame('before')), peer.seal(Buffer.from([24, 0, 0, 1]), 22)]))
    await text(taken)
    expect(taken.link.write(Buffer.from('one, '), 0, 5)).to.equal(false)
    expect(taken.link.write(Buffer.from('two'), 0, 3)).to.equal(false)
    peer.send(Buffer.from([0]), 22)
    await until(() => String(peer.data) === 'one, two' && taken.writable === 1, `both, not ${String(peer.data)}`)
    expect(taken.lost).to.equal(undefined)
  })

  it('goes on where answers of TLS are made while it waits for the kernel', async () => {
    const { peer, taken } = await world.served()
    const part = Buffer.alloc(256 * 1024)
    let sent = 0
    peer.pause()
    do sent += part.length
    while (taken.link.write(part, 0, part.length))
    while (peer.received < sent) {
      const had = peer.received
      peer.updateKeys(true)
      peer.updateKeys(true)
      peer.resume()
      await until(() => peer.received > had, 'bytes')
      peer.pause()
    }
    await until(() => taken.writable === 1, 'it to be told that all is sent')
  }).timeout(20_000)

  it('leaves others their turns while the peer sends nothing but changes of keys', async () => {
    const { peer, taken } = await world.served()
    const records: Buffer[] = []
    for (let i = 0; i < 8000; i++) records.push(peer.changedKeys(false))
    peer.raw(Buffer.concat([...records, peer.seal(frame('after all'))]))
    let turns = 0
    while (taken.bytes.length === 0) {
      await new Promise(setImmediate)
      turns++
    }
    expect(taken.bytes.equals(frame('after all'))).to.equal(true)
    expect(turns).to.be.greaterThan(4)
  })

  it('takes a ticket that comes late at the client, and messages in pieces', async () => {
    const made = await certificates()
    const server = net.createServer().listen(0, '127.0.0.1')
    world.later(() => server.close())
    await once(server, 'listening')
    const accepted = once(server, 'connection').then(([socket]) => {
      world.later(() => (socket as net.Socket).destroy())
      return RecordPeer.over(socket as net.Socket, { isServer: true, cert: made.good.cert, key: made.good.key })
    })
    world.write('ca.pem', made.ca.cert)
    const socket = await world.dial((server.address() as net.AddressInfo).port, { ca: 'ca.pem' })
    const peer = await accepted
    const taken = world.must(socket)
    // Life time, age, nonce, ticket, extensions: RFC 8446 section 4.6.1.
    const message = Buffer.from('040000150000010000000001' + '0109' + '0004' + '7469636b' + '0000', 'hex')
    message[3] = message.length - 4
    // Node would call it from within a read of the native part.
    let sessions = 0
    socket.on('session', () => sessions++)
    for (let i = 0; i < 3; i++) {
      peer.send(message.subarray(0, 7), 22)
      peer.send(message.subarray(7), 22)
    }
    peer.send(frame('after tickets'))
    await text(taken)
    expect(taken.bytes.equals(frame('after tickets'))).to.equal(true)
    expect(sessions).to.equal(0)
    taken.link.write(Buffer.from('still'), 0, 5)
    await until(() => String(peer.data) === 'still', 'the answer')
  })
})
