/** One sample of an exposition. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One metric with its samples. */
export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: Sample[]
}

const labelPattern = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)/
const unescaped = (text: string): string => text.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))

const labelsOf = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== '') {
    const match = labelPattern.exec(rest)
    if (match === null) throw new Error(`malformed labels: ${rest}`)
    const [whole, name = '', value = ''] = match
    if (Object.hasOwn(labels, name)) throw new Error(`label ${name} twice`)
    labels[name] = unescaped(value)
    rest = rest.slice(whole.length)
  }
  return labels
}

const suffixes: Readonly<Record<string, readonly string[]>> = { summary: ['_sum', '_count'] }

/**
 * Reads the text format 0.0.4, strictly: HELP and TYPE before the samples of a metric, all samples of a metric together,
 * no series twice, counters end in `_total` and are finite and not negative, the last line ends.
 */
export const parseExposition = (text: string): Map<string, Family> => {
  const families = new Map<string, Family>()
  const seen = new Set<string>()
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line does not end')
  let family: Family | undefined
  let help: [name: string, text: string] | undefined
  for (const line of text.split('\n').slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line)
    if (comment?.[1] === 'HELP') help = [comment[2] as string, comment[3] as string]
    else if (comment?.[1] === 'TYPE') {
      const [, , name = '', type = ''] = comment
      if (help?.[0] !== name) throw new Error(`TYPE of ${name} without its HELP`)
      if (families.has(name)) throw new Error(`${name} comes twice`)
      if (!['counter', 'gauge', 'summary'].includes(type)) throw new Error(`type ${type}`)
      family = { name, type, help: help[1], samples: [] }
      families.set(name, family)
    } else {
      const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/s.exec(line)
      if (match === null) throw new Error(`malformed line: ${line}`)
      const [, name = '', labels = '', value = ''] = match
      const names = [family?.name, ...(suffixes[family?.type ?? ''] ?? []).map((suffix) => `${family?.name}${suffix}`)]
      if (family === undefined || !names.includes(name)) throw new Error(`${name} is not within its metric`)
      const sample = { name, labels: labelsOf(labels), value: Number(value.replace('Inf', 'Infinity')) }
      if (Number.isNaN(sample.value) && value !== 'NaN') throw new Error(`malformed value: ${line}`)
      const key = `${name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
      if (seen.has(key)) throw new Error(`series twice: ${line}`)
      seen.add(key)
      if (family.type === 'counter' && !(name.endsWith('_total') && sample.value >= 0 && Number.isFinite(sample.value)))
        throw new Error(`not a counter: ${line}`)
      family.samples.push(sample)
    }
  }
  return families
}

/** The value of one series; throws where it is not there. */
export const seriesValue = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {}
): number => {
  const metric = [...families.values()].find((family) => family.samples.some((sample) => sample.name === name))
  const found = metric?.samples.find(
    (sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value)
  )
  if (found === undefined) throw new Error(`no series ${name} ${JSON.stringify(labels)}`)
  return found.value
}
