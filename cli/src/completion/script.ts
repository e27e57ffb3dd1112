/** A command as a shell completes it. */
export interface Completable {
  readonly id: string
  /** One line. */
  readonly summary: string
  readonly flags: readonly { readonly name: string; readonly summary: string; readonly options?: readonly string[] }[]
}

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** Text within single quotes of a POSIX shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** Text within single quotes of fish. */
const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const flagWords = ({ flags }: Completable): string => flags.map(({ name }) => `--${name}`).join(' ')

const bash = (commands: readonly Completable[]): string => {
  const cases = commands.map((command) => `    ${command.id}) words=${quoted(flagWords(command))} ;;`)
  return `# Completion of rystra for bash: eval "$(rystra completion bash)"
_rystra() {
  # A colon ends a word in bash: put the words of the line together again.
  local line="\${COMP_LINE:0:COMP_POINT}" cur command words
  cur="\${line##*[[:space:]]}"
  read -r _ command _ <<< "$line"
  if [[ "$command" == "$cur" ]]; then
    words=${quoted(commands.map(({ id }) => id).join(' '))}
  elif [[ "$cur" == -* ]]; then
    case "$command" in
${cases.join('\n')}
    esac
  else
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  # What is before the last colon is on the line already.
  if [[ "$cur" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
    COMPREPLY=("\${COMPREPLY[@]#"\${cur%"\${cur##*:}"}"}")
  fi
}
complete -o filenames -F _rystra rystra
`
}

const zsh = (commands: readonly Completable[]): string => {
  const described = (name: string, summary: string): string => quoted(`${name.replaceAll(':', '\\:')}:${summary}`)
  const cases = commands.map(
    (command) =>
      `    ${command.id}) entries=(${command.flags.map(({ name, summary }) => described(`--${name}`, summary)).join(' ')}) ;;`
  )
  return `#compdef rystra
# Completion of rystra for zsh: eval "$(rystra completion zsh)", behind compinit
_rystra() {
  local -a entries
  if (( CURRENT == 2 )); then
    entries=(${commands.map(({ id, summary }) => described(id, summary)).join(' ')})
    _describe command entries
    return
  fi
  case "$words[2]" in
${cases.join('\n')}
  esac
  if [[ "$PREFIX" == -* ]]; then _describe option entries; else _files; fi
}
compdef _rystra rystra
`
}

const fish = (commands: readonly Completable[]): string => {
  const lines = commands.flatMap(({ id, summary, flags }) => [
    `complete -c rystra -n __fish_use_subcommand -f -a ${fishQuoted(id)} -d ${fishQuoted(summary)}`,
    ...flags.map(({ name, summary: text, options }) => {
      const values = options === undefined ? '' : ` -x -a ${fishQuoted(options.join(' '))}`
      return `complete -c rystra -n ${fishQuoted(`__fish_seen_subcommand_from ${id}`)} -l ${name}${values} -d ${fishQuoted(text)}`
    })
  ])
  return `# Completion of rystra for fish: rystra completion fish | source\n${lines.join('\n')}\n`
}

/** The script that teaches a shell the commands and their flags. */
export const completionScript = (shell: Shell, commands: readonly Completable[]): string =>
  ({ bash, zsh, fish })[shell](commands)
