/**
 * Kinds that do what proxy-tcp does, but ask for a stream instead of having it relayed: `open-pump` joins it by its raw
 * stream, `open-pipe` by Node's `pipe`.
 */
import { pump, rawOf } from '@rystra/bytes'
import { defineExtension, Type } from '@rystra/plugin'

const joins = {
  'open-pump': (visitor, stream) => void pump(rawOf(visitor), rawOf(stream), () => {}),
  'open-pipe': (visitor, stream) => {
    for (const [from, to] of [
      [visitor, stream],
      [stream, visitor]
    ]) {
      from.on('error', () => to.destroy())
      from.pipe(to)
    }
  }
}

const kinds = Object.entries(joins).map(([kind, join]) => ({
  kind,
  spec: Type.Object({ local: Type.String() }),
  localFields: ['local'],
  async publish(_spec, host) {
    const { port } = await host.listen({ port: 0 }, (visitor) => {
      const { remoteAddress, remotePort, localAddress, localPort } = visitor
      const info = { host: remoteAddress, port: remotePort, to: { host: localAddress, port: localPort } }
      host.openStream(info).then(
        ({ stream }) => join(visitor, stream),
        () => visitor.destroy()
      )
    })
    return { address: `127.0.0.1:${port}` }
  },
  async reach(spec, host) {
    await host.relay(await host.connect(spec.local))
  }
}))

export default defineExtension({
  name: 'open-kinds',
  setup({ registries }) {
    for (const kind of kinds) registries.proxies.add(kind)
  }
})
