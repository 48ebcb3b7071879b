import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { modules } from '../dist/modules/index.js'

const events = createRequire(import.meta.url)('@octokit/webhooks-examples')

for (const { name, count, words } of modules) {
  describe(name, () => {
    it('counts words', () => assert.equal(count('the quick brown fox'), words))
    it('counts more in the name and the number of an event', () => {
      for (const event of events) assert.ok(count(`${event.name} ${event.examples.length}`) >= 2)
    })
  })
}
