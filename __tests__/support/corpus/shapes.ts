import { PRINT, type Shape, stamp } from './shape.ts'

function install(name: string): string {
  return `cat package.json > dependencies.txt && ${stamp(name)}`
}

// `app.txt` says all that the builder was given, so that a change of either changes what production copies
const BUILD = 'cat package.json src/* > app.txt'

export const shapes: Shape[] = [
  {
    name: 'blog-post',
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base}
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('production')}                                <-- dependencies
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'prod-deps',
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS prod-deps
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('prod-deps')}                                 <-- dependencies

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
COPY --from=prod-deps /app/dependencies.txt /app/stamp-prod-deps ./ <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'builder-on-deps',
    dockerfile: (base, { tail }) => `
FROM ${base} AS deps
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('deps')}                                      <-- dependencies

FROM deps AS builder
RUN ${stamp('builder')}                                     <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY --from=deps /app/dependencies.txt /app/stamp-deps ./   <-- dependencies
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'builder-copies-assets',
    dockerfile: (base, { tail }) => `
FROM ${base} AS assets
WORKDIR /assets
COPY package.json ./                                        <-- dependencies
RUN ${install('assets')}                                    <-- dependencies

FROM ${base} AS builder
WORKDIR /app
RUN ${stamp('builder')}
COPY src ./src                                              <-- source
COPY --from=assets /assets ./                               <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY --from=builder /app/app.txt /app/stamp-builder /app/stamp-assets ./ <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'docs-of-builder',
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS docs
WORKDIR /docs
RUN ${stamp('docs')}
COPY --from=builder /app/app.txt ./                         <-- dependencies source
RUN cat app.txt > manual.txt                                <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY --from=docs /docs/manual.txt /docs/stamp-docs ./       <-- dependencies source
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'copy-link',
    needsBuildKit: true,
    // a linked copy depends on nothing above it, but on overlay2 the engine executes it like any other
    dockerfile: (base, { tail }, store) => `
FROM ${base} AS builder
WORKDIR /app
COPY --link package.json ./                                 <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY --link src ./src                                       <-- source ${store === 'overlay2' ? 'dependencies' : ''}
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY --link --from=builder /app/stamp-builder ./            <-- dependencies
COPY --link --from=builder /app/app.txt ./                  <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'heredoc',
    needsBuildKit: true,
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN <<INSTALL                                               <-- dependencies
set -e
cat package.json > dependencies.txt
${stamp('builder')}
INSTALL
COPY src ./src                                              <-- dependencies source
RUN <<-BUILD sh -e                                          <-- dependencies source
	${BUILD}
	BUILD

FROM ${base} AS production
WORKDIR /app
COPY <<ONE <<TWO ./
from the Dockerfile
ONE
likewise
TWO
RUN ${stamp('production')} && cat ONE TWO > heredocs.txt
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN <<TAIL                                                  <-- dependencies source tail
echo tail ${tail} > tail.txt
TAIL
${PRINT}
`
  },
  {
    name: 'mount-cache',
    needsBuildKit: true,
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN --mount=type=cache,target=/cache cp package.json /cache && ${install('builder')} <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN --mount=type=cache,target=/cache cp -r src /cache && ${BUILD} <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN --mount=type=cache,target=/cache,sharing=locked ${stamp('production')}
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'mount-secret',
    needsBuildKit: true,
    // its value is no part of what a step depends on
    inputs: (_base, { commit }) => ({ secrets: `token=rotated ${commit}` }),
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN --mount=type=secret,id=token,required grep rotated /run/secrets/token && ${install('builder')} <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN --mount=type=secret,id=token,target=/token grep rotated /token && ${stamp('production')}
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'build-args',
    inputs: (base, { commit }) => ({ 'build-args': `BASE=${base}\nFLAVOUR=sweet\nREVISION=${commit}` }),
    // what production copies from the builder does not say which commit it is
    dockerfile: (_base, { tail }) => `
ARG BASE=scratch
ARG FLAVOUR=sour
FROM $BASE AS builder
ARG FLAVOUR
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')} && test $FLAVOUR = sweet          <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source
ARG REVISION
RUN echo "commit $REVISION" > revision.txt                  <-- dependencies source commit

FROM \${BASE} AS production
WORKDIR /app
ARG FLAVOUR=bitter
RUN ${stamp('production')} && test $FLAVOUR = sweet
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
ARG REVISION=none
RUN echo "commit $REVISION" > revision.txt                  <-- dependencies source tail commit
${PRINT}
`
  },
  {
    name: 'add-chmod',
    needsBuildKit: true,
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
ADD --chmod=640 package.json ./                             <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
ADD --chmod=750 src ./src                                   <-- dependencies source
RUN test -x src/main.txt && ${BUILD}                        <-- dependencies source

FROM ${base} AS production
WORKDIR /app
ADD --chmod=600 package.json ./                             <-- dependencies
RUN ${stamp('production')}                                  <-- dependencies
COPY --chmod=444 --from=builder /app/app.txt /app/stamp-builder ./ <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'dockerignore',
    files: ({ commit }) => ({
      '.dockerignore': '# for both stages\n.git\n.dockerignore\nDockerfile\n*\n!src\n!package.json\n**/*.md\n',
      'README.md': `This is commit ${commit}.\n`,
      'docs/manual.txt': `This is commit ${commit}.\n`,
      'src/notes.md': `This is commit ${commit}.\n`
    }),
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY . .                                                    <-- dependencies source
RUN ${BUILD} && test ! -e docs && test ! -e .git            <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY . .                                                    <-- dependencies source
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'multi-line',
    dockerfile: (base, { tail }) => `
FROM ${base} AS template
SHELL ["/bin/sh", \\
  "-e", "-c"]
ONBUILD COPY package.json \\                                 <-- dependencies
  /app/
ONBUILD RUN cd /app && \\                                    <-- dependencies
  # a comment inside
  ${install('template')}

FROM template AS builder
WORKDIR /app                                                <-- dependencies
HEALTHCHECK --interval=5s \\
  --timeout=1s \\
  CMD test -e /app/app.txt
COPY src \\                                                  <-- dependencies source
  ./src
RUN cat package.json \\                                      <-- dependencies source

  src/* > app.txt

FROM ${base} AS production
WORKDIR /app
SHELL [ "/bin/sh", \\
        "-e", \\
        "-c" ]
HEALTHCHECK CMD \\
  test -e /app/app.txt
ONBUILD RUN exit \\
  1
RUN \\
  ${stamp('production')}
COPY --from=builder \\                                       <-- dependencies source
  /app/app.txt /app/stamp-template \\
  ./
RUN echo tail ${tail} \\                                     <-- dependencies source tail
  > tail.txt
${PRINT}
`
  },
  {
    name: 'targets-not-last',
    inputs: () => ({ 'builder-target': 'compile', target: 'Runtime' }),
    // nothing needs the stages that would fail
    dockerfile: (base, { tail }) => `
FROM ${base} AS compile
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM compile AS lint
RUN exit 1

FROM ${base} AS runtime
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('production')}                                <-- dependencies
COPY --from=compile /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}

FROM runtime AS debug
RUN exit 1
`
  },
  {
    name: 'unnamed-stages',
    inputs: () => ({ 'builder-target': '0' }),
    dockerfile: (base, { tail }) => `
FROM ${base}
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('builder')}                                   <-- dependencies
COPY src ./src                                              <-- dependencies source
RUN ${BUILD}                                                <-- dependencies source

FROM ${base}
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN ${install('prod-deps')}                                 <-- dependencies

FROM ${base}
WORKDIR /app
RUN ${stamp('production')}
COPY --from=0 /app/app.txt /app/stamp-builder ./            <-- dependencies source
COPY --from=1 /app/dependencies.txt /app/stamp-prod-deps ./ <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  },
  {
    name: 'modes-and-symlinks',
    files: ({ source }) => ({
      'src/link.txt': { target: 'main.txt' },
      'src/secret.txt': `source ${source}\n`,
      'current.txt': { target: 'src/main.txt' },
      latest: { target: 'src' }
    }),
    modes: { 'package.json': 0o600, 'src/secret.txt': 0o600, 'src/main.txt': 0o755 },
    dockerfile: (base, { tail }) => `
FROM ${base} AS builder
WORKDIR /app
COPY package.json ./                                        <-- dependencies
RUN stat -c %a package.json | grep 600 && ${install('builder')} <-- dependencies
COPY src ./src                                              <-- dependencies source
COPY current.txt ./                                         <-- dependencies source
RUN test -L src/link.txt && test -x src/main.txt && ${BUILD} <-- dependencies source

FROM ${base} AS production
WORKDIR /app
RUN ${stamp('production')}
COPY latest ./latest                                        <-- source
COPY --from=builder /app/src/link.txt /app/src/secret.txt ./ <-- source
COPY --from=builder /app/app.txt /app/stamp-builder ./      <-- dependencies source
RUN echo tail ${tail} > tail.txt                            <-- dependencies source tail
${PRINT}
`
  }
]
