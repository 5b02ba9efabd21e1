/**
 * Starts a program with no descriptors of ours but its standard streams. libtss2 opens its connections without
 * close-on-exec: a program that inherits one keeps a software TPM waiting for the end of a command for ever, and could
 * itself talk to a chip. Owner of the `bash` program in the firmware.
 */

/** What is to be run instead of `words`: it closes every other descriptor, and becomes them. */
export function withoutDescriptors(words: readonly string[]): { readonly program: string; readonly words: string[] } {
  return { program: 'bash', words: ['-c', CLOSE_AND_BECOME, 'bash', ...words] };
}

const CLOSE_AND_BECOME = 'for fd in /proc/self/fd/*; do fd=${fd##*/}; if ((fd > 2)); then exec {fd}>&-; fi; done; exec "$@"';
