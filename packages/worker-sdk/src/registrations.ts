import { createHash } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { WorkerRefSchema } from "@tq/proto";

/** Who a worker says it is in its calls. */
export interface WorkerIdentity {
  readonly workerId: string;
  readonly identity: string;
  readonly buildId: string;
}

/** A reference to the worker for one call, and what to do once that call was answered. */
export interface WorkerReference {
  readonly worker: MessageInitShape<typeof WorkerRefSchema>;
  readonly answered: (registrationsWanted: boolean) => void;
}

interface Types {
  readonly activityTypes: string[];
  readonly workflowTypes: string[];
}

/**
 * What a worker can run, and whether the server knows it. It is sent in full until a call with it was answered, and again
 * when an answer asks for it; otherwise a hash stands for it.
 */
export class Registrations {
  readonly #identity: WorkerIdentity;
  readonly #types: Types;
  readonly #hash: string;
  #isKnown = false;

  constructor(identity: WorkerIdentity, activityTypes: readonly string[], workflowTypes: readonly string[]) {
    this.#identity = identity;
    this.#types = { activityTypes: activityTypes.toSorted(), workflowTypes: workflowTypes.toSorted() };
    this.#hash = createHash("sha256").update(JSON.stringify(this.#types)).digest("hex").slice(0, 32);
  }

  /** The worker as the next call names it. */
  reference(): WorkerReference {
    return this.#isKnown ? this.#named({}) : this.fullReference();
  }

  /** The worker with what it can run, for a server that may have been restarted and know nothing. */
  fullReference(): WorkerReference {
    return this.#named({ registrations: this.#types });
  }

  #named(more: { readonly registrations?: Types }): WorkerReference {
    return {
      worker: { ...this.#identity, registrationsHash: this.#hash, ...more },
      answered: (registrationsWanted) => {
        if (registrationsWanted) this.#isKnown = false;
        else if (more.registrations !== undefined) this.#isKnown = true;
      },
    };
  }
}
