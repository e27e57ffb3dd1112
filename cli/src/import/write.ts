import { parseEnv } from 'node:util'
import type { Role } from '../init/plan.js'
import { type Written, writeFiles } from '../init/write.js'
import { presetPackages } from '../preset.js'
import type { Imported } from './index.js'
import { renderEnv, renderYaml } from './render.js'

const roleOf = ({ draft: { server, client } }: Imported): Role =>
  server === undefined ? 'client' : client === undefined ? 'server' : 'both'

const commandsOf: Readonly<Record<Role, string>> = {
  server: 'npx rystra serve',
  client: 'npx rystra connect',
  both: 'npx rystra serve\nnpx rystra connect   # in a second terminal'
}

/** Writes what was imported as a project. Overwrites nothing unless `force` is set, and keeps a copy then. */
export const writeImported = (imported: Imported, target: string, force: boolean): Promise<Written> => {
  const { draft, source } = imported
  const role = roleOf(imported)
  const config = 'rystra.config.yaml'
  return writeFiles(
    target,
    {
      role,
      config,
      text: renderYaml(draft, source),
      packages: draft.packages.filter((name) => !presetPackages.includes(name)),
      env: (before) => {
        if (before === undefined) return draft.env.size === 0 ? undefined : renderEnv(draft)
        const added = renderEnv(draft, new Set(Object.keys(parseEnv(before))))
        return added === '' ? undefined : `${before}${before.endsWith('\n') ? '' : '\n'}${added}`
      },
      readme: (name) => `# ${name}

A tunnel made with Rystra, imported from \`${source}\`. The configuration is \`${config}\`; secrets are in \`.env\` and stay out of git.

\`\`\`sh
npm install
npx rystra check
${commandsOf[role]}
\`\`\`
`
    },
    force
  )
}

/** Variables that the user has to set. */
export const missingVariables = ({ draft }: Imported): string[] =>
  [...draft.env].filter(([, { value }]) => value === undefined).map(([name]) => name)

/** The commands that follow. */
export const nextCommands = (imported: Imported): string[] => [
  ...missingVariables(imported).map((name) => `set ${name} in .env: ${imported.draft.env.get(name)?.comment ?? ''}`),
  'npm install',
  'npx rystra check',
  ...commandsOf[roleOf(imported)].split('\n')
]
