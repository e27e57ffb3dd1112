// By its name: an import() of CommonJS that is part of the code has a default alone.
export { run } from '@oclif/core/run'
