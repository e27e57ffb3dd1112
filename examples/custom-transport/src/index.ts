import { defineExtension, Type } from '@rystra/plugin'
import { dial } from './dial.js'
import { listen } from './listen.js'

/** Links over Unix domain sockets: port 7000 is the socket `7000.sock` in a folder that both ends know. */
export default defineExtension({
  name: 'transport-unix',
  options: Type.Object({
    directory: Type.String({
      minLength: 1,
      description:
        'Where the sockets are, relative to the working directory. Made for its owner alone if it is not there: every user that may enter it may connect.'
    })
  }),
  setup({ registries, options: { directory } }) {
    registries.transports.add({
      name: 'unix',
      listen: (address, onLink, signal) => listen(directory, address, onLink, signal),
      dial: (address, signal) => dial(directory, address, signal)
    })
  }
})
