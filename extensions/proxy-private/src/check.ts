import { RystraError } from '@rystra/plugin'
import { localForms, parseLocal } from '@rystra/address'
import { udpForms } from '@rystra/udp'
import { accessSync, constants } from 'node:fs'
import { NAME, type PrivateSpec, type ForwardSpec } from './spec.js'

const name = new RegExp(NAME)

const invalid = (entry: { readonly name: string }, detail: string, hint?: string): RystraError =>
  new RystraError('proxy.invalid', {
    side: 'client',
    detail: `${entry.name}: ${detail}`,
    ...(hint === undefined ? {} : { hint })
  })

/** Throws `proxy.invalid`. */
export const checkSecret = (entry: PrivateSpec | ForwardSpec): void => {
  if (entry.secret !== undefined && entry.secretFile !== undefined) {
    throw invalid(entry, '`secret` and `secretFile` exclude each other', 'remove one of them')
  }
}

/**
 * Checks beyond the schema. Throws `proxy.invalid`.
 * @param secretFile absolute
 */
export const checkProxy = (spec: PrivateSpec, secretFile: string | undefined): void => {
  checkSecret(spec)
  if (spec.of === undefined && !name.test(spec.name)) {
    throw invalid(spec, 'the name is not valid for visits', 'set a valid name in `of`')
  }
  if (spec.secret === undefined && secretFile === undefined && spec.allow === undefined) {
    throw invalid(spec, '`secret` is missing', 'set `secret`, or the identities that need none in `allow`')
  }
  if (spec.protocol === 'udp') checkUdp(spec)
  parseLocal(spec, spec.protocol === 'udp' ? udpForms : localForms)
  if (secretFile === undefined) return
  try {
    accessSync(secretFile, constants.R_OK)
  } catch (cause) {
    throw invalid(spec, `secretFile: ${(cause as NodeJS.ErrnoException).code ?? 'cannot be read'}`)
  }
}

/** Common fields that do not apply to datagrams. */
const inapplicable = {
  healthCheck: 'a UDP service has no health check',
  proxyProtocol: 'datagrams have no stream header',
  idleTimeout: 'use `sessionTimeout`: all visitors of a client share a stream'
} as const

const checkUdp = (spec: PrivateSpec): void => {
  for (const [field, why] of Object.entries(inapplicable)) {
    if (spec[field] !== undefined) throw invalid(spec, `\`${field}\` does not apply to udp: ${why}`)
  }
}
