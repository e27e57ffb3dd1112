import { defineExtension, Type } from '@rystra/plugin'
import { dial } from './dial.js'
import { listen } from './listen.js'

/** Links over Unix domain sockets, which are addressed by paths, relative to the configuration. */
export default defineExtension({
  name: 'transport-unix',
  options: Type.Object({}),
  setup({ registries, dir }) {
    registries.transports.add({
      name: 'unix',
      addressing: 'name',
      listen: (options, onLink, signal) => listen(dir, options, onLink, signal),
      dial: (options, signal) => dial(dir, options, signal)
    })
  }
})
