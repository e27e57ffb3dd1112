import { apiVersion, type ExtensionUse, isExtension, isRystraError, isSecretName, type Side } from '@rystra/plugin'
import { Kind, type TSchema, Value } from '@rystra/model/schema'
import assert from 'node:assert/strict'
import { resolveOptions, type SetUp, setUpExtension } from './harness.js'
import { caseMaker, defineKit, type Kit } from './kit.js'
import { grownResources, processListeners, resources, untilFreed } from './resources.js'
import type { Scope } from './scope.js'
import { turns } from '../until.js'

/** An extension under test. */
export interface ExtensionSubject {
  /** The extension, with options that it can be started with. */
  readonly use: ExtensionUse
  /** Where it runs. @default both */
  readonly roles?: readonly Side[]
  /** The same with options that its start must fail with, if there are such. */
  readonly failing?: ExtensionUse
  /** Options that must be refused, each with a name for the report. */
  readonly invalid?: Readonly<Record<string, unknown>>
}

class World {
  constructor(
    readonly subject: ExtensionSubject,
    readonly scope: Scope
  ) {}

  get schema(): TSchema {
    return this.subject.use.extension.definition.options as TSchema
  }

  get roles(): readonly Side[] {
    return this.subject.roles ?? ['server', 'client']
  }

  setUp(role: Side, use = this.subject.use): SetUp {
    const setUp = setUpExtension(use, role)
    this.scope.defer(() => setUp.stop())
    return setUp
  }

  async each(body: (role: Side) => Promise<void> | void): Promise<void> {
    for (const role of this.roles) await body(role)
  }
}

const it = caseMaker<ExtensionSubject, World>((subject, scope) => new World(subject, scope))

const AsyncFunction = (async () => {}).constructor

type Field = readonly [path: string, schema: TSchema, set: (value: unknown) => unknown]

/** Every field of the options, however deep, with what the whole options look like when it has another value. */
const fieldsOf = (
  schema: TSchema,
  whole: unknown,
  path = '',
  into: (value: unknown) => unknown = (value) => value
): Field[] =>
  Object.entries((schema.properties ?? {}) as Record<string, TSchema>).flatMap(([name, field]): Field[] => {
    const here = (whole ?? {}) as Record<string, unknown>
    const set = (value: unknown): unknown => into({ ...here, [name]: value })
    return [[`${path}/${name}`, field, set], ...fieldsOf(field, here[name], `${path}/${name}`, set)]
  })

/** Of one of these every schema but `Any` and `Unknown` says no. */
const oddities = [Symbol('odd'), () => 'odd']

