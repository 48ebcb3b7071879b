/** Loaded into the action by its tests: shortens each timer of as many milliseconds as a bound has, so that it is reached soon. */
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import promises from 'node:timers/promises'

const LONG = Number(process.env.TEST_BOUND)
const SHORT = 6_000

const shorten = (ms) => (ms === LONG ? SHORT : ms)

const { setTimeout } = timers
timers.setTimeout = (work, ms, ...more) => setTimeout(work, shorten(ms), ...more)
globalThis.setTimeout = timers.setTimeout

const sleep = promises.setTimeout
promises.setTimeout = (ms, ...more) => sleep(shorten(ms), ...more)

const { timeout } = AbortSignal
AbortSignal.timeout = (ms) => timeout.call(AbortSignal, shorten(ms))

syncBuiltinESMExports()
