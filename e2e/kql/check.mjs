// Checks every KQL text of the repository. `node check.mjs [FILE.kql …]`; exit code 1 on a problem.
import fs from "node:fs";
import path from "node:path";
import { check, globalsOf } from "./kusto.mjs";
import { ROOT, declaredTables, filesBelow, strayColumns, strayKql } from "./repository.mjs";

const REFERENCE = path.resolve(ROOT, "../shared/fixtures/fetched/schemas/tables.json");

function run(named) {
  const tables = declaredTables();
  const globals = globalsOf(tables);
  const files = named.length ? named.map((file) => path.resolve(file)) : filesBelow(ROOT, [".kql"]);
  let problems = 0;
  const complain = (text) => {
    problems += 1;
    console.log(text);
  };
  for (const file of files) {
    const name = path.relative(ROOT, file);
    for (const found of check(fs.readFileSync(file, "utf8"), globals).problems) {
      complain(`${name}:${found.line}:${found.column}: ${found.severity} ${found.code}: ${found.message}`);
    }
  }
  if (!named.length) {
    for (const line of strayKql()) complain(`${line}: KQL outside of a .kql file`);
    if (fs.existsSync(REFERENCE)) {
      const reference = JSON.parse(fs.readFileSync(REFERENCE, "utf8"));
      for (const column of strayColumns(tables, reference)) complain(`schema: ${column}`);
    } else {
      console.log(`skipped: no table reference at ${REFERENCE}`);
    }
  }
  const counted = `${files.length} queries over ${Object.keys(tables).length} tables`;
  console.log(`${counted}: ${problems === 0 ? "sound" : `${problems} problems`}`);
  return files.length > 0 && problems === 0;
}

try {
  process.exit(run(process.argv.slice(2)) ? 0 : 1);
} catch (error) {
  // the minified source line that node would print is 4 MB long
  console.error(`cannot check: ${error?.message ?? error}`);
  process.exit(2);
}
