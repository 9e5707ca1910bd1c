// Builds the pages into the package; the same sources give the same bytes.
import { build } from "esbuild";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const out = process.argv[2] ?? "../src/chymist/studio/static";
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const { metafile } = await build({
  entryPoints: ["src/first.ts", "src/main.tsx", "src/style.css"],
  bundle: true, splitting: true, format: "esm", minify: true, target: "es2022",
  jsx: "automatic", jsxImportSource: "preact", legalComments: "none",
  entryNames: "[name]", chunkNames: "[name]-[hash]", outdir: out, logLevel: "warning", metafile: true,
});

// The page names all modules of the shell and of the list of runs: they come at once, not each after the one that imports it.
const made = metafile.outputs, needed = new Set();
const need = (path) => {
  if (needed.has(path)) return;
  needed.add(path);
  for (const one of made[path].imports) if (one.kind === "import-statement") need(one.path);
};
const of = (entry) => Object.keys(made).find((path) => made[path].entryPoint === entry);
need(of("src/main.tsx"));
need(of("src/pages/runs.tsx"));
const links = [...needed].map((path) => basename(path)).sort()
  .map((name) => `<link rel="modulepreload" href="/static/${name}">`);
writeFileSync(`${out}/index.html`, readFileSync("src/index.html", "utf8").replace("<!-- modules -->", links.join("\n")));
