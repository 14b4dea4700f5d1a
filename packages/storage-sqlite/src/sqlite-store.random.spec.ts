import { exerciseAtRandom } from "@tq/storage/exercise";
import { sqlite } from "../test/home.ts";

exerciseAtRandom(sqlite, { walks: 200, steps: 45 });
