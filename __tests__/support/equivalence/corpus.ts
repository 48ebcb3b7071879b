import type { Example } from './example.ts'

/** Dockerfiles with the traits of those of well-known projects, in our own words. */
export const corpus: Example[] = [
  {
    name: 'an argument picks the stages, given by name alone',
    inputs: { 'build-args': 'FLAVOUR' },
    env: { FLAVOUR: 'rich' },
    dockerfile: ({ base }) => `ARG FLAVOUR=plain
FROM ${base} AS kit-plain
RUN echo plain > /kit
FROM ${base} AS kit-rich
RUN echo rich > /kit
FROM kit-\${FLAVOUR} AS builder
WORKDIR /app
COPY app.txt ./
RUN cat /kit app.txt > built.txt
FROM ${base} AS run-plain
RUN echo plain > /runtime
FROM ${base} AS run-rich
RUN echo rich > /runtime
FROM run-\${FLAVOUR} AS production
COPY --from=builder /app/built.txt /
CMD ["cat", "/runtime", "/built.txt"]
`
  },
  {
    name: 'an argument by name alone, without a value',
    inputs: { 'build-args': 'FLAVOUR\nOTHER' },
    dockerfile: ({ base }) => `ARG FLAVOUR=plain
FROM ${base} AS kit-plain
RUN echo plain > /kit
FROM kit-$FLAVOUR AS builder
ARG OTHER=own
RUN echo "$OTHER" > /other
FROM ${base}
COPY --from=builder /kit /other /
`
  },
  {
    name: 'arguments inherited from the builder stage',
    inputs: { 'build-args': 'EDITION=enterprise\nRELEASE=7' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
ARG EDITION=community
ARG RELEASE
WORKDIR /app
COPY app.txt ./
RUN echo "built $EDITION" > built.txt
FROM builder AS production
RUN echo "shipped \${EDITION:-nothing} \${RELEASE:-unnamed}" > shipped.txt
ENV RELEASED=$RELEASE
CMD ["cat", "built.txt", "shipped.txt"]
`
  },
  {
    name: 'defaults of arguments inherited over three stages',
    dockerfile: ({ base }) => `ARG ROOT=/srv
FROM ${base} AS common
ARG ROOT
ARG EDITION="the community's" NUMBER=1
FROM common AS builder
ARG PLACE=\${ROOT}/\${NUMBER}
RUN mkdir -p $PLACE && echo "$EDITION" > $PLACE/edition
FROM builder AS between
FROM between
WORKDIR $PLACE
RUN echo "$EDITION $NUMBER $PLACE" > here.txt
`
  },
  {
    name: 'arguments that ENV hides, and the other way round',
    inputs: { 'build-args': 'A=from outside' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
ENV B="env b"
ARG A=a
ARG B=b
ARG C=c
ENV A="env a"
RUN echo "$A/$B/$C" > /builder.txt
FROM builder
ENV D="$A/$B/$C"
RUN echo "$A/$B/$C/$D" > /production.txt
`
  },
  {
    name: 'FROM --platform=$BUILDPLATFORM',
    dockerfile: ({ base }) => `FROM --platform=$BUILDPLATFORM ${base} AS builder
ARG TARGETOS TARGETARCH
RUN echo "for $TARGETOS/$TARGETARCH" > /made.txt
FROM --platform=$TARGETPLATFORM ${base}
COPY --from=builder /made.txt /
`
  },
  {
    name: 'ENV of the builder stage, PATH included',
    dockerfile: ({ base }) => `FROM ${base} AS builder
ENV HOME_OF=/opt/tool PATH=/opt/tool/bin:$PATH
ENV OLD style of value
WORKDIR $HOME_OF
RUN mkdir bin && echo "echo tool" > bin/tool && chmod +x bin/tool
FROM builder AS shop
ENV PATH="$HOME_OF/sbin:\${PATH}" HOME_OF=\${HOME_OF}/more
RUN tool > tool.txt; echo "$PATH" > path.txt
WORKDIR more
`
  },
  {
    name: 'copies from an image',
    dockerfile: ({ base, pinned }) => `FROM ${base} AS builder
COPY --from=${base} /etc/passwd /copied/passwd
FROM scratch
COPY --from=${pinned} /bin/busybox /bin/sh
COPY --from=builder /copied /copied
ENTRYPOINT ["/bin/sh"]
`
  },
  {
    name: 'stages by number',
    inputs: { 'builder-target': '1' },
    dockerfile: ({ base }) => `FROM ${base}
RUN echo zero > /zero.txt
FROM ${base}
COPY --from=0 /zero.txt /
RUN echo one > /one.txt
FROM ${base}
COPY --from=1 /zero.txt /one.txt /all/
COPY --from=0 /zero.txt /
`
  },
  {
    name: 'COPY --parents',
    files: { 'src/deep/a.txt': 'a\n', 'src/deep/b.md': 'b\n' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
COPY --parents src/**/a.txt /to/
FROM ${base}
COPY --from=builder /to /to
`
  },
  {
    name: 'COPY --exclude',
    files: { 'src/deep/a.txt': 'a\n', 'src/deep/b.md': 'b\n' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
COPY --exclude=**/*.md src /to/
FROM ${base}
COPY --from=builder --exclude=*.txt /to /to
`
  },
  {
    name: 'heredocs',
    dockerfile: ({ base }) => `FROM ${base} AS builder
ARG WHO=you
COPY <<one.txt <<"two.txt" /made/
hello $WHO
one.txt
hello $WHO
two.txt
RUN <<E1 cat > /made/three.txt && cat <<-E2 > /made/four.txt
FROM nothing
E1
	indented
	E2
FROM ${base}
COPY --from=builder /made /made
RUN <<END
set -e
cd /made
cat * > /all.txt
END
`
  },
  {
    name: '# check=error=true, instructions in lower case',
    dockerfile: ({ base }) => `# check=error=true
from ${base} as builder
workdir /work
copy app.txt ./
run cat app.txt > made.txt
from ${base} as shop
workdir /shop
copy --from=builder /work/made.txt ./
cmd ["cat", "/shop/made.txt"]
`
  },
  {
    name: '# check=error=true, a relative WORKDIR on the one of the builder stage',
    dockerfile: ({ base }) => `# check=skip=JSONArgsRecommended;error=true
FROM ${base} AS builder
ARG NAME=shelf
WORKDIR /work
COPY app.txt ./
FROM builder AS shop
WORKDIR \${NAME}
RUN cp ../app.txt .
CMD cat /work/shelf/app.txt
`
  },
  {
    name: '# check=error=true, which production breaks',
    dockerfile: ({ base }) => `# check=error=true
FROM ${base} AS builder
RUN echo > /a
FROM ${base} AS shop
COPY --from=builder /a /
CMD cat /a
`
  },
  {
    name: '# escape=`',
    dockerfile: ({ base }) => `# escape=\`
FROM ${base} AS builder
ENV DIR=C:\\tools\\
RUN echo one > /a.txt && \`
  # between
  echo two >> /a.txt
FROM ${base}
COPY --from=builder \`
  /a.txt /
LABEL dir="C:\\tools"
`
  },
  {
    name: 'lower and mixed case',
    inputs: { 'builder-target': 'Builder', target: 'SHOP' },
    dockerfile: ({ base }) => `arg base=${base}
from $base as Builder
env Case=kept
run echo "$Case" > /case.txt
From \${base} As Shop
copy --from=BUILDER /case.txt /
Entrypoint ["cat"]
cmd ["/case.txt"]
`
  },
  {
    name: 'CRLF, a byte order mark, comments and blank lines',
    dockerfile: ({ base }) =>
      `\uFEFF# comment\r\n\r\nFROM ${base} AS builder\r\nRUN echo a > /a && \\\r\n  # more\r\n\r\n  echo b > /b\r\nENV A=1 \\\r\n    B=2\r\n\r\nFROM ${base}\r\nCOPY --from=builder /a /b /ab/\r\nLABEL a.b=c  \r\n`
  },
  {
    name: 'ONBUILD of stages that others copy from and are built on',
    dockerfile: ({ base }) => `FROM ${base} AS kit
ONBUILD RUN echo on > /tmp/on
FROM ${base} AS builder
ONBUILD ARG A=trigger
RUN echo built > /tmp/built
FROM builder
RUN ["sh", "-c", "echo $A > /a"]
COPY --from=builder /tmp /from-builder
COPY --from=kit /tmp /from-kit
`
  },
  {
    name: 'ONBUILD of a stage, and left in the image',
    files: { 'conf/x.conf': 'x\n' },
    dockerfile: ({ base }) => `FROM ${base} AS template
ONBUILD ARG DEPTH=deep
ONBUILD COPY conf /conf
ONBUILD RUN echo "$DEPTH" > /conf/depth
FROM template AS builder
RUN cat /conf/* > /all
ONBUILD RUN echo grandchild > /grandchild
ONBUILD WORKDIR /late
FROM builder AS production
RUN echo "$DEPTH" > depth.txt
ONBUILD ENV LEFT=1
`
  },
  {
    name: 'SHELL',
    dockerfile: ({ base }) => `FROM ${base} AS builder
SHELL ["/bin/sh", "-e", "-c"]
RUN false || true; echo $- > /flags
FROM builder AS production
RUN echo $- > /flags-of-production
CMD cat /flags
HEALTHCHECK CMD test -e /flags
`
  },
  {
    name: 'a base pinned by digest',
    dockerfile: ({ pinned }) => `FROM ${pinned} AS builder
WORKDIR /app
COPY . .
RUN cat app.txt src/main.txt > built.txt
FROM ${pinned}
COPY --from=builder /app/built.txt /
CMD ["cat", "/built.txt"]
`
  },
  {
    name: 'a second stage of the same name',
    dockerfile: ({ base }) => `FROM ${base} AS part
RUN echo first > /first
FROM part AS builder
ARG LEFT=over
RUN echo builder > /builder
FROM builder AS part
RUN echo second > /second
FROM part
COPY --from=part /second /copied
RUN echo "$LEFT" > /left
`
  },
  {
    name: 'a cycle of names',
    dockerfile: ({ base }) => `FROM ${base} AS a
RUN echo 1 > /a
FROM a AS b
RUN echo 2 > /b
FROM b AS a
RUN echo 3 > /c
FROM a AS builder
RUN cat /a /b /c > /abc
FROM b AS builder-of-b
FROM a
COPY --from=builder /abc /
COPY --from=builder-of-b /b /from-b
`
  },
  {
    name: 'stages named as images and tags are',
    dockerfile: ({ base }) => `FROM ${base} AS busybox
RUN echo own > /own
FROM busybox AS latest
RUN echo latest > /latest
FROM latest AS builder
RUN echo built > /built
FROM busybox AS v1.2.3
COPY --from=latest /latest /
FROM v1.2.3
COPY --from=busybox /own /copied
COPY --from=builder /built /
`
  },
  {
    name: 'stages named like numbers',
    dockerfile: ({ base }) => `FROM ${base}
RUN echo none > /none
FROM ${base} AS stage-9
RUN echo nine > /nine
FROM stage-9 AS builder
COPY --from=0 /none /
FROM ${base} AS n2
RUN echo two > /two
FROM ${base}
COPY --from=stage-9 /nine /
COPY --from=builder /none /
COPY --from=n2 /two /
`
  },
  {
    name: 'the whole config',
    inputs: { labels: 'vendor=octo\norg.opencontainers.image.title=Mine' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
MAINTAINER Octo Cat <octo@example.com>
LABEL builder=yes org.opencontainers.image.title=Builder org.opencontainers.image.licenses="MIT"
EXPOSE 8080/tcp 53/udp
VOLUME /data ["/more"]
USER 65534:65534
STOPSIGNAL SIGINT
HEALTHCHECK --interval=7s --timeout=3s --retries=2 CMD ["true"]
ENTRYPOINT ["sh", "-c"]
CMD ["id"]
FROM builder AS production
EXPOSE 9090
VOLUME ["/third"]
STOPSIGNAL 9
LABEL builder=no
HEALTHCHECK NONE
`
  },
  {
    name: 'ENTRYPOINT takes the inherited CMD away',
    dockerfile: ({ base }) => `FROM ${base} AS builder
CMD ["builder"]
FROM builder AS production
ENTRYPOINT ["echo"]
`
  },
  {
    name: 'scratch, owners and modes',
    files: { 'bin/run.sh': '#!/bin/sh\n', link: { target: 'app.txt' } },
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN mkdir -p /out/deep && echo > /out/deep/f && chmod 4750 /out/deep/f && chmod 1777 /out && chown -R 7:8 /out/deep && ln -s deep/f /out/l && ln /out/deep/f /out/hard
FROM scratch
WORKDIR /w
COPY --from=builder --chown=5:6 /out /owned
COPY --from=builder /out /kept/
COPY --chown=9:9 bin link src/ ./into/
ADD app.txt /added/
`
  },
  {
    name: 'COPY --link, --chmod',
    dockerfile: ({ base }) => `FROM ${base} AS builder
COPY --link --chmod=640 app.txt /linked/
FROM ${base}
COPY --link --from=builder --chown=3:4 /linked /linked
COPY --chmod=0711 src /src
`
  },
  {
    name: 'RUN --mount',
    inputs: { secrets: 'token=sesame' },
    env: { SECRET: 'sesame' },
    dockerfile: ({ base }) => `FROM ${base} AS tool
RUN echo tool > /tool
FROM ${base} AS builder
RUN --mount=type=bind,source=src,target=/mnt,rw cat /mnt/main.txt > /main && echo > /mnt/not-kept
RUN --mount=type=secret,id=token,required md5sum < /run/secrets/token > /sum
RUN --mount=type=cache,target=/c echo x > /c/x --mount=type=tmpfs
FROM ${base}
RUN --mount=from=builder,target=/b --mount=type=bind,from=tool,source=/tool,target=/t cat /b/main /b/sum /t > /all
`
  },
  {
    name: 'stages that nothing needs, and a target in the middle',
    inputs: { target: 'shop' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN echo built > /built
FROM builder AS lint
RUN echo unneeded > /lint
FROM ${base} AS shop
COPY --from=builder /built /
FROM shop AS later
RUN exit 1
`
  },
  {
    name: 'the builder stage on the production stage',
    inputs: { target: 'runtime' },
    dockerfile: ({ base }) => `FROM ${base} AS runtime
ARG NAME=runtime
WORKDIR /run/app
COPY app.txt ./
CMD ["cat", "app.txt"]
FROM runtime AS builder
RUN echo "$NAME" > test-tools
`
  },
  {
    name: 'WORKDIR as another user',
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN mkdir -m 777 /home && echo 'app:x:1000:1000::/home/app:/bin/sh' >> /etc/passwd && echo 'app:x:1000:' >> /etc/group
USER app
WORKDIR /home/app/work
RUN id -un > who
COPY app.txt ./
FROM builder AS production
WORKDIR deeper
COPY --chown=app:app src ./src
RUN touch here
`
  },
  {
    name: 'Dockerfile.dockerignore beside .dockerignore',
    files: {
      '.dockerignore': '.git\n.dockerignore\nsrc\n',
      'Dockerfile.dockerignore': '.git\n.dockerignore\napp.txt\n**/*.md\n',
      'src/x.md': 'x\n'
    },
    dockerfile: ({ base }) => `FROM ${base} AS builder
COPY . /all/
FROM ${base}
COPY --from=builder /all /all
COPY . /own/
`
  },
  {
    name: 'a Dockerfile elsewhere, with its own ignore file',
    files: { 'docker/prod.Dockerfile.dockerignore': '.git\n.dockerignore\nsrc\n' },
    inputs: { file: 'docker/prod.Dockerfile' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
COPY . /all/
FROM builder
COPY . /own/
`
  },
  {
    name: 'the name of the target is an argument',
    inputs: { target: 'shop' },
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN echo built > /for
FROM ${base} AS shop
ARG TARGETSTAGE
RUN echo "$TARGETSTAGE" > /own
COPY --from=builder /for /
`
  },
  {
    name: 'forms of variables and of quotes',
    inputs: { 'build-args': 'EMPTY=\nSPACED=a b  c' },
    dockerfile: ({ base }) => `ARG TAG=1
FROM \${BASE:-${base}} AS builder
ARG TAG EMPTY=default SPACED NONE
ENV A="\${EMPTY:-was empty}" B=\${EMPTY-unset} C=\${NONE:+set} D='$TAG' E="q\\"$SPACED\\"" F=\\$TAG
LABEL "multi word"="a \\
b" tag=$TAG
RUN echo "$A/$B/$C/$D/$E/$F/$SPACED" > "/with \${TAG}"
FROM \${BASE:-${base}}
ARG TAG=2
COPY --from=builder ["/with 1", "/a path/$TAG"]
ENV T=$TAG
`
  },
  {
    name: 'a global argument that a stage does not declare',
    inputs: { 'build-args': 'GLOBAL=outside\nUNUSED=1' },
    dockerfile: ({ base }) => `ARG GLOBAL=inside
ARG DERIVED=of-$GLOBAL
FROM ${base} AS builder
RUN echo "<$GLOBAL>" > /not-declared
ARG GLOBAL
ARG DERIVED
RUN echo "<$GLOBAL> <$DERIVED>" > /declared
FROM ${base}
COPY --from=builder /not-declared /declared /
`
  },
  {
    name: 'ADD unpacks, and links are followed or kept',
    files: { 'to-src': { target: 'src' }, 'src/l': { target: 'main.txt' } },
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN mkdir -p /t/d && echo x > /t/d/x && ln -s d/x /t/l && touch -hd @0 /t/l /t/d/x /t/d /t && tar -C /t -cf /made.tar . && rm -rf /t
FROM ${base}
ADD to-src /followed
ADD src /kept
COPY --from=builder /made.tar /
RUN mkdir /u && tar -C /u -xf /made.tar && rm /made.tar
`
  },
  {
    name: 'a command that fails in the builder stage',
    failsAt: 3,
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN true
RUN echo oh no && exit 3
FROM ${base}
COPY --from=builder /etc/passwd /
`
  },
  {
    name: 'a command that fails in a production stage on the builder stage',
    failsAt: 6,
    dockerfile: ({ base }) => `FROM ${base} AS builder
ARG X=1
RUN true
FROM builder

RUN test "$X" = 2
`
  },
  {
    name: 'a copied file that does not exist',
    failsAt: 4,
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN true
FROM ${base}
COPY --from=builder /no/such/file /
`
  },
  {
    name: 'an unknown instruction',
    failsAt: 4,
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN true
FROM ${base}
COPPY --from=builder /a /
`
  },
  {
    name: 'an unknown flag',
    failsAt: 4,
    dockerfile: ({ base }) => `FROM ${base} AS builder
RUN true
FROM ${base}
COPY --form=builder /a /
`
  }
]
