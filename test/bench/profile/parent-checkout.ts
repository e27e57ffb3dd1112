import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs'
import path from 'node:path'

const git = (root: string, ...args: string[]): string =>
  execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

/** The commit before the one that is checked out. `undefined` without one: no git, or a shallow clone. */
export const parentOf = (root: string): string | undefined => {
  try {
    return git(root, 'rev-parse', '--verify', 'HEAD^')
  } catch {
    return undefined
  }
}

/** Whether two commits have the same dependencies, so that one `node_modules` is right for both. */
export const sameDependencies = (root: string, commit: string): boolean => {
  const of = (name: string): string => git(root, 'rev-parse', `${name}:package-lock.json`)
  const lines = (name: string): string =>
    git(root, 'show', `${name}:package-lock.json`)
      .split('\n')
      .filter((line) => /"(resolved|integrity)":/.test(line) && line.includes('://'))
      .join('\n')
  return of('HEAD') === of(commit) || lines('HEAD') === lines(commit)
}

/** Links everything that is installed; the packages of the project lead to the other checkout. */
const linkModules = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.join(to, entry.name)
    if (entry.name === '@rystra') linkModules(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else symlinkSync(source, target)
  }
}

/** Checks a commit out into `dir` and builds it, with what is installed here. Throws with what the compiler says. */
export const checkOut = (root: string, commit: string, dir: string): void => {
  git(root, 'worktree', 'add', '--detach', dir, commit)
  linkModules(path.join(root, 'node_modules'), path.join(dir, 'node_modules'))
  for (const group of ['framework', 'extensions', '.']) {
    for (const name of group === '.' ? ['cli'] : readdirSync(path.join(root, group))) {
      const source = path.join(root, group, name)
      const target = path.join(dir, group, name)
      if (!existsSync(target)) continue
      const modules = path.join(source, 'node_modules')
      if (existsSync(modules)) linkModules(modules, path.join(target, 'node_modules'))
      // What was built here needs little to become the other: the build knows what has changed.
      if (existsSync(path.join(source, 'dist')))
        cpSync(path.join(source, 'dist'), path.join(target, 'dist'), { recursive: true, preserveTimestamps: true })
    }
  }
  // As that commit builds itself.
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Forgets the checkout. */
export const removeCheckout = (root: string, dir: string): void => {
  git(root, 'worktree', 'remove', '--force', dir)
}
