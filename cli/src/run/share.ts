import type { Client } from '@rystra/client'
import type { Feed } from './feed.js'
import { keyHelp, readKeys } from './keys.js'
import type { StopSignals } from './stop-signals.js'

/** Whether another device can reach it: names under localhost are of this machine. */
const isPublic = (url: string): boolean => !/^https?:\/\/([^/]*\.)?(localhost|127\.[\d.]+|\[::1\])([:/]|$)/.test(url)

/**
 * On a terminal: a QR code of what is published to browsers, for a phone, and keys. Returns what puts the terminal back;
 * nothing elsewhere.
 */
export const shareOnTerminal = async (
  feed: Feed,
  client: Client,
  signals: StopSignals
): Promise<(() => void) | undefined> => {
  if (feed.json || !process.stdout.isTTY) return undefined
  const { renderUnicodeCompact } = await import('uqr')
  const urls = (): string[] =>
    client.proxies.map(({ address }) => address).filter((address) => /^https?:/.test(address))
  const show = (): void => {
    for (const url of urls()) feed.event('share', {}, isPublic(url) ? `${url}\n${renderUnicodeCompact(url)}` : url)
  }
  client.on('published', ({ address }) => {
    if (/^https?:/.test(address) && isPublic(address)) feed.event('share', {}, renderUnicodeCompact(address))
  })
  if (!process.stdin.isTTY) return undefined
  client.once('published', () => feed.note(keyHelp))
  return readKeys({ signals, show, url: () => urls()[0] })
}
