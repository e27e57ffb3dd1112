import { extensionKit, transportKit } from '@rystra/testkit'
import net from 'node:net'
import transportHttp2 from '../src/index.js'

const stranger = ({ host, port }: { host: string; port: number }): net.Socket =>
  net.connect({ host, port, allowHalfOpen: true })

transportKit(
  { transport: transportHttp2(), name: 'h2c', links: 'streams', stranger },
  { title: 'transport-http2 as a transport, without TLS' }
)

extensionKit({ use: transportHttp2() }, { title: 'transport-http2 as an extension' })
