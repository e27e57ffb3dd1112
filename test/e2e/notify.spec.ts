import notify from '@rystra/hook-notify'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { cleanUp, echo, later, portOf, startClient, startServer, startService } from './tunnel.js'

interface Received {
  readonly type: string
  readonly side: string
  readonly subject: string
  readonly data: Record<string, unknown>
}

describe('notifications of both ends', () => {
  afterEach(cleanUp)

  it('tell a webhook what came and went, in order', async () => {
    const received: Received[] = []
    const receiver = http.createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk
      })
      request.on('end', () => {
        received.push(JSON.parse(body))
        response.end()
      })
    })
    await once(receiver.listen(0, '127.0.0.1'), 'listening')
    later(() => {
      receiver.close()
      receiver.closeAllConnections()
    })
    const webhook = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
    const options = { targets: [{ webhook }] } as never
    const server = await startServer({}, [notify(options)])
    const local = await startService(echo)
    const client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }], {}, [notify(options)])
    const of = (side: string, subject: string): string[] =>
      received.filter((one) => one.side === side && one.subject.startsWith(subject)).map(({ type }) => type)
    await until(() => received.length === 4)
    await client.stop({ drain: 0 })
    await until(() => of('server', '').length === 4 && of('client', '').length === 3)
    for (const side of ['server', 'client'])
      expect(of(side, 'client home/'), side).to.deep.equal(['client.online', 'client.offline'])
    expect(of('server', 'proxy ')).to.deep.equal(['proxy.published', 'proxy.gone'])
    expect(of('client', 'proxy ')).to.deep.equal(['proxy.published'])
    expect(received.find(({ type }) => type === 'proxy.published')?.data).to.include({ proxy: 'x', kind: 'tcp' })
  })
})
