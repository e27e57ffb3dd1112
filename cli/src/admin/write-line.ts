import { once } from 'node:events'

/** Writes a line to stdout. Resolves when there is room for the next one: what follows events does not read further while its own reader stops. */
export const writeLine = async (line: string, signal: AbortSignal): Promise<void> => {
  if (process.stdout.write(`${line}\n`)) return
  await once(process.stdout, 'drain', { signal }).catch(() => {})
}
