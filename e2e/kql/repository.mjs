// What there is to check in the repository.
import fs from "node:fs";
import path from "node:path";
import url from "node:url";

export const ROOT = path.resolve(path.dirname(url.fileURLToPath(import.meta.url)), "../..");
const LEFT_OUT = new Set(["target", "node_modules", ".git", ".tools", ".foretide"]);
/** Types in Azure Resource Manager's spelling. */
const ARM_TYPES = { dateTime: "datetime", boolean: "bool" };

/** Files below a folder whose names end so, in order. */
export function filesBelow(folder, endings) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const here = path.join(folder, entry.name);
    if (entry.isDirectory() && !LEFT_OUT.has(entry.name)) found.push(...filesBelow(here, endings));
    else if (entry.isFile() && endings.some((ending) => entry.name.endsWith(ending))) found.push(here);
  }
  return found.sort();
}

function json(file) {
  return JSON.parse(fs.readFileSync(path.join(ROOT, file), "utf8"));
}

/**
 * The tables that our queries may read, with the columns that are declared: those that are counted
 * from (crates/sentinel-tables), our own (crates/sentinel-content), and what else the content pack
 * reads.
 */
export function declaredTables() {
  const tables = json("crates/sentinel-tables/kql/schema.json").tables;
  for (const [name, columns] of Object.entries(json("e2e/kql/read-by-content.json").tables)) {
    tables[name] = { ...tables[name], ...columns };
  }
  for (const [name, written] of Object.entries(json("crates/sentinel-content/content/tables.json"))) {
    tables[name] = Object.fromEntries(
      written.columns.map((column) => [column.name, ARM_TYPES[column.type] ?? column.type]),
    );
  }
  return tables;
}

/** Columns that are declared with another type than the table reference has, or that it has not. */
export function strayColumns(tables, reference) {
  const stray = [];
  for (const [name, columns] of Object.entries(tables)) {
    const known = reference.tables[name];
    if (!known) continue;
    for (const [column, type] of Object.entries(columns)) {
      const real = known.columns.find((other) => other.name === column)?.type;
      if (real !== type) stray.push(`${name}.${column}: ${type} here, ${real ?? "nothing"} in the reference`);
    }
  }
  return stray;
}

/** Operators that only KQL has behind a bar. */
const KQL = /\|\s*(where|summarize|extend|project(-away|-rename)?|mv-expand|mv-apply|make-series|distinct|arg_max)\s+\w/;
/** Where KQL is made or translated rather than kept. */
const MADE = [
  "crates/sentinel-tables/src/", // generates it from the declarations
  "crates/emulator/src/query", // cuts a query's tables down to its timespan
];

/** Lines with KQL outside of .kql files: in code that is not a test, and in JSON and YAML. */
export function strayKql(root = ROOT) {
  const stray = [];
  for (const file of filesBelow(root, [".rs", ".json", ".yaml", ".yml"])) {
    const name = path.relative(root, file);
    if (/(^|\/)(tests|fixtures|e2e)\//.test(name) || /tests\.rs$/.test(name)) continue;
    if (MADE.some((folder) => name.startsWith(folder))) continue;
    const text = fs.readFileSync(file, "utf8").split("\n#[cfg(test)]")[0];
    text.split("\n").forEach((line, at) => {
      if (!/^\s*\/\//.test(line) && KQL.test(line)) stray.push(`${name}:${at + 1}`);
    });
  }
  return stray;
}
