import { defineExtension } from '@rystra/plugin'
import { dial } from './dial.js'
import { listen } from './listen.js'
import { TcpOptions } from './options.js'

/** Links over plain TCP, RFC 9293. Nothing is encrypted: use a TLS transport where others can listen. */
export default defineExtension({
  name: 'transport-tcp',
  options: TcpOptions,
  setup({ registries, options }) {
    registries.transports.add({
      name: 'tcp',
      listen: (address, onLink, signal) => listen(options, address, onLink, signal),
      dial: (address, signal) => dial(options, address, signal)
    })
  }
})
