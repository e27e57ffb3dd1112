import { type RawStream, rawOf } from '@rystra/bytes'
import { nativeStatus } from '@rystra/native'
import type { JoinedOpened } from '@rystra/plugin'
import { expect } from 'chai'
import type net from 'node:net'
import type { YamuxSession } from '../src/session.js'
import { cleanUp, quiet, session, sockets, until } from './ends.js'
import { ending, pattern, received, sum } from './joining.js'
import { data, DATA, FIN, frame, Peer, RST, SYN, UPDATE } from './wire.js'

const HEAD = Buffer.from('to the service, please')
const ANSWER = Buffer.from([9, 0, 0, 1, 128])

/** What has happened to a stream that was opened joined. */
interface OpenedRecord {
  /** The visitor. */
  readonly far: net.Socket
  readonly opened: JoinedOpened
  readonly closed: (Error | undefined)[]
  ready: number
  ended: number
  readonly answers: string[]
}

/** @param accepted of another answer: how many bytes accept the stream */
const open = async (mux: YamuxSession, accepted = 0): Promise<OpenedRecord> => {
  const [far, near] = await sockets()
  quiet(far)
  const socket: RawStream = rawOf(quiet(near))
  const detached = socket.detach?.()
  if (detached === undefined) throw new Error('it has no descriptor')
  const record = { far, closed: [] as (Error | undefined)[], ready: 0, ended: 0, answers: [] as string[] }
  const opened = mux.openJoined?.(detached, {
    head: HEAD,
    answer: ANSWER,
    onReady: () => {
      record.ready += 1
    },
    onAnswer: (bytes) => {
      record.answers.push(String(bytes))
      return bytes.length < accepted ? 0 : accepted
    },
    onEnd: () => {
      record.ended += 1
    }
  })
  if (opened === undefined) throw new Error('it was not opened')
  const report = (other: RawStream) => (error?: Error) => {
    record.closed.push(error)
    if (error !== undefined) other.reset()
  }
  opened.stream.onClose = report(socket)
  socket.onClose = report(opened.stream)
  return Object.assign(record, { opened })
}

const withWire = async (reading = true): Promise<{ mux: YamuxSession; peer: Peer }> => {
  const [near, wire] = await sockets()
  const peer = new Peer(wire, reading)
  return { mux: session(near, 'server'), peer }
}

