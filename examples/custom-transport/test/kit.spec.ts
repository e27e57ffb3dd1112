import { extensionKit, transportKit } from '@rystra/testkit'
import net from 'node:net'
import transportUnix from '../src/index.js'
import { folder } from './folder.js'

const directory = folder()

transportKit(
  {
    transport: transportUnix({ directory }),
    network: 'other',
    // A connection to the socket that does not speak the transport.
    connectRaw: ({ port }) => net.connect(`${directory}/${port}.sock`)
  },
  { title: 'transport-unix as a transport' }
)

extensionKit(
  {
    use: transportUnix({ directory }),
    invalid: { 'no directory': {}, 'an empty directory': { directory: '' } }
  },
  { title: 'transport-unix as an extension' }
)
