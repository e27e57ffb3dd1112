import { RystraError } from '@rystra/model'

/** Commands of a topic, so that `plugins add` is understood as `plugins:add`. */
const topics: Readonly<Record<string, readonly string[]>> = {
  proxies: ['add', 'remove'],
  plugins: ['add', 'remove', 'list', 'inspect'],
  extension: ['create'],
  rpc: ['describe'],
  service: ['install', 'status', 'uninstall'],
  cert: ['ca', 'server', 'client', 'cluster', 'revoke', 'show']
}

const commands = [
  'init',
  'import',
  'call',
  'serve',
  'connect',
  'expose',
  'visit',
  'check',
  'doctor',
  'status',
  'top',
  'clients',
  'proxies',
  'kick',
  'plan',
  'reload',
  'drain',
  'upgrade',
  'log-level',
  'logs',
  'inspect',
  'why',
  'completion',
  'help'
]

/** A port alone, or with a host: `3000`, `192.168.1.5:3000`, `[::1]:3000`. */
const service = /^(?:\d{1,5}|\S*[^:\s]:\d{1,5})$/

/**
 * `plugins add x` becomes `plugins:add x`; `3000` becomes `expose http 3000`; `help x` becomes `x --help`. Everything
 * else stays as it is.
 */
export const joinTopic = (argv: readonly string[]): string[] => {
  const [topic = '', command = '', ...rest] = argv
  if (topic === 'help') return [...joinTopic(argv.slice(1)), '--help']
  if (service.test(topic)) return ['expose', 'http', ...argv]
  const known = Object.hasOwn(topics, topic) && topics[topic]?.includes(command) === true
  return known ? [`${topic}:${command}`, ...rest] : [...argv]
}

/** A clear error for a command that does not exist; nothing for any other error. */
export const notFound = async (error: unknown, argv: readonly string[]): Promise<RystraError | undefined> => {
  if (!(error instanceof Error) || !/^command .* not found\.?$/i.test(error.message)) return undefined
  const known = [
    ...commands,
    ...Object.entries(topics).flatMap(([topic, list]) => list.map((name) => `${topic}:${name}`))
  ]
  const { nearest } = await import('@rystra/kernel')
  const word = (argv[0] === 'help' ? argv[1] : argv[0]) ?? ''
  const meant = word === 'version' ? '--version' : nearest(word, known)
  const service = /^\d|:/.test(word) ? ', and no service: expected a port or host:port' : ''
  return new RystraError('usage.invalid', {
    detail: `no command "${word}"${service}`,
    hint: `${meant === undefined ? '' : `did you mean \`rystra ${meant}\`? `}see \`rystra --help\``
  })
}
