import { RystraError } from '@rystra/model'
import type { Credentials } from './choice.js'

/** The proxy wants credentials, or other ones. */
export class ProxyAuthError extends Error {}

/** Characters of what a proxy said that an error shows. */
const SHOWN = 80

/**
 * What a proxy said, for an error: the first line, or the first bytes. It may have sent back what it got from us, so that
 * credentials are taken out.
 */
export const seen = (bytes: Buffer, credentials?: Credentials): string => {
  const [line = ''] = bytes.subarray(0, 1024).toString('latin1').split(/\r?\n/, 1)
  const text = redacted(line, credentials).slice(0, SHOWN)
  if (/^[\x20-\x7e]+$/.test(text)) return `"${text}"`
  return bytes.length === 0 ? 'nothing' : `the bytes ${bytes.subarray(0, 8).toString('hex')}`
}

/** A text without the credentials, however they are written. */
const redacted = (text: string, credentials: Credentials | undefined): string => {
  if (credentials === undefined) return text
  const { user, password } = credentials
  const secrets = [basic(credentials), password, encodeURIComponent(password), Buffer.from(password).toString('base64')]
  let clean = text
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[redacted]')
  return user === '' ? clean : clean.replaceAll(`${user}:`, '[redacted]:')
}

/** RFC 7617: what stands behind `Basic`. */
export const basic = ({ user, password }: Credentials): string => Buffer.from(`${user}:${password}`).toString('base64')

/** What dialing `target` by the proxy of this name failed with: `connect.proxy` or `connect.proxy-auth`. */
export const proxyError = (proxy: string, target: string, error: Error): RystraError =>
  new RystraError(error instanceof ProxyAuthError ? 'connect.proxy-auth' : 'connect.proxy', {
    side: 'client',
    detail: `${proxy} to ${target}: ${error.message}`
  })
