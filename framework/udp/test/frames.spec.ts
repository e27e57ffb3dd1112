import { RystraError } from '@rystra/plugin'
import { CLOSE, FrameDecoder, HEADER_BYTES, MAX_DATAGRAM_BYTES } from '../src/frames.js'
import { expect } from 'chai'
import { writeFrame } from '../src/frames.js'

type Came = [session: number, datagram: string | 'closed']

const decoder = () => {
  const came: Came[] = []
  const made = new FrameDecoder({
    onDatagram: (session, datagram) => came.push([session, datagram.toString('latin1')]),
    onSessionClose: (session) => came.push([session, 'closed'])
  })
  return { came, decoder: made }
}

const frames = (list: readonly [number, Buffer | undefined][]): Buffer => {
  const bytes = Buffer.alloc(list.reduce((size, [, datagram]) => size + HEADER_BYTES + (datagram?.length ?? 0), 0))
  let at = 0
  for (const [session, datagram] of list) at = writeFrame(bytes, at, session, datagram)
  expect(at).to.equal(bytes.length)
  return bytes
}

const list: [number, Buffer | undefined][] = [
  [0, Buffer.from('one')],
  [0xffffffff, Buffer.alloc(0)],
  [7, undefined],
  [0x01020304, Buffer.alloc(300, 'x')],
  [8, Buffer.from('last')]
]
const expected: Came[] = [
  [0, 'one'],
  [0xffffffff, ''],
  [7, 'closed'],
  [0x01020304, 'x'.repeat(300)],
  [8, 'last']
]

describe('frames of datagrams', () => {
  it('are what the README says, byte for byte', () => {
    expect(frames([[0x01020304, Buffer.from('hi')]]).toString('hex')).to.equal('0102030400026869')
    expect(frames([[5, undefined]]).toString('hex')).to.equal('00000005ffff')
  })

  it('come out as they went in, wherever the stream is cut', () => {
    const bytes = frames(list)
    for (let size = 1; size <= bytes.length; size += 1) {
      const { came, decoder: made } = decoder()
      for (let at = 0; at < bytes.length; at += size) made.push(Buffer.from(bytes.subarray(at, at + size)))
      expect(came, `pieces of ${size}`).to.deep.equal(expected)
      expect(made.pending).to.equal(0)
    }
  })

  it('carry the largest datagram, and keep no more than one', () => {
    const largest = Buffer.alloc(MAX_DATAGRAM_BYTES, 'y')
    const bytes = frames([[1, largest]])
    const { came, decoder: made } = decoder()
    made.push(bytes.subarray(0, bytes.length - 1))
    expect(made.pending).to.equal(HEADER_BYTES + MAX_DATAGRAM_BYTES - 1)
    made.push(bytes.subarray(bytes.length - 1))
    expect(came[0]?.[1].length).to.equal(MAX_DATAGRAM_BYTES)
  })

  it('of a length that no datagram has are refused, also in pieces', () => {
    for (let length = MAX_DATAGRAM_BYTES + 1; length < CLOSE; length += 1) {
      const bytes = Buffer.from([0, 0, 0, 1, length >>> 8, length & 255])
      for (const cut of [0, 1, 5]) {
        const { came, decoder: made } = decoder()
        const push = (): void => {
          if (cut > 0) made.push(bytes.subarray(0, cut))
          made.push(bytes.subarray(cut))
        }
        expect(push, String(length)).to.throw(RystraError).with.property('code', 'protocol.malformed')
        expect(came).to.deep.equal([])
      }
    }
  })
})
