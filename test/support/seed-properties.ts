// Properties begin at one seed, so that a run repeats; HUDI_LAKE_SEED begins at another, and a failure prints its own.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.HUDI_LAKE_SEED ?? 1) });
