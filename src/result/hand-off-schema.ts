/** JSON schemas of the files that machines hand to each other; docs/ has the same for people. */

const text = { type: 'string' } as const
const number = { type: 'number' } as const
const count = { type: 'integer', minimum: 0 } as const

const span = {
  type: 'object',
  properties: { kind: text, name: text, start: number, seconds: number },
  required: ['kind', 'name', 'start', 'seconds']
} as const

const step = {
  type: 'object',
  properties: {
    stage: text,
    instruction: text,
    line: count,
    cached: { type: 'boolean' },
    seconds: number,
    error: text
  },
  required: ['stage', 'instruction', 'cached', 'seconds']
} as const

const miss = {
  type: 'object',
  properties: {
    stage: text,
    instruction: text,
    line: count,
    kind: text,
    reason: text,
    unexpected: { type: 'boolean' }
  },
  required: ['stage', 'instruction', 'kind', 'reason', 'unexpected']
} as const

const build = {
  type: 'object',
  properties: {
    kind: { enum: ['builder', 'cache', 'production'] },
    stage: text,
    image: text,
    cacheSource: text,
    cacheOrigin: { type: 'object', properties: { commit: text, branch: text }, required: ['commit', 'branch'] },
    imageId: text,
    seconds: number,
    steps: { type: 'array', maxItems: 10_000, items: step },
    bases: {
      type: 'array',
      items: { type: 'object', properties: { reference: text, digest: text }, required: ['reference', 'digest'] }
    },
    misses: { type: 'array', items: miss },
    unreadableCaches: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          reference: text,
          failure: { type: 'object', properties: { kind: text, message: text }, required: ['kind', 'message'] }
        },
        required: ['reference', 'failure']
      }
    }
  },
  required: ['kind', 'stage', 'image', 'cacheSource', 'imageId', 'seconds', 'steps', 'bases', 'unreadableCaches']
} as const

const test = {
  type: 'object',
  properties: {
    command: text,
    status: { enum: ['passed', 'failed', 'timed-out', 'error'] },
    exitCode: { type: ['integer', 'null'] },
    seconds: number,
    machine: text,
    failure: text,
    lastLines: text,
    failedCases: {
      type: 'array',
      maxItems: 1_000,
      items: { type: 'object', properties: { name: text, message: text }, required: ['name', 'message'] }
    }
  },
  required: ['command', 'status', 'exitCode', 'seconds']
} as const

const runId = { ...text, pattern: '^[0-9]*$', description: 'GITHUB_RUN_ID; empty outside GitHub.' } as const
const commit = { ...text, pattern: '^[0-9a-f]{40,64}$', description: 'The commit that was built.' } as const
const digest = { ...text, pattern: '^(sha256:[0-9a-f]{64})?$' } as const
const startedAt = {
  ...number,
  description: 'When the machine began, in milliseconds since 1970; timeline has seconds after that.'
} as const

export const HAND_OFF_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'What the action build of Shared Docker Layers hands to test and publish, version 1',
  description:
    'Version 1 never changes the meaning of a field, but it may get further fields. It has no value of a secret. publish believes none of it without a check.',
  type: 'object',
  properties: {
    version: { const: 1 },
    runId,
    commit,
    image: { ...text, description: 'The input image.' },
    variant: { ...text, description: 'What tells the production image from others of the same commit.' },
    buildArgs: { ...text, description: 'What tells it from others of the same commit and variant.' },
    inputs: {
      type: 'object',
      additionalProperties: text,
      description: 'The texts of the inputs that the tests need, by name.'
    },
    tests: { type: 'array', items: count, description: 'The indices of the tests that must run, from 0.' },
    transport: { enum: ['registry', 'artifact'] },
    digest: {
      ...digest,
      description:
        'Of the image in which the tests run, or of the archive images.tar beside this file. Empty if an earlier run has published the same content.'
    },
    images: {
      type: 'array',
      description: 'The images of all stages up to the builder stage, which is the last one.',
      items: {
        type: 'object',
        properties: {
          reference: { ...text, description: 'Its name in the engine.' },
          digest: { ...digest, description: 'Its digest in the registry; empty if it is in the archive.' }
        },
        required: ['reference', 'digest']
      }
    },
    startedAt,
    builds: { type: 'array', maxItems: 1_000, items: build, description: 'For the report, as there.' },
    timeline: { type: 'array', maxItems: 1_000, items: span, description: 'For the report, as there.' }
  },
  required: [
    ...['version', 'runId', 'commit', 'image', 'variant', 'buildArgs', 'inputs', 'tests', 'transport', 'digest'],
    ...['images', 'startedAt', 'builds', 'timeline']
  ]
}

