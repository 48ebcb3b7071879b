import { afterAll, beforeAll, jest } from '@jest/globals'
import { pushBaseImages, TestBed } from '../../testbed/index.ts'

/** The test bed of the test file that imports this. */
export let bed: TestBed
/** Reference of the base image in its registry: busybox. */
export let base: string

jest.setTimeout(300_000)

beforeAll(async () => {
  bed = await TestBed.start()
  base = (await pushBaseImages(bed, ['busybox'])).busybox
})

afterAll(async () => {
  await bed.stop()
})
