import { readFileSync } from 'node:fs'

const portOf = (address = ''): number => Number.parseInt(address.split(':')[1] ?? '', 16)

/** Waits until nothing is left in sockets of this namespace, of an earlier load above all; 10 s at most. */
export const untilDrained = async (): Promise<void> => {
  const waiting = (): boolean =>
    readFileSync('/proc/net/udp', 'utf8')
      .split('\n')
      .slice(1)
      .some((line) => /:(?!0{8})[0-9A-F]{8}$/.test(line.trim().split(/\s+/)[4] ?? ''))
  for (const end = performance.now() + 10_000; waiting() && performance.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 100))
}

/** Where datagrams may be lost because a socket is full: whose it is, by its own port and by that of the other end. */
export interface Place {
  readonly name: string
  readonly local?: number
  readonly remote?: number
}

/** Datagrams that sockets of this namespace had no room for while something is done, by whose they are. Linux only. */
export const watchDrops = (places: readonly Place[]): (() => string) => {
  const most = new Map<string, { name: string; drops: number }>()
  const read = (): void => {
    for (const line of readFileSync('/proc/net/udp', 'utf8').split('\n').slice(1)) {
      const [, local, remote, , , , , , , inode = '', , , drops = '0'] = line.trim().split(/\s+/)
      if (Number(drops) === 0) continue
      const place = places.find(
        (one) =>
          (one.local === undefined || one.local === portOf(local)) &&
          (one.remote === undefined || one.remote === portOf(remote))
      )
      most.set(inode, { name: place?.name ?? 'another', drops: Number(drops) })
    }
  }
  read()
  const before = new Map([...most].map(([inode, { drops }]) => [inode, drops]))
  // Sockets that are closed are not there to be asked.
  const timer = setInterval(read, 50)
  return () => {
    clearInterval(timer)
    read()
    const sums = new Map<string, number>()
    for (const [inode, { name, drops }] of most) {
      const more = drops - (before.get(inode) ?? 0)
      if (more > 0) sums.set(name, (sums.get(name) ?? 0) + more)
    }
    return [...sums].map(([name, drops]) => `${drops} at ${name}`).join(', ')
  }
}
