import { hopByHopHeaders } from '@rystra/net'
import { pattern } from '@rystra/address'
import { type HeaderField, type RequestContext, type ResponseContext, RystraError } from '@rystra/plugin'
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { compileChange } from './change.js'
import { invalid } from './invalid.js'
import type { HeadRule } from './options.js'

/** A valid request target. */
const targetPattern = /^(\/[\x21-\x7e]*|\*)$/

/** Changes the headers of one head, in place. */
type HeadersChange = (headers: HeaderField[]) => void

const checkName = (name: string, path: string): void => {
  try {
    validateHeaderName(name)
  } catch (error) {
    throw invalid(path, `invalid header name ${JSON.stringify(name)}`, error)
  }
  if (hopByHopHeaders.has(name.toLowerCase()))
    throw invalid(path, `${name} is a framing or connection header and cannot be changed`)
}

const checkValue = (name: string, value: string, path: string): void => {
  try {
    validateHeaderValue(name, value)
  } catch (error) {
    throw invalid(`${path}.${name}`, 'invalid header value', error)
  }
}

const put = (headers: HeaderField[], kept: HeaderField[]): void => void headers.splice(0, headers.length, ...kept)

const removing = (names: readonly string[], path: string): HeadersChange => {
  const gone = names.map((name, index) => {
    if (!name.includes('*')) checkName(name, `${path}[${index}]`)
    return pattern(name.toLowerCase())
  })
  return (headers) => {
    put(
      headers,
      headers.filter(([name]) => {
        const lower = name.toLowerCase()
        return hopByHopHeaders.has(lower) || !gone.some((matches) => matches(lower))
      })
    )
  }
}

const setting = (name: string, value: string, path: string): HeadersChange => {
  checkName(name, path)
  checkValue(name, value, path)
  const lower = name.toLowerCase()
  return (headers) => {
    const at = headers.findIndex(([other]) => other.toLowerCase() === lower)
    const kept = headers.filter(([other]) => other.toLowerCase() !== lower)
    kept.splice(at === -1 ? kept.length : at, 0, [name, value])
    put(headers, kept)
  }
}

const adding = (name: string, value: string, path: string): HeadersChange => {
  checkName(name, path)
  if (name.toLowerCase() === 'host') throw invalid(path, 'a request has a single Host: use set')
  checkValue(name, value, path)
  return (headers) => void headers.push([name, value])
}

const replacing = (entry: NonNullable<HeadRule['replace']>[number], path: string): HeadersChange => {
  checkName(entry.header, `${path}.header`)
  const lower = entry.header.toLowerCase()
  const change = compileChange(entry, path)
  return (headers) => {
    for (const [index, [name, value]] of headers.entries()) {
      if (name.toLowerCase() !== lower) continue
      const made = change(value)
      try {
        validateHeaderValue(name, made)
      } catch (error) {
        throw new RystraError('hook.failed', {
          detail: `hook-rewrite: ${path}: result is not a valid header value`,
          cause: error
        })
      }
      headers[index] = [name, made]
    }
  }
}

/** One entry of `heads`. Throws `extension.options`. Order: remove, replace, set, add. */
const compileHeaders = (rule: HeadRule, path: string): HeadersChange => {
  const { remove, replace = [], set = {}, add = {} } = rule
  const changes = [
    ...(remove === undefined ? [] : [removing(remove, `${path}.remove`)]),
    ...replace.map((entry, index) => replacing(entry, `${path}.replace[${index}]`)),
    ...Object.entries(set).map(([name, value]) => setting(name, value, `${path}.set`)),
    ...Object.entries(add).map(([name, value]) => adding(name, value, `${path}.add`))
  ]
  return (headers) => {
    for (const change of changes) change(headers)
  }
}

/** The same for a whole request. */
export const compileRequest = (rule: HeadRule, path: string): ((context: RequestContext) => void) => {
  const headers = compileHeaders(rule, path)
  const target = rule.target === undefined ? undefined : compileChange(rule.target, `${path}.target`)
  return (context) => {
    headers(context.headers)
    if (target === undefined) return
    const made = target(context.target)
    if (!targetPattern.test(made)) {
      throw new RystraError('hook.failed', {
        detail: `hook-rewrite: ${path}.target: result is not a valid request target`
      })
    }
    context.target = made
  }
}

/** The same for the head of a response. */
export const compileResponse = (rule: HeadRule, path: string): ((context: ResponseContext) => void) => {
  if (rule.target !== undefined) throw invalid(`${path}.target`, 'not applicable to responses')
  const headers = compileHeaders(rule, path)
  return (context) => headers(context.headers)
}
