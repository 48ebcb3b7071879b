import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { modules } from '../dist/modules/index.js'

/** @type {{ name: string, examples: unknown[] }[]} */
const events = createRequire(import.meta.url)('@octokit/webhooks-examples')

for (const { name, count, words } of modules) {
  test(`${name} counts`, () => {
    assert.equal(count('the quick brown fox'), words)
    for (const event of events) assert.ok(count(`${event.name} ${event.examples.length}`) >= 2)
  })
}
