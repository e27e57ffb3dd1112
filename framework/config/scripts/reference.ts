/** Writes docs/reference/config.md from the schemas: `npx tsx scripts/reference.ts`. A test compares. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Kind, OptionalKind, type TSchema } from '@sinclair/typebox'
import { describe } from '@rystra/kernel'
import { extensionSchema } from '../src/entry.js'
import { searchPlaces } from '../src/load.js'
import { maxFileSize } from '../src/text-file.js'
import { expectedKey } from '../src/schema.js'
import { clientSchema, configSchema, logSchema, serverSchema } from '../src/types.js'

const code = (text: string): string => `\`${text}\``

const intro = `# Configuration

One file, with one half for the server, one for the client, or both. Every key is below; an unknown key is an error, so that a
misspelt one is noticed. \`rystra check\` says everything that is wrong at once; \`rystra check --schema\` writes a JSON Schema for
editors, with the options of the extensions in it.

\`\`\`yaml
extensions:
  - '@rystra/transport-tcp'
  - use: '@rystra/auth-token'
    options: { tokens: [{ identity: home, token: '\${RYSTRA_TOKEN}' }] }      # on the client: { token: '\${RYSTRA_TOKEN}' }
  - use: ./hooks/office-hours.ts
    options: { from: 9, to: 17 }
log: { level: info }
server:
  listen: [{ transport: tcp, host: 0.0.0.0, port: 7000 }]
  publish: { host: 0.0.0.0, ports: ['20000-29999'] }
client:
  id: home-nas
  connect: { transport: tcp, host: tunnel.example.org, port: 7000, muxer: yamux }
  proxies:
    - { name: ssh, kind: tcp, local: '127.0.0.1:22', port: 20022 }
\`\`\`

## Where it is found

In the working directory, and nowhere above it, under one of these names: ${searchPlaces
  .slice(0, -1)
  .map(code)
  .join(
    ', '
  )}, or as the field \`rystra\` of \`package.json\`. Two of them in one folder are an error. \`--config\` names any
other file. Files over ${maxFileSize / 1024} KiB are refused. Files are UTF-8, with or without a byte order mark; lines end with LF, CRLF or CR.

| format | |
|---|---|
| YAML | Version 1.2, one document; duplicate keys and tags are refused. A \`.rystrarc\` without an ending is YAML. |
| JSON | Comments, and a comma after the last entry, are allowed; duplicate keys are refused. |
| TOML | Version 1.0. |
| TypeScript, JavaScript | The default export is the configuration, or a function of the environment that returns it or a promise of it. No build step. It is code, and runs with the rights of who starts Rystra. |

## Variables

In the text of any value, and not in keys, \`\${NAME}\` is replaced by the environment variable of that name, \`\${NAME:-default}\` by the
default where it is unset or empty, and \`$\${\` stands for \`\${\` itself. What was put in is not looked at again. A variable that is
missing is an error; all that are missing are reported at once. A \`.env\` beside the file is read as well; the environment wins. One that cannot be read is a warning, and an error with the variable that is missing.
Variables are text: where the configuration, a transport or a kind of proxy expects a number or a boolean, a value that is one
variable and nothing else is read as such.

## Values

- **Durations** are whole milliseconds, or text with a unit: \`250ms\`, \`30s\`, \`15m\`, \`2h\`, \`1d\`; up to 24 days.
- **Ports** are a list of numbers and ranges: \`[20022, '20100-20199']\`. Ranges that touch are made into one.
- A number that is written as text, \`port: '7000'\`, is an error.`

/** Without the examples, which the sections above have. */
const typeOf = (schema: TSchema): string =>
  ((schema as { [expectedKey]?: string })[expectedKey] ?? describe(schema)).replace(/: .*/, '')

const shownDefault = (schema: TSchema): string => {
  if (schema.default === undefined) return schema[OptionalKind] === undefined ? 'required' : ''
  return schema.type === 'object' ? '' : code(JSON.stringify(schema.default))
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

const rows = (schema: TSchema, path: string): string[] =>
  Object.entries(schema.properties as Record<string, TSchema>).flatMap(([key, field]) => {
    const here = path === '' ? key : `${path}.${key}`
    const isObject = field[Kind] === 'Object'
    const type = isObject ? 'an object' : typeOf(field)
    const row = `| ${code(here)} | ${cell(type)} | ${cell(shownDefault(field))} | ${cell(field.description ?? '')} |`
    const items = field[Kind] === 'Array' ? (field.items as TSchema) : undefined
    if (items?.[Kind] === 'Object') return [row, ...rows(items, `${here}[]`)]
    return isObject ? [row, ...rows(field, here)] : [row]
  })

const table = (lines: readonly string[]): string =>
  ['| key | type | default | meaning |', '|---|---|---|---|', ...lines].join('\n')

const section = (name: 'log' | 'server' | 'client', schema: TSchema): string =>
  `## \`${name}\`\n\n${configSchema.properties[name].description}\n\n${table(rows(schema, name))}`

const extensions = (): string => {
  const fields = (extensionSchema.anyOf as { properties?: Record<string, TSchema> }[])[1]?.properties ?? {}
  const types: Record<string, string> = { use: 'text', name: 'text', options: 'an object' }
  const lines = Object.entries(fields).map(
    ([key, { description }]) =>
      `| \`extensions[].${key}\` | ${types[key]} | ${key === 'use' ? 'required' : ''} | ${cell(description ?? '')} |`
  )
  const { description } = configSchema.properties.extensions
  return `## \`extensions\`\n\n${description}\n\nAn entry is the text of \`use\` alone, or an object:\n\n${table(lines)}`
}

/** The page, without the line that says that it is generated. */
export const reference = (): string =>
  [
    intro,
    `## \`$schema\`\n\n${configSchema.properties.$schema.description}`,
    extensions(),
    section('log', logSchema),
    section('server', serverSchema),
    section('client', clientSchema),
    'Further fields of `server.listen` and `client.connect` are those of the transport, further fields of `client.proxies` those of\nthe kind: see the README of the extension. They are checked as strictly, and `rystra check` names what is registered.'
  ].join('\n\n')

/** A page of `npm run docs`. */
export default { file: 'docs/reference/config.md', text: reference }

/** The whole file. */
export const rendered = (): string => `<!-- Generated by \`npm run docs\`. Do not edit. -->\n\n${reference().trim()}\n`

export const file = fileURLToPath(new URL('../../../docs/reference/config.md', import.meta.url))

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(file, rendered())
