/** What a member is told by its environment. */
export interface MemberEnvironment {
  /** `1` for the first. */
  readonly name: string
  /** Added to the ports of the configuration. */
  readonly portOffset: number
  readonly reusePort: boolean
}

const NAME = 'RYSTRA_MEMBER'

/** For the process of a member. */
export const environmentOf = ({ name, portOffset, reusePort }: MemberEnvironment): NodeJS.ProcessEnv => ({
  [NAME]: `${name}:${portOffset}:${reusePort ? 'reuse' : 'apart'}`
})

/** What this process is told, if it is a member: only a process that was forked is. */
export const memberEnvironment = (env: NodeJS.ProcessEnv = process.env): MemberEnvironment | undefined => {
  const [, name, offset, ports] = /^(\w{1,16}):(\d{1,5}):(reuse|apart)$/.exec(env[NAME] ?? '') ?? []
  if (name === undefined || process.send === undefined) return undefined
  return { name, portOffset: Number(offset), reusePort: ports === 'reuse' }
}
