import * as grpc from '@grpc/grpc-js'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { type KeyPair, issueServer, makeAuthority } from '@rystra/certificates'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import { checkAll, Client, startGrpc } from './grpc-echo.js'
import { httpPreset, startHttpClient } from './http-world.js'
import { cleanUp, freePort, later, startServer } from './tunnel.js'

describe('gRPC through the tunnel', () => {
  let dir: string
  let ca: string

  before(async () => {
    const authority: KeyPair = await makeAuthority({ keyType: 'ec', commonName: 'An authority' })
    const { cert, key } = await issueServer(authority, {
      keyType: 'ec',
      commonName: 'grpc.localhost',
      names: ['grpc.localhost']
    })
    ca = authority.cert
    dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-grpc-'))
    writeFileSync(path.join(dir, 'cert.pem'), cert)
    writeFileSync(path.join(dir, 'key.pem'), key)
  })
  after(() => rmSync(dir, { recursive: true, force: true }))
  afterEach(cleanUp)

  const connect = async (secure: boolean): Promise<grpc.Client> => {
    const port = await freePort()
    const listen = [{ host: '127.0.0.1', port }]
    const server = await startServer(
      {},
      [
        proxyHttp({ listen: secure ? [] : listen }),
        ...(secure ? [proxyHttps({ listen, certificates: [{ cert: 'cert.pem', key: 'key.pem' }] })] : [])
      ],
      { preset: httpPreset, dir }
    )
    await startHttpClient(server, [{ name: 'grpc', kind: 'http', local: await startGrpc(later), h2: true }])
    const credentials = secure ? grpc.credentials.createSsl(Buffer.from(ca)) : grpc.credentials.createInsecure()
    const made = new Client(`127.0.0.1:${port}`, credentials, {
      'grpc.default_authority': `grpc.localhost:${port}`,
      'grpc.ssl_target_name_override': 'grpc.localhost',
      'grpc.enable_retries': 0
    })
    later(() => made.close())
    return made
  }

  for (const secure of [false, true]) {
    it(`has all status codes in all four kinds of call${secure ? ', behind https' : ''}`, async () => {
      await checkAll(await connect(secure))
    })
  }
})
