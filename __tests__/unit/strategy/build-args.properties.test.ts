import { describe, expect, it } from '@jest/globals'
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import type { Inputs } from '../../../src/action/inputs.ts'
import { publicInputs } from '../../../src/action/secrets.ts'
import { commonBuildArgs, secretArgs, secretEnvironment } from '../../../src/strategy/build-args.ts'
import { cases } from '../../support/cases.ts'
import { listOf, parseOptions, validInputs, withOtherSecrets } from '../../support/docker-options.ts'

describe('commonBuildArgs and secretArgs', () => {
  it('every value is one word that follows its option, and no secret is among them', () => {
    fc.assert(
      fc.property(validInputs, (all) => {
        const build = { file: all.file ?? 'D', target: all.target, tags: all.tags, labels: all.labels, idFile: '/t/id' }
        const argsOf = (some: Inputs): string[] => {
          const inputs = publicInputs(some)
          return [...commonBuildArgs(inputs, build), ...secretArgs(inputs), inputs.context]
        }
        const { options, operands } = parseOptions(argsOf(all))
        const valuesOf = (name: string): string[] =>
          options.filter(([other]) => other === name).map(([, value]) => value)
        expect(operands).toEqual([all.context])
        const expected = {
          '--file': [build.file],
          '--target': listOf(all.target),
          '--tag': all.tags,
          '--label': all.labels,
          '--build-arg': all.buildArgs,
          '--add-host': all.addHosts,
          '--network': listOf(all.network),
          '--platform': listOf(all.platform),
          '--shm-size': listOf(all.shmSize),
          '--ulimit': all.ulimit,
          '--iidfile': ['/t/id'],
          '--ssh': all.ssh
        }
        for (const [name, values] of Object.entries(expected)) expect(valuesOf(name)).toEqual(values)
        const names = new Set(options.map(([name]) => name))
        expect([...names].filter((name) => !(name in expected))).toEqual(
          all.secrets.length + all.secretFiles.length > 0 ? ['--secret'] : []
        )
        // docker build takes it for standard input
        expect(build.file).not.toBe('-')
        expect(argsOf(withOtherSecrets(all))).toEqual(argsOf(all))
        const handedOver = secretEnvironment(publicInputs(all), all.secrets)
        const [ofEnv, ofFiles] = [valuesOf('--secret'), valuesOf('--secret').splice(all.secrets.length)]
        const read = ofEnv.slice(0, all.secrets.length).map((value) => {
          const [, id = '', variable = ''] = /^id=([^,]+),env=([A-Z0-9_]+)$/.exec(value) ?? []
          return { id, value: handedOver[variable] }
        })
        expect(read).toEqual(all.secrets)
        // as docker reads them (docker/buildx util/buildflags, parseSecret)
        expect(ofFiles.map((value) => (parse(value) as string[][])[0])).toEqual(
          all.secretFiles.map(({ id, path }) => [`id=${id}`, `src=${path}`])
        )
      }),
      cases()
    )
  })
})
