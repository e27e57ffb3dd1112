/** Writes docs/reference/hooks.md from the kernel's table of hooks: `npx tsx scripts/hooks-doc.ts`. A test compares. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type HookFacts, hookTable } from '@rystra/plugin'

const sides = { server: 'server', client: 'client', both: 'server and client' }

const classes: Record<HookFacts['type'], string> = {
  AsyncSeriesBailHook: 'one tap after the other; the first answer ends the asking',
  AsyncSeriesWaterfallHook: 'one tap after the other; each gets what the one before made of it',
  SyncWaterfallHook: 'one tap after the other, at once; each gets what the one before made of it',
  SyncHook: 'all taps, one after the other, at once',
  AsyncSeriesHook: 'all taps, one after the other; each is waited for'
}

const section = ([name, facts]: [string, HookFacts]): string => {
  const args = Object.entries(facts.args).map(([arg, type]) => `${arg}: ${type}`)
  const taps = facts.async ? '`tap`, `tapPromise`' : '`tap`'
  const options = `\`stage\`, ${facts.async ? '`timeout`, ' : ''}\`onFailure\`${facts.perStream ? ', `concerns`' : ''}`
  return `### ${name}

\`${name}(${args.join(', ')})\`

| | |
|---|---|
| Class | \`${facts.type}\`: ${classes[facts.type]} |
| Runs on | ${sides[facts.side]} |
| Taps | ${taps}, with the options ${options} |
| Called by, when | ${facts.when} |
| An answer means | ${facts.answer} |
| No tap | ${facts.untapped} |
| A tap throws or is late | ${facts.failure} |
`
}

const overview = Object.entries(hookTable)
  .map(([name, { type, side, async: asynchronous, observer }]) => {
    const kind = observer ? 'observes' : name === 'onStart' ? 'may fail the start' : 'decides'
    return `| [${name}](#${name.toLowerCase()}) | ${sides[side]} | \`${type}\` | ${asynchronous ? 'yes' : 'no'} | ${kind} |`
  })
  .join('\n')

/** The whole page. */
export const hooksPage =
  (): string => `<!-- Made by framework/kernel/scripts/hooks-doc.ts from framework/plugin/src/hook-table.ts. Change it there. -->

# Hooks

An extension taps hooks in its \`setup\`; the framework calls them. An extension can neither call a hook nor tap one later:
the kernel compiles the taps of all extensions into an immutable *generation*, and a stream, session or proxy ends in the
generation in which it began.

\`\`\`ts
import { defineExtension, GUARD } from '@rystra/plugin'

export default defineExtension({
  name: 'no-database-at-night',
  setup({ hooks, clock }) {
    hooks.onOpenStream.tap({ stage: GUARD, concerns: ({ proxy }) => proxy.name === 'database' }, () =>
      new Date(clock.now()).getHours() < 6 ? { deny: 'the database sleeps' } : undefined
    )
  }
})
\`\`\`

| Hook | Runs on | Class (tapable) | May be asynchronous | |
|---|---|---|---|---|
${overview}

## When each is called

\`\`\`mermaid
flowchart TD
  setup["setup of each extension: taps and registers"] --> start["start of each extension, in order"]
  start --> onStart
  onStart -->|"fails"| undo["stop of each extension, in reverse order"]
  start -->|"fails"| undo
  onStart --> hello["a peer says Hello"] --> onHello
  onHello -->|"deny, throw, timeout"| refused["session refused; the reason goes to the log"]
  onHello --> onAuth
  onAuth -->|"deny, throw, timeout, no answer"| refused
  onAuth -->|"identity"| onConnect
  onConnect --> onRegisterProxy
  onRegisterProxy -->|"deny, throw, timeout"| proxyRefused["this proxy refused; the session goes on"]
  onRegisterProxy -->|"spec"| published["proxy published"]
  published -.-> onPublished
  published -->|"a visitor connects"| onOpenStream
  onOpenStream -->|"deny, throw, timeout"| streamRefused["this stream refused"] --> onCloseStream
  onOpenStream --> onData
  onData -->|"each chunk"| onData
  onOpenStream -.->|"kinds that speak HTTP"| onRequest
  onRequest -->|"deny, respond, throw, timeout"| onCloseRequest
  onRequest --> onResponse --> onCloseRequest
  onData -->|"throw"| reset["this stream reset"] --> onCloseStream
  onData -->|"end"| onCloseStream
  onCloseStream --> onUnregisterProxy["onUnregisterProxy, when the proxy goes"]
  onConnect -->|"either end opens a channel"| onOpenChannel
  onOpenChannel -->|"deny, throw, timeout"| channelRefused["this channel refused"] --> onCloseChannel
  onOpenChannel -->|"end, reset"| onCloseChannel
  onOpenChannel -.->|"RPC"| onCall
  onUnregisterProxy --> onDisconnect["onDisconnect, when the session ends"]
  onDisconnect --> onShutdown["onShutdown, when the process stops"] --> undo
  refused -.-> onRefused
  proxyRefused -.-> onRefused
  streamRefused -.-> onRefused
  reload["reload: validate, set up, start what is new"] -->|"fails"| kept["everything stays as it was"]
  reload --> swap["swap of generations"] --> onReload
\`\`\`

On the client the same happens without onHello, onAuth, onRegisterProxy, onPublished and onUnregisterProxy, which are the server's.

## Each hook

${Object.entries(hookTable).map(section).join('\n')}
## Order

\`stage\` says where a tap stands: \`GUARD\` (-100) before \`NORMAL\` (0, the default) before \`OBSERVE\` (100), or any number
between. Within one stage the order of \`extensions\` in the configuration holds. \`rystra plugins:inspect\` shows it.

A guard answers "refuse" or nothing, never "allow": an early "allow" would skip the guards after it.

## Answers

Nothing is \`undefined\`; \`null\` counts as nothing, too. Anything that is neither nothing nor an answer of the hook, such as
\`true\` or \`{ denied: 'no' }\`, is an error of the tap, and treated as a throw: a misspelt refusal must not admit a peer.

What has to wait for a moment, a rate limit for example, puts a \`Transform\` into the path with \`through()\` in
onOpenStream, and lets back-pressure do the waiting; onData stays synchronous.

## Asynchronous taps

\`tap\` takes a function that returns at once, \`tapPromise\` one that returns a promise. An async function given to \`tap\` is
refused at set-up, by the names of the extension and the hook (\`extension.async-tap\`). A function that returns a promise
all the same is an error of the tap, each time: its answer would come too late.

A tap given to \`tapPromise\` may take \`timeout\` milliseconds: 5000 unless it says so itself, 0 for no limit. Afterwards it
counts as failed (\`hook.timeout\`), and what it answers later is ignored.

## Which streams a tap concerns

Taps of onOpenStream and onData may give \`concerns\`, a synchronous function of the stream. It is asked once for each stream and hook,
when the stream opens. A stream that no onData tap concerns keeps the fast path: its bytes never meet a tap. A \`concerns\`
that throws is a failure of its tap.

## When a tap fails

\`onFailure\` says what a throw, a timeout or an invalid answer means:

| Policy | Meaning |
|---|---|
| \`closed\` (default) | What the hook is about is refused, as the table of the hook says. |
| \`open\` | As if the tap had answered nothing. |
| \`skip\` | As \`open\`, and the tap is left out for the next 30 seconds. |

For observers \`closed\` is the same as \`open\`: what they see has happened already. With onAuth, \`open\` lets the next tap answer; when
no tap answers, the peer is still refused.

Each failure is logged with the extension, the hook and the error, at most once a second for each tap. The peer is told
\`hook.failed\` and the name of the extension where the answer goes to the peer at all, never the error itself.

## What is counted

For each tap: calls, errors, timeouts, how often it was skipped, and the milliseconds it took, waiting included. The numbers
go on over a reload for an extension that is kept. \`kernel.inspect()\` has them.

## After the set-up

\`tap\`, \`tapPromise\` and \`registries.*.add\` throw \`extension.too-late\` once \`setup\` has returned. What an extension looks up
in \`registries\` later, it finds in the newest generation it is part of.
`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(fileURLToPath(new URL('../../../docs/reference/hooks.md', import.meta.url)), hooksPage())
}
