import { asciiHost, networks } from '@rystra/address'
import { Type } from '@rystra/model/schema'
import { portsSchema } from './ports.js'
import { defaulted, resolved } from './schema.js'
import { word } from './words.js'

const expected = "a list of addresses ('127.0.0.1'), networks ('10.0.0.0/8'), host names and 'unix:/path'"

const isNetwork = (text: string): boolean => {
  try {
    networks([text], 'accept.hosts')
    return true
  } catch {
    return false
  }
}

/** In the form in which it is compared: a name in ASCII and lower case. */
const hostOf = (text: unknown): string => {
  if (typeof text !== 'string') throw new RangeError(`expected ${expected}`)
  if (/^unix:./s.test(text) || isNetwork(text)) return text
  const name = asciiHost(text)
  if (name === undefined) throw new RangeError(`expected ${expected}`)
  return name
}

const hostsSchema = resolved<readonly string[], readonly string[]>(
  expected,
  { type: 'array', maxItems: 1000, items: { type: 'string', minLength: 1, maxLength: 1024 } },
  (value) => {
    if (!Array.isArray(value) || value.length > 1000) throw new RangeError(`expected ${expected}`)
    return value.map(hostOf)
  }
)

/** Schema of `client.accept`. */
export const acceptSchema = Type.Object({
  hosts: defaulted(
    hostsSchema,
    [],
    'Where services of such proxies may be: addresses, networks, host names, sockets as `unix:/path`. A name is accepted only under ' +
      'the name that stands here; a port alone means `127.0.0.1`, `::1` or `localhost`, whichever is listed. Default: nowhere.'
  ),
  ports: defaulted(portsSchema(), [], 'Ports that services of such proxies may have. Default: none.'),
  kinds: defaulted(Type.Array(word('Name of a kind.'), { maxItems: 256 }), [], 'Kinds of such proxies. Default: none.'),
  max: defaulted(
    Type.Integer({ minimum: 1, maximum: 65_535 }),
    64,
    'Maximum number of such proxies; each port of a range counts.'
  )
})
