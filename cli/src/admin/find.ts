import { adminSocketPath } from '@rystra/admin-http/socket'
import { RystraError, type Side } from '@rystra/model'
import { existsSync, readdirSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { stateFolder } from '../run/state.js'
import type { AdminTarget } from './flags.js'

/** Where requests to an admin API go. */
export type Place =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'url'; readonly url: URL; readonly token: string | undefined }

const sides: readonly Side[] = ['server', 'client']

const isLive = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(file)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      // Another user's: it lives, and the request says that it is denied.
      resolve(code === 'EACCES')
    })
  })

/** Sockets of `rystra expose`, which has one for each process. */
const liveExposes = async (folder: string): Promise<string[]> => {
  const found = readdirIn(path.join(folder, 'admin')).filter((name) => /^expose-\d+\.sock$/.test(name))
  const files = found.map((name) => path.join(folder, 'admin', name))
  const live = await Promise.all(files.map(isLive))
  return files.filter((_, index) => live[index])
}

const readdirIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

/** State folders in the order in which they are looked into. */
const folders = (cwd: string, config: string | undefined): string[] => {
  const said = stateFolder(true)
  if (said !== undefined) return [said]
  const local = path.join(config === undefined ? cwd : path.dirname(path.resolve(cwd, config)), '.rystra')
  // A server without a configuration keeps its state with the user's programs.
  return config === undefined ? [local, stateFolder(false) as string] : [local]
}

const parseAddress = ({ admin = '', token }: AdminTarget): Place => {
  if (admin.startsWith('unix:')) return { kind: 'unix', path: admin.slice('unix:'.length).replace(/^\/\/(?=\/)/, '') }
  const text = /^[a-z]+:\/\//i.test(admin) ? admin : `http://${admin}`
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || !/^\/?$/.test(url.pathname)) {
    throw new RystraError('usage.invalid', {
      detail: `--admin: expected http://host:port, https://host:port or unix:/path, got ${JSON.stringify(admin.slice(0, 80))}`
    })
  }
  const given = token ?? process.env['RYSTRA_ADMIN_TOKEN']
  return { kind: 'url', url, token: given === '' ? undefined : given }
}

const shown = (cwd: string, folder: string): string => {
  const relative = path.relative(cwd, folder)
  return relative.startsWith('..') ? folder : relative
}

/** How a process is looked for. */
export interface FindOptions {
  /** `rystra expose` before a server or a client with the same state folder, unless a side is named. @default false */
  readonly exposeFirst?: boolean
  /** Which one, where a server and a client have one state folder and no side is named. @default an error */
  readonly prefer?: Side
}

const exposePlace = async (cwd: string, folder: string): Promise<Place | undefined> => {
  const exposing = await liveExposes(folder)
  if (exposing.length > 1) {
    throw new RystraError('usage.invalid', {
      detail: `several \`rystra expose\` run with the state folder ${shown(cwd, folder)}`,
      hint: `choose with --admin: ${exposing.map((file) => `unix:${file}`).join(', ')}`
    })
  }
  return exposing[0] === undefined ? undefined : { kind: 'unix', path: exposing[0] }
}

/**
 * The process that the flags mean: that of `--admin`, or the one with a live socket in a state folder. Rejects with
 * `admin.not-running`, or `usage.invalid` when there are two.
 */
export const findPlace = async (
  cwd: string,
  target: AdminTarget,
  { exposeFirst = false, prefer }: FindOptions = {}
): Promise<Place> => {
  if (target.admin !== undefined) return parseAddress(target)
  const searched = folders(cwd, target.config)
  if (exposeFirst && target.side === undefined) {
    for (const folder of searched) {
      const place = await exposePlace(cwd, folder)
      if (place !== undefined) return place
    }
  }
  for (const folder of searched) {
    const live: { side: Side; file: string }[] = []
    for (const side of sides) {
      const file = adminSocketPath(folder, side)
      if (target.side !== undefined && target.side !== side) continue
      if (existsSync(file) && (await isLive(file))) live.push({ side, file })
    }
    const preferred = live.find(({ side }) => side === prefer)
    if (preferred !== undefined) return { kind: 'unix', path: preferred.file }
    const [first, second] = live
    if (second !== undefined) {
      throw new RystraError('usage.invalid', {
        detail: `a server and a client run with the state folder ${shown(cwd, folder)}`,
        hint: 'choose with --side server or --side client'
      })
    }
    if (first !== undefined) return { kind: 'unix', path: first.file }
    const place = target.side === 'server' ? undefined : await exposePlace(cwd, folder)
    if (place !== undefined) return place
  }
  throw new RystraError('admin.not-running', {
    detail: `${target.side === undefined ? '' : `no ${target.side} `}in ${searched.map((one) => shown(cwd, one)).join(' or ')}`
  })
}
