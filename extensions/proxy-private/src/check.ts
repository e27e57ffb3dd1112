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
    throw invalid(entry, 'it has both `secret` and `secretFile`', 'leave one of them')
  }
}

/**
 * What the schema cannot say. Throws `proxy.invalid`.
 * @param secretFile absolute
 */
export const checkProxy = (spec: PrivateSpec, secretFile: string | undefined): void => {
  checkSecret(spec)
  if (spec.of === undefined && !name.test(spec.name)) {
    throw invalid(spec, 'nothing can be visited under this name', 'say under which in `of`')
  }
  if (spec.secret === undefined && secretFile === undefined && spec.allow === undefined) {
    throw invalid(spec, 'it has no `secret`', 'give it one, or say in `allow` who may visit without')
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

/** Fields common to all kinds that mean nothing for datagrams. */
const unfit = {
  healthCheck: 'a UDP service cannot be asked whether it is well',
  proxyProtocol: 'there is no stream at whose head it could stand',
  idleTimeout: 'say `sessionTimeout`: all visitors of one client share a stream'
} as const

const checkUdp = (spec: PrivateSpec): void => {
  for (const [field, why] of Object.entries(unfit)) {
    if (spec[field] !== undefined) throw invalid(spec, `no \`${field}\` for udp: ${why}`)
  }
}
