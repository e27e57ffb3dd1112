import prometheus from '@rystra/observe-prometheus'
import type { Client } from '@rystra/client'
import type { AdminRequest } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import { type Family, parseExposition, seriesValue } from '../../extensions/observe-prometheus/test/parse.js'
import { cleanUp, echo, portOf, startClient, startServer, startService, visit, visitorPort } from './tunnel.js'

/** What the admin API would answer. */
const scrape = async ({ kernel }: Server | Client): Promise<Map<string, Family>> => {
  const [route] = kernel.current.registries.adminRoutes.get('prometheus').routes
  const pieces: string[] = []
  const content = (route?.handle({} as AdminRequest) ?? []) as AsyncIterable<string>
  for await (const piece of content) pieces.push(piece)
  return parseExposition(pieces.join(''))
}

describe('metrics for Prometheus', () => {
  afterEach(cleanUp)

  it('count what passes through a tunnel, at both ends alike; series of a proxy are gone with it', async () => {
    const server = await startServer({}, [prometheus()])
    const local = await startService(echo)
    const proxies = [{ name: 'x', kind: 'tcp', local }]
    const client = await startClient(portOf(server), proxies, {}, [prometheus()])
    const visitor = await visit(visitorPort(client, 'x'))
    visitor.write('hello')
    await once(visitor, 'data')
    for (const end of [server, client]) {
      const families = await scrape(end)
      expect(seriesValue(families, 'rystra_proxy_streams', { proxy: 'x', kind: 'tcp' })).to.equal(1)
      expect(
        seriesValue(families, 'rystra_proxy_traffic_bytes_total', { proxy: 'x', direction: 'to_service' })
      ).to.equal(5)
      expect(seriesValue(families, 'rystra_traffic_bytes_total', { direction: 'to_visitor' })).to.equal(5)
      expect(seriesValue(families, 'rystra_sessions')).to.equal(1)
      expect(seriesValue(families, 'rystra_client_streams', { transport: 'tcp', muxer: 'yamux' })).to.equal(1)
    }
    expect(seriesValue(await scrape(server), 'rystra_listener_links')).to.be.at.least(1)
    visitor.destroy()
    await client.stop({ drain: 0 })
    await until(async () => !(await scrape(server)).has('rystra_proxy_streams'))
    const after = await scrape(server)
    expect(after.has('rystra_client_sessions')).to.equal(false)
    expect(seriesValue(after, 'rystra_sessions')).to.equal(0)
    expect(seriesValue(after, 'rystra_traffic_bytes_total', { direction: 'to_service' })).to.equal(5)
    expect(seriesValue(after, 'rystra_sessions_opened_total')).to.equal(1)
  })
})
