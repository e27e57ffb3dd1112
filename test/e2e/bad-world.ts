import { expect } from 'chai'
import { ask, frontPort, mirror, startHttpClient, startHttpServer, startHttpService } from './http-world.js'

export const HEAD = 'Host: app.localhost\r\n'

export type Options = Parameters<typeof startHttpServer>[0]

/** A service under `app`, beside one that always works. */
export const publishBoth = async (
  local: number | string,
  options: Options = {},
  spec: object = {},
  ...more: Parameters<typeof startHttpServer>[1][]
) => {
  const { port: good } = await startHttpService((request, response) => void mirror(request, response))
  const server = await startHttpServer(options, ...(more as []))
  const client = await startHttpClient(server, [
    { name: 'app', kind: 'http', local, ...spec },
    { name: 'good', kind: 'http', local: good }
  ])
  const port = frontPort(client)
  const rest = async (): Promise<void> => {
    expect((await ask(port, 'good.localhost')).status, 'the other proxy').to.equal(200)
  }
  return { port, rest, server, client }
}
