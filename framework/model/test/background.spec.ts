import { expect } from 'chai'
import { background, RystraError } from '../src/index.js'

describe('work in the background', () => {
  const logged: [string, object][] = []
  const log = {
    error: (fields: object | string, message?: string) => void logged.push([String(message), fields as object])
  }

  beforeEach(() => logged.splice(0))

  it('is logged with its code when it fails, and rejects nowhere', async () => {
    const unhandled: unknown[] = []
    const listener = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', listener)
    background(Promise.reject(new RystraError('session.lost')), log, 'a session was not left')
    background(Promise.reject(new Error('no code')), log, 'another')
    await new Promise((resolve) => setTimeout(resolve))
    process.off('unhandledRejection', listener)
    expect(logged.map(([message, fields]) => [message, (fields as { err: RystraError }).err.code])).to.deep.equal([
      ['a session was not left', 'session.lost'],
      ['another', 'internal']
    ])
    expect(unhandled).to.deep.equal([])
  })

  it('says nothing of what succeeds', async () => {
    const work = Promise.resolve(1)
    background(work, log, 'it failed')
    await work
    expect(logged).to.deep.equal([])
  })
})
