/** Visitors that ask by HTTP on connections they keep, as a process of its own; for where there is no wrk, and for many hosts. */
import net from 'node:net'
import type { Address } from '../address.js'
import { serve } from './remote.js'

/** What is to be asked. */
export interface RequestTask {
  readonly address: Address
  /** Hosts with paths, `app.example.org/docs`; each request takes another. */
  readonly places: readonly string[]
  readonly connections: number
  readonly milliseconds: number
}

/** What came of it; times in microseconds. */
export interface RequestRates {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
}

const head = Buffer.from('\r\n\r\n')

/** The bytes of the answer at the beginning of `bytes`, 0 when it is not whole. Throws for what is no success. */
const lengthOf = (bytes: Buffer): number => {
  const end = bytes.indexOf(head)
  if (end === -1) return 0
  const text = bytes.toString('latin1', 0, end)
  if (!text.startsWith('HTTP/1.1 200')) throw new Error(`the answer was ${text.split('\r\n')[0]}`)
  const length = /^content-length: *(\d+)/im.exec(text)?.[1]
  if (length === undefined) throw new Error('an answer without Content-Length')
  const whole = end + head.length + Number(length)
  return bytes.length < whole ? 0 : whole
}

const ask = ({ address, places, connections, milliseconds }: RequestTask): Promise<RequestRates> =>
  new Promise((resolve, reject) => {
    const requests = places.map((place) => {
      const slash = place.indexOf('/')
      return Buffer.from(`GET ${place.slice(slash)} HTTP/1.1\r\nHost: ${place.slice(0, slash)}\r\n\r\n`)
    })
    const times: number[] = []
    const sockets: net.Socket[] = []
    let turn = 0
    let begin = 0
    let late = false
    let over = false
    const done = (error?: Error): void => {
      if (over) return
      late = true
      // A short time on a slow machine: one answer is waited for, however long it takes.
      if (error === undefined && times.length === 0) return
      over = true
      const seconds = (performance.now() - begin) / 1000
      for (const socket of sockets) socket.destroy()
      if (error !== undefined) {
        reject(error)
        return
      }
      const sorted = Float64Array.from(times).sort()
      const at = (share: number): number => (sorted[Math.floor(sorted.length * share)] as number) * 1000
      resolve({ perSecond: times.length / seconds, p50: at(0.5), p99: at(0.99) })
    }
    const visitor = (): void => {
      const socket = net.connect({ ...address, noDelay: true })
      sockets.push(socket)
      let sent = 0
      let begun: Buffer | undefined
      const next = (): void => {
        sent = performance.now()
        socket.write(requests[turn++ % requests.length] as Buffer)
      }
      socket.on('connect', next)
      socket.on('error', done)
      socket.on('close', () => done(new Error('a connection was closed')))
      socket.on('data', (chunk: Buffer) => {
        begun = begun === undefined ? chunk : Buffer.concat([begun, chunk])
        try {
          if (lengthOf(begun) === 0) return
        } catch (error) {
          done(error as Error)
          return
        }
        begun = undefined
        times.push(performance.now() - sent)
        if (late) done()
        else next()
      })
    }
    begin = performance.now()
    for (let count = 0; count < connections; count++) visitor()
    setTimeout(done, milliseconds)
  })

serve({ ask })
