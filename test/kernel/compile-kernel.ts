// Compiles src/kernel to WebAssembly and writes it as a module, so that no file has to lie beside a
// bundle. Run: npm run kernel.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";
import asc from "assemblyscript/asc";

const SOURCE = new URL("../../src/kernel/", import.meta.url);
const OUTPUT = new URL("../../src/format/kernel-module.ts", import.meta.url);

/** The text of the module that holds the compiled kernel. */
export async function compileKernel(): Promise<string> {
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      "index.ts",
      ...["--outFile", "kernel.wasm", "-O3", "--noAssert", "--runtime", "stub"],
      ...["--enable", "simd", "--initialMemory", "1"],
    ],
    {
      readFile: (name, base) => {
        try {
          return readFileSync(new URL(name, new URL(base, SOURCE)), "utf8");
        } catch {
          return null;
        }
      },
      writeFile: (_, contents) => {
        wasm = contents as Uint8Array;
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm) throw new Error(`the kernel does not compile: ${error?.message}\n${stderr}`);
  return `// Compiled from src/kernel by \`npm run kernel\`.

/** The WebAssembly module of the kernel, in base64. */
export const KERNEL_MODULE: string =
  "${Buffer.from(wasm).toString("base64")}";
`;
}

if (argv[1] === fileURLToPath(import.meta.url)) writeFileSync(OUTPUT, await compileKernel());
