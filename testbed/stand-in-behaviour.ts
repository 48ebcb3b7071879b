/** What a request reads with GET or HEAD: a manifest or index, or a blob. Or it asks for a token, with GET or POST. */
export type Subject = 'manifest' | 'blob' | 'token'

export type Action = 'pull' | 'push' | 'delete'

/** How many requests are refused for the moment, and what they are told. */
export interface TooMany {
  count: number
  /** Form of the header Retry-After: a number of seconds, or an HTTP date. */
  retryAfter: 'seconds' | 'date'
  seconds: number
  /** Only requests that read this are counted; all that are authorized by default. */
  subject?: Subject
  /** Only these methods are counted, such as `GET|HEAD`; all by default. */
  method?: string
}

/** A refusal of all that pulls, of all that pushes, or of every token. */
export interface Refusal {
  action: 'pull' | 'push' | 'token'
  status: number
  /** Error code of the distribution spec, such as DENIED. */
  code: string
  /** Only this tag, digest or upload; all by default. */
  reference?: string
}

/** What distinguishes one registry from another, and what goes wrong with it. */
export interface Behaviour {
  /** Status of GET and HEAD /manifests/DIGEST for the digest of a config or another blob. */
  blobAsManifest: 404 | 405 | 500
  /** HEAD of a manifest is answered 405. */
  noHead: boolean
  /**
   * `anonymous`: a token without credentials; `bearer`: a token for a user and a password; `bearer-identity`: the same
   * only buys the identity token, by which OAuth2 requests get tokens.
   */
  auth: 'none' | 'basic' | 'anonymous' | 'bearer' | 'bearer-identity'
  username: string
  password: string
  identityToken: string
  /** What the token endpoint grants at most of the actions that a client asks for. */
  grants: readonly Action[]
  /** The token endpoint answers POST with 405, and knows GET alone. */
  noTokenPost: boolean
  /** How many requests a token is good for; after these it is answered 401 with a new challenge. */
  tokenUses?: number | undefined
  /** GET of a blob is answered 307 with an address on another host, which answers 400 to an Authorization header. */
  redirectBlobs: boolean
  /** The next requests are answered 429. */
  tooMany?: TooMany | undefined
  /** What is read comes without the header Docker-Content-Digest; engines cannot push without it. */
  noDigestHeader: boolean
  /** Docker-Content-Digest of what is read names something that is not there. */
  lyingDigest: boolean
  /** Content comes with another byte than it was stored with: JSON stays JSON, and of the same length. */
  corrupt?: 'manifest' | 'blob' | undefined
  /** PUT of an index is answered 400 MANIFEST_INVALID. */
  refuseIndex: boolean
  /** Milliseconds before each answer. */
  delay: number
  /** The body never ends, and comes as fast as the client reads. */
  endless?: Subject | undefined
  /** The body never ends, and comes a byte every tenth of a second. */
  trickle?: Subject | undefined
  /** The request is taken and never answered; `tag` is the PUT of a manifest. */
  silent?: Subject | 'tag' | undefined
  refuse?: Refusal | undefined
}

/** A registry that behaves as the distribution spec has it. */
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
  delay: 0
}
