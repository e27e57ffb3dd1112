import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../package-root.js'

/** What an extension may be for. Each has a folder of files in `templates`. */
export const extensionKinds = ['hook', 'auth', 'transport', 'muxer', 'proxy'] as const
export type ExtensionKind = (typeof extensionKinds)[number]

/** What the files of a new extension are made with. */
export interface Template {
  readonly kind: ExtensionKind
  /** Name of the package. */
  readonly package: string
  /** Name the extension gives itself. */
  readonly name: string
  readonly devDependencies: Readonly<Record<string, string>>
  /** Range of the contracts it is written for. */
  readonly contracts: string
}

const about: Readonly<Record<ExtensionKind, string>> = {
  hook: 'refuses visitors from some addresses',
  auth: 'authenticates clients by a secret that both ends have',
  transport: 'carries links over TCP',
  muxer: 'carries many streams on one link',
  proxy: 'publishes a service on a TCP port of the server'
}

/** What it registers, as configurations name it: a method, a transport, a muxer, a kind of proxy. */
const wordOf = ({ kind, name }: Template): string => {
  const word = (name.startsWith(`${kind}-`) ? name.slice(kind.length + 1) : name).replace(/[^a-z0-9]+/g, '-')
  return word.slice(0, 32)
}

/** Sources and tests, by their paths. */
export const sourcesOf = async (template: Template): Promise<Record<string, string>> => {
  const from = join(packageRoot, 'templates', template.kind)
  const paths = (await readdir(from, { recursive: true })).filter((path) => path.endsWith('.ts'))
  const texts = paths.map(async (path) => {
    const text = await readFile(join(from, path), 'utf8')
    return [path, text.replaceAll('my-extension', template.name).replaceAll('my-word', wordOf(template))] as const
  })
  return Object.fromEntries(await Promise.all(texts))
}

/** TypeScript as it is, at the test and in the tunnel: nothing to build. */
export const packageOf = ({ package: name, kind, devDependencies, contracts }: Template): string => {
  const json = {
    name,
    version: '0.1.0',
    description: `A Rystra extension: ${about[kind]}`,
    license: 'MIT',
    type: 'module',
    keywords: ['rystra-extension'],
    engines: { node: '>=20.19' },
    exports: './src/index.ts',
    files: ['src'],
    scripts: { test: 'node --import tsx --test test/index.spec.ts', check: 'tsc' },
    peerDependencies: { '@rystra/plugin': contracts },
    // The tunnel that loads it has it, whether it is installed or not.
    peerDependenciesMeta: { '@rystra/plugin': { optional: true } },
    devDependencies
  }
  return `${JSON.stringify(json, null, 2)}\n`
}

/** For editors, and `npm run check`. */
export const tsconfig = `${JSON.stringify(
  {
    compilerOptions: {
      target: 'ES2023',
      module: 'nodenext',
      types: ['node'],
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
export const readmeOf = ({ package: name, kind }: Template, folder: string): string => `# ${name}

A Rystra extension: ${about[kind]}. Its options are described in \`src/index.ts\`.

Test it:

\`\`\`sh
npm install
npm test
npm run check
\`\`\`

Use it, in the folder of a tunnel (\`rystra init\` makes one):

\`\`\`sh
npx rystra plugins:add ../${folder}
\`\`\`

A tunnel loads the TypeScript as it is. Before you publish it to a registry, compile it to JavaScript and let \`exports\`
point there: others need no loader then.
`
