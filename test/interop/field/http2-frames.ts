import net from 'node:net'
import http from 'node:http'
import { readFileSync } from 'node:fs'
import tls from 'node:tls'
import { frame, heads, preface } from '../../e2e/h2-frames.js'
import { loopback } from '../../bench/address.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { makeCertificates, Tunnel } from '../visitors/tunnel.js'
import { type FrameCase, frameCases } from './http2-cases.js'

const host = 'app.localhost'
const TIMEOUT_MS = 3000

type Connect = () => net.Socket

interface Frame {
  readonly type: number
  readonly flags: number
  readonly payload: Buffer
}

/** Sends frames behind the preface. Calls `over` with each frame that comes until it answers true; `closed` is the end without that. */
const exchange = (
  connect: Connect,
  bytes: Buffer,
  over: (frame: Frame) => boolean
): Promise<Frame | 'closed' | 'silent'> =>
  new Promise((resolve) => {
    const socket = connect()
    let received = Buffer.alloc(0)
    const done = (result: Frame | 'closed' | 'silent'): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => done('silent'), TIMEOUT_MS)
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      for (let size = 0; received.length >= 9; received = received.subarray(size)) {
        size = 9 + received.readUIntBE(0, 3)
        if (received.length < size) return
        const one = { type: received.readUInt8(3), flags: received.readUInt8(4), payload: received.subarray(9, size) }
        if (over(one)) return done(one)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => done('closed'))
    socket.write(bytes)
  })

/** The error code of RST_STREAM (3) or GOAWAY (7). */
const errorOf = ({ type, payload }: Frame): number => payload.readUInt32BE(type === 7 ? 4 : 0)

const check = async (
  connect: Connect,
  { section, what, bytes, errors }: FrameCase
): Promise<'answered' | 'closed' | 'error'> => {
  const title = `${section} ${what}`
  // The answer to a PING shows that the connection goes on.
  const ping = frame(6, 0, 0, Buffer.from('goes on?'))
  const all = Buffer.concat([preface, bytes, ...(errors.length === 0 ? [ping] : [])])
  let status = ''
  const end = await exchange(connect, all, (one) => {
    // Indexed :status 400 or 404 of HPACK's static table, or another one as text.
    if (one.type === 1) status = one.payload.readUInt8(0) === 0x8c ? '400' : 'other'
    if (one.type === 6) return (one.flags & 1) === 1
    // Node says INTERNAL_ERROR and closes where its library says another code; h2spec takes the close for right as well.
    return (
      (one.type === 7 || one.type === 3) && errorOf(one) !== 0 && (errors.length === 0 || errors.includes(errorOf(one)))
    )
  })
  if (errors.length === 0) {
    must(
      typeof end === 'object' && end.type === 6,
      `${title}: ${typeof end === 'object' ? `error ${errorOf(end)}` : end}`
    )
    return 'answered'
  }
  // A response of 400 is allowed where the message is malformed (RFC 9113 §8.1.1).
  if (section.startsWith('8') && status === '400') return 'answered'
  must(end !== 'silent', `${title}: neither error ${errors.join(' or ')} nor the end within ${TIMEOUT_MS} ms`)
  return end === 'closed' ? 'closed' : 'error'
}

const checkFace = async (connect: Connect): Promise<string> => {
  const faults: string[] = []
  const ends = { answered: 0, closed: 0, error: 0 }
  for (const one of frameCases) {
    try {
      ends[await check(connect, one)] += 1
    } catch (error) {
      faults.push((error as Error).message)
    }
    const request: [string, string][] = [
      [':method', 'GET'],
      [':scheme', 'http'],
      [':path', '/'],
      [':authority', host]
    ]
    const good = await exchange(connect, Buffer.concat([preface, heads(1, request, true)]), ({ type }) => type === 1)
    must(typeof good === 'object', `after ${one.section} ${one.what} a request is ${String(good)}`)
  }
  must(faults.length === 0, faults.join('; '))
  return `${frameCases.length} cases of RFC 9113 (${ends.error} errors with the code of the RFC, ${ends.closed} closed with INTERNAL_ERROR or none, ${ends.answered} answered); a request after each`
}

export const http2Frames: Trial = {
  name: 'h2',
  programs: [],
  async use(scratch, report) {
    const { ca, cert, key } = await makeCertificates(scratch, host, 'localhost', loopback)
    const [plain, secure] = [await freePort(), await freePort()]
    const publish = [
      { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: plain }] } },
      {
        use: '@rystra/proxy-https',
        options: { listen: [{ host: loopback, port: secure }], certificates: [{ cert, key }] }
      }
    ]
    const service = http.createServer((request, response) => {
      request.resume().on('end', () => response.end('ok'))
    })
    await new Promise<void>((resolve) => service.listen(0, loopback, resolve))
    const overTls =
      (port: number): Connect =>
      () =>
        tls.connect({ port, host: loopback, servername: host, ALPNProtocols: ['h2'], ca: readFileSync(ca) })
    try {
      const tunnel = await Tunnel.serve(scratch, { name: 'faces', extensions: publish })
      report.watch(tunnel.server)
      const { port: local } = service.address() as net.AddressInfo
      await tunnel.connect('app', { proxies: [{ name: 'app', kind: 'http', local }] })
      await report.check('web visitors, h2c', () => checkFace(() => net.connect(plain, loopback)))
      await report.check('web visitors, h2', () => checkFace(overTls(secure)))
      for (const transport of ['h2c', 'http2']) {
        const extensions = ['@rystra/transport-http2']
        const listen = { transport, ...(transport === 'http2' ? { cert, key } : {}) }
        const { port, server } = await Tunnel.serve(scratch, { name: transport, extensions, listen })
        report.watch(server)
        const connect = transport === 'h2c' ? () => net.connect(port, loopback) : overTls(port)
        await report.check(`transport ${transport}`, () => checkFace(connect))
      }
    } finally {
      service.closeAllConnections()
      service.close()
    }
  }
}
