import { type Problem, at, show } from './problem.js'

/** Deeper than any honest configuration; keeps the recursion below within the stack. */
const maxDepth = 64
/** More than any honest configuration has, counted as written out: what a YAML bomb unfolds into ends here. */
const maxNodes = 200_000

const reserved = new Set(['__proto__', 'constructor', 'prototype'])

/** Whether a value is an object that only holds fields. Objects of another realm, a loader's for example, count. */
export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty'))
}

/**
 * Fields whose whole value came from a variable, by the object that has them. A variable is always text: where a number
 * or a boolean is expected, text that came from one is read as such; text that was written is not.
 */
const textual = new WeakMap<object, Set<string | number>>()

/** Remembers that the whole value of a field came from a variable. */
export const markVariable = (parent: object, key: string | number): void => {
  textual.set(parent, (textual.get(parent) ?? new Set()).add(key))
}

/** Whether the whole value of a field came from a variable. */
export const isFromVariable = (parent: object, key: string | number): boolean => textual.get(parent)?.has(key) ?? false

/** Remembers what is known of a field also for a copy of its object. */
export const carryVariables = (from: object, to: object): void => {
  const keys = textual.get(from)
  if (keys !== undefined) textual.set(to, new Set(keys))
}

/** Called for each string; what it returns takes its place. */
export type EachString = (text: string, path: string, parent: object, key: string | number) => string

/**
 * A deep copy of plain objects and lists; everything else is kept as it is, since code may put anything into options.
 * Reserved keys, cycles, getters that throw, and what is too deep or too large become problems.
 */
export const copyPlain = (root: unknown, problems: Problem[], eachString?: EachString): unknown => {
  let nodes = 0
  let full = false

  const report = (path: string, value: string, expected: string): undefined => {
    problems.push({ path, value, expected })
    return undefined
  }

  const copy = (value: unknown, path: string, depth: number, parent: object, key: string | number): unknown => {
    if (full) return undefined
    if (++nodes > maxNodes) {
      full = true
      return report('', `more than ${maxNodes} values`, 'a smaller configuration')
    }
    if (typeof value === 'string') return eachString === undefined ? value : eachString(value, path, parent, key)
    if (Array.isArray(value)) {
      if (depth > maxDepth) return report(path, 'deeper nesting, or a cycle', `at most ${maxDepth} levels`)
      const list: unknown[] = []
      carryVariables(value, list)
      for (let i = 0; i < value.length && !full; i++) list.push(copy(value[i], at(path, i), depth + 1, list, i))
      return list
    }
    if (!isPlain(value)) return value
    if (depth > maxDepth) return report(path, 'deeper nesting, or a cycle', `at most ${maxDepth} levels`)
    const object: Record<string, unknown> = {}
    carryVariables(value, object)
    for (const name of Object.keys(value)) {
      if (reserved.has(name)) report(at(path, name), 'a reserved key', 'another name')
      else if (value[name] !== undefined) object[name] = copy(value[name], at(path, name), depth + 1, object, name)
      if (full) break
    }
    return object
  }

  try {
    return copy(root, '', 0, {}, '')
  } catch (error) {
    return report('', 'something that throws when it is read', `plain values (${show(String(error), 'error')})`)
  }
}
