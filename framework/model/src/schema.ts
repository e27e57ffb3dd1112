// TypeBox as one module: the libraries of ours import it from here, and it is a part of the code that is built.
export * from '@sinclair/typebox'
export { TypeCompiler } from '@sinclair/typebox/compiler'
export { Errors } from '@sinclair/typebox/errors'
export { Check, Value, type ValueError, ValueErrorType } from '@sinclair/typebox/value'
