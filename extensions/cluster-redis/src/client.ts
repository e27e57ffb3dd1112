import { createClient, createCluster, createSentinel } from '@redis/client'
import { fileText, readBounded } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import path from 'node:path'
import type { RedisOptions } from './options.js'

/** What is used of a client of the library: a single one, a cluster, or one that sentinels lead. */
export interface RedisClient {
  connect(): Promise<unknown>
  destroy(): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  evalSha(sha: string, options: EvalOptions): Promise<unknown>
  eval(text: string, options: EvalOptions): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
}

export interface EvalOptions {
  readonly keys: string[]
  readonly arguments: string[]
}

/** Milliseconds to connect. */
const CONNECT_TIMEOUT_MS = 2000

/** Milliseconds between attempts to connect, at most. */
const RETRY_MS = 500

/** Larger than any PEM file. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

const tlsOf = async ({ ca, cert, key }: RedisOptions, dir: string): Promise<object> => {
  const read = async (field: string, file: string): Promise<string> => {
    try {
      return fileText((await readBounded(path.resolve(dir, file), MAX_FILE_BYTES)).bytes)
    } catch (cause) {
      throw new RystraError('tls.files', { detail: `${field} ${file}: ${(cause as Error).message}`, cause })
    }
  }
  return {
    ...(ca === undefined ? {} : { ca: await read('ca', ca) }),
    ...(cert === undefined ? {} : { cert: await read('cert', cert) }),
    ...(key === undefined ? {} : { key: await read('key', key) })
  }
}

/** Makes a client of the library; connects nothing yet. Rejects when a file cannot be read. */
export const makeClient = async (options: RedisOptions, dir: string): Promise<RedisClient> => {
  const { mode, master, username, password } = options
  const urls = [options.url].flat()
  const tls = await tlsOf(options, dir)
  const secure = urls.some((url) => url.startsWith('rediss:'))
  const socket = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: (retries: number) => Math.min(retries * 50, RETRY_MS),
    ...(secure ? { tls: true as const, ...tls } : {})
  }
  const user = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password })
  }
  const common = { ...user, socket, disableOfflineQueue: true }
  if (mode === 'cluster') {
    return createCluster({ rootNodes: urls.map((url) => ({ url })), defaults: common }) as unknown as RedisClient
  }
  if (mode === 'sentinel') {
    const sentinelRootNodes = urls.map((url) => {
      const { hostname, port } = new URL(url)
      return { host: hostname, port: Number(port === '' ? 26_379 : port) }
    })
    return createSentinel({ name: master, sentinelRootNodes, nodeClientOptions: common }) as unknown as RedisClient
  }
  return createClient({ ...common, url: urls[0] as string }) as unknown as RedisClient
}
