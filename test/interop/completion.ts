/**
 * Completion in real shells: what bash, zsh and fish offer behind a line. Not part of `npm test`; a shell that is not there is
 * named and left out.
 *
 *     npm run interop:completion          # needs a build
 */
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'

const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const run = (file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string =>
  execFileSync(file, args, { encoding: 'utf8', timeout: 60_000, env: { ...process.env, TERM: 'dumb', ...env } })

/** What a shell offers behind a line, for people to read. */
type Offers = (script: string, line: string) => string

/** Presses TAB twice in a terminal of its own, as a person does. */
const inTerminal = (scratch: Scratch, shell: string, init: string, line: string): string => {
  const driver = scratch.write(
    'press.zsh',
    `zmodload zsh/zpty
zpty shell ${shell}
zpty -w shell ${JSON.stringify(init).replaceAll('$', '\\$')}
integer turn
local text='' piece=''
until [[ $text == *ready-now* ]] || (( turn++ > 300 )); do zpty -rt shell piece && text+=$piece || sleep 0.1; done
zpty -w -n shell ${JSON.stringify(line)}$'\\t\\t'
text=''; integer quiet=0
until (( quiet > 15 )); do if zpty -rt shell piece; then text+=$piece; quiet=0; else sleep 0.1; (( quiet++ )); fi; done
print -r -- "$text"
zpty -d shell
`
  )
  return run('zsh', ['-f', driver])
}

const shells = (scratch: Scratch): Readonly<Record<string, Offers>> => ({
  bash: (script, line) =>
    run('bash', [
      '--norc',
      '-c',
      `source ${script}; COMP_LINE="$1"; COMP_POINT=\${#1}; COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
       _rystra; printf '%s\\n' "\${COMPREPLY[@]}"`,
      'bash',
      line
    ]),
  zsh: (script, line) =>
    inTerminal(scratch, "'zsh -f'", `autoload -U compinit; compinit -D -u; source ${script}; echo ready-'now'`, line),
  fish: (script, line) => run('fish', ['--no-config', '-c', `source ${script}; complete -C "$argv[1]"`, line])
})

const cases: readonly {
  readonly line: string
  readonly offered: readonly string[]
  readonly not: readonly string[]
}[] = [
  { line: 'rystra prox', offered: ['proxies'], not: ['serve'] },
  { line: 'rystra serve --ht', offered: ['--http-port'], not: ['--token'] },
  { line: 'rystra doctor --', offered: ['--bundle', '--config', '--json'], not: ['--subdomain'] }
]

const scratch = new Scratch()
let failures = 0
try {
  for (const [shell, offers] of Object.entries(shells(scratch))) {
    if (which(shell) === undefined || (shell === 'zsh' && which('zsh') === undefined)) {
      console.log(`– skipped: ${shell} not found (apt-get install ${shell})`)
      continue
    }
    const script = scratch.write(`completion.${shell}`, run(process.execPath, [cli, 'completion', shell]))
    for (const { line, offered, not } of cases) {
      const text = offers(script, line)
      const missing = offered.filter((word) => !text.includes(word))
      const extra = not.filter((word) => text.includes(word))
      const good = missing.length === 0 && extra.length === 0
      if (!good) failures += 1
      console.log(
        `${good ? '✓' : '✗'} ${shell}: ${line}${good ? '' : `: missing ${missing}, extra ${extra}, in ${text.slice(0, 400)}`}`
      )
    }
  }
} finally {
  await scratch.close()
}
process.exitCode = failures === 0 ? 0 : 1
