import type { ContextDescription } from './context-entries.ts'

/** A part of what a key is made of. */
export interface Ingredient {
  kind: 'instruction' | 'argument' | 'files' | 'context' | 'stage' | 'image' | 'options' | 'base' | 'platform'
  /** Of an argument its name, of files the source, of files of a named context its name, of a stage or an image its reference, of an option what it is. */
  name?: string
  /** 8 hex */
  hash: string
  /** Number of files, for files and a context. */
  count?: number
}

/** Options that reach every RUN. */
export interface RunOptions {
  network?: string
  /** `NAME:IP`; only the names count. */
  addHosts: readonly string[]
  shmSize?: string
  /** Missing without any, as in the keys before the input existed. */
  ulimit?: readonly string[]
}

/** The key of an instruction. */
export interface InstructionKey {
  /** Its first line, `TRIGGER_LINE` for a trigger of the base stage. */
  line: number
  keyword: string
  /** 64 hex; undefined if it cannot be known. For what is no step, the key before it. */
  key: string | undefined
  /** Whether the builder executes it as a step. */
  isStep: boolean
  /**
   * Whether it reads the build context, another stage, an external image, or is the first that sees the value of a build
   * argument of the workflow: the key before it deserves a tag.
   */
  readsOutside: boolean
  /** What the key is made of besides the key before. If keys differ, one of them or the key before does. */
  ingredients: Ingredient[]
  /** Files and links that it takes, as paths below the context. */
  files: string[]
}

export interface StageKeys {
  stage: number
  /** The key of FROM. */
  base: InstructionKey
  /** Triggers of the base stage come first. */
  instructions: InstructionKey[]
  /** Key of the whole image: the last key and the whole configuration, but not labels of the workflow; undefined if it cannot be known. */
  image: string | undefined
}

/** The identity of an external image. */
export interface ImageIdentity {
  /** Of its layers and the config of its containers. */
  identity: string
  /** Whether it has ONBUILD instructions: they run before the stage's own, and nothing is known of them. */
  hasTriggers: boolean
  /** Of its layers alone: BuildKit's key of an image. By default the identity. */
  layers?: string
  /** Unless given, nothing is known about variables that the Dockerfile does not set. */
  config?: ImageConfig
}

/** What the keys depend on besides the Dockerfile. */
export interface KeyFacts {
  buildArgs: ReadonlyMap<string, string>
  /** Of the engine or the input `platform`; undefined if unknown: then there are no keys. */
  platform: Platform | undefined
  /** Whether that is, or may be, another platform than the engine's: then BUILDPLATFORM and the like are unknown. */
  isCross?: boolean
  runOptions: RunOptions
  /** By reference as in the Dockerfile after expansion; undefined if it cannot be read. */
  images: ReadonlyMap<string, ImageIdentity | undefined>
  /** Of the build context, and of named contexts that are folders. */
  context: ContextDescription
  /** What takes the place of an image in the Dockerfile: an image, whose identity `images` has by the name, files, or something unknown. */
  namedContext?: (name: string) => 'image' | 'folder' | 'other' | undefined
  /** Whether the legacy builder builds: for it, every instruction is a step. */
  chainsConfig: boolean
}

/** A platform as in docker's `os/architecture[/variant]`. */
export interface Platform {
  os: string
  architecture: string
  variant?: string
}

/** The part of an image's config that instructions use. */
export interface ImageConfig {
  /** `NAME=value`, in order. */
  env: readonly string[]
  user: string
  workdir: string
  /** Undefined if the image has none. */
  shell: readonly string[] | undefined
}
