declare const brand: unique symbol;

/** A string that only its parser makes, so that an ARN is never mistaken for a digest. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
