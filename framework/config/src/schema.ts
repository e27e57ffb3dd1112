import { type Kind, type Static, type TObject, type TOptional, type TSchema, Type } from '@rystra/model/schema'

/** On a schema: makes the final value of what was written; throws an Error that says what is wrong. */
export const resolveKey = Symbol.for('rystra.config.resolve')
/** On a schema: the schema of the final value, as it is sent to the other end. */
export const finalKey = Symbol.for('rystra.config.final')
/** On a schema: what is expected, in words. */
export const expectedKey = Symbol.for('rystra.config.expected')
declare const openMark: unique symbol

/** A value that is written in one form and used in another: `'30s'` and 30000. */
export interface TResolved<Written, Final> extends TSchema {
  [Kind]: string
  static: Written
  final: Final
}

/** An object that others may add fields to: a transport, or a proxy kind. */
export type Open<Schema> = Schema & { readonly [openMark]: true }

/** A field that may be left out, and then has a value all the same. */
export type Defaulted<Schema extends TSchema> = TOptional<Schema> & { readonly default: Schema['static'] }

type Properties<Schema> = Schema extends TObject<infer P> ? P : never
type Keys<Schema> = keyof Properties<Schema>
/** Keys that may be left out. */
type Loose<Schema> = { [K in Keys<Schema>]: Properties<Schema>[K] extends TOptional<TSchema> ? K : never }[Keys<Schema>]
/** Keys that may be left out and have no default. */
type Absent<Schema> = {
  [K in Keys<Schema>]: Properties<Schema>[K] extends TOptional<TSchema>
    ? Properties<Schema>[K] extends { readonly default: unknown }
      ? never
      : K
    : never
}[Keys<Schema>]
type MaybeOpen<Schema, Value> = Schema extends { readonly [openMark]: true }
  ? Value & { readonly [field: string]: unknown }
  : Value
type StaticOf<Schema> = Schema extends { readonly static: infer Value } ? Value : never
type Flat<T> = { [K in keyof T]: T[K] }
type WrittenFields<P> = { readonly [K in keyof P]: Written<P[K]> }
type ResolvedFields<P> = { readonly [K in keyof P]: Resolved<P[K]> }
type Loosen<Fields, Keys> = Flat<Omit<Fields, Keys & keyof Fields> & Partial<Pick<Fields, Keys & keyof Fields>>>

/** What may be written for a schema: whatever has a default may be left out. */
export type Written<Schema> =
  Schema extends TResolved<infer Value, infer _>
    ? Value
    : Schema extends TObject
      ? MaybeOpen<Schema, Loosen<WrittenFields<Properties<Schema>>, Loose<Schema>>>
      : Schema extends { [Kind]: 'Array'; items: infer Item }
        ? readonly Written<Item>[]
        : StaticOf<Schema>

/** What the framework works with: every default filled in, durations in milliseconds, ports as ranges. */
export type Resolved<Schema> =
  Schema extends TResolved<infer _, infer Final>
    ? Final
    : Schema extends TObject
      ? MaybeOpen<Schema, Loosen<ResolvedFields<Properties<Schema>>, Absent<Schema>>>
      : Schema extends { [Kind]: 'Array'; items: infer Item }
        ? readonly Resolved<Item>[]
        : StaticOf<Schema>

/**
 * A schema of a value that is converted to another type. `json` is what JSON Schema says of it.
 * @param final schema of the final value, for fields that are sent
 */
export const resolved = <Value, Final>(
  expected: string,
  json: Record<string, unknown>,
  resolve: (value: unknown) => Final,
  final?: TSchema
): TResolved<Value, Final> =>
  Type.Unsafe<Value>({
    ...json,
    [resolveKey]: resolve,
    [expectedKey]: expected,
    [finalKey]: final
  } as object) as unknown as TResolved<Value, Final>

/** A schema, and what it expects in better words than its keywords make. */
export const said = <Schema extends TSchema>(schema: Schema, expected: string): Schema => ({
  ...schema,
  [expectedKey]: expected
})

/** A field that may be left out, and what it is then. */
export const defaulted = <Schema extends TSchema>(
  schema: Schema,
  value: Static<Schema>,
  description?: string
): Defaulted<Schema> =>
  Type.Optional({
    ...schema,
    default: value,
    ...(description === undefined ? {} : { description })
  }) as unknown as Defaulted<Schema>

/** An object of which this package knows some fields. */
export const open = <Schema extends TObject>(schema: Schema): Open<Schema> =>
  ({ ...schema, additionalProperties: true }) as unknown as Open<Schema>
