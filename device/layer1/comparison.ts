/**
 * Answers of several endpoints to one question, judged: agreed, different, or too few. Nobody is outvoted, so that what is told is never half the
 * truth; who said what is named. Pure. Specification §20.8.
 */

export interface EndpointAnswer<T> {
  readonly endpoint: string;
  readonly said: { readonly status: 'said'; readonly value: T } | { readonly status: 'away'; readonly why: string };
}

interface Away {
  readonly endpoint: string;
  readonly why: string;
}

export type Comparison<T> =
  | { readonly status: 'agreed'; readonly value: T; readonly by: readonly string[]; readonly away: readonly Away[] }
  | { readonly status: 'differ'; readonly said: readonly Said[]; readonly away: readonly Away[] }
  | { readonly status: 'away'; readonly away: readonly Away[] };

interface Said {
  /** For people. */
  readonly words: string;
  readonly by: readonly string[];
}

/**
 * @param answers one of each endpoint that is configured
 * @param wordsOf the same words for the same value
 */
export function compareAnswers<T>(answers: readonly EndpointAnswer<T>[], wordsOf: (value: T) => string): Comparison<T> {
  const away = answers.flatMap(({ endpoint, said }) => (said.status === 'away' ? [{ endpoint, why: said.why }] : []));
  const heard = answers.flatMap(({ endpoint, said }) =>
    said.status === 'said' ? [{ endpoint, value: said.value, words: wordsOf(said.value) }] : [],
  );
  const [first] = heard;
  if (!first || !isEnough(heard.length, answers.length)) return { status: 'away', away };
  const said = [...Map.groupBy(heard, ({ words }) => words)].map(([words, group]) => ({
    words,
    by: group.map(({ endpoint }) => endpoint),
  }));
  return said.length === 1 ? { status: 'agreed', value: first.value, by: said[0]?.by ?? [], away } : { status: 'differ', said, away };
}

/** Half of those who are asked. */
export function isEnough(heard: number, asked: number): boolean {
  return heard * 2 >= asked;
}

/** One line for people about why nothing is known. */
export function describeComparison(comparison: Exclude<Comparison<unknown>, { readonly status: 'agreed' }>): string {
  const away = comparison.away.map(({ endpoint, why }) => `${endpoint} is away: ${why}`);
  const said = comparison.status === 'differ' ? comparison.said.map(({ words, by }) => `${by.join(', ')} said ${words}`) : [];
  return [...said, ...away].join('; ');
}
