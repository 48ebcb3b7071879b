/**
 * Variables of this step that a check must not get: the inputs and the state of this action, the files by which a step sets its
 * outputs and the environment of later steps, and the runner's own tokens (docs.github.com, "Variables reference"; actions/runner
 * `ActionRunner.cs`, `NodeScriptActionHandler.cs`).
 */
const WITHHELD =
  /^(INPUT_.*|STATE_.*|GITHUB_(OUTPUT|STATE|ENV|PATH|STEP_SUMMARY|ARTIFACTS)|ACTIONS_(RUNTIME|ID_TOKEN|CACHE|RESULTS)_.*)$/i

/** Returns the environment of a check: that of the workflow step, without what belongs to the action or the runner. */
export function checkEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  images: Readonly<Record<'IMAGE' | 'BUILDER_IMAGE' | 'IMAGE_ID', string>>
): Record<string, string> {
  const kept = Object.entries(env).filter(([name]) => !WITHHELD.test(name))
  return { ...Object.fromEntries(kept.filter((entry): entry is [string, string] => entry[1] !== undefined)), ...images }
}
