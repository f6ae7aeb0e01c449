// Microsoft's Kusto language service (npm @kusto/language-service-next, MIT). It is .NET compiled to
// plain scripts that fill globalThis.Bridge and globalThis.Kusto, so it is run and not imported.
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";
import { createRequire } from "node:module";

const SEVERITIES = { Error: "error", Warning: "warning" };

function language() {
  if (!globalThis.Kusto) {
    const entry = createRequire(import.meta.url).resolve("@kusto/language-service-next/package.json");
    for (const script of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
      const filename = path.join(path.dirname(entry), script);
      vm.runInThisContext(fs.readFileSync(filename, "utf8"), { filename });
    }
  }
  return globalThis.Kusto.Language;
}

function listed(sequence) {
  const list = [];
  const each = globalThis.Bridge.getEnumerator(sequence);
  while (each.moveNext()) list.push(each.Current);
  return list;
}

/** What queries are checked against: `{ table: { column: type } }`. */
export function globalsOf(tables) {
  const { Symbols, GlobalState } = language();
  const quoted = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : `['${name}']`);
  const members = Object.entries(tables).map(([name, columns]) => {
    const written = Object.entries(columns).map(([column, type]) => {
      if (!Symbols.ScalarTypes.GetSymbol(type)) throw new Error(`${name}.${column}: no type ${type}`);
      return `${quoted(column)}: ${type}`;
    });
    return new Symbols.TableSymbol.$ctor7(name, `(${written.join(", ")})`, null);
  });
  const database = new Symbols.DatabaseSymbol.ctor("workspace", members);
  return GlobalState.Default.WithDatabase(database);
}

/**
 * What a query asks its caller to bind, from its line `// parameters: name: type, …`, as `let`
 * statements on one line, so that line numbers stay.
 */
export function bindings(text) {
  const asked = /^\/\/ parameters: (.+)$/m.exec(text);
  if (!asked) return "";
  const values = { datetime: "datetime(2026-01-01)", timespan: "1h", string: '"x"', long: "1", real: "1.0" };
  const lets = asked[1].split(",").map((parameter) => {
    const [name, type] = parameter.split(":").map((part) => part.trim());
    if (!values[type]) throw new Error(`parameter ${name}: no type ${type}`);
    return `let ${name} = ${values[type]};`;
  });
  return `${lets.join(" ")} `;
}

/** Problems of a query (with line and column) and the columns of its answer. */
export function check(text, globals) {
  const prefix = bindings(text);
  const whole = prefix + text;
  const code = language().KustoCode.ParseAndAnalyze(whole, globals);
  const problems = listed(code.GetDiagnostics())
    .map((found) => {
      const before = whole.slice(0, found.Start);
      const line = before.split("\n").length;
      const column = found.Start - before.lastIndexOf("\n") - (line === 1 ? prefix.length : 0);
      const severity = SEVERITIES[found.Severity] ?? String(found.Severity).toLowerCase();
      return { line, column, severity, code: found.Code, message: found.Message };
    })
    .filter((found) => found.severity === "error" || found.severity === "warning");
  const columns = code.ResultType?.Columns ? listed(code.ResultType.Columns).map((column) => column.Name) : [];
  return { problems, columns };
}
