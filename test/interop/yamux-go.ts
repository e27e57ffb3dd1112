import { rawOf } from '@rystra/bytes'
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { YamuxOptions } from '../../extensions/mux-yamux/src/options.js'
import type { YamuxSession } from '../../extensions/mux-yamux/src/session.js'
import { oneConnection, session, type Side, Table } from './yamux-link.js'
import { drain, LATE_ANSWER, lengthAndSum, send, serve, take } from './yamux-streams.js'

const MANY = 10_000

/** A running peer, its yamux session, and the stream that tells it what to do. */
class Peer {
  private constructor(
    readonly process: ChildProcess,
    readonly mux: YamuxSession,
    readonly control: Duplex
  ) {}

  /** @param role the peer's */
  static async start(program: string, role: Side, options: Partial<YamuxOptions> = {}, backlog = 256): Promise<Peer> {
    let child: ChildProcess | undefined
    const socket = await oneConnection((port) => {
      child = spawn(program, [`127.0.0.1:${port}`, role, String(backlog)], { stdio: ['ignore', 'inherit', 'inherit'] })
    })
    const mux = session(socket, role === 'client' ? 'server' : 'client', options)
    mux.onStream = (stream) => void serve(stream)
    const control = await mux.open()
    control.on('error', () => {})
    control.write('C')
    return new Peer(child as ChildProcess, mux, control)
  }

  /** Has the peer do something; resolves with its answer. */
  async ask(command: string): Promise<string> {
    this.control.write(`${command}\n`)
    let answer = ''
    while (!answer.endsWith('\n')) {
      const byte = await take(this.control, 1)
      if (byte.length === 0) throw new Error(`the peer hung up on "${command}"`)
      answer += String(byte)
    }
    if (answer.startsWith('error')) throw new Error(`the peer: ${answer.trim()}`)
    return answer.trim()
  }

  async open(what: string): Promise<Duplex> {
    const stream = await this.mux.open()
    stream.on('error', () => {})
    stream.write(what)
    return stream
  }

  async stop(): Promise<void> {
    this.mux.close()
    if (this.process.exitCode === null) await once(this.process, 'exit')
  }
}

const rate = (bytes: number, started: number): string =>
  `${(bytes / 1e6 / ((performance.now() - started) / 1000)).toFixed(0)} MB/s`

const lengthBytes = (length: number): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt(length))
  return bytes
}

