import type { ByteLink, Link, Listener, Transport } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { corrupt, type Fault, faulty, MemoryNetwork, type TransportSubject } from '../../src/index.js'
import { Bridge, type BridgeFlaws } from './bridge.js'
import type { Mutant } from './mutant.js'

export type Side = 'near' | 'far'
/** Methods of a transport, given the right one. */
export type Change = (good: MemoryNetwork) => Partial<Transport>

export const subject = (change: Change) => (): TransportSubject => {
  const good = new MemoryNetwork()
  const transport: Transport = {
    name: 'memory',
    listen: (...args) => good.listen(...args),
    dial: (...args) => good.dial(...args),
    ...change(good)
  }
  return { transport: () => transport, network: 'other' }
}

export const mutant = (because: RegExp, change: Change): Mutant<TransportSubject> => ({
  because,
  subject: subject(change)
})

export const swap = (link: Link, stream: (duplex: Duplex) => Duplex): ByteLink => {
  if (link.kind !== 'bytes') throw new TypeError('not a link of bytes')
  return { ...link, duplex: stream(link.duplex) }
}

/** Replaces the streams of one side. */
export const streams =
  (side: Side, stream: (duplex: Duplex) => Duplex): Change =>
  (good) =>
    side === 'near'
      ? { dial: async (...args) => swap(await good.dial(...args), stream) }
      : { listen: (options, onLink, signal) => good.listen(options, (link) => onLink(swap(link, stream)), signal) }

export const withFault = (fault: Fault): Change => streams('near', (duplex) => faulty(duplex, { out: [fault] }))
export const bridge = (side: Side, flaws: BridgeFlaws): Change => streams(side, (duplex) => new Bridge(duplex, flaws))
export const changesByte = (at: number) => mutant(/other bytes than were sent/, withFault(corrupt(at)))

export const destroyedSoonAfterEnd = (side: Side): Change =>
  streams(side, (duplex) => duplex.on('finish', () => setTimeout(() => duplex.destroy(), 5)))

export const swallowsEmptyEnd: Fault = async function* (bytes) {
  let any = false
  for await (const chunk of bytes) {
    any = true
    yield chunk
  }
  if (!any) await new Promise(() => {})
}

export const repeatsPieces: Fault = async function* (bytes) {
  for await (const chunk of bytes) {
    yield chunk
    if (chunk.length === 1_460) yield chunk
  }
}

export const listening =
  (change: (listener: Listener) => Partial<Listener>): Change =>
  (good) => ({
    listen: async (...args) => {
      const listener = await good.listen(...args)
      return { ...listener, ...change(listener) }
    }
  })

export const ignoreSignal = new AbortController().signal

/** The state of a listener that is disturbed by raw peers. */
export interface Seen {
  /** Whether it has said anything. */
  said: boolean
  readonly gone: (what: (said: boolean) => void) => void
  readonly first: (what: (bytes: Buffer) => void) => void
}

export const inspect = (duplex: Duplex): Seen => {
  const seen: Seen = {
    said: false,
    gone: (what) => void duplex.once('close', () => what(seen.said)),
    first: (what) => {
      const peek = (): void => {
        const bytes = duplex.read() as Buffer | null
        duplex.removeListener('readable', peek)
        if (bytes === null) return
        seen.said = true
        duplex.unshift(bytes)
        what(bytes)
      }
      duplex.on('readable', peek)
    }
  }
  return seen
}

/** A listener that all links depend on: `mind` may kill them, or refuse a new one. */
export const minding =
  (mind: (seen: Seen, kill: () => void) => boolean): Change =>
  (good) => {
    const all = new Set<Duplex>()
    let dead = false
    const kill = (): void => {
      dead = true
      for (const each of all) each.destroy()
    }
    return {
      listen: (options, onLink, signal) =>
        good.listen(
          options,
          (link) => {
            if (link.kind !== 'bytes') return
            all.add(link.duplex)
            const stays = mind(inspect(link.duplex), kill)
            if (stays && !dead) onLink(link)
            else link.duplex.on('error', () => {}).destroy()
          },
          signal
        )
    }
  }

export const disturbed = /saw no end|got \d+ bytes of|waiting for/

/** A link loses what comes before it is handed over, a little late: later than the turn in which a peer writes. */
export const losesEarly = async (link: Link): Promise<Link> => {
  if (link.kind !== 'bytes') return link
  link.duplex.resume()
  await new Promise((resolve) => setTimeout(resolve, 10))
  link.duplex.pause()
  return link
}
