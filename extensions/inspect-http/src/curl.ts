import { fieldOf } from './decode.js'
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
  const url = urlOf(exchange, isSecret)
  const lines = [`curl ${quoted(url)}`]
  // curl expands [1-9] and {a,b}, and resolves `/../`.
  if (/[[\]{}]/.test(url)) lines.push('--globoff')
  if (request.target.includes('/.')) lines.push('--path-as-is')
  if (request.method === 'HEAD') lines.push('--head')
  else if (request.method !== (requestBody.length > 0 ? 'POST' : 'GET'))
    lines.push(`--request ${quoted(request.method)}`)
  for (const [name, value] of maskHeaders(request.headers, isSecret)) {
    if (own.test(name) || forwarded.test(name)) continue
    // `name:` would remove the field.
    lines.push(`--header ${quoted(value === '' ? `${name};` : `${name}: ${value}`)}`)
  }
  // curl calls a body a form otherwise.
  if (requestBody.length > 0 && fieldOf(request.headers, 'content-type') === undefined)
    lines.push("--header 'Content-Type:'")
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
