import { createHash } from 'node:crypto'
import { preface } from './preface.js'

/**
 * SHA-256 over the preface, the Hello frame and the HelloAck frame, byte for byte as they were on the link: 32 bytes.
 * Frames of unknown optional types are not part of it.
 */
export const transcriptOf = (hello: Uint8Array, helloAck: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(preface).update(hello).update(helloAck).digest())
