import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import commands from '../../cli/src/commands/index.js'
import type { Page } from './page.js'

interface Flag {
  readonly char?: string
  readonly type: 'boolean' | 'option'
  readonly description?: string
  readonly helpValue?: string
  readonly options?: readonly string[]
  readonly required?: boolean
  readonly allowNo?: boolean
  readonly default?: unknown
}

interface Arg {
  readonly description?: string
  readonly multiple?: boolean
  readonly required?: boolean
}

interface Command {
  readonly description?: string
  readonly examples: readonly string[]
  readonly flags: Readonly<Record<string, Flag>>
  readonly args?: Readonly<Record<string, Arg>>
}

const all = commands as unknown as Readonly<Record<string, Command>>

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

const flagName = (name: string, { char, type, helpValue, options, allowNo }: Flag): string => {
  const value = options === undefined ? (helpValue ?? '<value>') : options.join('\\|')
  const long = `--${allowNo === true ? '[no-]' : ''}${name}${type === 'option' ? ` ${value}` : ''}`
  return char === undefined ? long : `-${char}, ${long}`
}

/** What oclif adds to the description by itself. */
const more = ({ required, default: usual }: Flag): string => {
  if (required === true) return ' Required.'
  return typeof usual === 'string' || typeof usual === 'number' ? ` [default: ${usual}]` : ''
}

const section = (id: string, { description = '', examples, flags, args = {} }: Command): string => {
  const usage = Object.entries(args).map(([name, { required, multiple }]) => {
    const word = multiple === true ? `${name}...` : name
    return required === true ? `<${word}>` : `[${word}]`
  })
  const rows = [
    ...Object.entries(args).map(([name, arg]) => `| \`${name}\` | ${cell(arg.description ?? '')} |`),
    ...Object.entries(flags).map(
      ([name, flag]) => `| \`${flagName(name, flag)}\` | ${cell(flag.description ?? '')}${more(flag)} |`
    )
  ]
  const lines = examples.map((example) =>
    example.replace('<%= config.bin %>', 'rystra').replace('<%= command.id %>', id)
  )
  return [
    `### ${['rystra', id, ...usage].join(' ')}`,
    description,
    ...(rows.length === 0 ? [] : [['| | |', '|---|---|', ...rows].join('\n')]),
    `\`\`\`text\n${lines.join('\n')}\n\`\`\``
  ].join('\n\n')
}

const readme = fileURLToPath(new URL('../../cli/README.md', import.meta.url))
const marks = /(<!-- commands -->)[\s\S]*(<!-- \/commands -->)/

/** The commands in the README of the package, between two marks; the rest is written by hand. */
export default {
  file: 'cli/README.md',
  partly: true,
  text: () => {
    const text = Object.keys(all)
      .sort()
      .map((id) => section(id, all[id] as Command))
      .join('\n\n')
    return readFileSync(readme, 'utf8').replace(
      marks,
      (_, open: string, close: string) => `${open}\n\n${text}\n\n${close}`
    )
  }
} satisfies Page
