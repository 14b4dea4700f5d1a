import { type Duration, durationToMs } from "@tq/client";
import { invalidField, type KnownOptions, refuseUnknownOptions, requireRecord } from "@tq/client/internal";
import type { Clock } from "@tq/client";
import type { Logger } from "./logger.ts";
import { PacedSlots } from "./paced-slots.ts";
import { ResourceSlots } from "./resource-slots.ts";
import { systemResources } from "./resources.ts";
import type {
  ActivitySlotInfo,
  CustomSlotSupplier,
  FixedSizeSlotSupplier,
  ResourceBasedSlotOptions,
  ResourceBasedSlotsForType,
  ResourceBasedTunerOptions,
  SlotInfo,
  SlotSupplier,
  WorkflowSlotInfo,
} from "./slot-supplier.ts";
import { slotCount } from "./session-options.ts";
import { FixedSlots, type Slots } from "./slots.ts";
import { SuppliedSlots } from "./supplied-slots.ts";

/** Where slots come from, for each kind of task. A kind that is left out has its `maxConcurrent…` option. */
export interface TunerHolder {
  readonly activityTaskSlotSupplier?: SlotSupplier<ActivitySlotInfo>;
  readonly workflowTaskSlotSupplier?: SlotSupplier<WorkflowSlotInfo>;
}

/** Both kinds of task resource-based, under the same targets. */
export interface ResourceBasedTuner {
  readonly tunerOptions: ResourceBasedTunerOptions;
  readonly activityTaskSlotOptions?: ResourceBasedSlotOptions;
  readonly workflowTaskSlotOptions?: ResourceBasedSlotOptions;
}

/** How many tasks a worker runs at once, said by more than a number. */
export type WorkerTuner = TunerHolder | ResourceBasedTuner;

/** {@link ResourceBasedSlotsForType}, complete. */
interface ResourceSlotConfig extends Required<Omit<ResourceBasedSlotOptions, "rampThrottle">> {
  readonly type: "resource-based";
  readonly tunerOptions: ResourceBasedTunerOptions;
  readonly rampThrottleMs: number;
}

/** Where the slots of one kind come from, complete and checked. */
export type SlotConfig = FixedSizeSlotSupplier | ResourceSlotConfig | CustomSlotSupplier;

/** Where the slots of both kinds come from, complete and checked. */
export interface TunerConfig {
  readonly activity: SlotConfig;
  readonly workflow: SlotConfig;
}

const slotDefaults = {
  activity: { minimumSlots: 1, rampThrottle: 50 },
  workflow: { minimumSlots: 5, rampThrottle: 0 },
} as const;

const holderOptions: KnownOptions<TunerHolder> = { activityTaskSlotSupplier: true, workflowTaskSlotSupplier: true };
const resourceBasedOptions: KnownOptions<ResourceBasedTuner> = {
  tunerOptions: true,
  activityTaskSlotOptions: true,
  workflowTaskSlotOptions: true,
};

const slotOptions: KnownOptions<ResourceBasedSlotOptions> = {
  minimumSlots: true,
  maximumSlots: true,
  rampThrottle: true,
};
const targetOptions: KnownOptions<ResourceBasedTunerOptions> = {
  targetMemoryUsage: true,
  targetCpuUsage: true,
  resources: true,
};
const fixedSizeOptions: KnownOptions<FixedSizeSlotSupplier> = { type: true, numSlots: true };
const resourceBasedSupplierOptions: KnownOptions<ResourceBasedSlotsForType> = {
  type: true,
  tunerOptions: true,
  ...slotOptions,
};

/** Checks a tuner, given the numbers of slots for what it does not say. @throws TqError `invalid_argument` naming the option. */
export function compileTuner(
  tuner: WorkerTuner | undefined,
  fixed: { readonly activity: number; readonly workflow: number },
): TunerConfig {
  const otherwise = (kind: SlotInfo["type"]): SlotConfig => ({ type: "fixed-size", numSlots: fixed[kind] });
  if (tuner === undefined) return { activity: otherwise("activity"), workflow: otherwise("workflow") };
  if ("tunerOptions" in tuner) {
    refuseUnknownOptions(tuner, resourceBasedOptions, "tuner");
    const { tunerOptions, activityTaskSlotOptions, workflowTaskSlotOptions } = tuner;
    const of = (kind: SlotInfo["type"], options: ResourceBasedSlotOptions | undefined, field: string) => {
      if (options !== undefined) refuseUnknownOptions(options, slotOptions, field);
      return compileSupplier({ type: "resource-based", tunerOptions, ...options }, kind, field);
    };
    return {
      activity: of("activity", activityTaskSlotOptions, "tuner.activityTaskSlotOptions"),
      workflow: of("workflow", workflowTaskSlotOptions, "tuner.workflowTaskSlotOptions"),
    };
  }
  refuseUnknownOptions(tuner, holderOptions, "tuner");
  const { activityTaskSlotSupplier: activity, workflowTaskSlotSupplier: workflow } = tuner;
  return {
    activity:
      activity === undefined
        ? otherwise("activity")
        : compileSupplier(activity, "activity", "tuner.activityTaskSlotSupplier"),
    workflow:
      workflow === undefined
        ? otherwise("workflow")
        : compileSupplier(workflow, "workflow", "tuner.workflowTaskSlotSupplier"),
  };
}

