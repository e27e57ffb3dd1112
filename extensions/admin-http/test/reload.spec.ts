import { expect } from 'chai'
import http from 'node:http'
import { Lineage } from '../src/lineage.js'
import { tokens, World } from './world.js'

/** The status of a request, or the code of its failure. */
const ask = (port: number, agent: http.Agent): Promise<number | string> =>
  new Promise((resolve) => {
    const headers = { authorization: `Bearer ${tokens.admin}` }
    http
      .get({ host: '127.0.0.1', port, path: '/v1/status', agent, headers }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0))
      })
      .once('error', ({ message }) => resolve(message))
  })

describe('admin-http, a reload that replaces it', () => {
  it('ends the connections and tokens of the instance before, which serves again when the change is taken back', async () => {
    const first = new World()
    const other = [{ name: 'other', token: 'another-token-0123456789', scope: 'admin' as const }]
    const second = new World(first.runtime, { tokens: other }, first.state)
    const lineage = new Lineage()
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    try {
      await first.start()
      lineage.add(first.server)
      expect(await ask(first.port, agent)).equal(200)
      const events = await first.open('/v1/events', { token: tokens.admin })
      const ended = new Promise((resolve) => events.resume().once('end', resolve))
      await second.start()
      lineage.add(second.server)
      expect(await ask(first.port, agent)).equal(200)
      const { port } = first
      await lineage.takeOver(second.server)
      expect(await ask(port, agent)).not.equal(200)
      await ended
      expect(await ask(second.port, agent)).equal(401)
      first.lines.length = 0
      await lineage.takeOver(first.server)
      expect(await ask(first.port, agent)).equal(200)
    } finally {
      agent.destroy()
      await second.stop()
      await first.stop()
    }
  })
})
