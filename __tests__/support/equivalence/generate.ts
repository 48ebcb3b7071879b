import { randomFrom } from '../random-build.ts'
import type { Example } from './example.ts'

const BUILD_ARGS = ['A=outside', 'B=b c', 'C=', 'FLAVOUR=two', 'NOT_DECLARED=1']
const DEEPER = `\${C:-deeper}`
const NAMES = ['A', 'B', 'C', 'E', 'F', 'TARGETARCH']
const USES = ['$A', `\${B}`, `\${C:-none}`, `\${E:+set}`, '$F', `<\${A}-$E>`, '$TARGETARCH', '$FLAVOUR', '$PATH']

/** A Dockerfile of three to five stages that hand on to each other whatever stages can hand on; the same for the same seed. */
export function generate(seed: number): Example {
  const random = randomFrom(seed * 7_919 + 13)
  for (let skip = 0; skip < 8; skip++) random(2)
  const pick = <T>(...items: T[]): T => items[random(items.length)] as T
  const chance = (percent: number): boolean => random(100) < percent
  const use = (): string => pick(...USES)
  // most Dockerfiles must be buildable by the legacy builder, too
  const isModern = chance(35)
  const anyCase = (word: string): string => pick(word, word, word, word.toLowerCase())
  let files = 0

  const environment = (): string => {
    const name = pick(...NAMES.slice(0, 5))
    return pick(
      `ENV ${name}=${pick('1', '"1 2"', `"${use()}"`)}`,
      `ENV ${name} ${pick('x', 'x y')}`,
      `ENV PATH=/p${random(3)}:$PATH`,
      `ENV ${name}="${use()}" ${pick(...NAMES.slice(3, 5))}2=2`
    )
  }
  const argument = (): string => {
    const name = pick(...NAMES)
    if (name === 'TARGETARCH') return isModern ? 'ARG TARGETARCH' : 'ARG B=b'
    return pick(`ARG ${name}`, `ARG ${name}=${pick('1', '"1 2"', "''")}`, `ARG ${name}=of-\${${pick('A', 'B', 'Z')}}`)
  }
  const run = (): string => {
    const file = `f${files++}`
    const text = `"${use()} ${use()} $(pwd) $(id -u) $-"`
    return pick(
      `RUN echo ${text} > /tmp/${file}`,
      `RUN echo ${text} > /tmp/${file}`,
      `RUN echo ${text} > ${pick('/tmp/', '')}${file} \\\n  # comment\n\n  && chmod ${pick('600', '4755', '711')} /tmp`,
      `RUN ["sh", "-c", "echo $A > /tmp/${file}"]`,
      ...(isModern
        ? [
            `RUN <<EOF\necho ${text} > /tmp/${file}\nFROM=1\nEOF`,
            `RUN --mount=type=bind,source=src,target=/mnt ls /mnt > /tmp/${file}`,
            `RUN --mount=type=cache,target=/c echo > /tmp/${file}`
          ]
        : [])
    )
  }
  const copy = (): string => {
    const flags = pick('', '', '--chown=5:6 ', isModern ? pick('--chmod=640 ', '--link ') : '')
    const to = pick('./', '/to/', '/$A/x/', `./\${C:-c}/`, '/to/deep/name')
    const from = to.endsWith('/') ? pick('app.txt', 'src', 'src/*', '. ', 'app.txt src/main.txt', 'l') : 'app.txt'
    if (isModern && chance(20)) return `COPY <<X.txt ${to}\n${use()} text\nX.txt`
    return pick(`${pick('COPY', 'COPY', 'ADD')} ${flags}${from} ${to}`, `COPY ["app.txt", "${pick('/j s/', 'rel/')}"]`)
  }
  const config = (): string =>
    pick(
      `WORKDIR ${pick('/w', 'rel', '/w/$A', DEEPER, '/')}`,
      `WORKDIR ${pick('/w', 'rel', '/x/y')}`,
      `USER ${pick('0', 'root', 'nobody', '12:34')}`,
      `LABEL l${random(3)}="${use()}" m=${random(3)}`,
      `EXPOSE ${pick('80', '81/udp', '$PORT', '82-84')}`.replace('$PORT', `\${PORT:-85}`),
      `VOLUME ${pick('/v', '["/v1", "/v 2"]')}`,
      `STOPSIGNAL ${pick('SIGINT', '9')}`,
      `HEALTHCHECK ${pick('NONE', '--interval=9s CMD true', 'CMD ["true", "$A"]')}`,
      `ENTRYPOINT ${pick('["sh", "-c"]', 'exec sh')}`,
      `CMD ${pick('["x"]', 'echo $A', '[]')}`,
      `SHELL ["/bin/sh", "${pick('-ec', '-c', '-xc')}"]`,
      `MAINTAINER ${pick('a', 'b')}`,
      `ONBUILD ${pick('ENV O=1', 'RUN echo on > /tmp/on', 'COPY app.txt /on/', 'ARG A=trigger', 'WORKDIR trig')}`
    )

  const count = 3 + random(3)
  const builder = pick(count - 2, count - 2, 0)
  const names = Array.from({ length: count }, (_, index) =>
    index === builder ? 'builder' : pick(`s${index}`, `s${index}`, `v1.${index}`, undefined)
  )
  if (isModern && chance(15) && names[0] !== 'builder') names[count - 1] = names[0]
  const stages = names.map((name, index) => {
    const earlier = names.slice(0, index).map((other, number) => other ?? String(number))
    const named = names.slice(0, index).filter((other) => other !== undefined)
    const fresh = pick('BASE', 'BASE', 'PINNED', '$ROOT', `\${ROOT}`)
    const base = named.length > 0 && chance(60) ? pick(...named, 'builder') : fresh
    const known = base === 'builder' && !named.includes('builder') ? fresh : base
    const platform = isModern && chance(10) ? '--platform=$BUILDPLATFORM ' : ''
    const as = name === undefined ? '' : ` ${anyCase('AS')} ${pick(name, name, name.toUpperCase())}`
    const lines = [`${anyCase('FROM')} ${platform}${index > 0 && chance(8) ? 'scratch' : known}${as}`]
    const isScratch = / scratch/.test(lines[0] ?? '')
    for (let more = 2 + random(5); more > 0; more--) {
      const line = pick(environment, argument, argument, run, run, copy, config, config)()
      if (!isScratch || !/^(?:RUN|ONBUILD)/.test(line)) lines.push(chance(15) ? line.replace(/^\w+/, anyCase) : line)
      if (chance(10)) lines.push(pick('', '# comment', '# FROM nothing AS builder'))
    }
    if (earlier.length > 0 && chance(60)) lines.push(`COPY --from=${pick(...earlier)} /tmp /from-${index}`)
    if (isScratch) lines.push(`COPY app.txt /tmp/s${index}`)
    return lines
  })
  // the images of two stages must not be one
  if (!stages.at(-1)?.some((line) => line.startsWith('COPY --from')))
    stages.at(-1)?.push('COPY --from=builder /tmp /built')
  const lines = [
    ...(chance(10) ? ['# escape=\\'] : []),
    'ARG ROOT=BASE',
    ...(chance(50) ? [`ARG A=${pick('global', '1')}`, 'ARG FLAVOUR=one'] : []),
    ...stages.flat(),
    ''
  ]
  const end = pick('\n', '\n', '\n', '\r\n')
  const buildArgs = BUILD_ARGS.filter(() => chance(30))
  const isGiven = chance(30)
  return {
    name: `generated ${seed}`,
    files: {
      l: { target: 'src' },
      '.dockerignore': `.git\n.dockerignore\nDockerfile\n${pick('', 'src/*.md', '*.txt\n!app.txt')}\n`
    },
    inputs: {
      ...(buildArgs.length > 0 && { 'build-args': [...buildArgs, ...(isGiven ? ['E'] : [])].join('\n') }),
      ...(chance(20) && names[count - 1] !== undefined && { target: String(names[count - 1]) })
    },
    ...(isGiven && { env: { E: 'given' } }),
    dockerfile: ({ base, pinned }) =>
      lines
        .flatMap((line) => line.split('\n'))
        .join(end)
        .replaceAll(/\bBASE\b/g, base)
        .replaceAll(/\bPINNED\b/g, pinned)
  }
}
