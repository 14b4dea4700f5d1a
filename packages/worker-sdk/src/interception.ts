/** A method of an interceptor, once it is sure to be there. */
type Method<Interceptor, Name extends keyof Interceptor> = Extract<
  NonNullable<Interceptor[Name]>,
  (input: never, next: never) => unknown
>;

/** The input of an interceptor's method. */
export type InterceptorInput<Interceptor, Name extends keyof Interceptor> = Parameters<Method<Interceptor, Name>>[0];

/** What an interceptor's method answers. */
export type InterceptorOutput<Interceptor, Name extends keyof Interceptor> = ReturnType<Method<Interceptor, Name>>;

/** Goes on with a call: the next interceptor's method, and at last the call itself. */
export type Next<Interceptor, Name extends keyof Interceptor> = (
  input: InterceptorInput<Interceptor, Name>,
) => InterceptorOutput<Interceptor, Name>;

/**
 * One function of the methods of all interceptors that have it: the first one is outermost. Without any it is `innermost`
 * itself, so that what nobody intercepts costs nothing. Compose once, not with each call.
 */
export function composeInterceptors<Interceptor extends object, Name extends keyof Interceptor>(
  interceptors: readonly Interceptor[],
  name: Name,
  innermost: Next<Interceptor, Name>,
): Next<Interceptor, Name> {
  return interceptors.reduceRight<Next<Interceptor, Name>>((next, interceptor) => {
    const method = interceptor[name] as
      | ((
          input: InterceptorInput<Interceptor, Name>,
          next: Next<Interceptor, Name>,
        ) => InterceptorOutput<Interceptor, Name>)
      | undefined;
    return method === undefined ? next : (input) => method.call(interceptor, input, next);
  }, innermost);
}
