/*
 * Reads the protobuf wire format for the few messages that every task passes through. The reflective reader of the
 * library takes several times as long, mostly for what tasks hardly ever have.
 *
 * It knows only what it is asked for. Whatever else comes (a field that its caller does not know, a length that is not
 * written in the shortest way, text that is not plain) is `unusual`: the caller catches that, and has the library read
 * the same bytes. So nothing is refused or understood here in another way than there.
 */

/** Thrown for what is to be read by the library. One for all: it carries nothing, and costs no stack trace. */
export const unusual = new Error("this message is to be read by the protobuf library");

/** Wire types, the lower three bits of a tag. */
const lengthDelimited = 2;

/** Reads one message, or a part of one. */
export class WireReader {
  readonly bytes: Buffer;
  /** Where it stands. */
  at: number;
  /** Where the message ends. */
  end: number;
  /** Where the piece begins and ends that was read last: see {@link piece}. */
  from = 0;
  to = 0;

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
    this.end = end;
  }

  /** The tag of the next field: its number times 8, and its wire type. 0 at the end. */
  tag(): number {
    if (this.at >= this.end) return 0;
    const first = this.bytes[this.at] ?? 0;
    if (first < 0x80) {
      // Field number 0.
      if (first < 8) throw unusual;
      this.at++;
      return first;
    }
    const tag = this.number();
    if (tag > 0xffff_ffff) throw unusual;
    return tag;
  }

  /** A varint of up to 53 bits. */
  number(): number {
    const { bytes } = this;
    let byte = bytes[this.at++] ?? 0;
    if (byte < 0x80) {
      if (this.at > this.end) throw unusual;
      return byte;
    }
    let value = byte & 0x7f;
    for (let factor = 0x80; ; factor *= 0x80) {
      byte = bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
      if (factor > 0x1_0000_0000_0000) throw unusual;
    }
    // A last byte of 0 says nothing: it is a longer form of the same number.
    if (this.at > this.end || byte === 0 || value > Number.MAX_SAFE_INTEGER) throw unusual;
    return value;
  }

  /** A varint of up to 32 bits. */
  uint32(): number {
    const value = this.number();
    if (value > 0xffff_ffff) throw unusual;
    return value;
  }

  /** A double. */
  double(): number {
    const at = this.at;
    this.at += 8;
    if (this.at > this.end) throw unusual;
    return this.bytes.readDoubleLE(at);
  }

  /** Goes past a length-delimited piece, which lies from `from` to `to`. */
  piece(): void {
    const length = this.number();
    this.from = this.at;
    this.at += length;
    this.to = this.at;
    if (this.at > this.end) throw unusual;
  }

  /** Reads the message that the piece just gone past is, and stands behind it again. */
  inPiece<Message>(read: (reader: this) => Message): Message {
    const { to, end } = this;
    this.at = this.from;
    this.end = to;
    const message = read(this);
    this.at = to;
    this.end = end;
    return message;
  }

  /** A string of printable ASCII; any other is unusual. */
  plainText(): string {
    this.piece();
    const { bytes, from, to } = this;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] ?? 0;
      if (byte < 0x20 || byte > 0x7e) throw unusual;
    }
    return from === to ? "" : bytes.toString("latin1", from, to);
  }

  /** A string of any text. One that is no UTF-8 is unusual. */
  text(): string {
    this.piece();
    const { bytes, from, to } = this;
    let at = from;
    while (at < to && (bytes[at] ?? 0) < 0x80) at++;
    if (at === to) return from === to ? "" : bytes.toString("latin1", from, to);
    const text = bytes.toString("utf8", from, to);
    // What is no UTF-8 was replaced by this character; where it was sent as such, the library says the same.
    if (text.includes("\ufffd")) throw unusual;
    return text;
  }

  /** A bytes field, as it lies in the message. */
  view(): Uint8Array {
    this.piece();
    return this.viewOf(this.from, this.to);
  }

  /** The bytes from here to there, as they lie in the message. No `Buffer`: the library answers none either. */
  viewOf(from: number, to: number): Uint8Array {
    const { buffer, byteOffset } = this.bytes;
    return new Uint8Array(buffer, byteOffset + from, to - from);
  }

  /** Goes past a field with this tag. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.number();
        return;
      case 1:
        this.at += 8;
        break;
      case lengthDelimited:
        this.piece();
        return;
      case 5:
        this.at += 4;
        break;
      default:
        throw unusual;
    }
    if (this.at > this.end) throw unusual;
  }

  /** Whether the piece just read is byte for byte this other one. */
  isPiece(from: number, to: number): boolean {
    const length = to - from;
    if (this.to - this.from !== length) return false;
    for (let i = 0; i < length; i++) if (this.bytes[this.from + i] !== this.bytes[from + i]) return false;
    return true;
  }
}
