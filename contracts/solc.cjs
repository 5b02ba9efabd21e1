#!/usr/bin/env node
/**
 * The Solidity compiler as a program: forge starts a solc with --version or --standard-json, and npm has only its JavaScript build.
 * CommonJS, because forge starts this file itself and `solc` is CommonJS. It reads what the sources import from the folder in which forge
 * starts it, the one of foundry.toml: forge itself follows no relative import of a package outside of that.
 */
'use strict';

const { readFileSync } = require('node:fs');

if (process.argv.includes('--version')) {
  process.stdout.write(`solc, the solidity compiler\nVersion: ${require('solc/package.json').version}+npm\n`);
} else {
  process.stdout.write(require('solc').compile(readFileSync(0, 'utf8'), { import: readImport }));
}

function readImport(path) {
  try {
    return { contents: readFileSync(path, 'utf8') };
  } catch (error) {
    return { error: String(error) };
  }
}
