import { expect } from 'chai'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { commands } from './fixtures/commands.js'

const root = new URL('../../', import.meta.url)

/** The first two commands of a page, in words: the server's, and the one beside the service. */
const commandsOf = (page: string): [serve: string[], client: string[]] => {
  const text = readFileSync(fileURLToPath(new URL(page, root)), 'utf8')
  const [serve, client] = [...text.matchAll(/^npx rystra (serve|\d+ .*)$/gm)].map((match) => match[1] ?? '')
  return [serve?.split(' ') ?? [], client?.split(' ') ?? []]
}

describe('the quick start', () => {
  const { start } = commands()
  const service = http.createServer((_, response) => response.end('hello'))

  before(async () => {
    await once(service.listen(0, '127.0.0.1'), 'listening')
  })
  after(() => service.close())
  for (const page of ['README.md', 'docs/guide/getting-started.md', 'cli/README.md']) {
    it(`of ${page} works as it is written, but for addresses`, async () => {
      const [serve, client] = commandsOf(page)
      expect(serve[0]).to.equal('serve')
      const server = start([...serve, '--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json'])
      const { join } = await server.event('join')
      const { port } = service.address() as AddressInfo
      const args = client.map((word) => (/^(rystra1_|"\$JOIN")/.test(word) ? String(join) : word))
      expect(args[0]).to.equal('3000')
      expect(args).to.include(String(join))
      const published = await start([String(port), ...args.slice(1), '--json']).event('published')
      const { host, port: web } = new URL(String(published['address']))
      const answer = http.get({ host: '127.0.0.1', port: web, headers: { host } })
      const [response] = (await once(answer, 'response')) as [http.IncomingMessage]
      expect(String(await once(response, 'data'))).to.equal('hello')
      response.destroy()
    })
  }
})
