import { type Logger, silentLog } from '@rystra/model'
import { expect } from 'chai'
import { once } from 'node:events'
import net from 'node:net'
import { openLocalPort } from '../src/local-port.js'

describe('a local port', () => {
  it('loses a visitor whose handler throws, and no other, with the address in the log', async () => {
    const lines: object[] = []
    const log: Logger = {
      ...silentLog,
      error: (fields: unknown) => void lines.push(fields as object),
      child: () => log
    }
    const err = new Error('thrown for a visitor')
    let count = 0
    const port = await openLocalPort(0, log, (visitor) => {
      count += 1
      if (count === 1) throw err
      visitor.resume().end('served')
    })
    const visit = (): net.Socket =>
      net.connect(Number(port.address.split(':').at(-1)), '127.0.0.1').on('error', () => {})
    const first = visit().resume()
    await once(first, 'close')
    expect(lines).to.deep.equal([{ err, address: port.address, extension: 'kind private' }])
    const second = visit()
    const [served] = await once(second, 'data')
    expect(String(served)).to.equal('served')
    await once(second, 'close')
    await port.close()
  })
})
