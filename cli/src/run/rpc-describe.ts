import { importModule } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import * as rpc from '@rystra/rpc'
import path from 'node:path'

/** What `rpc:describe` is told. */
export interface DescribeOptions {
  readonly cwd: string
  readonly file: string
  readonly service?: string | undefined
}

/** One contract, for programs and for people. */
export interface Described {
  readonly json: rpc.ServiceDescription
  readonly markdown: string
}

/** The contracts that a file exports. Throws `usage.invalid` where there are not any. */
export const describe = async ({ cwd, file, service }: DescribeOptions): Promise<Described[]> => {
  let module: object
  try {
    module = (await importModule(path.resolve(cwd, file), { '@rystra/rpc': rpc })) as object
  } catch (cause) {
    throw new RystraError('usage.invalid', { detail: `${file}: ${(cause as Error).message}`, cause })
  }
  const services = Object.values(module).filter(isService)
  const found = services.filter(({ name }) => service === undefined || name === service)
  if (found.length > 0) {
    return found.map((each) => ({ json: rpc.describeService(each), markdown: rpc.describeMarkdown(each) }))
  }
  const names = services.map(({ name }) => name).join(', ')
  throw new RystraError('usage.invalid', {
    detail: names === '' ? `${file} exports no service` : `${file} exports no service ${service}; it has: ${names}`,
    hint: 'export what defineService() answers with'
  })
}

const isService = (value: unknown): value is rpc.Service => {
  const { name, members } = (value ?? {}) as { readonly name?: unknown; readonly members?: unknown }
  return typeof name === 'string' && typeof members === 'object' && members !== null
}
