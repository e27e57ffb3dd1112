import { readFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { checkAll, Client, startGrpc } from '../../e2e/grpc-echo.js'
import { loopback } from '../../bench/address.js'
import { which } from '../../bench/peer.js'
import { freePort } from '../visitors/free-port.js'
import { startNginx } from '../visitors/nginx.js'
import type { Trial } from '../visitors/trial.js'
import { makeCertificates, Tunnel } from '../visitors/tunnel.js'

const name = 'grpc.localhost'

const checkAt = async (port: number, credentials: grpc.ChannelCredentials): Promise<string> => {
  const client = new Client(`${loopback}:${port}`, credentials, {
    'grpc.default_authority': `${name}:${port}`,
    'grpc.ssl_target_name_override': name,
    'grpc.enable_retries': 0
  })
  try {
    await checkAll(client)
  } finally {
    client.close()
  }
  return 'four kinds of call with 16 status codes each, messages both ways, an unknown method'
}

export const grpcCalls: Trial = {
  name: 'grpc',
  programs: [],
  async use(scratch, report) {
    const { ca, cert, key } = await makeCertificates(scratch, name)
    const [plain, secure] = [await freePort(), await freePort()]
    const tunnel = await Tunnel.serve(scratch, {
      name: 'grpc',
      extensions: [
        { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: plain }] } },
        {
          use: '@rystra/proxy-https',
          options: { listen: [{ host: loopback, port: secure }], certificates: [{ cert, key }] }
        }
      ]
    })
    report.watch(tunnel.server)
    const ends: (() => void)[] = []
    try {
      const service = await startGrpc((end) => ends.push(end))
      await tunnel.connect('grpc', { proxies: [{ name: 'grpc', kind: 'http', local: service, h2: true }] })
      await report.check('without TLS', () => checkAt(plain, grpc.credentials.createInsecure()))
      const trust = grpc.credentials.createSsl(readFileSync(ca))
      await report.check('TLS that ends at the server', () => checkAt(secure, trust))
      if (which('nginx') === undefined) report.skip('behind grpc_pass of nginx', 'nginx not found')
      else
        await report.check('behind grpc_pass of nginx', async () => {
          const server = `location / { grpc_pass grpc://${loopback}:${plain}; grpc_set_header Host ${name}; }`
          const front = await startNginx(scratch, 'grpc', server, '', ' http2')
          return checkAt(front, grpc.credentials.createInsecure())
        })
    } finally {
      for (const end of ends) end()
    }
  }
}
