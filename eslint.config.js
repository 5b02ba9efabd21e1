/** Lint: mistakes that the compiler does not see. Layout is left to whoever writes. */
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

export default defineConfig(
  { ignores: ['node_modules/', 'build/', '.capstan/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-eval': 'error',
      'no-implied-eval': 'error',
      'no-throw-literal': 'off',
      'prefer-const': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', prefer: 'type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // Numbers and yes or no read well in a sentence; objects, arrays and null do not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true, allowNullish: false }],
      // Walking the code points of a string is what the spread is for.
      '@typescript-eslint/no-misused-spread': ['error', { allow: ['string', { from: 'lib', name: 'String' }] }],
      // An async function without await keeps a promised signature: what it throws becomes a rejection.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // An arrow that only calls is how a callback with a result of no interest is written.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      // A type parameter used once may still name what a caller chooses.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // A declaration of bytes at a border is checked by its codec, not by the compiler.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      // node:test keeps the promises of test(…) itself.
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] }] },
      ],
      // A test may say what it knows about a fixed input.
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
);
