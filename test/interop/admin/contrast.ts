/**
 * Texts of a page whose contrast is below 4.5 (WCAG 2.2, 1.4.3). Runs in the page: it uses nothing from outside of it.
 */
export const contrastProblems = (): string[] => {
  const { document, getComputedStyle } = globalThis as unknown as {
    // biome-ignore lint/suspicious/noExplicitAny: types of the page are not those of Node
    document: any
    // biome-ignore lint/suspicious/noExplicitAny: see above
    getComputedStyle(element: unknown): any
  }
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = 1
  const context = canvas.getContext('2d', { willReadFrequently: true })
  const rgba = (color: string): number[] => {
    context.clearRect(0, 0, 1, 1)
    context.fillStyle = color
    context.fillRect(0, 0, 1, 1)
    return [...context.getImageData(0, 0, 1, 1).data]
  }
  const luminance = (color: number[]): number => {
    const [red = 0, green = 0, blue = 0] = color.slice(0, 3).map((part) => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  // biome-ignore lint/suspicious/noExplicitAny: an element of the page
  const backOf = (element: any): number[] => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor)
      if ((color[3] ?? 0) > 250) return color
    }
    return [255, 255, 255, 255]
  }
  const poor = new Set<string>()
  const walker = document.createTreeWalker(document.body, 4)
  while (walker.nextNode() !== null) {
    const text = walker.currentNode.textContent.trim()
    const element = walker.currentNode.parentElement
    if (text === '' || element.getClientRects().length === 0 || element.closest('[disabled], .hidden, .skip')) continue
    const [front, back] = [luminance(rgba(getComputedStyle(element).color)), luminance(backOf(element))]
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05)
    if (ratio < 4.5) poor.add(`${text.slice(0, 30)} ${ratio.toFixed(2)}`)
  }
  return [...poor]
}
