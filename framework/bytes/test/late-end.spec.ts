import { expect } from 'chai'
import { rawOf, reportEndLate } from '../src/index.js'
import { until } from './reading.js'
import { tcpPair, tidy } from './sockets.js'

/** How the end of a connection is reported whose carrier is lost, or not, when its end was read. */
const reported = async (lost?: Error): Promise<readonly string[]> => {
  const { dialed, accepted } = await tcpPair()
  const carrier: { lost: Error | undefined } = { lost: undefined }
  // It is lost by an event of its own, after the end of this connection has been read.
  accepted.on('end', () => queueMicrotask(() => (carrier.lost = lost)))
  reportEndLate(accepted, carrier)
  const seen: string[] = []
  const raw = rawOf(accepted)
  raw.onClose = (error) => seen.push(error?.message ?? 'closed')
  raw.read({
    onBytes: (buffer, start, end) => {
      seen.push(buffer.toString('latin1', start, end))
      return true
    },
    onEnd: () => {
      seen.push('end')
      raw.end()
    }
  })
  dialed.on('error', () => {})
  dialed.end('bytes')
  await until(() => seen.length >= (lost === undefined ? 3 : 2), 'its end')
  return seen
}

describe('the end of a connection that waits for its carrier', () => {
  afterEach(tidy)

  it('is an end, behind what was sent, while the carrier is up', async () => {
    expect(await reported()).to.deep.equal(['bytes', 'end', 'closed'])
  })

  it('is a loss, and no end, once the carrier is lost', async () => {
    expect(await reported(new Error('killed'))).to.deep.equal(['bytes', 'killed'])
  })
})