function compileSupplier<SI extends SlotInfo>(
  supplier: SlotSupplier<SI>,
  kind: SlotInfo["type"],
  field: string,
): SlotConfig {
  requireRecord(supplier, field);
  switch (supplier.type) {
    case "fixed-size":
      refuseUnknownOptions<FixedSizeSlotSupplier>(supplier, fixedSizeOptions, field);
      return { type: "fixed-size", numSlots: slotCount(supplier.numSlots, `${field}.numSlots`) };
    case "resource-based":
      refuseUnknownOptions<ResourceBasedSlotsForType>(supplier, resourceBasedSupplierOptions, field);
      return compileResourceBased(supplier, kind, field);
    case "custom":
      for (const method of ["reserveSlot", "tryReserveSlot", "markSlotUsed", "releaseSlot"] as const) {
        if (typeof supplier[method] !== "function") throw invalidField(`${field}.${method}`, "is no function");
      }
      return supplier;
    default:
      throw invalidField(`${field}.type`, 'is not "fixed-size", "resource-based" or "custom"');
  }
}

function compileResourceBased(
  { tunerOptions, minimumSlots, maximumSlots = 1_000, rampThrottle }: ResourceBasedSlotsForType,
  kind: SlotInfo["type"],
  field: string,
): ResourceSlotConfig {
  const defaults = slotDefaults[kind];
  refuseUnknownOptions(tunerOptions, targetOptions, "tuner.tunerOptions");
  for (const target of ["targetMemoryUsage", "targetCpuUsage"] as const) {
    const value = tunerOptions[target];
    if (!(value > 0 && value <= 1))
      throw invalidField(`tuner.tunerOptions.${target}`, `${value} is not over 0 and up to 1`);
  }
  const most = slotCount(maximumSlots, `${field}.maximumSlots`);
  const least = slotCount(minimumSlots ?? Math.min(defaults.minimumSlots, most), `${field}.minimumSlots`);
  if (least > most) throw invalidField(`${field}.minimumSlots`, `${least} is over the maximum, ${most}`);
  const throttle: Duration = rampThrottle ?? defaults.rampThrottle;
  return {
    type: "resource-based",
    tunerOptions,
    minimumSlots: least,
    maximumSlots: most,
    rampThrottleMs: durationToMs(throttle, `${field}.rampThrottle`),
  };
}

/** What slots are made of. */
export interface CreateSlotsOptions {
  readonly config: SlotConfig;
  readonly slotType: SlotInfo["type"];
  readonly taskQueue: string;
  readonly processTaskQueue: string | undefined;
  readonly identity: string;
  /** Tasks that may begin per second; unset: without limit. */
  readonly maxPerSecond: number | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The slots of one kind of task. */
export function createSlots(options: CreateSlotsOptions): Slots {
  const slots = unpacedSlots(options);
  return options.maxPerSecond === undefined ? slots : new PacedSlots(slots, options.maxPerSecond, options.clock);
}

function unpacedSlots({ config, ...options }: CreateSlotsOptions): Slots {
  switch (config.type) {
    case "fixed-size":
      return new FixedSlots(config.numSlots);
    case "resource-based": {
      const { tunerOptions, minimumSlots, maximumSlots, rampThrottleMs } = config;
      const { clock } = options;
      const { targetMemoryUsage, targetCpuUsage, resources = systemResources(clock) } = tunerOptions;
      const targets = { targetMemoryUsage, targetCpuUsage, resources };
      const supplier = new ResourceSlots({ ...targets, minimumSlots, maximumSlots, rampThrottleMs, clock });
      return new SuppliedSlots({ ...options, supplier, capacity: () => supplier.capacity });
    }
    case "custom":
      return new SuppliedSlots({ ...options, supplier: config });
  }
}
