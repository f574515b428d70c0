/**
 * The browser tests: `node tests/browser/run.mjs [BUNDLE [SPLIT_BUNDLE]]`, after `npm ci && npm run build` in
 * web/viewer.
 *
 * What is not given `tests/bundles.py` writes ($PYTHON, or .venv/bin/python). The browser
 * is $CHROME, or the first Chromium on the PATH. Prints every test, then "N passed, N failed";
 * exits with 1 if one failed or none ran.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath } from "node:url";

import { PRESETS } from "./presets.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, "../..");
const files = readdirSync(here)
  .filter((name) => name.endsWith(".test.mjs"))
  .sort()
  .map((name) => path.join(here, name));

const scratch = mkdtempSync(path.join(os.tmpdir(), "pocketfield-bundle-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
process.env.POCKETFIELD_BUNDLE = path.resolve(process.argv[2] ?? writeBundle("ball"));
process.env.POCKETFIELD_SPLIT_BUNDLE = path.resolve(process.argv[3] ?? writeBundle("waves"));
process.env.POCKETFIELD_PRESETS = scratch;
for (const name of PRESETS) writeBundle(name);

function writeBundle(kind) {
  const folder = path.join(scratch, kind);
  const python = process.env.PYTHON ?? path.join(root, ".venv/bin/python");
  execFileSync(python, [path.join(root, "tests/bundles.py"), folder, kind], {
    cwd: root,
    stdio: "inherit",
  });
  return folder;
}

const counts = { passed: 0, failed: 0 };
const isTest = ({ details }) => details.type !== "suite";
// Two files at a time: they wait more than they compute.
const tests = run({ files, concurrency: 2, timeout: 420_000 });
tests.on("test:pass", (event) => isTest(event) && counts.passed++);
tests.on("test:fail", (event) => isTest(event) && counts.failed++);
tests.on("end", () => {
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});
for await (const text of tests.compose(new spec())) process.stdout.write(text);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
