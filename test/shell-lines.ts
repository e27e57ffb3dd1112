import { readFileSync } from 'node:fs'
import path from 'node:path'
import { joinTopic } from '../cli/src/topics.js'
import type { Block } from './markdown.js'
import { root } from './workspaces.js'

interface Flag {
  readonly type: string
  readonly char?: string
}

/** What is known of a command of `rystra`: as much of an oclif command as is looked at here. */
interface CommandClass {
  readonly flags?: Readonly<Record<string, Flag>>
  readonly baseFlags?: Readonly<Record<string, Flag>>
  readonly args?: Readonly<Record<string, { readonly multiple?: boolean }>>
  readonly strict?: boolean
}

/** One command of a line, in words; quotes are taken off, and what is in brackets for the reader to fill in counts as one word. */
const words = (line: string): string[] =>
  [...line.matchAll(/"([^"]*)"|'([^']*)'|(<[^>]*>|\S)+/g)].map((match) => match[1] ?? match[2] ?? match[0])

/** The commands of a block, with comments, prompts and continued lines taken care of. */
export const commandsOf = ({ text }: Block): string[][] =>
  text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/^\s*\$ /, '').replace(/(^|\s)#.*$/, ''))
    .flatMap((line) => line.split(/&&|\|\||[;|](?![^<]*>)/))
    .map((line) => words(line.trim()).filter((word) => word !== '&'))
    .map((line) => (line[0] === 'npx' ? line.slice(line[1] === '--yes' ? 2 : 1) : line))
    .map((line) => {
      const redirect = line.findIndex((word) => /^\d?[<>](?![\w.-]+>)/.test(word))
      return redirect < 0 ? line : line.slice(0, redirect)
    })
    .filter((line) => line.length > 0)

const { scripts } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

const npmProblem = ([, verb, name]: string[]): string | undefined => {
  const script = verb === 'run' ? name : verb === 'start' || verb === 'test' ? verb : undefined
  return script === undefined || scripts[script] !== undefined ? undefined : `there is no script “${script}”`
}

/** What is wrong with a command, if anything: `rystra` by its commands and flags, npm by its scripts; others are not known. */
export const problemOf = (line: string[], commands: Readonly<Record<string, CommandClass>>): string | undefined => {
  if (line[0] === 'npm') return npmProblem(line)
  if (line[0] !== 'rystra') return undefined
  const [name = '', ...rest] = joinTopic(line.slice(1))
  if (name === '' || name.startsWith('-') || name === 'help') return undefined
  const command = commands[name]
  if (command === undefined) return `rystra has no command “${name}”`
  const flags: Record<string, Flag> = {
    ...command.baseFlags,
    ...command.flags,
    json: { type: 'boolean' },
    help: { type: 'boolean' }
  }
  let given = 0
  for (let at = 0; at < rest.length; at++) {
    const word = rest[at] as string
    if (!word.startsWith('-') || word === '-') {
      given++
      continue
    }
    const [flag = '', value] = word.replace(/^--?/, '').split(/=(.*)/s)
    const long = word.startsWith('--')
    const found = long
      ? (flags[flag] ?? flags[flag.replace(/^no-/, '')])
      : Object.values(flags).find(({ char }) => char === flag[0])
    if (found === undefined) return `rystra ${name} has no flag “${word}”`
    if (found.type !== 'boolean' && value === undefined && (long || flag.length === 1)) at++
  }
  const args = Object.values(command.args ?? {})
  const most = args.length
  return given > most && command.strict !== false && !args.some(({ multiple }) => multiple)
    ? `rystra ${name} takes ${most} arguments, not ${given}`
    : undefined
}
