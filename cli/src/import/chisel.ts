import { freshToken } from '../init/token.js'
import { splitArguments } from './arguments.js'
import { importChiselClient } from './chisel-client.js'
import { encrypted, goDuration, noteFlags, readFlags, serverFlags, usage } from './chisel-flags.js'
import { commented, type Draft } from './draft.js'

/** Of the URL of `--backend`; nothing for one that is not plain HTTP from `/` on. */
const fallbackOf = (backend: string): string | undefined => {
  const url = URL.canParse(backend) ? new URL(backend) : undefined
  if (url?.protocol !== 'http:' || url.pathname !== '/') return undefined
  return `http://${url.hostname}:${url.port || 80}`
}

const importServer = (args: readonly string[], draft: Draft): void => {
  const { flags, rest } = readFlags(args, serverFlags)
  if (rest.length > 0) throw usage(`unexpected argument "${rest[0]}" of the server`)
  const listen: Record<string, unknown> = {
    transport: 'wss',
    host: flags['host'] ?? '0.0.0.0',
    port: Number(flags['port'] ?? 8080)
  }
  const fields = { 'tls-cert': 'cert', 'tls-key': 'key', 'tls-ca': 'clientCa' }
  for (const [name, field] of Object.entries(fields)) if (flags[name] !== undefined) listen[field] = flags[name]
  if (flags['tls-ca'] !== undefined) listen['clientCert'] = 'required'
  const fallback = fallbackOf(String(flags['backend'] ?? flags['proxy'] ?? ''))
  if (fallback !== undefined) listen['fallback'] = fallback
  const options =
    flags['keepalive'] === undefined ? {} : { pingInterval: goDuration(String(flags['keepalive']), 'keepalive') }
  draft.extension('@rystra/transport-ws', options)
  const [user = 'default', password] = String(flags['auth'] ?? '').split(/:(.*)/s)
  const comment = password === undefined ? 'A new token: Rystra admits no client without one.' : `Token of ${user}.`
  const token = draft.secret('RYSTRA_TOKEN', password ?? freshToken(), comment)
  draft.extension('@rystra/auth-token', { tokens: [{ identity: user || 'default', token }] })
  if (flags['verbose'] === true) draft.log = { level: 'debug' }
  draft.notes.push({ key: 'server', outcome: 'changed', text: `transport wss. ${encrypted}` })
  if (flags['reverse'] !== true)
    draft.notes.push({
      key: '--reverse',
      outcome: 'changed',
      text: 'not set: chisel published nothing; `publish.ports` allows ports'
    })
  const publish = commented(['Where visitors connect: chisel with --reverse allowed every port.'], {
    ports: ['1024-65535']
  })
  draft.extension('@rystra/proxy-udp', {}, ['For proxies of kind udp; take it out if unused.'])
  draft.extension('@rystra/proxy-private', {}, [
    'For services that chisel reached from the server; take it out if unused.'
  ])
  draft.server = { listen: [listen], publish }
  noteFlags(
    flags,
    {
      host: 'server.listen[].host',
      port: 'server.listen[].port',
      'tls-cert': 'server.listen[].cert',
      'tls-key': 'server.listen[].key',
      'tls-ca': 'server.listen[].clientCa',
      ...(fallback === undefined ? {} : { backend: 'server.listen[].fallback', proxy: 'server.listen[].fallback' }),
      keepalive: 'pingInterval of @rystra/transport-ws',
      auth: 'tokens of @rystra/auth-token: the password is the token, as ${RYSTRA_TOKEN}',
      reverse: 'server.publish',
      verbose: 'log.level debug'
    },
    draft.notes
  )
}

/** Reads the arguments of chisel: `server …` or `client …`. */
export const importChisel = (source: string, draft: Draft): void => {
  const [first, ...rest] = splitArguments(source)
  const [command, args] = first === 'chisel' ? [rest[0], rest.slice(1)] : [first, rest]
  if (command === 'server') importServer(args, draft)
  else if (command === 'client') importChiselClient(args, draft)
  else throw usage(`expected server or client, not "${command ?? ''}"`)
}
