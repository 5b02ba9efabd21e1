/** What runs on a box that has no agent: nothing, until it is asked to end. */
process.on('SIGTERM', () => process.exit(0));
setInterval(() => undefined, 60_000);
