import proxyHttp from '@rystra/proxy-http'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import { text } from 'node:stream/consumers'
import { type Client, createServer } from 'rystra'

const token = 'a token of this test, and long'

/** Names under localhost need no DNS, but not every machine knows: the name is asked for here. */
const ask = async (address: string, path: string, body?: object): Promise<string> => {
  const { port, host } = new URL(address)
  const options = { host: '127.0.0.1', port, path, agent: false, method: body === undefined ? 'GET' : 'POST' }
  const headers = { host, 'content-type': 'application/json' }
  const request = http.request({ ...options, headers }).end(body === undefined ? undefined : JSON.stringify(body))
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  return `${response.statusCode} ${await text(response)}`
}

/** The test of the examples that put an application of some framework behind a tunnel. */
export const describeApplication = (
  framework: string,
  expose: (token: string, port: number) => Promise<Client>
): void => {
  describe(`an application of ${framework} behind a tunnel`, () => {
    it('answers visitors, and listens on no port', async () => {
      const server = await createServer({
        extensions: [
          { use: '@rystra/auth-token', options: { token } },
          proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }] })
        ],
        server: { listen: [{ host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1', ports: ['1024-65535'] } }
      })
      await server.start()
      const client = await expose(token, server.listening[0]?.port ?? 0)
      try {
        const address = client.proxies[0]?.address ?? ''
        expect(address).to.match(new RegExp(`^http://${framework.toLowerCase()}\\.localhost:\\d+`))
        expect(await ask(address, '/')).to.equal(`200 Hello from ${framework}`)
        expect(await ask(address, '/echo', { a: 1 })).to.equal('200 {"a":1}')
        expect(await ask(address, '/nothing')).to.match(/^404 /)
      } finally {
        await client.stop({ drain: 0 })
        await server.stop({ drain: 0 })
      }
    }).timeout(20_000)
  })
}
