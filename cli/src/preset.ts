import type { Extension } from '@rystra/plugin'
import type { RecentLines } from './recent-lines.js'

/**
 * The preset: loaded unless the configuration lists an extension of the same name. The only place that names concrete
 * extensions.
 */
export const presetPackages = Object.freeze([
  '@rystra/transport-tcp',
  '@rystra/mux-yamux',
  '@rystra/mux-direct',
  '@rystra/auth-token',
  '@rystra/proxy-tcp'
])

/** What `serve`, `expose` and a fresh project authenticate with. */
export const tokenPackage = '@rystra/auth-token'

/** What `serve` without a configuration listens with: plain TCP has to be asked for. */
export const quickTransport = 'tls'

/** Kinds of proxies that `serve` without a configuration has besides, where they are installed. */
export const quickPackages = Object.freeze({
  http: '@rystra/proxy-http',
  others: ['@rystra/proxy-udp', '@rystra/proxy-private']
})

/** Loads them; `import()` by literal names, so that bundlers see them. */
export const loadPreset = async (): Promise<readonly Extension[]> => {
  const modules = await Promise.all([
    import('@rystra/transport-tcp'),
    import('@rystra/mux-yamux'),
    import('@rystra/mux-direct'),
    import('@rystra/auth-token'),
    import('@rystra/proxy-tcp')
  ])
  return modules.map((module) => module.default as Extension)
}

/** What `serve` and `connect` load too: the socket by which `rystra status` and other commands find the process. */
export const loadAdmin = async (recent: RecentLines | undefined): Promise<readonly Extension[]> => {
  if (recent === undefined) return []
  const [admin, { recentLog }] = await Promise.all([import('@rystra/admin-http'), import('./recent-lines.js')])
  return [admin.default as Extension, recentLog(recent)]
}

/** Packages of things that are not named as their package is; everything else is found by its name. */
export const otherPackages: Readonly<Record<string, string>> = Object.freeze({
  'transport:wss': '@rystra/transport-ws',
  'transport:h2c': '@rystra/transport-http2'
})

/** Every extension there is of ours. Nothing else is proposed to be installed: a made-up name could be another's package. */
export const knownPackages: readonly string[] = Object.freeze([
  ...presetPackages,
  '@rystra/acme',
  '@rystra/admin-http',
  '@rystra/cluster-memory',
  '@rystra/cluster-redis',
  '@rystra/transport-tls',
  '@rystra/transport-quic',
  '@rystra/transport-ws',
  '@rystra/transport-http2',
  '@rystra/proxy-http',
  '@rystra/proxy-https',
  '@rystra/proxy-udp',
  '@rystra/proxy-private',
  '@rystra/auth-mtls',
  '@rystra/auth-jwt',
  '@rystra/discovery-mdns',
  '@rystra/hook-acl',
  '@rystra/hook-audit',
  '@rystra/hook-notify',
  '@rystra/hook-rate',
  '@rystra/hook-rewrite',
  '@rystra/inspect-http',
  '@rystra/observe-otel',
  '@rystra/observe-prometheus'
])
