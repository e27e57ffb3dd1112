import { expect } from 'chai'
import { once } from 'node:events'
import http2, { type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { H2Writer } from '../src/response-writer.js'
import { VisitorResponse } from '../src/visitor-response.js'

describe('the response to a visitor', () => {
  it('writes nothing to an HTTP/2 stream that was reset, and throws nothing', async () => {
    const server = http2.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const session = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    session.on('error', () => {})
    const request = session.request({ ':method': 'POST', expect: '100-continue' })
    request.on('error', () => {})
    const [stream] = (await once(server, 'stream')) as [ServerHttp2Stream]
    for (const gone of [() => stream.close(http2.constants.NGHTTP2_CANCEL), () => stream.destroy()]) {
      gone()
      const response = new VisitorResponse(new H2Writer(stream, 'POST'))
      response.writeContinue()
      response.inform(103, [['Link', '</a>; rel=preload']])
      response.send(200, [['Content-Type', 'text/plain']], Buffer.from('late'), false)
      response.breakOff()
      expect(response.writer.complete).to.equal(false)
    }
    session.destroy()
    server.close()
  })
})
