// The checker finds what it should find.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import test from "node:test";
import { check, globalsOf } from "./kusto.mjs";
import { strayColumns, strayKql } from "./repository.mjs";

const globals = globalsOf({ Alert: { TimeGenerated: "datetime", Severity: "string", Score: "real" } });

test("a sound query has no problem and tells its columns", () => {
  const { problems, columns } = check(
    "// high alerts\n// parameters: since: datetime\nAlert\n| where TimeGenerated > since and ingestion_time() > since\n| summarize Value = count() by Hour = bin(TimeGenerated, 1h)",
    globals,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(columns, ["Hour", "Value"]);
});

test("unknown names, wrong types and broken syntax are errors with their line", () => {
  const wrong = {
    "Alert\n| where Severety == 'High'": 2,
    "Allert": 1,
    "Alert\n| summarize sum(Severity)": 2,
    "Alert\n| where TimeGenerated >": 2,
    "Alert\n| extend x = no_such_function(Score)": 2,
    "Alert | where TimeGenerated > since": 1,
  };
  for (const [query, line] of Object.entries(wrong)) {
    const { problems } = check(query, globals);
    assert.ok(problems.some((found) => found.severity === "error" && found.line === line), query);
  }
});

test("a parameter of no type is refused", () => {
  assert.throws(() => check("// parameters: x: money\nAlert", globals), /money/);
});

test("columns are compared with the reference", () => {
  const reference = { tables: { Alert: { columns: [{ name: "Score", type: "real" }] } } };
  const tables = { Alert: { Score: "long", Name: "string" }, Ours_CL: { x: "int" } };
  assert.equal(strayColumns(tables, reference).length, 2);
  assert.deepEqual(strayColumns({ Alert: { Score: "real" } }, reference), []);
});

test("KQL outside of its files is found, but for tests and comments", () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), "stray-kql-"));
  const write = (name, text) => {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), text);
  };
  write("src/a.rs", 'let q = "T | where x > 1";\nlet r = "T\\n| summarize count() by y";\n// T | where x\nlet s = a | b;\n');
  write("src/b.rs", 'fn f() {}\n#[cfg(test)]\nmod tests { const Q: &str = "T | where x > 1"; }\n');
  write("tests/c.rs", 'const Q: &str = "T | where x > 1";\n');
  write("rules/d.yaml", "query: T | project a, b\n");
  assert.deepEqual(strayKql(root), ["rules/d.yaml:1", "src/a.rs:1", "src/a.rs:2"]);
  fs.rmSync(root, { recursive: true });
});
