import type { WorkerStatus } from "@tq/proto";

/** How many slots of each kind a worker has, and how many of them it uses. */
export function slotsText(status: WorkerStatus): string {
  const { activitySlotsUsed, activitySlots, workflowSlotsUsed, workflowSlots } = status;
  return `${activitySlotsUsed}/${activitySlots} activity, ${workflowSlotsUsed}/${workflowSlots} workflow`;
}
