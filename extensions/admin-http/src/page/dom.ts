type Child = Node | string | undefined

/** What {@link el} sets: properties, `data-*` and `aria-*` attributes, and listeners by `on…`. */
export type Props = Readonly<Record<string, string | number | boolean | ((event: never) => void) | undefined>>

/** Makes an element. Text is text: nothing is parsed as HTML. */
export const el = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] => {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as unknown as EventListener)
    else element.setAttribute(name === 'className' ? 'class' : name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child) => child !== undefined))
  return element
}

/** The element with an id, which the page has. */
export const byId = (id: string): HTMLElement => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`the page has no element ${id}`)
  return found
}

/** Says something to a screen reader. */
export const announce = (text: string): void => {
  byId('announcer').textContent = text
}

/** Shows a sentence for some seconds; an error stays longer. */
export const toast = (text: string, isError = false): void => {
  const line = el('p', { className: isError ? 'error' : '' }, text)
  byId('toasts').append(line)
  setTimeout(() => line.remove(), isError ? 12_000 : 4000)
}

/** Asks before something is done. Resolves to whether it is wanted. */
export const confirmed = (prompt: string, action: string): Promise<boolean> =>
  new Promise((resolve) => {
    const dialog = el(
      'dialog',
      { 'aria-label': prompt },
      el('h2', {}, prompt),
      el(
        'div',
        { className: 'buttons' },
        el('button', { type: 'button', onclick: () => dialog.close('') }, 'Cancel'),
        el('button', { type: 'button', className: 'bad', onclick: () => dialog.close('yes') }, action)
      )
    )
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
    document.body.append(dialog)
    dialog.showModal()
  })
