import { issueClient, issueServer, type KeyPair, makeAuthority, revoke, selfSigned } from '@rystra/certificates'
import type { Logger } from '@rystra/plugin'
import { FakeClock } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Certificates of all sorts, made once for all tests. */
export interface Certificates {
  readonly ca: KeyPair
  readonly otherCa: KeyPair
  readonly good: KeyPair
  readonly renewed: KeyPair
  readonly expired: KeyPair
  readonly early: KeyPair
  readonly foreign: KeyPair
  readonly selfSigned: KeyPair
  readonly client: KeyPair
  readonly revokedClient: KeyPair
  readonly expiredClient: KeyPair
  readonly strange: KeyPair
  /** Revokes `revokedClient`. */
  readonly crl: string
  /** Revokes none of these certificates. */
  readonly emptyCrl: string
}

const year = 365 * 86_400_000
const names = ['localhost', '127.0.0.1']
let made: Promise<Certificates> | undefined

const make = async (): Promise<Certificates> => {
  const [ca, otherCa] = await Promise.all([
    makeAuthority({ keyType: 'ec', commonName: 'tests', notBefore: new Date(Date.now() - 3 * year) }),
    makeAuthority({ keyType: 'ec', commonName: 'others' })
  ])
  const past = { notBefore: new Date(Date.now() - 2 * year), days: 30 }
  const [good, renewed, expired, early, foreign, own] = await Promise.all([
    issueServer(ca, { keyType: 'ec', commonName: 'localhost', names }),
    issueServer(ca, { keyType: 'ec', commonName: 'localhost', names }),
    issueServer(ca, { keyType: 'ec', commonName: 'localhost', names, ...past }),
    issueServer(ca, { keyType: 'ec', commonName: 'localhost', names, notBefore: new Date(Date.now() + 86_400_000) }),
    issueServer(ca, { keyType: 'ec', commonName: 'foreign.example' }),
    selfSigned({ keyType: 'ec', commonName: 'localhost', names })
  ])
  const [client, revokedClient, expiredClient, strange] = await Promise.all([
    issueClient(ca, { keyType: 'ec', commonName: 'a client' }),
    issueClient(ca, { keyType: 'ec', commonName: 'a client that was' }),
    issueClient(ca, { keyType: 'ec', commonName: 'an old client', ...past }),
    issueClient(otherCa, { keyType: 'ec', commonName: 'a foreign' })
  ])
  const [crl, emptyCrl] = await Promise.all([revoke(ca, [revokedClient.cert]), revoke(ca, [])])
  return {
    ca,
    otherCa,
    good,
    renewed,
    expired,
    early,
    foreign,
    selfSigned: own,
    client,
    revokedClient,
    expiredClient,
    strange,
    crl,
    emptyCrl
  }
}

export const certificates = (): Promise<Certificates> => {
  made ??= make()
  return made
}

export interface Line {
  readonly level: string
  readonly text: string
  readonly fields: Record<string, unknown>
}

/** What an extension's context has for TLS, with a folder and a clock of its own. */
export class World {
  readonly dir = mkdtempSync(path.join(tmpdir(), 'rystra-tls-'))
  readonly stateDir = path.join(this.dir, 'state')
  readonly clock = new FakeClock(Date.now())
  readonly lines: Line[] = []
  readonly log: Logger
  readonly #ends: (() => unknown)[] = []

  constructor() {
    const say =
      (level: string) =>
      (...args: [string] | [object, string]): void => {
        const fields = args.length === 1 ? {} : (args[0] as Record<string, unknown>)
        this.lines.push({ level, text: String(args.at(-1)), fields })
      }
    this.log = {
      trace: say('trace'),
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      child: () => this.log
    }
  }

  warnings(): string[] {
    return this.lines.filter(({ level }) => level === 'warn').map(({ text }) => text)
  }

  write(name: string, text: string): string {
    writeFileSync(path.join(this.dir, name), text)
    return name
  }

  /** Writes both files of a pair, and names them. */
  pair(name: string, { cert, key }: KeyPair): { cert: string; key: string } {
    return { cert: this.write(`${name}.crt`, cert), key: this.write(`${name}.key`, key) }
  }

  later(end: () => unknown): void {
    this.#ends.push(end)
  }

  async end(): Promise<void> {
    for (const end of this.#ends.reverse()) await end()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

export { failure, until } from '@rystra/testkit'
