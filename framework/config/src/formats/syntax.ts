import { ConfigError } from '../problem.js'

/** An error that says where. Lines and columns count from 1. */
export const syntax = (file: string, what: string, line?: number, column?: number, cause?: unknown): ConfigError => {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`
  const error = new ConfigError('config.syntax', [], file, [
    `${place}: ${/call stack/.test(what) ? 'nested too deeply' : what.trim()}`
  ])
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true })
  return error
}
