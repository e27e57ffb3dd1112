import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

/** Two rules only, those that need types and matter in a network program; everything else is Biome's. See docs/adr/0014. */
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
    // `describe` and `it` of node:test return promises that the runner awaits.
    files: ['cli/templates/*/test/**'],
    rules: {
      '@typescript-eslint/no-floating-promises': 'off',
      '@typescript-eslint/no-misused-promises': 'off'
    }
  }
)
