import type { Files } from '../../testbed/source-repository.ts'

/**
 * The two-stage Dockerfile of the blog post, in small. Every RUN whose input is unchanged leaves a stamp that no second
 * execution would leave again, so an image tells by itself whether the RUN was executed.
 *
 * @param base reference of the base image
 */
export function application(base: string): Files {
  return {
    Dockerfile: [
      `FROM ${base} AS builder`,
      'WORKDIR /app',
      'COPY package.json ./',
      'RUN head -c 16 /dev/urandom | md5sum > /builder-stamp',
      'COPY src ./src',
      'RUN cat src/* > app.txt',
      '',
      `FROM ${base}`,
      'WORKDIR /app',
      'COPY package.json ./',
      'RUN head -c 16 /dev/urandom | md5sum > /production-stamp',
      'COPY --from=builder /app/app.txt ./',
      'CMD ["sh", "-c", "cat /app/app.txt /production-stamp"]',
      ''
    ].join('\n'),
    'package.json': '{ "name": "app" }\n',
    'src/main.txt': 'version 0\n'
  }
}
