import { describe, expect, it } from '@jest/globals'
import { type StageBuild, splitAtBuilder } from '../../../src/plan/stage-builds.ts'
import { makePlan } from '../../support/make-plan.ts'

const TEXT = `FROM node:24 AS assets
RUN make assets
FROM node:24 AS deps
COPY package.json .
ONBUILD RUN make
FROM deps AS builder
COPY --from=assets a a
FROM slim AS tools
RUN make tools
FROM builder AS base
FROM base
COPY --from=tools a a
COPY --from=deps b b
`

type Options = Parameters<typeof makePlan>[0]

function plan(options: Options = {}): StageBuild[] {
  return makePlan({ text: TEXT, ...options }).builds
}

/** The build of the stage of a name. */
function buildOf(name: string, options?: Options): StageBuild {
  const build = plan(options).find((one) => one.name === name)
  if (!build) throw new Error(`stage ${name} is not built by itself`)
  return build
}

function instructionsOf(build: StageBuild): string[] {
  return build.instructions.map(({ keyword, line }) => `${keyword} ${line}`)
}

describe('planBuilds', () => {
  it('has what the builder needs before it, and all others after it', () => {
    const [untilBuilder, afterBuilder] = splitAtBuilder(plan())
    expect(untilBuilder.map(({ name }) => name)).toEqual(['assets', 'deps', 'builder'])
    expect(afterBuilder.map(({ name }) => name)).toEqual(['tools', 'stage-5'])
  })

  it('gives each the images that there are by then, but of what it is built on only the builder', () => {
    expect(buildOf('deps').images).toEqual([{ stage: 0, image: 'octo/app:builder-0123456-stage-assets' }])
    expect(buildOf('builder').images).toEqual([{ stage: 0, image: 'octo/app:builder-0123456-stage-assets' }])
    expect(buildOf('stage-5').images).toEqual([
      { stage: 0, image: 'octo/app:builder-0123456-stage-assets' },
      { stage: 2, image: 'octo/app:builder-0123456' },
      { stage: 3, image: 'octo/app:builder-0123456-stage-tools' }
    ])
  })

  it('tells whose layers a build makes, and what they are built on', () => {
    const [builder, tools, production] = ['builder', 'tools', 'stage-5'].map((name) => buildOf(name))
    expect(builder).toMatchObject({
      own: [
        { stage: 1, name: 'deps' },
        { stage: 2, name: 'builder' }
      ],
      baseImage: 'node:24'
    })
    expect(builder).not.toHaveProperty('baseStage')
    expect(tools).toMatchObject({ own: [{ stage: 3, name: 'tools' }], baseImage: 'slim' })
    expect(production).toMatchObject({
      own: [
        { stage: 4, name: 'base' },
        { stage: 5, name: 'stage-5' }
      ],
      baseStage: 'builder'
    })
    expect(production).not.toHaveProperty('baseImage')
  })

  it('lists the instructions that the history has, with triggers where they are executed', () => {
    expect(instructionsOf(buildOf('builder'))).toEqual(['COPY 4', 'RUN 0', 'COPY 7'])
    // the legacy builder keeps a history of ONBUILD, too
    expect(instructionsOf(buildOf('builder', { strategy: 'legacy' }))).toEqual([
      'COPY 4',
      'ONBUILD 5',
      'RUN 0',
      'COPY 7'
    ])
  })

  it('has a candidate for what is inspected before its tag moves, and a kept cache for production', () => {
    const [assets, deps, builder, production] = ['assets', 'deps', 'builder', 'stage-5'].map((name) => buildOf(name))
    expect(assets).toMatchObject({
      cacheSource: 'octo/app:builder-stage-assets',
      candidate: 'octo/app:builder-next-stage-assets'
    })
    expect(builder).toMatchObject({ moving: 'octo/app:builder', candidate: 'octo/app:builder-next' })
    // its layers are in the image of the builder
    expect(deps).toMatchObject({ cacheSource: 'octo/app:builder', tags: ['octo/app:builder-0123456-stage-deps'] })
    expect(deps).not.toHaveProperty('moving')
    expect(production).toMatchObject({ cacheSource: 'octo/app:latest', keptCache: 'octo/app:latest-cache' })
    expect(production).not.toHaveProperty('candidate')
    for (const build of [...plan({ strategy: 'legacy' }), ...plan({ push: false })]) {
      expect(build).not.toHaveProperty('candidate')
    }
  })
})
