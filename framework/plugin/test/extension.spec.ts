import { expect } from 'chai'
import { apiVersion, defineExtension, hookNames, isExtension, registryNames, Type } from '../src/index.js'

const officeHours = defineExtension({
  name: 'office-hours',
  options: Type.Object({ from: Type.Integer({ default: 9 }) }),
  setup: () => undefined
})

describe('defineExtension', () => {
  it('makes something that is called with options, to be used from code', () => {
    expect(officeHours({ from: 8 })).to.deep.equal({ extension: officeHours, options: { from: 8 } })
    expect(officeHours()).to.deep.equal({ extension: officeHours, options: {} })
  })

  it('carries its name, the version of the contracts, and a definition that cannot be changed', () => {
    expect(officeHours.name).to.equal('office-hours')
    expect(officeHours.apiVersion).to.equal(apiVersion)
    expect(() => Object.assign(officeHours.definition, { name: 'other' })).to.throw(TypeError)
  })

  it('takes no options where none are defined', () => {
    const bare = defineExtension({ name: 'bare', setup: () => undefined })
    expect(bare.definition.options).to.deep.include({ type: 'object', properties: {} })
  })

  it('is recognised, also when another copy of the package made it', () => {
    const foreign = Object.defineProperty(() => {}, Symbol.for('rystra.extension'), { value: true })
    expect(isExtension(officeHours)).to.equal(true)
    expect(isExtension(foreign)).to.equal(true)
  })

  it('is not taken for one when it is not one', () => {
    const forged = { [Symbol.for('rystra.extension')]: true }
    for (const value of [() => {}, forged, officeHours(), officeHours.definition, undefined, null, 'office-hours']) {
      expect(isExtension(value)).to.equal(false)
    }
  })
})

describe('the catalogues', () => {
  it('name each hook and each registry once, and cannot be changed', () => {
    for (const names of [hookNames, registryNames]) {
      expect(new Set(names).size).to.equal(names.length)
      expect(() => (names as unknown as string[]).push('another')).to.throw(TypeError)
    }
  })
})
