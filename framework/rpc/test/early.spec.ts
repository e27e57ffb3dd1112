import type { EarlyData } from '@rystra/plugin'
import { expect } from 'chai'
import { Rpc } from '../src/rpc.js'
import { Flag, FrameType } from '../src/frame/types.js'
import { sessionInfo } from '@rystra/testkit'

/** A frame: type, flags, size, id. */
const frame = (type: number, flags: number, id: number, body: Buffer): Buffer => {
  const head = Buffer.alloc(8)
  head[0] = type
  head[1] = flags
  head.writeUInt16BE(body.length, 2)
  head.writeUInt32BE(id, 4)
  return Buffer.concat([head, body])
}

/** Hello of version 1 with the usual limits, SPEC.md 4.1. */
const hello = (): Buffer => {
  const body = Buffer.alloc(17)
  body[0] = 1
  body.writeUInt32BE(4_194_304, 5)
  body.writeUInt32BE(1024, 9)
  body.writeUInt32BE(1_048_576, 13)
  return frame(FrameType.hello, 0, 0, body)
}

const request = (id: number, name: string, flags = 0): Buffer =>
  frame(FrameType.request, flags, id, Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name)]))

const session = sessionInfo({ transport: 'quic', muxer: 'native' })

describe('early data of RPC', () => {
  let runs: string[]
  let rpc: Rpc

  beforeEach(() => {
    runs = []
    rpc = new Rpc()
    rpc.handler('safe', () => void runs.push('safe'), { replaySafe: true })
    rpc.handler('other', () => void runs.push('other'))
  })

  /** What is answered, as text. */
  const answer = async (data: Buffer): Promise<string> => {
    const over = new AbortController()
    const pieces: Uint8Array[] = []
    const early: EarlyData = { session, data, signal: over.signal, answer: (piece) => pieces.push(piece) > 0 }
    try {
      rpc.onEarly(early)
    } catch (error) {
      return (error as { code: string }).code
    }
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    over.abort()
    return Buffer.concat(pieces).toString('latin1')
  }

  it('runs calls that are declared replaySafe, and refuses all others with a code', async () => {
    const answered = await answer(Buffer.concat([hello(), request(1, 'safe'), request(2, 'other'), request(3, 'none')]))
    expect(runs).to.deep.equal(['safe'])
    expect(answered.match(/rpc\.early/g)).to.have.length(2)
  })

  const hostile: readonly [string, () => Buffer][] = [
    ['nothing', () => Buffer.alloc(0)],
    ['a hello alone', hello],
    ['no hello', () => request(1, 'safe')],
    ['garbage', () => Buffer.alloc(3000, 0xff)],
    ['half a frame', () => Buffer.concat([hello(), request(1, 'safe')]).subarray(0, -1)],
    ['an event', () => Buffer.concat([hello(), frame(FrameType.event, 0, 1, Buffer.from('\0\u0004safe'))])],
    ['a cancel', () => Buffer.concat([hello(), request(1, 'safe'), frame(FrameType.cancel, 0, 1, Buffer.alloc(0))])],
    ['a second hello', () => Buffer.concat([hello(), hello()])],
    ['a request of several frames', () => Buffer.concat([hello(), request(1, 'safe', Flag.more)])],
    [
      'more calls than allowed',
      () => Buffer.concat([hello(), ...Array.from({ length: 65 }, (_, id) => request(id, 'safe'))])
    ]
  ]
  for (const [what, data] of hostile) {
    it(`refuses ${what} as a whole, and runs nothing`, async () => {
      expect(await answer(data())).to.equal('rpc.protocol')
      expect(runs).to.deep.equal([])
    })
  }
})
