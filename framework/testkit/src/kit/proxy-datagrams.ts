import { type Published, RystraError } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { caseMaker } from './kit.js'
import { pattern } from './pattern.js'
import { addressOf } from './proxy-ends.js'
import type { ProxyKindSubject } from './proxy-subject.js'
import { ProxyWorld } from './proxy-world.js'
import { pause, type Scope } from './scope.js'

/** From nothing to the largest that there is over IPv4. */
const SIZES = [1, 0, 15, 1_200, 9_000, 65_507]

const it = caseMaker<ProxyKindSubject, ProxyWorld>(ProxyWorld.open)

/** About kinds of datagrams. */
const datagrams: typeof it = (name, body) => it(name, body, { applies: ({ carries }) => carries === 'datagrams' })

/** About those that have a public port. */
const atPort: typeof it = (name, body) =>
  it(name, body, { applies: ({ carries, visitor }) => carries === 'datagrams' && visitor === undefined })

const bound = async (scope: Scope, port = 0): Promise<Socket> => {
  const socket = createSocket('udp4').on('error', () => {})
  scope.defer(() => socket.close())
  socket.bind(port, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

/** A service that answers each datagram; says where it is, and which ports requests. */
const service = async (
  scope: Scope,
  answer: (message: Buffer) => Buffer = (message) => message,
  port = 0
): Promise<{ local: string; ports: Set<number>; came: string[] }> => {
  const socket = await bound(scope, port)
  const [ports, came] = [new Set<number>(), [] as string[]]
  socket.on('message', (message, from) => {
    ports.add(from.port)
    came.push(message.toString('latin1', 0, 32))
    socket.send(answer(message), from.port, from.address)
  })
  return { local: `127.0.0.1:${socket.address().port}`, ports, came }
}

/** A visitor that asks one thing after the other. */
class DatagramVisitor {
  readonly #socket: Socket
  readonly #to: { readonly host: string; readonly port: number }
  readonly #answers: Buffer[] = []

  private constructor(socket: Socket, to: string) {
    this.#socket = socket
    this.#to = addressOf(to)
    socket.on('message', (message) => this.#answers.push(message))
  }

  static async at(way: Published, scope: Scope): Promise<DatagramVisitor> {
    return new DatagramVisitor(await bound(scope), way.address)
  }

  static async come(world: ProxyWorld, scope: Scope, published: Published): Promise<DatagramVisitor> {
    return DatagramVisitor.at(await world.wayTo(published), scope)
  }

  get port(): number {
    return this.#socket.address().port
  }

  send(message: Buffer | string): void {
    this.#socket.send(message, this.#to.port, this.#to.host)
  }

  async ask(scope: Scope, message: Buffer | string, label = 'a visitor'): Promise<Buffer> {
    this.#answers.length = 0
    this.send(message)
    await scope.until(() => this.#answers.length > 0, `the answer to ${label}, ${message.length} bytes`)
    assert.equal(this.#answers.length, 1, `${label} got more answers than it requests`)
    return this.#answers[0] as Buffer
  }

  /** Sends until an answer comes: what is sent before the socket is bound may be lost. */
  async askUntil(scope: Scope, message: string): Promise<void> {
    const answered = (): boolean => this.#answers.some((answer) => String(answer) === message)
    const until = performance.now() + scope.timeout
    while (!answered() && performance.now() < until) {
      this.send(message)
      await pause(20)
    }
    assert.ok(answered(), `timed out waiting for the answer to ${message}`)
  }
}

/** Another program may get the port of a service that is away. */
const MAX_ATTEMPTS = 10

/** A service that is away when its visitor comes. `false`: its port was taken meanwhile. */
const comesBack = async (world: ProxyWorld, scope: Scope, name: string): Promise<boolean> => {
  const gone = await bound(scope)
  const { port } = gone.address()
  gone.close()
  await once(gone, 'close')
  const spec = { ...world.subject.spec(`127.0.0.1:${port}`), name }
  const visitor = await DatagramVisitor.come(world, scope, await world.publish(spec))
  visitor.send('lost')
  await pause(20)
  try {
    await service(scope, undefined, port)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false
    throw error
  }
  await visitor.askUntil(scope, 'now')
  return true
}

/** Further cases of a kind for datagrams. */
export const datagramCases = [
  datagrams('brings datagrams to the service and back, each in one piece', async (world, scope) => {
    const { local } = await service(scope)
    const visitor = await DatagramVisitor.come(world, scope, await world.publish(world.subject.spec(local)))
    for (const size of SIZES) {
      const sent = pattern(size, size)
      const came = await visitor.ask(scope, sent)
      assert.equal(came.length, size, `of ${size} bytes ${came.length} came back in one datagram`)
      assert.ok(came.equals(sent), `${size} bytes came back as others`)
    }
  }),
  datagrams('keeps visitors apart, and each is one to the service', async (world, scope) => {
    const { local, ports } = await service(scope)
    const published = await world.publish(world.subject.spec(local))
    const way = await world.wayTo(published)
    const visitors: DatagramVisitor[] = []
    for (let count = 0; count < 10; count += 1) visitors.push(await DatagramVisitor.at(way, scope))
    for (const round of ['one', 'two']) {
      const answers = await Promise.all(
        visitors.map((visitor, index) => visitor.ask(scope, `${round} ${index}`, `visitor ${index}`))
      )
      for (const [index, answer] of answers.entries()) {
        assert.equal(String(answer), `${round} ${index}`, `visitor ${index} got the answer of another`)
      }
    }
    assert.equal(ports.size, 10, `10 visitors came to the service from ${ports.size} ports`)
  }),
  datagrams('keeps two proxies of datagrams apart', async (world, scope) => {
    const services = await Promise.all(['one', 'two'].map((name) => service(scope, () => Buffer.from(name))))
    for (const [index, name] of ['one', 'two'].entries()) {
      const spec = { ...world.subject.spec(services[index]?.local ?? ''), name: `proxy-${index}` }
      const visitor = await DatagramVisitor.come(world, scope, await world.publish(spec))
      assert.equal(String(await visitor.ask(scope, 'who?')), name, 'the visitor came to another service')
    }
  }),
  datagrams('goes on when a service that was away is there', async (world, scope) => {
    for (let attempt = 1; !(await comesBack(world, scope, `proxy-${attempt}`)); attempt++)
      assert(attempt < MAX_ATTEMPTS, 'no port stayed free while the service was away')
  }),
  datagrams('gives its port back, and can be published again', async (world, scope) => {
    const { local } = await service(scope)
    const spec = world.subject.spec(local)
    const first = await world.publish(spec)
    await (await DatagramVisitor.come(world, scope, first)).ask(scope, 'first')
    await scope.wait(first.take(), 'close()')
    const again = await DatagramVisitor.come(world, scope, await world.publish(spec))
    assert.equal(String(await again.ask(scope, 'again')), 'again')
  }),
  atPort('asks about each visitor once, and says who it is', async (world, scope) => {
    const { local } = await service(scope)
    const published = await world.publish(world.subject.spec(local))
    const visitors = [
      await DatagramVisitor.come(world, scope, published),
      await DatagramVisitor.come(world, scope, published)
    ]
    for (const visitor of [...visitors, ...visitors]) await visitor.ask(scope, 'hello')
    assert.deepEqual(
      world.served.map(({ visitor: { host, port } }) => `${host}:${port}`),
      visitors.map(({ port }) => `127.0.0.1:${port}`),
      'streams were requested for other visitors than came'
    )
    const { to } = world.served[0]?.visitor ?? {}
    assert.equal(`${to?.host}:${to?.port}`, published.address, 'the visitor is said to have come to another address')
  }),
  atPort('rejects a visitor that the server refuses', async (world, scope) => {
    const { local, came } = await service(scope)
    let requests = 0
    const published = await world.publish(world.subject.spec(local), {
      admit: (visitor) => {
        requests += 1
        if (requests === 1) throw new RystraError('stream.refused', { detail: 'on purpose' })
        return {
          info: { id: '1', proxy: world.subject.spec(local), visitor, session: {}, side: 'server' } as never,
          close: () => {}
        }
      }
    })
    const [refused, welcome] = [
      await DatagramVisitor.come(world, scope, published),
      await DatagramVisitor.come(world, scope, published)
    ]
    refused.send('refused')
    await scope.until(() => requests === 1, 'the request to open the stream')
    await welcome.ask(scope, 'welcome')
    assert.deepEqual(came, ['welcome'], 'the service got a datagram of a refused visitor')
  }),
  atPort('says how much went through when a visitor is over', async (world, scope) => {
    const { local } = await service(scope, (message) => Buffer.concat([message, message]))
    const published = await world.publish(world.subject.spec(local))
    const visitor = await DatagramVisitor.come(world, scope, published)
    for (const size of [100, 50]) await visitor.ask(scope, pattern(0, size))
    await scope.wait(published.take(), 'close()')
    await scope.until(() => world.served[0]?.over !== undefined, 'the end of the visitor to be told')
    assert.deepEqual(world.served[0]?.over, { toService: 150, toVisitor: 300 }, 'other numbers of bytes')
  })
]
