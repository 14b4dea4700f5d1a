/*
 * When commits are settled makes no difference to anybody: what a store answers that settles at every commit, one answers
 * that does so rarely, also after failed commits and crashes; and what a crash left in the journal alone comes to the same
 * rows.
 */
import { exerciseAtRandom } from "@tq/storage/exercise";
import { exerciseGroups } from "../test/groups.ts";
import { twins } from "../test/twins.ts";

exerciseGroups(twins, "come to the same however rarely they are settled: seed %i", 9, async (d) => d.crash());
exerciseAtRandom(twins, { walks: 20, steps: 60 });
