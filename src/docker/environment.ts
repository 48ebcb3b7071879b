/**
 * Environment variables that docker and its credential helpers read. The pattern excludes INPUT_* and the runner's own tokens.
 * It also excludes BUILDX_NO_DEFAULT_LOAD: tests run in the built image, so the engine must have it.
 * Sources: docker/cli docs "Environment variables", buildx docs "Configure Buildx with environment variables".
 */
const PASSED_ON =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_.*|TZ|TMPDIR|TEMP|TMP|XDG_.*|DOCKER_.*|BUILDX_(?!NO_DEFAULT_LOAD$).*|BUILDKIT_.*|COMPOSE_.*|SSH_AUTH_SOCK|SSL_CERT_(FILE|DIR)|(HTTPS?|NO|ALL|FTP)_PROXY|AWS_.*|GOOGLE_.*|CLOUDSDK_.*|AZURE_.*|SystemRoot|ProgramData|ProgramFiles|APPDATA|LOCALAPPDATA|USERPROFILE|PATHEXT|ComSpec)$/i

/** @param asked further variables that the user's inputs name: `--env NAME`, a build argument without a value */
export function childEnvironment(
  env: Record<string, string | undefined>,
  asked: readonly string[] = []
): Record<string, string> {
  const passed = Object.entries(env).filter(([name]) => PASSED_ON.test(name) || asked.includes(name))
  return Object.fromEntries(passed.filter((entry): entry is [string, string] => entry[1] !== undefined))
}
