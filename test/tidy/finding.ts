/** A broken house rule: where, which, and what would be right. */
export type Finding = { readonly path: string; readonly line: number; readonly rule: string; readonly right: string };

export function describeFinding({ path, line, rule, right }: Finding): string {
  return `${path}:${line}: ${rule}; ${right}`;
}
