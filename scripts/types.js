import { runTask } from "./turbo.js";

runTask("types", "Types checked");
