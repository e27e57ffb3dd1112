import { once } from 'node:events'
import net from 'node:net'
import authToken from '@rystra/auth-token'
import type { Client } from '@rystra/client'
import type { RystraConfig } from '@rystra/config'
import type { RystraError } from '@rystra/model'
import { defineExtension, Type } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { expect } from 'chai'
import {
  cleanUp,
  clientConfig,
  echo,
  failure,
  later,
  portOf,
  serverConfig,
  startClient,
  startServer,
  startService,
  token,
  visit,
  visitorPort
} from './tunnel.js'

type Part = Record<string, unknown>

const failing = (name: string, setup: () => unknown) => defineExtension({ name, setup: setup as never })()

const noKind = () => Promise.reject(new Error('on purpose'))

const strictOptions = defineExtension({ name: 'strict', options: Type.Object({ n: Type.Integer() }), setup() {} })

/** A change of the server's configuration that cannot be made; `taken` is a port that another program has. */
const ofServer = (taken: number): readonly [string, Part, RegExp, RegExp][] => {
  const listen = (...entries: object[]) => ({
    server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }, ...entries] }
  })
  const extension = (one: unknown) => ({ extensions: [authToken({ tokens: [{ identity: 'home', token }] }), one] })
  return [
    ['no server', { server: undefined }, /^config\.invalid$/, /server/],
    ['a field that is not known', { server: { nothing: 1 } }, /^config\.invalid$/, /server\.nothing/],
    ['no listener', { server: { listen: [] } }, /^config\.invalid$/, /server\.listen/],
    ['a port out of range', listen({ port: 65_536 }), /^config\.invalid$/, /server\.listen\[1\]\.port/],
    ['a port that is text', listen({ port: 'x' }), /^config\.invalid$/, /server\.listen\[1\]\.port/],
    [
      'a transport that is not there',
      listen({ transport: 'no', port: 1 }),
      /^config\.invalid$/,
      /server\.listen\[1\]\.transport/
    ],
    ['a field of another transport', listen({ port: 1, path: '/' }), /^config\.invalid$/, /server\.listen\[1\]\.path/],
    [
      'an address twice',
      listen({ host: '127.0.0.1', port: 5000 }, { host: '127.0.0.1', port: 5000 }),
      /^config\.invalid$/,
      /server\.listen\[2\]/
    ],
    [
      'an address that another program has',
      listen({ host: '127.0.0.1', port: taken }),
      /^listen\.in-use$/,
      new RegExp(`${taken}`)
    ],
    [
      'an address that this machine has not',
      listen({ host: '192.0.2.1', port: 5000 }),
      /^listen\.unavailable$/,
      /192\.0\.2\.1/
    ],
    ['a host that is no host', listen({ host: 'a/b', port: 5000 }), /^config\.invalid$/, /server\.listen\[1\]\.host/],
    ['ports that go down', { server: { publish: { ports: ['9-1'] } } }, /^config\.invalid$/, /server\.publish\.ports/],
    ['a drain that is no duration', { server: { drain: 'soon' } }, /^config\.invalid$/, /server\.drain/],
    [
      'a heartbeat that times out before it beats',
      { server: { heartbeat: { interval: 2000, timeout: 1000 } } },
      /^config\.invalid$/,
      /server\.heartbeat\.timeout/
    ],
    ['a limit of nothing', { server: { limits: { sessions: 0 } } }, /^config\.invalid$/, /server\.limits\.sessions/],
    ['a level that is not there', { log: { level: 'loud' } }, /^config\.invalid$/, /log\.level/],
    [
      'an extension that is not installed',
      extension('@rystra/not-installed'),
      /^extension\.not-found$/,
      /not-installed/
    ],
    ['an extension of no form', extension(7), /^config\.invalid$/, /extensions\[1\]/],
    ['an extension twice', extension(authToken({ tokens: [] } as never)), /^extension\.duplicate$/, /auth-token/],
    ['options of the wrong type', extension(strictOptions({ n: 'x' } as never)), /^extension\.options$/, /strict/],
    ['an option that is not known', extension(strictOptions({ n: 1, m: 2 } as never)), /^extension\.options$/, /m/],
    [
      'a set-up that throws',
      extension(
        failing('throws', () => {
          throw new Error('on purpose')
        })
      ),
      /^extension\.setup-failed$/,
      /throws/
    ],
    [
      'a start that rejects',
      extension(failing('rejects', () => ({ start: () => Promise.reject(new Error('on purpose')) }))),
      /^extension\.start-failed$/,
      /rejects/
    ],
    [
      'a token twice',
      {
        extensions: [
          authToken({
            tokens: [
              { identity: 'a', token },
              { identity: 'b', token }
            ]
          })
        ]
      },
      /^extension\.options$/,
      /tokens\[1\]/
    ],
    [
      'a token file that is not there',
      { extensions: [authToken({ tokens: [{ identity: 'a', file: '/no/such/file' }] })] },
      /^extension\.(options|start-failed)$/,
      /file/
    ],
    [
      'a kind registered twice',
      extension(
        defineExtension({
          name: 'again',
          setup: ({ registries }) =>
            registries.proxies.add({ kind: 'tcp', spec: Type.Object({}), publish: noKind, reach: noKind } as never)
        })()
      ),
      /^registry\.duplicate$/,
      /tcp/
    ]
  ]
}

