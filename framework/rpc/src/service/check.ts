import { Errors, Check as isOf, type TSchema, TypeCompiler } from '@rystra/model/schema'
import { rpcError } from '../error.js'
import type { Check } from '../router/route.js'

const known = new WeakMap<TSchema, Check>()

/** Compiled where code may be generated (not under `--disallow-code-generation-from-strings`). */
const compile = (schema: TSchema): ((value: unknown) => boolean) => {
  try {
    const compiled = TypeCompiler.Compile(schema)
    return (value) => compiled.Check(value)
  } catch {
    return (value) => isOf(schema, value)
  }
}

/** The check of a schema. It names the path of the first thing that does not fit, and not its value, which may be secret. */
export const checkOf = (schema: TSchema): Check => {
  const found = known.get(schema)
  if (found !== undefined) return found
  let fits: ((value: unknown) => boolean) | undefined
  const check: Check = (value) => {
    // At the first use: compiling takes a millisecond.
    fits ??= compile(schema)
    if (fits(value)) return
    const first = Errors(schema, value).First()
    throw rpcError('rpc.invalid', first === undefined ? 'not valid' : `${first.path || '/'}: ${first.message}`)
  }
  known.set(schema, check)
  return check
}
