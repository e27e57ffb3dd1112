import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** `void promise` in a source: a rejection of it would end the process. `background` of @rystra/model logs it instead. */
const noVoidPromise = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { named: 'give the promise to background(), or catch its rejection' }
  },
  create(context) {
    const { esTreeNodeToTSNodeMap: nodes, program } = context.sourceCode.parserServices
    const checker = program.getTypeChecker()
    const isPromise = (node) => {
      const type = checker.getNonNullableType(checker.getTypeAtLocation(nodes.get(node)))
      return (type.isUnion() ? type.types : [type]).some((one) => one.getProperty('catch') !== undefined)
    }
    const isCaught = ({ type, callee, arguments: given, expression }) =>
      (type === 'ChainExpression' && isCaught(expression)) ||
      (type === 'CallExpression' &&
        ((callee.property?.name === 'catch' && given.length === 1) ||
          (callee.property?.name === 'then' && given.length === 2)))
    return {
      'UnaryExpression[operator=void]'({ argument }) {
        if (!isCaught(argument) && isPromise(argument)) context.report({ node: argument, messageId: 'named' })
      }
    }
  }
}

/** Rules that need types and matter in a network program; everything else is Biome's. See docs/adr/0014 and 0047. */
export default defineConfig(
  { ignores: ['**/dist/', '**/node_modules/', '**/*.js', '**/*.mjs', '**/*.cjs', 'extensions/*/src/page/'] },
  {
    files: ['**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    plugins: { '@typescript-eslint': tseslint.plugin },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      // A function given to an event may be asynchronous only where it catches by itself: the checker cannot see that.
      '@typescript-eslint/no-misused-promises': 'error'
    }
  },
  {
    files: ['framework/*/src/**', 'extensions/*/src/**', 'cli/src/**'],
    ignores: ['framework/testkit/**'],
    plugins: { rystra: { rules: { 'no-void-promise': noVoidPromise } } },
    rules: { 'rystra/no-void-promise': 'error' }
  },
  {
    // `describe` and `it` of node:test return promises that the runner awaits.
    files: ['cli/templates/*/test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-misused-promises': 'off'
    }
  }
)
