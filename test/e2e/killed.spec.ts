import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type net from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Carrier, carriers, certificateFiles, connectTo, listenOn, nameOf, usesOf } from './end-carriers.js'
import { EndWorld } from './end-world.js'
import type { KilledEnd } from './killed-child.js'
import { cleanUp, echo, endOf, later, startClient, startService, svc, until, visit, visitorPort } from './tunnel.js'

/** How the peer of a stream and the other end of its session see the end of a process. */
type Seen = readonly [carrier: string, stream: string, session: string]

/**
 * QUIC has nothing that a kernel could end: the other side waits for a heartbeat. Streams that are connections of their own are reset
 * where the kernel is quick enough, see `late-end.spec.ts`.
 */
const byKernel = carriers.filter(
  ({ transport, muxer }) => transport !== 'quic' && !(muxer === 'direct' && ['tcp', 'tls'].includes(transport))
)

/** Starts ends of tunnels in another process. Resolves to their ports, and to what kills it. */
const startInChild = async (ends: readonly KilledEnd[]) => {
  const file = fileURLToPath(new URL('killed-child.ts', import.meta.url))
  const child = spawn(process.execPath, [...process.execArgv, file, JSON.stringify(ends)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  later(() => child.kill('SIGKILL'))
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { ports: JSON.parse(line.toString()) as number[], kill: () => child.kill('SIGKILL') }
}

/** A visitor who downloads by way of a client of that process. Resolves to what will have been seen. */
const download = async ({ carrier, there }: EndWorld, port: number): Promise<() => Promise<Seen>> => {
  const visitor = await visit(port)
  visitor.write('half of it')
  await once(visitor, 'data')
  const end = endOf(visitor)
  return async () => {
    await until(() => there.reported, 'the server tells of it')
    return [nameOf(carrier), await end, there.sessions.hook.join()]
  }
}

/** A visitor who uploads by way of a server of that process, to a service here. */
const upload = async (carrier: Carrier, connect: object): Promise<() => Promise<Seen>> => {
  let reached: (socket: net.Socket) => void = () => {}
  const reading = new Promise<net.Socket>((resolve) => (reached = resolve))
  const local = await startService((socket) => socket.once('data', () => reached(socket)))
  const client = await startClient(0, [svc(local)], { connect } as never, usesOf(carrier))
  const [lost, visitor] = [once(client, 'disconnected'), await visit(visitorPort(client, 'svc'))]
  visitor.write('half of it')
  const end = endOf(await reading)
  return async () => {
    const [, error] = (await lost) as [unknown, { code: string } | undefined]
    return [nameOf(carrier), await end, error?.code ?? 'clean']
  }
}

describe('a process that is killed', () => {
  afterEach(cleanUp)

  it('is a loss of its sessions, and its streams are reset: what was cut must not look complete', async () => {
    const files = await certificateFiles()
    const worlds = await Promise.all(byKernel.map((carrier) => EndWorld.open(carrier)))
    const proxies = [svc(await startService(echo))]
    const clients = worlds.map(({ carrier, connect }) => ({ carrier, connect, proxies }))
    const servers = byKernel.map((carrier) => ({ carrier, listen: listenOn(carrier, files) }))
    const { ports, kill } = await startInChild([...clients, ...servers])
    const downloads = await Promise.all(worlds.map((world, index) => download(world, ports[index] ?? 0)))
    const uploads = await Promise.all(
      byKernel.map((carrier, index) => upload(carrier, connectTo(carrier, ports[clients.length + index] ?? 0, files)))
    )
    kill()
    const expected = byKernel.map((carrier) => [nameOf(carrier), 'ECONNRESET', 'session.lost'])
    expect(await Promise.all(downloads.map((seen) => seen())), 'a client').to.deep.equal(expected)
    expect(await Promise.all(uploads.map((seen) => seen())), 'a server').to.deep.equal(expected)
  })
})
