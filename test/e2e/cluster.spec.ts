import { askAt, ClusterWorld } from './cluster-world.js'
import { cleanUp, echo, portOf, startClient, startService, until, visitorPort } from './tunnel.js'

describe('two servers that act as one', () => {
  afterEach(cleanUp)

  it('serve a visitor at either of them', async () => {
    const world = await ClusterWorld.open()
    const a = await world.start('a')
    await world.start('b')
    const local = await startService(echo)
    const client = await startClient(portOf(a), [{ name: 'x', kind: 'tcp', local }])
    const port = visitorPort(client, 'x')
    for (const host of ['127.0.0.1', '127.0.0.2']) {
      await until(async () => (await askAt(host, port, host)) === host, `an answer at ${host}`)
    }
  })
})
