/** Where the demo shows how it gets on: one line that is written anew on a terminal, plain lines elsewhere. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  readonly #beganAtMs = performance.now();
  #shownAtMs = -Infinity;
  #isLineOpen = false;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  /** Since the demo began. */
  get seconds(): string {
    return ((performance.now() - this.#beganAtMs) / 1_000).toFixed(1).padStart(5);
  }

  /** A line that stays. */
  say(text: string): void {
    this.#clear();
    this.#out.write(`${text}\n`);
  }

  /** Something that happened, with its time. */
  event(text: string): void {
    this.say(`${this.seconds} s  ${text}`);
  }

  /** How far it is. Shown as often as it is called on a terminal, and every two seconds elsewhere. */
  count(done: number, all: number): void {
    const nowMs = performance.now();
    if (!this.#out.isTTY && nowMs - this.#shownAtMs < 2_000) return;
    this.#shownAtMs = nowMs;
    const text = `${this.seconds} s  ${done} of ${all} workflows have ended`;
    if (!this.#out.isTTY) return this.say(text);
    const width = 24;
    const filled = Math.round((width * done) / all);
    this.#clear();
    this.#out.write(`${text}  ${"█".repeat(filled)}${"░".repeat(width - filled)}`);
    this.#isLineOpen = true;
  }

  #clear(): void {
    if (this.#isLineOpen) this.#out.write("\r\u001b[K");
    this.#isLineOpen = false;
  }
}
