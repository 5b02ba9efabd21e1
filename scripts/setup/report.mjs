/** What the set-up shows: one line a step (name, what it does, seconds), warnings, and what to type when it stops. */
import { spawn } from 'node:child_process';
import process from 'node:process';

/** The set-up cannot go on; the message says what was found and the advice what to type. */
export class SetupRefused extends Error {
  constructor(message, advice) {
    super(message);
    this.advice = advice;
  }
}

const nameWidth = 16;
const tickMs = 250;
const shownOutputLines = 30;
const outputCharactersMax = 1_000_000; // of one program; the end of it says what went wrong

export function createReport({ check, verbose }) {
  const out = process.stdout;
  const started = Date.now();
  const missing = [];
  let shown = false;

  /** Shows one step while `work` runs; `work` may call its argument with a new text. */
  async function step(name, text, work) {
    shown = true;
    const live = startLine(out, name, text);
    try {
      const result = await work(live.say);
      live.end('done');
      return result;
    } catch (error) {
      live.end('failed');
      throw error;
    }
  }

  return {
    verbose,
    step,
    note: (name, text) => {
      if (verbose || check) out.write(`  ${name.padEnd(nameWidth)}${text}\n`);
    },
    warn: (name, text) => {
      shown = true;
      process.stderr.write(`! ${name.padEnd(nameWidth)}${text}\n`);
    },
    missing: (name, text) => {
      missing.push(name);
      out.write(`- ${name.padEnd(nameWidth)}${text}\n`);
    },
    refuse: (error) => {
      process.stderr.write(`\nset-up: ${error.message}\n`);
      if (error.advice !== undefined) process.stderr.write(`\n  ${error.advice.split('\n').join('\n  ')}\n\n`);
    },
    complete: () => missing.length === 0,
    finish: () => {
      if (missing.length > 0) out.write('set-up: run `node scripts/setup.mjs` to add what is missing\n');
      else if (check) out.write('set-up: nothing is missing\n');
      else if (shown) out.write(`set-up: ready after ${seconds(started)}\n`);
      return missing.length > 0 ? 1 : 0;
    },
  };
}

/**
 * Runs a program to its end and keeps what it printed; `hear` gets each piece of it as it comes.
 * @returns {Promise<{ ok: boolean, output: string }>} never rejects; a program that cannot be started is not ok
 */
export function runProgram(file, args, { cwd, env, terminal = false, verbose = false, hear = () => {} } = {}) {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: terminal ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk) => {
      if (verbose) process.stderr.write(chunk);
      output = (output + chunk).slice(-outputCharactersMax);
      hear(String(chunk));
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.once('error', (error) => resolve({ ok: false, output: `${file}: ${error.message}` }));
    child.once('close', (code) => resolve({ ok: code === 0, output }));
  });
}

/** The end of a program's output, for a person who has to find out what went wrong. */
export function lastLines(output) {
  return output.trimEnd().split('\n').slice(-shownOutputLines).join('\n');
}

function startLine(out, name, text) {
  const begun = Date.now();
  const head = `+ ${name.padEnd(nameWidth)}`;
  let current = text;
  const draw = () => out.write(`\r${fitTimed(`${head}${current}`, seconds(begun), out.columns)}\u001b[K`);
  const timer = out.isTTY ? setInterval(draw, tickMs) : undefined;
  if (out.isTTY) draw();
  else out.write(`${head}${current}`);
  return {
    say: (next) => {
      current = next;
    },
    end: (word) => {
      clearInterval(timer);
      out.write(out.isTTY ? `\r${head}${current}  ${word}, ${seconds(begun)}\u001b[K\n` : `  ${word}, ${seconds(begun)}\n`);
    },
  };
}

/** One line of a terminal; what is cut is the text, never the time, which shows that something is going on. */
export function fitTimed(text, time, columns = 120) {
  const room = Math.max(0, columns - time.length - 3);
  return `${text.length <= room ? text : `${text.slice(0, Math.max(0, room - 1))}…`}  ${time}`;
}

function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}
