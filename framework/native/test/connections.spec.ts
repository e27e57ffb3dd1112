import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Connection } from '../src/index.js'
import { workerEnd } from './worker-end.js'
import { cleanUp, descriptors, needsNative } from './ends.js'

const fixture = fileURLToPath(new URL('connections-fixture.mjs', import.meta.url))

describe('connections', () => {
  needsNative()
  afterEach(cleanUp)

  for (const what of ['exit', 'terminate']) {
    it(`end with their worker, whatever they do, and leave no descriptor behind: ${what}`, async () => {
      const before = descriptors()
      const { said, failed } = await workerEnd(fixture, what)
      expect(failed).to.deep.equal([])
      expect(said[0]).to.equal('busy')
      expect(descriptors()).to.deep.equal(before)
    }).timeout(20_000)
  }

  it('are refused where no descriptor is left, and made again when there is one', async () => {
    const args = ['-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath, fixture, 'descriptors']
    const { stdout } = await promisify(execFile)('sh', args)
    expect(JSON.parse(stdout)).to.deep.equal({ full: ['undefined', 'full'], none: 'undefined', again: 'object' })
  }).timeout(20_000)

  it('are not read any more once they are parked, also by a report of another that is made for want of memory', async () => {
    const size = 64 * 1024
    const fars: net.Socket[] = []
    const server = net.createServer((socket) => fars.push(socket.on('error', () => {}))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const received: number[] = []
    const parked: { readonly connection: Connection; readonly descriptor: number }[] = []
    const connections: Connection[] = []
    // The memory of reads holds seven: the eighth read is that of one that is parked meanwhile.
    const late = () => connections.slice(7)
    const dial = (index: number): Promise<Connection> =>
      new Promise((resolve) => {
        const events = {
          onOpen: () => resolve(connection as Connection),
          onBytes(_bytes: Buffer, start: number, end: number) {
            if (received.length === 0)
              for (const each of late()) parked.push({ connection: each, descriptor: each.park() as number })
            received[index] = (received[index] ?? 0) + end - start
          },
          onEnd() {},
          onSent() {},
          onClosed() {}
        }
        const connection = Connection.dial({ host: '127.0.0.1', port }, events, () => Buffer.allocUnsafeSlow(1 << 20))
      })
    try {
      for (let index = 0; index < 10; index++) connections.push(await dial(index))
      await until(() => fars.length === 10, 'all are accepted')
      await Promise.all(fars.map((far) => new Promise((resolve) => far.write(Buffer.alloc(size), resolve))))
      for (const connection of connections) connection.read()
      await until(() => received.length === 7 && received.every((bytes) => bytes === size), 'the others are read')
      expect(parked).to.have.length(3)
      for (const { connection, descriptor } of parked) {
        connection.unpark()
        const socket = new net.Socket({ fd: descriptor })
        let bytes = 0
        socket.on('data', (chunk: Buffer) => (bytes += chunk.length))
        await until(() => bytes === size, 'what came is still there')
        socket.destroy()
      }
    } finally {
      for (const connection of connections.slice(0, 7)) connection.close()
      for (const far of fars) far.destroy()
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
