import type { Logger } from '@rystra/plugin'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

/** Packages of the SDK that reads the environment by itself. */
const SDK = '@opentelemetry/sdk-node'

/** Variables by which users of OpenTelemetry say that they want something exported. */
const wanted = /^OTEL_(EXPORTER_|TRACES_EXPORTER$|METRICS_EXPORTER$)/

/** What of the SDK is used. */
interface Sdk {
  start(): void
  shutdown(): Promise<void>
}

/** One for the process: both ends may run in it, and an SDK can be started once. */
let started: { readonly sdk: Sdk; users: number } | undefined

/**
 * Starts the SDK, where the environment asks for an exporter and the package is installed beside the configuration. A program that
 * has started one itself does not set these variables for this, or loads it with `--import`: then there is one already, and
 * the second start does nothing. Returns what ends it.
 */
export const startSdk = async (
  dir: string,
  log: Logger,
  env: NodeJS.ProcessEnv = process.env
): Promise<() => Promise<void>> => {
  const names = Object.keys(env).filter((name) => wanted.test(name) && env[name] !== '' && env[name] !== 'none')
  if (names.length === 0 || env['OTEL_SDK_DISABLED'] === 'true') return async () => {}
  if (started === undefined) {
    let file: string
    try {
      file = createRequire(path.join(dir, 'package.json')).resolve(SDK)
    } catch {
      log.info(
        { variables: names },
        `${SDK} is not installed: traces and metrics go to the SDK of the program, if it has one`
      )
      return async () => {}
    }
    const { NodeSDK } = (await import(pathToFileURL(file).href)) as { NodeSDK: new () => Sdk }
    const sdk = new NodeSDK()
    sdk.start()
    started = { sdk, users: 0 }
  }
  const own = started
  own.users += 1
  return async () => {
    own.users -= 1
    if (own.users > 0) return
    started = undefined
    await own.sdk.shutdown().catch((err: unknown) => log.warn({ err }, 'the SDK of OpenTelemetry did not shut down'))
  }
}
