import { nativeStatus } from '@rystra/native'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { cleanUp, echo, portOf, startClient, startServer, startService, visit, visitorPort } from './tunnel.js'

/** Sockets of Node in this process. */
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

describe('visitors of a tcp proxy', () => {
  before(function () {
    if (!nativeStatus().used) this.skip()
  })
  afterEach(cleanUp)

  for (const group of [undefined, 'pair']) {
    it(`come ${group === undefined ? 'without sockets of Node at either end' : 'with them where others may have to serve them'}`, async () => {
      const server = await startServer({})
      const local = `127.0.0.1:${await startService(echo)}`
      const proxies = [
        { name: 'svc', kind: 'tcp', local, ...(group === undefined ? {} : { group }) },
        ...(group === undefined ? [] : [{ name: 'other', kind: 'tcp', local, group }])
      ]
      const client = await startClient(portOf(server), proxies)
      const before = sockets()
      const visitors = []
      for (let index = 0; index < 5; index += 1) {
        const visitor = await visit(visitorPort(client, 'svc'))
        visitor.write('here')
        await once(visitor, 'data')
        visitors.push(visitor)
      }
      // The visitors', and those of their service.
      expect(sockets() - before).to.equal(group === undefined ? 10 : 15)
      for (const visitor of visitors) visitor.end()
      await until(() => sockets() <= before, 'all to be closed')
    })
  }
})
