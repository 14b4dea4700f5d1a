/** A body that is there already, as Connect reads bodies. */
export async function* onlyChunk(chunk: Uint8Array): AsyncIterable<Uint8Array> {
  yield chunk;
}
