import { createHash } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { type WorkerRef, WorkerRefSchema } from "@tq/proto";

/** Who a worker says it is in its calls. */
export interface WorkerIdentity {
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
}

/** A reference to the worker for one call, and what to do once that call was answered. */
export interface WorkerReference {
  readonly worker: WorkerRef;
  readonly answered: (registrationsWanted: boolean) => void;
}

/**
 * What a worker can run, and whether the server knows it. It is sent in full until a call with it was answered, and again
 * when an answer asks for it; otherwise a hash stands for it.
 */
export class Registrations {
  readonly #short: WorkerReference;
  readonly #full: WorkerReference;
  #isKnown = false;

  constructor(identity: WorkerIdentity, activityTypes: readonly string[], workflowTypes: readonly string[]) {
    const registrations = { activityTypes: activityTypes.toSorted(), workflowTypes: workflowTypes.toSorted() };
    const registrationsHash = createHash("sha256").update(JSON.stringify(registrations)).digest("hex").slice(0, 32);
    this.#short = {
      worker: create(WorkerRefSchema, { ...identity, registrationsHash }),
      answered: (registrationsWanted) => {
        if (registrationsWanted) this.#isKnown = false;
      },
    };
    this.#full = {
      worker: create(WorkerRefSchema, { ...identity, registrationsHash, registrations }),
      answered: (registrationsWanted) => void (this.#isKnown = !registrationsWanted),
    };
  }

  /** The worker as the next call names it. */
  reference(): WorkerReference {
    return this.#isKnown ? this.#short : this.#full;
  }

  /** The worker with what it can run, for a server that may have been restarted and know nothing. */
  fullReference(): WorkerReference {
    return this.#full;
  }
}
