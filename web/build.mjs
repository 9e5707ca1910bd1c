// Builds the pages into the package; the same sources give the same bytes.
import { build } from "esbuild";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";

const out = process.argv[2] ?? "../src/chymist/studio/static";
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: ["src/first.ts", "src/main.tsx", "src/style.css"],
  bundle: true, splitting: true, format: "esm", minify: true, target: "es2022",
  jsx: "automatic", jsxImportSource: "preact", legalComments: "none",
  entryNames: "[name]", chunkNames: "[name]-[hash]", outdir: out, logLevel: "warning",
});
copyFileSync("src/index.html", `${out}/index.html`);
