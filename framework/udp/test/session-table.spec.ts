import { expect } from 'chai'
import { defaultLimits } from '../src/limits.js'
import { SessionTable } from '../src/session-table.js'

describe('the sessions of UDP visitors', () => {
  it('leave room for others when one address comes from many ports', () => {
    const table = new SessionTable({ ...defaultLimits, maxSessions: 64, maxSessionsPerVisitor: 16 }, 0)
    const come = (host: string, port: number, now: number): boolean => {
      if (!table.makeRoom(host, now, (session) => table.remove(session))) return false
      table.add(host, port, now)
      return true
    }
    const begun = Array.from({ length: 1000 }, (_, index) => come('192.0.2.1', index + 1, 0)).filter(Boolean)
    expect(begun.length).to.be.within(16, 17)
    expect(come('192.0.2.2', 1, 0), 'another address').to.equal(true)
    expect(come('192.0.2.1', 2000, 1000), 'the same, later').to.equal(true)
    expect(table.size).to.equal(17)
  })
})
