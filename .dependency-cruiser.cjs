/** Which package may import which: docs/architecture.md says why. Broken on purpose, each of these has been seen red. */

const layers = require('./scripts/layers.json')

const framework = Object.entries(layers).map(([name, allowed]) => ({
  name: `${name}-imports-only-what-is-below-it`,
  comment: `framework/${name} may import ${allowed.length === 0 ? 'no package of the project' : allowed.join(', ')}.`,
  severity: 'error',
  from: { path: `^framework/${name}/src/` },
  to: {
    path: '^(framework|extensions|cli|examples|test|scripts)/',
    pathNot: `^framework/(${[name, ...allowed].join('|')})/`
  }
}))

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...framework,
    {
      name: 'extension-imports-only-contracts',
      comment:
        'An extension imports the contracts, address, limits, net, tls, udp, native and third parties; no other extension, no kernel.',
      severity: 'error',
      from: { path: '^extensions/([^/]+)/src/' },
      to: {
        path: '^(framework|extensions|cli|examples|test|scripts)/',
        pathNot: ['^framework/(plugin|model|bytes|protocol|address|limits|net|tls|udp|native)/', '^extensions/$1/']
      }
    },
    {
      name: 'extension-test-imports-only-contracts-and-testkit',
      comment: 'The same in tests, where the testkit is there as well.',
      severity: 'error',
      from: { path: '^extensions/([^/]+)/test/' },
      to: {
        path: '^(framework|extensions|cli|examples|test|scripts)/',
        pathNot: [
          '^framework/(plugin|model|bytes|protocol|address|limits|net|tls|udp|native|certificates|testkit)/',
          '^extensions/$1/'
        ]
      }
    },
    {
      name: 'framework-names-no-extension',
      comment: 'Only cli, examples and test name concrete extensions: also in the tests of the framework.',
      severity: 'error',
      from: { path: '^framework/' },
      to: { path: '^(extensions|cli|examples)/' }
    },
    {
      name: 'model-and-protocol-do-no-io',
      comment: 'They are values and state machines: testable without a socket.',
      severity: 'error',
      from: { path: '^framework/(model|protocol)/src/' },
      to: { dependencyTypes: ['core'], path: '^(net|tls|dgram|fs|fs/promises|http|http2|https|child_process|dns)$' }
    },
    {
      name: 'no-circles',
      comment: 'No circles at run time, in any package.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }
    },
    {
      name: 'no-circles-of-types',
      comment: 'Files that know each other by types alone are one noun in two files.',
      severity: 'error',
      from: {},
      to: { circular: true }
    },
    {
      name: 'no-orphans',
      comment: 'A file without an importer is dead, unless a program starts there.',
      severity: 'error',
      from: { orphan: true, path: '/src/', pathNot: ['/src/index\\.ts$', '\\.d\\.ts$', '^cli/src/commands/'] },
      to: {}
    },
    {
      name: 'no-unlisted-dependency',
      comment:
        'What a package imports stands in its own package.json, not in one further up; development dependencies become part ' +
        'of its code. Packages of the project itself, which are links here, are left to test/architecture.spec.ts.',
      severity: 'error',
      from: { path: '^(framework|extensions)/[^/]+/src/|^cli/src/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] }
    },
    {
      name: 'no-unresolvable',
      comment: 'what a browser loads it asks a server for',
      severity: 'error',
      from: { pathNot: '^test/interop/visitors/page/' },
      to: { couldNotResolve: true }
    },
    {
      name: 'src-does-not-import-tests',
      severity: 'error',
      from: { path: '/src/' },
      to: { path: '/test/|\\.spec\\.ts$|^test/|^scripts/' }
    }
  ],
  options: {
    combinedDependencies: false,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules/\\.cache)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.test.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['rystra-source', 'types', 'import', 'node', 'default'],
      mainFields: ['main', 'types']
    },
    skipAnalysisNotInRules: true
  }
}