/** A test of an image of one platform: of any kind, run or not. */
const platformTest = {
  ...test,
  properties: {
    ...test.properties,
    status: { enum: [...test.properties.status.enum, 'unchanged'] },
    kind: { enum: ['production-test', 'check'] },
    passedFor: text
  }
}

const pullSize = {
  type: 'object',
  properties: {
    previous: text,
    bytes: count,
    fullBytes: count,
    layers: count,
    reusedLayers: count
  },
  required: ['bytes', 'fullBytes', 'layers', 'reusedLayers']
} as const

export const PLATFORM_RESULT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'The image of one platform, as the run that joins all platforms gets it, version 1',
  description:
    'Version 1 never changes the meaning of a field, but it may get further fields. publish believes none of it without a check.',
  type: 'object',
  properties: {
    version: { const: 1 },
    runId,
    attempt: {
      type: 'integer',
      minimum: 1,
      description: 'GITHUB_RUN_ATTEMPT: the newest result of a platform counts.'
    },
    commit,
    image: { ...text, description: 'The input image.' },
    variant: { ...text, description: 'What tells the image from others of the same commit.' },
    buildArgs: { ...text, description: 'What tells it from others of the same commit and variant.' },
    platform: { ...text, description: 'os/architecture, in lower case.' },
    digest: { ...text, pattern: '^sha256:[0-9a-f]{64}$', description: 'Of the image in the registry.' },
    unchanged: {
      type: 'object',
      properties: { image: text, digest: text, commit: text, builderCommit: text },
      required: ['image', 'digest', 'commit', 'builderCommit'],
      description: 'The earlier image of the same content, if the run only tagged that.'
    },
    tests: { type: 'array', maxItems: 10_000, items: platformTest },
    startedAt,
    builds: { type: 'array', maxItems: 1_000, items: build, description: 'For the report, as there.' },
    cacheTags: { type: 'array', maxItems: 1_000, items: text, description: 'For the report, as there.' },
    pullSize,
    timeline: { type: 'array', maxItems: 1_000, items: span, description: 'For the report, as there.' }
  },
  required: [
    ...['version', 'runId', 'attempt', 'commit', 'image', 'variant', 'buildArgs', 'platform', 'digest', 'tests'],
    ...['startedAt', 'builds', 'cacheTags', 'timeline']
  ]
}

export const TEST_RESULT_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'The result of one test that the action test of Shared Docker Layers hands to publish, version 1',
  description: 'Version 1 never changes the meaning of a field, but it may get further fields.',
  type: 'object',
  properties: {
    version: { const: 1 },
    runId,
    attempt: { type: 'integer', minimum: 1, description: 'GITHUB_RUN_ATTEMPT: the newest result of a test counts.' },
    commit,
    images: { ...text, description: 'A hash of the digests of all images that were handed on.' },
    index: count,
    fingerprint: { ...text, description: 'A hash of the command and of its docker run options.' },
    startedAt,
    result: test,
    timeline: { type: 'array', maxItems: 1_000, items: span, description: 'For the report, as there.' }
  },
  required: [
    ...['version', 'runId', 'attempt', 'commit', 'images', 'index', 'fingerprint', 'startedAt', 'result', 'timeline']
  ]
}
