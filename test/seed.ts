/** Property tests draw from one seed: the same cases in every run. `FC_SEED=$RANDOM npm test` looks for others. */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 20_250_530) });
