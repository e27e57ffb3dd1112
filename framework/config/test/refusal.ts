import { expect } from 'chai'
import { isRystraError } from '@rystra/model'
import { ConfigError, type Problem } from '../src/index.js'

/** The error that a call throws or rejects with; anything but a ConfigError of this code fails the test. */
export const refusal = async (code: string, call: () => unknown): Promise<ConfigError> => {
  let result: unknown
  try {
    result = await call()
  } catch (error) {
    if (!isRystraError(error)) throw error
    expect(error.code, error.message).to.equal(code)
    expect(error).to.be.instanceOf(ConfigError)
    return error as ConfigError
  }
  throw new Error(`expected ${code}, got ${JSON.stringify(result)}`)
}

/** The problem at a path. */
export const problemAt = (error: ConfigError, path: string): Problem => {
  const found = error.problems.find((problem) => problem.path === path)
  expect(found, `a problem at ${path}; there are: ${error.problems.map((p) => p.path).join(', ')}`).not.to.equal(
    undefined
  )
  return found as Problem
}
