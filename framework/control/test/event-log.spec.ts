import { type Logger, RystraError, silentLog, type StreamInfo } from '@rystra/model'
import type { RuntimeEvent } from '@rystra/plugin'
import { expect } from 'chai'
import { eventError, EventLog } from '../src/index.js'

const made = (log: Logger = silentLog) => {
  let now = 1_000_000
  const events = new EventLog({ now: () => now, after: () => () => {} }, log)
  const pass = (ms: number): void => {
    now += ms
  }
  return { events, pass }
}

const refusal = (subject: string) => ({
  what: 'session' as const,
  subject,
  error: eventError(new RystraError('auth.refused', { side: 'server' }))
})

const level = (events: EventLog, times: number): void => {
  for (let n = 0; n < times; n += 1) events.emit('log.level', { level: 'info' })
}

describe('an event log', () => {
  it('hands out what came behind a number, or says that it is gone', () => {
    const { events } = made()
    expect([events.sequence, events.since(0), events.since(1)]).to.deep.equal([0, [], undefined])
    level(events, 3)
    expect(events.since(1)?.map(({ sequence }) => sequence)).to.deep.equal([2, 3])
    level(events, 1024)
    expect([events.since(2), events.since(3)?.length, events.since(1026)?.length]).to.deep.equal([undefined, 1024, 1])
    expect(events.since(3)?.[0]?.sequence).to.equal(4)
    expect(events.since(1027)).to.deep.equal([])
  })

  it('has another name in each run', () => {
    expect(made().events.run).not.to.equal(made().events.run)
  })

  it('makes 50 events of refusals in a second, and counts the others', () => {
    const { events, pass } = made()
    for (let n = 0; n < 1000; n += 1) events.refused(refusal(String(n)))
    expect(events.sequence).to.equal(50)
    pass(1000)
    events.refused(refusal('next'))
    const [next] = events.since(50) as readonly (RuntimeEvent & { type: 'refused' })[]
    expect([next?.subject, next?.more]).to.deep.equal(['next', 950])
    events.refused(refusal('last'))
    const [last] = events.since(51) as readonly (RuntimeEvent & { type: 'refused' })[]
    expect([last?.subject, last?.more]).to.deep.equal(['last', undefined])
  })

  it('tells of streams as long as a subscriber asks for them', () => {
    const { events } = made()
    const received: string[] = []
    const stop = events.subscribe(({ type, sequence }) => void received.push(`${type} ${sequence}`), { streams: true })
    level(events, 1)
    events.stream('stream.opened', {} as StreamInfo)
    stop()
    events.stream('stream.opened', {} as StreamInfo)
    expect(received).to.deep.equal(['log.level 1', 'stream.opened 1'])
    expect(events.since(0)).to.have.length(1)
  })

  it('logs what a subscriber throws, and tells the others', () => {
    const logged: unknown[] = []
    const { events } = made({ ...silentLog, error: (...args: unknown[]) => void logged.push(args[1]) })
    const received: string[] = []
    events.subscribe(() => {
      throw new Error('on purpose')
    })
    events.subscribe(({ type }) => void received.push(type))
    level(events, 1)
    expect([received, logged]).to.deep.equal([['log.level'], ['a subscriber of events threw']])
  })

  it('warns once of what a subscriber throws where no log was given', () => {
    const { events } = made()
    const { emitWarning } = process
    const warnings: string[] = []
    process.emitWarning = (warning: string | Error) => void warnings.push(String(warning))
    try {
      events.subscribe(() => {
        throw new Error('on purpose')
      })
      level(events, 2)
    } finally {
      process.emitWarning = emitWarning
    }
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.match(/subscriber of events threw \(log\.level\): Error: on purpose/)
  })
})
