import net from 'node:net'
import tls from 'node:tls'
import type { DialOptions } from '@rystra/plugin'
import { type Check, fail, ok, skip, warn } from './finding.js'
import { isDatagram } from './network.js'
import { noServer, proxyOf } from './proxy-of.js'
import type { Subject } from './subject.js'

/** Milliseconds for an answer. */
const ANSWER_TIMEOUT_MS = 3000
const MAX_ANSWER_BYTES = 8192

/** Seconds of difference that are worth a word, and that break tokens and certificates. */
const WARN_SECONDS = 30
const FAIL_SECONDS = 300

/** The difference to the clock of the server in milliseconds, by the Date of its answer to a request; `undefined` without one. */
const skewBy = (connect: () => net.Socket, host: string): Promise<number | undefined> =>
  new Promise((resolve) => {
    const socket = connect()
    const begun = Date.now()
    let text = ''
    const done = (value: number | undefined): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(value)
    }
    const timer = setTimeout(() => done(undefined), ANSWER_TIMEOUT_MS)
    socket.on('error', () => done(undefined))
    socket.on('close', () => done(undefined))
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const [, date = ''] = /^date: *([^\r\n]+)\r?\n/im.exec(text) ?? []
      // A date has no fraction of a second: on average half of one is missing.
      if (date !== '')
        done(Number.isNaN(Date.parse(date)) ? undefined : Date.parse(date) + 500 - (begun + Date.now()) / 2)
      else if (text.length > MAX_ANSWER_BYTES || text.includes('\r\n\r\n')) done(undefined)
    })
    socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  })

const measure = async ({ host, port, serverName }: DialOptions): Promise<number | undefined> => {
  const plain = await skewBy(() => net.connect({ host, port }), host)
  if (plain !== undefined) return plain
  const name = typeof serverName === 'string' ? serverName : net.isIP(host) === 0 ? host : undefined
  // The time is not secret, and an answer that lies is no worse than none.
  const options = { host, port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] }
  return skewBy(() => tls.connect({ ...options, ...(name === undefined ? {} : { servername: name }) }), host)
}

export const clockCheck = ({ server, env }: Subject): Check => ({
  name: 'clock',
  async run() {
    if (server === undefined) return [noServer('clock')]
    if (isDatagram(server.transport)) return [skip('clock', 'A server of QUIC tells no time before it knows a client.')]
    if (proxyOf(server, env) !== undefined)
      return [skip('clock', 'It is dialed through a proxy, which may answer itself.')]
    const skew = await measure(server)
    if (skew === undefined) return [skip('clock', `The server tells no time at port ${server.port}.`)]
    const seconds = Math.round(Math.abs(skew) / 1000)
    const text = `The clock of this machine is ${seconds} s ${skew > 0 ? 'behind' : 'ahead of'} that of the server.`
    const hint = 'synchronise both clocks (NTP): certificates and tokens have times'
    if (seconds >= FAIL_SECONDS) return [fail('clock', text, hint)]
    return seconds >= WARN_SECONDS ? [warn('clock', text, hint)] : [ok('clock', 'The clocks of both ends agree.')]
  }
})
