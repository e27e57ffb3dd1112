import { type ProxyKind, type Published, type PublishHost, RystraError, Type } from '@rystra/plugin'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair, type ProxyKindSubject, proxyKindKit } from '../../src/index.js'
import { simpleKind, simpleSpec } from '../simple-proxy.js'
import { Bridge } from './bridge.js'
import { killsMutants, type Mutant } from './mutant.js'
import { datagramMutants, datagramSubject } from './proxy-datagram-mutants.js'

const right = simpleKind()
const invalid = { 'no address': simpleSpec('') }

const subject =
  (make: () => ProxyKind, more: Partial<ProxyKindSubject> = {}) =>
  (): ProxyKindSubject => {
    const kind = make()
    return { kind: () => kind, spec: simpleSpec, invalid, ...more }
  }

const mutant = (
  because: RegExp,
  change: Partial<ProxyKind> | (() => Partial<ProxyKind>)
): Mutant<ProxyKindSubject> => ({
  because,
  subject: subject(() => simpleKind(typeof change === 'function' ? change() : change))
})

/** The server's half with another host than it was given. */
const hosted = (change: (host: PublishHost) => Partial<PublishHost>): Partial<ProxyKind> => ({
  publish: (spec, host) => right.publish(spec, { ...host, ...change(host) })
})

/** The visitor's socket behind a stream in between. */
const visitorThrough = (through: (visitor: Socket) => Socket): Partial<ProxyKind> =>
  hosted((host) => ({ relay: (visitor, info) => host.relay(through(visitor as Socket), info) }))

const published = (change: (good: Published) => Partial<Published>): Partial<ProxyKind> => ({
  async publish(spec, host) {
    const good = await right.publish(spec, host)
    return { ...good, ...change(good) }
  }
})

const silent = <Stream extends Duplex>(stream: Stream): Stream => stream.on('error', () => {})

killsMutants('kind of proxy', proxyKindKit, [subject(() => right), datagramSubject], {
  ...datagramMutants,
  'is called what its entries say': mutant(/simpel/, { kind: 'simpel' }),
  'takes its own entries': mutant(/Expected/, {
    spec: Type.Object({ local: Type.Integer({ description: 'A port' }) })
  }),
  'describes every field in words': mutant(/local has no description/, {
    spec: Type.Object({ local: Type.String() })
  }),
  'keeps only fields to itself that it has': mutant(/there is no field lokal/, { localFields: ['lokal'] }),
  'refuses the entries that are said to be invalid': mutant(/no address: taken/, {
    spec: Type.Object({ local: Type.String({ description: 'Anything' }) })
  }),
  'makes entries of an entry that have names of their own and are complete': mutant(/two entries have one name/, {
    expand: (spec) => [spec, spec]
  }),
  'says where it is published': mutant(
    /it says "127\.0\.0\.1:0"/,
    published(() => ({ address: '127.0.0.1:0' }))
  ),
  'brings visitors to the service and bytes both ways': mutant(/other bytes|got \d+ bytes/, {
    reach: async (spec, host) => {
      const service = await host.connect(String(spec.local))
      service.once('data', (chunk) => chunk.reverse())
      service.pause()
      await host.relay(service)
    }
  }),
  'says who visits, and where': mutant(
    /said to be at the public address/,
    hosted((host) => ({ relay: (visitor, info) => host.relay(visitor, { ...info, port: info.to.port }) }))
  ),
  'lets the service answer long after the visitor has ended': mutant(
    /the requester (was closed before|got \d+ bytes)|saw no end|waiting for/,
    visitorThrough((visitor) => silent(visitor).on('end', () => setTimeout(() => visitor.destroy(), 5)))
  ),
  'lets the visitor speak long after the service has ended': mutant(
    /the requester (was closed before|got \d+ bytes)|saw no end/,
    {
      reach: async (spec, host) => {
        const service = silent(await host.connect(String(spec.local)))
        service.on('end', () => setTimeout(() => service.destroy(), 5))
        await host.relay(service)
      }
    }
  ),
  'shows the visitor a service that gave up as a reset': mutant(
    /took a reset for a clean end/,
    visitorThrough((visitor) => {
      const [near, far] = duplexPair()
      new Bridge(far, { endForReset: true })
        .on('error', () => visitor.end())
        .pipe(visitor)
        .pipe(far)
      return near as Socket
    })
  ),
  'releases the service when the visitor gives up': mutant(/waiting for the reset at the service/, {
    reach: async (spec, host) => {
      const service = silent(await host.connect(String(spec.local)))
      const stream = host.accept()
      stream.pipe(service, { end: false })
      service.pipe(stream)
      await new Promise(() => {})
    }
  }),
  'serves many visitors at once': mutant(/waiting for the end at visitor/, () => {
    let count = 0
    return hosted((host) => ({ relay: (visitor, info) => (count++ < 10 ? host.relay(visitor, info) : undefined) }))
  }),
  'keeps two proxies apart': mutant(/the visitor came to another service|two proxies are at one address/, () => {
    let first: Promise<Published> | undefined
    return {
      publish: (spec, host) => {
        first ??= right.publish(spec, host)
        return first
      }
    }
  }),
  'fails for the visitor, and says why, when the service cannot be reached': mutant(/reach\(\) ended with reached/, {
    reach: async (spec, host) => {
      const service = await host.connect(String(spec.local)).catch(() => undefined)
      if (service === undefined) host.accept().destroy()
      else await host.relay(service)
    }
  }),
  'fails to publish when the server refuses the address': mutant(/did not fail/, {
    publish: async (spec, host) => right.publish(spec, host).catch(() => ({ address: 'nowhere:1' }))
  }),
  'can be taken back and published again': mutant(/a proxy of this name exists already/, () => {
    const names = new Set<string>()
    return {
      publish: async (spec, host) => {
        if (names.has(spec.name)) throw new RystraError('proxy.name-taken')
        names.add(spec.name)
        return right.publish(spec, host)
      }
    }
  }),
  'lets streams go on when it is taken back': mutant(/got \d+ bytes of|saw no end/, () => {
    const visitors: Socket[] = []
    return {
      async publish(spec, host) {
        const good = await right.publish(spec, {
          ...host,
          relay: (visitor, info) => {
            visitors.push(silent(visitor as Socket))
            host.relay(visitor, info)
          }
        })
        return { ...good, close: () => void visitors.map((visitor) => visitor.destroy()) }
      }
    }
  })
})
