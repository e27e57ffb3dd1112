import { addressOfBytes } from '@rystra/address'
import { RystraError } from '@rystra/model'
import type { InheritedSocket } from '@rystra/server'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** The first descriptor that systemd passes, sd_listen_fds(3). */
const FIRST = 3

/** More than any unit has. */
const MAX_SOCKETS = 1024

/** Of `/proc/net/tcp`. */
const LISTENING = '0A'

/** The address of a line of `/proc/net/tcp`: words of 32 bits in the order of the machine, which is little-endian here. */
const addressOf = (text: string): { host: string; port: number } => {
  const [address = '', port = ''] = text.split(':')
  const words = address.match(/.{8}/g) ?? []
  const bytes = words.flatMap((word) => [...Buffer.from(word, 'hex').reverse()])
  return { host: addressOfBytes(Uint8Array.from(bytes)), port: Number.parseInt(port, 16) }
}

/** Listening TCP sockets of this machine by inode. */
const listening = (): Map<string, { host: string; port: number }> => {
  const found = new Map<string, { host: string; port: number }>()
  for (const file of ['/proc/self/net/tcp', '/proc/self/net/tcp6']) {
    let lines: string[]
    try {
      lines = readFileSync(file, 'utf8').split('\n').slice(1)
    } catch {
      continue
    }
    for (const line of lines) {
      const fields = line.trim().split(/\s+/)
      if (fields[3] === LISTENING) found.set(fields[9] ?? '', addressOf(fields[1] ?? ''))
    }
  }
  return found
}

const inodeOf = (fd: number): string | undefined => {
  try {
    return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[1]
  } catch {
    return undefined
  }
}

/** Each listening TCP socket that this process has open, once. Linux only. */
export const openSockets = (): InheritedSocket[] => {
  const known = listening()
  const found = new Map<string, InheritedSocket>()
  for (const name of readdirSync('/proc/self/fd')) {
    const inode = inodeOf(Number(name))
    const address = known.get(inode ?? '')
    if (inode !== undefined && address !== undefined) found.set(inode, { fd: Number(name), ...address })
  }
  return [...found.values()]
}

/** Where sockets listen on TCP; `undefined` for one that does not. Linux only. */
export const addressesOf = (fds: readonly number[]): ({ host: string; port: number } | undefined)[] => {
  const known = listening()
  return fds.map((fd) => known.get(inodeOf(fd) ?? ''))
}

/**
 * The sockets that systemd has passed (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES), with their addresses. The variables are
 * taken out of the environment: they are not for the children of this process. Throws `usage.invalid` for a socket that
 * does not listen on TCP.
 */
export const listenFds = (env: NodeJS.ProcessEnv = process.env, pid = process.pid): InheritedSocket[] => {
  const { LISTEN_FDS: count, LISTEN_PID: owner, LISTEN_FDNAMES: names = '' } = env
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete env[name]
  if (count === undefined || Number(owner) !== pid) return []
  if (!/^\d{1,4}$/.test(count) || Number(count) > MAX_SOCKETS) {
    throw new RystraError('usage.invalid', { detail: `LISTEN_FDS: expected a number up to ${MAX_SOCKETS}` })
  }
  const fds = Array.from({ length: Number(count) }, (_, index) => FIRST + index)
  return addressesOf(fds).map((address, index) => {
    const fd = FIRST + index
    if (address !== undefined) return { fd, ...address }
    const name = names.split(':')[index] ?? ''
    throw new RystraError('usage.invalid', {
      detail: `LISTEN_FDS: socket ${fd}${name === '' ? '' : ` (${name})`} does not listen on TCP`,
      hint: 'use ListenStream with an address or a port in the socket unit'
    })
  })
}
