import { HEADROOM, type RawStream } from '@rystra/bytes'
import { expect } from 'chai'
import { performance } from 'node:perf_hooks'
import { CHUNK_BYTES, FRAME_HEADER, MAX_FRAME_BYTES } from '../src/limits.js'
import { BodyParts } from '../src/session/body-parts.js'
import { FrameWriter } from '../src/session/writer.js'

const FRAME = FRAME_HEADER + CHUNK_BYTES

describe('a long message in parts', () => {
  const { now } = performance
  afterEach(() => {
    performance.now = now
  })

  /** Bytes of the writes to a stream that takes each of them in so many milliseconds. */
  const writes = async (ms: number): Promise<number[]> => {
    const sizes: number[] = []
    let time = 0
    performance.now = () => time
    const stream = {
      onWritable: () => {},
      write: (_buffer: Buffer, start: number, end: number) => {
        sizes.push(end - start)
        return false
      }
    }
    const writer = new FrameWriter(stream as unknown as RawStream)
    writer.add(new BodyParts(1, false, Buffer.alloc(40 * CHUNK_BYTES)))
    await new Promise(setImmediate)
    for (let count = 0; count < 4; count++) {
      time += ms
      stream.onWritable()
    }
    return sizes
  }

  it('gives a slow stream one frame at a time: a call waits behind little', async () => {
    expect(await writes(90)).to.deep.equal([4 * FRAME, FRAME, FRAME, FRAME, FRAME])
  })

  it('gives a fast stream as much as it takes', async () => {
    const sizes = await writes(1)
    expect(sizes).to.deep.equal([4, 4, 4, 4, 4].map((frames) => frames * FRAME))
    expect(sizes[0]).to.be.at.least(MAX_FRAME_BYTES - HEADROOM)
  })
})
