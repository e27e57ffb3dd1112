import { extensionKit, transportKit } from '@rystra/testkit'
import net from 'node:net'
import path from 'node:path'
import transportUnix from '../src/index.js'
import { folder } from './folder.js'

const directory = folder()
const addresses = (function* () {
  for (let count = 0; ; count += 1) yield path.join(directory, `${count}.sock`)
})()

transportKit(
  {
    transport: transportUnix(),
    network: 'other',
    address: () => addresses.next().value as string,
    // A connection to the socket that does not speak the transport.
    connectRaw: ({ name = '' }) => net.connect(name)
  },
  { title: 'transport-unix as a transport' }
)

extensionKit({ use: transportUnix() }, { title: 'transport-unix as an extension' })
