import { expect } from 'chai'
import { once } from 'node:events'
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { Reply } from '../src/reply.js'

describe('the answer to a visitor', () => {
  it('says nothing to one by HTTP/2 who is gone, and throws nothing', async () => {
    const server = http2.createServer(() => {})
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    session.on('error', () => {})
    const asked = session.request({ ':method': 'POST', expect: '100-continue' })
    asked.on('error', () => {})
    // Within its event: later the server would have gone on without us.
    const response = await new Promise<Http2ServerResponse>((resolve) => {
      server.once('checkContinue', (_: Http2ServerRequest, response: Http2ServerResponse) => {
        response.stream.destroy()
        const reply = new Reply(response)
        reply.goOn()
        reply.inform(103, [['Link', '</a>; rel=preload']])
        reply.whole(200, ['Content-Type', 'text/plain'], Buffer.from('late'), false)
        reply.breakOff()
        expect(reply.wasWhole).to.equal(false)
        resolve(response)
      })
    })
    expect(response.stream.destroyed).to.equal(true)
    session.destroy()
    server.close()
  })
})
