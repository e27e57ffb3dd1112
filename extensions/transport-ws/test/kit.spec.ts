import { extensionKit, SECURE_SUBSET, transportKit } from '@rystra/testkit'
import net from 'node:net'
import transportWs from '../src/index.js'
import { registered, served, trusted } from './setup.js'

transportKit(
  {
    transport: (side) => registered('ws', side),
    dial: { proxy: 'none' },
    secure: false,
    connectRaw: ({ host, port }) => net.connect(port, host)
  },
  { title: 'transport-ws as a transport: ws' }
)

transportKit(
  {
    transport: (side) => registered('wss', side),
    listen: served,
    secure: true,
    dial: { ...trusted, proxy: 'none' },
    connectRaw: ({ host, port }) => net.connect(port, host)
  },
  { title: 'transport-ws as a transport: wss', only: SECURE_SUBSET }
)

extensionKit({ use: transportWs() }, { title: 'transport-ws as an extension' })