/** A change of the client's configuration that cannot be made. */
const ofClient: readonly [string, Part, RegExp, RegExp][] = [
  ['no client', { client: undefined }, /^config\.invalid$/, /client/],
  ['no host', { connect: {} }, /^config\.invalid$/, /client\.connect\.host/],
  [
    'a muxer that is not there',
    { connect: { transport: 'tcp', host: '127.0.0.1', muxer: 'no' } },
    /^config\.invalid$/,
    /client\.connect\.muxer/
  ],
  [
    'a proxy of no kind',
    { proxies: [{ name: 'x', kind: 'no', local: 1 }] },
    /^config\.invalid$/,
    /client\.proxies\[0\]\.kind/
  ],
  [
    'a proxy twice',
    {
      proxies: [
        { name: 'x', kind: 'tcp', local: 1 },
        { name: 'x', kind: 'tcp', local: 2 }
      ]
    },
    /^config\.invalid$/,
    /client\.proxies\[1\]\.name/
  ],
  [
    'a service of no form',
    { proxies: [{ name: 'x', kind: 'tcp', local: 'a b' }] },
    /^config\.invalid$/,
    /client\.proxies\[0\]\.local/
  ],
  [
    'ranges that do not fit',
    { proxies: [{ name: 'x', kind: 'tcp', local: '1000-1001', port: '2000-2005' }] },
    /^proxy\.invalid$/,
    /x/
  ],
  ['a host to accept of no form', { accept: { hosts: ['a b'] } }, /^config\.invalid$/, /client\.accept\.hosts/]
]

describe('a reload that fails', () => {
  let server: Server
  let client: Client
  let visitor: net.Socket
  let taken = 0
  let initial: string

  /** All that runs, by identity: what was made again is another. */
  const state = (): string =>
    JSON.stringify([
      ...[server, client].map(({ runtime }) => [
        [...runtime.listeners()].map(({ id, info }) => [id, info.since]),
        [...runtime.sessions()].map(({ id }) => id),
        [...runtime.streams()].map(({ id }) => id),
        [...runtime.proxies()].map(({ id, info }) => [id, info.state, info.address]),
        [...runtime.extensions()].map(({ name }) => name),
        runtime.stats().generation,
        runtime.control.revision
      ])
    ])

  before(async () => {
    server = await startServer()
    const local = await startService(echo)
    client = await startClient(portOf(server), [{ name: 'x', kind: 'tcp', local }])
    visitor = await visit(visitorPort(client, 'x'))
    visitor.write('a')
    await once(visitor, 'data')
    const blocker = net.createServer().listen(0, '127.0.0.1')
    later(() => blocker.close())
    await once(blocker, 'listening')
    taken = (blocker.address() as net.AddressInfo).port
    initial = state()
  })
  after(cleanUp)

  const check = async (reloading: Promise<unknown>, code: RegExp, where: RegExp): Promise<void> => {
    const error: RystraError = await failure(reloading)
    expect(error.code, error.message).to.match(code)
    expect(error.message).to.match(where)
    expect(state(), 'something has changed').to.equal(initial)
    visitor.write('b')
    expect(String((await once(visitor, 'data'))[0])).to.equal('b')
  }

  for (const [index, [what]] of ofServer(0).entries()) {
    it(`of a server leaves everything as it was: ${what}`, async () => {
      const [, part, code, where] = ofServer(taken)[index] as (typeof ofServer extends (n: number) => infer R
        ? R
        : never)[0]
      const { server: half, ...rest } = serverConfig() as { server: Part } & Part
      const changed =
        'server' in part
          ? part['server'] === undefined
            ? {}
            : { server: { ...half, ...(part['server'] as Part) } }
          : { server: half }
      const { server: _, ...others } = part
      await check(server.reload({ ...rest, ...changed, ...others } as RystraConfig), code, where)
    })
  }

  for (const [what, part, code, where] of ofClient) {
    it(`of a client leaves everything as it was: ${what}`, async () => {
      const { client: half, ...rest } = clientConfig(portOf(server), []) as { client: Part } & Part
      const config = 'client' in part ? rest : { ...rest, client: { ...half, ...part } }
      await check(client.reload(config as RystraConfig), code, where)
    })
  }
})
