import { defineExtension, type Extension, type ExtensionDefinition, type TSchema, Type } from '@rystra/plugin'
import { createServer, type Server } from 'node:net'
import { extensionKit, type ExtensionSubject } from '../../src/index.js'
import { killsMutants, type Mutant } from './mutant.js'

type Definition = Partial<ExtensionDefinition<TSchema>>

const option = Type.Integer({ default: 1, description: 'A number' })
const options = Type.Object({ number: option })

/** A good extension: it registers, taps, and listens on a port from start to stop. */
const good = (change: Definition = {}): Extension =>
  defineExtension({
    name: 'simple',
    options,
    setup({ hooks, registries }) {
      registries.relays.add({
        name: 'simple',
        accepts: () => false,
        join: () => undefined
      })
      hooks.onHello.tapPromise(async () => undefined)
      return listening()
    },
    ...change
  } as ExtensionDefinition<TSchema>) as unknown as Extension

const listening = (fails = false): { start(): Promise<void>; stop(): Promise<void> } => {
  let server: Server | undefined
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server = createServer().listen(0, '127.0.0.1', () => (fails ? reject(new Error('no')) : resolve()))
      }),
    stop: async () => {
      server?.close()
    }
  }
}

const subject = (extension: Extension, more: Partial<ExtensionSubject> = {}): ExtensionSubject => ({
  use: { extension, options: {} },
  failing: { extension: good({ setup: () => listening(true) }), options: {} },
  invalid: { 'a word for a number': { number: 'one' } },
  ...more
})

const mutant = (
  because: RegExp,
  change: Definition | (() => Definition),
  more?: Partial<ExtensionSubject>
): Mutant<ExtensionSubject> => ({
  because,
  subject: () => subject(good(typeof change === 'function' ? change() : change), more)
})

/** What mutants leave open is closed in the end all the same. */
const left: Server[] = []
const leave = (): void => void left.push(createServer().listen(0, '127.0.0.1'))
const setup = (body: () => void): Definition => ({
  setup: ({ hooks }) => {
    hooks.onConnect.tap(() => {})
    body()
  }
})
const quietSetup = (lifecycle: object): Definition => ({
  setup: ({ hooks }) => {
    hooks.onConnect.tap(() => {})
    return lifecycle
  }
})

after(() => {
  for (const server of left) server.close()
})

killsMutants('extension', extensionKit, [() => subject(good())], {
  'is what defineExtension() makes, for this version of the contracts': mutant(/kebab case/, {
    name: 'Simple Extension'
  }),
  'describes its options as an object': mutant(/not an object/, { options: Type.Any() }),
  'has defaults that fit its own options': mutant(/the default of \/number is not valid/, {
    options: Type.Object({ number: Type.Integer({ default: 'one', description: 'A number' }) })
  }),
  'describes every option in words': mutant(/\/number has no description/, {
    options: Type.Object({ number: Type.Integer() })
  }),
  'says of every option whose name sounds like a secret whether it is one': mutant(/\/apiToken says neither/, {
    options: Type.Object({ apiToken: Type.String({ default: '', description: 'A token' }) })
  }),
  'refuses options that it does not know': mutant(/an unknown option was taken/, {
    options: Type.Object({ number: option }, { additionalProperties: true })
  }),
  'refuses options of the wrong type': mutant(/\/number takes a value of any type/, {
    options: Type.Object({ number: Type.Any({ description: 'A number' }) })
  }),
  'refuses the options that are said to be invalid': mutant(
    /a negative number: taken/,
    {},
    {
      invalid: { 'a negative number': { number: -1 } }
    }
  ),
  'can be set up under each role': mutant(/only for servers/, {
    setup: ({ role }) => {
      if (role === 'client') throw new Error('only for servers')
    }
  }),
  'is set up at once, without a promise': mutant(/setup\(\) returned a promise/, {
    setup: (async () => {}) as unknown as () => undefined
  }),
  'registers and taps something': mutant(/neither taps nor registers anything/, { setup: () => {} }),
  'registers only things that have a name': mutant(/without a name in relays/, {
    setup: ({ registries }) => registries.relays.add({ name: '', accepts: () => false, join: () => undefined })
  }),
  'gives no async function to a synchronous tap': mutant(/an async function is tapped into onHello/, {
    setup: ({ hooks }) => hooks.onHello.tap((async () => undefined) as unknown as () => undefined)
  }),
  'leaves its options as they are': mutant(/it changed its options/, {
    setup: ({ options }) => {
      ;(options as { number: number }).number = 2
    }
  }),
  'opens nothing while it is set up': mutant(/setup\(\) opened something/, setup(leave)),
  'neither taps nor registers after its set-up': mutant(/after its set-up/, {
    setup: ({ hooks }) => ({ start: () => hooks.onConnect.tap(() => {}) })
  }),
  'closes all it opened when it is stopped': mutant(/stop\(\) left something open/, quietSetup({ start: leave })),
  'can be stopped without having been started': mutant(/never started/, () => {
    let started = false
    return quietSetup({
      start: () => {
        started = true
      },
      stop: () => {
        if (!started) throw new Error('never started')
      }
    })
  }),
  'can be stopped twice': mutant(/not running/, {
    setup: ({ hooks }) => {
      hooks.onConnect.tap(() => {})
      let running = true
      return {
        stop: () => {
          if (!running) throw new Error('not running')
          running = false
        }
      }
    }
  }),
  'takes what its predecessor hands over on a reload, and ignores what another version did': mutant(
    /handed \{\} failed/,
    {
      setup: ({ hooks, previous }) => {
        const counts =
          previous === undefined ? new Map() : new Map([...(previous as { counts: Map<string, 1> }).counts])
        hooks.onConnect.tap(() => {})
        return { handover: () => ({ counts }) }
      }
    }
  ),
  'can be stopped after a start that failed, and leaves nothing open': mutant(
    /left something open after a failed start/,
    {},
    {
      failing: {
        extension: good(
          quietSetup({
            start: () => {
              leave()
              throw new Error('no')
            }
          })
        ),
        options: {}
      }
    }
  ),
  'can be there twice': mutant(/there is one already/, () => {
    let running = 0
    return quietSetup({
      start: () => {
        if (running++ > 0) throw new Error('there is one already')
      },
      stop: () => {
        running = 0
      }
    })
  })
})