const cases = [
  it('is what defineExtension() makes, for this version of the contracts', ({ subject: { use } }) => {
    assert.ok(isExtension(use.extension), 'it was not made by defineExtension()')
    assert.equal(use.extension.apiVersion, apiVersion, 'apiVersion')
    assert.match(use.extension.definition.name, /^[a-z0-9]+(-[a-z0-9]+)*$/, 'the name is not in kebab case')
  }),
  it('describes its options as an object', ({ schema }) => {
    assert.equal(schema[Kind], 'Object', 'the options are not an object')
  }),
  it('has defaults that fit its own options', ({ schema }) => {
    for (const [path, field] of fieldsOf(schema, {})) {
      if (!('default' in field)) continue
      assert.ok(
        Value.Check(field, field.default),
        `the default of ${path} is not valid: ${JSON.stringify(field.default)}`
      )
    }
  }),
  it('describes every option in words', ({ schema }) => {
    for (const [path, field] of fieldsOf(schema, {})) {
      assert.ok(typeof field.description === 'string' && field.description !== '', `${path} has no description`)
    }
  }),
  it('says of every option whose name sounds like a secret whether it is one', ({ schema }) => {
    for (const [path, field] of fieldsOf(schema, {})) {
      const sounds = field.type === 'string' && isSecretName(path.split('/').at(-1) ?? '')
      assert.ok(!sounds || typeof field.secret === 'boolean', `${path} says neither secret: true nor secret: false`)
    }
  }),
  it('refuses options that it does not know', ({ schema, subject: { use } }) => {
    const given = { ...(use.options as object), 'no-such-option': 1 }
    assert.throws(() => resolveOptions({ ...use, options: given }), /no-such-option/, 'an unknown option was taken')
    for (const [path, field] of fieldsOf(schema, {})) {
      assert.notEqual(field.additionalProperties, true, `${path} takes whatever it is given`)
    }
  }),
  it('refuses options of the wrong type', ({ schema, subject: { use } }) => {
    const right = Value.Default(schema, structuredClone(use.options))
    for (const [path, field, set] of fieldsOf(schema, right)) {
      if (field[Kind] === 'Unknown') continue
      const taken = oddities.filter((value) => Value.Check(schema, set(value)))
      assert.equal(taken.length, 0, `${path} takes a value of any type`)
    }
  }),
  it('refuses the options that are said to be invalid', ({ subject: { use, invalid = {} }, roles }) => {
    for (const [what, options] of Object.entries(invalid)) {
      const verdicts = roles.map((role) => {
        try {
          setUpExtension({ ...use, options }, role)
          return undefined
        } catch (error) {
          assert.ok(isRystraError(error), `${what}: failed with ${error}, which is no RystraError`)
          return error
        }
      })
      assert.ok(
        verdicts.some((error) => error !== undefined),
        `${what}: taken`
      )
    }
  }),
  it('can be set up under each role', (world) => world.each((role) => void world.setUp(role))),
  it('is set up at once, without a promise', (world) =>
    world.each((role) => {
      const { answer } = world.setUp(role)
      assert.ok(typeof (answer as { then?: unknown })?.then !== 'function', 'setup() returned a promise')
    })),
  it('registers and taps something', (world) => {
    const sum = world.roles.map((role) => {
      const { taps, registries } = world.setUp(role)
      return taps.length + Object.values(registries).reduce((count, registry) => count + registry.list().length, 0)
    })
    assert.ok(
      sum.some((count) => count > 0),
      'it neither taps nor registers anything, under no role'
    )
  }),
  it('registers only things that have a name', (world) =>
    world.each((role) => {
      for (const [name, registry] of Object.entries(world.setUp(role).registries)) {
        assert.ok(!registry.list().includes(''), `a thing without a name in ${name}`)
      }
    })),
  it('gives no async function to a synchronous tap', (world) =>
    world.each((role) => {
      for (const { hook, promise, fn } of world.setUp(role).taps) {
        assert.ok(promise || !(fn instanceof AsyncFunction), `an async function is tapped into ${hook} with tap()`)
      }
    })),
  it('leaves its options as they are', (world) =>
    world.each(async (role) => {
      const { use } = world.subject
      const before = JSON.stringify(resolveOptions(use))
      // not frozen: outside of strict mode a write to what is frozen goes unnoticed
      const setUp = setUpExtension(use, role, { frozen: false })
      world.scope.defer(() => setUp.stop())
      await world.scope.wait(setUp.start(), 'start()')
      await world.scope.wait(setUp.stop(), 'stop()')
      assert.equal(JSON.stringify(setUp.options), before, 'it changed its options')
    })),
  it(
    'opens nothing while it is set up',
    (world) =>
      world.each(async (role) => {
        const [before, heard] = [resources(), processListeners()]
        world.setUp(role)
        await turns(3)
        assert.deepEqual(grownResources(before), [], `setup() opened something as ${role}`)
        assert.equal(processListeners(), heard, `setup() listens to the process as ${role}`)
      }),
    { alone: true }
  ),
  it('neither taps nor registers after its set-up', (world) =>
    world.each(async (role) => {
      const setUp = world.setUp(role)
      await world.scope.wait(setUp.start(), 'start()')
      await turns(5)
      await world.scope.wait(setUp.stop(), 'stop()')
    })),
  it(
    'closes all it opened when it is stopped',
    (world) =>
      world.each(async (role) => {
        const [before, heard] = [resources(), processListeners()]
        const setUp = setUpExtension(world.subject.use, role)
        await setUp.start()
        await setUp.stop()
        await untilFreed(world.scope, before, `stop() left something open as ${role}`)
        assert.equal(processListeners(), heard, `stop() left a listener on the process as ${role}`)
      }),
    { alone: true }
  ),
  it('can be stopped without having been started', (world) =>
    world.each((role) => world.scope.wait(world.setUp(role).stop(), 'stop() without start()'))),
  it('can be stopped twice', (world) =>
    world.each(async (role) => {
      const setUp = world.setUp(role)
      await setUp.start()
      await world.scope.wait(setUp.stop(), 'stop()')
      await world.scope.wait(setUp.stop(), 'the second stop()')
    })),
  it(
    'can be stopped after a start that failed, and leaves nothing open',
    async (world) => {
      const { failing } = world.subject
      if (failing === undefined) return
      const before = resources()
      let failed = false
      for (const role of world.roles) {
        const setUp = setUpExtension(failing, role)
        const error = await setUp.start().then(
          () => undefined,
          (thrown: unknown) => thrown
        )
        failed ||= error !== undefined
        await setUp.stop()
        await untilFreed(world.scope, before, `stop() left something open after a failed start as ${role}`)
      }
      assert.ok(failed, 'the start that had to fail did not, under no role')
    },
    { alone: true }
  ),
  it('takes what its predecessor hands over on a reload, and ignores what another version did', (world) =>
    world.each(async (role) => {
      const { use } = world.subject
      const before = world.setUp(role)
      await world.scope.wait(before.start(), 'start()')
      const state = before.handover()
      assert.ok(!(state instanceof Promise), 'handover() returned a promise')
      for (const previous of [state, {}, [], 'of another version', 1]) {
        let successor: SetUp | undefined
        try {
          successor = setUpExtension(use, role, { previous })
          await world.scope.wait(successor.start(), 'start() of the successor')
        } catch (error) {
          assert.fail(`a successor that was handed ${JSON.stringify(previous)} failed: ${error}`)
        } finally {
          await successor?.stop()
        }
      }
      await world.scope.wait(before.stop(), 'stop() of the predecessor after its successor')
    })),
  it('can be there twice', (world) =>
    world.each(async (role) => {
      const [one, two] = [world.setUp(role), world.setUp(role)]
      await world.scope.wait(one.start(), 'start()')
      await world.scope.wait(two.start(), 'start() of a second instance')
      await world.scope.wait(one.stop(), 'stop()')
      await world.scope.wait(two.stop(), 'stop() of the second instance after the first')
    }))
]

/** What every extension must do, whatever it is for. Call it where `describe` may be called. */
export const extensionKit: Kit<ExtensionSubject> = defineKit('extension', cases)
