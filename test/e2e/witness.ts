import type { Client } from '@rystra/client'
import { defineExtension, type RefusedContext } from '@rystra/plugin'

/** Keeps what `onRefused` tells. */
export const witness = () => {
  const refused: RefusedContext[] = []
  const use = defineExtension({
    name: 'witness',
    setup({ hooks }) {
      hooks.onRefused.tap((context) => void refused.push(context))
    }
  })
  return { refused, use: use() }
}

/** Why a client cannot start, and the client. */
export const failure = async (client: Client): Promise<string> => {
  try {
    await client.start()
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'it started'
}
