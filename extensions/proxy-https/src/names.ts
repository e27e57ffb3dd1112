/** `*.example.org` and `*.org` for `app.example.org`, the nearest first; for a wildcard those it is itself below. */
export const wildcardsOver = (host: string): string[] => {
  const wildcards: string[] = []
  const from = host.startsWith('*.') ? 2 : 0
  for (let dot = host.indexOf('.', from); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    wildcards.push(`*${host.slice(dot)}`)
  }
  return wildcards
}
