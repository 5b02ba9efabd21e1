/**
 * What a chain of the EVM asks of its users: calls encoded and answers decoded by an ABI, transactions signed, addresses derived. Typed by
 * `abi.ts`. Owner of ethers, whose parts for ABI, signature and transaction alone are used: nothing here speaks to a chain, and nothing that only
 * verifies imports it. Specification §20.8.
 */
import { Interface, type ParamType, type Result as EthersResult } from 'ethers/abi';
import { getCreate2Address } from 'ethers/address';
import { SigningKey, keccak256 } from 'ethers/crypto';
import { computeAddress, Transaction } from 'ethers/transaction';
import type { Abi, AbiError, AbiEvent, Arguments, ConstructorArguments, FunctionName, NamedArguments, Result } from './abi.ts';

export function encodeCall<const A extends Abi, N extends FunctionName<A>>(abi: A, name: N, values: Arguments<A, N>): Uint8Array {
  const { inputs } = requireFunction(abi, name);
  return bytesOf(interfaceOf(abi).encodeFunctionData(name, given(inputs, values)));
}

/** @returns undefined where the bytes are no answer of this function */
export function decodeResult<const A extends Abi, N extends FunctionName<A>>(
  abi: A,
  name: N,
  answer: Uint8Array,
): Result<A, N> | undefined {
  const { outputs } = requireFunction(abi, name);
  const result = attempt(() => interfaceOf(abi).decodeFunctionResult(name, answer));
  if (result === undefined) return undefined;
  const values = attempt(() => outputs.map((output, index) => taken(output, result[index])));
  return values && ((outputs.length === 1 ? values[0] : named(outputs, values)) as Result<A, N>);
}

/** A call of this function as it was sent; undefined where the bytes are another's. */
export function decodeCall<const A extends Abi, N extends FunctionName<A>>(
  abi: A,
  name: N,
  data: Uint8Array,
): NamedArguments<A, N> | undefined {
  const { inputs } = requireFunction(abi, name);
  const values = attempt(() => interfaceOf(abi).decodeFunctionData(name, data));
  return (
    values &&
    (attempt(() =>
      named(
        inputs,
        inputs.map((input, index) => taken(input, values[index])),
      ),
    ) as NamedArguments<A, N> | undefined)
  );
}

/** What a revert says, where it is one of this ABI's errors. */
export function decodeError<const A extends Abi>(abi: A, data: Uint8Array): AbiError<A> | undefined {
  const parsed = attempt(() => interfaceOf(abi).parseError(hexOf(data)));
  return parsed ? (described(parsed.name, parsed.fragment.inputs, parsed.args) as AbiError<A>) : undefined;
}

export function decodeEvent<const A extends Abi>(abi: A, topics: readonly Uint8Array[], data: Uint8Array): AbiEvent<A> | undefined {
  const parsed = attempt(() => interfaceOf(abi).parseLog({ topics: topics.map(hexOf), data: hexOf(data) }));
  return parsed ? (described(parsed.name, parsed.fragment.inputs, parsed.args) as AbiEvent<A>) : undefined;
}

/** Code that makes a contract: what a transaction without a receiver carries. */
export function encodeCreation<const A extends Abi>(abi: A, bytecode: string, values: ConstructorArguments<A>): Uint8Array {
  const { inputs } = interfaceOf(abi).deploy;
  return bytesOf(`0x${bytecode.replace(/^0x/, '')}${interfaceOf(abi).encodeDeploy(given(inputs, values)).slice(2)}`);
}

/** Where a factory at `factory` puts the contract that `creation` makes. EIP-1014. */
export function create2Address(factory: Uint8Array, salt: Uint8Array, creation: Uint8Array): Uint8Array {
  return bytesOf(getCreate2Address(hexOf(factory), hexOf(salt), keccak256(creation)));
}

/** What gas is bid for: one price (legacy), or a cap on the base fee and a tip together (EIP-1559). In wei. */
export type Fees =
  | { readonly market: 'legacy'; readonly gasPrice: bigint }
  | { readonly market: 'base-fee'; readonly maxFeePerGas: bigint; readonly maxPriorityFeePerGas: bigint };

export interface UnsignedTransaction {
  readonly chainId: number;
  readonly nonce: number;
  readonly to: Uint8Array;
  readonly data: Uint8Array;
  readonly value: bigint;
  readonly gas: number;
  readonly fees: Fees;
}

/** As it is sent, and its hash. The chain id is signed in either form (EIP-155, EIP-1559), so it counts on no other chain. */
export interface SignedTransaction {
  readonly raw: Uint8Array;
  readonly hash: Uint8Array;
}

/** @param key 32 bytes, secp256k1. The same key and transaction give the same bytes (RFC 6979) */
export function signTransaction(key: Uint8Array, { to, fees, gas, ...rest }: UnsignedTransaction): SignedTransaction {
  const { market, ...bid } = fees;
  const type = market === 'legacy' ? 0 : 2;
  const transaction = Transaction.from({ ...rest, ...bid, type, to: hexOf(to), data: hexOf(rest.data), gasLimit: gas });
  transaction.signature = new SigningKey(key).sign(transaction.unsignedHash);
  const raw = bytesOf(transaction.serialized);
  return { raw, hash: bytesOf(keccak256(raw)) };
}

/** Address of a secp256k1 key of 32 bytes. */
export function addressOfKey(key: Uint8Array): Uint8Array {
  return bytesOf(computeAddress(new SigningKey(key)));
}

const interfaces = new WeakMap<Abi, Interface>();

function interfaceOf(abi: Abi): Interface {
  const known = interfaces.get(abi) ?? new Interface(abi);
  interfaces.set(abi, known);
  return known;
}

function requireFunction(abi: Abi, name: string): { readonly inputs: readonly ParamType[]; readonly outputs: readonly ParamType[] } {
  const fragment = interfaceOf(abi).getFunction(name);
  if (fragment === null) throw new Error(`the ABI has no function ${name}`);
  return fragment;
}

function described(name: string, inputs: readonly ParamType[], args: EthersResult): unknown {
  return {
    name,
    values: named(
      inputs,
      inputs.map((input, index) => taken(input, args[index])),
    ),
  };
}

function named(parameters: readonly ParamType[], values: readonly unknown[]): unknown {
  return Object.fromEntries(parameters.map(({ name }, index) => [name, values[index]]));
}

/** Our values in ethers' form: addresses are text there. */
function given(parameters: readonly ParamType[], values: readonly unknown[]): unknown[] {
  return parameters.map((parameter, index) => givenOne(parameter, values[index]));
}

function givenOne({ baseType, arrayChildren, components }: ParamType, value: unknown): unknown {
  if (arrayChildren) return (value as readonly unknown[]).map((item) => givenOne(arrayChildren, item));
  if (components) return components.map((field) => givenOne(field, (value as Record<string, unknown>)[field.name]));
  return baseType === 'address' ? hexOf(value as Uint8Array) : value;
}

function taken({ baseType, arrayChildren, components }: ParamType, value: unknown): unknown {
  if (arrayChildren) return [...(value as EthersResult)].map((item) => taken(arrayChildren, item));
  if (components)
    return named(
      components,
      components.map((field, index) => taken(field, (value as EthersResult)[index])),
    );
  return baseType === 'address' || baseType.startsWith('bytes') ? bytesOf(value as string) : value;
}

/** ethers throws at foreign bytes that are no answer; to us that is a finding. */
function attempt<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

function hexOf(bytes: Uint8Array): string {
  return `0x${bytes.toHex()}`;
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.fromHex(hex.slice(2));
}
