/** Removes all test beds whose owner process is dead. Run as root: `node testbed/cleanup.ts [--after PID]`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { checkMachine } from './engines.ts'
import { isAlive, processId } from './process.ts'
import { removeDeadBeds, withScratchLock } from './remains.ts'

const { values } = parseArgs({ options: { after: { type: 'string' } } })
checkMachine()
if (values.after) {
  // The process that started this one is ending. Its test beds are dead only after it has ended.
  const owner = processId(Number(values.after))
  for (let tries = 0; isAlive(owner) && tries < 1000; tries++) await sleep(10)
}
for (const folder of await withScratchLock(removeDeadBeds)) console.log(`removed ${folder}`)
