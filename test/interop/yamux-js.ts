import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import * as yamuxJs from 'yamux-js'
import type { YamuxOptions } from '../../extensions/mux-yamux/src/options.js'
import type { YamuxSession } from '../../extensions/mux-yamux/src/session.js'
import { oneConnection, session, Table } from './yamux-link.js'

const MIB = 1024 * 1024

/** Its session is a Node `Transform`, whatever its types say of `open`. */
type Foreign = yamuxJs.Client & Duplex

interface World {
  readonly own: YamuxSession
  readonly foreign: Foreign
}

/** Both ends in this process, on a socket of loopback. */
const together = async (
  onStream: (stream: Duplex) => void,
  body: (world: World) => Promise<string>,
  options: Partial<YamuxOptions> = {}
): Promise<string> => {
  const foreign = new yamuxJs.Client({ enableKeepAlive: false, logger: () => {} }) as Foreign
  let near: net.Socket | undefined
  const far = await oneConnection((port) => {
    near = net.connect(port, '127.0.0.1')
  })
  near?.pipe(foreign as Duplex).pipe(near)
  for (const stream of [near, foreign]) stream?.on('error', () => {})
  const own = session(far, 'server', options)
  own.onStream = (stream) => {
    stream.on('error', () => {})
    onStream(stream)
  }
  try {
    return await body({ own, foreign })
  } finally {
    own.destroy()
    near?.destroy()
  }
}

/** Bytes that a stream gives within some seconds, or until there are `count`. */
const received = async (stream: Duplex, count: number, seconds: number): Promise<number> => {
  let length = 0
  stream.on('data', (chunk: Buffer) => {
    length += chunk.length
  })
  for (let turns = 0; turns < seconds * 100 && length < count; turns++) await pause(10)
  return length
}

const works = async (table: Table): Promise<void> => {
  await table.case('it opens a stream: 100 bytes there and back', () =>
    together(
      (stream) => stream.pipe(stream),
      async ({ foreign }) => {
        const stream = foreign.open() as unknown as Duplex
        stream.write(Buffer.alloc(100, 7))
        assert.equal(await received(stream, 100, 5), 100)
        return 'whole'
      }
    )
  )
  await table.case('we open a stream: 100 bytes there', () =>
    together(
      () => {},
      async ({ own, foreign }) => {
        const came = new Promise<Duplex>((resolve) => {
          ;(foreign as unknown as { onStream(stream: Duplex): void }).onStream = resolve
        })
        const stream = await own.open()
        stream.on('error', () => {})
        await pause(20)
        stream.write(Buffer.alloc(100, 7))
        assert.equal(await received(await came, 100, 5), 100)
        return 'whole'
      }
    )
  )
  await table.case('3 MiB from it to us', () => {
    let taken: Promise<number> | undefined
    return together(
      (stream) => {
        taken = received(stream, 3 * MIB, 20)
      },
      async ({ foreign }) => {
        const started = performance.now()
        const stream = foreign.open() as unknown as Duplex
        stream.write(Buffer.alloc(3 * MIB))
        while (taken === undefined) await pause(1)
        assert.equal(await taken, 3 * MIB)
        return `${((3 * MIB) / 1e6 / ((performance.now() - started) / 1000)).toFixed(1)} MB/s: it waits 100 ms for each window`
      }
    )
  })
}

/** What it cannot do. Shown, and not counted: these are facts about the peer, and reasons for an engine of our own. */
const cannot = async (table: Table): Promise<void> => {
  await table.fact('3 MiB from us to it', () =>
    together(
      () => {},
      async ({ own, foreign }) => {
        const came = new Promise<Duplex>((resolve) => {
          ;(foreign as unknown as { onStream(stream: Duplex): void }).onStream = resolve
        })
        const stream = await own.open()
        stream.on('error', () => {})
        stream.write(Buffer.alloc(3 * MIB))
        return `${await received(await came, 3 * MIB, 3)} of ${3 * MIB} bytes came within 3 s`
      }
    )
  )
  for (const size of [1, 7, 12, 20]) {
    await table.fact(`100 bytes in one frame that is read in pieces of ${size}`, async () => {
      let length = 0
      const foreign = new yamuxJs.Server((stream) => stream.on('data', (chunk: Buffer) => (length += chunk.length)), {
        enableKeepAlive: false,
        logger: () => {}
      }) as Duplex
      foreign.on('error', () => {})
      foreign.write(Buffer.from([0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]))
      const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 100]), Buffer.alloc(100)])
      for (let at = 0; at < frame.length; at += size) foreign.write(frame.subarray(at, at + size))
      await pause(20)
      return `${length} of 100 bytes came`
    })
  }
  await table.fact('the end of our stream', () =>
    together(
      () => {},
      async ({ own, foreign }) => {
        const came = new Promise<Duplex>((resolve) => {
          ;(foreign as unknown as { onStream(stream: Duplex): void }).onStream = resolve
        })
        const stream = await own.open()
        stream.on('error', () => {})
        stream.end()
        const ended = once((await came).resume(), 'end').then(() => 'is seen')
        return Promise.race([ended, pause(500).then(() => 'is not seen within 500 ms')])
      }
    )
  )
  await table.fact('300 streams, one after the other, each closed by us', () => {
    return together(
      () => {},
      async ({ own, foreign }) => {
        ;(foreign as unknown as { onStream(stream: Duplex): void }).onStream = (stream) => stream.on('error', () => {})
        let resets = 0
        for (let index = 0; index < 300; index++) {
          const stream = await own.open()
          stream.on('error', () => {
            resets += 1
          })
          stream.end()
          await pause(1)
        }
        await pause(50)
        return `${resets} are reset: none is ever forgotten`
      },
      // It acknowledges a stream only when it writes to it.
      { backlog: 1000 }
    )
  })
  await table.fact('a reader that does not read', async () => {
    let kept = 0
    const foreign = new yamuxJs.Server(
      (stream) => {
        setInterval(() => {
          kept = stream.readableLength
        }, 20).unref()
      },
      { enableKeepAlive: false, logger: () => {} }
    ) as Duplex
    foreign.on('error', () => {}).resume()
    foreign.write(Buffer.from([0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]))
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 0, 0, 1, 0, 4, 0, 0]), Buffer.alloc(256 * 1024)])
    for (let index = 0; index < 200; index++) foreign.write(frame)
    await pause(200)
    return `${(kept / MIB).toFixed(0)} MiB are kept of 50 MiB sent: credit is given on receipt`
  })
}

/** Returns how many of the cases failed that it can do. */
export const againstYamuxJs = async (): Promise<number> => {
  const table = new Table('yamux-js 0.2.0 as client, we as server')
  await works(table)
  await cannot(new Table('yamux-js 0.2.0: what it cannot do'))
  return table.failed
}
