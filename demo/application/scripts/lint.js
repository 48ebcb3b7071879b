// Lints every module of the application and of its packages.
import { globSync, readFileSync } from 'node:fs'
import { lint } from '@pocket/lint'

const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const packages = Object.keys({ ...dependencies, ...devDependencies })
const files = globSync('{packages,scripts,src,test}/**/*.js').sort()
const problems = files.flatMap((file) => lint(file, packages))
for (const problem of problems) console.error(problem)
console.log(`${files.length} files, ${problems.length} problems`)
process.exitCode = problems.length > 0 || files.length === 0 ? 1 : 0
