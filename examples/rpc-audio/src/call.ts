import { Rpc, type RpcStream } from '@rystra/rpc'
import transportQuic from '@rystra/transport-quic'
import { randomBytes } from 'node:crypto'
import { createClient, createServer } from 'rystra'
import { type LineQuality, openLine } from './line.js'
import { SAMPLE_RATE } from './wav.js'

const FRAME_MS = 20
const FRAME_SAMPLES = (SAMPLE_RATE * FRAME_MS) / 1000

/** What was heard, and how it went. */
export interface Heard {
  readonly samples: Int16Array
  readonly mode: RpcStream['mode']
  readonly stats: RpcStream['stats']
  /** The clock of the speaker, in milliseconds: it is the same machine, so what is not 0 is wrong. */
  readonly offset: number
  readonly error: number
  /** The time between a frame and its place in what was heard, in milliseconds: the largest difference of any two frames. */
  readonly spread: number
}

/** Hears a stream: each frame goes where its time says, silence where one is missing. */
const hear = async (stream: RpcStream, length: number): Promise<Pick<Heard, 'samples' | 'spread'>> => {
  const samples = new Int16Array(length)
  const starts: number[] = []
  for (let next = await stream.recvAligned(); next !== undefined; next = await stream.recvAligned()) {
    const [data, time] = next
    const bytes = data as Uint8Array
    // A frame carries its place, so that the time can be held against it.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const place = view.getUint32(0)
    starts.push(time - (place * FRAME_MS) / FRAME_SAMPLES)
    for (let index = 0; index < FRAME_SAMPLES && place + index < length; index++)
      samples[place + index] = view.getInt16(4 + index * 2)
  }
  return { samples, spread: Math.max(...starts) - Math.min(...starts) }
}

const frameOf = (samples: Int16Array, place: number): Uint8Array => {
  const frame = new DataView(new ArrayBuffer(4 + FRAME_SAMPLES * 2))
  frame.setUint32(0, place)
  for (let index = 0; index < FRAME_SAMPLES; index++) frame.setInt16(4 + index * 2, samples[place + index] ?? 0)
  return new Uint8Array(frame.buffer)
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))

/** Says everything, a frame each 20 ms, with the time at which it was recorded. */
const speak = async (stream: RpcStream, samples: Int16Array, now: () => number): Promise<void> => {
  const start = now()
  for (let place = 0, at = start; place < samples.length; place += FRAME_SAMPLES, at += FRAME_MS) {
    await stream.sendWithTimestamp(frameOf(samples, place), at)
    await wait(at + FRAME_MS - now())
  }
}

/** Sends samples from a client to a server over a bad line, in datagrams of QUIC. */
export const call = async (samples: Int16Array, quality: LineQuality): Promise<Heard> => {
  const token = randomBytes(24).toString('base64url')
  const auth = { use: '@rystra/auth-token', options: { token } }
  const [ear, mouth] = [new Rpc(), new Rpc()]
  const heard = new Promise<Heard>((resolve, reject) => {
    const fn = (...[session, stream]: Parameters<Parameters<Rpc['router']['streamHandler']>[0]['fn']>) => {
      stream.withTimeSync()
      hear(stream, samples.length).then(({ samples: got, spread }) => {
        const { offset, error } = session.clock
        resolve({ samples: got, spread, mode: stream.mode, stats: stream.stats, offset, error })
      }, reject)
    }
    ear.router.streamHandler({ name: 'audio', fn })
    ear.router.handler({
      name: 'ready',
      fn: async ({ clock }) => {
        // The clock needs some Pings, within two seconds at most.
        for (let tries = 0; tries < 100 && clock.error > 25; tries++) await wait(20)
      }
    })
  })
  heard.catch(() => {})
  const server = await createServer({
    extensions: [auth, transportQuic(), ear.extension],
    server: { listen: [{ transport: 'quic', host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1' } }
  })
  await server.start()
  const listening = server.listening[0]
  const line = await openLine(listening?.port ?? 0, quality)
  const client = await createClient({
    extensions: [auth, transportQuic(), mouth.extension],
    client: { connect: { transport: 'quic', host: '127.0.0.1', port: line.port, ...listening?.join } }
  })
  try {
    await client.start()
    await mouth.server.request('ready')
    const stream = mouth.server.createStream('audio', { unreliable: true })
    await speak(stream, samples, () => mouth.server.clock.local())
    // The last frames are still on their way.
    await wait(quality.delay + quality.jitter)
    stream.end()
    return await heard
  } finally {
    await client.stop({ drain: 0 })
    await server.stop({ drain: 0 })
    line.close()
  }
}
