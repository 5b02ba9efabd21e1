/** Who is who among members and applicants: node ids in hexadecimal by name, and names by node id. Pure. Specification §4.2. */
import { hex } from '#protocol/digest.ts';
import { nodeIdOf, type Member } from '#protocol/network.ts';

export class MemberNames {
  /** Of whoever may be heard. */
  #nodes = new Map<string, string>();
  /** Who has gone is still named, for example in the log. */
  readonly #names = new Map<string, string>();

  know(members: readonly Member[]): void {
    const known = members.map(({ name, endorsementKey }) => [name, hex(nodeIdOf(endorsementKey))] as const);
    this.#nodes = new Map(known);
    for (const [name, node] of known) this.#names.set(node, name);
  }

  /** Of whoever may be heard. */
  names(): string[] {
    return [...this.#nodes.keys()];
  }

  nodeOf(name: string): string | undefined {
    return this.#nodes.get(name);
  }

  isKnown(node: string): boolean {
    return this.#names.has(node);
  }

  nameOf(node: string): string {
    return this.#names.get(node) ?? node.slice(0, 8);
  }
}
