import type { ConnectConfig } from '@rystra/config'
import type { SessionInfo } from '@rystra/model'
import { formatAddress } from '../address.js'

/** The servers of a configuration, for people: `tls://a.example.net:7000, b.example.net:7000`. */
export const configuredName = ({
  transport = 'tcp',
  host,
  port = 0,
  servers,
  srv,
  discover,
  address
}: ConnectConfig): string => {
  const found = srv ?? discover
  if (found !== undefined) return `${found} (${transport})`
  if (address !== undefined) return `${transport}://${address}`
  const all = servers ?? [{ host: host ?? '', port }]
  const names = all.map((one) => (typeof one === 'string' ? one : formatAddress({ port, ...one } as Named)))
  return `${transport}://${names.join(', ')}`
}

interface Named {
  readonly host: string
  readonly port: number
}

/** The server of a session, for people and for `--json`. */
export const serverOf = ({ transport, server }: SessionInfo): string => `${transport}://${server}`
