import type { Client } from '@rystra/client'
import type { ProxyEntry } from '@rystra/config'
import type { Server } from '@rystra/server'
import { portOf, startClient, startService } from './tunnel.js'

export type Fields = Record<string, unknown>

/** Sends its name to each visitor, and ends. */
export const named = (name: string): Promise<number> => startService((socket) => void socket.end(name))

export const member = async (server: Server, id: string, fields: Fields = {}, local?: number): Promise<Client> =>
  startClient(
    portOf(server),
    [{ name: 'web', kind: 'tcp', local: local ?? (await named(id)), group: 'web', ...fields } as ProxyEntry],
    {
      id
    }
  )

export const members = async (server: Server, ids: readonly string[], fields: Fields = {}): Promise<Client[]> => {
  const made: Client[] = []
  for (const id of ids) made.push(await member(server, id, fields))
  return made
}

export const times = async <Value>(count: number, make: () => Promise<Value>): Promise<Value[]> => {
  const values: Value[] = []
  for (let index = 0; index < count; index += 1) values.push(await make())
  return values
}

export const count = (answers: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1
  return counts
}
