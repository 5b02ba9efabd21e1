/**
 * The TypeScript types of what an ABI declares, taken from the constants in `generated/`: a wrong name, count or type of an argument does not
 * compile, and nothing more is generated. Contract ABI Specification, "Types" and "JSON". Whole numbers are bigints; addresses and bytes are bytes.
 */
export interface AbiParameter {
  readonly name: string;
  readonly type: string;
  readonly components?: readonly AbiParameter[];
}

export interface AbiItem {
  readonly type: string;
  readonly name?: string;
  readonly inputs?: readonly AbiParameter[];
  readonly outputs?: readonly AbiParameter[];
}

export type Abi = readonly AbiItem[];

type Typed<T extends string, P extends AbiParameter> = T extends `${infer Item}[${string}]`
  ? readonly Typed<Item, P>[]
  : T extends 'tuple'
    ? P extends { readonly components: infer Fields extends readonly AbiParameter[] }
      ? Named<Fields>
      : never
    : T extends `uint${string}` | `int${string}`
      ? bigint
      : T extends 'bool'
        ? boolean
        : T extends 'string'
          ? string
          : Uint8Array;

type Value<P extends AbiParameter> = Typed<P['type'], P>;
type Named<P extends readonly AbiParameter[]> = { readonly [Field in P[number] as Field['name']]: Value<Field> };
type Listed<P extends readonly AbiParameter[]> = { readonly [Index in keyof P]: Value<P[Index]> };
type Item<A extends Abi, Type extends string, Name extends string> = Extract<A[number], { readonly type: Type; readonly name: Name }>;
type Inputs<I> = I extends { readonly inputs: infer P extends readonly AbiParameter[] } ? P : readonly [];

export type FunctionName<A extends Abi> = Extract<A[number], { readonly type: 'function' }>['name'] & string;
export type Arguments<A extends Abi, Name extends string> = Listed<Inputs<Item<A, 'function', Name>>>;
/** The same by their names. */
export type NamedArguments<A extends Abi, Name extends string> = Named<Inputs<Item<A, 'function', Name>>>;
export type ConstructorArguments<A extends Abi> = Listed<Inputs<Extract<A[number], { readonly type: 'constructor' }>>>;

/** The one value, or several by their names. */
export type Result<A extends Abi, Name extends string> =
  Item<A, 'function', Name> extends { readonly outputs: infer P extends readonly AbiParameter[] }
    ? P extends readonly [infer One extends AbiParameter]
      ? Value<One>
      : Named<P>
    : never;

type Described<A extends Abi, Type extends string> = {
  [I in Extract<A[number], { readonly type: Type; readonly name: string }> as I['name']]: {
    readonly name: I['name'];
    readonly values: Named<Inputs<I>>;
  };
};

/** An event of the ABI, by its name, with its values. */
export type AbiEvent<A extends Abi> = Described<A, 'event'>[keyof Described<A, 'event'>];
/** An error of the ABI, by its name, with its values. */
export type AbiError<A extends Abi> = Described<A, 'error'>[keyof Described<A, 'error'>];
