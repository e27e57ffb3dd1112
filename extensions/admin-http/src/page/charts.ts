import type UPlot from 'uplot'
import type { SampleView } from '../schemas.js'
import { el } from './dom.js'
import { bytes, whole } from './format.js'

declare const uPlot: typeof UPlot

const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** A color of the style sheet as the browser resolves it: a canvas knows no light-dark(). */
const resolved = (name: string): string => {
  const probe = el('span', { hidden: true })
  probe.style.color = color(name)
  document.body.append(probe)
  const value = getComputedStyle(probe).color
  probe.remove()
  return value
}

/** One line of a chart. */
export interface Line {
  readonly label: string
  readonly color: string
  readonly value: (sample: SampleView, before: SampleView | undefined) => number
}

/** The rate of a counter between two samples. */
export const rateOf =
  (field: 'bytesToService' | 'bytesToVisitor' | 'opened' | 'refused') =>
  (sample: SampleView, before: SampleView | undefined): number => {
    const seconds = before === undefined ? 0 : (sample.time - before.time) / 1000
    return seconds <= 0 ? 0 : Math.max(0, (sample[field] - (before?.[field] ?? 0)) / seconds)
  }

/** A live chart with a title, and its last values as text for screen readers. */
export class Chart {
  readonly element: HTMLElement
  readonly #lines: readonly Line[]
  readonly #format: (value: number) => string
  readonly #box = el('div', { className: 'chart', 'aria-hidden': 'true' })
  readonly #summary = el('p', { className: 'soft' })
  readonly #resize: ResizeObserver
  #plot: UPlot | undefined

  constructor(title: string, lines: readonly Line[], unit: 'bytes' | 'count') {
    this.#lines = lines
    this.#format = unit === 'bytes' ? (value) => `${bytes(value)}/s` : (value) => whole(Math.round(value * 10) / 10)
    this.element = el(
      'section',
      { className: 'panel', 'aria-label': title },
      el('h2', {}, title),
      this.#summary,
      this.#box
    )
    this.#resize = new ResizeObserver(() => this.#plot?.setSize(this.#size()))
    this.#resize.observe(this.#box)
  }

  update(samples: readonly SampleView[]): void {
    const data = [
      samples.map(({ time }) => time / 1000),
      ...this.#lines.map(({ value }) => samples.map((sample, index) => value(sample, samples[index - 1])))
    ] as UPlot.AlignedData
    const last = this.#lines.map(({ label }, index) => `${label} ${this.#format(Number(data[index + 1]?.at(-1) ?? 0))}`)
    this.#summary.textContent = last.join(', ')
    if (!this.element.isConnected) return
    if (this.#plot === undefined) this.#plot = new uPlot(this.#options(), data, this.#box)
    else this.#plot.setData(data)
  }

  /** Draws with the colors of another theme. */
  redraw(samples: readonly SampleView[]): void {
    this.#plot?.destroy()
    this.#plot = undefined
    this.update(samples)
  }

  close(): void {
    this.#resize.disconnect()
    this.#plot?.destroy()
    this.#plot = undefined
  }

  #size(): { width: number; height: number } {
    return { width: Math.max(200, this.#box.clientWidth), height: 180 }
  }

  #options(): UPlot.Options {
    const [text, line] = [resolved('--soft'), resolved('--line')]
    const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } }
    return {
      ...this.#size(),
      legend: { show: false },
      cursor: { y: false },
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(max * 1.1, 1)] } },
      axes: [
        { ...axis, space: 80 },
        { ...axis, size: 84, values: (_plot, ticks) => ticks.map(this.#format) }
      ],
      series: [
        {},
        ...this.#lines.map(({ label, color: name }, index) => ({
          label,
          stroke: resolved(name),
          width: 2,
          points: { show: false },
          // Told apart without color, too.
          ...(index === 0 ? {} : { dash: [6, 4] })
        }))
      ]
    }
  }
}
