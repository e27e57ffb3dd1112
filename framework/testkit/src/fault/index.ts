export * from './fault.js'
export * from './faults.js'
export * from './faulty.js'
