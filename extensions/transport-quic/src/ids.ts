import { randomBytes } from 'node:crypto'

/** Bytes of the ids that we choose. Random, so that nobody off the path can guess one. */
export const ID_LENGTH = 16

export const newId = (): Buffer => randomBytes(ID_LENGTH)
