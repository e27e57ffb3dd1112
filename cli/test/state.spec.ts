import { expect } from 'chai'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { stateFolder } from '../src/run/state.js'

describe('the folder for what outlasts the process', () => {
  it('is beside the configuration, or that of the user without one', () => {
    expect(stateFolder(true, {})).to.equal(undefined)
    expect(stateFolder(false, {})).to.equal(join(homedir(), '.local/state/rystra'))
    expect(stateFolder(false, { XDG_STATE_HOME: '/var/state' })).to.equal('/var/state/rystra')
    expect(stateFolder(false, { XDG_STATE_HOME: 'relative' })).to.equal(join(homedir(), '.local/state/rystra'))
  })

  it('is the one that RYSTRA_STATE names, with a configuration or without', () => {
    const env = { RYSTRA_STATE: 'here', XDG_STATE_HOME: '/var/state' }
    for (const configured of [true, false]) expect(stateFolder(configured, env)).to.equal(resolve('here'))
    expect(stateFolder(true, { RYSTRA_STATE: '' })).to.equal(undefined)
  })
})
