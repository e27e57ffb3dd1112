import type { Client, NoticeHere } from '@rystra/client'
import { type Feed, formatBytes, formatDuration } from './feed.js'

/** Lines a second that people can follow; what comes beyond is counted. */
const LINES = 50

/** Without what could move the cursor, colour the terminal or turn the text around: all of it is a visitor's. */
export const plainText = (text: unknown, length = 120): string => {
  const clean = String(text).replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\u2028\u2029]/gu, '?')
  return clean.length > length ? `${clean.slice(0, length)}…` : clean
}

const colours: Readonly<Record<string, number>> = { 2: 32, 3: 36, 4: 33, 5: 31 }

const coloured = (status: string, colour: boolean): string => {
  const code = colours[status.slice(0, 1)]
  return colour && code !== undefined ? `\u001b[${code}m${status}\u001b[0m` : status
}

const number = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0)

/** `GET /orders 200 12 ms 1.2 kB`, or nothing for a notice that is not of a request. */
export const requestLine = ({ proxy, notice }: NoticeHere, colour: boolean): string | undefined => {
  const { method, path, status, duration, bytesToVisitor, bytesToService, error } = notice
  if (typeof method !== 'string' || typeof path !== 'string') return undefined
  const sent = number(bytesToService)
  return [
    plainText(proxy.name, 40),
    ` ${plainText(method, 16).padEnd(6)}`,
    plainText(path),
    coloured(status === undefined ? '---' : plainText(status, 3), colour),
    formatDuration(number(duration)),
    `${sent > 0 ? `${formatBytes(sent)} in, ` : ''}${formatBytes(number(bytesToVisitor))} out`,
    ...(error === undefined ? [] : [plainText(error, 60)])
  ].join(' ')
}

/** Tells of each request as it is answered: all of them to programs; to people as many as they can follow, and a count. */
export const feedRequests = (feed: Feed, client: Client, colour: boolean): void => {
  let lines = 0
  let more = 0
  let timer: NodeJS.Timeout | undefined
  const turn = (): void => {
    if (more > 0 && feed.streams) feed.summary(`… and ${more} more ${more === 1 ? 'request' : 'requests'}`)
    timer = undefined
    lines = 0
    more = 0
  }
  client.on('notice', (here) => {
    const line = requestLine(here, colour)
    if (line === undefined) return
    if (timer === undefined) timer = setTimeout(turn, 1000).unref()
    more += number(here.notice['lost'])
    const shown = feed.streams && lines < LINES
    if (shown) lines += 1
    else more += 1
    feed.detail('request', { name: here.proxy.name, ...here.notice }, shown ? line : undefined)
  })
}
