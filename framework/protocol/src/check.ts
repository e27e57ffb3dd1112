import { Check, Errors, Kind, type TObject, type TSchema, TypeCompiler } from '@rystra/model/schema'
import { definitions, type Fields, type MessageName } from './messages.js'

type Fit = (value: unknown) => boolean
type Body = Record<string, unknown>
type Copy = (value: never) => unknown

/** What is done with one known field on its way in or out. */
interface Step {
  readonly key: string
  /** Left out: the value is taken as it is. */
  readonly copy?: Copy
}

/** Compiles a schema where code may be generated (not under `--disallow-code-generation-from-strings`). */
const compile = (schema: TSchema): Fit => {
  try {
    const compiled = TypeCompiler.Compile(schema)
    return (value) => compiled.Check(value)
  } catch {
    return (value) => Check(schema, value)
  }
}

const stepsOf = (schema: TObject): readonly Step[] =>
  Object.entries(schema.properties).map(([key, property]) => {
    // Decoded bytes look into a buffer that will be reused.
    if (property[Kind] === 'Uint8Array') return { key, copy: (value: Uint8Array) => new Uint8Array(value) }
    if (property[Kind] !== 'Object' || property.additionalProperties === true) return { key }
    const inner = stepsOf(property as TObject)
    return { key, copy: (value: Body) => take(inner, {}, value) }
  })

const take = (steps: readonly Step[], into: Body, from: Body): Body => {
  for (const { key, copy } of steps) {
    const value = from[key]
    if (value === undefined) continue
    into[key] = copy === undefined ? value : copy(value as never)
  }
  return into
}

/** Checks bodies of one kind of message and takes over what is known of them. */
export class BodyCheck<Name extends MessageName> {
  private fit: Fit | undefined
  private readonly steps: readonly Step[]

  constructor(private readonly name: Name) {
    this.steps = stepsOf(definitions[name].body)
  }

  /** What is wrong with a body, in words without its values: they may be secret. Nothing when it is good. */
  problem(body: unknown): string | undefined {
    const { body: schema, refine } = definitions[this.name]
    // Compiled at the first use: it takes a millisecond or two for each kind of message.
    this.fit ??= compile(schema)
    if (this.fit(body)) {
      const wrong = (refine as ((body: unknown) => string | undefined) | undefined)?.(body)
      return wrong === undefined ? undefined : `${this.name}: ${wrong}`
    }
    const first = Errors(schema, body).First()
    return `${this.name}: ${first === undefined ? 'not valid' : `${first.path}: ${first.message}`}`
  }

  /** The known fields of a good body, in the order of the wire, with memory of their own, put into `into`. */
  take(into: Record<string, unknown>, body: unknown): Fields<Name> {
    return take(this.steps, into, body as Body) as Fields<Name>
  }
}
