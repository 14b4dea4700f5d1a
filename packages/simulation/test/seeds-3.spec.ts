// In files of their own, so that they are played side by side.
import { describe } from "vitest";
import { playSeeds } from "./play.ts";

describe("the server under simulated time and faults", () => {
  playSeeds(151, 225);
});
