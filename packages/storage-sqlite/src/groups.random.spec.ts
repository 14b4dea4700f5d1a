/*
 * Many operations in one commit, as a busy server makes them, over tasks that stand in chunks: at random. After each commit
 * the file is checked; now and then it fails, or the process is killed, and nothing may be different afterwards.
 */
import { exerciseGroups } from "../test/groups.ts";
import { sqlite } from "../test/home.ts";

exerciseGroups(sqlite, "leave a file that agrees with itself, whatever fails: seed %i", 16);
