import { fileText, readBoundedSync } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import path from 'node:path'
import { domainToASCII } from 'node:url'
import { hashOf } from './credentials.js'
import { isReserved } from './fields.js'
import type { Account, HeaderChanges, HttpSpec } from './spec.js'

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

/** Characters of one page. */
const PAGE_LIMIT = 16_384

const invalid = (spec: HttpSpec, detail: string): RystraError =>
  new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: ${detail}` })

/**
 * What the client sends of an entry: names in the form of DNS, hashes in place of passwords, pages in place of their
 * files. Throws `proxy.invalid`.
 */
export const complete = (spec: HttpSpec, dir: string): HttpSpec => {
  const { host, subdomain, path: prefix, stripPrefix, basicAuth, errorPages, requestHeaders, responseHeaders } = spec
  if (stripPrefix === true && (prefix === undefined || prefix === '/'))
    throw invalid(spec, '`stripPrefix` needs a `path`')
  checkPort(spec)
  checkChanges(spec, 'requestHeaders', requestHeaders)
  checkChanges(spec, 'responseHeaders', responseHeaders)
  const hosts = host === undefined ? [] : (Array.isArray(host) ? host : [host]).map((one) => ascii(spec, one))
  const named = hosts.length === 0 && subdomain === undefined ? spec.name : subdomain
  if (named !== undefined && !LABEL.test(named)) {
    throw invalid(spec, `the name is no subdomain, so one of \`host\` and \`subdomain\` is needed`)
  }
  const reuse = spec.reuse ?? (spec['proxyProtocol'] === undefined ? undefined : 'visitor')
  if (spec.h2 === true && reuse !== undefined && reuse !== 'all') {
    throw invalid(spec, '`h2` cannot be combined with `reuse` or `proxyProtocol`: all visitors share one connection')
  }
  return {
    ...spec,
    ...(hosts.length === 0 ? {} : { host: hosts }),
    ...(named === undefined ? {} : { subdomain: named.toLowerCase() }),
    ...(reuse === undefined ? {} : { reuse }),
    ...(basicAuth === undefined ? {} : { basicAuth: accounts(spec, basicAuth) }),
    ...(errorPages === undefined ? {} : { errorPages: pages(spec, errorPages, dir) })
  }
}

/** The form that a Host header has: lower case, no dot at the end, letters of other scripts in punycode. */
const ascii = (spec: HttpSpec, host: string): string => {
  const [, wild = '', name = ''] = /^(\*\.)?(.*?)\.?$/.exec(host) ?? []
  const plain = domainToASCII(name)
  const fits =
    plain.length > 0 && plain.length <= 253 && plain.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
  if (!fits) throw invalid(spec, `"${host}" is no host`)
  return `${wild}${plain}`
}

const checkPort = (spec: HttpSpec): void => {
  const written = String(spec.local)
  const port = /(?:^|:)(\d+)$/.exec(written)
  if (/^(unix|handler):/.test(written) || port === null) return
  if (Number(port[1]) < 1 || Number(port[1]) > 65_535) throw invalid(spec, `"${written}" has no port from 1 to 65535`)
}

/** Fields that frame a message cannot be changed. */
const checkChanges = (spec: HttpSpec, field: string, changes: HeaderChanges | undefined): void => {
  const names = [...Object.keys(changes?.set ?? {}), ...Object.keys(changes?.add ?? {}), ...(changes?.remove ?? [])]
  const reserved = names.find((name) => isReserved(name.toLowerCase()))
  if (reserved === undefined) return
  const hint = reserved.toLowerCase() === 'host' ? ', see `hostHeader`' : ''
  throw invalid(spec, `\`${field}\` cannot change ${reserved}${hint}`)
}

const accounts = (spec: HttpSpec, written: Account | Account[]): Account[] =>
  (Array.isArray(written) ? written : [written]).map(({ user, password, hash }) => {
    if ((password === undefined) === (hash === undefined)) {
      throw invalid(spec, `\`basicAuth\` of ${user} needs a \`password\` or its \`hash\``)
    }
    return { user, hash: hash ?? hashOf(user, password as string) }
  })

const pages = (spec: HttpSpec, written: Readonly<Record<string, string>>, dir: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(written).map(([status, page]) => {
      const text = pageText(page, dir, (detail) => invalid(spec, `errorPages ${status}: ${detail}`))
      if (text.length > PAGE_LIMIT) throw invalid(spec, `errorPages ${status}: more than ${PAGE_LIMIT} characters`)
      return [status, text]
    })
  )

/** The text of a page: what was written when it is HTML, otherwise what is in the file of this name. */
export const pageText = (written: string, dir: string, fail: (detail: string) => Error): string => {
  if (written.includes('<')) return written
  try {
    return fileText(readBoundedSync(path.resolve(dir, written), 4 * PAGE_LIMIT))
  } catch (error) {
    const { message } = error as Error
    throw fail(`"${written}" is neither HTML nor a file that can be read: ${message}`)
  }
}
