/** A record that is still being put together. */
export type Writable<Record> = { -readonly [Field in keyof Record]: Record[Field] };
