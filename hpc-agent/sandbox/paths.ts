/** Names of files in capsules and outputs: which are taken, and why the others are not. Pure. */
import { LIMITS } from '#protocol/limits.ts';
import { pathDepthMax, pathSegmentBytesMax } from '../limits.ts';

export type PathVerdict = { readonly status: 'accepted' } | { readonly status: 'refused'; readonly detail: string };

/** A path is relative, normalised, printable and bounded, so that it means the same on every machine. */
export function judgePath(path: string): PathVerdict {
  if (path.length === 0) return refused('a path is empty');
  if (path.length > LIMITS.pathCharactersMax)
    return refused(`a path has ${path.length} characters; at most ${LIMITS.pathCharactersMax} are accepted`);
  const segments = path.split('/');
  if (segments.length > pathDepthMax)
    return refused(`${printable(path)} is ${segments.length} levels deep; at most ${pathDepthMax} are accepted`);
  for (const segment of segments) {
    const complaint = segmentComplaint(segment);
    if (complaint !== undefined) return refused(`${printable(path)} ${complaint}`);
  }
  return { status: 'accepted' };
}

/** The text with everything that could steer a terminal or a log replaced. */
export function printable(text: string): string {
  return text.replace(unprintable, '\ufffd');
}

// Control characters, line and paragraph separators, and the marks that reorder text.
const unprintable = /[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

function segmentComplaint(segment: string): string | undefined {
  if (segment === '') return 'has an empty segment; write it relative and without doubled slashes';
  if (segment === '.' || segment === '..') return `has a "${segment}" segment; write it normalised`;
  if (Buffer.byteLength(segment) > pathSegmentBytesMax) return `has a segment of more than ${pathSegmentBytesMax} bytes`;
  if (segment.includes('\\') || segment !== printable(segment)) return 'has a backslash or a control character in it';
  return undefined;
}

function refused(detail: string): PathVerdict {
  return { status: 'refused', detail };
}
