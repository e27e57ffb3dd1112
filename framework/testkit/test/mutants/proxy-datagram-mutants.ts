import type { ProxyKindSubject } from '../../src/index.js'
import { datagramSpec, simpleDatagrams, type Wrong } from '../simple-datagrams.js'
import type { Mutant } from './mutant.js'

export const datagramSubject = (wrong: Wrong = {}): ProxyKindSubject => {
  const kind = simpleDatagrams(wrong)
  return { kind: () => kind, spec: datagramSpec, carries: 'datagrams', invalid: { 'no address': datagramSpec('') } }
}

const mutant = (because: RegExp, wrong: Wrong | (() => Wrong)): Mutant<ProxyKindSubject> => ({
  because,
  subject: () => datagramSubject(typeof wrong === 'function' ? wrong() : wrong)
})

/** One for each case about kinds of datagrams. */
export const datagramMutants: Readonly<Record<string, Mutant<ProxyKindSubject>>> = {
  'brings datagrams to the service and back, each in one piece': mutant(/of 1200 bytes 1024 came back/, {
    message: (message) => message.subarray(0, 1024)
  }),
  'keeps visitors apart, and each is one to the service': mutant(
    /waiting for the answer to visitor|more answers than requests|the answer of another/,
    { key: () => 'all' }
  ),
  'keeps two proxies of datagrams apart': mutant(/the visitor came to another service/, () => {
    let first: Promise<{ address: string; close: () => void }> | undefined
    return {
      publish: (go) => {
        first ??= go()
        return first
      }
    }
  }),
  'goes on when a service that was away is there': mutant(/timed out waiting for the answer to now/, {
    onError: (_, stream) => stream.destroy()
  }),
  'gives its port back, and can be published again': mutant(/waiting for the answer/, () => {
    let first: Promise<{ address: string; close: () => void }> | undefined
    return {
      publish: (go) => {
        first ??= go()
        return first
      }
    }
  }),
  'asks about each visitor once, and says who it is': mutant(/streams were requested for other visitors than came/, {
    admit: async (host, _, to) => host.admit({ ...to, to })
  }),
  'rejects a visitor that the server refuses': mutant(/the service got a datagram of a refused visitor/, {
    admit: async (host, { address, port }, to) => {
      const visitor = { host: address, port, to }
      try {
        return await host.admit(visitor)
      } catch {
        return { info: { visitor } as never, close: () => {} }
      }
    }
  }),
  'says how much went through when a visitor is over': mutant(/other numbers of bytes/, {
    bytes: (toService, toVisitor) => [toVisitor, toService]
  })
}
