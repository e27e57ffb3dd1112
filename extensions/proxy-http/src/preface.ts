import type { Duplex } from 'node:stream'

/** The connection preface of HTTP/2, RFC 9113 §3.4. */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

/** Reads until HTTP/2 and HTTP/1.1 can be told apart, and puts the bytes back. Closes the connection after `timeout` ms. */
export const beginsHttp2 = (connection: Duplex, timeout: number, onVersion: (h2: boolean) => void): void => {
  let seen: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => connection.destroy(), timeout)
  const over = (): void => {
    clearTimeout(timer)
    connection.off('readable', onReadable).off('end', onEnd).off('close', over)
  }
  const finish = (h2: boolean): void => {
    over()
    if (seen.length > 0) connection.unshift(seen)
    onVersion(h2)
  }
  const onReadable = (): void => {
    for (let chunk = connection.read() as Buffer | null; chunk !== null; chunk = connection.read() as Buffer | null) {
      seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
      const compared = Math.min(seen.length, preface.length)
      const same = seen.compare(preface, 0, compared, 0, compared) === 0
      if (same && compared < preface.length) continue
      finish(same)
      return
    }
  }
  const onEnd = (): void => {
    over()
    connection.destroy()
  }
  connection.on('readable', onReadable).on('end', onEnd).on('close', over)
}
