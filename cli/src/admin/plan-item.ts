import type { PlanItem } from '@rystra/plugin'

const signs: Readonly<Record<PlanItem['action'], string>> = {
  add: '+',
  change: '~',
  remove: '-',
  keep: ' ',
  restart: '!'
}

/** One thing that a reload changes, as a line for people. */
export const itemText = ({ action, subject, name, detail }: PlanItem): string =>
  `  ${signs[action]} ${subject} ${name}${detail === undefined ? '' : `: ${detail}`}`
