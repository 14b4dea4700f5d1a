import { runTask } from "./turbo.js";

runTask("build", "Built");
