/*
 * V8 builds the table of a Map or Set anew when it fills up with what was deleted, and lets the old table point at the new
 * one. Once a table has become old, all that follow are made old, and whatever was in one of them as it was given up
 * outlives the collections of the young generation, which then take milliseconds, until the next large one. So where what
 * is held is large and comes and goes all the time, one that has become empty is replaced.
 */

/** The Map, or a new one if it is empty. */
export function mapBegunAnew<Key, Value>(map: Map<Key, Value>): Map<Key, Value> {
  return map.size === 0 ? new Map<Key, Value>() : map;
}

/** The Set, or a new one if it is empty. */
export function setBegunAnew<Item>(set: Set<Item>): Set<Item> {
  return set.size === 0 ? new Set<Item>() : set;
}
