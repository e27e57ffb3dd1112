import { issueClient, issueServer, type KeyPair, makeAuthority, revoke } from '@rystra/certificates'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

interface Made {
  readonly authority: KeyPair
  readonly server: KeyPair
  readonly client: KeyPair
  readonly crl: string
}

let made: Promise<Made> | undefined

const make = async (): Promise<Made> => {
  const authority = await makeAuthority({ keyType: 'ec', commonName: 'Example' })
  const [server, client, crl] = await Promise.all([
    issueServer(authority, { keyType: 'ec', commonName: 'tunnel.example.org' }),
    issueClient(authority, { keyType: 'ec', commonName: 'home' }),
    revoke(authority, [])
  ])
  return { authority, server, client, crl }
}

type Entry = Readonly<Record<string, unknown>>

/** Writes the files that an example names as certificates, keys, authorities and lists, if they are within `dir`. */
export const writeExampleCertificates = async (config: unknown, dir: string): Promise<void> => {
  const { server, client } = config as {
    server?: { listen?: Entry[]; cluster?: Entry }
    client?: { connect?: Entry }
  }
  const put = (entry: Entry, field: string, text: string): void => {
    const file = entry[field]
    if (typeof file !== 'string' || path.isAbsolute(file)) return
    mkdirSync(path.dirname(path.join(dir, file)), { recursive: true })
    writeFileSync(path.join(dir, file), text)
  }
  const sides: [Entry, 'server' | 'client'][] = [
    ...(server?.listen ?? []).map((entry): [Entry, 'server'] => [entry, 'server']),
    ...(server?.cluster === undefined ? [] : [[server.cluster, 'server'] as [Entry, 'server']]),
    ...(client?.connect === undefined ? [] : [[client.connect, 'client'] as [Entry, 'client']])
  ]
  for (const [entry, side] of sides) {
    if (!['cert', 'key', 'ca', 'clientCa', 'crl'].some((field) => field in entry)) continue
    made ??= make()
    const all = await made
    put(entry, 'cert', all[side].cert)
    put(entry, 'key', all[side].key)
    put(entry, 'ca', all.authority.cert)
    put(entry, 'clientCa', all.authority.cert)
    put(entry, 'crl', all.crl)
  }
}
