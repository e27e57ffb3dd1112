import { addressBytes } from '@rystra/address'
import { isIP, type Socket } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Credentials } from './choice.js'
import { ProxyAuthError, excerpt } from './errors.js'

const VERSION = 5
const CONNECT = 1
const NO_AUTHENTICATION = 0
const PASSWORD = 2
const IPV4 = 1
const NAME = 3
const IPV6 = 4

/** RFC 1928, section 6. */
const replyMessages: readonly string[] = [
  'succeeded',
  'general SOCKS server failure',
  'connection not allowed by ruleset',
  'network unreachable',
  'host unreachable',
  'connection refused',
  'TTL expired',
  'command not supported',
  'address type not supported'
]

/** Requests a connection from a SOCKS5 proxy, RFC 1928 with RFC 1929. Rejects with the reason. */
export const socks5 = async (socket: Socket, host: string, port: number, credentials?: Credentials): Promise<void> => {
  const methods = credentials === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, PASSWORD]
  socket.write(Buffer.from([VERSION, methods.length, ...methods]))
  const [version, method] = await take(socket, 2, true)
  if (version !== VERSION) throw notSocks(socket, [version as number, method as number], credentials)
  if (method === PASSWORD && credentials !== undefined) await authenticate(socket, credentials)
  else if (method === 0xff) {
    throw new ProxyAuthError(
      credentials === undefined
        ? 'proxy requires credentials'
        : 'proxy accepts none of the offered methods (none, username/password)'
    )
  } else if (method !== NO_AUTHENTICATION) throw new Error(`proxy chose method ${method}, which was not offered`)

  socket.write(Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), addressOf(host), portOf(port)]))
  const answer = await take(socket, 4)
  const [again, reply, , type] = answer
  if (again !== VERSION) throw new Error(`malformed SOCKS5 reply: ${excerpt(answer, credentials)}`)
  if (reply !== 0) throw new Error(replyMessages[reply as number] ?? `unknown SOCKS5 reply code ${reply}`)
  await take(socket, (await lengthOf(socket, type as number)) + 2)
}

const authenticate = async (socket: Socket, { user, password }: Credentials): Promise<void> => {
  const name = Buffer.from(user)
  const secret = Buffer.from(password)
  socket.write(Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([secret.length]), secret]))
  const [, status] = await take(socket, 2)
  if (status !== 0) throw new ProxyAuthError('proxy refused the credentials')
}

const portOf = (port: number): Buffer => Buffer.from([port >> 8, port & 255])

const addressOf = (host: string): Buffer => {
  // The zone of an address is local to this machine, and is left out.
  if (isIP(host) !== 0) return Buffer.from([isIP(host) === 4 ? IPV4 : IPV6, ...addressBytes(host)])
  const name = Buffer.from(domainToASCII(host) || host)
  if (name.length > 255) throw new Error('host name is longer than 255 bytes')
  return Buffer.concat([Buffer.from([NAME, name.length]), name])
}

const lengthOf = async (socket: Socket, type: number): Promise<number> => {
  if (type === IPV4) return 4
  if (type === IPV6) return 16
  if (type === NAME) return (await take(socket, 1))[0] as number
  throw new Error(`unknown SOCKS5 address type ${type}`)
}

const notSocks = (socket: Socket, first: number[], credentials: Credentials | undefined): Error => {
  const more = (socket.read() as Buffer | null) ?? Buffer.alloc(0)
  return new Error(
    `proxy does not speak SOCKS5: received ${excerpt(Buffer.concat([Buffer.from(first), more]), credentials)}`
  )
}

/** Reads exactly `count` bytes. Later bytes stay in the socket. */
const take = (socket: Socket, count: number, first = false): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    if (count === 0) return resolve(Buffer.alloc(0))
    const done = (): void => {
      socket.removeListener('readable', read)
      socket.removeListener('end', ended)
      socket.removeListener('close', ended)
      socket.removeListener('error', ended)
    }
    const read = (): void => {
      const bytes = socket.read(count) as Buffer | null
      if (bytes === null) return
      done()
      // After the end of the stream, `read` returns fewer bytes.
      if (bytes.length < count) reject(early())
      else resolve(bytes)
    }
    const ended = (): void => {
      done()
      reject(early())
    }
    const early = (): Error =>
      new Error(`proxy closed the connection ${first ? 'without an answer' : 'within its answer'}`)
    socket.on('readable', read)
    socket.on('end', ended)
    socket.on('close', ended)
    socket.on('error', ended)
    if (socket.destroyed) ended()
    else read()
  })
