/** The object of a request: a manifest or index, or a blob (GET or HEAD), or a token (GET or POST). */
export type Subject = 'manifest' | 'blob' | 'token'

export type Action = 'pull' | 'push' | 'delete'

/** The number of requests to answer with 429, and the answer. */
export interface TooMany {
  count: number
  /** Format of the header Retry-After: a number of seconds, or an HTTP date. */
  retryAfter: 'seconds' | 'date'
  seconds: number
  /** Counts only requests for this object; by default all authorized requests. */
  subject?: Subject
  /** Counts only these methods, such as `GET|HEAD`; by default all. */
  method?: string
}

/** Refuses every pull, every push or every token. */
export interface Refusal {
  action: 'pull' | 'push' | 'token'
  status: number
  /** Error code of the distribution specification, such as DENIED. */
  code: string
  /** Refuses only this tag, digest or upload; by default all. */
  reference?: string
}

/** Refuses to change a tag that names another manifest. */
export interface Immutable {
  /** The tags that may move. */
  except: readonly string[]
  status: number
  /** Error code of the distribution specification, such as TAG_INVALID. */
  code: string
  message: string
}

/** The differences between registries, and their faults. */
export interface Behaviour {
  /** Status of GET and HEAD /manifests/DIGEST for the digest of a config or another blob. */
  blobAsManifest: 404 | 405 | 500
  /** Answers HEAD of a manifest with 405. */
  noHead: boolean
  /**
   * `anonymous`: a token without credentials; `bearer`: a token for user and password; `bearer-identity`: user and password
   * only get the identity token, with which OAuth2 requests get tokens.
   */
  auth: 'none' | 'basic' | 'anonymous' | 'bearer' | 'bearer-identity'
  username: string
  password: string
  identityToken: string
  /** The actions that the token endpoint grants at most. */
  grants: readonly Action[]
  /** The token endpoint answers POST with 405, and supports only GET. */
  noTokenPost: boolean
  /** Number of requests that accept a token; further ones get 401 with a new challenge. */
  tokenUses?: number | undefined
  /** Answers GET of a blob with 307 and an address on another host, which answers an Authorization header with 400. */
  redirectBlobs: boolean
  /** Answers the next requests with 429. */
  tooMany?: TooMany | undefined
  /** Omits the header Docker-Content-Digest when reading; engines cannot push without it. */
  noDigestHeader: boolean
  /** Sends a wrong Docker-Content-Digest when reading. */
  lyingDigest: boolean
  /** Changes one byte of the content: JSON stays JSON, with the same length. */
  corrupt?: 'manifest' | 'blob' | undefined
  /** Answers PUT of an index with 400 MANIFEST_INVALID. */
  refuseIndex: boolean
  /** Milliseconds before each answer. */
  delay: number
  /** Sends a body that never ends, as fast as the client reads. */
  endless?: Subject | undefined
  /** Sends a body that never ends, one byte every tenth of a second. */
  trickle?: Subject | undefined
  /** Accepts the request and never answers; `tag` is the PUT of a manifest. */
  silent?: Subject | 'tag' | undefined
  refuse?: Refusal | undefined
  immutable?: Immutable | undefined
  /** Answers a request to mount a blob from another repository with 403. */
  refuseMount: boolean
}

/** A registry that follows the distribution specification. */
export const specified: Behaviour = {
  blobAsManifest: 404,
  noHead: false,
  auth: 'none',
  username: 'octocat',
  password: 'password-of-the-stand-in',
  identityToken: 'identity-token-of-the-stand-in',
  grants: ['pull', 'push', 'delete'],
  noTokenPost: false,
  redirectBlobs: false,
  noDigestHeader: false,
  lyingDigest: false,
  refuseIndex: false,
  refuseMount: false,
  delay: 0
}
