import type { RystraConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { parseServerAddress, parseService } from '../address.js'
import { runClient } from './client.js'
import { packagesFor } from './convention.js'
import { givenToken, tokenEntry } from './token.js'

/** What `expose` is told. */
export interface ExposeOptions {
  readonly cwd: string
  readonly kind: string
  readonly service: string
  readonly to: string
  readonly token?: string | undefined
  readonly port?: number | undefined
  readonly name?: string | undefined
  readonly muxer?: string | undefined
  /** Fields of the transport: `pin=sha256:…`. */
  readonly dial: readonly string[]
  readonly retry: boolean
  readonly json: boolean
  readonly debug: boolean
}

/** Reads `field=value`; numbers and booleans are understood as such. Throws `usage.invalid`. */
export const dialFields = (pairs: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const match = /^([A-Za-z_][\w-]*)=(.*)$/s.exec(pair)
      if (match === null || ['transport', 'host', 'port', 'muxer', '__proto__'].includes(match[1] ?? '')) {
        throw new RystraError('usage.invalid', {
          detail: `--dial: expected field=value of the transport, got ${JSON.stringify(pair.slice(0, 80))}`
        })
      }
      const [, field = '', text = ''] = match
      if (/^(?:true|false)$/.test(text)) return [field, text === 'true']
      return [field, /^-?\d{1,15}$/.test(text) ? Number(text) : text]
    })
  )

/** Publishes one service until it is told to stop, without a configuration. */
export const expose = async (options: ExposeOptions): Promise<void> => {
  const { kind, muxer, port, cwd, json, debug } = options
  const server = parseServerAddress(options.to)
  const local = parseService(options.service)
  const token = givenToken(options.token)
  if (token === undefined) {
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: '--token is missing',
      hint: '`rystra serve` prints it; give it with --token, or in the environment as RYSTRA_TOKEN'
    })
  }
  const needs = [`transport:${server.transport}`, `kind:${kind}`, ...(muxer === undefined ? [] : [`muxer:${muxer}`])]
  const config: RystraConfig = {
    extensions: [tokenEntry(token), ...(await packagesFor(cwd, ...needs))],
    client: {
      // A name for this process alone: two of them on one machine are two clients, and neither replaces the other.
      id: `${
        hostname()
          .replaceAll(/[^\w.-]+/g, '-')
          .slice(0, 64) || 'client'
      }-${randomBytes(4).toString('hex')}`,
      connect: { ...server, ...(muxer === undefined ? {} : { muxer }), ...dialFields(options.dial) },
      proxies: [
        {
          name: options.name ?? `${kind}-${local.slice(local.lastIndexOf(':') + 1)}`.slice(0, 128),
          kind,
          local,
          ...(port === undefined ? {} : { port })
        }
      ],
      ...(options.retry ? {} : { reconnect: { attempts: 0 } })
    }
  }
  await runClient({ config, dir: cwd, json, debug, brief: false, patient: false })
}
