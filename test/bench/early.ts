/**
 * What calls in 0-RTT save: the time from the dial of a client that comes back to the answer of its call, over a path of UDP
 * with a delay in each direction, with `replaySafe` and without.
 *
 *     npm run bench:early -- [milliseconds of a round trip] [rounds]          # needs a build
 */
import dgram from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import { Rpc } from '@rystra/rpc'
import { createServer } from '@rystra/server'
import transportQuic from '@rystra/transport-quic'
import { loopback } from './address.js'
import { median } from './statistics.js'

const [roundTrip = 50, rounds = 20] = process.argv.slice(2).map(Number)
const token = 'bench-token-0123456789'

const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4').bind(0, loopback)
  await once(socket, 'listening')
  return socket
}

/** A path that delays each packet by half of a round trip. Each port of a client has a socket of its own. */
const startPath = async (server: number) => {
  const front = await bound()
  const backs = new Map<number, Promise<dgram.Socket>>()
  const later = (send: () => void): void => void setTimeout(send, roundTrip / 2)
  const backOf = async (port: number): Promise<dgram.Socket> => {
    const back = await bound()
    back.on('message', (packet) => later(() => front.send(packet, port, loopback)))
    return back
  }
  front.on('message', (packet, { port }) => {
    const back = backs.get(port) ?? backOf(port)
    backs.set(port, back)
    later(() => void back.then((socket) => socket.send(packet, server, loopback)))
  })
  const close = async (): Promise<void> => {
    front.close()
    for (const back of backs.values()) (await back).close()
  }
  return { port: front.address().port, close }
}

const main = async (): Promise<void> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-early-'))
  const onServer = new Rpc()
  onServer.handler('read', () => 'answered', { replaySafe: true })
  const listen = [{ transport: 'quic', host: loopback, port: 0 }]
  const extensions = [transportQuic, authToken({ token }), onServer.extension]
  const server = await createServer(
    { extensions, server: { listen } },
    { preset: [], stateDir: path.join(dir, 'state') }
  )
  await server.start()
  const [listening] = server.listening
  const way = await startPath(listening?.port ?? 0)
  const rpc = new Rpc()
  const connect = { transport: 'quic', host: loopback, port: way.port, ...listening?.join }
  const client = await createClient(
    {
      extensions: [transportQuic, authToken({ token }), rpc.extension],
      client: { id: 'bench', connect, reconnect: { min: 10, max: 10 } }
    },
    { preset: [] }
  )
  await client.start()

  /** Milliseconds from the end of a session to the answer of a call that was made then. */
  const measure = async (replaySafe: boolean): Promise<number> => {
    await rpc.server.request('read')
    // Tickets of TLS come behind the handshake.
    await new Promise((resolve) => setTimeout(resolve, 4 * roundTrip))
    const down = new Promise<void>((resolve) => {
      client.once('disconnected', () => resolve())
    })
    for (const session of server.runtime.sessions()) session.close()
    await down
    const since = performance.now()
    await rpc.server.request('read', null, { replaySafe })
    return performance.now() - since
  }

  try {
    const times = { normal: [] as number[], early: [] as number[] }
    for (let round = 0; round < rounds; round += 1) {
      times.normal.push(await measure(false))
      times.early.push(await measure(true))
    }
    const [normal, early] = [median(times.normal), median(times.early)]
    console.log(`round trip ${roundTrip} ms, median of ${rounds}, from the loss of the session to the answer`)
    console.log(`without  ${normal.toFixed(1)} ms`)
    console.log(`0-RTT    ${early.toFixed(1)} ms`)
    console.log(`saved    ${(normal - early).toFixed(1)} ms, ${((normal - early) / roundTrip).toFixed(2)} round trips`)
  } finally {
    await client.stop({ drain: 0 })
    await server.stop({ drain: 0 })
    await way.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

await main()
