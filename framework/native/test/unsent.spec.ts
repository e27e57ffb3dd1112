import { limitUnsent } from '@rystra/native'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import { PassThrough } from 'node:stream'
import { cleanUp, needsNative } from './ends.js'

const MIB = 1024 * 1024

/** What the kernel takes of 8 MiB for a peer that does not read. */
const taken = async (prepare: (socket: net.Socket) => void): Promise<number> => {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [[far]] = (await Promise.all([accepted, once(socket, 'connect')])) as unknown as [[net.Socket]]
  try {
    prepare(socket)
    for (let turn = 0; turn < 16; turn++) {
      socket.write(Buffer.alloc(MIB / 2))
      await new Promise(setImmediate)
    }
    return tookOf(socket)
  } finally {
    socket.destroy()
    far.destroy()
    server.close()
  }
}

/** Without what libuv keeps. */
const tookOf = (socket: net.Socket): number => {
  const { writeQueueSize } = (socket as unknown as { _handle: { writeQueueSize: number } })._handle
  return socket.bytesWritten - socket.writableLength - writeQueueSize
}

describe('a limit of what is not sent', () => {
  needsNative()
  afterEach(cleanUp)

  it('keeps little in the kernel in front of what is written later', async () => {
    const results: boolean[] = []
    const limited = await taken((socket) => results.push(limitUnsent(socket, 65_536)))
    const unlimited = await taken((socket) => results.push(limitUnsent(socket, 65_536), limitUnsent(socket, 0)))
    expect(results).to.deep.equal([true, true, true])
    expect(limited).to.be.below(MIB)
    expect(unlimited).to.be.above(2 * limited)
  })

  it('is not set where there is no TCP socket', () => {
    const closed = new net.Socket()
    expect([new PassThrough(), closed, closed.destroy()].map((stream) => limitUnsent(stream, 65_536))).to.deep.equal([
      false,
      false,
      false
    ])
  })
})
