import { RystraError } from '@rystra/model'

/** Commands of a topic, so that `plugins add` is understood as `plugins:add`. */
const topics: Readonly<Record<string, readonly string[]>> = {
  plugins: ['add', 'remove', 'list', 'inspect'],
  extension: ['create'],
  cert: ['ca', 'server', 'client', 'revoke', 'show']
}

const commands = ['init', 'serve', 'connect', 'expose', 'check', 'help']

/** `plugins add x` becomes `plugins:add x`. Everything else stays as it is. */
export const joinTopic = (argv: readonly string[]): string[] => {
  const [topic = '', command = '', ...rest] = argv
  const known = Object.hasOwn(topics, topic) && topics[topic]?.includes(command) === true
  return known ? [`${topic}:${command}`, ...rest] : [...argv]
}

/** A clear error for a command that does not exist; nothing for any other error. */
export const notFound = (error: unknown, argv: readonly string[]): RystraError | undefined => {
  if (!(error instanceof Error) || !/^command .* not found$/i.test(error.message)) return undefined
  const known = [
    ...commands,
    ...Object.entries(topics).flatMap(([topic, list]) => list.map((name) => `${topic}:${name}`))
  ]
  return new RystraError('usage.invalid', {
    detail: `no command "${argv[0] ?? ''}"; there are ${known.join(', ')}`,
    hint: 'see `rystra --help`'
  })
}
