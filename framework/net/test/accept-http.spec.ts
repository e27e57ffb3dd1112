import { acceptHttp } from '@rystra/net'
import { settled, until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo, type Socket } from 'node:net'

describe('acceptHttp', () => {
  const ending: (() => unknown)[] = []
  afterEach(() => {
    for (const end of ending.splice(0).reverse()) end()
  })

  it('stops reading a connection whose pause comes before the event of its resume', async () => {
    let accepted: Socket | undefined
    const parser = http.createServer((request) => {
      accepted = request.socket
      request.pause()
      // What a full buffer, one that has room again, and a full one do in one turn.
      accepted.pause()
      accepted.resume()
      accepted.pause()
    })
    const listener = net.createServer((socket) => acceptHttp(parser, socket)).listen(0, '127.0.0.1')
    ending.push(() => listener.close())
    await once(listener, 'listening')
    const visitor = net.connect((listener.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
    // Nothing reads the end that the visitor sends.
    ending.push(
      () => visitor.destroy(),
      () => accepted?.destroy()
    )
    visitor.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n')
    await until(() => accepted !== undefined, 'the request')
    visitor.write(Buffer.alloc(BODY))
    await settled(() => (accepted as Socket).bytesRead)
    expect(accepted?.bytesRead, 'bytes read of a body that nothing reads').to.be.below(MAX_READ)
  })
})

const BODY = 16 << 20
/** More than one read of the kernel, and the head. */
const MAX_READ = 1 << 20
