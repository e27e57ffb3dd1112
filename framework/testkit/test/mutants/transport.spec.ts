import type { ByteLink, Link, Listener, Transport } from '@rystra/plugin'
import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import { corrupt, type Fault, faulty, MemoryNetwork, transportKit, type TransportSubject } from '../../src/index.js'
import { Bridge, type BridgeFlaws } from './bridge.js'
import { killsMutants, type Mutant } from './mutant.js'

type Side = 'near' | 'far'
/** Methods of a transport, given the right one. */
type Change = (good: MemoryNetwork) => Partial<Transport>

const subject = (change: Change) => (): TransportSubject => {
  const good = new MemoryNetwork()
  const transport: Transport = {
    name: 'memory',
    listen: (...args) => good.listen(...args),
    dial: (...args) => good.dial(...args),
    ...change(good)
  }
  return { transport: () => transport }
}

const mutant = (because: RegExp, change: Change): Mutant<TransportSubject> => ({ because, subject: subject(change) })

const swap = (link: Link, stream: (duplex: Duplex) => Duplex): ByteLink => {
  if (link.kind !== 'bytes') throw new TypeError('not a link of bytes')
  return { ...link, duplex: stream(link.duplex) }
}

/** Replaces the streams of one side. */
const streams =
  (side: Side, stream: (duplex: Duplex) => Duplex): Change =>
  (good) =>
    side === 'near'
      ? { dial: async (...args) => swap(await good.dial(...args), stream) }
      : { listen: (options, onLink, signal) => good.listen(options, (link) => onLink(swap(link, stream)), signal) }

const withFault = (fault: Fault): Change => streams('near', (duplex) => faulty(duplex, { out: [fault] }))
const bridge = (side: Side, flaws: BridgeFlaws): Change => streams(side, (duplex) => new Bridge(duplex, flaws))
const changesByte = (at: number) => mutant(/other bytes than were sent/, withFault(corrupt(at)))

const destroyedSoonAfterEnd = (side: Side): Change =>
  streams(side, (duplex) => duplex.on('finish', () => setTimeout(() => duplex.destroy(), 5)))

const swallowsEmptyEnd: Fault = async function* (bytes) {
  let any = false
  for await (const chunk of bytes) {
    any = true
    yield chunk
  }
  if (!any) await new Promise(() => {})
}

const repeatsPieces: Fault = async function* (bytes) {
  for await (const chunk of bytes) {
    yield chunk
    if (chunk.length === 1_460) yield chunk
  }
}

const listening =
  (change: (listener: Listener) => Partial<Listener>): Change =>
  (good) => ({
    listen: async (...args) => {
      const listener = await good.listen(...args)
      return { ...listener, ...change(listener) }
    }
  })

const ignoreSignal = new AbortController().signal

