import type { Exchange } from './exchange.js'
import { type IsSecret, maskHeaders } from './mask.js'
import { urlOf } from './view.js'

/** One word of a POSIX shell, whatever is in it. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Fields that curl makes by itself. */
const own = /^(host|content-length|connection|transfer-encoding|accept-encoding)$/i

/** Forwarded fields are of the tunnel, and would be doubled. */
const forwarded = /^(x-forwarded-|forwarded$)/i

/** The command that sends this request by curl, to the URL that the visitor asked for. */
export const curlOf = (exchange: Exchange, isSecret: IsSecret): string => {
  const { request, requestBody } = exchange
  const lines = [`curl ${quoted(urlOf(exchange, isSecret))}`]
  if (request.method === 'HEAD') lines.push('--head')
  else if (request.method !== (requestBody.length > 0 ? 'POST' : 'GET'))
    lines.push(`--request ${quoted(request.method)}`)
  for (const [name, value] of maskHeaders(request.headers, isSecret)) {
    if (!own.test(name) && !forwarded.test(name)) lines.push(`--header ${quoted(`${name}: ${value}`)}`)
  }
  const bytes = requestBody.bytes()
  if (requestBody.length > 0 && !requestBody.truncated) {
    const text = bytes.toString('utf8')
    if (Buffer.from(text).equals(bytes) && !text.includes('\0')) lines.push(`--data-raw ${quoted(text)}`)
    else {
      const command = `printf %s ${quoted(bytes.toString('base64'))} | base64 -d | ${lines[0]}`
      lines[0] = command
      lines.push('--data-binary @-')
    }
  }
  const note = requestBody.truncated ? `\n# the body of ${requestBody.length} bytes was not kept as a whole` : ''
  return `${lines.join(' \\\n  ')}${note}\n`
}
