import { exerciseStore } from "@tq/storage/exercise";
import { sqlite } from "../test/home.ts";

exerciseStore(sqlite);
