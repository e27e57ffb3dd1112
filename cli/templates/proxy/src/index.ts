import { defineExtension, type ProxySpec, Type } from '@rystra/plugin'

interface Spec extends ProxySpec {
  readonly local: string
  readonly port?: number
}

/** Publishes a service on a TCP port of the server. */
export default defineExtension({
  name: 'my-extension',
  setup({ registries }) {
    registries.proxies.add({
      kind: 'my-word',
      spec: Type.Object({
        local: Type.String({ minLength: 1, description: 'Address of the service, for example 127.0.0.1:8080.' }),
        port: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 65_535,
            description: 'Port on the server. Default: a free one that the server allows.'
          })
        )
      }),
      // Where the service is stays at the client.
      localFields: ['local'],
      // At the server, once for each proxy: binds, and gives each visitor a stream to the client.
      publish: async ({ port }: Spec, host) => {
        const bound = await host.listen({ port }, (visitor) => {
          const { remoteAddress = 'unknown', remotePort = 0 } = visitor
          host.relay(visitor, { host: remoteAddress, port: remotePort, to: bound })
        })
        return { address: `${bound.host}:${bound.port}` }
      },
      // At the client, once for each stream: connects to the service, and joins the two.
      reach: async ({ local }: Spec, host) => host.relay(await host.connect(local))
    })
  }
})
