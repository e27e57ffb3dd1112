import { expect } from 'chai'
import { type RawStream, rawOf, releaseSlab, takeSlab } from '../src/index.js'
import { until } from './reading.js'
import { tcpPair, tidy } from './sockets.js'

/** More than the pool has. */
const STALLED = 70

describe('streams that are read no more', () => {
  afterEach(tidy)

  it('leave slabs to others, however many there are', async () => {
    const pairs = await Promise.all(Array.from({ length: STALLED }, () => tcpPair()))
    const chunk = Buffer.alloc(4 << 20)
    let stalled = 0
    for (const { dialed, accepted } of pairs) {
      let read = 0
      rawOf(accepted).read({
        // Reads what shows a stream in full flow, and then holds what it is given.
        onBytes(_buffer, start, end) {
          read += end - start
          if (read < 300_000) return true
          stalled += 1
          return false
        },
        onEnd() {}
      })
      dialed.on('error', () => {})
      dialed.write(chunk)
    }
    await until(() => stalled === STALLED, 'all are stalled')
    const left: Buffer[] = []
    for (let slab = takeSlab(); slab !== undefined; slab = takeSlab()) left.push(slab)
    for (const slab of left) releaseSlab(slab)
    expect(left.length, 'slabs to be had').to.be.above(32)
  })
})

describe('a socket whose write fails', () => {
  afterEach(tidy)

  it('delivers first what had arrived before, as an early answer in front of a reset', async () => {
    for (let round = 0; round < 20; round += 1) {
      const { dialed, accepted } = await tcpPair()
      const raw: RawStream = rawOf(dialed)
      let text = ''
      let closed: Error | undefined
      raw.onClose = (error) => {
        closed = error ?? new Error('clean')
      }
      raw.read({
        onBytes(buffer, start, end) {
          text += buffer.toString('latin1', start, end)
          return true
        },
        onEnd() {}
      })
      accepted.write('413')
      accepted.resetAndDestroy()
      // Before the event loop has read anything.
      const upload = Buffer.alloc(100_000)
      raw.write(upload, 0, upload.length, true)
      await until(() => closed !== undefined, 'it is closed')
      expect([text, (closed as unknown as NodeJS.ErrnoException).code !== undefined]).to.deep.equal(['413', true])
    }
  })
})
