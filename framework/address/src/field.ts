import { type SchemaOptions, type TInteger, type TString, type TUnion, Type } from '@rystra/model/schema'
import { type Endpoint, type EndpointForms, endpointProblem, parseEndpoint, type UnixEndpoint } from './endpoint.js'

/** Read by the configuration: throws an Error that says what was expected. */
const resolveKey = Symbol.for('rystra.config.resolve')

const HOST = '(\\[[0-9A-Fa-f:.]+(%[^\\]\\s]+)?\\]:|[^:\\[\\]\\s/]+:)'

const patternOf = ({ unix, handler, range, defaultHost }: EndpointForms): string => {
  const endpoint = `${HOST}${defaultHost === undefined ? '' : '?'}\\d{1,5}${range === true ? '(-\\d{1,5})?' : ''}`
  return `^(${[...(handler === true ? ['handler:.+'] : []), ...(unix === true ? ['unix:.+'] : []), endpoint].join('|')})$`
}

/**
 * The schema of an option that {@link parseEndpoint} reads: text, or the number of a port. Errors say what was expected,
 * with the corrected form where there is one.
 */
export const endpointField = (forms: EndpointForms, description: string): TUnion<[TString, TInteger]> =>
  Type.Union(
    [
      Type.String({ title: 'host:port', pattern: patternOf(forms) }),
      Type.Integer({ minimum: forms.anyPort === true ? 0 : 1, maximum: 65535 })
    ],
    {
      description,
      [resolveKey]: (value: unknown): unknown => {
        const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
        const problem = endpointProblem(text, forms)
        if (problem !== undefined) throw new RangeError(`expected ${problem}`)
        return value
      }
    } as SchemaOptions
  )

const withoutHttp = (text: string): string => /^http:\/\/([^/]*)\/?$/i.exec(text)?.[1] ?? text

/** The schema of an option that names an HTTP server: `host:port`, `http://host:port` or `unix:/path`, as {@link parseHttpEndpoint} reads it. */
export const httpEndpointField = (description: string): TString =>
  Type.String({
    title: 'host:port, http://host:port or unix:/path',
    pattern: `^((http://)?${HOST}\\d{1,5}/?|unix:.+)$`,
    description,
    [resolveKey]: (value: unknown): unknown => {
      const problem = endpointProblem(withoutHttp(String(value)), { unix: true })
      if (problem !== undefined) throw new RangeError(`expected ${problem}`)
      return value
    }
  } as SchemaOptions)

/** Throws `config.invalid`. @param name of the option */
export const parseHttpEndpoint = (text: string, name: string): Endpoint | UnixEndpoint =>
  parseEndpoint(withoutHttp(text), { unix: true }, { name, code: 'config.invalid' })

/**
 * Fields of the schema of an option that is a host alone, its port being another option: `localhost:80` is refused, and
 * every form of an IPv6 address is accepted.
 */
export const hostText = {
  title: 'a host name or an IP address without brackets; the port is an option of its own',
  minLength: 1,
  maxLength: 255,
  pattern: '^([^\\s/:\\[\\]]+|[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[^\\s/:]+)?)$'
} as const

/** The forms of `local`, the service of a proxy. A port alone is of this machine, by IPv4 or IPv6. */
export const localForms = { defaultHost: 'localhost', unix: true, handler: true } as const
/** The forms of `bind`, a listener of this machine. */
export const bindForms = { defaultHost: '127.0.0.1', anyPort: true } as const

/**
 * Reads `local` of an entry that code may have made; `undefined` for a handler. Throws `proxy.invalid`.
 * @param forms @default localForms
 */
export const parseLocal = (
  { name, local }: { readonly name: string; readonly local: string | number },
  forms: EndpointForms = localForms
): Endpoint | UnixEndpoint | undefined => {
  if (forms.handler === true && /^handler:.+$/s.test(String(local))) return undefined
  return parseEndpoint(local, forms as EndpointForms & { unix: true }, {
    name: `${name}: local`,
    code: 'proxy.invalid',
    side: 'client'
  })
}
