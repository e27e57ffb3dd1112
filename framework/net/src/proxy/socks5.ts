import { isIP, type Socket } from 'node:net'
import { domainToASCII } from 'node:url'
import type { Credentials } from './choice.js'
import { ProxyAuthError, seen } from './errors.js'

const VERSION = 5
const CONNECT = 1
const NO_AUTHENTICATION = 0
const PASSWORD = 2
const IPV4 = 1
const NAME = 3
const IPV6 = 4

/** RFC 1928, section 6. */
const replies: readonly string[] = [
  'succeeded',
  'it failed',
  'its rules do not allow it',
  'the network is unreachable',
  'the host is unreachable',
  'the connection was refused',
  'the time to live expired',
  'it does not know the command',
  'it does not know this type of address'
]

/** Has a SOCKS5 proxy connect `socket`: RFC 1928, with RFC 1929. Rejects with what went wrong. */
export const socks5 = async (socket: Socket, host: string, port: number, credentials?: Credentials): Promise<void> => {
  const methods = credentials === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, PASSWORD]
  socket.write(Buffer.from([VERSION, methods.length, ...methods]))
  const [version, method] = await take(socket, 2, true)
  if (version !== VERSION) throw foreign(socket, [version as number, method as number], credentials)
  if (method === PASSWORD && credentials !== undefined) await authenticate(socket, credentials)
  else if (method === 0xff) {
    throw new ProxyAuthError(
      credentials === undefined ? 'it asks for credentials' : 'it takes neither a password nor nobody in particular'
    )
  } else if (method !== NO_AUTHENTICATION) throw new Error(`it chose the method ${method}, which was not offered`)

  socket.write(Buffer.concat([Buffer.from([VERSION, CONNECT, 0]), addressOf(host), portOf(port)]))
  const answer = await take(socket, 4)
  const [again, reply, , type] = answer
  if (again !== VERSION) throw new Error(`it broke off SOCKS; it sent ${seen(answer, credentials)}`)
  if (reply !== 0) throw new Error(replies[reply as number] ?? `it answered with the unknown code ${reply}`)
  await take(socket, (await lengthOf(socket, type as number)) + 2)
}

const authenticate = async (socket: Socket, { user, password }: Credentials): Promise<void> => {
  const name = Buffer.from(user)
  const word = Buffer.from(password)
  socket.write(Buffer.concat([Buffer.from([1, name.length]), name, Buffer.from([word.length]), word]))
  const [, status] = await take(socket, 2)
  if (status !== 0) throw new ProxyAuthError('it refused the credentials')
}

const portOf = (port: number): Buffer => Buffer.from([port >> 8, port & 255])

const addressOf = (host: string): Buffer => {
  if (isIP(host) === 4) return Buffer.from([IPV4, ...host.split('.').map(Number)])
  if (isIP(host) === 6) return Buffer.concat([Buffer.from([IPV6]), bytesOfIPv6(host)])
  const name = Buffer.from(domainToASCII(host) || host)
  if (name.length > 255) throw new Error('the name of the host is longer than SOCKS can say')
  return Buffer.concat([Buffer.from([NAME, name.length]), name])
}

/** A zone is of this machine alone. The URL parser writes an embedded IPv4 address in hexadecimal. */
const bytesOfIPv6 = (host: string): Buffer => {
  const plain = new URL(`http://[${host.replace(/%.*$/, '')}]`).hostname.slice(1, -1)
  const [head = '', tail] = plain.split('::')
  const groups = (text: string | undefined): string[] => (text ? text.split(':') : [])
  const zeros = 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array.from({ length: tail === undefined ? 0 : zeros }, () => '0'), ...groups(tail)]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}

const lengthOf = async (socket: Socket, type: number): Promise<number> => {
  if (type === IPV4) return 4
  if (type === IPV6) return 16
  if (type === NAME) return (await take(socket, 1))[0] as number
  throw new Error(`it answered with the unknown type of address ${type}`)
}

const foreign = (socket: Socket, first: number[], credentials: Credentials | undefined): Error => {
  const more = (socket.read() as Buffer | null) ?? Buffer.alloc(0)
  return new Error(`it does not speak SOCKS5; it sent ${seen(Buffer.concat([Buffer.from(first), more]), credentials)}`)
}

/** Exactly so many bytes. What comes behind them stays in the socket. */
const take = (socket: Socket, count: number, first = false): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    if (count === 0) return resolve(Buffer.alloc(0))
    const done = (): void => {
      socket.removeListener('readable', look)
      socket.removeListener('end', ended)
      socket.removeListener('close', ended)
      socket.removeListener('error', ended)
    }
    const look = (): void => {
      const bytes = socket.read(count) as Buffer | null
      if (bytes === null) return
      done()
      // Once the other side has ended, what is there comes, however little.
      if (bytes.length < count) reject(early())
      else resolve(bytes)
    }
    const ended = (): void => {
      done()
      reject(early())
    }
    const early = (): Error =>
      new Error(`it closed the connection ${first ? 'without an answer' : 'in the middle of its answer'}`)
    socket.on('readable', look)
    socket.on('end', ended)
    socket.on('close', ended)
    socket.on('error', ended)
    if (socket.destroyed) ended()
    else look()
  })
