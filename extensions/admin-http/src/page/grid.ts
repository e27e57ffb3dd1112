import { announce, el } from './dom.js'

const ROW_HEIGHT = 36
/** Rows that are drawn beyond what is seen. */
const OVERSCAN = 8

/** One column of a {@link Grid}. */
export interface Column<Row> {
  readonly title: string
  /** Width, as of `grid-template-columns`. */
  readonly width: string
  readonly text: (row: Row) => string
  /** What is sorted by. @default the text */
  readonly sort?: (row: Row) => number | string
  readonly number?: boolean
  /** Left out on narrow screens. */
  readonly wide?: boolean
}

/** A list of any length: only the rows that are seen are in the page. */
export class Grid<Row> {
  readonly element: HTMLElement
  readonly #columns: readonly Column<Row>[]
  readonly #onOpen: (row: Row) => void
  readonly #body = el('div', { className: 'body', role: 'rowgroup' })
  readonly #empty = el('p', { className: 'empty', hidden: true })
  readonly #heads: HTMLElement[]
  readonly #closing = new AbortController()
  /** In the order of the server, which decides between rows that are alike. */
  #given: readonly Row[] = []
  #rows: readonly Row[] = []
  #sort: { column: Column<Row>; down: boolean }
  /** The row with the focus. */
  #active = 0

  constructor(label: string, columns: readonly Column<Row>[], onOpen: (row: Row) => void) {
    this.#columns = columns
    this.#onOpen = onOpen
    this.#sort = { column: columns[0] as Column<Row>, down: false }
    this.#heads = columns.map((column) =>
      el(
        'div',
        { role: 'columnheader', className: classOf(column), 'aria-sort': 'none' },
        el('button', { type: 'button', onclick: () => this.#sortBy(column) }, column.title)
      )
    )
    this.element = el(
      'div',
      { className: 'grid', role: 'grid', 'aria-label': label },
      el('div', { className: 'head', role: 'rowgroup' }, el('div', { className: 'row', role: 'row' }, ...this.#heads)),
      this.#body,
      this.#empty
    )
    const narrow = matchMedia('(max-width: 760px)')
    const setColumns = (): void => {
      const shown = narrow.matches ? columns.filter(({ wide }) => wide !== true) : columns
      this.element.style.setProperty('--columns', shown.map(({ width }) => width).join(' '))
    }
    narrow.addEventListener('change', setColumns, { signal: this.#closing.signal })
    setColumns()
    this.element.addEventListener('scroll', () => this.#draw(), { passive: true })
    this.#body.addEventListener('keydown', (event) => this.#onKey(event))
    const resize = new ResizeObserver(() => this.#draw())
    resize.observe(this.element)
    this.#closing.signal.addEventListener('abort', () => resize.disconnect())
  }

  /** The window knows it no more: it would keep its rows otherwise. */
  close(): void {
    this.#closing.abort()
  }

  /** Shows these rows; scroll position, sort order and focus stay. */
  set(rows: readonly Row[], whenEmpty: string): void {
    this.#given = rows
    this.#rows = this.#sorted(rows)
    this.#empty.textContent = whenEmpty
    this.#empty.hidden = rows.length > 0
    this.element.setAttribute('aria-rowcount', String(rows.length + 1))
    this.#body.style.height = `${rows.length * ROW_HEIGHT}px`
    this.#active = Math.max(0, Math.min(this.#active, rows.length - 1))
    this.#draw()
  }

  #sortBy(column: Column<Row>): void {
    const down = this.#sort.column === column ? !this.#sort.down : column.number === true
    this.#sort = { column, down }
    this.#columns.forEach((one, index) => {
      const state = one === column ? (down ? 'descending' : 'ascending') : 'none'
      this.#heads[index]?.setAttribute('aria-sort', state)
      const mark = one === column ? (down ? ' ↓' : ' ↑') : ''
      const button = this.#heads[index]?.firstElementChild
      if (button) button.textContent = one.title + mark
    })
    this.#rows = this.#sorted(this.#given)
    announce(`sorted by ${column.title}, ${down ? 'descending' : 'ascending'}`)
    this.#draw()
  }

  #sorted(rows: readonly Row[]): Row[] {
    const { column, down } = this.#sort
    const key = column.sort ?? column.text
    const sign = down ? -1 : 1
    return rows
      .map((row) => ({ row, key: key(row) }))
      .sort((a, b) => sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
      .map(({ row }) => row)
  }

  #draw(): void {
    const { clientHeight } = this.element
    // Rows that are still in the page hold the scroll position behind the end of a list that became shorter.
    const end = Math.max(0, (this.#rows.length + 1) * ROW_HEIGHT - clientHeight)
    const scrollTop = Math.min(this.element.scrollTop, end)
    const top = Math.floor(scrollTop / ROW_HEIGHT)
    const first = Math.max(0, top - OVERSCAN)
    const last = Math.min(this.#rows.length, Math.ceil((scrollTop + clientHeight) / ROW_HEIGHT) + OVERSCAN)
    const focused = this.#body.contains(document.activeElement)
    // One row can be reached by Tab, also when the active one is out of view.
    if (!focused && (this.#active < first || this.#active >= last)) this.#active = top
    const drawn = this.#rows.slice(first, last).map((row, index) => this.#rowElement(row, first + index))
    this.#body.replaceChildren(...drawn)
    if (focused) this.#body.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true })
  }

  #rowElement(row: Row, index: number): HTMLElement {
    const element = el(
      'div',
      {
        className: 'row',
        role: 'row',
        'aria-rowindex': index + 2,
        tabindex: index === this.#active ? 0 : -1,
        onclick: () => {
          this.#active = index
          this.#onOpen(row)
        }
      },
      ...this.#columns.map((column) => {
        const text = column.text(row)
        return el('div', { role: 'gridcell', className: classOf(column), title: text }, text)
      })
    )
    element.style.top = `${index * ROW_HEIGHT}px`
    return element
  }

  #onKey(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT) - 2)
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -this.#rows.length,
      End: this.#rows.length
    }
    const step = steps[event.key]
    if (step !== undefined) {
      event.preventDefault()
      this.#active = Math.max(0, Math.min(this.#rows.length - 1, this.#active + step))
      this.#reveal()
      this.#draw()
      this.#body.querySelector<HTMLElement>('[tabindex="0"]')?.focus({ preventScroll: true })
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault()
      const row = this.#rows[this.#active]
      if (row !== undefined) this.#onOpen(row)
    }
  }

  #reveal(): void {
    const top = this.#active * ROW_HEIGHT
    const { scrollTop, clientHeight } = this.element
    // The heading covers one row.
    if (top < scrollTop) this.element.scrollTop = top
    else if (top + 2 * ROW_HEIGHT > scrollTop + clientHeight)
      this.element.scrollTop = top + 2 * ROW_HEIGHT - clientHeight
  }
}

const classOf = ({ number, wide }: { number?: boolean; wide?: boolean }): string =>
  `${number === true ? 'number' : ''} ${wide === true ? 'wide' : ''}`.trim()
