/** What the files of a new extension are made with. */
export interface Template {
  /** Name of the package. */
  readonly package: string
  /** Name the extension gives itself. */
  readonly name: string
  readonly devDependencies: Readonly<Record<string, string>>
  /** Range of the contracts it is written for. */
  readonly contracts: string
}

/** The extension: a guard with one option. */
export const sourceOf = ({ name }: Template): string => `import { defineExtension, GUARD, Type } from '@rystra/plugin'

/** Refuses visitors from some addresses. */
export default defineExtension({
  name: '${name}',
  options: Type.Object({
    blocked: Type.Array(Type.String(), { default: [], description: 'Addresses of visitors that are refused.' })
  }),
  setup({ hooks, options, log }) {
    const blocked = new Set(options.blocked)
    // A guard is asked before other taps. It answers "refuse", or nothing: never "allow".
    hooks.onOpenStream.tap({ stage: GUARD }, ({ visitor, proxy }) => {
      if (!blocked.has(visitor.host)) return undefined
      log.info({ visitor: visitor.host, proxy: proxy.name }, 'refused')
      return { deny: \`\${visitor.host} may not visit \${proxy.name}\` }
    })
  }
})
`

/** Its test: what every extension must do, and what this one is for. */
export const testOf = ({ name }: Template): string => `import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { extensionKit, setUpExtension } from '@rystra/testkit'
import extension from '../src/index.ts'

// What every extension must do.
extensionKit({ use: extension(), invalid: { 'a text for a list': { blocked: '192.0.2.1' } } }, { runner: { describe, it } })

// What this one is for.
describe('${name}', () => {
  const visit = (host: string): unknown => {
    const { taps } = setUpExtension(extension({ blocked: ['192.0.2.1'] }), 'server')
    const tap = taps.find(({ hook }) => hook === 'onOpenStream')
    return tap?.fn({ visitor: { host }, proxy: { name: 'web' } } as never)
  }

  it('refuses a visitor from a blocked address', () => {
    assert.deepEqual(visit('192.0.2.1'), { deny: '192.0.2.1 may not visit web' })
  })

  it('has nothing to say of other visitors', () => {
    assert.equal(visit('192.0.2.2'), undefined)
  })
})
`

/** TypeScript as it is, at the test and in the tunnel: nothing to build. */
export const packageOf = ({ package: name, devDependencies, contracts }: Template): string => {
  const json = {
    name,
    version: '0.1.0',
    description: 'A Rystra extension',
    license: 'MIT',
    type: 'module',
    keywords: ['rystra-extension'],
    engines: { node: '>=20.19' },
    exports: './src/index.ts',
    files: ['src'],
    scripts: { test: 'node --import rystra/register --test test/index.spec.ts' },
    peerDependencies: { '@rystra/plugin': contracts },
    // The tunnel that loads it has it, whether it is installed or not.
    peerDependenciesMeta: { '@rystra/plugin': { optional: true } },
    devDependencies
  }
  return `${JSON.stringify(json, null, 2)}\n`
}

/** For editors. */
export const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'ES2023',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      skipLibCheck: true
    },
    include: ['src', 'test']
  },
  null,
  2
)}\n`

/** How it is tested, used and published. */
export const readmeOf = ({ package: name }: Template, folder: string): string => `# ${name}

A Rystra extension: refuses visitors from some addresses.

| option | default | meaning |
|---|---|---|
| \`blocked\` | \`[]\` | Addresses of visitors that are refused. |

Test it:

\`\`\`sh
npm install
npm test
\`\`\`

Use it, in the folder of a tunnel (\`rystra init\` makes one):

\`\`\`sh
npx rystra plugins:add ../${folder}
\`\`\`

A tunnel loads the TypeScript as it is. Before you publish it to a registry, compile it to JavaScript and let \`exports\`
point there: others need no loader then.
`
