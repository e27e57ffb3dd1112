import type { TSchema } from '@rystra/plugin'
import { Value } from '@sinclair/typebox/value'
import { registered } from './setup.js'

/** Whether the fields of an entry of the configuration are valid. */
export const checkFields = (name: 'ws' | 'wss', what: 'listen' | 'dial', fields: object): boolean => {
  const transport = registered(name)
  const schema = (what === 'listen' ? transport.listenOptions : transport.dialOptions) as TSchema
  return Value.Check(schema, Value.Default(schema, structuredClone(fields)))
}
