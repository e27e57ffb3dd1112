import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { expose } from './client.js'
import { serve } from './server.js'

// A service of this program, which visitors are to reach.
const web = http.createServer((_, response) => response.setHeader('connection', 'close').end('hello from inside'))
await once(web.listen(0, '127.0.0.1'), 'listening')
const local = `127.0.0.1:${(web.address() as AddressInfo).port}`

const token = randomBytes(24).toString('base64url')
const server = await serve(token, 0)
const client = await expose(local, token, server.listening[0]?.port ?? 0)

// A visitor.
for (const { address } of client.proxies) {
  console.log(`visitor: ${await (await fetch(`http://${address}/`)).text()}`)
}

// Both let open streams finish.
await client.stop()
await server.stop()
web.close()