killsMutants(
  'transport',
  transportKit,
  subject(() => ({})),
  {
    'resolves port 0 to the one it listens on': mutant(
      /port 0/,
      listening(({ address }) => ({ address: { ...address, port: 0 } }))
    ),
    'makes links that say what they carry and who is there': mutant(/the address of the peer/, (good) => ({
      dial: async (...args) => ({ ...(await good.dial(...args)), peer: { address: '', port: 0 } })
    })),
    'listens on two ports at once': mutant(/in vain for the link at the listener/, (good) => {
      let first: ((link: Link) => void) | undefined
      return {
        listen: (options, onLink, signal) => {
          first ??= onLink
          return good.listen(options, first, signal)
        }
      }
    }),
    'carries 0 bytes each way at once': mutant(/in vain for the end at the far end/, withFault(swallowsEmptyEnd)),
    'carries 1 bytes each way at once': changesByte(0),
    'carries 15 bytes each way at once': changesByte(14),
    'carries 16384 bytes each way at once': changesByte(16_383),
    'carries 65535 bytes each way at once': changesByte(65_534),
    'carries 65537 bytes each way at once': changesByte(65_536),
    'carries 8388608 bytes each way at once': changesByte(8_388_607),
    'carries bytes that are written in pieces of all sizes': mutant(
      /other bytes|got \d+ bytes of/,
      withFault(repeatsPieces)
    ),
    'lets the end that dialed answer long after the other has ended': mutant(
      /who asked was closed before the answer/,
      destroyedSoonAfterEnd('far')
    ),
    'lets the end that listened answer long after the other has ended': mutant(
      /who asked was closed before the answer/,
      destroyedSoonAfterEnd('near')
    ),
    'closes without an error when both ends are done': mutant(
      /a clean close gave an error/,
      streams('near', (duplex) => {
        const late = (): void => {
          if (duplex.readableEnded && duplex.writableFinished) duplex.destroy(new Error('late'))
        }
        return duplex.on('end', late).on('finish', late)
      })
    ),
    'shows a reset by the end that dialed as a reset': mutant(
      /took a reset for a clean end/,
      bridge('near', { endForReset: true })
    ),
    'shows a reset by the end that listened as a reset': mutant(
      /took a reset for a clean end/,
      bridge('far', { endForReset: true })
    ),
    'holds the end that dialed back when nobody reads': mutant(/taken for a reader/, bridge('near', { greedy: true })),
    'holds the end that listened back when nobody reads': mutant(/taken for a reader/, bridge('far', { greedy: true })),
    'keeps bytes that came before anybody read': mutant(
      /in vain for the end|got 0 bytes/,
      streams('far', (duplex) => duplex.resume())
    ),
    'carries many links at once': mutant(/in vain for all links at the listener/, (good) => {
      let count = 0
      return {
        listen: (options, onLink, signal) =>
          good.listen(
            options,
            (link) => (count++ < 50 ? onLink(link) : swap(link, (duplex) => duplex.on('error', () => {}))),
            signal
          )
      }
    }),
    'refuses a dial where nobody listens': mutant(/something else than a RystraError/, (good) => ({
      dial: async (...args) => {
        try {
          return await good.dial(...args)
        } catch {
          throw new Error('connect ECONNREFUSED')
        }
      }
    })),
    'refuses an address that is in use': mutant(/the second listen\(\) did not fail/, (good) => ({
      listen: (options, onLink, signal) =>
        good.listen(options, onLink, signal).catch(() => good.listen({ ...options, port: 0 }, onLink, signal))
    })),
    'frees its address when it is closed': mutant(
      /in use/,
      listening(() => ({ close: async () => {} }))
    ),
    'lets links go on when the listener is closed': mutant(/in vain for close\(\) while a link is up/, (good) => {
      const open: Promise<unknown>[] = []
      return {
        listen: async (options, onLink, signal) => {
          const listener = await good.listen(
            options,
            (link) => {
              if (link.kind === 'bytes') open.push(new Promise((resolve) => link.duplex.on('close', resolve)))
              onLink(link)
            },
            signal
          )
          return { ...listener, close: () => Promise.all(open).then(() => listener.close()) }
        }
      }
    }),
    'may be closed twice': mutant(
      /not running/,
      listening(({ close }) => {
        let closed = false
        return {
          close: async () => {
            if (closed) throw new Error('Server is not running')
            closed = true
            await close()
          }
        }
      })
    ),
    'stops listening when its signal is aborted': mutant(/did not fail/, (good) => ({
      listen: (options, onLink) => good.listen(options, onLink, ignoreSignal)
    })),
    'does not listen when its signal is aborted already': mutant(/in vain for listen\(\) to settle/, (good) => ({
      listen: (options, onLink, signal) =>
        signal.aborted ? new Promise(() => {}) : good.listen(options, onLink, signal)
    })),
    'gives a dial up when its signal is aborted': mutant(/went on/, (good) => ({
      dial: (options) => good.dial(options, ignoreSignal)
    })),
    'keeps a link whose dial is done when the signal is aborted': mutant(/got 0 bytes of 1000/, (good) => ({
      dial: async (options, signal) => {
        const link = await good.dial(options, signal)
        signal.addEventListener('abort', () => link.duplex.destroy())
        return link
      }
    })),
    'is not disturbed by strangers': mutant(/saw no end|got \d+ bytes of|in vain/, (good) => {
      const all = new Set<Duplex>()
      return {
        listen: (options, onLink, signal) =>
          good.listen(
            options,
            (link) => {
              if (link.kind === 'bytes') {
                all.add(link.duplex)
                link.duplex.on('error', () => {
                  for (const each of all) each.destroy()
                })
              }
              onLink(link)
            },
            signal
          )
      }
    }),
    'leaves no error that nobody handles': mutant(/nobody handled/, (good) => {
      let told = false
      const tell = (): void => {
        if (!told) setImmediate(() => new EventEmitter().emit('error', new Error('aborted')))
        told = true
      }
      return {
        dial: (options, signal) => {
          signal.addEventListener('abort', tell)
          return good.dial(options, signal)
        }
      }
    })
  }
)
