import { defineExtension, type Extension, type Logger } from '@rystra/plugin'
import { Rpc, type RpcError, type RpcNodeOptions } from '@rystra/rpc'
import type { Server } from '@rystra/server'
import transportQuic from '@rystra/transport-quic'
import { expect } from 'chai'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { listening } from './private-tunnel.js'
import { cleanUp, later, portOf, serverConfig, startClient, startServer, until } from './tunnel.js'

const dirs: string[] = []

interface World {
  readonly server: Server
  readonly rpc: Rpc
  /** Ends the session, and makes calls while it is down. */
  again<Result>(calls: () => Promise<Result>): Promise<Result>
  reload(more: readonly Extension[]): Promise<unknown>
}

/** Until both ends know of the session. */
const up = (server: Server, rpc: Rpc): Promise<unknown> =>
  until(() => rpc.server.connected && [...server.runtime.sessions()].length === 1, 'a session')

/** How a client reaches the server: straight, or over a {@link startTap}. */
type Way = (port: number) => Promise<number>

const world = async (
  prepare: (rpc: Rpc) => void,
  options: RpcNodeOptions = {},
  way: Way = async (port) => port,
  log?: Logger
): Promise<World> => {
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-early-'))
  dirs.push(dir)
  const onServer = new Rpc(options)
  prepare(onServer)
  const listen = [{ transport: 'quic', host: '127.0.0.1', port: 0 }]
  const server = await startServer({ listen }, [transportQuic, onServer.extension], {
    stateDir: path.join(dir, 'state'),
    ...(log && { log })
  })
  const rpc = new Rpc()
  const { fingerprint } = server.listening[0]?.join ?? {}
  const connect = { transport: 'quic', host: '127.0.0.1', port: await way(portOf(server)), fingerprint }
  await startClient(portOf(server), [], { connect: connect as never }, [transportQuic, rpc.extension])
  await until(() => rpc.server.connected)
  const reload = (more: readonly Extension[]): Promise<unknown> =>
    server.reload(serverConfig({ listen }, [transportQuic, onServer.extension, ...more]))
  const again = async <Result>(calls: () => Promise<Result>): Promise<Result> => {
    await up(server, rpc)
    const down = new Promise<void>((resolve) => {
      const stop = rpc.server.on('down', () => {
        stop()
        resolve()
      })
    })
    for (const session of server.runtime.sessions()) session.close()
    await down
    return calls()
  }
  return { server, rpc, again, reload }
}

/** An attacker on the way, who records what the client sends, and can send it again from the address that the server knows. */
const startTap = () => {
  const recorded: Buffer[] = []
  let replay = (_packets: readonly Buffer[]): void => {}
  const bound = async (): Promise<dgram.Socket> => {
    const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
    later(() => socket.close())
    await once(socket, 'listening')
    return socket
  }
  const way: Way = async (server) => {
    const [front, back] = [await bound(), await bound()]
    let client = 0
    front.on('message', (packet, from) => {
      client = from.port
      recorded.push(packet)
      back.send(packet, server, '127.0.0.1')
    })
    back.on('message', (packet) => front.send(packet, client, '127.0.0.1'))
    replay = (packets) => {
      for (const packet of packets) back.send(packet, server, '127.0.0.1')
    }
    return front.address().port
  }
  return { way, recorded, replay: (packets: readonly Buffer[]) => replay(packets) }
}

const safe = { replaySafe: true }
const codeOf = (error: unknown): string => (error as RpcError).code

describe('calls in early data', () => {
  afterEach(async () => {
    await cleanUp()
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
  })

  it('are answered before the session is up, once, with the identity of the session before', async () => {
    const seen: { name: string; sessions: number; identity: string | undefined }[] = []
    const { server, rpc, again } = await world((made) => {
      const fn = (session: { identity?: { id: string } }, data: unknown): unknown => {
        seen.push({
          name: String(data),
          sessions: [...server.runtime.sessions()].length,
          identity: session.identity?.id
        })
        return `${String(data)}!`
      }
      made.handler('read', fn as never, safe)
      made.handler('write', fn as never)
    })
    const answers = await again(() =>
      Promise.all([rpc.server.request('read', 'early', safe), rpc.server.request('write', 'late')])
    )
    expect(answers).to.deep.equal(['early!', 'late!'])
    expect(seen).to.deep.equal([
      { name: 'early', sessions: 0, identity: 'home' },
      { name: 'late', sessions: 1, identity: 'home' }
    ])
  })

  it('are made again when the server has other extensions by now', async () => {
    const seen: number[] = []
    const { server, rpc, again, reload } = await world((made) => {
      made.handler('read', () => void seen.push([...server.runtime.sessions()].length), safe)
    })
    await again(() => rpc.server.request('read', null, safe))
    await up(server, rpc)
    await reload([defineExtension({ name: 'more', setup() {} })])
    await again(() => rpc.server.request('read', null, safe))
    expect(seen).to.deep.equal([0, 1])
  })

  it('are made again, and refused for good, as access and limits say', async () => {
    const { rpc, again } = await world(
      (made) => {
        made.handler('open', () => 'ok', safe)
        made.handler('closed', () => 'never', safe)
      },
      { access: [{ name: 'open' }] }
    )
    const [open, closed] = await again(() =>
      Promise.all([
        rpc.server.request('open', null, safe),
        rpc.server.request('closed', null, safe).catch((error: unknown) => codeOf(error))
      ])
    )
    expect([open, closed]).to.deep.equal(['ok', 'rpc.denied'])
  })

  it('are made when the session is up where the server does not declare them replaySafe', async () => {
    const seen: number[] = []
    const { server, rpc, again } = await world((made) => {
      made.handler('write', () => void seen.push([...server.runtime.sessions()].length))
    })
    await again(() => rpc.server.request('write', null, safe))
    expect(seen).to.deep.equal([1])
  })

  it('are made again when their handler takes longer than the handshake', async () => {
    const runs: boolean[] = []
    const { rpc, again } = await world((made) => {
      made.handler(
        'slow',
        async (_session, _data, call) => {
          runs.push(false)
          if (runs.length > 1) return 'answered'
          await new Promise((resolve) => call.signal.addEventListener('abort', resolve))
          return 'too late'
        },
        safe
      )
    })
    expect(await again(() => rpc.server.request('slow', null, safe))).to.equal('answered')
    expect(runs).to.have.length(2)
  })

  it('do not run again when an attacker sends the recorded packets again', async () => {
    const tap = startTap()
    const { log, lines } = listening()
    let runs = 0
    const { server, rpc, again } = await world((made) => made.handler('read', () => ++runs, safe), {}, tap.way, log)
    const first = await again(() => {
      tap.recorded.length = 0
      return rpc.server.request('read', null, safe)
    })
    const packets = [...tap.recorded]
    // Until the connection that the packets belong to is over, they are taken for its own.
    await again(async () => {})
    await up(server, rpc)
    tap.replay(packets)
    await until(() => lines.some((line) => line.includes('session.not-resumed')), 'the replayed Hello')
    expect([first, runs]).to.deep.equal([1, 1])
    expect(await rpc.server.request('read')).to.equal(2)
  })
})