describe('a stream that is opened joined with a socket', () => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
  afterEach(cleanUp)

  it('begins with one frame that opens it and has its head, and the bytes of the socket follow', async () => {
    const { mux, peer } = await withWire()
    const { far, opened } = await open(mux)
    far.write('hello')
    await until(() => peer.of(DATA, 2).length >= 2, 'two frames')
    const [first, second] = peer.of(DATA, 2)
    expect([first?.flags, String(first?.payload)]).to.deep.equal([SYN, String(HEAD)])
    expect([second?.flags, String(second?.payload)]).to.deep.equal([0, 'hello'])
    expect(opened.moved.written).to.equal(5)
    expect(mux.streams).to.equal(1)
  })

  it('takes the answer off at every split, and gives the socket what is behind it', async () => {
    const { mux, peer } = await withWire()
    const bytes = Buffer.concat([ANSWER, Buffer.from('from the service')])
    for (let split = 1, id = 2; split < bytes.length; split += 1, id += 2) {
      const record = await open(mux)
      peer.write(data(id, bytes.subarray(0, split)))
      await peer.settled()
      expect(record.ready, `after ${split} bytes`).to.equal(split < ANSWER.length ? 0 : 1)
      peer.write(data(id, bytes.subarray(split), FIN))
      expect(String(await received(record.far)), `split at ${split}`).to.equal('from the service')
      expect([record.ready, record.answers.length, record.opened.moved.received]).to.deep.equal([1, 0, 16])
    }
  })

  it('leaves another answer to the opener, whole, and goes on where that accepts', async () => {
    const { mux, peer } = await withWire()
    const record = await open(mux, 12)
    // As far as its second byte it could be the one that is expected.
    peer.write(data(2, Buffer.concat([ANSWER.subarray(0, 2), Buffer.from('something')])))
    await until(() => record.answers.length === 1, 'the answer')
    expect(record.answers[0]).to.equal(`${ANSWER.subarray(0, 2)}something`)
    expect(record.far.bytesRead).to.equal(0)
    peer.write(data(2, '!rest', FIN))
    // What accepts it are 12 bytes of 16: those before were not all of it.
    expect(String(await received(record.far))).to.equal('rest')
    expect([record.ready, record.opened.moved.received]).to.deep.equal([0, 4])
  })

  it('gives all of an answer that comes in parts, and nothing of it to the socket', async () => {
    const { mux, peer } = await withWire()
    const record = await open(mux)
    const seen = ending(record.far)
    peer.write(data(2, 'refu'))
    await until(() => record.answers.length > 0, 'the first part')
    // An event of the socket between the two.
    record.far.write('impatient')
    await until(() => peer.of(DATA, 2).length > 1, 'what the visitor says')
    peer.write(data(2, 'sed'))
    await until(() => record.answers.includes('refused'), 'both parts')
    record.opened.stream.reset()
    expect(await seen).to.equal('ECONNRESET')
    await until(() => peer.has(UPDATE, RST, 2), 'the reset')
    expect([record.ready, record.far.bytesRead]).to.deep.equal([0, 0])
    await until(() => record.closed.length === 2 && mux.streams === 0, 'both reports')
  })

  it('tells of an end before the answer, and resets the socket for a reset', async () => {
    const { mux, peer } = await withWire()
    const [ends, resets] = [await open(mux), await open(mux)]
    const seen = ending(resets.far)
    peer.write(frame(UPDATE, FIN, 2, 0), frame(UPDATE, RST, 4, 0))
    expect(await seen).to.equal('ECONNRESET')
    await until(() => ends.ended === 1 && resets.closed.length === 2, 'both events')
    expect([ends.closed.length, ends.ready, resets.ready]).to.deep.equal([0, 0, 0])
  })

  it('tells the peer of a visitor that leaves before the answer', async () => {
    const { mux, peer } = await withWire()
    const record = await open(mux)
    await until(() => peer.of(DATA, 2).length > 0, 'the head')
    record.far.resetAndDestroy()
    await until(() => peer.has(UPDATE, RST, 2) && record.closed.length === 2, 'the reset')
    expect(record.closed.every((error) => error !== undefined)).to.equal(true)
  })

  it('keeps its place behind what waits for the link', async () => {
    const { mux, peer } = await withWire(false)
    const bulk = quiet(await mux.open())
    const bytes = pattern(200_000, 3)
    for (let count = 0; count < 40; count += 1) {
      const other = quiet(await mux.open())
      other.write(bytes)
    }
    bulk.end(bytes)
    await until(() => mux.out.blocked, 'the link to be full')
    const record = await open(mux)
    record.far.write('hello')
    peer.read()
    await until(() => peer.of(DATA, 84).length >= 2, 'its frames')
    expect(String(peer.of(DATA, 84)[0]?.payload)).to.equal(String(HEAD))
    await until(() => peer.has(UPDATE, FIN, 2), 'the end of the bulk')
    expect(sum(Buffer.concat(peer.of(DATA, 2).map(({ payload }) => payload)))).to.equal(sum(bytes))
  })

  it('is refused while the link takes no more streams, and nothing is done', async () => {
    const { mux, peer } = await withWire()
    peer.write(frame(3, 0, 0, 0))
    await peer.settled()
    expect(mux.openJoined).to.equal(undefined)
    const plain = session((await sockets())[0], 'server', { native: false })
    expect(plain.openJoined).to.equal(undefined)
  })
})
