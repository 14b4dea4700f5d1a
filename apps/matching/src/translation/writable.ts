/** A record while it is being put together: optional fields are only set where there is something to set. */
export type Writable<Record> = { -readonly [Field in keyof Record]: Record[Field] };
