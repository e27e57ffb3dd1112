import { type ErrorEntry, errorTable } from '@rystra/model'
import type { Page } from './page.js'

/** Sections in the order in which users meet them. Prefixes that are missing here come before the last, by their own name. */
const sections: Record<string, string> = {
  config: 'Configuration',
  usage: 'Command line',
  extension: 'Extensions',
  registry: 'Registries',
  hook: 'Hooks',
  kernel: 'Kernel',
  protocol: 'Protocol',
  auth: 'Authentication',
  connect: 'Connecting',
  session: 'Sessions',
  listen: 'Listening',
  proxy: 'Proxies',
  stream: 'Streams',
  mux: 'Muxers',
  admin: 'Admin API',
  internal: 'Anything else'
}

/** In step with the comment of `errorTable` in framework/model/src/codes.ts. */
const exits: Record<number, string> = {
  0: 'all went well, a stop by Ctrl-C among it',
  1: 'something unexpected',
  2: 'configuration or usage',
  3: 'an extension',
  4: 'the other side cannot be reached, or does not speak our protocol',
  5: 'not authenticated, or the server refused the session',
  6: 'a proxy or a stream was refused',
  7: 'another client took over under the same id',
  8: 'an address cannot be listened on'
}

const intro = `# Errors

Every error that Rystra makes is a \`RystraError\` with a stable \`code\`: compare codes, never messages, and recognise the class
with \`isRystraError()\`, never with \`instanceof\`. Only the code and a short detail cross the wire; causes stay in the log of
the side where they happened, and before authentication not even the detail is sent.

- **ends** says what ends with the error: one stream, one session, or the process that met it.
- **again** says whether the same thing may succeed later without a change. A client reconnects after such an
  error, and gives up after any other.
- **exit** is what \`rystra\` exits with when the error ends it.`

const cell = (text: string): string => text.replaceAll('|', '\\|')

const line = ([code, entry]: [string, ErrorEntry]): string =>
  `| \`${code}\` | ${cell(entry.message)} | ${entry.scope} | ${entry.retryable ? 'yes' : 'no'} | ${entry.exitCode} | ${cell(entry.hint)} |`

const entries = Object.entries(errorTable) as [string, ErrorEntry][]
const prefixOf = (code: string): string => code.split('.')[0] as string

const section = (prefix: string): string =>
  [
    `## ${sections[prefix] ?? prefix}`,
    '',
    '| code | what happened | ends | again | exit | what to do |',
    '|---|---|---|---|---|---|',
    ...entries.filter(([code]) => prefixOf(code) === prefix).map(line)
  ].join('\n')

const exitCodes = (): string => {
  const used = new Set([0, ...entries.map(([, entry]) => entry.exitCode)])
  const rows = [...used]
    .sort((a, b) => a - b)
    .map((code) => {
      if (exits[code] === undefined) throw new Error(`scripts/docs/errors.ts has no words for exit code ${code}`)
      return `| ${code} | ${exits[code]} |`
    })
  return ['## Exit codes of `rystra`', '', '| code | meaning |', '|---|---|', ...rows].join('\n')
}

/** docs/reference/errors.md, from the one table of codes. */
const page: Page = {
  file: 'docs/reference/errors.md',
  text() {
    const prefixes = new Set(entries.map(([code]) => prefixOf(code)))
    const known = Object.keys(sections).filter((prefix) => prefixes.has(prefix))
    const others = [...prefixes].filter((prefix) => sections[prefix] === undefined)
    const used = [...known.slice(0, -1), ...others, ...known.slice(-1)]
    return [intro, exitCodes(), ...used.map(section)].join('\n\n')
  }
}

export default page
