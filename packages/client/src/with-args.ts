/** Arguments among other options: they may be left out where there are none to give. */
export type WithArgs<Args extends readonly unknown[]> = [] extends Args
  ? { readonly args?: Args }
  : { readonly args: Args };
