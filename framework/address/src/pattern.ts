/**
 * A pattern of a configuration: the text itself, where each `*` stands for any characters, or none. Takes time in
 * proportion to pattern and value together, whatever is in them.
 *
 * @example
 * pattern('*.example.org')('a.example.org') // true
 */
export const pattern = (text: string): ((value: string) => boolean) => {
  const [first = '', ...rest] = text.split('*')
  const last = rest.pop()
  if (last === undefined) return (value) => value === text
  return (value) => {
    const end = value.length - last.length
    if (end < first.length || !value.startsWith(first) || !value.endsWith(last)) return false
    let at = first.length
    for (const part of rest) {
      const found = value.indexOf(part, at)
      if (found === -1 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}
