// oclif loads this by its path; the conditions of "imports" decide between source and build.
export { default } from '#commands'
