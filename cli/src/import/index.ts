import { readText } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { basename, resolve } from 'node:path'
import { parse as parseToml, TomlError } from 'smol-toml'
import { parse as parseYaml } from 'yaml'
import { importChisel } from './chisel.js'
import { Draft } from './draft.js'
import { importFrpc } from './frpc.js'
import { importFrps } from './frps.js'
import { linesOfToml, linesOfYaml } from './locate.js'
import { importRathole } from './rathole.js'
import { Table } from './table.js'

/** Peers whose configurations are read. */
const peers = ['frpc', 'frps', 'rathole', 'chisel'] as const
export type Peer = (typeof peers)[number]

const importers = { frpc: importFrpc, frps: importFrps, rathole: importRathole }

const frpsKeys =
  /^(bindAddr|bindPort|\w*BindPort|proxyBindAddr|vhost\w+|subDomainHost|allowPorts|maxPortsPerClient|sshTunnelGateway|tcpmux\w+|httpPlugins|enablePrometheus)$/
const frpcKeys = /^(serverAddr|serverPort|proxies|visitors|loginFailExit|start|user|clientID)$/

/** The peer that a file belongs to: by what is in it, then by its name. */
const peerOf = (config: Readonly<Record<string, unknown>>, file: string): Peer | undefined => {
  const keys = Object.keys(config)
  const isRathole = (name: string): boolean => {
    const section = config[name] as Record<string, unknown> | undefined
    return typeof section === 'object' && ['services', 'remote_addr', 'bind_addr'].some((key) => key in section)
  }
  if (isRathole('client') || isRathole('server')) return 'rathole'
  if (keys.some((key) => frpcKeys.test(key))) return 'frpc'
  if (keys.some((key) => frpsKeys.test(key))) return 'frps'
  return peers.find((peer) => basename(file).toLowerCase().includes(peer))
}

/** Go templates of frp: variables become those of Rystra, anything else cannot be evaluated here. */
const withVariables = (text: string, file: string): string => {
  const replaced = text
    .replaceAll('${', () => '$${')
    .replaceAll(/\{\{-?\s*\.Envs\.([A-Za-z_]\w*)\s*-?\}\}/g, (_, name: string) => `\${${name}}`)
  const line = replaced.split('\n').findIndex((one) => /\{\{.*\}\}/.test(one.replace(/^\s*#.*/, '')))
  if (line === -1) return replaced
  throw new RystraError('config.invalid', {
    detail: `${file}, line ${line + 1}: a template other than {{ .Envs.NAME }}`,
    hint: 'replace the template by what it stands for'
  })
}

const parsed = (text: string, file: string): { value: unknown; lines: ReadonlyMap<string, number> } => {
  try {
    if (/\.(ya?ml|json)$/i.test(file)) return { value: parseYaml(text), lines: linesOfYaml(text) }
    return { value: parseToml(text), lines: linesOfToml(text) }
  } catch (cause) {
    const ini = /^\s*\[common\]/m.test(text)
    const reason =
      cause instanceof TomlError
        ? `line ${cause.line}: ${cause.message.split('\n')[0]}`
        : String((cause as Error).message)
    throw new RystraError('config.syntax', {
      detail: `${file}: ${ini ? 'the INI format that frp has replaced by TOML' : reason}`,
      cause,
      hint: ini ? 'rewrite it as TOML first: the names of frp 0.52 and later' : 'correct the file at the line named'
    })
  }
}

/** What an import gives: the configuration, and what became of each entry. */
export interface Imported {
  readonly peer: Peer
  /** What was read: the file as it was named, or `chisel`. */
  readonly source: string
  readonly draft: Draft
}

/** Reads the arguments of chisel. Throws `usage.invalid`. */
export const importArguments = (text: string): Imported => {
  const draft = new Draft()
  importChisel(
    text.replaceAll('${', () => '$${'),
    draft
  )
  return { peer: 'chisel', source: 'chisel', draft }
}

/** Reads the configuration of a peer. Rejects with `config.not-found`, `config.syntax`, `config.invalid` or `usage.invalid`. */
export const importFile = async (file: string, cwd: string, from?: Peer): Promise<Imported> => {
  const raw = await readText(resolve(cwd, file))
  const { value, lines } = parsed(withVariables(raw, file), file)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RystraError('config.invalid', {
      detail: `${file}: expected a table of settings`,
      hint: 'name the configuration of frpc, frps or rathole'
    })
  const config = value as Record<string, unknown>
  const peer = from ?? peerOf(config, file)
  if (peer === undefined || peer === 'chisel')
    throw new RystraError('usage.invalid', {
      detail: `${file} is not recognised as a configuration of frpc, frps or rathole`,
      hint: 'name the program with --from'
    })
  const draft = new Draft()
  importers[peer](new Table({ name: file, lines, notes: draft.notes }, config), draft)
  draft.notes.sort((a, b) => (a.line ?? Infinity) - (b.line ?? Infinity))
  return { peer, source: file, draft }
}
