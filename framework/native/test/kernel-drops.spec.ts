import { until } from '@rystra/testkit'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { kernelDrops } from '@rystra/native'

describe('drops of the kernel', () => {
  it('are those of one socket, whose buffer was full', async function () {
    if (process.platform !== 'linux') this.skip()
    const [full, other] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')]
    try {
      for (const socket of [full, other]) {
        socket.bind(0, '127.0.0.1')
        await once(socket, 'listening')
      }
      expect([kernelDrops(full), kernelDrops(other)]).to.deep.equal([0, 0])
      full.setRecvBufferSize(4096)
      const { port } = full.address()
      // The kernel takes them at once; this process reads none in the same turn.
      for (let count = 0; count < 200; count += 1) other.send(Buffer.alloc(1000), port, '127.0.0.1')
      await until(() => kernelDrops(full) > 0, 'drops')
      expect(kernelDrops(full)).to.be.lessThan(201)
      expect(kernelDrops(other)).to.equal(0)
    } finally {
      for (const socket of [full, other]) socket.close()
    }
  })
})
