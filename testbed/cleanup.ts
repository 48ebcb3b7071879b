/** Removes all test beds whose owners are dead, as root: `node testbed/cleanup.ts [--after PID]`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { checkMachine } from './engines.ts'
import { isAlive, processId } from './process.ts'
import { removeDeadBeds, withScratchLock } from './remains.ts'

const { values } = parseArgs({ options: { after: { type: 'string' } } })
checkMachine()
if (values.after) {
  // A process on its way out starts this one: its beds are dead only when it is.
  const owner = processId(Number(values.after))
  for (let tries = 0; isAlive(owner) && tries < 1000; tries++) await sleep(10)
}
for (const folder of await withScratchLock(removeDeadBeds)) console.log(`removed ${folder}`)
