import { GUARD, NORMAL, OBSERVE } from '@rystra/plugin'
import { table } from '../table.js'
import type { InspectedExtension, Inspection } from './inspect.js'

const stageNames: Readonly<Record<number, string>> = { [GUARD]: 'guard', [NORMAL]: 'normal', [OBSERVE]: 'observe' }
const stageName = (stage: number): string => stageNames[stage] ?? `stage ${stage}`

const one = ({ name, use, version, from, options, defaults, sides }: InspectedExtension): string => {
  const lines = [`${name}  ${use}${version === undefined ? '' : `@${version}`}  (${from})`]
  for (const { side, registers, requires, taps } of sides) {
    if (registers.length > 0) lines.push(`  ${side} registers  ${registers.join(', ')}`)
    if (requires.length > 0) lines.push(`  ${side} requires   ${requires.join(', ')}`)
    for (const { hook, stage, position } of taps)
      lines.push(`  ${side} taps       ${hook}, ${stageName(stage)}, no. ${position}`)
  }
  const set = Object.entries((options ?? {}) as Record<string, unknown>)
  if (set.length > 0) lines.push('  options', ...set.map(([key, value]) => `    ${key}: ${JSON.stringify(value)}`))
  if (defaults.length > 0) {
    const rows = defaults.map(({ key, value, description = '' }) => [`    ${key}`, JSON.stringify(value), description])
    lines.push(table(['  defaults', '', ''], rows))
  }
  return lines.join('\n')
}

/** What was found, for people. */
export const inspectionText = ({ extensions, hooks }: Inspection): string => {
  const order = hooks.map(({ side, hook, taps }) => {
    const names = taps.map(({ extension, stage }) =>
      stage === NORMAL ? extension : `${extension} (${stageName(stage)})`
    )
    return `  ${side} ${hook}: ${names.join(' → ')}`
  })
  return [...extensions.map(one), ...(order.length === 0 ? [] : [`order of the taps\n${order.join('\n')}`])].join(
    '\n\n'
  )
}
