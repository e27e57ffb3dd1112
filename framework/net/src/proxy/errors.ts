import { RystraError } from '@rystra/model'
import type { Credentials } from './choice.js'

/** The proxy requires credentials, or refused those it got. */
export class ProxyAuthError extends Error {}

/** Characters of a proxy's answer that an error shows. */
const MAX_SHOWN = 80

/**
 * Excerpt of a proxy's answer for an error: its first line, or its first bytes. Credentials are removed, as the proxy
 * may echo the request.
 */
export const excerpt = (bytes: Buffer, credentials?: Credentials): string => {
  const [line = ''] = bytes.subarray(0, 1024).toString('latin1').split(/\r?\n/, 1)
  const text = redacted(line, credentials).slice(0, MAX_SHOWN)
  if (/^[\x20-\x7e]+$/.test(text)) return `"${text}"`
  return bytes.length === 0 ? 'nothing' : `bytes ${bytes.subarray(0, 8).toString('hex')}`
}

/** Removes the credentials in every encoding in which they were sent. */
const redacted = (text: string, credentials: Credentials | undefined): string => {
  if (credentials === undefined) return text
  const { user, password } = credentials
  const secrets = [basic(credentials), password, encodeURIComponent(password), Buffer.from(password).toString('base64')]
  let clean = text
  for (const secret of secrets) if (secret !== '') clean = clean.replaceAll(secret, '[redacted]')
  return user === '' ? clean : clean.replaceAll(`${user}:`, '[redacted]:')
}

/** RFC 7617: the credentials of the `Basic` scheme. */
export const basic = ({ user, password }: Credentials): string => Buffer.from(`${user}:${password}`).toString('base64')

/** The error of dialing `target` through a proxy: `connect.proxy` or `connect.proxy-auth`. */
export const proxyError = (proxy: string, target: string, error: Error): RystraError =>
  new RystraError(error instanceof ProxyAuthError ? 'connect.proxy-auth' : 'connect.proxy', {
    side: 'client',
    detail: `${proxy} to ${target}: ${error.message}`
  })