/** All cases, with the peer in `role`. Returns how many failed. */
const inRole = async (program: string, role: Side, size: number): Promise<number> => {
  const table = new Table(`hashicorp/yamux as ${role}, we as ${role === 'client' ? 'server' : 'client'}`)
  const peer = await Peer.start(program, role)
  const gib = `${(size / 1024 ** 3).toFixed(2)} GiB`

  await table.case(`${gib} in one stream, opened by us, to Go`, async () => {
    const started = performance.now()
    const raw = rawOf(await peer.open('S'))
    const answer = drain(raw)
    const sum = await send(raw, size)
    raw.end()
    assert.deepEqual((await answer).tail, lengthAndSum(size, sum))
    return rate(size, started)
  })
  await table.case(`${gib} in one stream, opened by us, from Go`, async () => {
    const started = performance.now()
    const stream = await peer.open('G')
    stream.write(lengthBytes(size))
    const raw = rawOf(stream)
    const { length, tail, sum } = await drain(raw, size)
    raw.end()
    assert.equal(length, size + 4)
    assert.equal(tail.readUInt32BE(12), sum)
    return rate(size, started)
  })
  await table.case(`${gib} in one stream, opened by Go, to us`, async () => {
    const started = performance.now()
    assert.equal(await peer.ask(`send ${size}`), 'true')
    return rate(size, started)
  })
  await table.case(`${gib} in one stream, opened by Go, from us`, async () => {
    const started = performance.now()
    assert.equal(await peer.ask(`fetch ${size}`), 'true')
    return rate(size, started)
  })
  await table.case(`${MANY} streams at a time, opened by us`, async () => {
    const streams: Duplex[] = []
    for (let index = 0; index < MANY; index++) streams.push(await peer.open('E'))
    const answers = streams.map(async (stream, index) => {
      stream.end(String(index))
      assert.equal(String(await take(stream, 10)), String(index))
    })
    await Promise.all(answers)
    return 'each its own answer'
  })
  await table.case(`${MANY} streams at a time, opened by Go`, async () => {
    assert.equal(await peer.ask(`many ${MANY}`), 'ok')
    return 'each its own answer'
  })
  await table.case('half-close by us, late answer of 1 MiB by Go', async () => {
    const stream = await peer.open('L')
    stream.end()
    const answer = await take(stream, LATE_ANSWER + 1)
    assert.equal(answer.length, LATE_ANSWER)
    assert.ok(stream.readableEnded, 'it did not end')
    return 'whole'
  })
  await table.case('half-close by Go, late answer of 1 MiB by us', async () => {
    assert.equal(await peer.ask('late'), 'ok')
    return 'whole'
  })
  await table.case('reset by us is a reset in Go', async () => {
    const stream = await peer.open('S')
    stream.write(Buffer.alloc(1000))
    await peer.ask('ping')
    stream.destroy()
    assert.equal(await peer.ask('ending'), 'connection reset')
    return 'connection reset'
  })
  await table.case(
    'ping by Go, ping by us',
    async () => `${await peer.ask('ping')} µs, ${peer.mux.keepAlive.roundTrip.toFixed(2)} ms`
  )
  await table.case('GoAway by Go: open streams go on, new ones are refused', async () => {
    const before = await peer.open('E')
    assert.equal(await peer.ask('goaway'), 'ok')
    await assert.rejects(peer.mux.open(), { code: 'mux.closed' })
    before.end('still here')
    assert.equal(String(await take(before, 100)), 'still here')
    return 'ok'
  })
  await peer.stop()

  await table.case('GoAway by us: open streams go on, new ones are refused', async () => {
    const other = await Peer.start(program, role)
    const before = await other.open('E')
    await other.ask('ping')
    other.mux.goAway()
    await assert.rejects(other.ask('open'), /remote end is not accepting connections/)
    before.end('still here')
    assert.equal(String(await take(before, 100)), 'still here')
    await other.stop()
    return 'ok'
  })
  await table.case('reset by Go, of what exceeds its backlog', async () => {
    const other = await Peer.start(program, role, { backlog: 1000 }, 10)
    await other.ask('hold')
    const ends: string[] = []
    const streams: Duplex[] = []
    for (let index = 0; index < 20; index++) {
      const stream = await other.mux.open()
      stream.on('error', (error: Error & { code?: string }) => ends.push(error.code ?? error.message))
      stream.on('end', () => ends.push('end'))
      streams.push(stream.resume())
    }
    await other.ask('ping')
    assert.ok(ends.length >= 9 && ends.every((end) => end === 'stream.reset'), `they saw ${ends}`)
    const reset = ends.length
    await other.ask('resume')
    await other.stop()
    return `${reset} of 20`
  })
  await table.case('keepalive: up for 2 s, gone 0.5 s after the peer stands still', async () => {
    const other = await Peer.start(program, role, { keepAliveInterval: 200, keepAliveTimeout: 300 })
    let closed = false
    const gone = new Promise<Error | undefined>((resolve) => {
      other.mux.onClose = (error) => {
        closed = true
        resolve(error)
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 2000))
    assert.ok(!closed, 'it was closed while the peer was well')
    const started = performance.now()
    other.process.kill('SIGSTOP')
    const error = await gone
    other.process.kill('SIGKILL')
    assert.equal((error as { code?: string }).code, 'session.timeout')
    return `noticed after ${(performance.now() - started).toFixed(0)} ms`
  })
  return table.failed
}

/** Returns how many cases failed. */
export const againstGo = async (program: string, size: number): Promise<number> =>
  (await inRole(program, 'server', size)) + (await inRole(program, 'client', size))
