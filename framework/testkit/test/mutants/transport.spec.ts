import type { Link } from '@rystra/plugin'
import { EventEmitter } from 'node:events'
import { MemoryNetwork, MemoryStreamsNetwork, transportKit, type TransportSubject } from '../../src/index.js'
import { tinySecure } from '../tiny-secure.js'
import { linkMutants } from './link-mutants.js'
import { multiplexing } from '../multiplexing.js'
import { datagramMutants } from './datagram-mutants.js'
import { killsMutants } from './mutant.js'
import { secureMutants } from './secure-mutants.js'
import { simpleMuxer } from '../simple-muxer.js'
import {
  subject,
  mutant,
  swap,
  streams,
  withFault,
  bridge,
  changesByte,
  destroyedSoonAfterEnd,
  swallowsEmptyEnd,
  repeatsPieces,
  listening,
  ignoreSignal,
  minding,
  disturbed,
  losesEarly
} from './transport-mutants.js'

const overStreams = Object.entries(linkMutants).map(([name, { because, muxer }]) => {
  const streams = (): TransportSubject => {
    const network = new MemoryNetwork()
    const transport = multiplexing(network, muxer())
    return {
      transport: () => transport,
      links: 'streams',
      network: 'other',
      cut: () => network.cut(),
      maxBuffered: 2_097_152
    }
  }
  return [name, { because, subject: streams }]
})

const ofStreams = (native: boolean) => (): TransportSubject => {
  const network = new MemoryNetwork()
  const transport = multiplexing(network, simpleMuxer(undefined, native))
  return { transport: () => transport, links: 'streams', network: 'other', cut: () => network.cut() }
}

const withMessages = (): TransportSubject => {
  const network = new MemoryStreamsNetwork()
  return { transport: () => network, links: 'streams', datagrams: true, network: 'other', cut: () => network.cut() }
}

killsMutants(
  'transport',
  transportKit,
  [subject(() => ({})), ofStreams(true), withMessages, () => ({ transport: () => tinySecure(), secure: true })],
  {
    ...Object.fromEntries(overStreams),
    ...datagramMutants,
    ...secureMutants,
    'does not count the stream that the client opens first': { because: /counts 1 streams/, subject: ofStreams(false) },
    'makes links of the kind that the subject says': {
      because: /the links carry bytes/,
      subject: () => ({ ...subject(() => ({}))(), links: 'streams' })
    },
    'carries what is written in the turn in which a dial is done': mutant(/waiting for|got \d+ bytes/, (good) => ({
      listen: (options, onLink, signal) =>
        good.listen(options, (link) => void losesEarly(link).then((late) => onLink(late)), signal)
    })),
    'carries what is written in the turn in which a link has come': mutant(/waiting for|got \d+ bytes/, (good) => ({
      dial: async (...args) => losesEarly(await good.dial(...args))
    })),
    'gives a dial up at whatever stage it is': {
      ...mutant(/dial\(\) continued/, (good) => ({
        dial: async (options, signal) => {
          const link = await good.dial(options, ignoreSignal)
          link.duplex.on('error', () => {})
          if (signal.aborted) await new Promise(() => {})
          return link
        }
      })),
      waits: true
    },
    'gives a dial up that is not answered': {
      because: /continued though its signal/,
      waits: true,
      subject: () => ({ transport: () => tinySecure('ignores-signal'), secure: true })
    },
    'survives a storm of dials that fail': mutant(
      disturbed,
      (() => {
        let gone = 0
        return minding((seen) => {
          seen.gone(() => gone++)
          return gone < 20
        })
      })()
    ),
    'leaves nothing open when all is over': mutant(/Timeout are left/, (good) => ({
      listen: (...args) => {
        setTimeout(() => {}, 1_000)
        return good.listen(...args)
      }
    })),
    'is not disturbed by raw peers that send garbage': mutant(
      disturbed,
      minding((seen, kill) => {
        seen.first((bytes) => bytes[0] === 0x16 && kill())
        return true
      })
    ),
    'is not disturbed by raw peers that speak HTTP': mutant(
      disturbed,
      minding((seen, kill) => {
        seen.first((bytes) => bytes.includes('HTTP/') && kill())
        return true
      })
    ),
    'is not disturbed by raw peers that send nothing': mutant(
      disturbed,
      (() => {
        let silent = 0
        return minding((seen) => {
          silent++
          seen.first(() => silent--)
          return silent < 20
        })
      })()
    ),
    'is not disturbed by raw peers that leave at once': mutant(
      disturbed,
      minding((seen, kill) => {
        seen.first(() => {})
        seen.gone((said) => said || kill())
        return true
      })
    ),
    'resolves port 0 to the one it listens on': mutant(
      /port 0/,
      listening(({ address }) => ({ address: { ...address, port: 0 } }))
    ),
    'makes links that say what they carry and who is there': mutant(/the address of the peer/, (good) => ({
      dial: async (...args) => ({ ...(await good.dial(...args)), peer: { address: '', port: 0 } })
    })),
    'listens on two ports at once': mutant(/waiting for the link at the listener/, (good) => {
      let first: ((link: Link) => void) | undefined
      return {
        listen: (options, onLink, signal) => {
          first ??= onLink
          return good.listen(options, first, signal)
        }
      }
    }),
    'carries 0 bytes each way at once': mutant(/waiting for the end at the far end/, withFault(swallowsEmptyEnd)),
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
      /the requester was closed before the answer/,
      destroyedSoonAfterEnd('far')
    ),
    'lets the end that listened answer long after the other has ended': mutant(
      /the requester was closed before the answer/,
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
    'holds the end that dialed back while its peer does not read': mutant(
      /taken for a reader/,
      bridge('near', { greedy: true })
    ),
    'holds the end that listened back while its peer does not read': mutant(
      /taken for a reader/,
      bridge('far', { greedy: true })
    ),
    'keeps bytes that came before the first read': mutant(
      /waiting for the end|got 0 bytes/,
      streams('far', (duplex) => duplex.resume())
    ),
    'carries many links at once': mutant(/waiting for all links at the listener/, (good) => {
      let count = 0
      return {
        listen: (options, onLink, signal) =>
          good.listen(
            options,
            (link) => (count++ < 150 ? onLink(link) : swap(link, (duplex) => duplex.on('error', () => {}))),
            signal
          )
      }
    }),
    'refuses a dial to a port without a listener': mutant(/something else than a RystraError/, (good) => ({
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
    'lets links go on when the listener is closed': mutant(/waiting for close\(\) while a link is up/, (good) => {
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
    'does not listen when its signal is aborted already': mutant(/waiting for listen\(\) to settle/, (good) => ({
      listen: (options, onLink, signal) =>
        signal.aborted ? new Promise(() => {}) : good.listen(options, onLink, signal)
    })),
    'gives a dial up when its signal is aborted': mutant(/continued/, (good) => ({
      dial: (options) => good.dial(options, ignoreSignal)
    })),
    'keeps a link whose dial is done when the signal is aborted': mutant(/got 0 bytes of 1000/, (good) => ({
      dial: async (options, signal) => {
        const link = await good.dial(options, signal)
        signal.addEventListener('abort', () => link.duplex.destroy())
        return link
      }
    })),
    'leaves no unhandled error': mutant(/unhandled error/, (good) => {
      let emitted = false
      const tell = (): void => {
        if (!emitted) setImmediate(() => new EventEmitter().emit('error', new Error('aborted')))
        emitted = true
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
